"""Hold a student's function against the truth, on fresh inputs, and tell how the two differ."""

import dis
import inspect
import numbers

import numpy as np

from vae_course.exercises import limits
from vae_course.exercises.verdict import right, to_do, wrong


class Problem(Exception):
    """What is wrong with a returned value, in words for the student."""


def fresh():
    """Return a random generator that no student can foresee."""
    return np.random.default_rng()


def as_array(value):
    """Turn what a student's function has returned into an array of finite numbers.

    Args:
        value: A number, a list, or an array or tensor of NumPy, Keras or TensorFlow.

    Returns:
        Array of 64-bit floats.

    Raises:
        Problem: If the value is something else, or holds NaN or infinity.
    """
    if value is None:
        raise Problem("It gives back None: is a `return` missing?")
    if isinstance(value, str | bytes):
        raise Problem(f"It gives back the text {value!r}: numbers are needed.")
    if value is Ellipsis or callable(value) and not hasattr(value, "shape"):
        raise Problem(f"It gives back a {type(value).__name__}: numbers are needed.")
    try:
        array = np.asarray(value)
        if array.dtype.kind not in "biuf":
            raise TypeError
        array = array.astype(float)
    except (TypeError, ValueError) as error:
        raise Problem(
            f"It gives back a {type(value).__name__}, which is no array of numbers."
        ) from error
    if not np.isfinite(array).all():
        what = "NaN (not a number)" if np.isnan(array).any() else "an infinite number"
        raise Problem(f"Its result holds {what}: is there a logarithm or a root of a negative?")
    return array


def shown(value):
    """Show a value in a line or two: small ones in full, large ones by their shape."""
    if isinstance(value, numbers.Real | str) or value is None:
        return f"{value:.6g}" if isinstance(value, float) else repr(value)
    array = np.asarray(value)
    if array.size > 24:
        return f"random numbers of shape {array.shape}"
    if array.ndim > 2:  # nested brackets are hard to read
        array = array.ravel()
    return np.array2string(array, precision=4, suppress_small=True, separator=", ")


def inputs_shown(inputs):
    """List inputs by name, one below the other."""
    lines = []
    for name, value in inputs.items():
        if np.ndim(value) > 2:
            name = f"{name}, of shape {np.shape(value)},"
        first, *rest = shown(value).splitlines()
        lines += [f"  {name} = {first}"] + [" " * (len(name) + 6) + line.strip() for line in rest]
    return "\n".join(lines)


def blank(function, name):
    """Return a verdict if a function is not there yet, is no function, or is not the student's own."""
    if function is None or function is Ellipsis:
        return to_do(f"{name}: write it in the cell above.")
    if not callable(function):
        return wrong(
            f"{name} is a {type(function).__name__}, not a function: keep the line `def {name}(...):`."
        )
    module = getattr(inspect.unwrap(function), "__module__", None) or ""
    if module.split(".")[0] in ("vae_course", "keras", "tensorflow", "numpy", "scipy", "sklearn"):
        return wrong(f"{name} comes ready-made from {module.split('.')[0]}: write your own.")
    if _is_empty(function):
        return to_do(f"{name}: write it in the cell above, where it says YOUR CODE HERE.")
    return None


def _is_empty(function):
    """Tell whether a function holds nothing but its docstring, `pass` or `...`."""
    code = getattr(function, "__code__", None)
    nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_VALUE", "RETURN_CONST"}
    return code is not None and (
        {step.opname for step in dis.get_instructions(code)} <= nothing
        and set(code.co_consts) <= {None, function.__doc__}
    )


def call(function, name, inputs, seconds=None):
    """Call a student's function on copies of inputs.

    Args:
        function: The student's function.
        name: Its name.
        inputs: Dictionary from names to values, passed by position.
        seconds: Time limit; None for the usual one.

    Returns:
        What it returns.

    Raises:
        Problem: If it fails, with the input that caused it.
    """
    copies = [value.copy() if hasattr(value, "copy") else value for value in inputs.values()]
    try:
        return limits.call(function, *copies, seconds=seconds)
    except Exception as error:
        raise Problem(
            f"{limits.told(error, function)}\nwhen it was called with\n{inputs_shown(inputs)}"
        ) from error


def agree(found, expected, tolerance=1e-4):
    """Tell whether two arrays have the same shape and numbers, up to a relative tolerance."""
    found, expected = np.asarray(found, float), np.asarray(expected, float)
    if found.shape != expected.shape:
        return False
    return np.allclose(found, expected, rtol=tolerance, atol=tolerance)


def fitting(found, mistakes, tolerance=1e-4):
    """List the mistakes that lead to what was found.

    Args:
        found: Array that a student's function gave.
        mistakes: Iterable of pairs: a tuple of texts, and the value that those mistakes lead to.
        tolerance: As for `agree`.

    Returns:
        List of tuples of texts.
    """
    return [texts for texts, value in mistakes if texts and agree(found, value, tolerance)]


def _named(function, name, draw, rng, mistakes, tolerance, fits):
    """Name the fewest mistakes that lead to what was found, on other inputs as well: else by chance."""
    for trial in (1, 2):
        if len(fits) == 0:
            break
        inputs = draw(rng, trial)
        try:
            found = as_array(call(function, name, inputs))
        except Problem:
            continue
        again = set(fitting(found, mistakes(**inputs), tolerance))
        fits = [texts for texts in fits if texts in again]
    return "; and ".join(min(fits, key=len)) if fits else ""


def check_function(function, name, draw, truth, mistakes, praise="", tolerance=1e-4, trials=3):
    """Hold a function against the truth on fresh random inputs.

    Args:
        function: The student's function.
        name: Its name.
        draw: Function of a random generator and the number of the trial (0 is the smallest); it returns a
            dictionary from names to inputs.
        truth: Function of these inputs by name; it returns what is due.
        mistakes: Function of these inputs by name; it returns pairs as `fitting` takes them.
        praise: What to add to the good news.
        tolerance: As for `agree`.
        trials: How many inputs to try.

    Returns:
        A `Verdict`.
    """
    if (verdict := blank(function, name)) is not None:
        return verdict
    rng = fresh()
    for trial in range(trials):
        inputs = draw(rng, trial)
        expected = np.asarray(truth(**inputs), float)
        try:
            found = as_array(call(function, name, inputs))
        except Problem as problem:
            text = str(problem)
            text += "" if "called with" in text else f"\nWith\n{inputs_shown(inputs)}"
            return wrong(f"{name}: {text}")
        if agree(found, expected, tolerance):
            continue
        fits = fitting(found, mistakes(**inputs), tolerance)
        what = _named(function, name, draw, rng, mistakes, tolerance, fits)
        text = f"{name}: {what}." if what else f"{name} gives another result than expected."
        if not what and found.shape != expected.shape:
            text = f"{name} gives shape {found.shape}, expected {expected.shape}."
        results = {"yours   ": found[()], "expected": expected[()]}
        return wrong(f"{text}\nWith\n{inputs_shown(inputs)}\nthe result\n{inputs_shown(results)}")
    return right(f"{name} agrees on {trials} fresh random inputs. {praise}".strip())
