"""Find, verify and download MNIST's files.

Only the arrays count, not the file format: any file whose arrays have these digests is MNIST.
"""

import gzip
import hashlib
import io
import os
import textwrap
import threading
import time
import zipfile
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
# The least that has to arrive while a reader waits: 5% of MNIST. At 1 Mbit/s, 11 s bring twice that.
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


class Status(NamedTuple):
    """What is in one place; `path` is None if there is no MNIST, good or bad."""

    place: str
    path: Path | None
    message: str
    ok: bool

    @property
    def cure(self):
        """Say what to do about it; nothing if this place is good, or if another one will do."""
        if self.ok or self.place == "Keras cache":  # Keras repairs its own file
            return ""
        if self.place == "VAE_COURSE_DATA":
            return "Set VAE_COURSE_DATA to the file or folder of a good MNIST, or unset it."
        text = "Delete it, or run `vae-course data`, which downloads a good one."
        return text if self.path else ""


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


def _yours():
    # On Windows, `set NAME="C:\\..." ` leaves quotes and spaces in the value.
    wanted = os.path.expanduser(os.environ.get("VAE_COURSE_DATA", "").strip(" \"'"))
    # Lessons run in notebooks/, but `VAE_COURSE_DATA=mine make lab` is typed in the repository.
    if wanted and repository_data() and not os.path.exists(wanted):
        return repository_data().parent / wanted
    return wanted and Path(wanted).absolute()


def _look():
    """Yield the `Status` of each place that this computer has, in search order, and its arrays or None."""
    keras_home = os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")
    places = {
        "VAE_COURSE_DATA": _yours(),
        "data/": repository_data(),
        "user cache": user_cache(),
        "Keras cache": Path(keras_home, "datasets", "mnist.npz").absolute(),
    }
    for place, path in places.items():
        try:
            if path:
                files = _find(path)
                found = files[0] if len(files) == 1 else path
                yield Status(place, found, "good", ok=True), read(files)
        except FileNotFoundError as error:
            yield Status(place, None, str(error), ok=False), None
        except CorruptedDataError as error:
            yield Status(place, found, str(error), ok=False), None


def _find(path):
    """Return the files of MNIST at a path: one, or four in the order of `DIGESTS`."""
    if os.path.isfile(path):  # False if access is denied, unlike Path.is_file
        return [path]
    try:
        # The last one counts: the one that is not zipped.
        names = sorted(os.listdir(path), reverse=True)
    except OSError as error:
        raise FileNotFoundError(f"{path} cannot be opened ({error.strerror}).") from error
    plain = [name.lower().removesuffix(".gz").replace(".idx", "-idx") for name in names]
    files = {key: path / name for key, name in zip(plain, names, strict=True)}
    for wanted in ["mnist.npz"], IDX_NAMES.values():
        if all(os.path.isfile(files.get(name, "")) for name in wanted):
            return [files[name] for name in wanted]
    raise FileNotFoundError(
        f"{path} holds neither a file mnist.npz nor the four IDX files (train-images-idx3-ubyte, …)."
    )


