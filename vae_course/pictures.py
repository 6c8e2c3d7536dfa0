"""Load somebody's own pictures, from a folder or a NumPy file, as bytes that fit the networks.

Keras' `image_dataset_from_directory` stops at the first broken file, and knows neither duplicates nor 16 bits
nor the orientation that a camera notes, so we read with Pillow and leave only the batches to tf.data.
"""

import contextlib
import hashlib
import io
import math
import os
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from vae_course.checks import check_side
from vae_course.data import Digits

IN_MEMORY = (
    256_000_000  # bytes; more pictures are kept in a temporary file, which the system pages in
)
MOST_TESTED = 2000  # they are held as floats, and scored many times
FEWEST = 20
# For EPS, Pillow would start Ghostscript, which runs programs that are in the file. IPTC may hold EPS.
NOT_READ = ("EPS", "IPTC")


@dataclass(frozen=True, eq=False)
class Pictures(Digits):
    """Pictures in the place of digits. `x_train` is uint8 and square, with 1 or 3 channels; labels are texts.

    Args:
        digest: SHA-256 of all pictures in their order.
        left_out: What was not used, a dictionary from the name of a file to the reason.
    """

    digest: str
    left_out: dict = field(repr=False)


def load_pictures(source, side=None):
    """Load pictures, crop each to its middle square, and set a tenth aside to test with, at most 2,000.

    Which ones are tested with depends on their content alone, and of equal pictures only the first is used.
    Transparent places become white. Of an animation, the first picture is used.

    Args:
        source: Path of a folder, whose subfolders become labels; or of an `.npy` or `.npz` file of shape
            `(n, height, width)`, or with 1, 3 or 4 channels: uint8, uint16, or floats from 0 to 1.
        side: Pixels of a side, a multiple of 4 from 8 to 128; None for that of the pictures, but 64 at most.

    Returns:
        `Pictures`, with 3 channels unless all of them are grey.

    Raises:
        FileNotFoundError: If there is no such folder or file.
        OSError: If a file is needed to hold all pictures, and there is no room for it.
        ValueError: If `side` is none, a file holds no pictures, or fewer than 20 different ones can be read.
    """
    source = Path(source).absolute()
    if side is not None:
        check_side(side)
    names, labels, read, left_out = (_in_folder if source.is_dir() else _in_file)(source)
    with warnings.catch_warnings(action="ignore"):  # about odd metadata
        side = side or _usual_side(read, names)
        images, kept = _read_all(names, read, side, left_out)
    if len(kept) < FEWEST:
        told = [f"{name} {reason}" for name, reason in list(left_out.items())[:3]]
        reasons = f" Left out: {'; '.join(told)}{' ...' * (len(left_out) > 3)}." if told else ""
        raise ValueError(
            f"{source} holds {len(kept)} different picture(s) that can be read, but {FEWEST} are needed."
            + reasons
        )
    # Those with the lowest digests are tested with: a choice by lot, but by content.
    tested = np.zeros(len(kept), bool)
    lots = sorted(range(len(kept)), key=list(kept).__getitem__)
    tested[lots[: min(MOST_TESTED, max(1, len(kept) // 10))]] = True
    x_test = np.divide(images[tested], 255, dtype="float32")
    for place, row in enumerate(np.flatnonzero(~tested)):
        images[place] = images[row]  # no copy, because they may be larger than the memory
    labels = np.array([labels[place] for place in kept.values()])
    parts = images[: len(kept) - len(x_test)], labels[~tested], x_test, labels[tested]
    digest = hashlib.sha256(b"".join(kept)).hexdigest()
    return Pictures(*parts, f"your {_shown(source.stem)}", str(source), digest, left_out)


def _read_all(names, read, side, left_out):
    """Return all different pictures, and a dictionary from the digest of each to its place in `names`."""
    shape, kept, coloured = (len(names), side, side, 3), {}, False
    shown = [_shown(name) for name in names]
    in_file = math.prod(shape) > IN_MEMORY
    images = _on_disk(shape) if in_file else np.empty(shape, "u1")
    pool = ThreadPoolExecutor(os.cpu_count())
    try:
        pictures = pool.map(lambda name: _prepared(read, name, side), names)
        bar = tqdm(pictures, "reading", len(names), unit="picture", ncols=100, disable=None)
        for place, picture in enumerate(bar):
            if isinstance(picture, Exception):
                reason = (str(picture) or type(picture).__name__).splitlines()[0][:100]
                left_out[shown[place]] = f"cannot be read ({reason})"
            elif (digest := hashlib.sha256(picture).digest()) in kept:
                left_out[shown[place]] = f"is the same picture as {shown[kept[digest]]}"
            else:
                images[len(kept)], kept[digest] = picture, place
                coloured = coloured or np.ptp(picture, axis=2).any()
    finally:
        pool.shutdown(cancel_futures=True)  # or Ctrl-C would wait for all pictures
    images = images[: len(kept)]
    if coloured or not in_file:
        return (images if coloured else np.ascontiguousarray(images[..., :1])), kept
    greys = images.reshape(-1)[: images[..., 0].size].reshape(*images.shape[:3], 1)
    for grey, picture in zip(greys, images, strict=True):
        grey[:] = picture[
            ..., :1
        ]  # in the same file, where each lies before those still to be read
    return greys, kept


def _on_disk(shape):
    """Return an array in a file that nobody else sees, with all of its room taken at once."""
    file, count = tempfile.TemporaryFile(), math.prod(shape)
    try:
        if hasattr(os, "posix_fallocate"):  # else a full disk would kill the process later
            os.posix_fallocate(file.fileno(), 0, count)
        return np.memmap(file, shape=shape, mode="w+")
    except OSError as error:
        raise OSError(
            f"{count:,} bytes for the pictures do not fit into {tempfile.gettempdir()} ({error.strerror}): "
            "set TMPDIR to a folder with more room, or use a smaller side."
        ) from error


def _shown(name):
    """Return a name as it can be printed: Linux allows names that are not UTF-8."""
    return os.fsencode(name).decode("utf-8", "replace")


def _in_folder(folder):
    """Return the names of what may be pictures, their labels, how to open one, and what was left out."""
    formats, names, left_out = Image.registered_extensions(), [], {}

    def leave_out(path, reason):
        left_out[_shown(Path(path).relative_to(folder).as_posix())] = reason

    def tell(error):
        leave_out(error.filename, f"cannot be opened ({error.strerror}): check its permissions")

    for path, folders, files in os.walk(folder, onerror=tell):
        folders[:] = [name for name in folders if name[0] != "." and name != "__MACOSX"]
        for link in filter(os.path.islink, (os.path.join(path, name) for name in folders)):
            leave_out(link, "is a link to a folder, which is not followed: copy the folder")
        for name in (name for name in files if name[0] != "."):
            place = Path(path, name)
            kind = formats.get(place.suffix.lower())
            if kind in Image.OPEN and kind not in NOT_READ:
                names.append(place.relative_to(folder).as_posix())
            else:
                leave_out(place, "is no picture that can be read: use PNG or JPEG")
    names.sort()
    parents = [Path(_shown(name)).parts[:-1] for name in names]
    common = len(os.path.commonprefix(parents))  # such as the one folder that a zip file holds
    return names, ["".join(p[common : common + 1]) for p in parents], folder.joinpath, left_out


def _in_file(path):
    """Return the same for the rows of an array."""
    try:
        array, labels = np.load(path, mmap_mode="r"), None
        if not isinstance(array, np.ndarray):
            with array as arrays:  # of which only those that are used are read
                shapes = {name: _shape(arrays.zip, name) for name in arrays.files}
                images = [name for name, shape in shapes.items() if len(shape) in (3, 4)]
                if len(images) != 1:
                    raise ValueError(
                        f"it holds {len(images)} arrays of pictures, {images}: keep one"
                    )
                array = arrays[images[0]]
                rows = (name for name, shape in shapes.items() if shape == array.shape[:1])
                labels = next((arrays[name] for name in rows), None)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is neither a folder nor a file {path}.") from error
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise ValueError(f"{path} is no .npy or .npz file of pictures ({error}).") from error
    if array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[3] not in (1, 3, 4)):
        raise ValueError(
            f"{path} has the shape {array.shape}: save (n, height, width), or with 1, 3 or 4 channels last."
        )
    labels = [""] * len(array) if labels is None else labels.astype(str)
    names = {f"row {number}": number for number in range(len(array))}
    return list(names), labels, lambda name: array[names[name]], {}


def _shape(archive, name):
    """Return the shape of an array in an `.npz` file, without reading the array."""
    with archive.open(f"{name}.npy") as member:
        start = io.BytesIO(member.read(20_000))  # NumPy allows headers of 10,000 bytes
    version = np.lib.format.read_magic(start)
    # Version 3 differs from 2 only by letters in names of columns.
    old = version == (1, 0)
    read = np.lib.format.read_array_header_1_0 if old else np.lib.format.read_array_header_2_0
    return read(start)[0]


def _usual_side(read, names):
    """Choose a side for the network by the shorter sides of some of the pictures."""
    sides = []
    for name in names[:: max(1, len(names) // 200)]:
        with contextlib.suppress(Exception), _open(read(name)) as image:
            sides.append(min(image.size))
    return min(64, max(8, int(np.median(sides or 64)) // 4 * 4))


def _open(found):
    if isinstance(found, np.ndarray):
        return Image.fromarray(_bytes(found))
    Image.init()  # or not all kinds are known yet
    return Image.open(found, formats=[kind for kind in Image.OPEN if kind not in NOT_READ])


def _bytes(numbers):
    """Turn bits, 16 bits, or floats from 0 to 1 into bytes from 0 to 255; a last axis of 1 goes."""
    scale = {"u1": 1, "u2": 1 / 257}.get(numbers.dtype.str[1:], 255)
    numbers = np.round(np.asarray(numbers).reshape([n for n in numbers.shape if n != 1]) * scale)
    if not (numbers.min() >= 0 and numbers.max() <= 255):  # NaN is neither
        raise ValueError("its numbers are neither bytes nor from 0 to 1: save uint8")
    return np.ascontiguousarray(numbers, "uint8")


def _prepared(read, name, side):
    """Return a picture as bytes, shape `(side, side, 3)`, or the exception that tells why not."""
    try:
        with _open(read(name)) as image:
            image.draft(None, (2 * side, 2 * side))  # a JPEG is decoded no larger than it must be
            image = ImageOps.exif_transpose(image)
            if image.mode[0] in "IF":  # of more than 8 bits, which Pillow would cut off at 255
                deep = np.asarray(image)
                if image.mode != "F":
                    if deep.min() < 0 or deep.max() > 65535:
                        raise ValueError(
                            f"its values, {deep.min()} to {deep.max()}, do not fit into 16 bits: save uint16"
                        )
                    deep = deep.astype("u2")
                image = Image.fromarray(_bytes(deep))
            if image.has_transparency_data:
                white = Image.new("RGBA", image.size, "white")
                image = Image.alpha_composite(white, image.convert("RGBA"))
            return np.asarray(ImageOps.fit(image.convert("RGB"), (side, side)))
    except Exception as error:  # Pillow raises many kinds for a broken file
        return error
