"""Checks of conceptual questions: a number to work out, or one of several options.

The right options are kept in `choices.json` as digests, so that who looks there is not told. `digest` makes
them.
"""

import hashlib
import json
import numbers
from pathlib import Path
from typing import NamedTuple

from vae_course.exercises.numbers_due import NUMBERS
from vae_course.exercises.verdict import Verdict, announced, right, to_do, wrong

# Question: its options, the digest of the right one, and a hint for each other one by its digest.
CHOICES = json.loads(Path(__file__).with_name("choices.json").read_text(encoding="utf-8"))


class Number(NamedTuple):
    """A number to work out: how exactly it is due, and what usual mistakes lead to."""

    due: float
    tolerance: float
    mistakes: dict


def digest(question, option):
    """Return the digest of an option of a question.

    Args:
        question: Name of the question, a key of `CHOICES`.
        option: The option's letter.
    """
    return hashlib.sha256(f"{question}: {option}".encode()).hexdigest()[:10]


def _judge(question, answer):
    """Return a state, "right", "wrong" or "to do", and what to tell of one choice."""
    options, hints = CHOICES[question]["options"], CHOICES[question]["hints"]
    if answer is None or answer is Ellipsis:
        return "to do", "still blank"
    letter = answer.strip().lower() if isinstance(answer, str) else answer
    if letter not in options:
        return "wrong", f"{answer!r} is no option: write one of {', '.join(options)}, in quotes"
    code = digest(question, letter)
    if code == CHOICES[question]["right"]:
        return "right", "right"
    return "wrong", hints.get(code, "not that one")


@announced
def check_choice(question, answer):
    """Check the answer to a multiple-choice question.

    Args:
        question: Name of the question, a key of `CHOICES`.
        answer: The letter of an option, such as "a", or None where blank.

    Returns:
        A `Verdict`.
    """
    state, text = _judge(question, answer)
    if state == "to do":
        return to_do("replace None by the letter of your answer, in quotes.")
    return right("that is it.") if state == "right" else wrong(f"{text}.")


@announced
def check_choices(answers):
    """Check several choices at once; each counts the same.

    Args:
        answers: Dictionary from names of questions to letters, or None where blank.

    Returns:
        A `Verdict` with the share that is right.
    """
    judged = [
        (question.rsplit(" ", 1)[-1], *_judge(question, a)) for question, a in answers.items()
    ]
    if all(state == "to do" for _, state, _ in judged):
        return to_do("replace each None by the letter of your answer, in quotes.")
    share = sum(state == "right" for _, state, _ in judged) / len(judged)
    text = "\n".join(f"{name}: {words}." for name, _, words in judged)
    return Verdict("right" if share == 1 else "wrong", text, share)


@announced
def check_number(question, answer):
    """Check a number that was to be worked out.

    Args:
        question: Name of the question, a key of `NUMBERS`.
        answer: A number, or None where blank.

    Returns:
        A `Verdict`.
    """
    if answer is None or answer is Ellipsis:
        return to_do("replace None by your number.")
    if isinstance(answer, bool) or not isinstance(answer, numbers.Real):
        shape = getattr(answer, "shape", None)
        if shape is None or tuple(shape):
            return wrong(f"{answer!r} is no number: write digits, such as 12.3, without quotes.")
        answer = float(answer)
    if answer != answer or abs(answer) == float("inf"):
        return wrong(f"{answer} is no finite number.")
    number = Number(*NUMBERS[question]())
    if abs(answer - number.due) <= number.tolerance:
        return right("that is it.")
    for text, value in number.mistakes.items():
        if abs(answer - value) <= number.tolerance:
            return wrong(f"{answer:g}: {text}.")
    return wrong(f"{answer:g} is too {'large' if answer > number.due else 'small'}.")
