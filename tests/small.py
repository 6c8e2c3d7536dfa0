"""A small exercise and a small class, for the tests of grading."""

import json
import os

import nbformat

from vae_course.grading import cage

try:
    cage.choose()
    HAS_CAGE = True
except (RuntimeError, AttributeError):  # there is none on Windows and on Macs
    if os.environ.get("VAE_COURSE_REQUIRE_CAGE"):
        raise
    HAS_CAGE = False
FIRST, SECOND = "ex01_first", "ex02_second"
# What is right, by cell: 6 points in the first exercise, of which 2 are for a text, and 2 in the second.
RIGHT = {
    "x": "x = 1.3069",
    "letter": 'letter = "c"',
    "normal": """
def kl_normal(m, v, m0, v0):
    return 0.5 * (v / v0 + (m - m0) ** 2 / v0 - 1 - np.log(v / v0))
""",
    "why": "I was told to.",
    "y": "y = 1",
}
CHECKS = {
    "x": 'x_verdict = exercises.check_number("KL of a posterior", x)',
    "letter": 'letter_verdict = exercises.check_choice("more dimensions", letter)',
    "normal": "normal_verdict = exercises.check_kl_normal(kl_normal)",
}
BLANK = {
    "x": "x = None",
    "letter": "letter = None",
    "normal": "def kl_normal(m, v, m0, v0):\n    pass",
    "y": "y = None",
}


def cell(kind, source, name, **metadata):
    """Make a cell; with metadata, nbgrader knows it."""
    new = getattr(nbformat.v4, f"new_{kind}_cell")(source, id=name)
    if metadata:
        base = {"grade": False, "solution": False, "locked": False, "schema_version": 3}
        new.metadata["nbgrader"] = {**base, "grade_id": name, "task": False, **metadata}
    return new


def exercise(name):
    """Make one of the two exercises, with solutions and hidden tests."""
    cells = [
        cell("code", "dataset = 0", "parameters"),
        cell("code", "import numpy as np\nfrom vae_course import exercises", "setup"),
    ]
    cells[0].metadata["tags"] = ["parameters"]
    for task in ("x", "letter", "normal") if name == FIRST else ("y",):
        body = RIGHT[task].strip()
        stub, begin = BLANK[task].split("\n")[0], body.split("\n")[-1]
        indent = " " * (len(begin) - len(begin.lstrip()))
        marks = [f"{indent}### {end} SOLUTION" for end in ("BEGIN", "END")]
        source = f"{stub}\n{marks[0]}\n{begin}\n{marks[1]}"
        cells.append(cell("code", source, task, solution=True))
        points = {"x": 1, "letter": 1, "normal": 2, "y": 2}[task]
        check = CHECKS.get(task, "print('check')")
        value = f"{task}_verdict.points({points})" if task in CHECKS else "float(y == 1) * 2"
        hidden = f"{check}\n### BEGIN HIDDEN TESTS\n{value}\n### END HIDDEN TESTS"
        cells.append(cell("code", hidden, f"{task}-check", grade=True, locked=True, points=points))
    if name == FIRST:
        cells.append(cell("markdown", "Because.", "why", grade=True, solution=True, points=2))
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})


def write_exercises(folder):
    """Write both exercises."""
    folder.mkdir(parents=True)
    for name in (FIRST, SECOND):
        nbformat.write(exercise(name), folder / f"{name}.ipynb")


def change(path, change):
    """Change the JSON of a notebook."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")


def hand_in(release, folder, sources=(), name=None):
    """Write a submission, which is the release with other sources in some cells; return its path."""
    notebook, sources = nbformat.read(release, 4), dict(sources)
    for each in notebook.cells:
        each.source = sources.pop(each.id, each.source)
    assert not sources
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / (name or release.name)
    nbformat.write(notebook, path)
    return path
