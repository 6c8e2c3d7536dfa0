"""Report the result of a check as a friendly verdict, and as points for grading."""

import contextlib
import dataclasses
import functools
import os
import sys
import textwrap
import warnings

import numpy as np


class NotYet(Exception):
    """Raised inside a check if the answer is wrong; the message tells the student why."""

    share = 0.0


class ToDo(NotYet):
    """Raised inside a check if the task is still blank; the message tells the student what to do."""

    share = None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The result of a check; true if the task is solved.

    Args:
        text: What to tell the student.
        share: Fraction of the task that is solved, from 0 to 1, or None if it is still blank.
    """

    text: str
    share: float | None

    def __bool__(self):
        return self.share == 1

    def __str__(self):
        """Return the verdict as printed text: a heading, then the indented text."""
        head = "TO DO" if self.share is None else "RIGHT" if self else "NOT YET"
        lines = []
        for paragraph in self.text.splitlines():
            # Inputs and lists are already laid out; prose is not.
            kept = paragraph.startswith(" ")
            lines += [paragraph] if kept else textwrap.wrap(paragraph, 88) or [""]
        return f"{head:9}" + f"\n{'':9}".join(lines)

    def points(self, most):
        """Return the points earned, of so many, as a plain float, which nbgrader reads."""
        return round(float(most) * float(self.share or 0), 2)

    def _ipython_display_(self):
        """Display nothing, because the check has already printed the verdict."""


class Unsolved(AssertionError):
    """Raised for nbgrader's Validate button; the student sees the verdict without our lines of code."""

    def _render_traceback_(self):
        return [str(self)]


def is_blank(answer):
    """Return whether a student has left an answer as it was."""
    return answer is None or answer is Ellipsis


def need(what_to_do, *answers):
    """Raise `ToDo` with these words if one of the answers is blank."""
    if any(map(is_blank, answers)):
        raise ToDo(what_to_do)


def announced(check):
    """Make a check print its verdict and never raise, so that no odd answer stops a notebook.

    The check returns what to tell a student whose answer is right, or a complete `Verdict`; otherwise it
    raises `NotYet` or `ToDo`. Only nbgrader's Validate button, which looks for errors, gets an error for
    each unsolved task.
    """

    @functools.wraps(check)
    def announcing(*args, **kwargs):
        # nbgrader treats warnings and anything on standard error as a failure.
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stderr(sys.stdout):
            try:
                with np.errstate(all="ignore"):  # whatever the notebook has set with np.seterr
                    outcome = check(*args, **kwargs)
                verdict = outcome if isinstance(outcome, Verdict) else Verdict(outcome, 1.0)
            except NotYet as problem:
                verdict = Verdict(str(problem), problem.share)
            except Exception as error:  # a student's answer can raise anything
                words = f"Your answer could not be checked ({type(error).__name__}: {error}). "
                verdict = Verdict(words + "Does it have the form that the task asks for?", 0.0)
        if not verdict and os.environ.get("NBGRADER_EXECUTION") == "validate":
            raise Unsolved(verdict)
        print(verdict)
        return verdict

    return announcing
