"""nbgrader grades for real: the reference solution, the blank release, common mistakes, broken files."""

import csv
import json
import shutil

import nbformat
import pytest
from click.testing import CliRunner
from submissions import EARNED, MISTAKES, answers_of, hand_in

from vae_course.cli import main
from vae_course.teaching import grading, release

MANUAL = {"ex01": 2, "ex02": 0, "ex03": 2, "ex04": 0, "ex05": 2, "ex06": 3}
MOST = {"ex01": 13, "ex02": 13, "ex03": 12, "ex04": 15, "ex05": 19, "ex06": 16}


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """Give a folder for nbgrader with all exercises released."""
    folder = tmp_path_factory.mktemp("grading") / "course"
    release.prepare(folder)
    return folder


@pytest.fixture(scope="module")
def graded(course, tmp_path_factory):
    """Grade the three submissions, on the embedded digits; give grades by student and exercise."""
    submissions = tmp_path_factory.mktemp("submissions")
    for source in sorted(release.EXERCISES.glob("*.ipynb")):
        released = course / "release" / source.stem / source.name
        # Different depths: students hand in single files, or whole folders.
        hand_in(released, submissions / "ref" / "notebooks" / "exercises", answers_of(source))
        hand_in(released, submissions / "blank", {})
        hand_in(released, submissions / "mistaken" / source.stem, MISTAKES[source.stem[:4]])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VAE_COURSE_DATASET", "digits")
        rows = grading.grade(submissions, course)
    return {(row.student, row.exercise[:4]): row for row in rows}


def test_everything_was_graded(graded):
    """Three students, six exercises, no problem."""
    assert len(graded) == 18
    assert not [row for row in graded.values() if row.problem]
    assert {key[1]: row.most for key, row in graded.items()} == MOST


@pytest.mark.parametrize("exercise", MOST)
def test_the_reference_solution_gets_full_points(exercise, graded):
    """All that is graded by itself; the rest waits for a person."""
    row = graded["ref", exercise]
    assert row.points == MOST[exercise] - MANUAL[exercise], row.cells
    assert row.to_read == MANUAL[exercise]


def test_with_the_texts_read_it_has_every_point(graded, course):
    """A person gives full points for the texts, in nbgrader's gradebook."""
    from nbgrader.api import Gradebook

    row = graded["ref", "ex01"]
    directory, _ = release.nbgrader_parts(course, row.exercise)
    with Gradebook(directory.db_url) as book:
        text = book.find_grade("odd-answer", row.exercise, row.exercise, "ref")
        text.manual_score, text.needs_manual_grade = 2, False
        book.db.commit()
        assert book.find_submission(row.exercise, "ref").score == MOST["ex01"]


@pytest.mark.parametrize("exercise", MOST)
def test_the_blank_release_gets_nothing(exercise, graded):
    """Zero, texts included, and nobody has to read them."""
    row = graded["blank", exercise]
    assert (row.points, row.to_read) == (0, 0), row.cells


@pytest.mark.parametrize("exercise", MOST)
def test_common_mistakes_get_the_points_counted_by_hand(exercise, graded):
    """Cell by cell: what is right counts, what is wrong does not, a part earns its share."""
    row = graded["mistaken", exercise]
    earned = {name: points for name, points in row.cells.items() if points}
    assert earned == EARNED[exercise]
    assert row.points == sum(EARNED[exercise].values())
    texts = [cell for cell in MISTAKES[exercise] if cell.endswith("-answer")]
    assert row.to_read == (MANUAL[exercise] if texts else 0)


def executed(course, student, exercise):
    """Read a graded notebook as nbgrader left it."""
    (path,) = (course / "autograded" / student).glob(f"{exercise}_*/*.ipynb")
    return nbformat.read(path, as_version=4)


