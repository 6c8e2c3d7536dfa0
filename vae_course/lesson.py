"""What every lesson does at its start and at its end."""

import contextlib
import importlib.machinery
import json
import logging
import math
import numbers
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
    """Show a lesson's key numbers as a table, and keep them where `vae-course run` finds them.

    Args:
        dataset: Name of the data set that the numbers were measured on.
        **values: Finite numbers by name, in the order in which the table shall show them.

    Raises:
        ValueError: If a value is not a finite number.
    """
    from IPython.display import display

    for name, value in values.items():
        if not isinstance(value, numbers.Real) or not math.isfinite(value):
            raise ValueError(f"{name}={value!r} is not a finite number: record what was measured.")
    values = {name: float(f"{float(value):.6g}") for name, value in values.items()}
    text = "\n".join(f"{name:32} {value:g}" for name, value in values.items())
    table = "".join(f"<tr><td>{name}</td><td>{value:g}</td></tr>" for name, value in values.items())
    bundle = {
        # A list of pairs: files of notebooks sort the keys of what they store.
        MIME_TYPE: {"dataset": dataset, "numbers": list(values.items())},
        "text/plain": f"Key numbers on {dataset}\n{text}",
        "text/html": f"<table><caption>Key numbers on {dataset}</caption>{table}</table>",
    }
    display(bundle, raw=True)


def recorded(notebook):
    """Return what `record` kept in an executed notebook.

    Args:
        notebook: A notebook as `nbformat.read` returns it.

    Returns:
        Dictionary with the keys `dataset` and `numbers`, or None if nothing was recorded.
    """
    found = [
        output["data"][MIME_TYPE]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if MIME_TYPE in output.get("data", {})
    ]
    if not found:
        return None
    return {"dataset": found[-1]["dataset"], "numbers": dict(found[-1]["numbers"])}
