"""Train and score the same VAE with less work, by computing layers of the decoder at half the resolution.

The decoder up-samples 14 x 14 x 16 numbers to 28 x 28 x 16, and reduces them to one channel. The four pixels
of a 2 x 2 cell depend on the same few small pixels, each with its own kernel weights, some of them added up.
So one convolution of the *small* feature map with four output channels, one for each place in the cell, gives
the same result: same weights, same function, same gradients. The same goes for the layer before, which turns
14 x 14 x 32 up-sampled numbers into 14 x 14 x 16.
"""

import contextlib
import functools
from pathlib import Path

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


def _is(layer, kind, **settings):
    return type(layer) is kind and all(getattr(layer, k) == v for k, v in settings.items())


_doubles = functools.partial(
    _is,
    kind=keras.layers.UpSampling2D,
    size=(2, 2),
    interpolation="nearest",
    data_format="channels_last",
)
_fits = functools.partial(
    _is,
    kind=keras.layers.Conv2DTranspose,
    kernel_size=(3, 3),
    strides=(1, 1),
    dilation_rate=(1, 1),
    padding="same",
    data_format="channels_last",
    use_bias=True,
    activity_regularizer=None,
)


def _in_cells(x, layer, dtype):
    """Compute a transposed convolution of an up-sampled x, in cells, from x itself."""
    # A transposed convolution is a convolution with the flipped kernel (lesson 4).
    made, given = layer.kernel.shape[2:]
    weights = ops.reshape(layer.kernel[::-1, ::-1], (9, made, given))
    weights = ops.einsum("swp,wmc->scpm", SUMS, weights)
    weights = ops.reshape(weights, (3, 3, given, 4 * made))
    cells = ops.conv(x, ops.cast(weights, x.dtype), padding="same")
    bias = layer.bias if made == 1 else ops.tile(layer.bias, 4)
    return layer.activation(ops.cast(cells, dtype) + ops.cast(bias, dtype))


class QuickVAE(VAE):
    """Use the weights of a `VAE`, computing up-sampled layers in cells as the top of this module explains.

    It owns no weights: `fit` trains the given encoder and decoder. Losses, metrics and log weights are those
    of `VAE`. Its reconstructions are in cells; `from_cells` turns them back into images.

    Args:
        encoder: As for `VAE`.
        decoder: Made by `build_decoder`: its last two layers are up-sampling and a transposed convolution.
        beta: As for `VAE`.
        likelihood: As for `VAE`, but not "learned-gaussian", whose variance is a weight of the model.
        draws: As for `VAE`.
        products: "bfloat16" to multiply matrices in numbers of 16 bits while training. Weights, means and
            variances of z, and losses stay in float32, as does everything in `evaluate`.
        **kwargs: Passed to `keras.Model`.

    Raises:
        ValueError: If the decoder ends with layers other than those of `build_decoder`, or the likelihood is
            "learned-gaussian".
    """

    def __init__(
        self,
        encoder,
        decoder,
        beta=1.0,
        likelihood="gaussian",
        draws=1,
        products="float32",
        **kwargs,
    ):
        if likelihood == "learned-gaussian":
            raise ValueError(
                'QuickVAE owns no weights, so it cannot be "learned-gaussian": use VAE.'
            )
        super().__init__(encoder, decoder, beta, likelihood, draws, **kwargs)
        self.products = products
        start = next((i for i, layer in enumerate(decoder.layers) if _doubles(layer)), -2)
        doubled, self.wide = decoder.layers[start::2], decoder.layers[start + 1 :: 2]
        fits = len(doubled) == len(self.wide) > 0
        fits = fits and all(map(_doubles, doubled)) and all(map(_fits, self.wide))
        if not (fits and self.wide[-1].activation is keras.activations.sigmoid):
            kinds = " and ".join(type(layer).__name__ for layer in decoder.layers[-2:])
            raise ValueError(
                f"The decoder ends with {kinds}, but QuickVAE needs UpSampling2D and "
                "Conv2DTranspose with the settings of build_decoder: use that decoder, or VAE."
            )
        self.trunk = keras.Model(decoder.input, doubled[0].input)

    def decode(self, z):
        """Return what the decoder makes of z, in cells: shape `(batch, 14, 14, 4)` for digits."""
        x = self.trunk(z)  # (batch, 7, 7, 32)
        for layer in self.wide[:-1]:
            x = from_cells(_in_cells(x, layer, x.dtype))  # (batch, 14, 14, 16)
        return _in_cells(x, self.wide[-1], "float32")

    def train_step(self, *data):
        """Train on a batch; `fit` runs this once, for TensorFlow to record, so nothing else is changed."""
        if self.products == "float32":
            return super().train_step(*data)
        layers = self.encoder.layers[:-3] + self.decoder.layers  # z needs more digits
        before = [layer.dtype_policy for layer in layers]
        for layer in layers:
            layer.dtype_policy = f"mixed_{self.products}"
        try:
            return super().train_step(*data)
        finally:
            for layer, policy in zip(layers, before, strict=True):
                layer.dtype_policy = policy

    def arrange(self, x):
        """Return the images x in cells, because a sum over pixels does not depend on their order."""
        return tf.nn.space_to_depth(x, 2)


def quickened(model, products="float32"):
    """Return a `QuickVAE` that trains and scores a plain `VAE`, or the model itself where there is none.

    Args:
        model: `VAE` or `Autoencoder`.
        products: As for `QuickVAE`.

    Returns:
        `QuickVAE`; `model` if it is of another class, learns its variance, or has another decoder.
    """
    if type(model) is VAE:
        with contextlib.suppress(ValueError):  # another decoder, or a variance that is learned
            settings = model.beta, model.likelihood, model.draws, products
            return QuickVAE(model.encoder, model.decoder, *settings)
    return model


@contextlib.contextmanager
def one_operation_for_each_weight(optimizer):
    """Let Adam update a weight by one operation of TensorFlow, not ten: the same numbers up to rounding.

    Args:
        optimizer: A Keras optimizer, built; all but a plain `keras.optimizers.Adam` stay as they are.
    """
    if type(optimizer) is not keras.optimizers.Adam or optimizer.amsgrad:
        yield
        return
    optimizer.update_step = functools.partial(_adam, optimizer)
    try:
        yield
    finally:
        del optimizer.update_step


def _adam(optimizer, gradient, weight, learning_rate):
    place = optimizer._get_variable_index(weight)
    steps = tf.cast(optimizer.iterations + 1, tf.float32)
    tf.raw_ops.ResourceApplyAdam(
        var=weight.handle,
        m=optimizer._momentums[place].value.handle,
        v=optimizer._velocities[place].value.handle,
        beta1_power=optimizer.beta_1**steps,
        beta2_power=optimizer.beta_2**steps,
        lr=learning_rate,
        beta1=optimizer.beta_1,
        beta2=optimizer.beta_2,
        epsilon=optimizer.epsilon,
        grad=gradient,
    )


def multiplies_bfloat16():
    """Say whether what trains is a processor with instructions for bfloat16, and not a graphics card."""
    if tf.config.list_physical_devices("GPU"):  # not tried there
        return False
    with contextlib.suppress(OSError):  # only Linux has this file
        flags = Path("/proc/cpuinfo").read_text().split()
        return "avx512_bf16" in flags or "amx_bf16" in flags
    return False
