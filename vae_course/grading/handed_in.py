"""Find what a class has handed in: folders, files and zips, as students and Moodle or Canvas name them."""

import dataclasses
import os
import re
import shutil
import time
import unicodedata
import zipfile
from pathlib import Path

MOST_BYTES = 300_000_000  # beside a notebook, or unpacked from a zip
MOST_FILES = 3000
# How learning platforms name files and folders, where two students of the same name have different numbers.
MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_file_?(?P<name>.*)")
CANVAS = re.compile(r"(?P<student>[^_]+)_(?:LATE_)?(?P<number>\d+)_\d+_(?P<name>.+)")
ATTEMPT = re.compile(r"[ _-]*(?:\((\d+)\)|[-_ ](\d{1,2}))$")  # "name-2", "name (2)"
TRASH = "__MACOSX __pycache__ Thumbs.db desktop.ini node_modules site-packages venv".split()


@dataclasses.dataclass
class Found:
    """A notebook that was handed in.

    `exercise` is its name until it is known which one it is. `number` is what the learning platform adds to
    the student's name. Of two attempts, the larger one counts. `beside` holds paths by their names relative
    to the notebook, and `told` is what the instructor should know.
    """

    student: str
    exercise: str
    path: Path | None
    number: str = ""
    attempt: tuple = ()
    beside: dict = dataclasses.field(default_factory=dict)
    told: list = dataclasses.field(default_factory=list)
    problem: str = ""


def find(submissions, unpacked, exercises, collected=False):
    """List the notebooks that were handed in.

    Args:
        submissions: Path of a folder, with a folder, a zip or files for each student, or of a zip of these.
        unpacked: Path of a folder for the contents of zips, which is replaced.
        exercises: Names of the exercises.
        collected: Whether nbgrader has collected them, so that each folder's name is a student's as it is.

    Returns:
        List of `Found`, sorted by student; a student without a notebook has one whose `path` is None.

    Raises:
        FileNotFoundError: If there is nothing.
        ValueError: If `submissions` is a file, but not a zip.
    """
    shutil.rmtree(unpacked, ignore_errors=True)
    zipped = submissions.is_file()
    if zipped and (told := _unpack(submissions, unpacked)):
        raise ValueError(f"{submissions} cannot be unpacked: {told}.")
    found, students = [], {}
    for entry in sorted((unpacked if zipped else submissions).iterdir()):
        name = entry.name if collected and entry.is_dir() else ""
        if _is_trash(entry.name):
            continue
        student = name or _student(entry, submissions, exercises)
        students.setdefault(student, []).append(entry)
    for student, entries in sorted(students.items()):
        notebooks, told = [], []
        plain = [entry for entry in entries if entry.is_file() and not entry.is_symlink()]
        for entry in entries:
            flat = entry.suffix == ".ipynb" and not entry.is_dir()
            for path in [entry] if flat else _notebooks(entry, unpacked / ".zips" / student, told):
                one = Found(student, _name(path.name, exercises), path)
                one.number = match["number"] if (match := _platform(entry)) else ""
                one.attempt = (*_attempt(path), path.lstat().st_mtime, str(path))
                around = plain if flat else _walk(path.parent, one.told)
                one.beside = _beside(around, None if flat else path.parent, one.told)
                notebooks.append(one)
        if not notebooks:
            problem = "; ".join(["no notebook in what this student handed in", *told])
            notebooks = [Found(student, "-", None, problem=problem)]
        notebooks[0].told += told
        found += notebooks
    if not found:
        raise FileNotFoundError(
            f"{submissions} contains nothing that was handed in: make one folder for each student, with the "
            "notebooks in it."
        )
    return found


def _student(entry, submissions, exercises):
    """Return whose a file or folder is, as a name that nbgrader can use in paths and patterns."""
    name = unicodedata.normalize("NFC", entry.name)
    if match := _platform(entry):
        name = unicodedata.normalize("NFC", match["student"])
    elif not entry.is_dir():
        stem = Path(name).stem
        exercise = _name(stem, exercises)
        name = ATTEMPT.sub("", stem.replace(exercise, "")) if exercise in exercises else stem
        name = name.strip(" _-.") or submissions.stem
    return re.sub(r"[^\w .@()'-]", "_", name.strip(" _-.")) or "unnamed"


def _platform(entry):
    return MOODLE.fullmatch(entry.name) or (not entry.is_dir() and CANVAS.fullmatch(entry.name))


