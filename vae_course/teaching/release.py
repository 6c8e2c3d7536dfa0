"""Release the exercises to students with nbgrader: one zip without solutions or hidden tests."""

import hashlib
import importlib.metadata
import json
import logging.handlers
import os
import re
import sysconfig
import warnings
import zipfile
from pathlib import Path

import nbformat

from vae_course.atomic import write_atomically
from vae_course.teaching.kernel import KERNEL_OPTIONS, own_jupyter
from vae_course.teaching.notebooks import read_notebook, write_notebook

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
FOLDER = "vae-course-exercises"  # of the zip

# Used here, and written to nbgrader_config.py for those who call nbgrader by hand.
CONFIG = {
    # Blank cells are valid Python that raises no error, so "Run All" reaches the end of the notebook.
    "ClearSolutions": {
        "code_stub": {"python": "# YOUR CODE HERE"},
        "text_stub": "*Double-click here, and write your answer in place of this line.*",
    },
    # Without this, a deleted check would not count at all instead of counting as failed.
    "OverwriteCells": {"add_missing_cells": True},
    "KernelManager": {"transport_encryption": "auto"},
    # nbgrader treats standard error as a failure, so a cell must not show that of C++ libraries.
    "Execute": {"timeout": 180, **KERNEL_OPTIONS},  # seconds for one cell
}
MARKS = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)")
STUDENT_FILES = """
LICENSE README.md pyproject.toml requirements.lock environment.yml Makefile make_venv.py
data/README.md data/registry.txt
notebooks/rise.css
""".split()


class ReleaseError(ValueError):
    """An exercise cannot be released; the message names the notebook and the cell."""


def check_source(path):
    """Check that a release will not give away a solution or leave a task ungraded.

    Args:
        path: Path of the notebook, with solutions.

    Returns:
        The notebook.

    Raises:
        ReleaseError: If metadata is missing or broken, or marks do not match.
        ValueError: If it is not a notebook.
    """
    from nbgrader.nbgraderformat import MetadataValidator

    notebook, validator, seen = read_notebook(path), MetadataValidator(), set()
    for cell in notebook.cells:
        try:
            validator.validate_cell(cell)
            problem = _problem(cell, seen)
        except Exception as error:  # nbgrader's schema and rules raise many kinds of errors
            problem = str(error).splitlines()[0]
        if problem:
            raise ReleaseError(f"{path.name}, cell {cell.id!r}: {problem}")
    if not any(cell.metadata.get("nbgrader", {}).get("grade") for cell in notebook.cells):
        raise ReleaseError(f"{path.name} has no graded cell: is its nbgrader metadata missing?")
    return notebook


def _problem(cell, seen):
    """Return what is wrong with a cell, or ""."""
    mine = cell.metadata.get("nbgrader", {})
    marks = ", ".join(" ".join(mark) for mark in MARKS.findall(cell.source))
    solution, grade = mine.get("solution"), mine.get("grade")
    solved, tested = "BEGIN SOLUTION, END SOLUTION", "BEGIN HIDDEN TESTS, END HIDDEN TESTS"
    code = cell.cell_type == "code"
    repeated = mine and mine["grade_id"] in seen
    seen.add(mine.get("grade_id"))
    rules = {
        f"its marks do not match: {marks}": marks not in ("", solved, tested),
        "it contains a solution, but its metadata does not say so: it would be handed out": (
            marks == solved and not solution
        ),
        "it contains hidden tests, but its metadata does not say that it is graded": (
            marks == tested and not (grade and not solution)
        ),
        "it is a solution without BEGIN SOLUTION and END SOLUTION: nothing would be left of it": (
            code and solution and not marks
        ),
        "it is graded, but without BEGIN HIDDEN TESTS: a blank task would get full points": (
            code and grade and not marks
        ),
        "it is graded, but for no points": grade and not mine.get("points", 0) > 0,
        f"another cell has the same grade_id {mine.get('grade_id')!r}": repeated,
    }
    return next((problem for problem, broken in rules.items() if broken), "")


def prepare(course, exercises=EXERCISES):
    """Create a folder for nbgrader, and release into it the exercises that have changed.

    Args:
        course: Path of the folder; existing submissions and grades in it are kept.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        Paths of the released notebooks, without solutions, in `course/release/NAME/NAME.ipynb`.

    Raises:
        ReleaseError: If an exercise cannot be released.
        ValueError: If it is not a notebook.
        FileNotFoundError: If there are no exercises.
    """
    from nbgrader.converters import GenerateAssignment

    course, sources = Path(course).resolve(), sorted(Path(exercises).glob("ex[0-9][0-9]_*.ipynb"))
    if not sources:
        raise FileNotFoundError(f"There is no exercise (exNN_name.ipynb) in {exercises}.")
    notebooks = {source.stem: check_source(source) for source in sources}
    course.mkdir(parents=True, exist_ok=True)
    lines = [f"c.{g}.{name} = {v!r}" for g, values in CONFIG.items() for name, v in values.items()]
    config = "\n".join(["c = get_config()", *lines, ""])
    (course / "nbgrader_config.py").write_text(config, encoding="utf-8")
    version, released = _version(), []
    for name, notebook in notebooks.items():
        released.append(course / "release" / name / f"{name}.ipynb")
        digest = digest_of(version, nbformat.writes(notebook).encode())
        if not released[-1].exists() or known_digests(course).get(name) != digest:
            source = course / "source" / name / f"{name}.ipynb"
            source.parent.mkdir(parents=True, exist_ok=True)
            write_notebook(notebook, source)
            if reason := convert(GenerateAssignment, course, name):
                raise ReleaseError(f"{name}.ipynb: nbgrader failed: {reason}")
            keep_digest(course, name, digest)
    return released


