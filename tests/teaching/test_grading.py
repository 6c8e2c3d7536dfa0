"""nbgrader grades for real: right, blank and wrong answers, broken files, code that dies or never ends."""

import csv
import json
import logging
import shutil

import nbformat
import pytest
from click.testing import CliRunner
from nbclient import NotebookClient
from nbgrader.api import Gradebook
from nbgrader.utils import determine_grade
from submissions import EARNED, MISTAKES, answers_of, hand_in

from vae_course.cli import main
from vae_course.teaching import grading, kernel, release

MANUAL = {"ex01": 2, "ex02": 0, "ex03": 2, "ex04": 0, "ex05": 2, "ex06": 3, "ex07": 4, "ex08": 4}
MOST = {
    "ex01": 13,
    "ex02": 13,
    "ex03": 12,
    "ex04": 15,
    "ex05": 19,
    "ex06": 16,
    "ex07": 17,
    "ex08": 20,
}
SOURCES = {path.stem[:4]: path for path in sorted(release.EXERCISES.glob("*.ipynb"))}
FIRST, SECOND = "ex01_first", "ex02_second"
CODE = {
    "eva": "import os\nos._exit(1)",
    "jon": "while True: print('flood' * 300)",
    "kim": "x = input()",
    "max": "while True: pass",
    "oda": "import sys\nsys.exit()",
    "pia": "x = int(open('one.txt').read())",
}
# Points of 4 for the first exercise and 2 for the second (2 of the 4 are for a text), texts to be read, or
# why it was not graded: what grading says of each student's notebooks.
CLASS = {
    ("ada", FIRST): (2, 2),  # right
    ("ada", SECOND): (2, 0),
    ("ben", FIRST): (0, 0),  # blank
    ("ben", SECOND): (0, 0),  # wrong, and the check was changed to say otherwise
    ("cy", "final version (2)"): f"renamed? It looks like {SECOND}",
    ("dan", FIRST): "metadata is missing",
    ("eva", SECOND): "cell 2 (import os): its kernel ended with exit status 1",
    ("fay", FIRST): (2, 0),
    ("fay", "again"): "handed in twice",
    ("gus", "-"): "no notebook in this student's folder",
    ("hal", FIRST): "corrupt",
    ("ida", SECOND): (2, 0),  # right, but the check was deleted
    ("jon", SECOND): "it printed or showed more than 0.1 MB",
    ("kim", SECOND): (0, 0),
    ("lea", "my_notes"): f"unknown name; expected one of {FIRST}, {SECOND}",
    ("max", SECOND): (0, 0),
    ("ned", SECOND): (2, 0),  # right, and saved by Colab
    ("oda", SECOND): (0, 0),
    ("pia", SECOND): (2, 0),  # right with the file beside the notebook
}


def simple(exercise):
    """Write a small exercise: set x to 1, and, in the first one, say why."""

    def cell(kind, source, name, **metadata):
        new = getattr(nbformat.v4, f"new_{kind}_cell")(source, id=name)
        base = {"grade": False, "solution": False, "locked": False, "schema_version": 3}
        if metadata:
            names = {"grade_id": f"{exercise}-{name}", "task": False}
            new.metadata["nbgrader"] = {**base, **names, **metadata}
        return new

    solution = "x = None\n### BEGIN SOLUTION\nx = 1\n### END SOLUTION"
    hidden = "### BEGIN HIDDEN TESTS\nfloat(x == 1) * 2\n### END HIDDEN TESTS"
    cells = [
        cell("code", "dataset = 0", "parameters"),
        cell("code", solution, "x", solution=True),
        cell("code", f"print('check')\n{hidden}", "x-check", grade=True, locked=True, points=2),
    ]
    if exercise == FIRST:
        cells.append(cell("markdown", "Because.", "why", grade=True, solution=True, points=2))
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})


