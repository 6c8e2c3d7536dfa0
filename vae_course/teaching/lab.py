"""Copy the lessons to a folder of the student's own, and open JupyterLab there."""

import copy
import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import nbformat

from vae_course.atomic import write_atomically, write_text
from vae_course.teaching.notebooks import read_notebook

CODE = "# YOUR CODE HERE"
TEXT = "*Double-click here, and write your answer in place of this line.*"
KNOWN = ".vae-course.json"  # what was copied, as digests by name


def copy_lessons(source, folder):
    """Copy lessons and blank exercises to a folder, but never over what its owner has changed there.

    A file that is as it was copied is replaced by a newer version. One that was deleted is copied again.

    Args:
        source: Path of the folder of lessons.
        folder: Path of the folder to copy to. It is created if it does not exist.

    Returns:
        Names of the files that were changed and therefore left alone.

    Raises:
        OSError: If a file cannot be written.
    """
    folder, kept = Path(folder), []
    (folder / "exercises").mkdir(parents=True, exist_ok=True)
    known = _read_known(folder)
    for name, content in _contents(Path(source)).items():
        path, digest = folder / name, hashlib.sha256(content).hexdigest()
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None
        if found not in (None, digest, known.get(name)):
            kept.append(name)
            continue
        if found != digest:
            with write_atomically(path) as unfinished:
                unfinished.write_bytes(content)
        known[name] = digest
    write_text(folder / KNOWN, json.dumps(known, indent=1) + "\n")
    return kept


def _contents(source):
    """Return the files that a student needs: a dictionary from names to bytes."""
    paths = [*source.glob("[0-9][0-9]_*.ipynb"), source / "numbers.json", source / "rise.css"]
    contents = {path.name: path.read_bytes() for path in sorted(paths)}
    for path in sorted(source.glob("exercises/[!.]*.*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".ipynb":
            content = (nbformat.writes(blank(read_notebook(path))) + "\n").encode()
        contents[f"exercises/{path.name}"] = content
    return contents


def _read_known(folder):
    try:
        known = json.loads((folder / KNOWN).read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a new folder, or a damaged file: then all counts as changed
        return {}
    return known if isinstance(known, dict) else {}


def files_in_the_way(folder):
    """List the files that hide a module of Python itself, such as types.py: no kernel starts beside them."""
    places = (Path(folder), Path(folder, "exercises"))
    found = [path for place in places for path in sorted(place.glob("*.py"))]
    return [str(path) for path in found if path.stem in sys.stdlib_module_names]


def open_jupyterlab(folder, options=()):
    """Run JupyterLab in a folder, for this machine only, until it is closed; return its exit status."""
    command = [sys.executable, "-P", "-m", "jupyterlab"]  # -P: a types.py here must not stop it
    command += ["--ip=localhost", f"--notebook-dir={folder}"]
    command += ["--KernelManager.transport_encryption=auto", *options]
    # Use this environment's kernel, whatever else is installed.
    process = subprocess.Popen(command, env=os.environ | {"JUPYTER_PREFER_ENV_PATH": "1"})
    # JupyterLab itself answers Ctrl-C, by a question.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


def blank(exercise):
    """Return a copy of an exercise without solutions, hidden tests and outputs, as nbgrader releases it."""
    released = copy.deepcopy(exercise)
    for cell in released.cells:
        mine = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        stub = CODE if cell.cell_type == "code" else TEXT
        cell.source, marked = _without(cell.source, "SOLUTION", [stub])
        # What has a stub without marks was released before.
        if mine.get("solution") and not marked and stub not in cell.source:
            cell.source = stub
        cell.source, _ = _without(cell.source, "HIDDEN TESTS", [])
    return released


def _without(source, what, stub):
    """Put a stub in place of what nbgrader's marks enclose; return the source, and if there were marks."""
    lines, inside, marked = [], False, False
    for line in source.split("\n"):
        if f"BEGIN {what}" in line:
            inside = marked = True
            indent = line[: len(line) - len(line.lstrip())]
            lines += [indent + text for text in stub]
        elif f"END {what}" in line:
            inside = False
        elif not inside:
            lines.append(line)
    return "\n".join(lines), marked
