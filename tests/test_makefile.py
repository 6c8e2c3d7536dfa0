"""`make` finds an environment that works, makes one, or says what is in the way. Nothing is installed."""

import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import types
import venv
from pathlib import Path

import pytest
from pins import ROOT

sys.path.insert(0, str(ROOT))
import make_venv

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")
# What users set that would send Python or pip elsewhere.
HOSTILE = {
    "PYTHONHOME": "/elsewhere",
    "PYTHONPATH": "/elsewhere",
    "PIP_TARGET": "/elsewhere",
    "PIP_PREFIX": "/elsewhere",
    "PIP_USER": "1",
    "PIP_REQUIRE_VIRTUALENV": "1",
    "VIRTUAL_ENV": "/elsewhere",
}
# A package that writes down what it is asked to do, and with which of these settings.
PACKAGE = f"""
import os, sys
settings = [f"{{name}}={{os.environ[name]}}" for name in {list(HOSTILE)} if name in os.environ]
with open(os.environ["CALLS"], "a") as file:
    print(os.path.basename(os.path.dirname(__file__)), *sys.argv[1:], *settings, file=file)
sys.exit(int(os.environ.get("FAILS", 0)))
"""


def call(command):
    """Run a step; a new environment gets stand-ins for pip, uv and the course instead of downloads."""
    if command[1:3] != ["-m", "venv"]:
        return subprocess.run(command).returncode
    venv.create(command[3], symlinks=True)
    packages = next(Path(command[3]).glob("lib/python*/site-packages"))
    for name in ("pip", "uv", "vae_course"):
        (packages / name).mkdir()
        (packages / name / "__init__.py").touch()
        (packages / name / "__main__.py").write_text(PACKAGE)
    return 0


@pytest.fixture
def course(tmp_path, monkeypatch, capfd):
    """Give a folder with a space in its name that holds the course's files, and what can be done there."""
    root, log = tmp_path / "my course", tmp_path / "calls"
    root.mkdir()
    log.touch()
    for name in ("Makefile", "make_venv.py", "pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, root)
    monkeypatch.setattr(make_venv, "ROOT", root)
    monkeypatch.setattr(make_venv, "GIGABYTES", 0)
    monkeypatch.setattr(make_venv.subprocess, "call", call)
    monkeypatch.chdir(root)
    for name in [*HOSTILE, "PYTHONNOUSERSITE"]:  # set and deleted: so they come back after the test
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("CALLS", str(log))

    def run(*arguments):
        """Run make_venv.py; return the lines it says, the last of them what it stops with, if it does."""
        monkeypatch.setattr(sys, "argv", ["make_venv.py", *(arguments or [".venv"])])
        capfd.readouterr()
        stopped = []
        try:
            make_venv.main()
        except SystemExit as stop:
            stopped = [str(stop.code)]
        return capfd.readouterr().out.splitlines() + stopped

    def calls():
        """Return what pip and uv were asked to do since the last time."""
        text = log.read_text()
        log.write_text("")
        return text.splitlines()

    return types.SimpleNamespace(root=root, folder=root / ".venv", run=run, calls=calls)


def test_it_is_made_once_and_then_left_alone(course):
    """The locked packages first, then the course; the second time, nothing is said or done."""
    assert course.run() == ["Installing packages into .venv, about 3 GB: a few minutes, once."]
    locked, own = course.calls()
    assert locked.startswith("pip install --quiet --require-hashes -r requirements.lock")
    assert own.startswith("pip install --quiet --no-deps --no-build-isolation -e .")
    assert course.run() == course.calls() == []


def move(course):
    """Rename the folder of the course."""
    course.folder.rename(course.root / ".away")
    (course.root / ".away").rename(course.folder)
    file = course.folder / "pyvenv.cfg"
    file.write_text(file.read_text().replace(str(course.root), "/old/place/of/my course"))


def interrupt(course):
    """Let a new installation fail half-way."""
    shutil.rmtree(course.folder)
    os.environ["FAILS"] = "1"
    assert "Mend that, then run make again." in course.run()[-1]
    del os.environ["FAILS"]


def delete_python(course):
    """Remove the Python that the environment was made from."""
    for python in (course.folder / "bin").glob("python*"):
        python.unlink()
    (course.folder / "bin" / "python").symlink_to("/gone/bin/python")


def upgrade_python(course):
    """Let the environment's Python be another than the one it was made with."""
    file = course.folder / "pyvenv.cfg"
    old = "version = " + ".".join(map(str, sys.version_info[:3]))
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, "version = 3.2.1"))


def remove_pip(course):
    """Break what is installed."""
    shutil.rmtree(next(course.folder.glob("lib/python*/site-packages")) / "pip")


def garble(course):
    """Leave what a power cut can leave of a file."""
    (course.folder / "pyvenv.cfg").write_bytes(b"\xff\xfe\0 = \n")


