"""The exercises' points: what blank notebooks and common mistakes earn when nbgrader itself grades them."""

import logging

import nbformat
import pytest
from nbclient import NotebookClient
from nbgrader.utils import determine_grade
from submissions import EARNED, MISTAKES, hand_in

from vae_course.teaching import kernel, release

MANUAL = {
    "ex01": 2,
    "ex02": 0,
    "ex03": 2,
    "ex04": 0,
    "ex05": 2,
    "ex06": 3,
    "ex07": 4,
    "ex08": 4,
    "ex09": 3,
}
MOST = {
    "ex01": 13,
    "ex02": 13,
    "ex03": 12,
    "ex04": 15,
    "ex05": 19,
    "ex06": 16,
    "ex07": 17,
    "ex08": 20,
    "ex09": 22,
}
SOURCES = {path.stem[:4]: path for path in sorted(release.EXERCISES.glob("*.ipynb"))}


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
    # A busy machine may split what a check prints.
    printed = [[o.get("text", "") for o in cell.outputs] for cell in cells if is_graded(cell)]
    told = ["".join(texts) for texts in printed]
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
