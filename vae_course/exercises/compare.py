"""Call a student's function safely, compare its results with the right ones, and identify the mistake."""

import contextvars
import ctypes
import dis
import functools
import itertools
import numbers
import threading
import time
import traceback

import numpy as np

from vae_course.exercises.verdict import NotYet, ToDo, announced, need

# CPU time counts, not wall-clock time, because a busy machine must not fail an honest answer.
SECONDS = 10.0
PATIENCE = 120.0  # seconds of wall-clock time, for a function that waits instead of computing


def call(function, name, inputs, gradients=False):
    """Call a student's function on copies of inputs, a dictionary, and return what it returns.

    It runs in a thread that is stopped if it does not end: a signal would do only in the main thread and on
    Unix. If it fails or does not end, `NotYet` shows the inputs that caused it. With `gradients`, what is
    called is `gradients_of(function)`. A function that is in another process is called there.
    """
    if hasattr(function, "call_there"):
        return function.call_there(name, inputs, gradients)
    if gradients:
        function = gradients_of(function)
    copies = [value.copy() if hasattr(value, "copy") else value for value in inputs.values()]
    outcome = {}

    def work():
        try:
            outcome["value"] = function(*copies)
        except BaseException as error:  # even SystemExit, which must not end the kernel
            outcome["error"] = error

    context = contextvars.copy_context()  # so that printed text appears below the right cell
    thread = threading.Thread(target=context.run, args=(work,), daemon=True)
    started, computed = time.monotonic(), time.process_time()
    stop, patience = computed + SECONDS, started + PATIENCE
    try:
        thread.start()
        while thread.is_alive() and time.process_time() < stop and time.monotonic() < patience:
            thread.join(0.05)  # short waits let Ctrl-C through
    finally:
        late = thread.is_alive()
        for _ in range(40):  # it may catch the first ones
            if thread.is_alive():
                ident, exit = ctypes.c_ulong(thread.ident), ctypes.py_object(SystemExit)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, exit)
                thread.join(0.05)
    if "value" in outcome:
        return outcome["value"]
    error = outcome.get("error")
    if late:
        words = f"it was still running after {time.monotonic() - started:.0f} seconds."
        words += (
            " Is there a loop that never ends, or one that takes too long? Work with whole arrays."
        )
        if thread.is_alive():
            words += " It could not be stopped, so please restart the kernel."
    elif not isinstance(error, Exception):
        words = f"it tried to exit ({type(error).__name__})."
    else:  # its type, its text and the student's own line, without paths
        words = f"it raised {type(error).__name__}: {str(error).partition(chr(10))[0]}"
        file = getattr(getattr(plain(function), "__code__", None), "co_filename", None)
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
        if frames and frames[-1].line:
            words += f"\n  in the line: {frames[-1].line}"
    raise NotYet(f"{name}: {words}{called_with(inputs)}") from error


def gradients_of(function):
    """Return a function that draws twice, and takes the gradients of the first z, None where none passes."""
    import tensorflow as tf
    from keras import ops

    @functools.wraps(function)
    def watched(*inputs):
        inputs = [tf.constant(value) for value in inputs]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            z = function(*inputs)
            total = ops.sum(ops.cast(z, "float32")) if tf.is_tensor(z) else tf.constant(0.0)
        gradients = tape.gradient(total, inputs)
        return (
            z,
            function(*inputs),
            [g if g is None else tf.convert_to_tensor(g) for g in gradients],
        )

    return watched


def plain(function):
    """Return the function inside decorators, `np.vectorize` and `functools.partial`."""
    for _ in range(20):
        inner = [getattr(function, name, None) for name in ("__wrapped__", "pyfunc", "func")]
        function = next(filter(callable, inner), None) or function
    return function


def is_empty(function):
    """Return whether a function does nothing, as one that is still blank."""
    if code := getattr(inside := plain(function), "__code__", None):
        steps = {step.opname for step in dis.get_instructions(code)}
        nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
        return steps <= nothing and set(code.co_consts) <= {None, inside.__doc__}
    return bool(getattr(function, "empty", False))  # of one in another process


def package_of(function):
    """Return the name of the package that a function comes from."""
    return (getattr(plain(function), "__module__", None) or "").split(".")[0]


def require_own(function, name):
    """Raise `ToDo` if a function is still blank, `NotYet` if it is not the student's own function."""
    todo = f"{name}: write it in the cell above, where it says YOUR CODE HERE."
    need(todo, function)
    if not callable(function):
        raise NotYet(
            f"{name} is a {type(function).__name__}, not a function. Keep the line `def {name}(...):`."
        )
    if is_empty(function):
        raise ToDo(todo)
    package = package_of(function)
    if package in ("vae_course", "keras", "tensorflow", "numpy", "scipy", "sklearn"):
        raise NotYet(f"{name} comes ready-made from {package}. Please write your own.")


