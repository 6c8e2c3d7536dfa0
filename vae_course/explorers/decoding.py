"""What explorers need of a decoder: checked arguments, and pictures within milliseconds."""

import numpy as np


def check_codes(codes, labels, what="codes"):
    """Refuse latent vectors that cannot be explored.

    Args:
        codes: Latent vectors, to be of shape `(n, latent_dim)`, finite, n of 1 or more.
        labels: One digit for each, to be of shape `(n,)`.
        what: Their name in the message.

    Returns:
        Both as arrays.

    Raises:
        ValueError: If they are empty, not finite, of another shape, or of different lengths.
    """
    codes, labels = np.asarray(codes, dtype="float32"), np.asarray(labels)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(
            f"{what} has shape {codes.shape}: give at least one latent vector, (n, latent_dim)."
        )
    if not np.isfinite(codes).all():
        bad = np.flatnonzero(~np.isfinite(codes).all(axis=1))
        raise ValueError(
            f"{what} has {len(bad)} rows that are not finite (NaN or infinite), row {bad[0]} first: "
            "has the training diverged? Train again with a lower learning rate, or leave them out."
        )
    if labels.shape != codes.shape[:1]:
        raise ValueError(
            f"labels has shape {labels.shape}, {what} {codes.shape}: give one label for each vector."
        )
    return codes, labels


def quick_decoder(decoder, latent_dim):
    """Make a decoder fast enough for dragging: traced once, for any number of vectors.

    The weights stay the model's own: what is trained later is seen.

    Args:
        decoder: Keras model from latent vectors to images.
        latent_dim: The number of latent dimensions that it must take.

    Returns:
        Function from latent vectors `(n, latent_dim)` to pictures `(n, 28, 28)` in [0, 1]. It raises a
        ValueError if a picture is not finite.

    Raises:
        ValueError: If the decoder takes vectors of another size, or does not make such images.
    """
    import tensorflow as tf

    try:
        shapes = decoder.input_shape, decoder.output_shape
    except AttributeError as error:
        raise ValueError(
            f"{decoder!r} has no input and output shape: give a Keras model that is built, such as "
            "vae.decoder."
        ) from error
    if shapes[0] != (None, latent_dim):
        raise ValueError(
            f"The decoder takes vectors of shape {shapes[0][1:]}, but these have {latent_dim} numbers: "
            "give the decoder that belongs to them."
        )
    if shapes[1] != (None, 28, 28, 1):
        raise ValueError(f"The decoder makes images of shape {shapes[1][1:]}: give (28, 28, 1).")
    traced = tf.function(
        lambda z: decoder(z, training=False),
        input_signature=[tf.TensorSpec((None, latent_dim), tf.float32)],
    )

    def decode(z):
        pictures = traced(tf.constant(np.asarray(z, dtype="float32"))).numpy()[..., 0]
        if not np.isfinite(pictures).all():
            raise ValueError("The decoder answers with NaN: train it again with a lower rate.")
        return pictures

    decode(np.zeros((1, latent_dim)))  # trace now, not at the first drag
    return decode
