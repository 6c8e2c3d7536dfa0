"""What real students hand in is graded cell by cell; what is graded once is not executed again."""

import csv
import io
import os
import shutil
import unicodedata
import zipfile

import nbformat
import psutil
import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from nbgrader.api import Gradebook
from small import FIRST, HAS_CAGE, RIGHT, SECOND, cell, change, hand_in, write_exercises

from vae_course.cli import main
from vae_course.grading import cage, grade, gradebook, report
from vae_course.teaching import release

SOLVED = {name: source for name, source in RIGHT.items() if name not in ("y", "why")}


def notebook_of(*cells):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])


# Ways in which an honest student's right notebook arrives, by what is done to its path and JSON, and what
# the instructor is told. It has all 4 points, or as many as stand there.
def copied_check(path, raw):
    raw["cells"].insert(3, {**raw["cells"][3], "id": "copy"})


def copied_solution(path, raw):
    (place,) = [n for n, c in enumerate(raw["cells"]) if c["id"] == "x"]
    raw["cells"].insert(place, {**raw["cells"][place], "id": "copy", "source": "x = 5"})


def deleted_task(path, raw):
    raw["cells"] = [c for c in raw["cells"] if c["id"] not in ("x", "x-check")]


def deleted_check(path, raw):
    raw["cells"] = [c for c in raw["cells"] if c["id"] != "normal-check"]


def deleted_setup(path, raw):
    raw["cells"] = [c for c in raw["cells"] if c["id"] != "setup"]


def of_last_year(path, raw):
    old = cell("code", "old_verdict = exercises.check_old(1)", "old-check", grade=True, points=3)
    raw["cells"].insert(4, {**old, "outputs": [], "execution_count": None})


def by_colab(path, raw):
    raw["nbformat_minor"] = 0
    raw["metadata"] |= {"colab": {"provenance": []}, "widgets": {"application/x": {"x": {}}}}
    for each in raw["cells"]:
        each["metadata"] |= {"id": each.pop("id"), "colab": {"base_uri": "x"}, "outputId": "x"}


def without_ids(path, raw):
    raw["nbformat_minor"] = 4
    for each in raw["cells"]:
        del each["id"]


def same_ids(path, raw):
    for each in raw["cells"]:
        each["id"] = "same"


def without_metadata(path, raw):
    for each in raw["cells"]:
        each["metadata"] = {}


def own_names(path, raw):
    raw["cells"].insert(2, notebook_of("exercises = checks = [1, 2]\nx_verdict = 3").cells[0])


def standard_error(path, raw):
    for each in raw["cells"]:
        if each["id"] == "normal":
            text = "".join(each["source"])
            logging = ":\n    import sys\n    print('log', file=sys.stderr)\n"
            each["source"] = text.replace(":\n", logging)


def broken_outputs(path, raw):
    raw["cells"][3]["outputs"] = [{"output_type": "pyout"}]
    raw["cells"][3]["execution_count"] = "many"


def broken_cell(path, raw):
    raw["cells"].insert(2, notebook_of("def f(:").cells[0])


def borrowed(path, raw):
    for each in raw["cells"]:
        if each["id"] == "normal":
            lines = ["from vae_course.exercises import ex02\n", "kl_normal = ex02._normal_kl"]
            each["source"] = lines


def raises(path, raw):
    for each in raw["cells"]:
        if each["id"] == "x":
            each["source"] = "x = 1.3069\nraise OSError('no file\\n\\x1b[31m')"


def changed_kinds(path, raw):
    for each in raw["cells"]:
        if each["id"] == "x-check":
            each["cell_type"] = "markdown"


TRIALS = {
    copied_check: "x-check is there 2 times: the last one is graded",
    copied_solution: "x is there 2 times: the last one is graded",
    deleted_task: "restored, because it was deleted: x, x-check",
    deleted_check: "restored, because it was deleted: normal-check",
    deleted_setup: "",
    of_last_year: "cell 5, old-check, is not of this release",
    by_colab: "",
    without_ids: "",
    same_ids: "",
    without_metadata: "",
    own_names: "",
    standard_error: "",
    broken_outputs: "",
    broken_cell: "",
    borrowed: "look at cell normal, whose answer uses 'vae_course'",
    raises: "cell x raised OSError: no file",
    changed_kinds: "",
}
POINTS = {deleted_task: 3, borrowed: 2}


