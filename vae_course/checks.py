"""Check what a user gives: each function refuses a bad value with an error that names it and the cure."""

import math
import numbers

import numpy as np

# A code of more numbers than an image has pixels (784) compresses nothing, and its weights fill the memory.
MAX_LATENT_DIM = 4096
MAX_EPOCHS = 10_000
MAX_BETA = float(np.finfo("float32").max)  # the loss is computed in float32


def check_latent_dim(latent_dim):
    """Refuse anything but a whole number from 1 to `MAX_LATENT_DIM`, with a `ValueError`."""
    cure = ", such as 2 for a map or 100 as in the lecture"
    _check_whole_number("latent_dim", latent_dim, 1, MAX_LATENT_DIM, cure)


def check_epochs(epochs):
    """Refuse anything but a whole number from 1 to `MAX_EPOCHS`, with a `ValueError`."""
    _check_whole_number("epochs", epochs, 1, MAX_EPOCHS)


def check_seed(seed):
    """Refuse anything but a whole number from 0 to 2**32 - 1, with a `ValueError`."""
    _check_whole_number("seed", seed, 0, 2**32 - 1)


def _check_whole_number(name, value, low, high, hint=""):
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or not low <= value <= high:
        raise ValueError(
            f"{name}={value!r} is out of range: give a whole number from {low} to {high}{hint}."
        )


def check_beta(beta):
    """Refuse a weight of the KL term that is negative, not finite, or too large for float32.

    Args:
        beta: The weight.

    Raises:
        ValueError: If it is not a number from 0 to `MAX_BETA`.
    """
    is_number = isinstance(beta, numbers.Real) and not isinstance(beta, bool)
    if not is_number or not 0 <= beta <= MAX_BETA:
        raise ValueError(
            f"beta={beta!r} cannot weigh the KL term: give a number from 0 to {MAX_BETA:.1e}, "
            "such as the lecture's 1."
        )


def check_images(images, shape, name):
    """Refuse arrays that are not images with values in [0, 1]; let data sets and tensors pass.

    Args:
        images: NumPy array; anything else is left to Keras.
        shape: Shape of one image, such as (28, 28, 1).
        name: What the error message calls the images.

    Raises:
        ValueError: If the shape is another, or a value is NaN or outside [0, 1].
    """
    if not isinstance(images, np.ndarray):
        return
    if images.shape[1:] != tuple(shape) or len(images) == 0:
        expected = ", ".join(map(str, shape))
        raise ValueError(
            f"{name} has shape {images.shape}, expected (n, {expected}) with n of 1 or more: the model "
            "takes grey images, such as load_digits().x_train, and its target is an image, not a label."
        )
    low, high = float(images.min()), float(images.max())
    if math.isnan(low) or math.isnan(high):
        count = int(np.isnan(images).sum())
        raise ValueError(f"{name} has {count} NaN value(s): remove or repair those images first.")
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} has values from {low:g} to {high:g}, expected [0, 1]: "
            "divide grey values of 0 to 255 by 255."
        )
