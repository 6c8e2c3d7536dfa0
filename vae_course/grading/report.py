"""Report the grades of a class: as text, as tables with a column for each task, and as pages for students."""

from vae_course.atomic import write_rows
from vae_course.teaching.release import convert


def table(rows):
    """Lay out what `grade` returned as text: a line for each notebook, then what is to know.

    Args:
        rows: What `grade` returned.

    Returns:
        Text.
    """
    width = max(7, *(len(row["student"]) for row in rows))
    lines = [f"{'student':{width}}  {'exercise':30}  points    of  still to read"]
    told = []
    for row in rows:
        name = f"{row['student']}, {row['exercise']}"
        if row["problem"]:
            told.append(f"NOT GRADED {name}: {row['problem']}")
        else:
            numbers = f"{row['points']:6.1f}{row['of']:6.0f}{row['still to read']:15.0f}"
            lines.append(f"{row['student']:{width}}  {row['exercise']:30}  {numbers}")
        told += [f"NOTE {name}: {words}" for words in row["told"]]
    return "\n".join(lines + sorted(told))


def write_tables(rows, course):
    """Write `grades.csv`, with a row for each notebook, and `tasks.csv`, with a column for each task.

    Args:
        rows: What `grade` returned.
        course: Path of the folder for the files.
    """
    flat = [{**row, "told": "; ".join(row["told"])} for row in rows]
    for row in flat:
        del row["tasks"]
    write_rows(course / "grades.csv", flat)
    columns = {f"{row['exercise']}/{task}": "" for row in rows for task in row["tasks"]}
    students = {
        row["student"]: {"student": row["student"], "points": 0.0} | columns for row in rows
    }
    for row in rows:
        mine = students[row["student"]]
        mine["points"] += row["points"] or 0.0
        mine |= {f"{row['exercise']}/{task}": points for task, points in row["tasks"].items()}
    write_rows(course / "tasks.csv", list(students.values()))


def write_feedback(rows, course):
    """Write nbgrader's pages for students into `feedback/STUDENT/EXERCISE`.

    Args:
        rows: What `grade` returned.
        course: Path of nbgrader's folder.

    Returns:
        What went wrong, a list of lines.
    """
    from nbgrader.converters import GenerateFeedback

    graded = [row for row in rows if not row["problem"]]
    failed = [
        (row, convert(GenerateFeedback, course, row["exercise"], row["student"])) for row in graded
    ]
    return [f"NO PAGE {r['student']}, {r['exercise']}: {reason}" for r, reason in failed if reason]
