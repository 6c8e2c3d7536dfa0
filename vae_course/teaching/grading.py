"""Grade students' submissions with nbgrader; one broken submission does not stop the others."""

import os
import re
import shutil
from pathlib import Path

from tqdm import tqdm

from vae_course.teaching.kernel import BoundedClient
from vae_course.teaching.notebooks import read_notebook, write_notebook
from vae_course.teaching.release import (
    EXERCISES,
    convert,
    digest_of,
    keep_digest,
    known_digests,
    prepare,
)

INTERRUPTED = "interrupted: run the same command again to continue from here"


def _row(student, exercise, problem=""):
    """Make a row of the table of grades, whose numbers are filled in if the notebook can be graded."""
    numbers = {"points": "", "of": "", "still to read": ""}
    return {"student": student, "exercise": exercise, **numbers, "problem": problem}


def grade(submissions, course, exercises=EXERCISES):
    """Grade the submissions that are new or have changed, and list the grades of all.

    Args:
        submissions: Path of a folder with one folder for each student, named after the student. Notebooks may
            be at any depth in it; files next to a notebook are available when it runs.
        course: Path of a folder for nbgrader's gradebook and results, which is created if it is missing.
        exercises: Path of the folder of exercises, with solutions.

    Returns:
        List of dictionaries, sorted by student and exercise: `student`, `exercise`, the numbers `points`,
        `of` and `still to read`, or the `problem` with the notebook. After Ctrl-C, the last one is for the
        interrupted notebook.

    Raises:
        FileNotFoundError: If there are no submissions.
        ValueError: If one of the two folders is inside the other, or an exercise itself is broken.
    """
    submissions, course = Path(submissions).resolve(), Path(course).resolve()
    if course.is_relative_to(submissions) or submissions.is_relative_to(course):
        raise ValueError(
            f"One of {course} and {submissions} is inside the other: choose another folder with --out."
        )
    students = sorted(p for p in submissions.iterdir() if p.is_dir() and p.name[0] not in "._")
    if not students:
        raise FileNotFoundError(
            f"{submissions} contains no folders: make one for each student, with the notebooks in it."
        )
    released = {path.stem: path for path in prepare(course, exercises)}
    tasks = [task for student in students for task in _handed_in(student, released)]
    rows = []
    for row, path in tqdm(tasks, desc="grading", ncols=90, unit="notebook"):
        rows.append(row)
        try:
            if not row["problem"]:
                _grade_one(row, path, course)
        except KeyboardInterrupt:
            row["problem"] = INTERRUPTED
            break
        except Exception as error:  # of any kind, so that the others are still graded
            row["problem"] = f"{type(error).__name__}: {error}"
    return rows


def _handed_in(student, released):
    """List the notebooks in a student's folder: a row for each, and its path."""
    tasks, found = [], {}
    for path in sorted(student.rglob("*.ipynb"), key=lambda path: (path.stem, path)):
        hidden = any(part.startswith(".") for part in path.relative_to(student).parts)
        if hidden or re.match(r"\d\d_", path.name):  # checkpoints, and the lessons
            continue
        first, problem = found.setdefault(path.stem, path), _problem(path, released)
        if first != path:
            problem = f"handed in twice: {first} was graded, and {path} was not"
        tasks.append((_row(student.name, path.stem, problem), path))
    nothing = _row(student.name, "-", "no notebook in this student's folder")
    return tasks or [(nothing, None)]


def _problem(path, released):
    """Return why a notebook cannot be graded, or ""."""
    try:
        mine = _grade_ids(path)
    except (OSError, ValueError) as error:
        return f"corrupt: {error}"
    if path.stem not in released:
        shared = {name: len(mine & _grade_ids(other)) for name, other in released.items()}
        best = max(shared, key=shared.get)
        if shared[best] > len(mine) / 2:
            return f"renamed? It looks like {best}: rename it to that, and grade again"
        return f"unknown name; expected one of {', '.join(released)}"
    if not mine:
        return "its nbgrader metadata is missing: copy the answers into a fresh release"
    return ""


def _grade_ids(path):
    cells = read_notebook(path).cells
    return {c.metadata.nbgrader.get("grade_id") for c in cells if "nbgrader" in c.metadata}


def _grade_one(row, path, course):
    """Grade one notebook, unless it is already graded, and fill in its row."""
    folder = course / "submitted" / row["student"] / row["exercise"]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    write_notebook(read_notebook(path), folder / path.name)
    beside = [p for p in sorted(path.parent.iterdir()) if p.is_file() and p.suffix != ".ipynb"]
    for file in beside:
        shutil.copyfile(file, folder / file.name)
    name, known = f"{row['student']}/{row['exercise']}", known_digests(course)
    files = [(file.name, file.read_bytes()) for file in (path, *beside)]
    data = os.environ.get("VAE_COURSE_DATASET")
    digest = digest_of(data, known[row["exercise"]], files)
    if known.get(name) != digest:
        keep_digest(course, name, "")
        if reason := _autograde(row, course):
            row["problem"] = f"nbgrader failed: {reason}"
            return
        keep_digest(course, name, digest)
    _read_points(row, course)


def _autograde(row, course):
    """Grade one notebook of one student with nbgrader; return what went wrong, or ""."""
    from nbgrader import preprocessors
    from nbgrader.converters import Autograde

    class Execute(BoundedClient, preprocessors.Execute):
        """nbgrader's way to execute notebooks, within bounds."""

    steps = Autograde.autograde_preprocessors.default()
    steps = [Execute if step is preprocessors.Execute else step for step in steps]
    return convert(
        Autograde, course, row["exercise"], row["student"], autograde_preprocessors=steps
    )


def _read_points(row, course):
    from nbgrader.api import Gradebook

    name = row["exercise"]
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(name, name, row["student"]).grades
        row["points"] = sum(cell.score or 0.0 for cell in grades)
        row["of"] = sum(cell.max_score for cell in grades)
        unread = [c for c in grades if c.needs_manual_grade and c.manual_score is None]
        row["still to read"] = sum(cell.max_score for cell in unread)


def table(rows):
    """Lay out what `grade` returned as text: a line for each notebook, then what could not be graded."""
    width = max(7, *(len(row["student"]) for row in rows))
    lines = [f"{'student':{width}}  {'exercise':30}  points    of  still to read"]
    told = []
    for row in rows:
        if row["problem"]:
            told.append(f"NOT GRADED {row['student']}, {row['exercise']}: {row['problem']}")
        else:
            numbers = f"{row['points']:6.1f}{row['of']:6.0f}{row['still to read']:15.0f}"
            lines.append(f"{row['student']:{width}}  {row['exercise']:30}  {numbers}")
    return "\n".join(lines + told)