def _name(name, exercises):
    """Return which exercise is named in a file's name, or the whole name."""
    name = unicodedata.normalize("NFC", name).removesuffix(".ipynb")
    return next((exercise for exercise in exercises if exercise in name), name)


def _attempt(path):
    match = ATTEMPT.search(path.stem)
    return (int(match[1] or match[2]) if match else 0,)


def _is_trash(name):
    return name in TRASH or name.startswith(".")  # as `load_pictures` passes over


def _tell_left_out(names, told):
    """Tell of folders that are not there in the cage, although a notebook could read them here."""
    for name in sorted(set(names) & set(TRASH[4:])):
        told.append(f"a folder {name} beside it was left out")


def _walk(folder, told=None):
    """Yield the files of a folder that a student may have meant, and links, which are followed nowhere."""
    for place, folders, files in os.walk(folder):
        if told is not None:
            _tell_left_out(folders, told)
        folders[:] = sorted(name for name in folders if not _is_trash(name))
        for name in sorted(files):
            if not _is_trash(name):
                yield Path(place, name)


def _notebooks(entry, unpacked, told):
    """List the notebooks of a student's folder or zip, without checkpoints and lessons."""
    if entry.is_symlink():
        told.append(f"{entry.name} is a link, which is not followed")
        return []
    places = [entry]
    for path in [entry] if entry.is_file() else list(_walk(entry)):
        if path.suffix.lower() == ".zip" and not path.is_symlink():
            if not _holds_notebooks(path):
                continue  # it is one of the files beside a notebook
            target = unpacked / re.sub(r"\W", "_", path.stem)
            if reason := _unpack(path, target, told):
                told.append(f"{path.name} cannot be unpacked: {reason}")
            places.append(target)
    paths = [p for place in places for p in _walk(place) if p.suffix == ".ipynb"]
    return [path for path in paths if _is_meant(path.name)]


def _is_meant(name):
    """Tell whether a notebook may be a submission, by its name: lessons are none."""
    return not re.match(r"\d\d_", name)


def _holds_notebooks(path):
    """Tell whether a zip holds a submission; one that is damaged may do so."""
    try:
        with zipfile.ZipFile(path) as archive:
            paths = [name.split("/") for name in archive.namelist() if name.endswith(".ipynb")]
        return any(_is_meant(p[-1]) and not any(map(_is_trash, p)) for p in paths)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return True


def _unpack(path, folder, told=None):
    """Unpack a zip's plain files; return why it could not be done, or ""."""
    try:
        with zipfile.ZipFile(path) as archive:
            files = [
                m for m in archive.infolist() if not m.is_dir() and m.external_attr >> 28 != 0xA
            ]
            if told is not None:
                _tell_left_out({part for m in files for part in m.filename.split("/")[:-1]}, told)
            files = [m for m in files if not any(map(_is_trash, m.filename.split("/")))]
            if (size := sum(m.file_size for m in files)) > MOST_BYTES:
                return f"unpacked, it has {size / 1e6:.0f} MB"
            if len(files) > MOST_FILES:
                return f"it has {len(files):,} files"
            for member in files:
                target = Path(archive.extract(member, folder))  # never outside of the folder
                os.utime(target, (time.mktime((*member.date_time, 0, 0, -1)),) * 2)
    except (OSError, ValueError, RuntimeError, zipfile.BadZipFile, NotImplementedError) as error:
        return f"{error}"
    return ""


def _beside(paths, folder, told):
    """List the files around a notebook, by their paths relative to a folder, or by the names they had."""
    files, size = {}, 0
    for path in paths:
        if path.suffix == ".ipynb":
            continue
        if path.is_symlink():
            told.append(f"{path.name} is a link, which is not followed")
            continue
        if path.suffix.lower() == ".zip":
            if _holds_notebooks(path):
                continue
            told.append(
                f"{path.name} holds no notebook, so it lies beside it as it is, not unpacked"
            )
        size += path.stat().st_size
        if size > MOST_BYTES or len(files) >= MOST_FILES:
            told.append(
                f"the files beside it are not all there: more than {MOST_BYTES / 1e6:.0f} MB or "
                f"{MOST_FILES:,} files"
            )
            break
        name = path.relative_to(folder).as_posix() if folder else ""
        if not folder and (match := _platform(path)):
            name = match["name"]
        files[name or path.name] = path
    return files
