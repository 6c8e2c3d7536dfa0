"""Check user input: each function rejects a bad value with an error that names it and the cure."""

import numbers
from functools import partial

import numpy as np


def _check_number(name, cure, kind, low, high, value):
    """Raise a `ValueError` for anything but a number of this kind from `low` to `high`."""
    if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
        what = "whole number" if kind is numbers.Integral else "number"
        raise ValueError(
            f"{name}={value!r} is out of range: use a {what} from {low} to {high:.10g}{cure}."
        )


# A code much longer than the 784 pixels of an image compresses nothing, and its weights fill the memory.
_LENGTHS = ", such as 2 for a map or 100 as in the lecture"
check_latent_dim = partial(_check_number, "latent_dim", _LENGTHS, numbers.Integral, 1, 4096)
check_epochs = partial(_check_number, "epochs", "", numbers.Integral, 1, 10_000)
check_seed = partial(_check_number, "seed", "", numbers.Integral, 0, 2**32 - 1)
# The weight of the KL term; the loss is computed in float32.
_MOST = float(np.finfo("float32").max)
check_beta = partial(_check_number, "beta", ", such as 1 as in the lecture", numbers.Real, 0, _MOST)
_check_side = partial(_check_number, "side", ", a multiple of 4", numbers.Integral, 8, 128)
_FOR_ELBO = ", such as 1 for the ELBO"
_check_draws = partial(_check_number, "draws", _FOR_ELBO, numbers.Integral, 1, 1000)
MOST_DRAWS = 1_000_000  # to estimate log p(x) with
LIKELIHOODS = ("gaussian", "learned-gaussian", "bernoulli", "continuous-bernoulli")


def check_side(side):
    """Check the side of images, which the networks halve twice.

    Args:
        side: Number of pixels.

    Raises:
        ValueError: If it is no multiple of 4 from 8 to 128.
    """
    _check_side(side)
    if side % 4:
        raise ValueError(
            f"side={side} is no multiple of 4: use {side // 4 * 4} or {side // 4 * 4 + 4}."
        )


def check_image_shape(shape):
    """Check a shape of images that networks are to be built for.

    Args:
        shape: Height, width and channels.

    Raises:
        ValueError: If the channels are not 1 or 3, or as in `check_side`.
    """
    if len(shape) != 3 or shape[2] not in (1, 3):
        raise ValueError(
            f"image_shape={shape!r} is not (height, width, channels) with 1 or 3 channels."
        )
    for side in shape[:2]:
        check_side(side)


def check_likelihood(likelihood, draws=1, beta=1.0):
    """Check the settings of a loss that go together.

    Args:
        likelihood: One of `LIKELIHOODS`.
        draws: Number of draws of z for each image, 1 to 1000.
        beta: Weight of the KL term; with several draws, only 1.

    Raises:
        ValueError: If there is no such likelihood, or the draws are out of range or do not go with the beta.
    """
    if likelihood not in LIKELIHOODS:
        raise ValueError(
            f"likelihood={likelihood!r} is unknown: choose one of {', '.join(LIKELIHOODS)}."
        )
    _check_draws(draws)
    if draws > 1 and beta != 1:
        raise ValueError(
            f"draws={draws} needs beta=1, not {beta:g}: the importance-weighted bound has no KL to weigh."
        )


def check_images(images, shape, name):
    """Reject arrays that are not images with values in [0, 1].

    Args:
        images: NumPy array; data sets and tensors are left to Keras.
        shape: Shape of one image, such as (28, 28, 1).
        name: Name of the images in the error message.

    Raises:
        ValueError: If they are no floating-point numbers, the shape is wrong, or a value is NaN or outside
            [0, 1].
    """
    if not isinstance(images, np.ndarray):
        return
    if images.shape[1:] != tuple(shape) or len(images) == 0:
        expected = ", ".join(map(str, shape))
        what = "grey images, such as load_digits().x_train," if shape[2] == 1 else "colour images,"
        raise ValueError(
            f"{name} has shape {images.shape}, expected (n, {expected}) with n at least 1: the model "
            f"takes {what} and its target is an image, not a label."
        )
    if not np.issubdtype(images.dtype, np.floating):
        raise ValueError(
            f'{name} has the type {images.dtype}: convert it by .astype("float32"), and divide grey values '
            "from 0 to 255 by 255."
        )
    if count := np.isnan(images).sum():
        raise ValueError(f"{name} has {count} NaN value(s): remove or repair those images first.")
    low, high = images.min(), images.max()
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} has values from {low:g} to {high:g}, expected [0, 1]: "
            "divide grey values from 0 to 255 by 255."
        )
