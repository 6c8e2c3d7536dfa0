"""The digits every lesson runs on: MNIST or, where it cannot be had, the ones inside scikit-learn."""

import os
from dataclasses import dataclass, field

import numpy as np

from vae_course.mnist_download import CURE, DataNotFoundError, download
from vae_course.mnist_files import (
    CorruptedDataError,
    check_mnist,
    find_files,
    lack,
    places,
    read_files,
    shared_path,
)

__all__ = [
    "CorruptedDataError",
    "DataNotFoundError",
    "Digits",
    "check_mnist",
    "fetch_mnist",
    "load_digits",
]

CHOICES = ("auto", "mnist", "digits")

# A reader who asked for "auto" waits this many seconds, and no longer, for a network that does not answer.
AUTO_PATIENCE = 11.0
# One who asked for MNIST by name may have a slow line, and wants it all the same.
MNIST_PATIENCE = 60.0


@dataclass(frozen=True, eq=False)
class Digits:
    """Handwritten digits, split into training and test; nothing in it can be changed.

    Args:
        x_train: Images, float32 in [0, 1] (0 is background), shape `(n_train, 28, 28, 1)`, read-only.
        y_train: Their digits 0 to 9, int64, shape `(n_train,)`, read-only.
        x_test: As `x_train`, for testing; never train on them.
        y_test: As `y_train`.
        name: "MNIST" or "embedded digits": what figures and scores have to name.
        source: Where the digits came from: a path, or "scikit-learn".
    """

    x_train: np.ndarray = field(repr=False)
    y_train: np.ndarray = field(repr=False)
    x_test: np.ndarray = field(repr=False)
    y_test: np.ndarray = field(repr=False)
    name: str
    source: str

    def __post_init__(self):
        for array in (self.x_train, self.y_train, self.x_test, self.y_test):
            array.setflags(write=False)


def load_digits(dataset="auto"):
    """Load the digits of the course.

    "auto" takes MNIST from `$VAE_COURSE_DATA`, the folder `data/`, the user's cache, Keras' cache or a
    download, whichever comes first, and else the embedded digits, saying so in one line. The environment
    variable `VAE_COURSE_DATASET`, if set, says what "auto" means.

    Args:
        dataset: "auto"; "mnist", which never falls back; or "digits", which never looks for MNIST.

    Returns:
        `Digits`: MNIST has 60,000 training and 10,000 test images, the embedded digits 1,500 and 297.

    Raises:
        ValueError: If `dataset` or `VAE_COURSE_DATASET` is none of these.
        CorruptedDataError: If a file of yours claims to be MNIST and is not.
        DataNotFoundError: If `dataset` is "mnist" and it can be neither found nor downloaded.
    """
    choice = choose(dataset)
    if choice == "digits":
        return _embedded_digits()
    try:
        if choice == "mnist":
            return _mnist(*_open_mnist(MNIST_PATIENCE))
        return _mnist(*_open_mnist(AUTO_PATIENCE, try_again=False))
    except DataNotFoundError as error:
        if choice == "mnist":
            raise
        reason = str(error).splitlines()[0].rstrip(".:")
        print(f"{reason}: using the 1,797 embedded digits of scikit-learn instead. {CURE}")
        return _embedded_digits()


def fetch_mnist(patience=MNIST_PATIENCE):
    """Find MNIST, or download it, in the stead of a corrupted file in `data/` or the user's cache, too.

    Args:
        patience: Seconds in which 5 % of the file have to arrive, again and again until it is complete.

    Returns:
        `Path` of the file or, for four IDX files, of their folder.

    Raises:
        CorruptedDataError: If what `VAE_COURSE_DATA` names claims to be MNIST and is not.
        DataNotFoundError: If MNIST can be neither found nor downloaded.
    """
    path, _ = _open_mnist(patience, repair=True)
    return path


def _open_mnist(patience, try_again=True, repair=False):
    for place in places():
        files = find_files(place.path)
        if files:
            try:
                return shared_path(files), read_files(files)
            except CorruptedDataError as error:
                _raise_or_skip(place, error, repair)
        elif place.name == "VAE_COURSE_DATA":
            wanted = "mnist.npz or the four IDX files"
            print(f"VAE_COURSE_DATA has no MNIST ({wanted}), going on without: {lack(place.path)}")
    return download(patience, try_again)


def _raise_or_skip(place, error, repair):
    if place.name == "VAE_COURSE_DATA":
        cure = "Replace or delete it, or let VAE_COURSE_DATA name another folder."
        raise CorruptedDataError(f"{error} {cure}") from error
    if place.name != "Keras cache" and not repair:
        cure = "Delete it, or run `vae-course data`, which downloads a good one."
        raise CorruptedDataError(f"{error} {cure}") from error
    # Keras repairs its own file.
    print(f"Passed over: {error}")


def choose(dataset):
    """Say which data set is wanted, once VAE_COURSE_DATASET has been asked what "auto" shall mean.

    Args:
        dataset: "auto", "mnist" or "digits".

    Returns:
        One of the same three.

    Raises:
        ValueError: If `dataset` or the variable is none of the three.
    """
    if dataset not in CHOICES:
        raise ValueError(f"There is no data set {dataset!r}: choose one of {', '.join(CHOICES)}.")
    wanted = os.environ.get("VAE_COURSE_DATASET", "")
    if dataset != "auto" or not wanted:
        return dataset
    if wanted not in CHOICES:
        raise ValueError(
            f"VAE_COURSE_DATASET is {wanted!r}: set it to one of {', '.join(CHOICES)}, or unset it."
        )
    return wanted


def _mnist(path, arrays):
    return Digits(
        x_train=_unit_floats(arrays["x_train"]),
        y_train=arrays["y_train"].astype(np.int64),
        x_test=_unit_floats(arrays["x_test"]),
        y_test=arrays["y_test"].astype(np.int64),
        name="MNIST",
        source=str(path),
    )


def _unit_floats(bytes_0_to_255):
    images = bytes_0_to_255.astype(np.float32, order="C")
    images /= 255
    return images.reshape(-1, 28, 28, 1)  # (n, 28, 28) -> (n, 28, 28, 1)


def _embedded_digits():
    # Imported here because MNIST needs neither, and both are slow to import.
    from scipy.ndimage import zoom
    from sklearn import datasets

    digits = datasets.load_digits()
    small = digits.images / 16  # (1797, 8, 8), values 0 to 16 -> 0 to 1
    # MNIST's own layout: the digit in a box of 20 x 20, centred in 28 x 28. Cubic splines overshoot.
    box = zoom(
        small, (1, 2.5, 2.5), order=3, mode="grid-constant", grid_mode=True
    )  # (1797, 20, 20)
    images = np.pad(box.clip(0, 1), ((0, 0), (4, 4), (4, 4))).astype(np.float32)  # (1797, 28, 28)
    images = images.reshape(-1, 28, 28, 1)
    labels = digits.target.astype(np.int64)
    # The split is the file's order: no random generator, so the same for every version of every library;
    # balanced (27 to 33 test images of each digit); and harder than a shuffled one (a nearest neighbour
    # gets 94.6 % right, not 98.3 %): images that stand close together in the file look alike.
    train, test = slice(None, 1500), slice(1500, None)
    return Digits(
        x_train=images[train].copy(),
        y_train=labels[train].copy(),
        x_test=images[test].copy(),
        y_test=labels[test].copy(),
        name="embedded digits",
        source="scikit-learn",
    )