def change(path, change):
    """Change the JSON of a notebook."""
    raw = json.loads(path.read_text(encoding="utf-8"))
    change(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")


def as_colab(raw):
    """Leave out what Colab leaves out."""
    raw["nbformat_minor"] = 0
    raw["metadata"]["widgets"] = {"application/x": {}}
    for cell in raw["cells"]:
        cell["metadata"]["id"] = cell.pop("id")


def write_class(released, folder):
    """Write the submissions of `CLASS`."""
    first, second = released
    for student, exercise in CLASS:
        (folder / student).mkdir(exist_ok=True)
        if exercise in (FIRST, SECOND):
            source = CODE.get(student, "x = 1")
            hand_in(second if exercise == SECOND else first, folder / student, {"x": source})
    hand_in(first, folder / "ada", {"x": "x = 1", "why": "I was told to."})
    shutil.copy(first, folder / "ben")
    wrong = {1: "x = 5", 2: "print('all is well')"}
    for place, source in wrong.items():
        change(
            folder / "ben" / second.name,
            lambda r, p=place, s=source: r["cells"][p].update(source=s),
        )
    shutil.copy(second, folder / "cy" / "final version (2).ipynb")
    change(folder / "dan" / first.name, lambda r: [c.update(metadata={}) for c in r["cells"]])
    (folder / "fay" / "second" / "again").mkdir(parents=True)
    shutil.copy(folder / "fay" / first.name, folder / "fay" / "second" / "again")
    (folder / "fay" / ".ipynb_checkpoints").mkdir()
    shutil.copy(first, folder / "fay" / ".ipynb_checkpoints")
    (folder / "gus" / "notes.txt").write_text("sorry")
    (folder / "hal" / first.name).write_text('{"cells": [', encoding="utf-8")
    change(folder / "ida" / second.name, lambda r: r["cells"].pop())
    nbformat.write(nbformat.v4.new_notebook(), folder / "lea" / "my_notes.ipynb")
    change(folder / "ned" / second.name, as_colab)
    (folder / "pia" / "one.txt").write_text("1")


class Course:
    """Two small exercises, the submissions of `CLASS`, and what was graded at which call."""

    def __init__(self, root):
        self.exercises, self.submissions = root / "exercises", root / "submissions"
        self.folder = root / "course"
        for path in (self.exercises, self.submissions):
            path.mkdir()
        for name in (FIRST, SECOND):
            nbformat.write(simple(name), self.exercises / f"{name}.ipynb")
        self.called, self.interrupt_at = [], None

    def command(self):
        """Call `vae-course grade`, with low limits; return its result, and what was executed."""
        self.called.clear()
        arguments = ["grade", str(self.submissions), "--out", str(self.folder)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kernel, "MOST_OUTPUT", 100_000)
            patch.setitem(release.CONFIG["Execute"], "timeout", 5)
            result = CliRunner().invoke(main, arguments)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result, list(self.called)

    def grade(self):
        """Grade; return the rows by student and exercise."""
        rows = grading.grade(self.submissions, self.folder, self.exercises)
        return {(r["student"], r["exercise"]): r for r in rows if "twice" not in r["problem"]}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Give the course; it notes what is executed."""
    course, autograde = Course(tmp_path_factory.mktemp("grading")), grading._autograde

    def noted(row, folder):
        if row["student"] == course.interrupt_at:
            raise KeyboardInterrupt
        course.called.append((row["student"], row["exercise"]))
        return autograde(row, folder)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grading, "_autograde", noted)
        patch.setattr(grading.grade, "__defaults__", (course.exercises,))
        write_class(release.prepare(course.folder, course.exercises), course.submissions)
        yield course


@pytest.fixture(scope="module")
def interrupted(small):
    """Give what the command says when Ctrl-C comes while a notebook is executed."""
    small.interrupt_at = "eva"
    result = small.command()
    small.interrupt_at = None
    return result, (small.folder / "grades.csv").exists()


@pytest.fixture(scope="module")
def graded(small, interrupted):
    """Give what the command says of the whole class afterwards."""
    return small.command()


def test_an_interrupted_grading_tells_what_is_done(interrupted):
    """Exit status 130; table and the interrupted notebook, but no file that looks complete."""
    (result, called), written = interrupted
    assert result.exit_code == 130
    assert called == [(student, name) for student in ("ada", "ben") for name in (FIRST, SECOND)]
    assert f"NOT GRADED eva, {SECOND}: interrupted" in result.output and "fay" not in result.output
    assert not written


def test_grading_goes_on_where_it_was_interrupted(graded):
    """What was graded already is not executed again; what cannot be graded never is."""
    executed = {pair for pair, told in CLASS.items() if isinstance(told, tuple)}
    executed |= {("eva", SECOND), ("jon", SECOND)}
    assert set(graded[1]) == executed - {pair for pair in executed if pair[0] in ("ada", "ben")}


@pytest.mark.parametrize("pair", CLASS, ids="-".join)
def test_each_notebook_is_graded_or_told(pair, graded, small):
    """One line each, with the student, and the points, or why there are none; the others are graded."""
    result, told = graded[0], CLASS[pair]
    assert "Traceback" not in result.output and result.exit_code == 1
    with open(small.folder / "grades.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    name = FIRST if pair[1] == "again" else pair[1]
    rows = [row for row in table if (row["student"], row["exercise"]) == (pair[0], name)]
    lines = [line.split() for line in result.output.splitlines()]
    if isinstance(told, tuple):
        (row,) = [row for row in rows if not row["problem"]]
        most = 4 if name == FIRST else 2
        assert (float(row["points"]), float(row["of"]), float(row["still to read"])) == (
            told[0],
            most,
            told[1],
        )
        assert [pair[0], name, f"{told[0]:.1f}", str(most), str(told[1])] in lines
    else:
        (row,) = [row for row in rows if row["problem"]]
        assert told in row["problem"] and row["points"] == ""
        assert f"NOT GRADED {pair[0]}, {name}: {row['problem']}" in result.output


def test_nothing_is_told_twice_and_nobody_is_left_out(graded):
    """As many lines as notebooks: checkpoints do not count."""
    lines = graded[0].output.splitlines()
    told = [line for line in lines if line.startswith("NOT GRADED") or " ex0" in line[:12]]
    assert len(told) == len(CLASS)
    assert sum(line.startswith("NOT GRADED") for line in told) == sum(
        isinstance(told, str) for told in CLASS.values()
    )


def test_only_what_changed_is_released_and_graded_again(small, graded, monkeypatch):
    """A new file beside a notebook, or a new exercise, counts as a change; a text read by a person stays."""
    with Gradebook(f"sqlite:///{small.folder / 'gradebook.db'}") as book:
        text = book.find_grade(f"{FIRST}-why", FIRST, FIRST, "ada")
        text.manual_score, text.needs_manual_grade = 2, False
        book.db.commit()
    for student in [p.name for p in small.submissions.iterdir()]:
        if student not in ("ada", "pia"):
            shutil.rmtree(small.submissions / student)
    times = [p.stat().st_mtime_ns for p in sorted(small.folder.glob("release/*/*.ipynb"))]
    (small.submissions / "pia" / "one.txt").write_text("5")
    small.called.clear()
    rows = small.grade()
    assert small.called == [("pia", SECOND)] and rows["pia", SECOND]["points"] == 0
    assert (rows["ada", FIRST]["points"], rows["ada", FIRST]["still to read"]) == (4, 0)
    after = [p.stat().st_mtime_ns for p in sorted(small.folder.glob("release/*/*.ipynb"))]
    assert after == times
    shutil.rmtree(small.submissions / "pia")
    source = small.exercises / f"{SECOND}.ipynb"
    text = (
        source.read_text(encoding="utf-8")
        .replace("* 2", "* 1")
        .replace('"points": 2', '"points": 1')
    )
    source.write_text(text, encoding="utf-8")
    small.called.clear()
    rows = small.grade()
    assert small.called == [("ada", SECOND)] and rows["ada", SECOND]["points"] == 1
    shutil.rmtree(small.submissions / "ada")
    result, _ = small.command()
    assert result.exit_code == 1 and "make one for each student" in result.output


def test_folders_inside_each_other_are_refused(tmp_path):
    """Grading would take its own results for submissions, or overwrite what was handed in."""
    (tmp_path / "ada").mkdir()
    for out in (tmp_path, tmp_path / "out", tmp_path.parent):
        result = CliRunner().invoke(main, ["grade", str(tmp_path), "--out", str(out)])
        assert result.exit_code == 1 and "is inside the other" in result.output.replace("\n", " ")
    assert [p.name for p in tmp_path.iterdir()] == ["ada"]


def test_a_real_exercise_gets_full_points_for_its_reference_solution(tmp_path, monkeypatch):
    """All that is graded by itself; the text waits for a person."""
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    folder, source = tmp_path / "exercises", SOURCES["ex03"]
    folder.mkdir()
    shutil.copy(source, folder)
    (released,) = release.prepare(tmp_path / "course", folder)
    hand_in(released, tmp_path / "submissions" / "ada" / "notebooks", answers_of(source))
    (row,) = grading.grade(tmp_path / "submissions", tmp_path / "course", folder)
    assert list(row.values())[2:] == [10, 12, 2, ""]


@pytest.mark.parametrize("exercise", MOST)
def test_points_of_the_exercises_are_what_the_guide_says(exercise):
    """In all, and those for texts."""
    graded = [c for c in nbformat.read(SOURCES[exercise], 4).cells if c.metadata.get("nbgrader")]
    points = [(c.cell_type, c.metadata.nbgrader.get("points", 0)) for c in graded]
    assert sum(number for _, number in points) == MOST[exercise]
    assert sum(number for kind, number in points if kind == "markdown") == MANUAL[exercise]


def is_graded(cell):
    """Tell whether a cell is one that earns points."""
    return cell.metadata.get("nbgrader", {}).get("grade")


# Executed before all: a loop without an end is given up sooner, the longest training is done once, and few
# images are enough for a classifier whose verdicts earn no points.
ONCE = """
from sklearn.linear_model import LogisticRegression
from vae_course import exercises
from vae_course.exercises import compare
compare.SECONDS = 4.0

def once(*arguments, train=exercises.mystery_curves, kept=[]):
    kept += [] if kept else [train(*arguments)]
    return kept[0]

def fit_few(self, x, y, fit=LogisticRegression.fit):
    return fit(self, x[:200], y[:200])

exercises.mystery_curves, LogisticRegression.fit = once, fit_few
"""


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """Execute blank and mistaken submissions of all exercises, one after the other in one kernel.

    Returns the code cells, hidden tests included as when nbgrader grades, by kind and exercise.
    """
    root, cells, found = tmp_path_factory.mktemp("executed"), [nbformat.v4.new_code_cell(ONCE)], {}
    released = {path.stem[:4]: path for path in release.prepare(root / "course")}
    for kind in ("blank", "mistaken"):
        for exercise, source in SOURCES.items():
            answers = MISTAKES[exercise] if kind == "mistaken" else {}
            handed_in = nbformat.read(hand_in(released[exercise], root / kind, answers), 4)
            mine = [cell for cell in handed_in.cells if cell.cell_type == "code"]
            tests = {cell.id: cell.source for cell in nbformat.read(source, 4).cells}
            for cell in mine:
                if is_graded(cell):
                    cell.source = tests[cell.id]
            found[kind, exercise] = mine
            cells += [nbformat.v4.new_code_cell("%reset -f"), *mine]
    for place, cell in enumerate(cells):
        cell.id = f"cell-{place}"
    notebook = nbformat.v4.new_notebook(cells=cells)
    options = {
        "timeout": 1200,
        "kernel_name": "python3",
        "allow_errors": True,
        **kernel.KERNEL_OPTIONS,
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_COURSE_DATASET", "digits")
        client = NotebookClient(notebook, resources={"metadata": {"path": str(root)}}, **options)
        client.execute()
    return found


def points_of(cells):
    """Return the points that nbgrader gives for cells: from the cell's name to a number."""
    log, graded = logging.getLogger("nbgrader"), [cell for cell in cells if is_graded(cell)]
    return {cell.metadata.nbgrader.grade_id: determine_grade(cell, log)[0] for cell in graded}


@pytest.mark.parametrize("exercise", MOST)
def test_a_blank_notebook_runs_from_top_to_bottom_and_gets_nothing(exercise, executed):
    """No cell raises and nothing warns: JupyterLab's Run All does not stop; checks say TO DO."""
    cells = executed["blank", exercise]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    points = points_of(cells)
    assert len(points) >= 5 and not any(points.values())
    told = [o.text for c in cells if is_graded(c) for o in c.outputs if o.output_type == "stream"]
    assert len(told) >= 5 and all(text.startswith("TO DO") for text in told)


@pytest.mark.parametrize("exercise", MOST)
def test_common_mistakes_get_the_points_counted_by_hand(exercise, executed):
    """Cell by cell: what is right counts, what is wrong does not, a part earns its share."""
    points = points_of(executed["mistaken", exercise])
    assert {cell: number for cell, number in points.items() if number} == EARNED[exercise]


def test_a_student_is_told_why(executed):
    """In the notebook that goes back, each failed check has its words."""
    cells = [cell for exercise in MOST for cell in executed["mistaken", exercise]]
    text = "".join(output.get("text", "") for cell in cells for output in cell.outputs)
    for words in (
        "you take the mean over the latent dimensions",
        "without reparameterization",
        "it was still running after",
        "the two distributions are swapped",
        "AttributeError",
    ):
        assert words in " ".join(text.split())
