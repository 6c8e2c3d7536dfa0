"""The quick VAE against the plain one: same weights, same loss, same gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from vae_course.models import VAE, build_decoder, build_encoder
from vae_course.quick_vae import QuickVAE, from_cells, quickened


@pytest.fixture(params=[(28, 28, 1), (16, 24, 3)], ids=["digits", "colour"])
def shape(request):
    """Give a shape of images."""
    return request.param


@pytest.fixture
def pair(shape):
    """Give a VAE with weights that are not symmetric in any way, and the quick one that trains it."""
    keras.utils.set_random_seed(0)
    encoder, decoder = build_encoder(5, shape), build_decoder(5, shape)
    rng = np.random.default_rng(0)
    for weights in encoder.trainable_variables + decoder.trainable_variables:
        weights.assign(weights + 0.1 * rng.standard_normal(weights.shape))
    return VAE(encoder, decoder, beta=0.7), QuickVAE(encoder, decoder, beta=0.7)


@pytest.fixture
def images(shape):
    """Give six images of noise."""
    return np.random.default_rng(1).random((6, *shape)).astype("float32")


def loss_and_gradients(model, images):
    """Compute the loss and its gradients, always with the same noise."""
    model.noise.state.assign([3, 4])
    with tf.GradientTape() as tape:
        loss = model.compute_loss(images, None, model(images))
    return loss.numpy(), tape.gradient(loss, model.trainable_variables)


def test_cells_hold_the_pixels_of_two_by_two_squares(images):
    """Against slices of the image."""
    places = [(0, 0), (0, 1), (1, 0), (1, 1)]
    cells = np.concatenate([images[:, i::2, j::2] for i, j in places], axis=-1)
    np.testing.assert_array_equal(from_cells(cells), images)


def test_pictures_are_the_same(pair, images):
    """For the same noise, the cells sorted back are what the plain VAE draws."""
    pictures = []
    for model in pair:
        model.noise.state.assign([3, 4])
        pictures.append(model(images))
    np.testing.assert_allclose(from_cells(pictures[1]), pictures[0], atol=2e-6)


def test_loss_and_gradients_are_the_same(pair, images):
    """Up to rounding: every gradient differs by less than 1e-4 of its largest value."""
    (loss, gradients), (quick_loss, quick_gradients) = (
        loss_and_gradients(model, images) for model in pair
    )
    assert quick_loss == pytest.approx(loss, rel=1e-6)
    assert len(gradients) == len(quick_gradients) == 16
    for ours, theirs in zip(quick_gradients, gradients, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_log_weights_are_the_same(pair, images):
    """And so is the importance-weighted bound, which several draws train by."""
    log_weights = []
    for model in pair:
        model.noise.state.assign([3, 4])
        log_weights.append(model.log_weights(images, 6))
    assert log_weights[0].shape == (6, len(images))
    np.testing.assert_allclose(log_weights[1], log_weights[0], rtol=1e-5)
    for model in pair:
        model.draws = 6
    (loss, gradients), (quick_loss, quick_gradients) = (
        loss_and_gradients(model, images) for model in pair
    )
    assert quick_loss == pytest.approx(loss, rel=1e-6)
    for ours, theirs in zip(quick_gradients, gradients, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_penalties_of_layers_are_the_same(pair, images):
    """On weights of the last layer, which the quick VAE does not call, and on activations before it."""
    vae, quick = pair
    plain_loss, _ = loss_and_gradients(vae, images)
    vae.decoder.layers[-1].kernel.regularizer = keras.regularizers.L2(10)
    vae.decoder.layers[1].activity_regularizer = keras.regularizers.L1(0.1)
    (loss, gradients), (quick_loss, quick_gradients) = (
        loss_and_gradients(model, images) for model in pair
    )
    assert loss > plain_loss + 10
    assert quick_loss == pytest.approx(loss, rel=1e-6)
    for ours, theirs in zip(quick_gradients, gradients, strict=True):
        assert np.abs(ours - theirs).max() < 1e-4 * np.abs(theirs).max()


def test_training_the_quick_one_trains_the_plain_one(pair, images):
    """They share their weights, so nothing has to be copied; and the reported metrics agree."""
    vae, quick = pair
    before = [weights.copy() for weights in vae.get_weights()]
    for model in pair:
        model.compile("sgd")
    quick.fit(images, epochs=1, verbose=0)
    changed = [
        np.any(old != new) for old, new in zip(before, vae.get_weights(), strict=True) if old.ndim
    ]
    assert sum(changed) >= 16
    scores = []
    for model in pair:
        model.noise.state.assign([3, 4])
        scores.append(model.evaluate(images, verbose=0, return_dict=True))
    assert scores[1] == pytest.approx(scores[0], rel=1e-5)


@pytest.mark.parametrize(
    ("up", "last"),
    [
        ({"interpolation": "bilinear"}, {}),
        ({"data_format": "channels_first"}, {}),
        ({}, {"padding": "valid"}),
        ({}, {"use_bias": False}),
        ({}, {"dilation_rate": 2}),
        ({}, {"data_format": "channels_first"}),
        ({}, None),
    ],
)
def test_a_decoder_with_other_settings_stays_a_plain_vae(up, last):
    """Each of them draws other pictures than the cells would, as does one that ends by up-sampling."""
    z = keras.Input((5,))
    x = layers.Reshape((14, 14, 4))(layers.Dense(14 * 14 * 4)(z))
    options = {"padding": "same", "activation": "sigmoid"} | (last or {})
    x = layers.Conv2DTranspose(1, 3, **options)(layers.UpSampling2D(2, **up)(x))
    decoder = keras.Model(z, layers.UpSampling2D(2)(x) if last is None else x)
    vae = VAE(build_encoder(5), decoder)
    assert quickened(vae) is vae
    with pytest.raises(ValueError, match="with the settings of build_decoder"):
        QuickVAE(vae.encoder, decoder)


def test_a_variance_that_is_learned_is_refused():
    """It would be a weight of its own."""
    with pytest.raises(ValueError, match="learned-gaussian"):
        QuickVAE(build_encoder(5), build_decoder(5), likelihood="learned-gaussian")


def test_another_decoder_is_refused():
    """One that ends with a stride has no doubled picture; one without a sigmoid is another function."""
    z = keras.Input((5,))
    x = layers.Reshape((14, 14, 4))(layers.Dense(14 * 14 * 4)(z))
    ends = (
        (layers.Conv2DTranspose(1, 3, strides=2, padding="same")(x), "Reshape and Conv2DTranspose"),
        (
            layers.Conv2DTranspose(1, 3, padding="same")(layers.UpSampling2D(2)(x)),
            "UpSampling2D and Conv2DTranspose",
        ),
    )
    for end, told in ends:
        with pytest.raises(ValueError, match=f"{told}.*build_decoder"):
            QuickVAE(build_encoder(5), keras.Model(z, end))
