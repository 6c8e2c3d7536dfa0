"""What every lesson does at its start and at its end."""

import contextlib
import importlib.machinery
import json
import logging
import math
import os
import sys
import textwrap
from pathlib import Path

MIME_TYPE = "application/vnd.vae-course.numbers+json"
PACKAGES = "tensorflow keras numpy scipy sklearn matplotlib PIL IPython".split()
# What the shipped models and the numbers in the lessons were made with: Keras' own defaults.
KERAS_SETTINGS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "dtype_policy": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "nnx_enabled": False,
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
# NumPy's own, for a reader whose start-up file sets others.
PRINT_OPTIONS = dict(precision=8, threshold=1000, edgeitems=3, linewidth=75, suppress=False)
PRINT_OPTIONS |= dict(formatter=None, sign="-", floatmode="maxprec", legacy=False)
AGAIN = "then start again (in a notebook: restart the kernel)."
VARIABLES = "KERAS_BACKEND KERAS_NNX_ENABLED KERAS_MAX_EPOCHS KERAS_MAX_STEPS_PER_EPOCH".split()


class UnsupportedMachineError(ValueError):
    """Something on this machine would stop the course or change its numbers."""

    def _render_traceback_(self):
        """Return the lines that a notebook shows: the message is enough."""
        return [f"{type(self).__name__}: {self}"]


def check_machine():
    """Refuse a machine on which the course would stop half-way, or give other numbers.

    Raises:
        UnsupportedMachineError: If there are `faults`.
    """
    if found := faults():
        raise UnsupportedMachineError("\n".join(f"{what} {cure}" for what, cure in found))


def faults():
    """List what would stop the course or change its numbers, without importing TensorFlow or Keras.

    Returns:
        List of pairs of one line each: what is wrong and where, and how to mend it.
    """
    others = _keras_faults, _tensorflow_faults, _matplotlib_faults
    return list(_hidden_packages()) or [fault for find in others for fault in find()]


def _hidden_packages():
    for name in PACKAGES:
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec and spec.origin and Path(spec.origin).stem != "__init__":
            yield f"{spec.origin} hides the package {name}.", f"Rename it, {AGAIN}"


def _unset(variable):
    in_notebook = f"in a notebook: `import os; del os.environ[{variable!r}]` in a new first cell"
    return f"Unset {variable} ({in_notebook}), {AGAIN}"


def _tensorflow_faults():
    if "auto_jit" in (flags := os.environ.get("TF_XLA_FLAGS", "")):
        what = f"TF_XLA_FLAGS={flags!r} lets TensorFlow compile what draws random numbers: others come out."
        yield what, _unset("TF_XLA_FLAGS")


def _matplotlib_faults():
    # Its warnings are about settings that the course does not use, and about its cache.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib  # noqa: F401
    except Exception as error:
        reason = textwrap.shorten(str(error), 120, placeholder=" ...")
        cure = "Unset MPLBACKEND, and mend or delete your file matplotlibrc"
        yield f"Matplotlib does not start ({reason}).", f"{cure}, {AGAIN}"


def _keras_faults():
    """Name other settings, and do not correct them: whoever chose them should know that they do not hold."""
    file = _keras_file()
    try:
        stored = json.loads(file.read_bytes()) if os.path.exists(file) else {}
    except ValueError:
        stored = {}  # Keras passes over a file that is not JSON, too.
    except OSError as error:
        stored = error.strerror
    if not isinstance(stored, dict) or None in stored.values():
        yield f"Keras cannot use its file {file}: {stored}.", f"Delete it, {AGAIN}"
        return
    for name, wanted in KERAS_SETTINGS.items():
        variable = f"KERAS_{name.upper()}"
        told = {
            "in this session": _in_session(name),
            f"by {variable}": os.environ.get(variable) if variable in VARIABLES else None,
            f"in {file}": stored.get(name),
        }
        told = {where: value for where, value in told.items() if value is not None}
        value = next(iter(told.values()), wanted)  # the first place that says anything decides
        follows_floatx = name == "dtype_policy" and value == _in_session("floatx")
        if value not in (wanted, str(wanted).lower()) and not follows_floatx:
            source = [where for where in told if told[where] == value][-1]
            what = f"Keras has {name}={value!r}, set {source}, but the course needs {wanted!r}."
            by_variable = source == f"by {variable}"
            yield what, _unset(variable) if by_variable else f"Remove that setting, {AGAIN}"


