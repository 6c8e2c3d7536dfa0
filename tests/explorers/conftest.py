"""A decoder and codes that are small enough to know by heart."""

import keras
import numpy as np
import pytest
from keras import layers


def make_decoder(latent_dim, seed=0):
    """Make a decoder of one layer: a picture is the sigmoid of a linear function of the code."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(784, activation="sigmoid", kernel_initializer="random_normal"),
            layers.Reshape((28, 28, 1)),
        ]
    )


def pictures_of(decoder, z):
    """Decode without Keras: sigmoid(z W + b), shape `(n, 28, 28)`."""
    weights, bias = decoder.get_weights()
    return (1 / (1 + np.exp(-(np.atleast_2d(z) @ weights + bias)))).reshape(-1, 28, 28)


@pytest.fixture(scope="session")
def labels():
    """Give 60 labels, six of each digit."""
    return np.arange(60) % 10


@pytest.fixture(scope="session")
def codes():
    """Give 60 codes of five numbers."""
    return np.random.default_rng(1).normal(size=(60, 5)).astype("float32")


@pytest.fixture(scope="session")
def decoder():
    """Give a decoder for five numbers."""
    return make_decoder(5)


@pytest.fixture
def counted():
    """Give a function that lets an explorer count how often its decoder is called, and with what."""

    def counted(owner, name):
        calls = []
        decode = getattr(owner, name)

        def wrapped(z):
            calls.append(np.asarray(z))
            return decode(z)

        setattr(owner, name, wrapped)
        return calls

    return counted
