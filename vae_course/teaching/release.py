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

from vae_course.atomic import write_atomically, write_text
from vae_course.teaching.kernel import KERNEL_OPTIONS, own_jupyter
from vae_course.teaching.lab import CODE, TEXT
from vae_course.teaching.notebooks import read_notebook, write_notebook

ROOT = Path(__file__).resolve().parents[2]
EXERCISES = ROOT / "notebooks" / "exercises"
FOLDER = "vae-course-exercises"  # of the zip

# Used here, and written to nbgrader_config.json for those who call nbgrader by hand.
CONFIG = {
    # Blank cells are valid Python that raises no error, so "Run All" reaches the end of the notebook.
    "ClearSolutions": {"code_stub": {"python": CODE}, "text_stub": TEXT},
    # Without this, a deleted check would not count at all instead of counting as failed.
    "OverwriteCells": {"add_missing_cells": True},
    "KernelManager": {"transport_encryption": "auto"},
    # nbgrader treats standard error as a failure, so a cell must not show that of C++ libraries.
    "Execute": {"timeout": 180, **KERNEL_OPTIONS},  # seconds for one cell
}
MARK = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)")
STUDENT_FILES = """
LICENSE pyproject.toml requirements.lock environment.yml Makefile make_venv.py
data/README.md data/registry.txt
notebooks/numbers.json notebooks/rise.css
""".split()


def _read_checked(path):
    """Read an exercise, and check what nbgrader's release does not, or tells less clearly."""
    from nbgrader.nbgraderformat import MetadataValidator

    notebook, where, graded = read_notebook(path), path.name, 0
    try:
        for cell in notebook.cells:
            where = f"{path.name}, cell {cell.id!r}"
            MetadataValidator().validate_cell(cell)
            graded += _check_cell(cell)
        where = path.name
        MetadataValidator().validate_nb(notebook)  # the same grade_id twice
    except Exception as error:  # nbgrader's schema and rules raise many kinds of errors
        raise ValueError(f"{where}: {error}".splitlines()[0]) from error
    if not graded:
        raise ValueError(f"{path.name} has no graded cell: is its nbgrader metadata missing?")
    return notebook


def _check_cell(cell):
    """Raise an error for what nbgrader would accept, although it spoils the task; tell if it is graded."""
    mine = cell.metadata.get("nbgrader", {})
    grade, code = mine.get("grade"), cell.cell_type == "code"
    marks = MARK.findall(cell.source)
    if marks and marks != [("BEGIN", marks[0][1]), ("END", marks[0][1])]:
        raise ValueError(f"its marks do not match: {', '.join(map(' '.join, marks))}")
    if code and mine.get("solution") and "BEGIN SOLUTION" not in cell.source:
        raise ValueError("it is a solution without BEGIN SOLUTION: nothing would be left of it")
    if code and grade and "BEGIN HIDDEN TESTS" not in cell.source:
        raise ValueError(
            "it is graded, but without BEGIN HIDDEN TESTS: a blank would get all points"
        )
    if grade and mine["points"] <= 0:
        raise ValueError("it is graded, but for no points")
    return bool(grade)


def prepare(course, exercises=EXERCISES):
    """Create a folder for nbgrader, and release into it the exercises that have changed.

    Args:
        course: Path of the folder; existing submissions and grades in it are kept.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        Paths of the released notebooks, without solutions, in `course/release/NAME/NAME.ipynb`.

    Raises:
        ValueError: If an exercise cannot be released.
        FileNotFoundError: If there are no exercises.
    """
    from nbgrader.converters import GenerateAssignment

    course, sources = Path(course).resolve(), sorted(Path(exercises).glob("ex[0-9][0-9]_*.ipynb"))
    if not sources:
        raise FileNotFoundError(f"There is no exercise (exNN_name.ipynb) in {exercises}.")
    notebooks = {source.stem: _read_checked(source) for source in sources}
    course.mkdir(parents=True, exist_ok=True)
    write_text(course / "nbgrader_config.json", json.dumps(CONFIG, indent=1))
    # All that releases and grades depend on, apart from notebooks and data.
    package = [path.read_bytes() for path in _files_in("vae_course")]
    version, released = digest_of(importlib.metadata.version("nbgrader"), *package), []
    for name, notebook in notebooks.items():
        released.append(course / "release" / name / f"{name}.ipynb")
        digest = digest_of(version, nbformat.writes(notebook))
        if not released[-1].exists() or known_digests(course).get(name) != digest:
            source = course / "source" / name / f"{name}.ipynb"
            source.parent.mkdir(parents=True, exist_ok=True)
            write_notebook(notebook, source)
            if reason := convert(GenerateAssignment, course, name):
                raise ValueError(f"{name}.ipynb: nbgrader failed: {reason}")
            keep_digest(course, name, digest)
    return released


