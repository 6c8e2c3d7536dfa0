"""What every lesson does at its start and at its end."""

import contextlib
import math
import numbers
import os
import sys

MIME_TYPE = "application/vnd.vae-course.numbers+json"


@contextlib.contextmanager
def _silent_stderr():
    """Send what C++ libraries write to the process's standard error to nowhere, for a while."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def load_tensorflow():
    """Load TensorFlow without its start-up messages."""
    with _silent_stderr():
        import tensorflow
    # Its advice on retracing is meant for large programs; a lesson decodes few pictures, many times.
    tensorflow.get_logger().setLevel("ERROR")


def begin(seed):
    """Load TensorFlow without its start-up messages, set the seed, and give figures the course's style.

    Args:
        seed: Whole number from 0 to 2**32 - 1. Same seed, same machine, same numbers.
    """
    load_tensorflow()
    import keras

    from vae_course import plotting

    keras.utils.set_random_seed(seed)
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
