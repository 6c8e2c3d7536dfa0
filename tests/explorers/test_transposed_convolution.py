"""TransposedConvolutionExplorer: after the last stamp it is Keras' layer, for every setting."""

import itertools

import keras
import numpy as np
import pytest

from vae_course.explorers import TransposedConvolutionExplorer
from vae_course.explorers.transposed_convolution import size_in_words, stamps

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
    """Same size, same numbers; and the formula in words ends with that size."""
    rng = np.random.default_rng(i + 10 * k)
    values, kernel = rng.normal(size=(i, i)), rng.normal(size=(k, k))
    states, corners = stamps(values, kernel, stride, padding)
    expected = keras_output(values, kernel, stride, padding)
    assert states[-1].shape == expected.shape
    np.testing.assert_allclose(states[-1], expected, atol=1e-5)
    assert not states[0].any() and len(states) == len(corners) + 1 == i * i + 1
    assert size_in_words(i, k, stride, padding).endswith(f"= {len(expected)}")


def test_each_stamp_adds_the_scaled_kernel_where_its_frame_is():
    """With no border cut: the difference of two states is value times kernel at the corner."""
    values, kernel = np.arange(1.0, 10).reshape(3, 3), np.arange(1.0, 5).reshape(2, 2)
    states, corners = stamps(values, kernel, 2, "valid")
    for step, (a, b) in enumerate(corners):
        added = states[step + 1] - states[step]
        np.testing.assert_array_equal(added[a : a + 2, b : b + 2], values.flat[step] * kernel)
        assert np.count_nonzero(added) == 4


def test_all_kinds_of_settings_can_be_drawn_and_stepped_through():
    """Controls never ask for a stamp that is not there; each change is one picture; no error is shown."""
    explorer = TransposedConvolutionExplorer()
    explorer.widget()
    explorer._step.value = 4
    shown = []
    explorer._picture.observe(lambda change: shown.append(change.new), "png")
    for i, k, stride, padding in SETTINGS[::7]:
        explorer._side.value, explorer._kernel.value = i, k
        explorer._stride.value, explorer._padding.value = stride, padding
        assert explorer._step.max == i * i
        explorer._step.value = i * i
        assert not explorer._error.value
        output = explorer._grids[2].squares.get_array()
        states = stamps(np.arange(1.0, i * i + 1).reshape(i, i), explorer._weights, stride, padding)
        np.testing.assert_array_equal(np.reshape(output, states[0][-1].shape), states[0][-1])
        assert size_in_words(i, k, stride, padding) in explorer._picture.alt
    before = len(shown)
    explorer._side.value = 2
    explorer._side.value = 4
    assert len(shown) == before + 2
    explorer.close()


def test_the_frame_marks_the_value_and_its_stamp():
    """Second value of a 2 x 2 input, stride 1: frames in row 0, column 1 of input and output."""
    explorer = TransposedConvolutionExplorer()
    explorer.widget()
    explorer._step.value = 2
    given, scaled, output = explorer._grids
    assert given.frame.get_bbox().bounds == (1, 0, 1, 1)
    assert output.frame.get_bbox().bounds == (1, 0, 3, 3)
    assert [t.get_text() for t in scaled.texts] == [str(2 * n) for n in range(1, 10)]
    explorer._step.value = 0
    assert not given.frame.get_visible() and not output.frame.get_visible()
    explorer.close()
