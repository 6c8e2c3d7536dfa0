"""Where MNIST's files may be, how to read them, and whether they are good.

The arrays are the truth, not their containers: whatever holds arrays of these digests is MNIST.
"""

import gzip
import hashlib
import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pooch

# SHA-256 of each array's bytes: uint8, C order. The same digests stand in data/registry.txt.
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


class CorruptedDataError(ValueError):
    """A file claims to be MNIST and is not."""


class Place(NamedTuple):
    """A folder (or file) where MNIST may be, and what messages call it."""

    name: str
    path: Path


class Status(NamedTuple):
    """What `check_mnist` found in one place: `path` is None where there is no MNIST, good or bad."""

    place: str
    path: Path | None
    message: str
    ok: bool


def places():
    """List where MNIST is looked for.

    Returns:
        List of `Place`, first one first; a place that this computer does not have is left out.
    """
    keras_home = os.environ.get("KERAS_HOME") or Path.home() / ".keras"
    listed = {
        "VAE_COURSE_DATA": os.environ.get("VAE_COURSE_DATA"),
        "data/": repository_data(),
        "user cache": user_cache(),
        "Keras cache": Path(keras_home, "datasets", "mnist.npz"),
    }
    return [Place(name, Path(path).expanduser()) for name, path in listed.items() if path]


def repository_data():
    """Return the folder `data/` of the repository, or None where this is not run from a clone."""
    root = Path(__file__).resolve().parents[1]
    return root / "data" if (root / "pyproject.toml").is_file() else None


def user_cache():
    """Return the user's folder for downloads of this course; it need not exist."""
    return Path(pooch.os_cache("vae-course"))


def check_mnist():
    """Say of every place whether it holds MNIST; a bad file is reported, not raised.

    Returns:
        List of `Status`, in the order in which `load_digits` looks.
    """
    return [_check(*place) for place in places()]


def _check(name, path):
    files = find_files(path)
    if not files:
        return Status(name, None, lack(path), ok=False)
    try:
        read_files(files)
    except CorruptedDataError as error:
        return Status(name, shared_path(files), str(error), ok=False)
    return Status(name, shared_path(files), "good", ok=True)


def find_files(path):
    """Find the files of MNIST at a path: a file, or a folder with mnist.npz or the four IDX files.

    Args:
        path: `Path`; it need not exist.

    Returns:
        List of one `Path`, of four in the order of `DIGESTS`, or of none. What they hold is not read.
    """
    for file in (path, path / "mnist.npz"):
        if os.path.isfile(file):  # unlike Path.is_file, False for what one may not look into
            return [file]
    files = [_find_idx(path, name) for name in IDX_NAMES.values()]
    return files if all(files) else []


def _find_idx(folder, name):
    for stem in (name, name.replace("-idx", ".idx")):
        for file in (folder / stem, folder / f"{stem}.gz"):
            if os.path.isfile(file):
                return file
    return None


def lack(path):
    """Return a sentence that says what a place without MNIST lacks."""
    if not os.path.exists(path):
        return f"{path} does not exist."
    return f"{path} holds neither mnist.npz nor the four IDX files (train-images-idx3-ubyte, …)."


def shared_path(files):
    """Return the one file's path, or the folder of four."""
    return files[0] if len(files) == 1 else files[0].parent


def read_files(files):
    """Read MNIST from one .npz file or four IDX files, gzipped or not, and check it by digest.

    Args:
        files: List of paths, as `find_files` returns it.

    Returns:
        Dict of uint8 arrays: images `(n, 28, 28)`, labels `(n,)`, with the names of `DIGESTS`.

    Raises:
        CorruptedDataError: If a file cannot be read, or an array is not MNIST's.
    """
    if len(files) == 1:
        sources = dict.fromkeys(DIGESTS, files[0])
        arrays = _decode(_read_npz, files[0])
    else:
        sources = dict(zip(DIGESTS, files, strict=True))
        arrays = {name: _decode(_read_idx, file) for name, file in sources.items()}
    for name, array in arrays.items():
        digest = hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
        if array.dtype != np.uint8 or digest != DIGESTS[name]:
            raise CorruptedDataError(f"{sources[name]} is not MNIST: its array {name} differs.")
    return arrays


def _decode(read, file):
    try:
        return read(file)
    # A damaged container can fail anywhere in zipfile, zlib, gzip or NumPy, each with errors of its own.
    except Exception as error:
        raise CorruptedDataError(f"{file} cannot be read as MNIST: {error}.") from error


def _read_npz(file):
    with open(file, "rb") as stream:
        start = stream.read(12)
    # NumPy would say of a web page that it is pickled data.
    if start[:2] != b"PK":
        raise ValueError(f"it is no .npz file, for it starts with {start!r}")
    with np.load(file, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in DIGESTS}


def _read_idx(file):
    content = Path(file).read_bytes()
    # Told by content, not by name: some servers unpack a .gz file on the way.
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    if content[:3] != b"\0\0\x08":
        raise ValueError(f"it is no IDX file of bytes, for it starts with {content[:12]!r}")
    n_axes = content[3]
    shape = np.frombuffer(content, ">u4", count=n_axes, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * n_axes).reshape(shape)
