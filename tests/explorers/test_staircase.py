"""Staircase: bound, weights and effective sample size of the first K draws, in logarithms."""

import keras
import numpy as np
import pytest

from vae_course.explorers import Staircase
from vae_course.explorers.staircase import STEPS
from vae_course.models import VAE, build_decoder, build_encoder


@pytest.fixture(scope="module")
def parts():
    """Give an untrained VAE and two black-and-white pictures."""
    keras.utils.set_random_seed(2)
    vae = VAE(build_encoder(3), build_decoder(3), likelihood="bernoulli")
    images = (np.random.default_rng(0).random((2, 28, 28, 1)) < 0.3).astype("float32")
    return vae, images


@pytest.fixture
def explorer(parts):
    """Give a live explorer whose weights differ a lot."""
    explorer = Staircase(*parts, [4, 7])
    explorer._log_w = np.random.default_rng(1).normal(size=(1000, 2), scale=3) - 800
    explorer.widget()
    yield explorer
    explorer.close()


@pytest.mark.parametrize("step", [1, 2, 30, len(STEPS)])
@pytest.mark.parametrize("number", [0, 1])
def test_it_tells_what_the_first_draws_give(explorer, number, step):
    """Bound, effective sample size and the heaviest share, computed without logarithms of small numbers."""
    explorer._image.value = explorer._names[number]
    explorer._step.value = step
    k = STEPS[step - 1]
    w = np.exp(explorer._log_w[:k, number] + 800)
    text = explorer._picture.alt
    assert f"{explorer._names[number]}: with {k} draws" in text
    assert f"bound is {np.log(w.mean()) - 800:.2f} nats" in text
    assert f"effective sample size {w.sum() ** 2 / (w**2).sum():.1f}" in text
    assert f"heaviest draw holds {w.max() / w.sum():.0%}" in text
    heights = [bar.get_height() for bar in explorer._bars]
    expected = np.sort(w / w.sum())[::-1][: len(heights)]
    np.testing.assert_allclose(heights[: len(expected)], expected)
    assert not any(heights[k:])


def test_the_heaviest_draw_is_decoded(explorer, parts):
    """Its picture is what the decoder makes of its z."""
    vae, _ = parts
    explorer._step.value = 40
    best = explorer._log_w[: STEPS[39], 0].argmax()
    expected = vae.decoder.predict(explorer._z[best, :1], verbose=0)[0, ..., 0]
    np.testing.assert_allclose(explorer._heaviest.get_array(), expected, atol=1e-5)


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
