"""The built wheel, in an environment without the repository: lab, site, slides and run are all there."""

import contextlib
import json
import os
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from pins import ROOT

TOKEN = "course"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel, without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    options = "--quiet --no-deps --no-build-isolation --no-index --wheel-dir".split()
    subprocess.run([sys.executable, "-m", "pip", "wheel", *options, folder, ROOT], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def program(wheel, tmp_path_factory):
    """Install the wheel into an empty environment; give a function that calls `vae-course` elsewhere.

    The environment borrows the packages of this one, but not its editable installation of the course, because
    Python reads the .pth files of the environment's own folder only.
    """
    root = tmp_path_factory.mktemp("environment")
    venv.create(root / "venv", with_pip=False, symlinks=os.name != "nt")
    scripts = root / "venv" / ("Scripts" if os.name == "nt" else "bin")
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    own = subprocess.check_output([scripts / "python", "-c", code], text=True).strip()
    Path(own, "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    install = ["-m", "pip", "--python", root / "venv", "install", "--quiet", "--no-deps"]
    subprocess.run([sys.executable, *install, "--no-index", wheel], check=True)
    elsewhere = root / "a folder"
    elsewhere.mkdir()
    kept = {
        k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "VAE_COURSE", "JUPYTER"))
    }
    settings = {
        "HOME": str(root),
        "USERPROFILE": str(root),
        # What Jupyter's packages have outside of Python's folders, such as the parts that a browser loads.
        "JUPYTERLAB_DIR": str(Path(sys.prefix, "share", "jupyter", "lab")),
        "JUPYTER_PATH": str(Path(sys.prefix, "share", "jupyter")),
        "JUPYTER_RUNTIME_DIR": str(root / "runtime"),
        "PYTHONUTF8": "1",
    }

    def call(*arguments, start=subprocess.run, **options):
        command = [scripts / "vae-course", *map(str, arguments)]
        return start(command, cwd=elsewhere, env=kept | settings, text=True, **options)

    call.folder, call.root = elsewhere, root
    return call


def test_the_wheel_holds_the_lessons_and_nothing_that_was_built(wheel):
    """As many as the repository, with the exercises, the numbers and the models; no caches, no tests."""
    names = zipfile.ZipFile(wheel).namelist()
    here = [path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").rglob("*.*")]
    shipped = {name.removeprefix("vae_course/") for name in names if "/notebooks/" in name}
    assert shipped == {name for name in here if "checkpoints" not in name}
    assert "vae_course/trained/vae-100-mnist.keras" in names
    assert any(name.endswith("vae-course-rise/package.json") for name in names)
    assert not [
        n for n in names if "__pycache__" in n or n.startswith("tests") or "checkpoints" in n
    ]


def test_lab_copies_the_lessons_and_opens_them(program):
    """JupyterLab serves the student's folder, with the wheel's package; nothing but that folder is new."""
    options = ["--no-browser", "--allow-root", "--port=0", f"--IdentityProvider.token={TOKEN}"]
    pipe = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    process = program("lab", "mine", "--", *options, start=subprocess.Popen, **pipe)
    try:
        listing = None
        while not listing:
            assert process.poll() is None, process.communicate()[0]
            time.sleep(0.2)
            with contextlib.suppress(StopIteration, ValueError, urllib.error.URLError):
                found = next((program.root / "runtime").glob("jpserver-*.json"))
                address = json.loads(found.read_text(encoding="utf-8"))["url"]
                request = urllib.request.Request(f"{address}api/contents")
                request.add_header("Authorization", f"token {TOKEN}")
                direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                listing = json.load(direct.open(request, timeout=60))
        assert "00_start_here.ipynb" in [entry["name"] for entry in listing["content"]]
    finally:
        process.terminate()
        process.communicate(timeout=60)
    assert (program.folder / "mine" / "exercises" / "START_HERE.md").exists()
    assert [path.name for path in program.folder.iterdir()] == ["mine"]


def test_site_and_slides_are_made_from_the_shipped_lessons(program):
    """In the folder where they are called."""
    done = program("site", capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (program.folder / "build" / "site" / "08_rate_distortion.html").exists()
    done = program("slides", "04", capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (program.folder / "build" / "slides" / "04_transposed_convolution.html").exists()


def test_run_executes_a_lesson_of_the_wheel_or_of_the_student(program):
    """Its numbers are as expected, by the numbers that ship; the package is the wheel's."""
    lesson = program.folder / "own" / "00_own.ipynb"
    lesson.parent.mkdir()
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "execution_count": None, "outputs": []}
    cell["source"] = "import vae_course\nprint(vae_course.__file__)"
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    lesson.write_text(json.dumps(notebook), encoding="utf-8")
    own = ("--notebooks", lesson.parent, "--out", "mine-run")
    done = program("run", "--dataset", "digits", *own, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    executed = program.folder / "mine-run" / lesson.name
    (output,) = json.loads(executed.read_text(encoding="utf-8"))["cells"][0]["outputs"]
    assert Path("".join(output["text"]).strip()).is_relative_to(program.root / "venv")
    done = program("run", "02", "--dataset", "digits", capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All numbers are as expected" in done.stdout
    assert (program.folder / "build" / "course" / "index.html").exists()


@pytest.mark.parametrize("command", ["student", "refresh"])
def test_what_needs_the_repository_says_so(program, command):
    """One line with the cure, no traceback."""
    done = program(command, capture_output=True)
    assert done.returncode == 1
    assert "in a clone of the course's repository only" in done.stderr
    assert "Traceback" not in done.stderr
