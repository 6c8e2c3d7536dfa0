"""Start a lesson, and record what it measured at its end."""

import contextlib
import math
import os

from vae_course.self_check import check_machine

MIME_TYPE = "application/vnd.vae-course.numbers+json"
EXPLORER = (
    "application/vnd.vae-course.explorer+json"  # what `explorers.front_end` makes a live picture of
)
# NumPy's defaults, in case a reader's start-up file changes them.
PRINT_OPTIONS = dict(precision=8, threshold=1000, edgeitems=3, linewidth=75, suppress=False)
PRINT_OPTIONS |= dict(formatter=None, sign="-", floatmode="maxprec", legacy=False)


@contextlib.contextmanager
def _silent_stderr():
    """Temporarily discard what C++ libraries write to the process's standard error."""
    try:
        kept = os.dup(2)
    except OSError:  # there is no standard error, as in a program without a console
        yield
        return
    with open(os.devnull, "w") as nowhere, open(kept, "w") as heard:
        try:
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            os.dup2(heard.fileno(), 2)


def load_tensorflow():
    """Load TensorFlow without its start-up messages.

    Raises:
        UnsupportedMachineError: If this machine has settings that the course does not support.
    """
    check_machine()
    with _silent_stderr():
        import tensorflow
    # Its warnings about retracing are meant for large programs; a lesson decodes a few images many times.
    tensorflow.get_logger().setLevel("ERROR")


def begin(seed):
    """Check the machine, load TensorFlow quietly, and set seed, threads and the style of figures.

    Args:
        seed: Whole number from 0 to 2**32 - 1. The same seed on the same machine gives the same numbers.

    Raises:
        UnsupportedMachineError: If this machine has settings that the course does not support.
        ValueError: If the seed is out of range, or `VAE_COURSE_DPI` is no resolution.
    """
    # Sums of linear algebra depend on the number of threads, and with a lesson's small matrices one thread is
    # faster than two for most of them. The variable is for libraries that are loaded later, such as SciPy's.
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    load_tensorflow()
    import keras
    import numpy as np
    import threadpoolctl

    from vae_course import plotting

    threadpoolctl.threadpool_limits(1, user_api="blas")
    keras.utils.set_random_seed(seed)
    np.set_printoptions(**PRINT_OPTIONS)
    plotting.use_course_style()


def record(dataset, **values):
    """Show a lesson's measurements as a table, and store them for `vae-course` and for texts that cite them.

    A lesson may call this several times, with different names.

    Args:
        dataset: Name of the data set that they were measured on.
        **values: For each name a finite number, a pair of a number and its scatter (the standard error or
            standard deviation), or True or False for a claim that the lesson makes.

    Raises:
        ValueError: If a value is none of these.
    """
    from IPython.display import display

    kept = [(name, *_with_scatter(name, value)) for name, value in values.items()]
    rows = [(name, told(value, scatter)) for name, value, scatter in kept]
    text = "\n".join(f"{name:32} {told}" for name, told in rows)
    table = "".join(f"<tr><td>{name}</td><td>{told}</td></tr>" for name, told in rows)
    bundle = {
        # A list, because notebook files sort the keys of dictionaries.
        MIME_TYPE: {"dataset": dataset, "numbers": [list(row) for row in kept]},
        "text/plain": f"Key numbers on {dataset}\n{text}",
        "text/html": f"<table><caption>Key numbers on {dataset}</caption>{table}</table>",
    }
    display(bundle, raw=True)


def _with_scatter(name, value):
    """Return a value, rounded to six digits, and its scatter or None."""
    if not isinstance(value, str) and str(value) in ("True", "False"):  # Python's or NumPy's
        return bool(value), None
    pair = value if isinstance(value, tuple) and len(value) == 2 else (value, 0)
    try:
        value, scatter = (float(f"{float(number):.6g}") for number in pair)
    except (TypeError, ValueError):
        value = scatter = math.nan
    if isinstance(pair[0], str) or not math.isfinite(value) or not 0 <= scatter < math.inf:
        what = pair if scatter else pair[0]
        raise ValueError(f"{name}={what!r} is not a finite number: record a measured one.")
    return value, scatter or None


def told(value, scatter):
    """Say a measurement in words.

    Args:
        value: A number, or True or False for a claim.
        scatter: The number's scatter, or None.

    Returns:
        Text: the number with its scatter, or yes or no.
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.5g} ± {scatter:.2g}" if scatter else f"{value:.5g}"
