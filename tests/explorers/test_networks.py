"""Models are packed for the browser, or refused by the name of the layer that it cannot run."""

import keras
import numpy as np
import pytest
from keras import layers

from vae_course.explorers.networks import array, network
from vae_course.models import build_encoder


def test_an_array_is_packed_with_its_type_and_shape():
    """Whatever it was before; in the byte order of browsers."""
    packed = array(np.array([[1, 2], [3, 4]], ">f8").T)
    assert packed == {
        "dtype": "float32",
        "shape": [2, 2],
        "data": np.array([1, 3, 2, 4], "<f4").tobytes(),
    }
    assert array([0, 255], "uint8")["data"] == b"\x00\xff"


def test_one_output_of_an_encoder_is_packed():
    """The path to the mean, without the layers of the variance; what moves no number is left out."""
    kinds = [layer["kind"] for layer in network(build_encoder(3))]
    assert kinds == ["convolution", "pooling"] * 2 + ["dense"]
    assert network(build_encoder(3), 1)[-1]["weights"]["shape"] == [1568, 3]


def chain(*several):
    """Make a model of layers after each other."""
    return keras.Sequential([keras.Input((8, 8, 2)), *several])


def together(join):
    """Make a model of two inputs, joined by a function of both, and a dense layer."""
    code, label = keras.Input((3,), name="code"), keras.Input((4,), name="label")
    return keras.Model([code, label], layers.Dense(2)(join(code, label)))


def test_several_inputs_are_joined_before_anything_else():
    """An image and a label, too, become one array: the dense layer takes all of their numbers."""
    (layer,) = network(together(lambda code, label: layers.Concatenate()([code, label])))
    assert layer["input"] == [7] and layer["weights"]["shape"] == [7, 2]
    image, label = keras.Input((2, 3, 1)), keras.Input((4,))
    joined = layers.Concatenate()([layers.Flatten()(image), label])
    (layer,) = network(keras.Model([image, label], layers.Dense(2)(joined)))
    assert layer["input"] == [10]


def side_by_side():
    """Make a model that joins two images along their channels."""
    images = [keras.Input((8, 8, 1)) for _ in range(2)]
    x = layers.Concatenate()(images)
    return keras.Model(images, layers.Conv2D(1, 3, padding="same")(x))


def branching():
    """Make a model with a shortcut around a layer."""
    image = keras.Input((8, 8, 2))
    x = layers.Conv2D(2, 3, padding="same")(image)
    return keras.Model(image, layers.Add()([x, image]))


REFUSED = {
    "activation gelu": lambda: chain(layers.Conv2D(1, 3, padding="same", activation="gelu")),
    "activation ReLU": lambda: chain(layers.Conv2D(1, 3, activation=layers.ReLU(), padding="same")),
    "other settings": lambda: chain(layers.Conv2D(1, 3, padding="valid")),
    "other settings than": lambda: chain(layers.Conv2D(1, 3, padding="same", dilation_rate=2)),
    "has other settings": lambda: chain(layers.UpSampling2D(2, interpolation="bilinear")),
    "has other": lambda: chain(layers.MaxPooling2D(2, strides=1)),
    "type BatchNormalization": lambda: chain(layers.BatchNormalization()),
    "type Dense": lambda: chain(layers.Dense(3)),  # on images
    "type Add|does not follow": branching,
    "concatenate.* does not follow": lambda: together(lambda a, b: layers.Concatenate()([b, a])),
    "concatenate\\w* does not follow": lambda: together(
        lambda a, b: layers.Concatenate()([layers.Dense(3)(a), b])
    ),
    "concatenate[_0-9]* does not follow": side_by_side,
    "dense.* does not follow": lambda: together(lambda a, b: b),
    "no layer that computes": lambda: chain(layers.Flatten()),
}


@pytest.mark.parametrize("words", REFUSED)
def test_layers_that_the_browser_cannot_run_are_refused(words):
    """With the layer's name, what is wrong with it, and what to use."""
    with pytest.raises(ValueError, match=words):
        network(REFUSED[words]())