def _keras_file():
    """Return where Keras reads its settings from, by its own rules."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.path.join(folder, "keras.json")))


def _in_session(name):
    """Return a setting of the Keras that is loaded already, or None."""
    config = getattr(sys.modules.get("keras"), "config", None)
    value = getattr(config, name, lambda: None)()
    return getattr(value, "name", value)  # a policy has one


@contextlib.contextmanager
def _silent_stderr():
    """Send what C++ libraries write to the process's standard error to nowhere, for a while."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error, as in a program without a console
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    if sys.stderr:
        sys.stderr.flush()
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load_tensorflow():
    """Load TensorFlow without its start-up messages.

    Raises:
        UnsupportedMachineError: If this machine has settings that the course does not support.
    """
    check_machine()
    with _silent_stderr():
        import tensorflow
    # Its advice on retracing is meant for large programs; a lesson decodes few pictures, many times.
    tensorflow.get_logger().setLevel("ERROR")


def begin(seed):
    """Check the machine, load TensorFlow quietly, set the seed, and give figures the course's style.

    Args:
        seed: Whole number from 0 to 2**32 - 1. Same seed, same machine, same numbers.

    Raises:
        UnsupportedMachineError: If this machine has settings that the course does not support.
    """
    load_tensorflow()
    import keras
    import numpy as np

    from vae_course import plotting

    keras.utils.set_random_seed(seed)
    np.set_printoptions(**PRINT_OPTIONS)
    plotting.use_course_style()


def record(dataset, **values):
    """Show what a lesson measured as a table, and keep it for `vae-course` and for the texts that cite it.

    Args:
        dataset: Name of the data set that it was measured on.
        **values: By name: a finite number; a pair of a number and its scatter (the standard error or standard
            deviation); or True or False for a claim that the lesson makes.

    Raises:
        ValueError: If a value is none of these.
    """
    from IPython.display import display

    kept = [(name, *_with_scatter(name, value)) for name, value in values.items()]
    rows = [(name, told(value, scatter)) for name, value, scatter in kept]
    text = "\n".join(f"{name:32} {told}" for name, told in rows)
    table = "".join(f"<tr><td>{name}</td><td>{told}</td></tr>" for name, told in rows)
    bundle = {
        # A list: files of notebooks sort the keys of what they store.
        MIME_TYPE: {"dataset": dataset, "numbers": [list(row) for row in kept]},
        "text/plain": f"Key numbers on {dataset}\n{text}",
        "text/html": f"<table><caption>Key numbers on {dataset}</caption>{table}</table>",
    }
    display(bundle, raw=True)


def _with_scatter(name, value):
    """Return a value, rounded to six digits, and its scatter or None."""
    if str(value) in ("True", "False"):  # Python's own, or NumPy's
        return bool(value), None
    pair = value if isinstance(value, tuple) and len(value) == 2 else (value, 0)
    try:
        value, scatter = (float(f"{float(number):.6g}") for number in pair)
    except (TypeError, ValueError):
        value = scatter = math.nan
    if isinstance(pair[0], str) or not math.isfinite(value) or not 0 <= scatter < math.inf:
        what = pair if scatter else pair[0]
        raise ValueError(f"{name}={what!r} is not a finite number: record what was measured.")
    return value, scatter or None


def told(value, scatter):
    """Return a number with its scatter, or a claim as yes or no, as text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g} ± {scatter:.2g}" if scatter else f"{value:.5g}"
