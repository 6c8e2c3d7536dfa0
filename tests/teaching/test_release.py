"""What students get: no solution in it, nothing missing; a broken exercise is refused by name."""

import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import PurePosixPath

import nbformat
import pytest
from click.testing import CliRunner
from pins import ROOT

from vae_course.cli import main
from vae_course.teaching import lab, release

NAMES = [path.name for path in sorted(release.EXERCISES.glob("*.ipynb"))]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give the zip, made once by the command, and the folder for nbgrader."""
    out = tmp_path_factory.mktemp("student")
    result = CliRunner().invoke(main, ["student", "--out", str(out)])
    assert result.exit_code == 0, result.output
    assert str(out / "vae-course-exercises.zip") in result.output
    return out


@pytest.fixture(scope="module")
def released(made):
    """Give the released notebooks of the zip, by name."""
    with zipfile.ZipFile(made / "vae-course-exercises.zip") as archive:
        folder = "vae-course-exercises/notebooks/exercises/"
        return {
            name.removeprefix(folder): nbformat.reads(archive.read(name).decode(), as_version=4)
            for name in archive.namelist()
            if name.startswith(folder)
        }


def test_the_zip_holds_all_that_a_student_needs(made, released):
    """Notebooks, lessons beside them, the package, instructions; nothing built, no tests, no gradebook."""
    assert len(NAMES) == 9 and sorted(released) == NAMES
    with zipfile.ZipFile(made / "vae-course-exercises.zip") as archive:
        names = {name.removeprefix("vae-course-exercises/") for name in archive.namelist()}
        size = sum(info.compress_size for info in archive.infolist())
        start = archive.read("vae-course-exercises/START_HERE.md").decode()
    assert {
        "pyproject.toml",
        "requirements.lock",
        "Makefile",
        "make_venv.py",
        "data/registry.txt",
    } <= names
    assert {"vae_course/exercises/choices.json", "vae_course/trained/vae-100-digits.keras"} <= names
    assert "notebooks/01_autoencoder_latent_gaps.ipynb" in names
    assert not [n for n in names if "__pycache__" in n or n.startswith("tests") or ".db" in n]
    assert "make lab" in start and "Hand in" in start
    assert size < 11_500_000  # models and pictures; MNIST, for one, would double it


def test_lessons_can_be_copied_from_the_zip(made, tmp_path):
    """With the expected numbers; its exercises are blank already, and stay as they are."""
    with zipfile.ZipFile(made / "vae-course-exercises.zip") as archive:
        archive.extractall(tmp_path)
    source = tmp_path / "vae-course-exercises" / "notebooks"
    assert lab.copy_lessons(source, tmp_path / "mine") == []
    assert (tmp_path / "mine" / "numbers.json").exists()
    for name in NAMES:
        given, copied = (
            nbformat.read(folder / "exercises" / name, as_version=4)
            for folder in (source, tmp_path / "mine")
        )
        assert [cell.source for cell in copied.cells] == [cell.source for cell in given.cells]


def test_hidden_files_and_old_dates_change_nothing(tmp_path, monkeypatch):
    """What a file manager leaves is not released; a zip has no dates before 1980."""
    monkeypatch.setattr(release, "ROOT", tmp_path)
    for name in ("a.py", ".DS_Store", ".ipynb_checkpoints/a.py", "__pycache__/a.pyc"):
        (tmp_path / "vae_course" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "vae_course" / name).touch()
    assert release._files_in("vae_course") == [tmp_path / "vae_course" / "a.py"]
    os.utime(tmp_path / "vae_course" / "a.py", (0, 0))
    monkeypatch.setattr(release, "STUDENT_FILES", [])
    monkeypatch.setattr(release, "prepare", lambda *_: [])
    monkeypatch.setattr(release, "EXERCISES", tmp_path)
    (tmp_path / "START_HERE.md").touch()
    assert (
        "vae-course-exercises/vae_course/a.py"
        in zipfile.ZipFile(release.make_zip(tmp_path)).namelist()
    )


@pytest.mark.parametrize("text", ["{", "null", "[]"])
def test_damaged_digests_are_as_none(tmp_path, text):
    """Everything is released and graded again."""
    (tmp_path / "gradebook.db").touch()
    (tmp_path / "digests.json").write_text(text)
    assert release.known_digests(tmp_path) == {}


def test_what_a_student_reads_leads_somewhere(made):
    """In the README, the instructions, the lessons and the exercises, no link to a file is dead."""
    with zipfile.ZipFile(made / "vae-course-exercises.zip") as archive:
        names, dead = {PurePosixPath(name) for name in archive.namelist()}, []
        pages = [page for page in names if page.suffix in (".md", ".ipynb")]
        for page in pages:
            text = archive.read(str(page)).decode()
            if page.suffix == ".ipynb":
                cells = nbformat.reads(text, as_version=4).cells
                text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
            for link in re.findall(r"\]\(([^()\s#]+)(?:#[^()\s]*)?\)", text):
                target = PurePosixPath(os.path.normpath(page.parent / link))
                if not re.match(r"\w+:", link) and target not in names:
                    dead.append(f"{page}: {link}")
    assert len(pages) > 20 and not dead


def test_the_package_can_be_installed_from_the_zip(made, tmp_path):
    """Nothing that its build needs was left out: a wheel of it holds the package and its extension."""
    with zipfile.ZipFile(made / "vae-course-exercises.zip") as archive:
        archive.extractall(tmp_path)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "."]
    folder = tmp_path / "vae-course-exercises"
    output = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert output.returncode == 0, output.stdout + output.stderr
    (wheel,) = folder.glob("vae_course-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert "vae_course/exercises/choices.json" in names
    assert [n for n in names if n.endswith("labextensions/vae-course-rise/package.json")]


def solutions(path):
    """List the lines of solutions and hidden tests, without those that also stand elsewhere."""
    secret, public = [], set()
    for cell in nbformat.read(path, as_version=4).cells:
        inside = cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution")
        for line in map(str.strip, cell.source.splitlines()):
            if mark := re.search(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS)", line):
                inside = mark.group(1) == "BEGIN"
            elif inside:
                secret.append(line)
            else:
                public.add(line)
    return [line for line in secret if line and line not in public]


@pytest.mark.parametrize("name", NAMES)
def test_no_solution_survives(name, released):
    """No line of a solution or a hidden test, no mark, no output; each blank says where to write."""
    secret = solutions(release.EXERCISES / name)
    assert len(secret) >= 10
    text = "\n".join(cell.source for cell in released[name].cells)
    lines = {line.strip() for line in text.splitlines()}
    assert not [line for line in secret if line in lines]
    assert "SOLUTION" not in text and "HIDDEN" not in text and ".points(" not in text
    for cell in released[name].cells:
        assert not cell.get("outputs") and cell.get("execution_count") is None
        mine = cell.metadata.get("nbgrader", {})
        if mine.get("solution"):
            assert "YOUR CODE HERE" in cell.source or "write your answer" in cell.source, cell.id


def test_released_blanks_are_valid_python(released):
    """A blank raises nothing: every cell compiles, and nothing in it is left to fail."""
    for name, notebook in released.items():
        for cell in notebook.cells:
            if cell.cell_type == "code":
                compile(cell.source, f"{name}:{cell.id}", "exec")
                assert "NotImplementedError" not in cell.source


def test_checks_and_answers_are_protected_as_nbgrader_does(released):
    """Checks cannot be edited, answers not deleted; the points are those of the source."""
    for name, notebook in released.items():
        for cell in notebook.cells:
            if "nbgrader" in cell.metadata:
                assert cell.metadata.deletable is False, (name, cell.id)
                locked = cell.metadata.nbgrader.locked
                assert locked == (cell.metadata.get("editable") is False)


def test_nothing_is_left_in_the_repository(made):
    """No gradebook, no log, no changed file: all is under the folder that was asked for."""
    ours = ("build", ".venv")
    stray = [p for p in ROOT.rglob("gradebook.db") if not any(d.startswith(ours) for d in p.parts)]
    assert not stray
    command = ["git", "status", "--porcelain", "--ignored", "--", "notebooks", "vae_course"]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert not [line for line in output.stdout.splitlines() if ".db" in line or "release/" in line]
    assert {p.name for p in (made / "nbgrader").iterdir()} == {
        "digests.json",
        "gradebook.db",
        "nbgrader_config.json",
        "release",
        "source",
    }


def test_nbgraders_own_commands_take_the_folder(made):
    """The configuration is one that nbgrader reads; what it releases is the same."""
    folder = made / "nbgrader"
    name = NAMES[1].removesuffix(".ipynb")
    before = (folder / "release" / name / NAMES[1]).read_bytes()
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", name, "--force"]
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "JUPYTER_CONFIG_DIR": str(made / "none")}
    output = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert output.returncode == 0, output.stderr
    assert (folder / "release" / name / NAMES[1]).read_bytes() == before


def broken(tmp_path, change, cell="kl-check"):
    """Copy exercise 2 with something changed in a cell; return its folder."""
    raw = json.loads((release.EXERCISES / NAMES[1]).read_text(encoding="utf-8"))
    change(next(c for c in raw["cells"] if c["id"] == cell))
    (tmp_path / NAMES[1]).write_text(json.dumps(raw), encoding="utf-8")
    return tmp_path


def without(key):
    """Return a change that removes a part of nbgrader's metadata."""
    return lambda cell: cell["metadata"]["nbgrader"].pop(key)