def as_zip(path, names):
    """Write a zip with the same bytes under each name."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in names.items():
            archive.writestr(name, content)


def write_class(first, second, folder):
    """Write a class; return the points by student and exercise, or a part of the problem's line."""
    wanted = {}
    for trial in TRIALS:
        path = hand_in(first, folder / trial.__name__, SOLVED)
        change(path, lambda raw, path=path, trial=trial: trial(path, raw))
        wanted[trial.__name__, FIRST] = POINTS.get(trial, 4)
    whole = hand_in(first, folder / "bom", SOLVED)
    content = whole.read_bytes()
    whole.write_bytes(b"\xef\xbb\xbf" + content)
    (folder / "bom" / ".DS_Store").write_bytes(b"x")
    # Names
    hand_in(first, folder / "Jürgen [2] Groß", SOLVED, f"{FIRST} (1).ipynb")
    hand_in(first, folder / unicodedata.normalize("NFD", "Zoë"), SOLVED, f"Kopie von {FIRST}.ipynb")
    hand_in(second, folder / "renamed", {"y": "y = 1"}, "final version.ipynb")
    # Flat files and zips, as Canvas and Moodle name them, with what zips of a Mac contain
    (folder / f"lovelaceada_LATE_123_4567_{FIRST}-1.ipynb").write_bytes(first.read_bytes())
    (folder / f"lovelaceada_123_4568_{FIRST}-2.ipynb").write_bytes(content)
    hand_in(second, folder, {"y": "y = 1"}, f"Ada King_99_assignsubmission_file_{SECOND}.ipynb")
    (folder / f"flat_{FIRST}.ipynb").write_bytes(content)
    mac = {
        f"__MACOSX/._{FIRST}.ipynb": b"x",
        ".DS_Store": b"x",
        f"exercises/{FIRST}.ipynb": content,
    }
    as_zip(folder / "zip.zip", mac)
    (folder / "Bo Li_77_assignsubmission_file_").mkdir()
    as_zip(folder / "Bo Li_77_assignsubmission_file_" / "work.zip", mac)
    wanted |= {
        ("bom", FIRST): 4,
        ("Jürgen _2_ Groß", FIRST): 4,
        ("Zoë", FIRST): 4,
        ("renamed", SECOND): 2,
        ("lovelaceada", FIRST): 4,
        ("Ada King", SECOND): 2,
        ("flat", FIRST): 4,
        ("zip", FIRST): 4,
        ("Bo Li", FIRST): 4,
    }
    # Files beside
    beside = "import glob, beside\nx = float(open('data/number.txt').read()) * beside.ONE"
    hand_in(first, folder / "beside", SOLVED | {"x": beside})
    (folder / "beside" / "data" / "more").mkdir(parents=True)
    (folder / "beside" / "data" / "number.txt").write_text("1.3069")
    (folder / "beside" / "beside.py").write_text("ONE = 1")
    wanted["beside", FIRST] = 4
    # What cannot be graded
    hand_in(first, folder / "damaged").write_text('{"cells": [')
    (folder / "nothing").mkdir()
    (folder / "nothing" / "notes.txt").write_text("sorry")
    (folder / "other").mkdir()
    nbformat.write(notebook_of("1"), folder / "other" / "my_notes.ipynb")
    (folder / "bad zip").mkdir()
    (folder / "bad zip" / "work.zip").write_bytes(b"PK")
    (folder / "twice" / "old").mkdir(parents=True)
    hand_in(first, folder / "twice" / "old")
    hand_in(first, folder / "twice", SOLVED)
    os.utime(folder / "twice" / "old" / first.name, (1, 1))
    shutil.copytree(folder / "twice" / "old", folder / "twice" / ".ipynb_checkpoints")
    wanted |= {
        ("damaged", FIRST): "it is damaged or no notebook (JSONDecodeError",
        ("nothing", "-"): "no notebook in what this student handed in",
        ("other", "my_notes"): f"my_notes.ipynb is none of {FIRST}, {SECOND}",
        ("bad zip", "-"): "work.zip cannot be unpacked: File is not a zip file",
        ("twice", FIRST): 4,
    }
    # Plain answers
    hand_in(first, folder / "blank")
    hand_in(first, folder / "text", {"why": "I was told to."})
    wanted |= {("blank", FIRST): 0, ("text", FIRST): 0}
    return wanted


class Course:
    """Two small exercises, and a class."""

    def __init__(self, root):
        self.exercises, self.submissions = root / "exercises", root / "submissions"
        self.folder = root / "course"
        write_exercises(self.exercises)
        released = release.prepare(self.folder, self.exercises)
        self.wanted = write_class(*released, self.submissions)

    def command(self, *options):
        """Call `vae-course grade`."""
        trust = () if HAS_CAGE else ("--trust-students",)
        arguments = ["grade", str(self.submissions), "--out", str(self.folder), *trust, *options]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(grade, "EXERCISES", self.exercises)
            patch.setattr(cage, "LIMITS", cage.LIMITS | {"cell": 20})
            patch.setenv("VAE_COURSE_DATASET", "digits")
            result = CliRunner().invoke(main, arguments)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return result

    def executed(self):
        """Return when each submission was executed, by its path."""
        paths = self.folder.glob("executed/*/*/*.ipynb")
        return {path.relative_to(self.folder).parts[1]: path.stat().st_mtime_ns for path in paths}


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return Course(tmp_path_factory.mktemp("grading"))


