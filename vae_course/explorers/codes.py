"""Check codes and decoders, choose starting points, and decode, for all explorers."""

import numpy as np

from vae_course import latent
from vae_course.explorers import networks

IMAGES = 2  # starting points among the test images of each digit
FEW = 20  # so many in all, if there are fewer classes than ten digits
MOST_CLASSES = 26  # that have a letter on the map


def check_codes(codes, labels, what="codes"):
    """Reject latent vectors that cannot be explored.

    Args:
        codes: Latent vectors, shape `(n, latent_dim)`, finite, with n at least 1.
        labels: One digit for each, shape `(n,)`; or texts, which are "" for pictures without classes.
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


def corners(*points):
    """Return what a map of points must show, which has some width and height even if all are the same.

    Args:
        *points: Arrays of shape `(n, 2)`, of which one is not empty.

    Returns:
        The lower left and the upper right corner, each of shape `(2,)`.
    """
    points = np.concatenate(points)
    low, high = points.min(axis=0), points.max(axis=0)
    margin = np.where(high > low, 0, (high - low).max() / 2 or 1)
    return low - margin, high + margin


def starting_points(codes, labels):
    """List starting points by name: the mean of each digit, then its first test images.

    Args:
        codes: Latent vectors of test images, shape `(n, latent_dim)`.
        labels: Their digits, shape `(n,)`.

    Returns:
        Dictionary from name, "mean of the 3s" or "test image 18, a 3", to vector `(latent_dim,)`.
    """
    classes = np.unique(labels)
    are_digits = labels.dtype.kind != "U"
    names = [
        f"mean of the {name}s" if are_digits else f"mean of {name or 'all'}" for name in classes
    ]
    points = dict(zip(names, latent.class_means(codes, labels), strict=True))
    for name in classes:
        for number in np.flatnonzero(labels == name)[: max(IMAGES, FEW // len(classes))]:
            told = f", a {name}" if are_digits else f", {name}" * bool(name)
            points[f"test image {number}{told}"] = codes[number]
    return points


def look(decoder, light):
    """Return how the browser draws a decoder's pictures; nothing for digits of ink on paper.

    Args:
        decoder: Keras model whose pictures have 1 or 3 channels.
        light: Whether 1 is white; with 3 channels it is in any case.

    Returns:
        Dictionary of options for `pen.digit` in `browser/pen.js`.
    """
    rows, columns, channels = decoder.output_shape[1:]
    if (rows, columns, channels, light) == (28, 28, 1, False):
        return {}
    return {"rows": rows, "columns": columns, "channels": channels, "light": light}


def check_decoder(decoder, latent_dim, digits=False):
    """Reject what is not a decoder of pictures that the browser can run, too.

    Args:
        decoder: Keras model from latent vectors to images.
        latent_dim: Number of latent dimensions that it must accept.
        digits: Whether its images must be those of digits, of shape `(28, 28, 1)`.

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
    wanted = "(28, 28, 1)" if digits else "(height, width, channels), with 1 or 3 channels"
    fits = made == (28, 28, 1) if digits else len(made) == 3 and made[2] in (1, 3)
    if not fits:
        raise ValueError(f"The decoder makes images of shape {made}, but it should be {wanted}.")
    networks.network(decoder)
    decode(decoder, np.zeros((1, latent_dim)))
    return decoder


def decode(decoder, z):
    """Decode latent vectors, for still figures.

    Args:
        decoder: Keras model from latent vectors to images.
        z: Latent vectors, shape `(n, latent_dim)`; or, for a decoder with several inputs, the list of them.

    Returns:
        Images of shape `(n, height, width)`, or `(n, height, width, 3)` in colour.

    Raises:
        ValueError: If a pixel is not finite.
    """
    several = isinstance(z, list)
    z = [np.asarray(part, "float32") for part in z] if several else np.asarray(z, "float32")
    pictures = np.asarray(decoder(z, training=False))
    pictures = pictures[..., 0] if pictures.shape[-1] == 1 else pictures
    if not np.isfinite(pictures).all():
        raise ValueError("The decoder outputs NaN: train it again with a lower learning rate.")
    return pictures
