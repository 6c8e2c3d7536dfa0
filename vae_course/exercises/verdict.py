"""What a check answers: a verdict in friendly words, and points for whoever grades."""

import dataclasses
import functools
import os
import textwrap
import warnings

HEADS = {"right": "RIGHT", "wrong": "NOT YET", "to do": "TO DO"}


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer of a check; true if the task is solved.

    Args:
        state: "right", "wrong", or "to do" where the task is still blank.
        text: What to tell the student.
        share: Which share of the task is solved, from 0 to 1.
    """

    state: str
    text: str
    share: float = 0.0

    def __bool__(self):
        return self.state == "right"

    def __str__(self):
        """Return the verdict as it is printed: a heading, then the text, indented."""
        lines = []
        for paragraph in self.text.splitlines():
            # Inputs and lists are laid out already; prose is not.
            kept = paragraph.startswith(" ")
            lines += [paragraph] if kept else textwrap.wrap(paragraph, 88) or [""]
        first, *rest = lines
        head = HEADS[self.state]
        return "\n".join([f"{head:8} {first}"] + [" " * 9 + line for line in rest])

    def points(self, most):
        """Return the points that the task has earned, as a plain float: what nbgrader reads.

        Args:
            most: Points of the whole task.
        """
        return round(float(most) * float(self.share), 2)

    def _ipython_display_(self):
        """Display nothing: the verdict was printed when the check was made."""


def right(text):
    """Make a verdict on a solved task."""
    return Verdict("right", text, 1.0)


def wrong(text, share=0.0):
    """Make a verdict on a task that is not solved yet."""
    return Verdict("wrong", text, share)


def to_do(text):
    """Make a verdict on a task that was left blank."""
    return Verdict("to do", text)


def announced(check):
    """Let a check print its verdict, and never raise: a blank or odd answer stops no notebook.

    Only nbgrader's Validate button, which looks for errors, gets one for each task that is not solved.
    """

    @functools.wraps(check)
    def announcing(*args, **kwargs):
        try:
            with warnings.catch_warnings():  # nbgrader takes a warning for a failure
                warnings.simplefilter("ignore")
                verdict = check(*args, **kwargs)
        except Exception as error:  # whatever a student's answer does when it is looked at
            verdict = wrong(
                f"Your answer could not be checked ({type(error).__name__}: {error}). "
                "Does it have the form that the task asks for?"
            )
        if not verdict and os.environ.get("NBGRADER_EXECUTION") == "validate":
            raise AssertionError(str(verdict))
        print(verdict)
        return verdict

    return announcing