def as_array(value, what, where=""):
    """Turn a value, named `what`, into finite 64-bit floats, or raise `NotYet`, which ends with `where`."""
    if value is None:
        raise NotYet(f"{what} is None. Is a `return` missing?{where}")
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        kind = f"the text {value!r}" if isinstance(value, str) else f"a {type(value).__name__}"
        raise NotYet(f"{what} is {kind}, but numbers are needed.{where}")
    if not np.isfinite(array).all():
        found = "NaN (not a number)" if np.isnan(array).any() else "an infinite number"
        cause = "Is there a division by zero, a root or logarithm of a negative number, a logarithm of 0, or "
        cause += "an exp of a number that is too large for a computer?"
        raise NotYet(f"{what} contains {found}. {cause}{where}")
    return array.astype(float)


def result_of(function, name, inputs):
    """Call a student's function, as `call` does, and return an array of finite numbers."""
    value = call(function, name, inputs)
    return as_array(value, f"{name}: its result", called_with(inputs))


def shown(value):
    """Return a value as a line or two of text: small ones in full, large ones by their shape."""
    if isinstance(value, numbers.Real):
        return f"{value:.6g}"
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        return repr(value) if isinstance(value, str) else f"a {type(value).__name__}"
    if array.size > 24:
        return f"random numbers of shape {array.shape}"
    if array.ndim > 2:  # nested brackets are hard to read
        array = array.ravel()
    return np.array2string(array, precision=4, suppress_small=True, separator=", ")


def inputs_shown(inputs):
    """List inputs by name, one per line."""
    lines = []
    for name, value in inputs.items():
        if np.ndim(value) > 2:
            name = f"{name}, of shape {np.shape(value)},"
        lines.append(f"  {name} = " + shown(value).replace("\n", "\n" + " " * (len(name) + 5)))
    return "\n".join(lines)


def called_with(inputs):
    """Return the end of a message that shows the inputs."""
    return f"\nIt was called with\n{inputs_shown(inputs)}"


def agree(found, expected, tolerance=1e-4):
    """Return whether two arrays have the same shape and numbers, up to a tolerance."""
    return np.shape(found) == np.shape(expected) and np.allclose(
        found, expected, rtol=tolerance, atol=tolerance
    )


def combinations(*choices, most=9):
    """Yield every way to take one entry from each dictionary, with at most `most` mistakes.

    Each goes from a mistake to a value; "" comes first and means no mistake. What is yielded is the mistakes,
    joined into one text, and the list of values, starting with the right one.
    """
    for ways in itertools.product(*(choice.items() for choice in choices)):
        texts = [text for text, _ in ways if text]
        if len(texts) <= most:
            yield "; and ".join(texts), [value for _, value in ways]


def function_check(name, draw, tolerance=1e-4, trials=3, afresh=False, last=None):
    """Return a decorator that turns a generator of expected results into a check of a function.

    The generator takes the inputs and yields pairs of a text and a value: first "" and the right result,
    then the name and the result of each common mistake. `draw` makes the inputs, a dictionary, from a random
    generator and the number of the trial, of which 0 is the smallest. With `afresh`, the function must make
    new draws, and so return another result, at each call. In the end, `last` gets the function and a random
    generator, and raises `NotYet` if it finds anything else that is wrong.
    """

    def decorate(results):
        def check(function):
            require_own(function, name)
            rng = np.random.default_rng()
            for trial in range(trials):
                inputs = draw(rng, trial)
                found, (_, expected) = result_of(function, name, inputs), next(results(**inputs))
                if afresh and np.array_equal(found, result_of(function, name, inputs)):
                    raise NotYet(
                        f"{name} returns exactly the same twice. Make new draws at each call."
                    )
                if not agree(found, expected, tolerance):
                    mistake = mistake_in(function, rng, inputs, found)
                    text = f"{name} gives a different result than expected."
                    if mistake:
                        text = f"{name}: {mistake}."
                    elif found.shape != np.shape(expected):
                        text = f"{name} returns shape {found.shape}, expected {np.shape(expected)}."
                    both = {"yours   ": found[()], "expected": np.float64(expected)[()]}
                    raise NotYet(
                        f"{text}\nFor\n{inputs_shown(inputs)}\nthe results are\n{inputs_shown(both)}"
                    )
            if last:
                last(function, rng)
            return f"{name} agrees on {trials} fresh random inputs."

        def mistake_in(function, rng, inputs, found):
            """Return the fewest mistakes that explain the result, also on other inputs."""
            fits = [t for t, value in results(**inputs) if t and agree(found, value, tolerance)]
            for trial in (1, 2, 1, 2) if fits else ():
                inputs = draw(rng, trial)
                found, values = result_of(function, name, inputs), results(**inputs)
                fits = [t for t, value in values if t in fits and agree(found, value, tolerance)]
            return min(fits, key=lambda text: text.count("; and "), default="")

        check.__name__, check.__doc__ = results.__name__, results.__doc__
        return announced(check)

    return decorate
