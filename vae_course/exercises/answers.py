"""Check answers to conceptual questions: a number to work out, or one of several options.

`choices.json` stores the options as digests, made by `digest`, so that reading the file does not give the
right ones away.
"""

import hashlib
import json
import math
import numbers
from pathlib import Path

from vae_course.exercises import ex01, ex02, ex03, ex04, ex05, ex06, ex07
from vae_course.exercises.verdict import NotYet, ToDo, Verdict, announced

# For each question, the digest of each option with "right" or a hint.
CHOICES = json.loads(Path(__file__).with_name("choices.json").read_text(encoding="utf-8"))
# For each question, the right number, the tolerance, and the number that each common mistake leads to.
NUMBERS = {q: n for ex in (ex01, ex02, ex03, ex04, ex05, ex06, ex07) for q, n in ex.NUMBERS.items()}


def digest(question, option):
    """Return the digest of an option of a question.

    Args:
        question: Name of the question, a key of `CHOICES`.
        option: The option's letter.
    """
    return hashlib.sha256(f"{question}: {option}".encode()).hexdigest()[:10]


def _judge(question, answer):
    """Return "right" or a hint for one choice; raise `ToDo` if it is blank."""
    if answer is None or answer is Ellipsis:
        raise ToDo("Replace None with the letter of your answer, in quotes.")
    letters = "abcdefghij"[: len(CHOICES[question])]
    letter = answer.strip().lower() if isinstance(answer, str) else ""
    if letter not in list(letters):
        return f"{answer!r} is not an option. Write one of {', '.join(letters)}, in quotes."
    return CHOICES[question][digest(question, letter)]


@announced
def check_choice(question, answer):
    """Check the answer to a multiple-choice question.

    Args:
        question: Name of the question, a key of `CHOICES`.
        answer: The letter of an option, such as "a", or None if blank.
    """
    words = _judge(question, answer)
    if words != "right":
        raise NotYet(words)
    return "That is correct."


@announced
def check_choices(answers):
    """Check several choices at once, all with the same weight.

    Args:
        answers: Dictionary from names of questions to letters, or None if blank.

    Returns:
        A `Verdict` with the fraction that is right.
    """
    if all(answer is None or answer is Ellipsis for answer in answers.values()):
        raise ToDo("Replace each None with the letter of your answer, in quotes.")
    told = {}
    for question, answer in answers.items():
        try:
            told[question] = _judge(question, answer)
        except ToDo:
            told[question] = "still blank."
    share = sum(words == "right" for words in told.values()) / len(told)
    lines = [
        f"{question.split()[-1]}: {'right.' if words == 'right' else words}"
        for question, words in told.items()
    ]
    return Verdict("right" if share == 1 else "wrong", "\n".join(lines), share)


@announced
def check_number(question, answer):
    """Check a number that the student has worked out.

    Args:
        question: Name of the question, a key of `NUMBERS`.
        answer: A number, or None if blank.
    """
    if answer is None or answer is Ellipsis:
        raise ToDo("Replace None with your number.")
    if isinstance(answer, tuple) and len(answer) == 2:
        raise NotYet(
            f"{answer} is a pair of numbers because of the comma. Use a decimal point, and no commas "
            "between thousands."
        )
    if isinstance(answer, bool) or not isinstance(answer, numbers.Real):
        if getattr(answer, "shape", None) != ():  # NumPy and TensorFlow have their own numbers
            raise NotYet(f"{answer!r} is not a number. Write digits, such as 12.3, without quotes.")
    answer = float(answer)
    if not math.isfinite(answer):
        raise NotYet(f"{answer} is not a finite number.")
    right, tolerance, mistakes = NUMBERS[question]
    if abs(answer - right) <= tolerance:
        return "That is correct."
    for text, value in mistakes.items():
        if abs(answer - value) <= tolerance:
            raise NotYet(f"{answer:g}: {text}.")
    raise NotYet(f"{answer:g} is too {'large' if answer > right else 'small'}.")
