"""Grade what students handed in, with nbgrader; what cannot be graded is told, and stops nobody else."""

import csv
import dataclasses
import os
import re
import shutil
from pathlib import Path

import nbformat

from vae_course.teaching.release import EXERCISES, nbgrader_parts, prepare, run


@dataclasses.dataclass
class Grade:
    """What became of one notebook of one student."""

    student: str
    exercise: str
    points: float = 0.0
    most: float = 0.0
    to_read: float = 0.0
    cells: dict = dataclasses.field(default_factory=dict)
    problem: str = ""


def grade(submissions, course, exercises=EXERCISES):
    """Grade all submissions of a folder.

    Args:
        submissions: Path of a folder with one folder for each student, named as the student; notebooks may
            lie at any depth in it, and files beside a notebook are there when it is run.
        course: Path of a folder for nbgrader's gradebook and results; it is made where it is missing.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        List of `Grade`, by student and exercise.

    Raises:
        FileNotFoundError: If there are no submissions.
        ReleaseError: If an exercise itself is broken.
    """
    submissions, course = Path(submissions), Path(course).resolve()
    students = sorted(p for p in submissions.iterdir() if p.is_dir() and p.name[0] not in "._")
    if not students:
        raise FileNotFoundError(
            f"{submissions} holds no folder: make one for each student, with the notebooks in it."
        )
    names = [path.stem for path in prepare(course, exercises)]
    return [row for student in students for row in _grade_student(student, course, names)]


def _grade_student(student, course, names):
    rows, found = [], {}
    for path in sorted(student.rglob("*.ipynb")):
        hidden = any(part.startswith(".") for part in path.relative_to(student).parts)
        if hidden or re.match(r"\d\d_", path.name):  # checkpoints, and the lessons
            continue
        if path.stem not in names:
            rows.append(Grade(student.name, path.stem, problem=_about_unknown(path, course, names)))
        elif path.stem in found:
            problem = (
                f"handed in twice: {found[path.stem].name} was graded where it was found first"
            )
            rows.append(Grade(student.name, path.stem, problem=problem))
        else:
            found[path.stem] = path
    if not rows and not found:
        rows.append(Grade(student.name, "-", problem="no notebook in this student's folder"))
    rows += [_grade_one(student.name, name, path, course) for name, path in found.items()]
    return sorted(rows, key=lambda row: row.exercise)


def _grade_ids(notebook):
    return {c.metadata.nbgrader.get("grade_id") for c in notebook.cells if "nbgrader" in c.metadata}


def _about_unknown(path, course, names):
    """Tell what a notebook under an unknown name might be."""
    known = {name: course / "release" / name / f"{name}.ipynb" for name in names}
    try:
        mine = _grade_ids(nbformat.read(path, as_version=4))
    except Exception as error:
        return f"unknown name, and no readable notebook ({type(error).__name__})"
    shared = {name: len(mine & _grade_ids(nbformat.read(p, 4))) for name, p in known.items()}
    best = max(shared, key=shared.get)
    if shared[best] > len(mine) / 2:
        return f"renamed? It looks like {best}: give it that name, and grade again"
    return f"unknown name; expected is one of {', '.join(names)}"


def _readable(path):
    """Return why a notebook cannot be graded, or ""."""
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:
        return f"corrupt: {type(error).__name__}: {str(error).splitlines()[0][:100]}"
    if not _grade_ids(notebook):
        return "its nbgrader metadata is gone: the answers must be copied into a fresh release"
    return ""


def _grade_one(student, name, path, course):
    row = Grade(student, name, problem=_readable(path))
    if row.problem:
        return row
    folder = course / "submitted" / student / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for file in path.parent.iterdir():
        if file == path or file.is_file() and file.suffix != ".ipynb":
            shutil.copyfile(file, folder / file.name)
    row.problem = _autograde(student, name, course)
    if not row.problem:
        _read_points(row, course)
    return row


def _autograde(student, name, course):
    """Let nbgrader grade one notebook of one student; return what went wrong, or ""."""
    from nbgrader.converters import Autograde

    directory, config = nbgrader_parts(course, name)
    directory.student_id = student
    reason = run(Autograde(coursedir=directory, config=config))
    return reason and f"nbgrader gave up: {reason}"


def _read_points(row, course):
    from nbgrader.api import Gradebook

    directory, _ = nbgrader_parts(course, row.exercise)
    with Gradebook(directory.db_url) as book:
        (notebook,) = [
            n
            for n in book.find_submission(row.exercise, row.student).notebooks
            if n.name == row.exercise
        ]
        for cell in notebook.grades:
            row.most += cell.max_score
            if cell.needs_manual_grade and cell.manual_score is None:
                row.to_read += cell.max_score
            row.points += cell.score or 0.0
            row.cells[cell.name] = cell.score or 0.0


def table(rows):
    """Lay grades out as text: one line for each notebook, then what could not be graded.

    Args:
        rows: List of `Grade`.
    """
    width = max(len(row.student) for row in rows)
    lines = [f"{'student':{max(width, 7)}}  {'exercise':30}  points    of  still to read"]
    for row in rows:
        if not row.problem:
            numbers = f"{row.points:6.1f}{row.most:6.0f}{row.to_read:15.0f}"
            lines.append(f"{row.student:{max(width, 7)}}  {row.exercise:30}  {numbers}")
    for row in rows:
        if row.problem:
            lines.append(f"NOT GRADED {row.student}, {row.exercise}: {row.problem}")
    return "\n".join(lines)


def write_csv(rows, path):
    """Write grades as a table for a spreadsheet.

    Args:
        rows: List of `Grade`.
        path: Path of the file.
    """
    partial = Path(path).with_suffix(".tmp")
    with open(partial, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["student", "exercise", "points", "of", "still to read", "problem"])
        for row in rows:
            numbers = ["", "", ""] if row.problem else [row.points, row.most, row.to_read]
            writer.writerow([row.student, row.exercise, *numbers, row.problem])
    os.replace(partial, path)
