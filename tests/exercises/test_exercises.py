"""The exercises as texts: form, outputs, style, points; `test_lessons` and nbval execute them."""

import re

import lessons
import nbformat
import pytest
from lessons import code_cells, read, tags, texts
from pins import ROOT

from vae_course import exercises
from vae_course.teaching import notebooks
from vae_course.teaching.cited_numbers import recorded

PATHS = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
every_exercise = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


def grader(cell):
    """Return nbgrader's metadata of a cell."""
    return cell.metadata.get("nbgrader", {})


def test_there_is_one_for_each_lesson_after_the_first():
    """Under the lesson's own name."""
    paths = sorted((ROOT / "notebooks").glob("0[1-9]_*.ipynb"))
    assert [path.name for path in PATHS] == [f"ex{path.name}" for path in paths]


@every_exercise
def test_it_is_a_valid_notebook_without_execution_noise(path, tmp_path):
    """Valid, tidy, small; metadata are tags and nbgrader's."""
    nbformat.validate(read(path))
    assert path.stat().st_size < 300_000
    assert set(read(path).metadata) == {"kernelspec", "language_info"}
    for cell in read(path).cells:
        assert set(cell.metadata) <= {"tags", "nbgrader"}, cell.id
        assert set(tags(cell)) <= {"parameters", "nbval-check-output"}, cell.id
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    assert not notebooks.tidy(copy)


@every_exercise
def test_its_style_is_that_of_a_lesson(path):
    """Figures have alternative text, texts and cells are short, parameters have reasons, cells run again."""
    lessons.assert_figures_are_described(path, least=1)
    lessons.assert_short_and_finished(path)
    lessons.assert_parameters_are_explained(path)
    lessons.assert_each_cell_can_be_run_again(path)


@every_exercise
def test_outputs_are_those_of_one_clean_run_with_the_solutions(path):
    """On MNIST; every check says RIGHT and gives all points."""
    lessons.assert_one_clean_run(path)
    for cell in code_cells(path):
        if grader(cell).get("grade"):
            told, points = cell.outputs
            assert told.text.startswith("RIGHT"), cell.id
            assert float(points.data["text/plain"]) == grader(cell)["points"], cell.id
    found = recorded(read(path))
    assert found["dataset"] == "MNIST"
    (solved, _), (in_all, _) = (found["numbers"][f"checks_{name}"] for name in ("solved", "in_all"))
    assert solved == in_all >= 5


@every_exercise
def test_it_has_the_form_of_an_exercise(path):
    """Title, aims, lesson, time and points; how it works; 4 to 6 tasks, one of them a challenge."""
    first, how, *_ = texts(path)
    number = path.name[3]
    assert first.startswith(f"# Exercise {number}: ") and "**You will**" in first
    assert re.search(rf"\[lesson {number}\]\(\.\./{path.name[2:]}\)", first)
    assert "**Time:**" in first and "**How it works.**" in how
    headings = re.findall(r"^## (\d)\. (.*)$", "\n".join(texts(path)), re.M)
    assert [int(n) for n, _ in headings] == list(range(1, len(headings) + 1))
    assert 4 <= len(headings) <= 6
    assert sum("Challenge" in title for _, title in headings) == 1


@every_exercise
def test_the_points_add_up(path):
    """Those in the headings, in nbgrader's metadata and in the title are the same."""
    text = "\n".join(texts(path))
    told = re.findall(r"^(?:## \d\.|\*\*).*\(([\d +]+) points?\)", text, re.M)
    graded = [grader(c)["points"] for c in read(path).cells if grader(c).get("grade")]
    total = int(re.search(r"\*\*Points:\*\* (\d+)", text).group(1))
    assert sum(sum(map(int, one.split(" + "))) for one in told) == sum(graded) == total


@every_exercise
def test_each_answer_has_its_check_and_each_check_is_one_call(path):
    """The cell after a solution is a check; it calls the package once, and its result earns the points."""
    cells = read(path).cells
    for place, cell in enumerate(cells):
        if cell.cell_type == "code" and grader(cell).get("solution"):
            assert grader(cells[place + 1]).get("grade"), cell.id
        if cell.cell_type == "code" and grader(cell).get("grade"):
            call, hidden = cell.source.split("### BEGIN HIDDEN TESTS\n")
            name, check = re.match(r"(\w+_verdict) = exercises\.(check_\w+)\(", call).groups()
            assert callable(getattr(exercises, check)) and call.count("check_") == 1
            points = f"{name}.points({grader(cell)['points']})"
            assert hidden == f"{points}\n### END HIDDEN TESTS"


def test_some_answers_are_texts_that_a_person_reads():
    """In at least one exercise; the task says so."""
    found = [c for p in PATHS for c in read(p).cells if c.cell_type == "markdown" and grader(c)]
    assert len(found) >= 1
    assert all(grader(c)["grade"] and grader(c)["solution"] for c in found)
    told = sum(text.count("A person will read it") for p in PATHS for text in texts(p))
    assert told == len(found)


@every_exercise
def test_what_nbval_compares_is_the_same_everywhere(path):
    """Only checks without numbers that depend on data or chance."""
    for cell in code_cells(path):
        if "nbval-check-output" in tags(cell):
            assert cell.outputs and grader(cell).get("grade"), cell.id
            assert not re.search(r"data\.|codes|rng", cell.source), cell.id
            assert not re.search(r"\d\.\d", cell.outputs[0].text), cell.id