def _files_in(folder):
    """List the files of a folder of the course, apart from what Python and file managers write there."""
    paths = [path.relative_to(ROOT) for path in sorted((ROOT / folder).rglob("*"))]
    hidden = (".", "__pycache__")
    return [
        ROOT / path
        for path in paths
        if not any(part.startswith(hidden) for part in path.parts) and (ROOT / path).is_file()
    ]


def digest_of(*parts):
    """Return a digest of texts and bytes as text."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def known_digests(course):
    """Read from which sources and files things were released and graded, as digests by name."""
    try:
        known = json.loads((course / "digests.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):  # missing or damaged, so everything is released and graded again
        return {}
    return known if isinstance(known, dict) and (course / "gradebook.db").exists() else {}


def keep_digest(course, name, digest):
    """Store from what something was released or graded."""
    known = known_digests(course) | {name: digest}
    write_text(course / "digests.json", json.dumps(known, indent=1))


def convert(kind, course, assignment, student="*", submitted="submitted", **traits):
    """Run a converter of nbgrader silently, independent of the user's own settings.

    Args:
        kind: `GenerateAssignment`, `Autograde` or `GenerateFeedback`.
        course: Path of the folder that `prepare` made.
        assignment: Name of an exercise.
        student: Name of a student, for `Autograde` and `GenerateFeedback`.
        submitted: Name of the folder of submissions, for `Autograde`.
        **traits: Settings of the converter.

    Returns:
        Why it failed, in one line, or "".
    """
    from nbgrader.coursedir import CourseDirectory
    from traitlets.config import Config

    config, log = Config(CONFIG), logging.Logger("nbgrader", logging.ERROR)
    log.addHandler(kept := logging.handlers.BufferingHandler(1000))
    names = {"assignment_id": assignment, "student_id": student, "submitted_directory": submitted}
    directory = CourseDirectory(root=str(course), config=config, log=log, **names)
    converter = kind(coursedir=directory, config=config, log=log, force=True, **traits)
    try:
        with own_jupyter(), warnings.catch_warnings(action="ignore"):  # of its database
            # For a new gradebook, nbgrader calls the program alembic, which is next to this Python.
            scripts, others = sysconfig.get_path("scripts"), os.environ.get("PATH", "")
            os.environ["PATH"] = f"{scripts}{os.pathsep}{others}"
            converter.start()
    except Exception as error:
        lines = "\n".join(record.getMessage() for record in kept.buffer).splitlines()
        reasons = [line for line in lines if re.match(r"[\w.]*(Error|Exception)\b", line)]
        reason = (reasons or [f"{type(error).__name__}: {error}"])[-1]
        return re.sub(r"^(\w+\.)+(CellError: )?", "", reason)[:400]
    return ""


def make_zip(out, exercises=EXERCISES):
    """Release the exercises, and pack them with the package and instructions.

    Args:
        out: Folder for the zip and, in `nbgrader/`, for what nbgrader needs to grade.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        Path of the zip.

    Raises:
        ValueError: If an exercise cannot be released.
    """
    out, exercises = Path(out), Path(exercises)
    released = prepare(out / "nbgrader", exercises)
    lessons = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    shared = [ROOT / name for name in STUDENT_FILES]
    shared += [*_files_in("vae_course"), *_files_in("jupyter"), *lessons]
    contents = {path.relative_to(ROOT).as_posix(): path for path in shared}
    contents |= {f"notebooks/exercises/{path.name}": path for path in released}
    # The README is for instructors, and links to what is not here, but the package is not built without one.
    contents["START_HERE.md"] = contents["README.md"] = EXERCISES / "START_HERE.md"
    target = out / f"{FOLDER}.zip"
    with (
        write_atomically(target) as unfinished,
        # Some file systems and archives set dates before 1980, which a zip cannot hold.
        zipfile.ZipFile(unfinished, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as archive,
    ):
        for name, path in contents.items():
            archive.write(path, f"{FOLDER}/{name}")
    return target
