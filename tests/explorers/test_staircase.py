"""Staircase: its weights and codes are those of the model's own draws."""

import keras
import numpy as np
import pytest

from vae_course.explorers import Staircase
from vae_course.models import VAE, build_decoder, build_encoder


@pytest.fixture(scope="module")
def parts():
    """Give an untrained VAE and two black-and-white pictures."""
    keras.utils.set_random_seed(2)
    vae = VAE(build_encoder(3), build_decoder(3), likelihood="bernoulli")
    images = (np.random.default_rng(0).random((2, 28, 28, 1)) < 0.3).astype("float32")
    return vae, images


def test_the_heaviest_draw_so_far_is_handed_over(parts):
    """For every number of draws: the last record is the heaviest of them, with its own code."""
    explorer = Staircase(*parts, [4, 7])
    for number, image in enumerate(explorer._state()["images"]):
        records = np.frombuffer(image["records"]["data"], "int32")
        codes = np.frombuffer(image["codes"]["data"], "float32").reshape(-1, 3)
        for k in (1, 2, 10, 999, 1000):
            last = np.flatnonzero(records < k)[-1]
            best = explorer._log_w[:k, number].argmax()
            assert records[last] == best
            np.testing.assert_array_equal(codes[last], explorer._z[best, number])


def test_the_images_come_from_the_model_itself(parts):
    """The weights are those of draws from its encoder: about the ELBO on average."""
    vae, images = parts
    explorer = Staircase(vae, images, [4, 7])
    elbo = np.asarray(vae.log_weights(images, 1000)).mean(axis=0)
    np.testing.assert_allclose(explorer._log_w.mean(axis=0), elbo, rtol=1e-3)


@pytest.mark.parametrize("images, labels", [(0, []), (2, [1])])
def test_images_without_labels_are_refused(parts, images, labels):
    """With both numbers."""
    vae, pictures = parts
    with pytest.raises(ValueError, match=f"{images} images and {len(labels)} labels"):
        Staircase(vae, pictures[:images], labels)