def _package():
    """List the files of the package."""
    paths = sorted((ROOT / "vae_course").rglob("*"))
    return [path for path in paths if path.is_file() and "__pycache__" not in path.parts]


def _version():
    """Return a digest of everything that releases and grades depend on, apart from notebooks and data."""
    version = importlib.metadata.version("nbgrader").encode()
    return digest_of(version, *(path.read_bytes() for path in _package())).encode()


def digest_of(*parts):
    """Return a digest of some bytes as text."""
    return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()


def known_digests(course):
    """Read from which sources and files things were released and graded, as digests by name."""
    try:
        kept = json.loads((course / "digests.json").read_text(encoding="utf-8"))
        return kept if (course / "gradebook.db").exists() else {}
    except (OSError, ValueError):  # missing or damaged, so everything is released and graded again
        return {}


def keep_digest(course, name, digest):
    """Store from what something was released or graded."""
    with write_atomically(course / "digests.json") as unfinished:
        unfinished.write_text(json.dumps(known_digests(course) | {name: digest}, indent=1))


def convert(kind, course, assignment, student="*", **traits):
    """Run a converter of nbgrader silently, independent of the user's own settings.

    Args:
        kind: `GenerateAssignment` or `Autograde`.
        course: Path of the folder that `prepare` made.
        assignment: Name of an exercise.
        student: Name of a student, for `Autograde`.
        **traits: Settings of the converter.

    Returns:
        Why it failed, in one line, or "".
    """
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config = Config(CONFIG)
    directory = CourseDirectory(root=str(course), assignment_id=assignment, config=config)
    directory.student_id = student
    converter = kind(coursedir=directory, config=config, force=True, **traits)
    log, kept = converter.log, logging.handlers.BufferingHandler(1000)
    handlers, level, log.handlers = log.handlers, log.level, [kept]
    log.setLevel(logging.ERROR)
    try:
        with own_jupyter(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about how nbgrader uses its database
            # For a new gradebook, nbgrader calls the program alembic, which is next to this Python.
            os.environ["PATH"] = os.pathsep.join(
                [sysconfig.get_path("scripts"), os.environ.get("PATH", "")]
            )
            converter.start()
    except Exception as error:
        lines = "\n".join(record.getMessage() for record in kept.buffer).splitlines()
        reasons = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
        reason = (reasons or [f"{type(error).__name__}: {error}"])[-1]
        return re.sub(r"^(\w+\.)+(CellError: )?", "", reason)[:400]
    finally:
        log.handlers = handlers
        log.setLevel(level)
    return ""


def solutions(path):
    """List the lines of solutions and hidden tests in an exercise, none of which may be handed out.

    Args:
        path: Path of the notebook, with solutions.

    Returns:
        List of lines, stripped, without those that also occur outside solutions.
    """
    secret, public = [], set()
    for cell in read_notebook(path).cells:
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
        ReleaseError: If an exercise cannot be released, or still contains a line of a solution.
        ValueError: If it is not a notebook.
    """
    out, exercises = Path(out), Path(exercises)
    released = prepare(out / "nbgrader", exercises)
    for path in released:
        refuse_solutions(exercises / path.name, path)
    extension = sorted(path for path in (ROOT / "jupyter").rglob("*") if path.is_file())
    lessons = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    shared = [*(ROOT / name for name in STUDENT_FILES), *_package(), *extension, *lessons]
    contents = {path.relative_to(ROOT).as_posix(): path for path in shared}
    contents |= {f"notebooks/exercises/{path.name}": path for path in released}
    contents["START_HERE.md"] = EXERCISES / "START_HERE.md"
    target = out / f"{FOLDER}.zip"
    with (
        write_atomically(target) as unfinished,
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        for name, path in contents.items():
            archive.write(path, f"{FOLDER}/{name}")
    return target


def refuse_solutions(source, released):
    """Raise a `ReleaseError` if a released notebook contains a line of its source's solutions."""
    cells = read_notebook(released).cells
    lines = {line.strip() for cell in cells for line in cell.source.splitlines()}
    if left := [line for line in solutions(source) if line in lines]:
        raise ReleaseError(f"{source.name}: this line of a solution is still there: {left[0]!r}")
