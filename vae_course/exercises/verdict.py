"""Report the result of a check as a friendly verdict, and as points for grading."""

import contextlib
import dataclasses
import functools
import os
import sys
import textwrap
import warnings

import numpy as np

HEADS = {"right": "RIGHT", "wrong": "NOT YET", "to do": "TO DO"}


class NotYet(Exception):
    """Raised inside a check if the answer is wrong; the message tells the student why."""


class ToDo(Exception):
    """Raised inside a check if the task is still blank; the message tells the student what to do."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The result of a check; true if the task is solved.

    Args:
        state: "right", "wrong", or "to do" if the task is still blank.
        text: What to tell the student.
        share: Fraction of the task that is solved, from 0 to 1.
    """

    state: str
    text: str
    share: float = 0.0

    def __bool__(self):
        return self.state == "right"

    def __str__(self):
        """Return the verdict as printed text: a heading, then the indented text."""
        lines = []
        for paragraph in self.text.splitlines():
            # Inputs and lists are already laid out; prose is not.
            kept = paragraph.startswith(" ")
            lines += [paragraph] if kept else textwrap.wrap(paragraph, 88) or [""]
        first, *rest = lines
        return "\n".join([f"{HEADS[self.state]:8} {first}"] + [" " * 9 + line for line in rest])

    def points(self, most):
        """Return the points earned as a plain float, which nbgrader reads.

        Args:
            most: Points of the whole task.
        """
        return round(float(most) * float(self.share), 2)

    def _ipython_display_(self):
        """Display nothing, because the check has already printed the verdict."""


def announced(check):
    """Make a check print its verdict and never raise, so that no odd answer stops a notebook.

    The check returns what to tell a student whose answer is right, or a complete `Verdict`; otherwise it
    raises `NotYet` or `ToDo`. Only nbgrader's Validate button, which looks for errors, gets an error for
    each unsolved task.
    """

    @functools.wraps(check)
    def announcing(*args, **kwargs):
        # nbgrader treats warnings and anything on standard error as a failure.
        with warnings.catch_warnings(), contextlib.redirect_stderr(sys.stdout):
            warnings.simplefilter("ignore")
            verdict = _verdict(check, *args, **kwargs)
        if not verdict and os.environ.get("NBGRADER_EXECUTION") == "validate":
            raise AssertionError(str(verdict))
        print(verdict)
        return verdict

    return announcing


def _verdict(check, *args, **kwargs):
    try:
        with np.errstate(all="ignore"):  # whatever the notebook has set with np.seterr
            outcome = check(*args, **kwargs)
    except NotYet as problem:
        return Verdict("wrong", str(problem))
    except ToDo as task:
        return Verdict("to do", str(task))
    except Exception as error:  # a student's answer can raise anything
        return Verdict(
            "wrong",
            f"Your answer could not be checked ({type(error).__name__}: {error}). "
            "Does it have the form that the task asks for?",
        )
    return outcome if isinstance(outcome, Verdict) else Verdict("right", outcome, 1.0)
