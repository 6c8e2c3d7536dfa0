"""Make what students get of the exercises, with nbgrader: no solutions, tests hidden, one zip."""

import json
import logging
import os
import re
import shutil
import sysconfig
import warnings
import zipfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
FOLDER = "vae-course-exercises"  # of the zip

# Used here, and written as nbgrader_config.py for whoever calls nbgrader by hand.
CONFIG = {
    # Blank cells stay valid Python that raises nothing: "Run All" reaches the end of the notebook.
    "ClearSolutions": {
        "code_stub": {"python": "# YOUR CODE HERE"},
        "text_stub": "*Double-click here, and write your answer in place of this line.*",
    },
    # A deleted check counts as failed, not as never asked.
    "OverwriteCells": {"add_missing_cells": True},
    "KernelManager": {"transport_encryption": "auto"},
    "Execute": {
        "timeout": 180,  # seconds for one cell
        # nbgrader takes standard error for a failure: what C++ libraries write there shall not be in cells.
        "extra_arguments": [
            "--HistoryManager.hist_file=:memory:",
            "--IPKernelApp.capture_fd_output=False",
        ],
    },
}
MARKS = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)")
STUDENT_FILES = """
LICENSE README.md pyproject.toml requirements.lock environment.yml Makefile data/README.md data/registry.txt
notebooks/rise.css
""".split()


class ReleaseError(ValueError):
    """An exercise that cannot be released, with its notebook and cell."""


def check_source(path):
    """Look at an exercise before it is released: nothing in it may give a solution away or go ungraded.

    Args:
        path: Path of the notebook, with solutions.

    Raises:
        ReleaseError: If metadata is missing or broken, or marks do not match; notebook and cell are named.
    """
    from nbgrader.nbgraderformat import MetadataValidator

    path, validator, seen = Path(path), MetadataValidator(), set()
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:
        reason = str(error).splitlines()[0]
        raise ReleaseError(f"{path.name} is no valid notebook: {reason}") from error
    for cell in notebook.cells:
        try:
            validator.validate_cell(cell)
            problem = _problem(cell, seen)
        except Exception as error:  # nbgrader's schema and its own rules raise errors of many kinds
            problem = str(error).splitlines()[0]
        if problem:
            raise ReleaseError(f"{path.name}, cell {cell.get('id', '?')!r}: {problem}")
    if not any(cell.metadata.get("nbgrader", {}).get("grade") for cell in notebook.cells):
        raise ReleaseError(f"{path.name} has no graded cell: is its nbgrader metadata gone?")


def _problem(cell, seen):
    """Return what is wrong with a cell, or ""."""
    mine = cell.metadata.get("nbgrader", {})
    marks = [" ".join(mark) for mark in MARKS.findall(cell.source)]
    solution, grade = mine.get("solution"), mine.get("grade")
    if marks not in (
        [],
        ["BEGIN SOLUTION", "END SOLUTION"],
        ["BEGIN HIDDEN TESTS", "END HIDDEN TESTS"],
    ):
        return f"its marks do not match: {', '.join(marks)}"
    if "BEGIN SOLUTION" in marks and not solution:
        return "it holds a solution, but its metadata does not say so: it would be handed out"
    if "BEGIN HIDDEN TESTS" in marks and not (grade and not solution):
        return "it holds hidden tests, but its metadata does not say that it is graded"
    if cell.cell_type == "code" and solution and not marks:
        return (
            "it is a solution without BEGIN SOLUTION and END SOLUTION: nothing of it would be left"
        )
    if cell.cell_type == "code" and grade and not marks:
        return "it is graded, but without BEGIN HIDDEN TESTS: a blank task would get full points"
    if grade and not mine.get("points", 0) > 0:
        return "it is graded, but for no points"
    if mine and mine["grade_id"] in seen:
        return f"another cell has the same grade_id {mine['grade_id']!r}"
    seen.add(mine.get("grade_id"))
    return ""


def prepare(course, exercises=EXERCISES):
    """Make a folder for nbgrader, with sources, gradebook and configuration, and release into it.

    Args:
        course: Path of the folder; what it holds of submissions and grades is kept.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        Paths of the released notebooks, without solutions, in `course/release/NAME/NAME.ipynb`.

    Raises:
        ReleaseError: If an exercise cannot be released.
        FileNotFoundError: If there are no exercises.
    """
    course, sources = Path(course).resolve(), sorted(Path(exercises).glob("ex[0-9][0-9]_*.ipynb"))
    if not sources:
        raise FileNotFoundError(f"There is no exercise (exNN_name.ipynb) in {exercises}.")
    for source in sources:
        check_source(source)
        folder = course / "source" / source.stem
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, folder / source.name)
    lines = ["c = get_config()"]
    for group, values in CONFIG.items():
        lines += [f"c.{group}.{name} = {value!r}" for name, value in values.items()]
    (course / "nbgrader_config.py").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [_release(course, source.stem) for source in sources]