def read(files):
    """Read and unpack MNIST.

    Args:
        files: What `_find` returns: paths of one file, or of four.

    Returns:
        Dictionary of arrays, named as in `DIGESTS`.

    Raises:
        CorruptedDataError: If a file cannot be read, is damaged or holds something else.
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
    return _unpack(contents)


def _unpack(contents):
    """Unpack the arrays from the contents of files, given by path or address, and compare their digests."""
    arrays, array_of = {}, _array_of_npz if len(contents) == 1 else _array_of_idx
    sources = list(contents) * (4 // len(contents))
    for (name, digest), source in zip(DIGESTS.items(), sources, strict=True):
        try:
            array = array_of(contents[source], name)
        # Damage can surface anywhere in zipfile, zlib, gzip or NumPy, each with its own errors.
        except Exception as error:
            start = f"It starts with {contents[source][:16]!r}."
            reason = f"{source} cannot be read as MNIST: {error}. {start}"
            raise CorruptedDataError(reason) from error
        if array.dtype != np.uint8 or hashlib.sha256(array.tobytes()).hexdigest() != digest:
            raise CorruptedDataError(f"{source} is not MNIST: its array {name} differs.")
        arrays[name] = array.reshape((-1, 28, 28) if name.startswith("x") else -1)
    return arrays


# Neither reads more than `MOST_BYTES`, because a small file can unpack into gigabytes.
def _array_of_npz(content, name):
    with zipfile.ZipFile(io.BytesIO(content)) as archive, archive.open(f"{name}.npy") as member:
        return np.load(io.BytesIO(member.read(MOST_BYTES)), allow_pickle=False)


def _array_of_idx(content, name):
    # The content decides, not the name, because some servers unpack a .gz file on the way.
    if content[:2] == b"\x1f\x8b":
        content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(MOST_BYTES)
    if content[:3] != b"\0\0\x08":
        raise ValueError("it is not an IDX file of bytes")
    # The digest tells whether the bytes are as many as the header's lengths promise.
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3])


class _Transfer(threading.Thread):
    """Download all files of one mirror into memory, in a thread because a name lookup may hang forever."""

    def __init__(self, mirror, patience):
        super().__init__(daemon=True)  # so that Python can exit while it hangs
        self.mirror, self.patience = mirror, patience
        self.received, self.stopped, self.failure, self.arrays = 0, False, None, None

    def run(self):
        download = pooch.HTTPDownloader(
            progressbar=True,
            chunk_size=8192,
            # A name can have several addresses. The second limit ends a thread that nobody waits for.
            timeout=(self.patience / 3, 2 * self.patience),
            auth=lambda request: request,  # the files are public, so send no password from ~/.netrc
        )
        urls, contents = [self.mirror], {}
        if not self.mirror.endswith(".npz"):
            urls = [f"{self.mirror.rstrip('/')}/{name}.gz" for name in IDX_NAMES.values()]
        try:
            for url in urls:
                self.chunks = []
                download(url, self, None)  # calls write and flush
                contents[url] = b"".join(self.chunks)
            self.arrays = _unpack(contents)
        except Exception as error:  # from the mirror, the network or its settings, not from a disk
            self.failure = _told(error)

    def write(self, chunk):
        self.received += len(chunk)
        if self.stopped or self.received > MOST_BYTES:
            raise ValueError(f"sent more than {MOST_BYTES / 1e6:.0f} MB, so this is not MNIST")
        self.chunks.append(chunk)

    def flush(self):
        pass


def _download(patience):
    """Download MNIST's arrays from the first mirror that sends them; each has its share of the seconds."""
    wanted = os.environ.get("VAE_COURSE_MIRRORS", " ".join(MIRRORS))
    # Without bytes that no print can show.
    mirrors = wanted.encode(errors="replace").decode().split()
    if not mirrors:
        raise _not_found("downloads are switched off (VAE_COURSE_MIRRORS is empty)")
    failures = {}
    for mirror in mirrors:
        transfer = _Transfer(mirror, patience / len(mirrors))
        transfer.start()
        try:
            failure = _watch(transfer, LEAST_BYTES / len(mirrors))
        finally:
            transfer.stopped = True
        if not failure:
            return transfer.arrays
        failures[mirror] = failure + _remark(_split(mirror))
    first = mirrors[0]
    reason = f"no mirror sent it ({_split(first).netloc or first}: {failures[first]})"
    raise _not_found(reason, failures)


def _watch(transfer, least):
    """Wait as long as so many bytes come in the time of its patience; return why nothing more came."""
    before = 0
    while _still_runs(transfer, transfer.patience):
        gained, before = transfer.received - before, transfer.received
        if gained < least:
            what = f"too slow, only {gained / 1000:.0f} kB" if gained else "no answer"
            return f"{what} within {transfer.patience:.2g} s"
    return transfer.failure


def _still_runs(transfer, seconds):
    end = time.monotonic() + seconds
    while transfer.is_alive() and time.monotonic() < end:
        transfer.join(0.1)  # short, because Windows ignores Ctrl-C meanwhile
    return transfer.is_alive()


