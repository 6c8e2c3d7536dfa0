"""Tie the numbers that texts cite to what the lessons recorded.

A text marks a number measured by a lesson with an invisible comment: `0.75<!--gap_confidence-->`. The name is
one that the lesson passed to `record`; `<!--05.loss-->` refers to lesson 5, and `<!--loss@digits-->` to the
embedded digits, whatever data set the lesson runs on. A number before a percent sign is in hundredths.

`numbers.json`, next to the lessons, holds what they recorded on both data sets. `vae-course refresh` writes
it and updates every marked number from it; `vae-course run` reports differences from it.
"""

import json
import re
import sys
from pathlib import Path

from vae_course.atomic import write_text
from vae_course.lesson import MIME_TYPE, told

DATASETS = {"mnist": "MNIST", "digits": "embedded digits"}
MARK = re.compile(
    r"(?P<number>[-−]?\d[\d,]*(?:\.\d+)?(?:e-?\d+)?)(?P<after>\**(?:\s?%)?\**)"
    r"<!--(?:(?P<lesson>\d\d)\.)?(?P<name>\w+)(?:@(?P<dataset>\w+))?-->"
)
TABLE = re.compile(r"(?<=<!--numbers-->\n).*?(?=<!--/numbers-->)", re.DOTALL)
# Allowed difference on another machine: this many times the scatter, plus this fraction of the number.
DEVIATIONS, SHARE = 4, 0.05


def recorded(notebook):
    """Return what `record` stored in an executed notebook.

    Args:
        notebook: A notebook as `nbformat.read` returns it.

    Returns:
        Dictionary with the keys `dataset` and `numbers`, which maps names to `[value, scatter]`, or None if
        nothing was recorded. The value of a claim is True or False; the scatter is None if there is none.

    Raises:
        ValueError: If an output with recorded numbers is damaged.
    """
    found = [
        output["data"][MIME_TYPE]
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if MIME_TYPE in output.get("data", {})
    ]
    if not found:
        return None
    # A lesson may record several times, each time after the part that measured something.
    try:
        numbers = {name: pair for bundle in found for name, *pair in bundle["numbers"]}
        dataset = str(found[-1]["dataset"])
        _check(numbers, "the notebook", dataset)
    except (ValueError, TypeError, LookupError) as error:
        raise ValueError(
            f"what its cells recorded is damaged ({error}): execute it again."
        ) from error
    return {"dataset": dataset, "numbers": numbers}


def read(folder):
    """Read the numbers that lessons recorded.

    Args:
        folder: Path of the folder of lessons.

    Returns:
        Dictionary from lesson to data set to name to `[value, scatter]`, empty if there is no file.

    Raises:
        ValueError: If the file is damaged.
    """
    path = Path(folder, "numbers.json")
    if not path.exists():
        return {}
    try:
        numbers = json.loads(path.read_text(encoding="utf-8"))
        _check(numbers)
        return numbers
    except (ValueError, RecursionError) as error:
        cure = "Take it from the course again, or run `make refresh`."
        raise ValueError(f"{path} is damaged ({error}). {cure}") from error


def _check(found, *place):
    """Raise a `ValueError` if something below a lesson, data set and name is not as `read` returns it."""
    where, inside = " / ".join(place) or "the file", ("lessons", "data sets", "numbers")
    if len(place) < len(inside):
        if not isinstance(found, dict):
            raise ValueError(f"{where} does not map names to {inside[len(place)]}")
        for name, part in found.items():
            _check(part, *place, name)
        return
    match found:
        case [int() | float() as value, None | int() | float() as scatter]:
            most = sys.float_info.max  # JSON allows larger whole numbers
            if abs(value) <= most and 0 <= (scatter or 0) <= most:
                return
    raise ValueError(
        f"{where} is no pair of a finite number and its scatter or null: {found!r:.80}"
    )


def keep(folder, lesson, found):
    """Store what a lesson recorded on a data set, replacing what it recorded there before.

    Args:
        folder: Path of the folder of lessons.
        lesson: Name of the notebook, without its suffix.
        found: What `recorded` returned.
    """
    numbers = read(folder)
    numbers[lesson] = numbers.get(lesson, {}) | {found["dataset"]: found["numbers"]}
    ordered = {name: dict(sorted(kept.items())) for name, kept in sorted(numbers.items())}
    text = json.dumps(ordered, indent=1, allow_nan=False) + "\n"
    text = re.sub(r"\[\s*(\S+),\s*(\S+)\s*\]", r"[\1, \2]", text)  # a pair on one line
    write_text(Path(folder, "numbers.json"), text)


