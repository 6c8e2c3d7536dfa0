"""Write files so that nobody ever finds half of one."""

import contextlib
import os
import secrets
import shutil
from pathlib import Path


@contextlib.contextmanager
def write_atomically(path):
    """Give a temporary path to write to; at the end of the block, its file replaces the one at `path`.

    If the block raises, or the process is killed, the old file stays as it was. Two processes that write
    the same file do not meet: each has a temporary path of its own, and the last one to end wins.

    Args:
        path: Path of the file, in a folder that exists. A new file gets the permissions that any new file
            gets, a replaced one keeps its own.

    Yields:
        Path in the same folder, with the same suffix.

    Raises:
        OSError: If the file cannot be written, as on a full disk.
    """
    path = Path(path).resolve()  # a link stays a link
    name = f"{path.stem}.{os.getpid()}-{secrets.token_hex(4)}.unfinished{path.suffix}"
    unfinished = path.with_name(name)
    try:
        yield unfinished
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, unfinished)
        os.replace(unfinished, path)
    except OSError as error:
        raise OSError(
            f"{path} cannot be written: {error.strerror or error}. What was there before is unchanged: "
            "free some space, or choose another place."
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
