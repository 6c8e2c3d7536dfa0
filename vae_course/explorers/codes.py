"""Check codes and decoders, choose starting points, and decode, for all explorers."""

import numpy as np

from vae_course import latent
from vae_course.explorers import networks

IMAGES = 2  # starting points among the test images of each digit


def check_codes(codes, labels, what="codes"):
    """Reject latent vectors that cannot be explored.

    Args:
        codes: Latent vectors, shape `(n, latent_dim)`, finite, with n at least 1.
        labels: One digit for each, shape `(n,)`.
        what: Name of the codes in the error message.

    Returns:
        Both as arrays.

    Raises:
        ValueError: If the codes are empty, not finite or of the wrong shape, or the labels do not match.
    """
    codes, labels = np.asarray(codes, dtype="float32"), np.asarray(labels)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            f"{what} has shape {codes.shape}: pass at least one latent vector, (n, latent_dim)."
        )
    if not np.isfinite(codes).all():
        bad = np.flatnonzero(~np.isfinite(codes).all(axis=1))
        raise ValueError(
            f"{what} has {len(bad)} rows that are not finite (NaN or infinite), the first is row {bad[0]}. "
            "Did the training diverge? Train again with a lower learning rate, or leave them out."
        )
    if labels.shape != codes.shape[:1]:
        raise ValueError(
            f"labels has shape {labels.shape}, {what} {codes.shape}: pass one label for each vector."
        )
    return codes, labels


def starting_points(codes, labels):
    """List starting points by name: the mean of each digit, then its first test images.

    Args:
        codes: Latent vectors of test images, shape `(n, latent_dim)`.
        labels: Their digits, shape `(n,)`.

    Returns:
        Dictionary from name, "mean of the 3s" or "test image 18, a 3", to vector `(latent_dim,)`.
    """
    digits = np.unique(labels)
    names = [f"mean of the {digit}s" for digit in digits]
    points = dict(zip(names, latent.class_means(codes, labels), strict=True))
    for digit in digits:
        for number in np.flatnonzero(labels == digit)[:IMAGES]:
            points[f"test image {number}, a {digit}"] = codes[number]
    return points


def check_decoder(decoder, latent_dim):
    """Reject what is not a decoder of digits that the browser can run, too.

    Args:
        decoder: Keras model from latent vectors to images.
        latent_dim: Number of latent dimensions that it must accept.

    Returns:
        The decoder.

    Raises:
        ValueError: If the decoder is not such a model, its input or output has the wrong shape, it has
            layers of other kinds than the course's models, or it draws what is not a number.
    """
    try:
        taken, made = decoder.input_shape[1:], decoder.output_shape[1:]
    except AttributeError as error:
        raise ValueError(
            f"{decoder!r} has no input and output shape: pass a Keras model that is built, such as "
            "vae.decoder."
        ) from error
    if taken != (latent_dim,):
        raise ValueError(
            f"The decoder takes vectors of shape {taken}, but these have {latent_dim} numbers: "
            "pass the decoder that belongs to them."
        )
    if made != (28, 28, 1):
        raise ValueError(f"The decoder makes images of shape {made}, but it should be (28, 28, 1).")
    networks.network(decoder)
    decode(decoder, np.zeros((1, latent_dim)))
    return decoder


def decode(decoder, z):
    """Decode latent vectors, for still figures.

    Args:
        decoder: Keras model from latent vectors to images.
        z: Latent vectors, shape `(n, latent_dim)`.

    Returns:
        Images of shape `(n, 28, 28)`.

    Raises:
        ValueError: If a pixel is not finite.
    """
    pictures = np.asarray(decoder(np.asarray(z, dtype="float32"), training=False))[..., 0]
    if not np.isfinite(pictures).all():
        raise ValueError("The decoder outputs NaN: train it again with a lower learning rate.")
    return pictures
