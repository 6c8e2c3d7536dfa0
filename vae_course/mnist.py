"""Find, verify and download MNIST's files.

Only the arrays count, not the file format: any file whose arrays have these digests is MNIST.
"""

import gzip
import hashlib
import io
import math
import os
import re
import textwrap
import threading
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import proxy_bypass_environment

import numpy as np
import pooch

from vae_course.atomic import write_atomically

# SHA-256 of each array's bytes (uint8, C order), as in data/registry.txt.
DIGESTS = {
    "x_train": "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
    "y_train": "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
    "x_test": "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
    "y_test": "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
}
IDX_NAMES = {
    "x_train": "train-images-idx3-ubyte",
    "y_train": "train-labels-idx1-ubyte",
    "x_test": "t10k-images-idx3-ubyte",
    "y_test": "t10k-labels-idx1-ubyte",
}
# A mirror is the address of an .npz file, or of a folder with the four IDX files, gzipped.
MIRRORS = (
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
CURE = (
    "To get MNIST, run `vae-course data` while online, put mnist.npz into the folder data/, "
    "or set VAE_COURSE_DATA to the folder that holds it."
)
# The least that has to arrive while a reader waits: 5 % of MNIST. At 1 Mbit/s, 11 s bring twice that.
LEAST_BYTES = 575_000
# MNIST has 11.5 MB, or 55 MB unpacked. A larger file is something else, and must not fill the memory.
MOST_BYTES = 64_000_000
# Seconds to wait for a network that does not answer. Whoever asks for MNIST by name will wait longer.
PATIENCE = {"auto": 11.0, "mnist": 60.0}

# The mirrors that failed in this process, so that nobody waits for them again.
_gave_up = set()


class CorruptedDataError(ValueError):
    """A file with the name of MNIST is damaged or holds something else."""


class DataNotFoundError(RuntimeError):
    """MNIST could be neither found nor downloaded; the first line says why."""


def places():
    """List the places in which to look for MNIST.

    Returns:
        Dict from name to absolute `Path`, in search order, without places that this computer does not have.
    """
    keras_home = os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")
    found = {
        "VAE_COURSE_DATA": _yours(),
        "data/": repository_data(),
        "user cache": user_cache(),
        "Keras cache": Path(keras_home, "datasets", "mnist.npz").absolute(),
    }
    return {name: path for name, path in found.items() if path}


def _yours():
    # On Windows, `set NAME="C:\\..." ` leaves quotes and spaces in the value.
    wanted = os.path.expanduser(os.environ.get("VAE_COURSE_DATA", "").strip(" \"'"))
    # Lessons run in notebooks/, but `VAE_COURSE_DATA=mine make lab` is typed in the repository.
    in_repository = repository_data() and repository_data().parent / wanted
    if in_repository and not os.path.exists(wanted):
        return wanted and in_repository
    return wanted and Path(wanted).absolute()


def repository_data():
    """Return the folder `data/` of the repository, or None if this is not run from a clone."""
    root = Path(__file__).resolve().parents[1]
    return root / "data" if (root / "pyproject.toml").is_file() else None


def user_cache():
    """Return the user's cache folder for this course, which need not exist, or None without a home."""
    try:
        folder = Path(os.path.expanduser(pooch.os_cache("vae-course")))
    except RuntimeError:
        return None
    return folder if folder.is_absolute() else None


def find(path):
    """Find the files of MNIST at a path: a file, or a folder with mnist.npz or the four IDX files.

    Args:
        path: `Path`; it need not exist.

    Returns:
        List of one `Path`, four in the order of `DIGESTS`, or none. Their contents are not read.
    """
    try:
        on_disk = {name.lower(): name for name in os.listdir(path)}  # in any case
    except OSError:
        on_disk = {}

    def first(*names):
        files = [path / on_disk.get(name, name) for name in names]
        # Unlike Path.is_file, os.path.isfile is False if access is denied.
        return next(filter(os.path.isfile, files), None)

    if one := first("", "mnist.npz"):
        return [one]
    dotted = [(name, name.replace("-idx", ".idx")) for name in IDX_NAMES.values()]
    four = [first(a, f"{a}.gz", b, f"{b}.gz") for a, b in dotted]
    return four if all(four) else []


def lack(path):
    """Return a sentence that says why there is no intact MNIST at a path."""
    if find(path):
        return f"{path} is damaged."
    if os.path.lexists(path / "mnist.npz"):
        return f"{path / 'mnist.npz'} is a folder or a broken link, not a file."
    try:
        os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return f"{path} {'is a broken link' if os.path.islink(path) else 'does not exist'}."
    except OSError as error:
        return f"{path} cannot be opened ({error.strerror})."
    return f"{path} holds neither mnist.npz nor the four IDX files (train-images-idx3-ubyte, …)."


def read(files):
    """Read files and unpack MNIST from them.

    Args:
        files: List of paths, as `find` returns it.

    Returns:
        `(contents, arrays)`: a dict from path to bytes, and the uint8 arrays named as in
        `DIGESTS`: images `(n, 28, 28)`, labels `(n,)`.

    Raises:
        CorruptedDataError: If a file cannot be read, or an array is not MNIST's.
    """
    contents = {}
    for file in files:
        try:
            if os.path.getsize(file) > MOST_BYTES:
                raise CorruptedDataError(f"{file} is not MNIST: it is far too large.")
            contents[file] = file.read_bytes()
        except OSError as error:
            reason = f"{file} cannot be read ({error.strerror}): check its permissions."
            raise CorruptedDataError(reason) from error
    return contents, _unpack(contents)


def _unpack(contents):
    # One .npz file, or four IDX files in the order of DIGESTS, gzipped or not: path or address -> bytes.
    arrays, sources = {}, list(contents) * (4 // len(contents))
    array_of = _array_of_npz if len(contents) == 1 else _array_of_idx
    for (name, digest), source in zip(DIGESTS.items(), sources, strict=True):
        try:
            array = array_of(contents[source], name)
        # Damage can surface anywhere in zipfile, zlib, gzip or NumPy, each with its own errors.
        except Exception as error:
            raise CorruptedDataError(f"{source} cannot be read as MNIST: {error}.") from error
        if array.dtype != np.uint8 or hashlib.sha256(array.tobytes()).hexdigest() != digest:
            raise CorruptedDataError(f"{source} is not MNIST: its array {name} differs.")
        arrays[name] = array.reshape((-1, 28, 28) if name.startswith("x") else -1)
    return arrays


def _array_of_npz(content, name):
    # NumPy would report a web page as pickled data.
    if content[:2] != b"PK":
        raise ValueError(f"it is not an .npz file, because it starts with {content[:16]!r}")
    with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
        # Checked before unpacking, because a small file can unpack into gigabytes.
        if arrays.zip.getinfo(f"{name}.npy").file_size > MOST_BYTES:
            raise ValueError(f"its array {name} is far too large")
        return arrays[name]


def _array_of_idx(content, name):
    # The content decides, not the name, because some servers unpack a .gz file on the way.
    if content[:2] == b"\x1f\x8b":
        content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST_BYTES)
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"it is not an IDX file of bytes, because it starts with {content[:16]!r}")
    start = 4 + 4 * content[3]
    shape = [int.from_bytes(content[i : i + 4], "big") for i in range(4, start, 4)]
    if math.prod(shape) != len(content) - start:
        raise ValueError(
            f"its header promises {shape[:3]}, but {len(content) - start} bytes follow"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


class _Transfer(threading.Thread):
    """Download all files of one mirror into memory, in a thread because a name lookup may hang forever."""

    def __init__(self, mirror, patience):
        super().__init__(daemon=True)  # so that Python can exit while it hangs
        self.mirror, self.patience = mirror, patience
        self.received, self.stopped, self.failure = 0, False, None
        self.contents, self.arrays = {}, None

    def run(self):
        download = pooch.HTTPDownloader(
            progressbar=True,
            chunk_size=8192,
            # A name can have several addresses. The second limit ends a thread that nobody waits for.
            timeout=(self.patience / 3, 2 * self.patience),
            auth=lambda request: request,  # the files are public, so send no password from ~/.netrc
        )
        urls = [self.mirror]
        if not self.mirror.endswith(".npz"):
            urls = [f"{self.mirror.rstrip('/')}/{name}.gz" for name in IDX_NAMES.values()]
        try:
            for url in urls:
                self.chunks = []
                download(url, self, None)  # calls write and flush
                self.contents[url] = b"".join(self.chunks)
            self.arrays = _unpack(self.contents)
        except Exception as error:  # from the mirror, the network or its settings, not from a disk
            self.failure = _told(error) + _proxy_remark(self.mirror)

    def write(self, chunk):
        self.received += len(chunk)
        if self.stopped or self.received > MOST_BYTES:
            raise ValueError(f"sent more than {MOST_BYTES / 1e6:.0f} MB, so this is not MNIST")
        self.chunks.append(chunk)

    def flush(self):
        pass


def download(patience):
    """Download MNIST from the first mirror that sends it, into memory.

    Args:
        patience: Seconds, divided equally among the mirrors. A mirror that does not send its share of 5 % of
            the file in its share of the time is given up; one that is slow but steady may go on.

    Returns:
        `(contents, arrays)`, as `read` does.

    Raises:
        DataNotFoundError: If no mirror sends MNIST. The first line says why; the others name each place,
            each mirror, and the cure.
    """
    mirrors = os.environ.get("VAE_COURSE_MIRRORS", " ".join(MIRRORS)).split()
    failures = {}
    for mirror in mirrors:
        transfer = _Transfer(mirror, patience / len(mirrors))
        transfer.start()
        try:
            failures[mirror] = _watch(transfer, LEAST_BYTES / len(mirrors))
        finally:
            transfer.stopped = True
        if not failures[mirror]:
            return transfer.contents, transfer.arrays
    if not failures:
        raise _not_found("downloads are switched off (VAE_COURSE_MIRRORS is empty)")
    mirror, failure = next(iter(failures.items()))
    raise _not_found(f"no mirror sent it ({urlsplit(mirror).netloc}: {failure})", failures)


def _watch(transfer, least):
    before = 0
    while _still_runs(transfer, transfer.patience):
        gained, before = transfer.received - before, transfer.received
        if gained < least:
            what = f"too slow, only {gained / 1000:.0f} kB" if gained else "no answer"
            return f"{what} within {transfer.patience:.2g} s{_proxy_remark(transfer.mirror)}"
    return transfer.failure


def _still_runs(transfer, seconds):
    end = time.monotonic() + seconds
    while transfer.is_alive() and time.monotonic() < end:
        transfer.join(0.1)  # short, because Windows ignores Ctrl-C meanwhile
    return transfer.is_alive()


def _told(error):
    """Say in one line what went wrong and, if this computer's settings are to blame, how to fix them."""
    bundle = next(filter(os.environ.get, ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")), None)
    is_tls = type(error).__name__ == "SSLError"
    # requests hides the reason behind a line about retries.
    while causes := [e for e in (getattr(error, "reason", 0), *error.args) if _is_error(e)]:
        error = causes[0]
    text = re.sub(r"^HTTPS?Connection\w*\(.*?\): ", "", str(error) or type(error).__name__)
    text = textwrap.shorten(text, 200, placeholder=" …")
    if bundle and "certificate" in text and not os.path.exists(os.environ[bundle]):
        return f"{text}; unset {bundle}, or set it to your network's certificates"
    if is_tls:
        text += f"; set the clock if today is not {time.strftime('%Y-%m-%d')}; if your network has its own "
        text += f"certificates, set {bundle or 'REQUESTS_CA_BUNDLE'} to their file"
    if "<html" in text.lower() or "<!doctype" in text.lower():
        text += "; that is a web page: log in with a browser if your network requires it"
    return text


def _is_error(value):
    return isinstance(value, Exception)


def _proxy_remark(mirror):
    url = urlsplit(mirror)
    wanted = (f"{url.scheme}_proxy", "all_proxy")
    names = [name for name in os.environ if name.lower() in wanted and os.environ[name]]
    if not names or proxy_bypass_environment(url.hostname or ""):
        return ""
    return (
        f"; used the proxy set in {' and '.join(names)} (correct or unset it if it is out of date)"
    )


def _not_found(reason, failures=None):
    lines = [f"MNIST was not found, and {reason}.", "Looked at:"]
    lines += [f"  {name}: {lack(path)}" for name, path in places().items()]
    lines += [f"Tried {mirror}: {failure}" for mirror, failure in (failures or {}).items()]
    return DataNotFoundError("\n".join([*lines, CURE]))


def save(contents, arrays):
    """Write mnist.npz into the repository's `data/` or, if that fails, into the user's cache.

    Args:
        contents: As `download` or `read` returns them.
        arrays: As `download` or `read` returns them.

    Returns:
        `Path` of the new file.

    Raises:
        DataNotFoundError: If no folder can be written to.
    """
    content = next(iter(contents.values()))
    if len(contents) > 1:
        stream = io.BytesIO()
        np.savez_compressed(stream, **arrays)
        content = stream.getvalue()
    troubles = []
    for folder in filter(None, [repository_data(), user_cache()]):
        try:
            # Create the user's cache if needed, but never the repository's data/.
            if folder == user_cache():
                folder.mkdir(parents=True, exist_ok=True)
            with write_atomically(folder / "mnist.npz") as unfinished:
                unfinished.write_bytes(content)
            return folder / "mnist.npz"
        except OSError as error:
            reason = getattr(error.__cause__, "strerror", None) or error.strerror
            troubles.append(f"{folder} ({reason})")
    where = "; ".join(troubles) or "a home folder, because there is none: set HOME"
    raise _not_found(f"there is nowhere to put it: cannot write to {where}")


def fetch_mnist():
    """Find or download MNIST, and replace a damaged file in `data/` or the user's cache.

    Returns:
        `Path` of the file or, for four IDX files, of their folder.

    Raises:
        CorruptedDataError: If the file at `VAE_COURSE_DATA` is damaged or holds something else.
        DataNotFoundError: If MNIST can be neither found nor downloaded.
    """
    path, _ = open_mnist("mnist", repair=True)
    return path


def check_mnist():
    """Check every place for MNIST; a bad file is reported rather than raised.

    Returns:
        List of `Status`, in the order in which `load_digits` looks.
    """
    return [status for status, _ in _look()]


class Status(NamedTuple):
    """What is in one place; `path` is None if there is no MNIST, good or bad."""

    place: str
    path: Path | None
    message: str
    ok: bool


def _look():
    """Yield the status of each place and, if it is good, what `read` returns."""
    for place, path in places().items():
        files = find(path)
        if not files:
            yield Status(place, None, lack(path), ok=False), None
            continue
        shared = files[0] if len(files) == 1 else files[0].parent
        try:
            yield Status(place, shared, "good", ok=True), read(files)
        except CorruptedDataError as error:
            yield Status(place, shared, str(error), ok=False), None


def open_mnist(choice, repair=False):
    """Find or download MNIST.

    Args:
        choice: "mnist", or "auto" if the embedded digits will do as well.
        repair: Whether to skip and replace a damaged file in `data/` or the user's cache.

    Returns:
        The `Path` of its file or folder, and its arrays, as `read` returns them.

    Raises:
        CorruptedDataError: If a file is damaged or holds something else.
        DataNotFoundError: If MNIST can be neither found nor downloaded.
    """
    damaged = False
    for (place, path, message, ok), found in _look():
        is_yours, is_keras = place == "VAE_COURSE_DATA", place == "Keras cache"
        if ok:
            return save(*found) if damaged else path, found[1]
        if not path:
            if is_yours:
                print(f"Ignoring VAE_COURSE_DATA, which has no MNIST: {message}")
        elif is_keras or (repair and not is_yours):  # Keras repairs its own file
            print(f"Skipping: {message}")
            damaged = damaged or not is_keras
        elif is_yours:
            cure = "Replace or delete it, or set VAE_COURSE_DATA to another folder."
            raise CorruptedDataError(f"{message} {cure}")
        else:
            cure = "Delete it, or run `vae-course data`, which downloads a good one."
            raise CorruptedDataError(f"{message} {cure}")
    mirrors = os.environ.get("VAE_COURSE_MIRRORS", "ours")
    if choice == "auto" and mirrors in _gave_up and mirrors.strip():
        reason = "its download failed or was stopped earlier in this session"
        raise DataNotFoundError(f"MNIST was not found, and {reason}.")
    _gave_up.add(mirrors)
    contents, arrays = download(PATIENCE[choice])
    path = save(contents, arrays)
    _gave_up.discard(mirrors)
    return path, arrays
