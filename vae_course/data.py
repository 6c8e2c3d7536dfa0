"""Load the digits that every lesson uses: MNIST or, if there is none, the ones inside scikit-learn."""

import functools
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vae_course import mnist
from vae_course.mnist import DataNotFoundError

CHOICES = ("auto", "mnist", "digits")
HEART = Path(__file__).with_name("heart.npz")  # `benchmarks.heart` makes it


@dataclass(frozen=True, eq=False)
class Digits:
    """Handwritten digits, split into a training and a test set; immutable.

    Args:
        x_train: Images, float32 in [0, 1] (0 is background), shape `(n_train, 28, 28, 1)`, read-only.
        y_train: Their labels 0 to 9, int64, shape `(n_train,)`, read-only.
        x_test: Test images, like `x_train`; never train on them.
        y_test: Their labels, like `y_train`.
        name: "MNIST" or "embedded digits"; figures and scores must say which.
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
    download, whichever comes first. If all of these fail, it prints one line and takes the embedded digits.
    The environment variable `VAE_COURSE_DATASET`, if set, decides what "auto" means.

    Args:
        dataset: "auto"; "mnist", which never falls back; or "digits", which never looks for MNIST.

    Returns:
        `Digits`: MNIST has 60,000 training and 10,000 test images, the embedded digits 1,500 and 297.

    Raises:
        ValueError: If `dataset` or `VAE_COURSE_DATASET` has another value.
        CorruptedDataError: If one of your MNIST files is damaged.
        DataNotFoundError: If `dataset` is "mnist" and MNIST can be neither found nor downloaded.
    """
    choice = choose(dataset)
    if choice == "digits":
        return _embedded_digits()
    try:
        return _mnist(*mnist.open_mnist(choice))
    except DataNotFoundError as error:
        if choice == "mnist":
            raise
        reason = str(error).splitlines()[0].rstrip(".:")
        print(f"{reason}: using the 1,797 embedded digits of scikit-learn instead. {mnist.CURE}")
        return _embedded_digits()


@dataclass(frozen=True, eq=False)
class Recording:
    """An electrocardiogram whose heartbeats have been labelled by hand.

    Args:
        millivolts: float32, shape `(n, 2)`: two leads.
        rate: Samples in a second.
        beats: Sample at which each heartbeat is marked, ascending.
        ventricular: Whether a heartbeat is a premature ventricular one, bool, as many as `beats`.
    """

    millivolts: np.ndarray = field(repr=False)
    rate: int
    beats: np.ndarray = field(repr=False)
    ventricular: np.ndarray = field(repr=False)


def load_heart():
    """Load half an hour of an electrocardiogram, which ships with the course; `data/README.md` says whose.

    Returns:
        `Recording` with 225,000 samples, 125 in a second, and 2,278 heartbeats, 114 of them ventricular.

    Raises:
        ValueError: If the file is missing or damaged.
    """
    try:
        with np.load(HEART) as file:
            millivolts = np.cumsum(file["steps"], axis=1, dtype=np.float32).T / 100
            return Recording(millivolts, 125, file["beats"], file["ventricular"])
    except Exception as error:  # zipfile and NumPy raise many kinds for a damaged file
        raise ValueError(
            f"The recording {HEART} is missing or damaged ({error}). Install the course again."
        ) from error


def binarize(images, seed=0):
    """Draw black-and-white images: each pixel is 1 with a probability that is its grey value.

    This is the stochastic binarization under which log-likelihoods on MNIST are usually reported.

    Args:
        images: Values in [0, 1], any shape.
        seed: Seed of the draw.

    Returns:
        float32 array of zeros and ones, same shape.

    Source: Salakhutdinov and Murray (2008), section 5; Burda, Grosse and Salakhutdinov (2016), section 5.
    """
    draw = np.random.default_rng(seed).random(images.shape, dtype="float32")
    return (draw < images).astype("float32")


def choose(dataset):
    """Return the data set to use, given that VAE_COURSE_DATASET may change what "auto" means.

    Args:
        dataset: "auto", "mnist" or "digits".

    Returns:
        One of the same three.

    Raises:
        ValueError: If `dataset` or the variable is none of the three.
    """
    variable = os.environ.get("VAE_COURSE_DATASET") if dataset == "auto" else None
    value, name = variable or dataset, "VAE_COURSE_DATASET" if variable else "dataset"
    if value not in CHOICES:
        raise ValueError(f"{name} is {value!r}: set it to one of {', '.join(CHOICES)}.")
    return value


def _mnist(path, arrays):
    # Divided in one pass: a copy of 60,000 images as floats has 188 MB. (n, 28, 28) -> (n, 28, 28, 1)
    images = {
        name: np.divide(arrays[name], 255, dtype=np.float32)[..., None]
        for name in ("x_train", "x_test")
    }
    labels = {name: arrays[name].astype(np.int64) for name in ("y_train", "y_test")}
    return Digits(**images, **labels, name="MNIST", source=str(path))


def _enlarge(array, factors):
    from scipy.ndimage import zoom  # slow to import, and MNIST does not need it

    return zoom(array, factors, order=3, mode="grid-constant", grid_mode=True)


def enlargement(images):
    """Return how images like the embedded digits were enlarged from 8 x 8 pixels, if they were.

    Args:
        images: Shape `(n, 28, 28, 1)`, values in [0, 1], n at least 1.

    Returns:
        Matrix M of shape (20, 8): an 8 x 8 image s fills the middle of the 28 x 28 with M s Mᵀ, clipped to
        [0, 1]. None if these images, such as MNIST's, are finer than that.
    """
    matrix = _enlarge(np.eye(8), (2.5, 1))
    back = matrix @ np.linalg.pinv(matrix)
    box = images[:, 4:24, 4:24, 0]
    # So coarse, an embedded digit loses 2 to 6% of its norm (to the clipping), and one of MNIST 15 to 71%.
    return matrix if np.linalg.norm(box - back @ box @ back) < 0.1 * np.linalg.norm(box) else None


@functools.cache  # immutable, so everybody can share it
def _embedded_digits():
    from sklearn import datasets  # slow to import, and MNIST does not need it

    digits = datasets.load_digits()
    small = digits.images / 16  # (1797, 8, 8), values 0 to 16 -> 0 to 1
    # Like MNIST: the digit in a box of 20 x 20, centred in 28 x 28. Cubic splines overshoot, hence the clip.
    box = _enlarge(small, (1, 2.5, 2.5))
    images = np.pad(box.clip(0, 1), ((0, 0), (4, 4), (4, 4))).astype(np.float32)[..., None]
    labels = digits.target.astype(np.int64)
    # The split follows the file's order. That needs no random generator, so it is the same with every library
    # version; it is balanced (27 to 33 test images of each digit); and it is harder than a shuffled split (a
    # nearest neighbour gets 94.6% right, not 98.3%), because images close together in the file look alike.
    parts = images[:1500], labels[:1500], images[1500:], labels[1500:]
    return Digits(*parts, name="embedded digits", source="scikit-learn")
