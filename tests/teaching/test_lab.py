"""Copying lessons to a student's folder: never over their work; exercises without their solutions."""

import json
import os

import nbformat
import pytest
from click.testing import CliRunner
from nbgrader.preprocessors import ClearHiddenTests, ClearOutput, ClearSolutions
from pins import ROOT
from traitlets.config import Config

from vae_course.cli import main
from vae_course.teaching import lab
from vae_course.teaching.notebooks import read_notebook
from vae_course.teaching.release import CONFIG

LESSONS = ROOT / "notebooks"
EXERCISES = sorted((LESSONS / "exercises").glob("*.ipynb"))


def names_in(folder):
    """List the files of a folder and its subfolders, without the hidden one."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if name != lab.KNOWN)


def test_a_new_folder_gets_everything_that_a_student_needs(tmp_path):
    """Lessons as they are, exercises, their instructions; the folder may have a space in its name."""
    folder = tmp_path / "my course" / "lessons"
    assert lab.copy_lessons(LESSONS, folder) == []
    assert names_in(folder) == names_in(LESSONS)
    for path in LESSONS.glob("*.ipynb"):
        assert (folder / path.name).read_bytes() == path.read_bytes()


def test_work_is_never_overwritten_and_the_rest_is_brought_up_to_date(tmp_path):
    """Changed files stay and are named; deleted ones come back; untouched ones become the new version."""
    source, folder = tmp_path / "source", tmp_path / "mine"
    (source / "exercises").mkdir(parents=True)
    for name in ("00_a.ipynb", "01_b.ipynb", "02_c.ipynb", "numbers.json", "rise.css"):
        (source / name).write_text("old")
    lab.copy_lessons(source, folder)
    (folder / "00_a.ipynb").write_text("my work")
    (folder / "01_b.ipynb").unlink()
    (folder / "my notes.txt").write_text("mine")
    for name in ("00_a.ipynb", "02_c.ipynb"):
        (source / name).write_text("new")
    assert lab.copy_lessons(source, folder) == ["00_a.ipynb"]
    texts = {name: (folder / name).read_text() for name in names_in(folder)}
    wanted = {"00_a.ipynb": "my work", "01_b.ipynb": "old", "02_c.ipynb": "new"}
    assert texts == wanted | {"my notes.txt": "mine", "numbers.json": "old", "rise.css": "old"}
    assert lab.copy_lessons(source, folder) == ["00_a.ipynb"]  # asked again, it still stays


def test_what_jupyter_and_file_managers_hide_is_not_copied(tmp_path):
    """Checkpoints are a folder as soon as anybody has opened an exercise."""
    (tmp_path / "source" / "exercises" / ".ipynb_checkpoints").mkdir(parents=True)
    (tmp_path / "source" / "exercises" / "a.folder").mkdir()
    for name in ("numbers.json", "rise.css", "exercises/.DS_Store.x", "exercises/START_HERE.md"):
        (tmp_path / "source" / name).touch()
    lab.copy_lessons(tmp_path / "source", tmp_path / "mine")
    wanted = ["exercises/START_HERE.md", "numbers.json", "rise.css"]
    assert names_in(tmp_path / "mine") == wanted


@pytest.mark.parametrize("damage", ["{", "null", "[]", "gone"])
def test_without_a_record_of_what_was_copied_everything_else_stays(tmp_path, damage):
    """A file of that name that is not ours is somebody's work."""
    (tmp_path / "00_start_here.ipynb").write_text("somebody's")
    if damage != "gone":
        (tmp_path / lab.KNOWN).write_text(damage)
    assert lab.copy_lessons(LESSONS, tmp_path) == ["00_start_here.ipynb"]
    assert (tmp_path / "00_start_here.ipynb").read_text() == "somebody's"
    assert json.loads((tmp_path / lab.KNOWN).read_text())["rise.css"]


@pytest.mark.parametrize("path", EXERCISES, ids=lambda path: path.stem)
def test_blank_exercises_are_what_nbgrader_releases(path):
    """Cell by cell; the exercise itself does not change."""
    exercise = read_notebook(path)
    before = nbformat.writes(exercise)
    blank = lab.blank(exercise)
    assert nbformat.writes(exercise) == before
    released = read_notebook(path)
    for clear in (ClearSolutions, ClearOutput, ClearHiddenTests):
        released, _ = clear(config=Config(CONFIG)).preprocess(released, {})
    assert [cell.source for cell in blank.cells] == [cell.source for cell in released.cells]
    assert not [c for c in blank.cells if c.get("outputs") or c.get("execution_count")]
    nbformat.validate(blank)


@pytest.mark.parametrize(
    "source",
    [
        "a = 1\n# BEGIN SOLUTION\na = 2\n# END SOLUTION\nb",
        "def f():\n    ### BEGIN SOLUTION  \n    return 2\n    ### END SOLUTION  # here",
        "a = 2  # no mark at all",
    ],
)
def test_marks_are_read_as_nbgrader_reads_them(source):
    """However they are written; without any, nothing of a solution is left, but of a blank everything."""
    cells = [nbformat.v4.new_code_cell(source), nbformat.v4.new_markdown_cell("It is 2.")]
    for number, cell in enumerate(cells):
        cell.metadata["nbgrader"] = {"solution": True, "grade_id": str(number), "grade": False}
    exercise = nbformat.v4.new_notebook(cells=cells)
    blank = lab.blank(exercise)
    released, _ = ClearSolutions(config=Config(CONFIG)).preprocess(exercise, {})
    assert [cell.source for cell in blank.cells] == [cell.source for cell in released.cells]
    assert "2" not in "".join(cell.source for cell in blank.cells)
    assert lab.blank(blank) == blank


def test_options_for_jupyterlab_need_no_folder(tmp_path, monkeypatch):
    """They begin with a hyphen."""
    monkeypatch.chdir(tmp_path)
    called = []
    monkeypatch.setattr(lab, "open_jupyterlab", lambda *given: called.append(given) or 0)
    result = CliRunner().invoke(main, ["lab", "--", "--no-browser", "--port=9999"])
    assert result.exit_code == 0, result.output
    assert [str(folder) for folder, _ in called] == ["vae-course"]
    assert called[0][1] == ("--no-browser", "--port=9999")
    assert [path.name for path in tmp_path.iterdir()] == ["vae-course"]


def test_files_that_keep_kernels_from_starting_are_named(tmp_path, monkeypatch):
    """Jupyter itself would only say that a kernel died."""
    monkeypatch.setattr(lab, "open_jupyterlab", lambda *_: 0)
    (tmp_path / "exercises").mkdir()
    mine = [tmp_path / "enum.py", tmp_path / "exercises" / "types.py"]
    for path in (*mine, tmp_path / "helper.py"):
        path.touch()
    told = CliRunner().invoke(main, ["lab", str(tmp_path)]).output.splitlines()[-1]
    assert told.endswith(f"rename {mine[0]}, {mine[1]}")
    for path in mine:
        path.unlink()
    assert "rename" not in CliRunner().invoke(main, ["lab", str(tmp_path)]).output


def test_a_folder_that_cannot_be_used_is_refused(tmp_path):
    """A file, or below one: a message with the name and without a traceback."""
    (tmp_path / "file").touch()
    for place in ("file", os.path.join("file", "course")):
        result = CliRunner().invoke(main, ["lab", str(tmp_path / place)])
        assert result.exit_code and "file" in result.output and "Traceback" not in result.output
