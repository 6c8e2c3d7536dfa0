"""Make a virtual environment that works, or say what is in the way. `make` runs this where it needs one.

    python make_venv.py FOLDER [locked|newest|lowest]

An environment that works is left alone. One that was moved, copied or interrupted, or whose Python is gone,
is made anew. Any Python from 3.6 can run this file, so that an old one is told what the course needs.
"""

import contextlib
import errno
import hashlib
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

if os.name == "nt":
    import msvcrt
else:
    import fcntl

ROOT = Path(__file__).resolve().parent
# The Python below an activated environment: that environment may be the one to delete.
PYTHON = getattr(sys, "_base_executable", None) or sys.executable
PIP = "-m pip install --quiet "
STEPS = {
    "locked": [
        PIP + "--require-hashes -r requirements.lock",
        PIP + "--no-deps --no-build-isolation -e .",
    ],
    "newest": [PIP + "--upgrade -e .[test]"],
    # Of every package that pyproject.toml names, the lowest version that it allows.
    "lowest": [
        PIP + "uv>=0.9,<1",
        "-m uv pip install --quiet --upgrade --resolution=lowest-direct -e .[test]",
    ],
}
# The lowest versions of NumPy and SciPy were built for none later than Python 3.12.
PYTHONS = {"lowest": ((3, 11), (3, 11))}
GIGABYTES = 4  # of an environment, while its packages are unpacked


def main():
    """Check the environment that the command line names, and make it where it is needed."""
    folder, kind = Path(os.path.abspath(sys.argv[1])), (sys.argv[2:] or ["locked"])[0]
    if kind not in STEPS:
        sys.exit(f"DEPS={kind} is unknown: choose one of {', '.join(STEPS)}.")
    os.chdir(str(ROOT))
    clean_environment(folder)
    try:
        if _read(folder / ".ready") == wanted() and not find_trouble(folder):
            return
        with lock(folder):
            make(folder, kind)
    except OSError as error:
        sys.exit(f"{folder.name} could not be written: {error}. Mend that, then run make again.")


@contextlib.contextmanager
def lock(folder):
    """Let only one process at a time make an environment; another waits, and says so."""
    with open(str(folder) + ".lock", "ab") as file:
        free = _lock(file)
        if not free:
            print(f"Another make is at work on {folder.name}. Waiting for it.", flush=True)
        while not free:
            time.sleep(1)
            free = _lock(file)
        yield


def _lock(file):
    try:
        if os.name == "nt":
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:  # some network drives know no locks, so there nobody waits
        return error.errno not in (errno.EACCES, errno.EAGAIN)
    return True


def make(folder, kind):
    """Make an environment, or what is missing of it."""
    trouble = find_trouble(folder)
    if trouble:
        print(f"{folder.name} cannot be used: {trouble}. It is made anew.", flush=True)
        remove(folder)
    if not folder.exists():
        check_machine(kind)
        create(folder)
    if _read(folder / ".ready") != wanted():
        install(folder, kind)


def clean_environment(folder):
    """Keep Python, pip and uv to one environment; where packages come from stays as the user set it."""
    elsewhere = (
        "PYTHONHOME PYTHONPATH PIP_TARGET PIP_PREFIX PIP_ROOT PIP_PYTHON PIP_DRY_RUN PIP_NO_DEPS"
    )
    for name in f"{elsewhere} UV_TARGET UV_PREFIX UV_PYTHON UV_SYSTEM_PYTHON UV_RESOLUTION".split():
        os.environ.pop(name, None)
    os.environ.update(PIP_USER="0", PYTHONNOUSERSITE="1", VIRTUAL_ENV=str(folder))


