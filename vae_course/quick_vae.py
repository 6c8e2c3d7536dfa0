"""Train and score the same VAE with less work, by computing the decoder's last layer at half the resolution.

The decoder up-samples 14 x 14 x 16 numbers to 28 x 28 x 16, and reduces them to one channel. The four pixels
of a 2 x 2 cell depend on the same few small pixels, each with its own kernel weights, some of them added up.
So one convolution of the *small* feature map with four output channels, one for each place in the cell, gives
the same result: same weights, same function, same gradients.
"""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from vae_course.models import VAE


def _sums_of_weights():
    """Mark which of the 9 weights add up to the weight of each of 9 small pixels, for 4 places: (9, 9, 4)."""
    sums = np.zeros((3, 3, 3, 3, 2, 2), "float32")  # small pixel, weight, place in the cell
    for row, column, i, j in np.ndindex(3, 3, 2, 2):
        # i + row - 1 is the big pixel, counted from the first of its cell; half of that is the small one.
        sums[(i + row - 1) // 2 + 1, (j + column - 1) // 2 + 1, row, column, i, j] = 1
    return sums.reshape(9, 9, 4)


SUMS = _sums_of_weights()


def from_cells(cells):
    """Sort four channels, one for each place in a 2 x 2 cell, into one picture.

    Args:
        cells: Tensor `(batch, height, width, 4 * channels)`.

    Returns:
        Tensor `(batch, 2 * height, 2 * width, channels)`.
    """
    return tf.nn.depth_to_space(cells, 2)


class QuickVAE(VAE):
    """Use the weights of a `VAE`, computing the last layer in cells as explained at the top of this module.

    It owns no weights: `fit` trains the given encoder and decoder. Losses, metrics and log weights are those
    of `VAE`. Its reconstructions are in cells; `from_cells` turns them back into images.

    Args:
        encoder: As for `VAE`.
        decoder: Made by `build_decoder`: its last two layers are up-sampling and a transposed convolution.
        beta: As for `VAE`.
        likelihood: As for `VAE`, but not "learned-gaussian", whose variance is a weight of the model.
        draws: As for `VAE`.
        **kwargs: Passed to `keras.Model`.

    Raises:
        ValueError: If the decoder ends with layers other than those of `build_decoder`.
    """

    def __init__(self, encoder, decoder, beta=1.0, likelihood="gaussian", draws=1, **kwargs):
        super().__init__(encoder, decoder, beta, likelihood, draws, **kwargs)
        doubling, self.last = decoder.layers[-2:]
        kinds = type(doubling).__name__, type(self.last).__name__
        fits = kinds == ("UpSampling2D", "Conv2DTranspose") and (
            (doubling.size, self.last.kernel_size, self.last.strides) == ((2, 2), (3, 3), (1, 1))
            and self.last.activation is keras.activations.sigmoid
            and self.last.activity_regularizer is None
        )
        if not fits:
            raise ValueError(
                f"The decoder ends with {' and '.join(kinds)}, but QuickVAE needs UpSampling2D and "
                "Conv2DTranspose with the settings of build_decoder: use that decoder, or VAE."
            )
        self.trunk = keras.Model(decoder.input, doubling.input)

    def decode(self, z):
        """Return what the decoder makes of z, in cells: shape `(batch, 14, 14, 4)` for digits."""
        small = self.trunk(z)  # (batch, 14, 14, 16)
        # A transposed convolution is a convolution with the flipped kernel (lesson 4).
        made, given = self.last.kernel.shape[2:]
        weights = ops.reshape(self.last.kernel[::-1, ::-1], (9, made, given))
        weights = ops.einsum("swp,wmc->scpm", SUMS, weights)
        weights = ops.reshape(weights, (3, 3, given, 4 * made))
        cells = ops.conv(small, weights, padding="same")
        bias = self.last.bias if made == 1 else ops.tile(self.last.bias, 4)
        return ops.sigmoid(cells + bias)

    def arrange(self, x):
        """Return the images x in cells, because a sum over pixels does not depend on their order."""
        return tf.nn.space_to_depth(x, 2)