@pytest.fixture(scope="module")
def graded(small):
    """Give what the command says of the whole class."""
    return small.command("--feedback")


def rows_of(path):
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_each_notebook_is_graded_or_told(small, graded):
    """One row each, with the points, or with the reason."""
    assert graded.exit_code == 1 and "Traceback" not in graded.output
    rows = {}
    for row in rows_of(small.folder / "grades.csv"):
        if "earlier attempt" in row["problem"]:
            assert row["student"] in ("lovelaceada", "twice")
        else:
            rows[row["student"], row["exercise"]] = row
    assert set(rows) == set(small.wanted)
    for pair, wanted in small.wanted.items():
        found = rows[pair]["problem"] or float(rows[pair]["points"])
        if isinstance(wanted, str):
            assert wanted in found
            assert f"NOT GRADED {pair[0]}, {pair[1]}: {found}" in graded.output
        else:
            assert found == wanted, (pair, rows[pair])
    read = {pair for pair, row in rows.items() if row["still to read"] == "2.0"}
    assert read == {("text", FIRST)}


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.__name__)
def test_the_instructor_is_told_what_was_mended(trial, graded):
    """A note for what may matter, and none for what does not."""
    notes = [n for n in graded.output.splitlines() if n.startswith(f"NOTE {trial.__name__}, ")]
    assert any(TRIALS[trial] in note for note in notes) if TRIALS[trial] else not notes


def test_of_two_attempts_the_last_one_counts_and_both_are_told(graded):
    """By the number that Canvas gives them, or by time."""
    for student in ("lovelaceada", "twice"):
        (line,) = [n for n in graded.output.splitlines() if n.startswith(f"NOTE {student}, ")]
        assert "the last of 2 attempts counts" in line
        assert f"NOT GRADED {student}, {FIRST}: an earlier attempt" in graded.output


def test_a_table_has_a_column_for_each_task(small, graded):
    """And a row for each student."""
    rows = {row["student"]: row for row in rows_of(small.folder / "tasks.csv")}
    assert set(rows) == {student for student, _ in small.wanted}
    mine = rows["deleted_task"]
    assert [mine[f"{FIRST}/{name}-check"] for name in ("x", "letter", "normal")] == [
        "0.0",
        "1.0",
        "2.0",
    ]
    assert mine["points"] == "3.0" and mine[f"{SECOND}/y-check"] == ""


def test_each_student_gets_a_page(small, graded):
    """With the points, also from a notebook with Colab's metadata."""
    pages = {p.relative_to(small.folder).parts[1] for p in small.folder.glob("feedback/*/*/*.html")}
    graded_ones = {pair[0] for pair, wanted in small.wanted.items() if not isinstance(wanted, str)}
    assert pages == graded_ones and "NO PAGE" not in graded.output
    (page,) = small.folder.glob("feedback/by_colab/*/*.html")
    assert "agrees on 3 fresh random inputs" in page.read_text(encoding="utf-8")


def test_only_what_changed_is_graded_again(small, graded):
    """A new file beside a notebook, or a new exercise, counts as a change; what a person gave stays."""
    with Gradebook(f"sqlite:///{small.folder / 'gradebook.db'}") as book:
        text = book.find_grade("why", FIRST, FIRST, "text")
        text.manual_score, text.needs_manual_grade = 2, False
        book.db.commit()
    for entry in small.submissions.iterdir():
        if entry.name not in ("text", "beside", "renamed"):
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    before = small.executed()
    (small.submissions / "beside" / "data" / "number.txt").write_text("5")
    small.command()
    after = small.executed()
    assert {name for name in after if after[name] != before[name]} == {"beside"}
    rows = {row["student"]: row for row in rows_of(small.folder / "grades.csv")}
    assert [rows["beside"]["points"], rows["text"]["points"]] == ["3.0", "2.0"]
    assert rows["text"]["still to read"] == "0"
    source = small.exercises / f"{SECOND}.ipynb"
    source.write_text(source.read_text(encoding="utf-8").replace("* 2", "* 1"), encoding="utf-8")
    small.command()
    again = small.executed()
    assert {name for name in again if again[name] != after[name]} == {"renamed"}
    rows = {row["student"]: row for row in rows_of(small.folder / "grades.csv")}
    assert rows["renamed"]["points"] == "1.0"