def _told(error):
    """Say in one line what went wrong and how to fix it."""
    cure = ""
    if type(error).__name__ == "SSLError":
        cure = f"; set the clock if today is not {time.strftime('%Y-%m-%d')}; if your network has its own "
        cure += "certificates, set REQUESTS_CA_BUNDLE to their file"
    # requests hides the reason behind a line about retries.
    while error.__context__ and not isinstance(error, CorruptedDataError):
        error = error.__context__
    text = textwrap.shorten(str(error) or type(error).__name__, 200, placeholder=" …")
    if "<html" in text.lower() or "<!doctype" in text.lower():
        cure += "; that is a web page: log in with a browser if your network requires it"
    return text + cure


def _split(address):
    """Return the parts of an address, which are all empty if it is malformed."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _remark(url):
    """Name the settings of this computer that may be to blame: certificates that are gone, and proxies."""
    gone = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") if url.scheme == "https" else ()
    found = [name for name in gone if not os.path.exists(os.environ.get(name) or "/")]
    if not url.netloc:  # of our own mirrors, none is malformed
        found.append("VAE_COURSE_MIRRORS")
    if not proxy_bypass_environment(url.hostname or ""):
        wanted = f"{url.scheme}_proxy", "all_proxy"
        found += [name for name in os.environ if name.lower() in wanted and os.environ[name]]
    return f"; correct or unset {' and '.join(found)} if that is out of date" if found else ""


def _not_found(reason, failures=None):
    lines = [f"MNIST was not found, and {reason}.", "Looked at:"]
    lines += [f"  {place}: {message}" for place, _, message, _ in check_mnist()]
    lines += [f"Tried {mirror}: {failure}" for mirror, failure in (failures or {}).items()]
    return DataNotFoundError("\n".join([*lines, CURE]))


def _save(arrays):
    """Write mnist.npz into the repository's `data/` or, if that fails, into the user's cache."""
    troubles = []
    for folder in filter(None, [repository_data(), user_cache()]):
        try:
            # Create the user's cache if needed, but never the repository's data/.
            if folder == user_cache():
                folder.mkdir(parents=True, exist_ok=True)
            with write_atomically(folder / "mnist.npz") as unfinished:
                np.savez_compressed(unfinished, **arrays)
            return folder / "mnist.npz"
        except OSError as error:
            reason = getattr(error.__cause__, "strerror", None) or error.strerror
            troubles.append(f"{folder} ({reason})")
    where = "; ".join(troubles) or "a home folder, because there is none: set HOME"
    raise _not_found(f"there is nowhere to put it: cannot write to {where}")


def _replace(damaged, arrays):
    """Save a good MNIST where it is found first, or raise an error if a damaged one stays before it."""
    path = _save(arrays)
    if damaged and damaged[0].place == "data/" and path.parent != repository_data():
        raise CorruptedDataError(
            f"{damaged[0].message} It cannot be replaced, and it is looked at before {path}, which is good: "
            f"delete it, or set VAE_COURSE_DATA to {path.parent}."
        )
    return path


def fetch_mnist():
    """Find or download MNIST, and replace a damaged file in `data/` or the user's cache.

    Returns:
        `Path` of the file or, for four IDX files, of their folder.

    Raises:
        CorruptedDataError: If the file at `VAE_COURSE_DATA` is damaged or holds something else, or one in
            `data/` that cannot be replaced.
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
    damaged = []
    for status, arrays in _look():
        if status.ok:
            return _replace(damaged, arrays) if damaged else status.path, arrays
        is_damaged = status.path and status.cure
        if is_damaged and (not repair or status.place == "VAE_COURSE_DATA"):
            raise CorruptedDataError(f"{status.message} {status.cure}")
        if status.path or status.cure:
            print(f"Skipping {status.place}: {status.message}")
        damaged += [status] * bool(is_damaged)
    mirrors = os.environ.get("VAE_COURSE_MIRRORS", "ours")
    if choice == "auto" and mirrors in _gave_up and mirrors.strip():
        reason = "its download failed or was stopped earlier in this session"
        raise DataNotFoundError(f"MNIST was not found, and {reason}.")
    _gave_up.add(mirrors)
    arrays = _download(PATIENCE[choice])
    path = _replace(damaged, arrays)
    _gave_up.discard(mirrors)
    return path, arrays
