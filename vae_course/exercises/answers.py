"""Check answers to conceptual questions: a number to work out, or one of several options.

`choices.json` stores the options as digests, made by `digest`, so that reading the file does not give the
right ones away.
"""

import hashlib
import json
from pathlib import Path

from vae_course.exercises import ex01, ex02, ex03, ex04, ex05, ex06, ex07
from vae_course.exercises.compare import as_array
from vae_course.exercises.verdict import NotYet, ToDo, Verdict, announced, is_blank, need

# For each question, the digest of each option with "right" or a hint.
CHOICES = json.loads(Path(__file__).with_name("choices.json").read_text(encoding="utf-8"))
# For each question, the right number, under "", and the number that each common mistake leads to.
NUMBERS = {q: n for ex in (ex01, ex02, ex03, ex04, ex05, ex06, ex07) for q, n in ex.NUMBERS.items()}


def digest(question, option):
    """Return the digest of an option, a letter, of a question, a key of `CHOICES`."""
    return hashlib.sha256(f"{question}: {option}".encode()).hexdigest()[:10]


def tolerance(right):
    """Return how far an answer may be off: rounded to the second decimal, or a count that is exact."""
    return 0.5 if isinstance(right, int) else 0.003 * (1 + abs(right))


def judge(question, answer):
    """Return "right" or a hint for one choice."""
    letters = ", ".join("abcdefghij"[: len(CHOICES[question])])
    unknown = f"{answer!r} is not an option. Write one of {letters}, in quotes."
    return CHOICES[question].get(digest(question, str(answer).strip().lower()), unknown)


@announced
def check_choice(question, answer):
    """Check the answer to a multiple-choice question.

    Args:
        question: Name of the question, a key of `CHOICES`.
        answer: The letter of an option, such as "a", or None if blank.
    """
    need("Replace None with the letter of your answer, in quotes.", answer)
    words = judge(question, answer)
    if words != "right":
        raise NotYet(words)
    return "That is correct."


def judge_all(answers, questions):
    """Return the `Verdict` on choices, a dictionary from names to letters, given each name's question."""
    if all(map(is_blank, answers.values())):
        raise ToDo("Replace each None with the letter of your answer, in quotes.")
    told = [
        (name, "still blank." if is_blank(answer) else judge(question, answer))
        for question, (name, answer) in zip(questions, answers.items(), strict=True)
    ]
    lines = [f"{name}: {'right.' if words == 'right' else words}" for name, words in told]
    return Verdict("\n".join(lines), sum(words == "right" for _, words in told) / len(told))


@announced
def check_choices(answers):
    """Check several choices at once, all with the same weight.

    Args:
        answers: Dictionary from names of questions to letters, or None if blank.

    Returns:
        A `Verdict` with the fraction that is right.
    """
    return judge_all(answers, questions=answers)


@announced
def check_number(question, answer):
    """Check a number that the student has worked out.

    Args:
        question: Name of the question, a key of `NUMBERS`.
        answer: A number, or None if blank.
    """
    need("Replace None with your number.", answer)
    number = as_array(answer, "Your answer")
    if number.shape:
        raise NotYet(
            f"{answer} is not one number. Use a decimal point, and no commas between thousands."
        )
    right = NUMBERS[question][""]
    for text, value in NUMBERS[question].items():
        if abs(number - value) <= tolerance(right):
            if not text:
                return "That is correct."
            raise NotYet(f"{number:g}: {text}.")
    raise NotYet(f"{number:g} is too {'large' if number > right else 'small'}.")