def nbgrader_parts(course, assignment):
    """Return nbgrader's directory of one assignment and its configuration, untouched by the user's own.

    Args:
        course: Path of the folder that `prepare` made.
        assignment: Name of an exercise.
    """
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config = Config(CONFIG)
    directory = CourseDirectory(root=str(course), assignment_id=assignment, config=config)
    return directory, config


class _Kept(logging.Handler):
    """Keep the error messages that nbgrader would print."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.lines = []

    def emit(self, record):
        """Keep the lines of a message."""
        self.lines += record.getMessage().strip().splitlines()


def run(converter):
    """Let a converter of nbgrader do its work, in silence.

    Args:
        converter: A `GenerateAssignment` or an `Autograde`.

    Returns:
        Why it failed, in one line, or "".
    """
    kept, log = _Kept(), converter.log
    converter.force = True
    handlers, level, log.handlers = log.handlers, log.level, [kept]
    log.setLevel(logging.ERROR)
    # For a new gradebook nbgrader calls alembic as a program: it lies beside this Python.
    path = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([sysconfig.get_path("scripts"), path])
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nbgrader's own ways with its database
            converter.start()
    except Exception as error:
        reasons = [line for line in kept.lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
        return (reasons or [f"{type(error).__name__}: {error}"])[-1][:300]
    finally:
        os.environ["PATH"] = path
        log.handlers = handlers
        log.setLevel(level)
    return ""


def _release(course, name):
    from nbgrader.converters import GenerateAssignment

    directory, config = nbgrader_parts(course, name)
    if reason := run(GenerateAssignment(coursedir=directory, config=config)):
        raise ReleaseError(f"{name}.ipynb: nbgrader gave up: {reason}")
    return course / "release" / name / f"{name}.ipynb"


def solutions(path):
    """List the lines of solutions and hidden tests in an exercise: none of them may be handed out.

    Args:
        path: Path of the notebook, with solutions.

    Returns:
        List of lines, stripped, without those that stand outside a solution as well.
    """
    secret, public = [], set()
    for cell in nbformat.read(path, as_version=4).cells:
        inside = cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution")
        for line in cell.source.splitlines():
            if mark := MARKS.search(line):
                inside = mark.group(1) == "BEGIN"
            elif inside:
                secret.append(line.strip())
            else:
                public.add(line.strip())
    return [line for line in secret if line and line not in public]


def make_zip(out, exercises=EXERCISES):
    """Release the exercises, and pack them with the package and instructions.

    Args:
        out: Folder for the zip and, in `nbgrader/`, for what nbgrader needs to grade.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        Path of the zip.

    Raises:
        ReleaseError: If an exercise cannot be released, or solution text has survived in one.
    """
    out, exercises = Path(out), Path(exercises)
    released = prepare(out / "nbgrader", exercises)
    package = [
        path
        for path in sorted((ROOT / "vae_course").rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    ]
    target = out / f"{FOLDER}.zip"
    partial = target.with_suffix(".partial")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(EXERCISES / "START_HERE.md", f"{FOLDER}/START_HERE.md")
        for path in released:
            text = path.read_text(encoding="utf-8")
            _refuse_solutions(exercises / path.name, text)
            archive.write(path, f"{FOLDER}/notebooks/exercises/{path.name}")
        extension = sorted(path for path in (ROOT / "jupyter").rglob("*") if path.is_file())
        for path in [*(ROOT / name for name in STUDENT_FILES), *package, *extension]:
            archive.write(path, f"{FOLDER}/{path.relative_to(ROOT).as_posix()}")
        for path in sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")):
            archive.write(path, f"{FOLDER}/notebooks/{path.name}")
    os.replace(partial, target)
    return target


def _refuse_solutions(source, released):
    text = "\n".join("".join(cell["source"]) for cell in json.loads(released)["cells"])
    lines = {line.strip() for line in text.splitlines()}
    if left := [line for line in solutions(source) if line in lines]:
        raise ReleaseError(f"{source.name}: this line of a solution has survived: {left[0]!r}")