@pytest.fixture
def three(tmp_path, monkeypatch):
    """Give the arguments of `grade` for three students, collected by nbgrader and not graded yet."""
    write_exercises(tmp_path / "exercises")
    _, second = release.prepare(tmp_path / "course", tmp_path / "exercises")
    for student in ("ada", "bo", "cy"):
        hand_in(second, tmp_path / "course" / "submitted" / student / SECOND, {"y": "y = 1"})
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    folders = {name: tmp_path / name for name in ("course", "exercises")}
    return {
        "submissions": tmp_path / "course" / "submitted",
        **folders,
        "trust": True,
        "workers": 1,
    }


def problems(rows):
    return {row["student"]: row["problem"] for row in rows}


def test_what_was_interrupted_or_did_not_fit_on_the_disk_is_graded_later(three, monkeypatch):
    """Nothing that is graded already is executed again."""
    written, called = gradebook.write, []

    def fails(error, at):
        def write(row, *rest):
            called.append(row["student"])
            if len(called) == at:
                raise error
            return written(row, *rest)

        monkeypatch.setattr(gradebook, "write", write)

    fails(KeyboardInterrupt, 2)
    rows = grade.grade(**three)
    assert sum(problem == grade.INTERRUPTED for problem in problems(rows).values()) == 2
    first = called[0]
    assert problems(rows)[first] == ""
    monkeypatch.setattr(gradebook, "write", written)
    write = gradebook.write_notebook

    def full(notebook, path):
        if "cy" in str(path):
            raise OSError(28, "No space left on device")
        write(notebook, path)

    monkeypatch.setattr(gradebook, "write_notebook", full)
    rows = grade.grade(**three)
    assert [name for name, problem in problems(rows).items() if problem] == ["cy"]
    assert "No space left" in problems(rows)["cy"]
    monkeypatch.setattr(gradebook, "write_notebook", write)
    fails(None, 0)
    called.clear()
    rows = grade.grade(**three)
    assert called == ["cy"] and not any(problems(rows).values())
    assert [row["points"] for row in rows] == [2, 2, 2]


def test_a_cluster_elsewhere_grades(three):
    """Also one whose workers have several threads."""
    with LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address="127.0.0.1:0"
    ) as elsewhere:
        three |= {"scheduler": elsewhere.scheduler_address, "workers": None}
        rows = grade.grade(**three)
    assert not any(problems(rows).values())
    assert [row["points"] for row in rows] == [2, 2, 2]


def test_a_killed_worker_loses_nothing(three, monkeypatch):
    """Another one does its work, and no kernel is left behind."""
    written, killed = gradebook.write, []

    def kill_a_worker(row, *rest):
        if not killed:
            workers = [
                p for p in psutil.Process().children() if "spawn_main" in " ".join(p.cmdline())
            ]
            killed.extend(workers[:1])
            killed[0].kill()
        return written(row, *rest)

    monkeypatch.setattr(gradebook, "write", kill_a_worker)
    rows = grade.grade(**three)
    assert killed and not any(problems(rows).values())
    assert [row["points"] for row in rows] == [2, 2, 2]
    left = [" ".join(p.cmdline()) for p in psutil.Process().children(recursive=True)]
    assert not [line for line in left if "ipykernel" in line]


def test_folders_inside_each_other_are_refused(tmp_path):
    """Grading would take its own results for submissions, or overwrite what was handed in."""
    (tmp_path / "ada").mkdir()
    for out in (tmp_path, tmp_path / "out", tmp_path.parent):
        result = CliRunner().invoke(main, ["grade", str(tmp_path), "--out", str(out)])
        assert result.exit_code == 1 and "is inside the other" in result.output.replace("\n", " ")
    assert [p.name for p in tmp_path.iterdir()] == ["ada"]


def test_an_empty_folder_is_told(tmp_path):
    """With what to put there."""
    write_exercises(tmp_path / "exercises")
    (tmp_path / "in").mkdir()
    with pytest.raises(FileNotFoundError, match="make one folder for each student"):
        grade.grade(tmp_path / "in", tmp_path / "out", tmp_path / "exercises")


def test_problems_are_told_after_the_table():
    """In the order of the students, so that nobody is overlooked."""
    row = {"student": "ada", "exercise": FIRST, "points": 1.0, "of": 2.0, "still to read": 0.0}
    row |= {"problem": "", "told": ["one"], "tasks": {}}
    lines = report.table([row, row | {"student": "bo", "problem": "lost", "told": []}]).splitlines()
    assert lines[1].split() == ["ada", FIRST, "1.0", "2", "0"]
    assert lines[2:] == [f"NOT GRADED bo, {FIRST}: lost", f"NOTE ada, {FIRST}: one"]
