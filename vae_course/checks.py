"""Check user input: each function rejects a bad value with an error that names it and the cure."""

import math
import numbers

import numpy as np

# A code much longer than the 784 pixels of an image compresses nothing, and its weights fill the memory.
MAX_LATENT_DIM = 4096
MAX_EPOCHS = 10_000
MAX_BETA = float(np.finfo("float32").max)  # the loss is computed in float32
MAX_DRAWS = 1000
LIKELIHOODS = ("gaussian", "learned-gaussian", "bernoulli", "continuous-bernoulli")


def check_latent_dim(latent_dim):
    """Raise a `ValueError` for anything but a whole number from 1 to `MAX_LATENT_DIM`."""
    cure = ", such as 2 for a map or 100 as in the lecture"
    _check_whole_number("latent_dim", latent_dim, 1, MAX_LATENT_DIM, cure)


def check_epochs(epochs):
    """Raise a `ValueError` for anything but a whole number from 1 to `MAX_EPOCHS`."""
    _check_whole_number("epochs", epochs, 1, MAX_EPOCHS)


def check_seed(seed):
    """Raise a `ValueError` for anything but a whole number from 0 to 2**32 - 1."""
    _check_whole_number("seed", seed, 0, 2**32 - 1)


def _check_whole_number(name, value, low, high, hint=""):
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or not low <= value <= high:
        raise ValueError(
            f"{name}={value!r} is out of range: use a whole number from {low} to {high}{hint}."
        )


def check_beta(beta):
    """Reject a KL weight that is negative, not finite, or too large for float32.

    Args:
        beta: The weight of the KL term.

    Raises:
        ValueError: If it is not a number from 0 to `MAX_BETA`.
    """
    is_number = isinstance(beta, numbers.Real) and not isinstance(beta, bool)
    if not is_number or not 0 <= beta <= MAX_BETA:
        raise ValueError(
            f"beta={beta!r} is not a valid weight for the KL term: use a number from 0 to {MAX_BETA:.1e}, "
            "such as 1, the lecture's value."
        )


def check_likelihood(likelihood, draws=1, beta=1.0):
    """Reject a likelihood that the course does not have, and numbers of draws that do not fit it.

    Args:
        likelihood: Name of the likelihood.
        draws: Number of draws of z for each image.
        beta: Weight of the KL term.

    Raises:
        ValueError: If the likelihood is not in `LIKELIHOODS`, `draws` is not a whole number from 1 to
            `MAX_DRAWS`, or several draws are asked for with a `beta` other than 1.
    """
    if likelihood not in LIKELIHOODS:
        raise ValueError(
            f"likelihood={likelihood!r} is unknown: choose one of {', '.join(LIKELIHOODS)}."
        )
    _check_whole_number("draws", draws, 1, MAX_DRAWS, ", such as 1 for the ELBO")
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
        ValueError: If the shape is wrong, or a value is NaN or outside [0, 1].
    """
    if not isinstance(images, np.ndarray):
        return
    if images.shape[1:] != tuple(shape) or len(images) == 0:
        expected = ", ".join(map(str, shape))
        raise ValueError(
            f"{name} has shape {images.shape}, expected (n, {expected}) with n at least 1: the model "
            "takes grey images, such as load_digits().x_train, and its target is an image, not a label."
        )
    low, high = float(images.min()), float(images.max())
    if math.isnan(low) or math.isnan(high):
        count = int(np.isnan(images).sum())
        raise ValueError(f"{name} has {count} NaN value(s): remove or repair those images first.")
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} has values from {low:g} to {high:g}, expected [0, 1]: "
            "divide grey values from 0 to 255 by 255."
        )