def cite(text, numbers, lesson="", dataset="MNIST"):
    """Update the marked numbers of a text, each with as many decimals as it has, and its table of numbers.

    Args:
        text: Markdown.
        numbers: As returned by `read`.
        lesson: Name of the text's lesson, for marks that name no lesson.
        dataset: Name of the data set, for marks that name none.

    Returns:
        The text. A citation of an unknown number does not change.
    """

    def corrected(mark):
        pair = look_up(mark, numbers, lesson, dataset)
        return _corrected(mark, pair[0]) if pair else mark.group()

    return TABLE.sub(lambda _: _table(numbers.get(lesson, {})), MARK.sub(corrected, text))


def look_up(mark, numbers, lesson="", dataset="MNIST"):
    """Return the value and scatter that a mark, a match of `MARK`, refers to, or None if unknown."""
    if mark["lesson"]:
        lesson = next((name for name in numbers if name.startswith(mark["lesson"])), "")
    dataset = DATASETS.get(mark["dataset"]) if mark["dataset"] else dataset
    return numbers.get(lesson, {}).get(dataset, {}).get(mark["name"])


def shown_value(mark, value):
    """Return a value as a mark shows it: in hundredths before a percent sign."""
    return 100 * value if "%" in mark["after"] else value


def _corrected(mark, value):
    value, number = shown_value(mark, value), mark["number"]
    places = len(number.partition("e")[0].partition(".")[2])
    if "e" in number:
        new = re.sub(r"e([+-])0*(?=\d)", r"e\1", f"{value:.{places}e}").replace("e+", "e")
    else:
        new = f"{value:{',' if ',' in number else ''}.{places}f}"
    if "−" in number or (value < 0 and "-" not in number):
        new = new.replace("-", "−")
    return new + mark.group().removeprefix(number)


def _table(datasets):
    rows = ["<details><summary>The numbers in this lesson, on both data sets</summary>", ""]
    rows += ["| |" + "|".join(datasets) + "|", "|---|" + "---|" * len(datasets)]
    names = dict.fromkeys(name for kept in datasets.values() for name in kept)
    for name in names:
        cells = [told(*kept[name]) if name in kept else "" for kept in datasets.values()]
        rows.append(f"|{name.replace('_', ' ')}|" + "|".join(cells) + "|")
    return "\n".join([*rows, "", "</details>", ""])


def cite_notebook(notebook, numbers, lesson, dataset):
    """Update the marked numbers in a notebook's texts and slides in place, as `cite` does."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = cite(cell.source, numbers, lesson, dataset)
        if "slide" in cell.metadata:
            lines = slide_lines(cell)
            cell.metadata.slide = [cite(line, numbers, lesson, dataset) for line in lines]


def slide_lines(cell):
    """Return a cell's lines for its slide, or raise a `ValueError` if its metadata hold something else."""
    lines = cell.metadata.get("slide", [])
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise ValueError(
            f'cell {cell.get("id")}: in its metadata, "slide" must be a list of lines: ["first", "second"].'
        )
    return lines


def cite_run(notebook, path):
    """Update the marked numbers in an executed lesson in place, its own from what it recorded in this run.

    Args:
        notebook: The executed notebook.
        path: Path of the lesson, next to `numbers.json`.

    Returns:
        Name of the data set, the recorded numbers, and their expected values; "-" and nothing if the lesson
        recorded none.
    """
    found, numbers = recorded(notebook), read(path.parent)
    if not found:
        return "-", {}, {}
    dataset, kept = found["dataset"], numbers.setdefault(path.stem, {})
    expected = kept.get(dataset, {})
    kept[dataset] = expected | found["numbers"]
    cite_notebook(notebook, numbers, path.stem, dataset)
    return dataset, found["numbers"], expected


def differences(expected, found):
    """List the numbers that differ from their expected values by more than machines and chance explain.

    Args:
        expected: Dictionary from name to `(value, scatter)`.
        found: The same, as measured.

    Returns:
        List of names that are in both and differ.
    """
    shared = expected.keys() & found.keys()
    return [name for name in shared if not _agree(*expected[name], *found[name])]


def _agree(expected, scatter, found, scatter_found):
    if isinstance(expected, bool) or isinstance(found, bool):
        return expected is found
    allowed = DEVIATIONS * max(scatter or 0, scatter_found or 0) + SHARE * abs(expected) + 1e-9
    return abs(found - expected) <= allowed