@pytest.mark.parametrize("exercise", MOST)
def test_a_blank_notebook_runs_from_top_to_bottom(exercise, graded, course):
    """No cell raises and nothing warns: JupyterLab's Run All does not stop; checks say TO DO."""
    cells = [c for c in executed(course, "blank", exercise).cells if c.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    assert not [o for o in outputs if o.output_type == "error" or o.get("name") == "stderr"]
    told = [
        o.text
        for c in cells
        if c.metadata.get("nbgrader", {}).get("grade")
        for o in c.outputs
        if o.output_type == "stream"
    ]
    assert len(told) >= 5 and all(text.startswith("TO DO") for text in told)


def test_a_student_is_told_why(graded, course):
    """In the notebook that goes back, each failed check has its words."""
    text = "".join(
        output.get("text", "")
        for exercise in MOST
        for cell in executed(course, "mistaken", exercise).cells
        for output in cell.get("outputs", [])
    )
    for words in (
        "you take the mean over the latent dimensions",
        "without reparameterization",
        "a loop that never ends",
        "the two distributions are exchanged",
        "AttributeError",
    ):
        assert words in " ".join(text.split())


def simple(exercise):
    """Write a small exercise whose one task is to set x to 1, as fast as a kernel starts."""

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
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


@pytest.fixture
def small(tmp_path):
    """Give a folder of two small exercises, one for submissions, and one for nbgrader."""
    exercises, submissions = tmp_path / "exercises", tmp_path / "submissions"
    exercises.mkdir()
    for name in ("ex01_first", "ex02_second"):
        nbformat.write(simple(name), exercises / f"{name}.ipynb")
    released = release.prepare(tmp_path / "course", exercises)
    for student in ("ada", "ben"):
        for path in released:
            hand_in(path, submissions / student, {"x": "x = 1"})
    return exercises, submissions, tmp_path / "course"


def problems(small):
    """Grade; return problems and points, by student and exercise."""
    exercises, submissions, course = small
    rows = grading.grade(submissions, course, exercises)
    return {(r.student, r.exercise): (r.problem, r.points) for r in rows}, rows


def test_broken_submissions_are_told_and_the_others_graded(small):
    """Corrupt, renamed, stripped, unknown, twice, none at all, a kernel that dies: each by name."""
    exercises, submissions, course = small
    first, second = "ex01_first.ipynb", "ex02_second.ipynb"
    (submissions / "ada" / first).write_text('{"cells": [', encoding="utf-8")
    for student, files in {"cy": [second], "dan": [first], "eva": [first], "fay": [first]}.items():
        (submissions / student).mkdir()
        for file in files:
            shutil.copy(submissions / "ben" / file, submissions / student / file)
    (submissions / "cy" / second).rename(submissions / "cy" / "final version (2).ipynb")
    raw = json.loads((submissions / "dan" / first).read_text(encoding="utf-8"))
    for cell in raw["cells"]:
        cell["metadata"] = {}
    (submissions / "dan" / first).write_text(json.dumps(raw), encoding="utf-8")
    raw = json.loads((submissions / "eva" / first).read_text(encoding="utf-8"))
    raw["cells"][1]["source"] = "import os\nos._exit(1)"
    (submissions / "eva" / first).write_text(json.dumps(raw), encoding="utf-8")
    (submissions / "fay" / "again").mkdir()
    shutil.copy(submissions / "fay" / first, submissions / "fay" / "again" / first)
    (submissions / "gus").mkdir()
    (submissions / "gus" / "notes.txt").write_text("sorry")

    found, rows = problems(small)
    assert found["ben", "ex01_first"] == found["ben", "ex02_second"] == ("", 2)
    assert found["ada", "ex02_second"] == ("", 2)
    assert "corrupt" in found["ada", "ex01_first"][0]
    assert "renamed? It looks like ex02_second" in found["cy", "final version (2)"][0]
    assert "metadata is gone" in found["dan", "ex01_first"][0]
    assert "DeadKernel" in found["eva", "ex01_first"][0]
    assert "no notebook" in found["gus", "-"][0]
    twice = [row for row in rows if row.student == "fay"]
    assert sorted((bool(r.problem), r.points) for r in twice) == [(False, 2), (True, 0)]
    told = grading.table(rows)
    assert "NOT GRADED ada, ex01_first: corrupt" in told and told.count("NOT GRADED") == 6
    grading.write_csv(rows, course / "grades.csv")
    with open(course / "grades.csv", encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(rows)
    assert [r["points"] for r in table if r["student"] == "ben"] == ["2.0", "2.0"]


def test_a_deleted_or_changed_check_changes_nothing(small):
    """Both are put back: what is right counts, what is wrong does not."""
    _, submissions, _ = small
    raw = json.loads((submissions / "ada" / "ex01_first.ipynb").read_text(encoding="utf-8"))
    raw["cells"] = raw["cells"][:2]
    (submissions / "ada" / "ex01_first.ipynb").write_text(json.dumps(raw), encoding="utf-8")
    raw = json.loads((submissions / "ben" / "ex01_first.ipynb").read_text(encoding="utf-8"))
    raw["cells"][1]["source"] = "x = 5"
    raw["cells"][2]["source"] = "print('all is well')"
    (submissions / "ben" / "ex01_first.ipynb").write_text(json.dumps(raw), encoding="utf-8")
    found, _ = problems(small)
    assert found["ada", "ex01_first"] == ("", 2)
    assert found["ben", "ex01_first"] == ("", 0)


def test_files_beside_a_notebook_are_there_when_it_runs(small):
    """Pictures of one's own, for instance; grading again takes what is there now."""
    _, submissions, _ = small
    raw = json.loads((submissions / "ada" / "ex01_first.ipynb").read_text(encoding="utf-8"))
    raw["cells"][1]["source"] = "x = int(open('one.txt').read())"
    (submissions / "ada" / "ex01_first.ipynb").write_text(json.dumps(raw), encoding="utf-8")
    shutil.rmtree(submissions / "ben")
    assert problems(small)[0]["ada", "ex01_first"] == ("", 0)
    (submissions / "ada" / "one.txt").write_text("1")
    assert problems(small)[0]["ada", "ex01_first"] == ("", 2)


def test_the_command_grades_tells_and_ends_with_one_if_something_was_not_graded(small, monkeypatch):
    """Table, file and exit status; no folder of students is told without a traceback."""
    exercises, submissions, course = small
    monkeypatch.setattr(grading, "EXERCISES", exercises)
    monkeypatch.setattr(grading.grade, "__defaults__", (exercises,))
    shutil.rmtree(submissions / "ben")
    arguments = ["grade", str(submissions), "--out", str(course)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    assert "ada" in result.output and (course / "grades.csv").exists()
    (submissions / "ada" / "ex01_first.ipynb").write_text("no notebook")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "NOT GRADED ada, ex01_first: corrupt" in result.output
    shutil.rmtree(submissions / "ada")
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "one for each student" in result.output
    assert "Traceback" not in result.output
