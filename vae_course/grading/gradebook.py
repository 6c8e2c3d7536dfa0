"""Keep nbgrader's gradebook: one process writes each executed submission into it, and reads the points."""

import contextlib
import json
import shutil

import nbformat

from vae_course import data
from vae_course.grading.clean import remove_scripts
from vae_course.runs.files import sha256
from vae_course.teaching.notebooks import write_notebook
from vae_course.teaching.release import convert, digest_of, keep_digest, known_digests

EXECUTED = "executed"  # so that what nbgrader has collected stays as it is


def _digest(one, course, exercise):
    with contextlib.suppress(OSError):
        parts = [(name, sha256(path)) for name, path in one.beside.items()]
        release = known_digests(course)[exercise]
        return digest_of(data.choose("auto"), release, one.path.read_bytes(), parts)
    return ""


def is_graded(row, one, course):
    """Tell whether a submission is in the gradebook as it is now.

    Args:
        row: Dictionary with `student` and `exercise`.
        one: `handed_in.Found`.
        course: Path of nbgrader's folder.

    Returns:
        True or False.
    """
    name = f"{row['student']}/{row['exercise']}"
    return known_digests(course).get(name) == (_digest(one, course, row["exercise"]) or None)


def write(row, one, result, course):
    """Write an executed submission into the gradebook.

    Args:
        row: Dictionary with `student`, `exercise` and `told`.
        one: `handed_in.Found`.
        result: What `execute` returned.
        course: Path of nbgrader's folder.

    Returns:
        Why that was not possible, or "".
    """
    from nbgrader import preprocessors
    from nbgrader.api import Gradebook
    from nbgrader.converters import Autograde

    student, exercise = row["student"], row["exercise"]
    try:
        keep_digest(course, f"{student}/{exercise}", "")
        digest = _digest(one, course, exercise)
        folder = course / EXECUTED / student / exercise
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name, path in one.beside.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)
        notebook = nbformat.reads(result["notebook"], 4)
        remove_scripts(notebook)
        notebook.metadata["vae_course"] = {"told": [*row["told"], *result["told"]]}
        write_notebook(notebook, folder / f"{exercise}.ipynb")
        # It is executed already, and its cells come from the release.
        skipped = (preprocessors.Execute, preprocessors.ClearOutput)
        kinds = ("sanitize_preprocessors", "autograde_preprocessors")
        made = {kind: getattr(Autograde, kind).default() for kind in kinds}
        steps = {k: [step for step in steps if step not in skipped] for k, steps in made.items()}
        if reason := convert(Autograde, course, exercise, student, EXECUTED, **steps):
            return f"nbgrader failed: {reason}"
        with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
            for name in result["reading"]:
                book.find_grade(name, exercise, exercise, student).needs_manual_grade = True
            book.db.commit()
        keep_digest(course, f"{student}/{exercise}", digest)
    except Exception as error:  # of any kind, such as a full disk: the others are still graded
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return ""


def read_points(row, course):
    """Fill in the numbers of a row, and what is to know, from the gradebook.

    Args:
        row: Dictionary with `student`, `exercise` and `told`.
        course: Path of nbgrader's folder.
    """
    from nbgrader.api import Gradebook

    name, student = row["exercise"], row["student"]
    with contextlib.suppress(OSError, ValueError, LookupError):
        path = course / EXECUTED / student / name / f"{name}.ipynb"
        kept = json.loads(path.read_text(encoding="utf-8"))["metadata"]["vae_course"]["told"]
        row["told"] = list(dict.fromkeys([*row["told"], *kept]))
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        grades = book.find_submission_notebook(name, name, student).grades
        row["tasks"] = {cell.name: cell.score or 0.0 for cell in grades}
        row["points"] = sum(row["tasks"].values())
        row["of"] = sum(cell.max_score for cell in grades)
        unread = [c for c in grades if c.needs_manual_grade and c.manual_score is None]
        row["still to read"] = sum(cell.max_score for cell in unread)
