"""Check codes, choose starting points and decode quickly, for all explorers."""

import numpy as np

from vae_course import latent
from vae_course.explorers.explorer import Explorer

IMAGES = 2  # starting points among the test images of each digit


def check_codes(codes, labels, what="codes"):
    """Return codes `(n, latent_dim)` and labels `(n,)` as arrays; refuse what cannot be explored."""
    codes, labels = np.asarray(codes, dtype="float32"), np.asarray(labels)
    if codes.ndim != 2 or len(codes) == 0 or labels.shape != codes.shape[:1]:
        raise ValueError(
            f"{what} has shape {codes.shape}, labels {labels.shape}: pass at least one latent vector, "
            "(n, latent_dim), and one label for each."
        )
    bad = np.flatnonzero(~np.isfinite(codes).all(axis=1))
    if len(bad):
        raise ValueError(
            f"{what} has {len(bad)} rows that are not finite (NaN or infinite), the first is row {bad[0]}. "
            "Did the training diverge? Train again with a lower learning rate, or leave them out."
        )
    return codes, labels


def starting_points(codes, labels):
    """List starting points by name: the mean of each digit, then its first test images.

    "mean of the 3s" or "test image 18, a 3" is the name of a vector `(latent_dim,)`.
    """
    digits = np.unique(labels)
    names = [f"mean of the {digit}s" for digit in digits]
    points = dict(zip(names, latent.class_means(codes, labels), strict=True))
    for digit in digits:
        for number in np.flatnonzero(labels == digit)[:IMAGES]:
            points[f"test image {number}, a {digit}"] = codes[number]
    return points


def quick_decoder(decoder, latent_dim):
    """Trace a decoder once, for any number of vectors, so that it is fast enough for dragging.

    It shares the model's weights, so later training shows. What is returned turns `(n, latent_dim)` into
    `(n, 28, 28)` in [0, 1]. Keras refuses a decoder for vectors of another size, with a `ValueError`.
    """
    import tensorflow as tf

    traced = tf.function(
        lambda z: decoder(z, training=False),
        input_signature=[tf.TensorSpec((None, latent_dim), tf.float32)],
        autograph=False,  # which would hide what Keras says in a traceback
    )

    def decode(z):
        pictures = traced(np.asarray(z, dtype="float32")).numpy()
        if pictures.shape[1:] != (28, 28, 1):
            made = pictures.shape[1:]
            raise ValueError(f"The decoder makes images of shape {made}, but needs (28, 28, 1).")
        if not np.isfinite(pictures).all():
            raise ValueError("The decoder outputs NaN: train it again with a lower learning rate.")
        return pictures[..., 0]

    decode(np.zeros((1, latent_dim)))  # trace now, not at the first drag
    return decode


class CodesExplorer(Explorer):
    """An explorer of a decoder that starts at codes of test images; arguments as in `DigitMorph`."""

    def __init__(self, decoder, codes, labels):
        super().__init__()
        codes, labels = check_codes(codes, labels)
        self._points = starting_points(codes, labels)
        self._decode = quick_decoder(decoder, codes.shape[1])
        self._names = list(self._points)
        last = len(self._names) - 1  # 3, 7 and 0, if all digits are there
        self._first, self._second, self._third = (self._names[min(i, last)] for i in (3, 7, 0))
