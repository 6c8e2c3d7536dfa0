"""Grade what a class has handed in: workers execute and judge, this process alone writes the gradebook."""

import contextlib
from pathlib import Path

import nbformat
from tqdm import tqdm

from vae_course import data
from vae_course.grading import cage, gradebook, handed_in
from vae_course.grading.clean import clean, read, resemblance
from vae_course.grading.execute import execute
from vae_course.runs import cluster, files
from vae_course.teaching.notebooks import read_notebook
from vae_course.teaching.release import EXERCISES, prepare

INTERRUPTED = "interrupted: run the same command again to continue from here"
BYTES = 3_000_000_000  # that a worker needs for its judge and the kernel of one submission


def grade(
    submissions, course, exercises=EXERCISES, kind=None, trust=False, scheduler=None, workers=None
):
    """Grade the submissions that are new or have changed, and list the grades of all.

    Args:
        submissions: Path of a folder with a folder, a zip or files for each student, or of a zip of these. It
            may be `course/submitted`, where nbgrader collects.
        course: Path of a folder for nbgrader's gradebook and results, which is created if it is missing.
        exercises: Path of the folder of exercises, with solutions.
        kind: Which cage to use, one of `cage.KINDS`; None for bubblewrap.
        trust: Whether to run submissions without a cage where there is none.
        scheduler: Address of a Dask scheduler, such as "tcp://host:8786"; None to start workers here.
        workers: How many workers to start here; None for one for each core, if the memory suffices.

    Returns:
        List of dictionaries, by student and exercise: `student`, `exercise`, the numbers `points`, `of` and
        `still to read`, or the `problem` with the notebook; `told`, which is what to know; and `tasks`, a
        dictionary of points. After Ctrl-C, the rows that are not graded yet have the problem `INTERRUPTED`.

    Raises:
        FileNotFoundError: If there are no submissions.
        ValueError: If one of the two folders is inside the other, or an exercise itself is broken.
        RuntimeError: If there is no cage, and no trust.
        OSError: If the scheduler does not answer, or another process is grading into `course`.
    """
    submissions, course = Path(submissions).resolve(), Path(course).resolve()
    collected = submissions == course / "submitted"
    if (submissions.is_relative_to(course) and not collected) or course.is_relative_to(submissions):
        raise ValueError(
            f"One of {course} and {submissions} is inside the other: choose another folder with --out."
        )
    sources = {path.stem: path for path in Path(exercises).glob("ex[0-9][0-9]_*.ipynb")}
    releases = {p.stem: read_notebook(p) for p in prepare(course, exercises)}
    with files.lock(course):
        found = handed_in.find(submissions, course / "unpacked", list(releases), collected)
        tasks = [_identified(one, releases) for one in found]
        _keep_last_attempts(tasks)
        rows = [row for row, _, _ in tasks]
        todo = [
            (row, one, cells)
            for row, one, cells in tasks
            if not row["problem"] and not gradebook.is_graded(row, one, course)
        ]
        if todo:
            _grade_all(todo, sources, releases, course, (kind, trust), (scheduler, workers))
        for row in rows:
            if not row["problem"]:
                gradebook.read_points(row, course)
    return rows


def _row(one):
    numbers = {"points": "", "of": "", "still to read": ""}
    names = {"student": one.student, "exercise": one.exercise}
    return names | numbers | {"problem": one.problem, "told": one.told, "tasks": {}}


def _identified(one, releases):
    """Return a row, what was found, and its cells, having told which exercise it is."""
    cells = []
    if one.path:
        try:
            cells = read(one.path)
        except (OSError, ValueError) as error:
            one.problem = f"{one.path.name}: {error}"
    if cells and one.exercise not in releases:
        likeness = {name: resemblance(cells, release) for name, release in releases.items()}
        best = max(likeness, key=likeness.get)
        if likeness[best] > 0.5:
            one.told.append(f"{one.path.name} was taken for it, because it holds its tasks")
            one.exercise = best
        else:
            one.problem = (
                f"{one.path.name} is none of {', '.join(releases)}, by name or by its tasks"
            )
    return _row(one), one, cells


def _keep_last_attempts(tasks):
    """Let the last of several attempts count, and say so; two numbers at one name are two students."""
    attempts, numbers = {}, {}
    for _, one, _ in tasks:
        numbers.setdefault((one.student, one.exercise), set()).add(one.number)
    for row, one, _ in tasks:
        if len(numbers[one.student, one.exercise]) > 1 and one.number:
            row["student"] = f"{one.student} ({one.number})"
        if not row["problem"]:
            attempts.setdefault((row["student"], one.exercise), []).append((one.attempt, row, one))
    for several in attempts.values():
        *earlier, (_, last, one) = sorted(several, key=lambda attempt: attempt[0])
        for _, row, other in earlier:
            row["problem"] = f"an earlier attempt, {other.path.name}: {one.path.name} counts"
        if earlier:
            last["told"].append(f"the last of {len(several)} attempts counts, {one.path.name}")


def _grade_all(todo, sources, releases, course, cage_wanted, where):
    """Let workers execute submissions, and write each into the gradebook as soon as it is there."""
    dataset = "digits" if data.load_digits().name == "embedded digits" else "mnist"
    # In this order, because the judge keeps what an exercise needs.
    waiting, left = iter(sorted(todo, key=lambda task: task[0]["exercise"])), {}
    for row, _, _ in todo:
        row["problem"] = INTERRUPTED
        left[row["student"]] = left.get(row["student"], 0) + 1
    with (
        cluster.connect(*where, len(todo), BYTES) as client,
        contextlib.suppress(KeyboardInterrupt),
    ):
        from distributed import as_completed  # only now that its settings are read

        kind = client.submit(cage.choose, *cage_wanted, pure=False).result()
        running, done = {}, as_completed(loop=client.loop)

        def submit_next():
            for row, one, cells in waiting:
                try:
                    notebook, told = clean(cells, releases[row["exercise"]])
                    task = {
                        "notebook": nbformat.writes(notebook),
                        "exercise": sources[row["exercise"]].read_text(encoding="utf-8"),
                        "files": {name: path.read_bytes() for name, path in one.beside.items()},
                        "dataset": dataset,
                        "cage": kind,
                        "limits": cage.LIMITS,
                    }
                except Exception as error:  # of any kind, so that the others are still graded
                    row["problem"] = f"{type(error).__name__}: {error}"
                    bar.update()
                    continue
                row["told"] += told
                future = client.submit(execute, task, pure=False)
                running[future] = row, one
                done.add(future)
                return

        options = {"desc": "grading", "unit": "notebook", "ncols": 110, "disable": None}
        with tqdm(total=len(todo), **options) as bar:
            for _ in range(2 * max(1, len(client.nthreads()))):
                submit_next()
            for future in done:
                row, one = running.pop(future)
                submit_next()
                row["problem"] = _problem(future) or gradebook.write(
                    row, one, future.result(), course
                )
                left[row["student"]] -= 1
                bar.update()
                bar.set_postfix_str(f"{sum(map(bool, left.values()))} students left")


def _problem(future):
    """Say why a submission could not be executed, or return ""."""
    if future.cancelled():
        return "the scheduler is gone: run the same command again"
    if error := future.exception():
        if type(error).__name__ == "KilledWorker":
            return "its worker was killed each time: look at the notebook before you run it again"
        return f"{type(error).__name__}: {error}".splitlines()[0][:300]
    return ""