def replace_by_a_folder(course):
    """Put something else in its place."""
    shutil.rmtree(course.folder)
    course.folder.mkdir()


@pytest.mark.parametrize(
    "spoil, why",
    [
        (move, "it was moved or copied from another folder"),
        (interrupt, "its installation was not finished"),
        (delete_python, "its Python or its pip does not run"),
        (upgrade_python, "but it was made for 3.2.1"),
        (remove_pip, "its Python or its pip does not run"),
        (garble, "it is no virtual environment"),
        (replace_by_a_folder, "it is no virtual environment"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_used_is_made_anew_with_one_line_that_says_why(course, spoil, why):
    """Nothing of the old one is left, and the new one works."""
    course.run()
    (course.folder / "left over").touch()
    spoil(course)
    said = course.run()
    assert len(said) == 2 and said[0].startswith(".venv cannot be used: ") and why in said[0]
    assert not (course.folder / "left over").exists()
    assert course.run() == []


def test_a_mark_that_is_garbled_is_no_mark(course):
    """The packages are installed again, because nobody knows which these are."""
    course.run()
    (course.folder / ".ready").write_bytes(b"\xff\xfe\0")
    assert course.run()[0].startswith("Installing packages") and course.run() == []


def test_a_second_make_waits_for_the_first(course, monkeypatch):
    """Rather than to delete what the first is installing; and what the first has made is good."""
    import fcntl

    course.run()
    shutil.move(course.folder, course.root / "made")
    with (course.root / ".venv.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        course.folder.mkdir()
        (course.folder / ".installing").touch()

        def end(seconds):
            shutil.rmtree(course.folder)
            shutil.move(course.root / "made", course.folder)
            fcntl.flock(file, fcntl.LOCK_UN)

        monkeypatch.setattr(make_venv.time, "sleep", end)
        assert course.run() == ["Another make is at work on .venv. Waiting for it."]
    assert course.run() == []


def test_an_interrupted_change_of_packages_is_not_taken_for_the_old_ones(course, monkeypatch):
    """Back on the old requirements, they are installed again."""
    course.run()
    before = (course.root / "requirements.lock").read_text()
    (course.root / "requirements.lock").write_text(before + "# another version\n")
    monkeypatch.setenv("FAILS", "1")
    assert "failed, see above" in course.run()[-1]
    monkeypatch.delenv("FAILS")
    (course.root / "requirements.lock").write_text(before)
    assert course.run()[0].startswith("Installing packages") and course.run() == []


@pytest.mark.parametrize(
    ("where", "what", "value", "words"),
    [
        (platform, "machine", lambda: "x86_64", "A Mac must have Apple silicon"),
        (sys, "maxsize", 2**31 - 1, "TensorFlow needs 64 bits"),
        (sysconfig, "get_platform", lambda: "win-arm64", "win-arm64"),
    ],
)
def test_a_machine_without_tensorflow_is_refused_at_once(
    course, monkeypatch, where, what, value, words
):
    """Before anything is downloaded."""
    if what == "machine":
        monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(where, what, value)
    (said,) = course.run()
    assert words in said and not course.folder.exists()


def test_other_requirements_are_installed_into_the_same_environment(course, monkeypatch):
    """Without a network that fails, and takes away nothing: it is tried again the next time."""
    course.run()
    (course.folder / "left over").touch()
    with open("requirements.lock", "a") as file:
        file.write("# another version\n")
    monkeypatch.setenv("FAILS", "1")
    assert "failed, see above" in course.run()[-1]
    monkeypatch.delenv("FAILS")
    course.calls()
    assert len(course.run()) == 1 and len(course.calls()) == 2
    assert (course.folder / "left over").exists()
    assert course.run() == []


def test_settings_that_lead_elsewhere_do_not_reach_pip(course, monkeypatch):
    """An activated other environment, PYTHONHOME, PIP_USER and the like; a virtual environment it is."""
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    course.run()
    for line in course.calls():
        assert "/elsewhere" not in line and "PIP_USER=0" in line
        assert f"VIRTUAL_ENV={course.folder}" in line


def test_packages_that_went_elsewhere_are_missed(course, monkeypatch):
    """pip.conf can name a target, which no variable undoes: the environment does not pass for a good one."""
    monkeypatch.setattr(
        make_venv.subprocess,
        "call",
        lambda command: (
            call(command)
            or [shutil.rmtree(p) for p in course.folder.glob("lib/*/*/vae_course")]
            and 0
        ),
    )
    assert "pip config unset" in course.run()[-1]
    assert "cannot be used" in course.run()[0]


def test_a_python_that_does_not_fit_is_refused(course, monkeypatch):
    """The cure is to name another; for the lowest versions only 3.11 will do."""
    for version, kind, needed in [
        ((3, 10, 1), "locked", "3.11, 3.12 or 3.13."),
        ((3, 14, 0), "newest", "3.11, 3.12 or 3.13."),
        ((3, 12, 1), "lowest", "this needs 3.11."),
    ]:
        monkeypatch.setattr(sys, "version_info", version)
        (said,) = course.run(".venv-x", kind)
        assert needed in said and "make PYTHON=python3.11" in said
    assert not (course.root / ".venv-x").exists()


def test_a_python_without_venv_is_told_the_package(course, monkeypatch):
    """As Debian's and Ubuntu's is."""
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "ensurepip" else find(name)
    )
    (said,) = course.run()
    assert f"sudo apt install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in said
    assert not course.folder.exists()


def test_a_full_disk_is_told_before_anything_is_written(course, monkeypatch):
    """With what is free, where, and what is needed."""
    monkeypatch.setattr(make_venv, "GIGABYTES", 4)
    monkeypatch.setattr(
        shutil, "disk_usage", lambda place: types.SimpleNamespace(free=1_500_000_000)
    )
    (said,) = course.run()
    assert f"1.5 GB are free in {course.root}" in said and "4 GB" in said
    assert not course.folder.exists()


def test_a_folder_that_cannot_be_written_gets_a_message(course, monkeypatch):
    """No traceback."""

    def refuse(folder):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(make_venv, "create", refuse)
    assert "No space left on device" in course.run()[-1]


def test_the_lowest_versions_are_what_pyproject_allows(course, monkeypatch):
    """uv takes them from there: no second list."""
    monkeypatch.setattr(sys, "version_info", (3, 11, 4))
    course.run(".venv-lowest", "lowest")
    assert (
        "uv pip install --quiet --upgrade --resolution=lowest-direct -e .[test]"
        in course.calls()[1]
    )


def test_an_unknown_set_of_packages_is_named(course):
    """With those there are."""
    (said,) = course.run(".venv-old", "old")
    assert said == "DEPS=old is unknown: choose one of locked, newest, lowest."


OF_MAKE = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKEOVERRIDES")


def make(*arguments, **environment):
    """Run make, return its exit status and what it prints."""
    command = ["make", *map(str, arguments)]
    settings = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    # Not as a part of the make that may run these tests: that one would pass on its options.
    mine = {name: value for name, value in os.environ.items() if name not in OF_MAKE}
    output = subprocess.run(command, env=mine | environment, **settings)
    return output.returncode, output.stdout


def put_program(path, text):
    """Write a shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def test_make_says_which_python_it_needs(course, tmp_path):
    """From another folder, and if there is none, or one of long ago."""
    put_program(tmp_path / "python2", "exit 1")
    for python in "no-such-python", tmp_path / "python2":
        status, said = make("-C", course.root, "lint", f"PYTHON={python}")
        assert status and "Install Python 3.11, 3.12 or 3.13" in said
    assert not course.folder.exists()


def test_make_away_from_the_course_says_where_to_run(course, tmp_path, monkeypatch):
    """`-f` alone does not change the folder."""
    monkeypatch.chdir(tmp_path)
    status, said = make("-f", course.root / "Makefile", "lint")
    assert status and "make -C FOLDER" in said


def test_make_hands_on_which_lessons_are_wanted(course, tmp_path):
    """To each command that takes some."""
    put_program(tmp_path / "python", "exit 0")
    put_program(course.folder / "bin" / "vae-course", 'echo "$@"')
    for target in ("run", "site", "slides", "refresh"):
        status, said = make(target, f"PYTHON={tmp_path / 'python'}", "LESSONS=01 05")
        called = said.splitlines()[-1].split()
        assert status == 0 and called[0] == target and called[-2:] == ["01", "05"]


def test_make_uses_the_kernel_of_the_environment(course, tmp_path):
    """A kernel of the same name in the home folder or on JUPYTER_PATH is not taken, nor are its packages."""
    data = tmp_path / "home" / ".local" / "share" / "jupyter"
    put_program(tmp_path / "python", "exit 0")
    code = (
        "import os; from jupyter_client.kernelspec import get_kernel_spec; "
        "print(get_kernel_spec('python3').resource_dir, os.environ['PYTHONNOUSERSITE'])"
    )
    put_program(course.folder / "bin" / "vae-course", f'"{sys.executable}" -c "{code}"')
    kernel = data / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    kernel.write_text('{"argv": ["false"], "display_name": "another", "language": "python"}')
    hostile = {
        "HOME": str(tmp_path / "home"),
        "JUPYTER_PATH": str(data),
        "PYTHONPATH": "/elsewhere",
    }
    hostile["JUPYTER_PREFER_ENV_PATH"] = "0"
    status, said = make("data", f"PYTHON={tmp_path / 'python'}", **hostile)
    assert status == 0 and said.split() == [f"{sys.prefix}/share/jupyter/kernels/python3", "1"]