def find_trouble(folder):
    """Say in a few words why a folder is not an environment that works here, or nothing if all is well."""
    if not os.path.lexists(str(folder)):
        return ""
    if (folder / ".installing").exists():
        return "its installation was not finished"
    pairs = (line.partition(" = ")[::2] for line in _read(folder / "pyvenv.cfg").splitlines())
    settings = dict(pairs)
    if "home" not in settings:
        return "it is no virtual environment"
    command = os.path.normcase(settings.get("command", ""))  # "... -m venv FOLDER"
    if command and not command.endswith(os.path.normcase(f" {folder}")):
        return "it was moved or copied from another folder"
    version = _ask(folder, "import sys, pip; print('%d.%d' % sys.version_info[:2])")
    if not version:
        return "its Python or its pip does not run"
    if not settings.get("version", version).startswith(version):
        return f"its Python became {version}, but it was made for {settings['version']}"
    return ""


def check_machine(kind):
    """Stop, with the cure, if this Python or this disk cannot hold a new environment."""
    low, high = PYTHONS.get(kind, ((3, 11), (3, 13)))
    if not low <= sys.version_info[:2] <= high:
        needed = "3.11" if high == (3, 11) else "3.11, 3.12 or 3.13"
        sys.exit(
            f"Python {sys.version_info[0]}.{sys.version_info[1]} found, but this needs {needed}. "
            f"Name one: make PYTHON=python3.11 ..."
        )
    if sys.platform == "darwin" and platform.machine() == "x86_64":
        sys.exit(
            "This Python is one for Intel. A Mac must have Apple silicon, because TensorFlow no longer "
            "supports Intel Macs."
        )
    if sys.maxsize < 2**32 or sysconfig.get_platform() == "win-arm64":
        sys.exit(
            f"This Python is one for {sysconfig.get_platform()}, but TensorFlow needs 64 bits, and on "
            "Windows Intel or AMD. Name another Python: make PYTHON=..."
        )
    if not all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")):
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-venv"
        sys.exit(
            f"{PYTHON} cannot make virtual environments: its module venv is missing. "
            f"On Debian and Ubuntu: sudo apt install {package}. Then run make again."
        )
    for place, needed in (ROOT, GIGABYTES), (tempfile.gettempdir(), 1):
        free = shutil.disk_usage(str(place)).free / 1e9
        if free < needed:
            sys.exit(
                f"{free:.1f} GB are free in {place}, but the installation needs {needed} GB there. "
                "Make room, then run make again."
            )


def remove(folder):
    """Delete an environment, or the link to one."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(str(folder))


def create(folder):
    """Make an environment without packages. `.installing` tells that it is not finished."""
    folder.mkdir()
    (folder / ".installing").touch()
    if subprocess.call([PYTHON, "-m", "venv", str(folder)]):
        sys.exit(
            f"{PYTHON} could not make {folder.name}, see above. Mend that, then run make again."
        )


def install(folder, kind):
    """Install the packages. `.ready` tells that they are all there."""
    if (folder / ".ready").exists():  # of other requirements
        (folder / ".ready").unlink()
    print(f"Installing packages into {folder.name}, about 3 GB: a few minutes, once.", flush=True)
    for step in STEPS[kind]:
        if subprocess.call([str(python_of(folder)), *step.split()]):
            sys.exit("The installation failed, see above. Mend that, then run make again.")
    if not _ask(folder, "import vae_course; print(vae_course.__name__)"):
        sys.exit(
            f"pip did not install into {folder.name}: `pip config list` names a target, a prefix or a root. "
            "Remove it with `pip config unset NAME`, then run make again."
        )
    (folder / ".ready").write_text(wanted(), encoding="utf-8")
    if (folder / ".installing").exists():
        (folder / ".installing").unlink()


def wanted():
    """Return what `.ready` holds if the packages are those that these files ask for."""
    files = [ROOT / name for name in ("requirements.lock", "pyproject.toml")]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def python_of(folder):
    """Return the path of an environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def _ask(folder, code):
    """Return what an environment's Python prints, or nothing if it fails."""
    try:
        command = [str(python_of(folder)), "-I", "-c", code]
        return subprocess.check_output(command, stderr=subprocess.DEVNULL).decode().strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _read(path):
    # After a power cut, a file may hold anything.
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Interrupted: make begins again next time.")
