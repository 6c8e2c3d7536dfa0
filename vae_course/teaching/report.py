"""Report what lessons measured beside what is expected: as a table in the terminal, and as lines."""

import textwrap

from vae_course.lesson import told
from vae_course.teaching.cited_numbers import differences


def table(results):
    """Return the results as a text table, each number with the expected one in brackets."""
    width = max(len(r.name) for r in results)
    lines = [f"{'lesson':{width}}  {'data set':15}  seconds  status  measured (expected)"]
    for r in results:
        # Lines do not break between a name and its number.
        numbers = ", ".join(number.replace(" ", "\u00a0") for number in _numbers(r))
        first, *rest = textwrap.wrap(numbers, 60, break_on_hyphens=False) or ["-"]
        lines.append(f"{r.name:{width}}  {r.dataset:15}  {r.seconds:7.1f}  {r.status:6}  {first}")
        lines += [" " * (width + 36) + line for line in rest]
    return "\n".join(lines).replace("\u00a0", " ")


def differing(results):
    """List the measured numbers that are not as expected, each in one line."""
    return [
        f"DIFFERS {r.name}, {r.dataset}: {name} {told(*r.numbers[name])}, expected {told(*r.expected[name])}"
        for r in results
        for name in differences(r.expected, r.numbers)
    ]


def _numbers(result):
    """List what a lesson measured, each number with its name and expected value."""
    expected = {name: f" ({told(*pair)})" for name, pair in result.expected.items()}
    return [
        f"{name} {told(*pair)}{expected.get(name, '')}" for name, pair in result.numbers.items()
    ]
