"""Handwriting: hands from the encoder's own weights, two directions, and models that will not do."""

from types import SimpleNamespace

import numpy as np
import pytest
from toys import conditional_of_lesson_9, make_conditional, make_decoder, make_judge

from vae_course.explorers import Handwriting
from vae_course.models import VAE, build_decoder, build_encoder

IMAGES = np.random.default_rng(0).random((40, 28, 28, 1)).astype("float32")
LABELS = np.arange(40) * 3 % 10


def unpacked(packed):
    """Turn a packed array back."""
    return np.frombuffer(packed["data"], packed["dtype"]).reshape(packed["shape"])


def test_each_hand_is_the_mean_that_the_encoder_gives_with_the_label():
    """By the weights of its one layer; the first two images of each digit, in order."""
    model = make_conditional()
    state = Handwriting(model, IMAGES, LABELS, "toy", make_judge())._state()
    weights, bias = model.encoder.get_weights()[:2]
    codes = np.hstack([IMAGES.reshape(40, 784), np.eye(10)[LABELS]]) @ weights + bias
    places = [np.flatnonzero(LABELS == digit)[i] for digit in range(10) for i in range(2)]
    np.testing.assert_allclose(unpacked(state["hands"]), codes[places], atol=1e-5)
    assert state["names"] == [f"test image {place}, a {LABELS[place]}" for place in places]
    shades = unpacked(state["images"]).reshape(20, 28, 28)
    np.testing.assert_array_equal(shades, np.round(255 * IMAGES[places, ..., 0]))
    directions = unpacked(state["directions"])
    _, _, axes = np.linalg.svd(codes)
    np.testing.assert_allclose(np.abs(directions @ axes[:2].T), np.eye(2), atol=1e-4)
    np.testing.assert_allclose(unpacked(state["codes"]), codes @ directions.T, atol=1e-5)


def test_the_model_of_the_lesson_will_do_and_its_noise_stays_as_it_was():
    """As its cell builds it: what the lesson draws after the explorer does not depend on it."""
    model = conditional_of_lesson_9()
    images, labels = np.tile(IMAGES, (13, 1, 1, 1)), np.tile(LABELS, 13)  # more than one batch
    noise = [layer.noise.state for layer in model.encoder.layers if hasattr(layer, "noise")]
    before = [np.array(state) for state in noise]
    explorer = Handwriting(model, images, labels, "toy", make_judge())
    fig, _ = explorer._figure()
    assert len(before) == 1 and len(fig.axes) == 2
    np.testing.assert_array_equal(before, [np.array(state) for state in noise])
    assert [layer["kind"] for layer in explorer._state()["decoder"]] == ["dense", "dense"]
    expected = model.encoder.predict([images, np.eye(10)[labels]], verbose=0)[0]
    np.testing.assert_allclose(explorer._codes, expected, atol=1e-5)


def test_models_without_labels_and_images_without_digits_are_refused():
    """With what to pass instead."""
    judge, model = make_judge(), make_conditional()
    with pytest.raises(ValueError, match=r"should take a label of shape \(None, 10\)"):
        Handwriting(VAE(build_encoder(3), build_decoder(3)), IMAGES, LABELS, "toy", judge)
    half = SimpleNamespace(encoder=model.encoder, decoder=make_decoder(3))
    with pytest.raises(ValueError, match=r"the decoder \(None, 3\), but each should"):
        Handwriting(half, IMAGES, LABELS, "toy", judge)
    with pytest.raises(ValueError, match="1 latent dimension, but the map"):
        Handwriting(make_conditional(1), IMAGES, LABELS, "toy", judge)
    for labels in (LABELS[:5], LABELS + 1, LABELS.astype(str)):
        with pytest.raises(ValueError, match="one digit from 0 to 9 for each image"):
            Handwriting(model, IMAGES, labels, "toy", judge)
    with pytest.raises(ValueError, match="images has values"):
        Handwriting(model, 255 * IMAGES, LABELS, "toy", judge)


@pytest.mark.parametrize("judge", [None, SimpleNamespace(coef_=np.ones((10, 8)))])
def test_a_judge_that_does_not_see_pixels_is_refused(judge):
    """None at all, or one that reads codes."""
    with pytest.raises(ValueError, match="judge is a (NoneType|Simple).*as a row of 784 numbers"):
        Handwriting(make_conditional(), IMAGES, LABELS, "toy", judge)


def test_a_model_that_has_diverged_is_refused():
    """Whichever of its halves gives NaN."""
    for half, words in (("encoder", "not finite"), ("decoder", "outputs NaN")):
        model = make_conditional()
        network = getattr(model, half)
        network.set_weights([np.nan * weights for weights in network.get_weights()])
        with pytest.raises(ValueError, match=words):
            Handwriting(model, IMAGES, LABELS, "toy", make_judge())