def bare(cell):
    """Remove all of nbgrader's metadata."""
    del cell["metadata"]["nbgrader"]


def with_source(source):
    """Return a change of a cell's source."""
    return lambda cell: cell.update(source=source)


def with_value(**values):
    """Return a change of nbgrader's metadata."""
    return lambda cell: cell["metadata"]["nbgrader"].update(values)


@pytest.mark.parametrize(
    ("cell", "change", "words"),
    [
        ("kl-check", without("points"), "cell 'kl-check'.*does not have points"),
        ("kl-check", with_value(points=0), "cell 'kl-check'.*for no points"),
        ("kl-check", with_value(points="three"), "cell 'kl-check'.*three"),
        ("kl-check", without("schema_version"), "cell 'kl-check'.*schema"),
        ("kl-check", with_value(grade_id="mc-check"), "[Dd]uplicate grade id: mc-check"),
        ("kl-check", with_value(grade_id="has space"), "cell 'kl-check'.*has space"),
        ("kl", with_source("x = 1"), "cell 'kl'.*without BEGIN SOLUTION"),
        ("kl-check", with_source("f()"), "cell 'kl-check'.*a blank would get all points"),
        # These are refused by nbgrader when it releases.
        ("kl", bare, "Solution region detected in a non-solution cell"),
        ("kl-check", bare, "Hidden test region detected in a non-grade cell"),
        ("kl", with_source("### BEGIN SOLUTION\nx = 1"), "marks do not match: BEGIN SOLUTION"),
        # nbgrader would hand this out.
        ("use", with_source("kl = 1\n### END SOLUTION"), "cell 'use'.*do not match: END SOLUTION"),
    ],
)
def test_broken_metadata_is_refused_with_the_notebook(cell, change, words, tmp_path):
    """Nothing is handed out that gives a solution away or cannot be graded."""
    folder = broken(tmp_path, change, cell)
    with pytest.raises(ValueError, match=f"^{NAMES[1]}.*{words}"):
        release.make_zip(tmp_path / "out", folder)
    assert not list((tmp_path / "out").rglob("*.zip"))
    assert not list((tmp_path / "out").rglob(f"release/*/{NAMES[1]}"))


def test_a_notebook_without_any_metadata_or_that_is_none_is_refused(tmp_path):
    """Both are named; an empty folder is told as well."""
    raw = json.loads((release.EXERCISES / NAMES[1]).read_text(encoding="utf-8"))
    for cell in raw["cells"]:
        cell["metadata"] = {}
        cell["source"] = "text"
    (tmp_path / NAMES[1]).write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ValueError, match=f"{NAMES[1]} has no graded cell"):
        release.prepare(tmp_path / "out", tmp_path)
    (tmp_path / NAMES[1]).write_text('{"cells": [', encoding="utf-8")
    with pytest.raises(ValueError, match=f"{NAMES[1]} is not a valid notebook"):
        release.prepare(tmp_path / "out", tmp_path)
    with pytest.raises(FileNotFoundError, match="no exercise"):
        release.prepare(tmp_path / "out", tmp_path / "nowhere")
