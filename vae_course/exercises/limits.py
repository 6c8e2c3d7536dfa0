"""Call a student's function so that neither an error nor an endless loop does harm."""

import contextlib
import contextvars
import ctypes
import sys
import threading
import traceback
import warnings

SECONDS = 10.0


class TimeLimitError(BaseException):
    """Raised inside a function that has run for too long; `except Exception` does not catch it."""


@contextlib.contextmanager
def _quiet():
    """Send warnings nowhere, and what goes to standard error to the cell's ordinary output.

    nbgrader takes any output on standard error for a failure.
    """
    with warnings.catch_warnings(), contextlib.redirect_stderr(sys.stdout):
        warnings.simplefilter("ignore")
        yield


def _stop(thread):
    """Raise `TimeLimitError` in a thread, a few times if it catches that; False if it goes on."""
    for _ in range(20):
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident), ctypes.py_object(TimeLimitError)
        )
        thread.join(0.05)
        if not thread.is_alive():
            return True
    return False


def call(function, *args, seconds=None):
    """Call a function in a thread of its own, for so many seconds at most.

    A signal would reach the main thread of Unix only; a thread works everywhere, in a kernel, too.

    Args:
        function: What to call.
        *args: Its arguments.
        seconds: Time limit; None for the usual `SECONDS`.

    Returns:
        What the function returns.

    Raises:
        TimeoutError: If the time is up. The function was stopped, or the message says to restart.
        Exception: Whatever the function raises.
    """
    seconds = SECONDS if seconds is None else seconds
    outcome = {}

    def work():
        try:
            outcome["value"] = function(*args)
        except BaseException as error:  # SystemExit, too: it must not end the kernel
            outcome["error"] = error

    context = contextvars.copy_context()  # so that prints appear below the cell that was run
    thread = threading.Thread(target=context.run, args=(work,), daemon=True)
    with _quiet():
        thread.start()
        waited = 0.0
        while thread.is_alive() and waited < seconds:  # short waits: Ctrl-C gets through
            thread.join(0.05)
            waited += 0.05
        stopped = not thread.is_alive() or _stop(thread)
    if "value" in outcome:
        return outcome["value"]
    error = outcome.get("error")
    if error is None or isinstance(error, TimeLimitError):
        after = "" if stopped else " It could not be stopped: restart the kernel."
        raise TimeoutError(
            f"It had not finished after {seconds:g} seconds: is there a loop without an end?{after}"
        )
    if not isinstance(error, Exception):
        raise RuntimeError(f"It called for an exit ({type(error).__name__}).") from error
    raise error


def told(error, function):
    """Tell a student's exception: what, where in their code, in which words.

    Args:
        error: The exception.
        function: The student's function.

    Returns:
        A text without paths.
    """
    if isinstance(error, TimeoutError):
        return str(error)
    text = f"It raised {type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    file = getattr(getattr(function, "__code__", None), "co_filename", None)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename == file]
    if frames and frames[-1].line:
        text += f"\n  in the line: {frames[-1].line}"
    return text
