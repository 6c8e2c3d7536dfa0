"""TransposedConvolutionExplorer: after the last stamp it is Keras' layer, for every setting."""

import itertools

import keras
import numpy as np
import pytest

from vae_course.explorers.transposed_convolution import stamps

SETTINGS = list(itertools.product((2, 3, 4), (2, 3, 4), (1, 2, 3), ("valid", "same")))


def keras_output(values, kernel, stride, padding):
    """Let Keras compute it."""
    layer = keras.layers.Conv2DTranspose(
        1, len(kernel), strides=stride, padding=padding, use_bias=False
    )
    layer.build((None, *values.shape, 1))
    layer.set_weights([kernel[..., None, None]])
    return np.asarray(layer(values[None, ..., None].astype("float32")))[0, ..., 0]


@pytest.mark.parametrize(("i", "k", "stride", "padding"), SETTINGS)
def test_all_stamps_together_are_keras_layer(i, k, stride, padding):
    """Same size, same numbers."""
    rng = np.random.default_rng(i + 10 * k)
    values, kernel = rng.normal(size=(i, i)), rng.normal(size=(k, k))
    states, corners = stamps(values, kernel, stride, padding)
    expected = keras_output(values, kernel, stride, padding)
    assert states[-1].shape == expected.shape
    np.testing.assert_allclose(states[-1], expected, atol=1e-5)
    assert not states[0].any() and len(states) == len(corners) + 1 == i * i + 1


def test_each_stamp_adds_the_scaled_kernel_where_its_frame_is():
    """With no border cut: the difference of two states is value times kernel at the corner."""
    values, kernel = np.arange(1.0, 10).reshape(3, 3), np.arange(1.0, 5).reshape(2, 2)
    states, corners = stamps(values, kernel, 2, "valid")
    for step, (a, b) in enumerate(corners):
        added = states[step + 1] - states[step]
        np.testing.assert_array_equal(added[a : a + 2, b : b + 2], values.flat[step] * kernel)
        assert np.count_nonzero(added) == 4
