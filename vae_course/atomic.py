"""Write files atomically, so that nobody ever reads a half-written one, and only where that is possible."""

import contextlib
import csv
import errno
import io
import os
import secrets
import shutil
import tempfile
from pathlib import Path


@contextlib.contextmanager
def write_atomically(path):
    """Yield a temporary path to write to; at the end of the block, its file replaces the one at `path`.

    If the block raises or the process is killed, the old file stays as it was. Two processes can safely write
    the same file: each has its own temporary path, and the last one to finish wins.

    Args:
        path: Path of the file, in an existing folder. A new file gets the default permissions, and a
            replaced one keeps its own.

    Yields:
        Path in the same folder, with the same suffix.

    Raises:
        OSError: If the file cannot be written, as on a full disk, or there is a pipe, a device or a folder of
            that name, which would be lost.
    """
    path, target = Path(path), Path(path).resolve()  # so that a link stays a link
    name = f"{target.stem}.{os.getpid()}-{secrets.token_hex(4)}.unfinished{target.suffix}"
    unfinished, cure = target.with_name(name), "Free some disk space, or choose another folder."
    try:
        if path.exists() and not path.is_file():
            cure = "Choose another name."
            raise FileExistsError(errno.EEXIST, "it exists and is no ordinary file")
        yield unfinished
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        if target.exists():
            shutil.copymode(target, unfinished)
        os.replace(unfinished, target)
    except OSError as error:
        reason = error.strerror or error
        raise OSError(
            f"{path} cannot be written: {reason}. Any earlier version is unchanged. {cure}"
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)


def write_text(path, text):
    """Write a text in UTF-8, completely or not at all.

    Args:
        path: Path of the file, in an existing folder.
        text: The text, whose lines end alike on every system.

    Raises:
        OSError: If the file cannot be written.
    """
    with write_atomically(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8", newline="\n")


def write_rows(path, rows):
    """Write a list of dictionaries with the same keys as CSV, completely or not at all.

    Args:
        path: Path of the file, whose lines end alike on every system.
        rows: List of dictionaries, at least one. The keys of the first are the columns.

    Raises:
        ValueError: If a row has other keys than the first.
        OSError: If the file cannot be written.
    """
    for row in rows:
        if row.keys() != rows[0].keys():
            raise ValueError(f"The row {row} has other columns than the first: {list(rows[0])}.")
    table = csv.DictWriter(text := io.StringIO(), rows[0], lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_text(path, text.getvalue())


def check_writable(folder):
    """Check that files can be written into a folder, which need not exist; change nothing.

    Args:
        folder: Path of the folder.

    Raises:
        OSError: If the folder cannot be created, or no file can be created in it.
    """
    existing = (place for place in (folder, *folder.absolute().parents) if place.exists())
    try:
        with tempfile.TemporaryFile(dir=next(existing)):
            pass
    except OSError as error:
        raise OSError(
            f"Nothing can be written to {folder} ({error.strerror}): choose another folder."
        ) from error
