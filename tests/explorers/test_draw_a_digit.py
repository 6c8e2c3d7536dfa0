"""DrawADigit: what it needs, and where each example comes from."""

import numpy as np
import pytest
from toys import toy_explorer

from vae_course.explorers import DrawADigit
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder

IMAGES = np.random.default_rng(0).random((20, 28, 28, 1)).astype("float32")


def test_each_digit_has_an_example():
    """The first test image of each, in order."""
    examples = toy_explorer("DrawADigit")._state()["examples"]
    assert [one["name"] for one in examples] == [f"a {digit}" for digit in range(10)]
    assert len({one["pixels"]["data"] for one in examples}) == 10


def test_an_autoencoder_will_do():
    """Whose encoder has one output instead of three."""
    networks = build_encoder(2), build_decoder(2)
    plain = Autoencoder(build_encoder_alone(networks[0]), networks[1])
    codes = DrawADigit(plain, IMAGES, np.arange(20) % 10, "toy")._codes
    assert codes.shape == (20, 2)


def build_encoder_alone(encoder):
    """Make an encoder without a posterior."""
    import keras

    return keras.Model(encoder.inputs, encoder.outputs[0])


def test_models_without_a_map_and_images_that_are_none_are_refused():
    """With what to pass instead."""
    with pytest.raises(ValueError, match="has 3 latent dimensions, but a map needs 2"):
        DrawADigit(VAE(build_encoder(3), build_decoder(3)), IMAGES, np.arange(20), "toy")
    vae = VAE(build_encoder(2), build_decoder(2))
    with pytest.raises(ValueError, match="images"):
        DrawADigit(vae, 255 * IMAGES, np.arange(20), "toy")
    with pytest.raises(ValueError, match="one label for each"):
        DrawADigit(vae, IMAGES, np.arange(3), "toy")
