"""Report what lessons measured beside what is expected: as a table in the terminal, and as lines."""

import textwrap

from vae_course.lesson import told
from vae_course.teaching.cited_numbers import differences


def measured(result):
    """List what a lesson measured, with what is expected.

    Args:
        result: `notebooks.Result`.

    Returns:
        For each number its name, itself and its expected value as texts, and whether these differ.
    """
    wrong = differences(result.expected, result.numbers)
    expected = {name: told(*pair) for name, pair in result.expected.items()}
    return [
        (name, told(*pair), expected.get(name, ""), name in wrong)
        for name, pair in result.numbers.items()
    ]


def table(results):
    """Return the results as a text table, each number with the expected one in brackets."""
    width = max(len(r.name) for r in results)
    lines = [f"{'lesson':{width}}  {'data set':15}  seconds  status  measured (expected)"]
    for r in results:
        numbers = [
            f"{name} {number}" + f" ({expected})" * bool(expected)
            for name, number, expected, _ in measured(r)
        ]
        # Lines do not break between a name and its number.
        numbers = ", ".join(number.replace(" ", "\u00a0") for number in numbers)
        first, *rest = textwrap.wrap(numbers, 60, break_on_hyphens=False) or ["-"]
        lines.append(f"{r.name:{width}}  {r.dataset:15}  {r.seconds:7.1f}  {r.status:6}  {first}")
        lines += [" " * (width + 36) + line for line in rest]
    return "\n".join(lines).replace("\u00a0", " ")


def differing(results):
    """List the measured numbers that are not as expected, each in one line."""
    return [
        f"DIFFERS {r.name}, {r.dataset}: {name} {number}, expected {expected}"
        for r in results
        for name, number, expected, differs in measured(r)
        if differs
    ]
