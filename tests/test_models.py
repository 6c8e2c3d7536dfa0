"""The lecture's networks: their sizes, training, evaluation, saving, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder


def test_encoder_has_the_lectures_parameters():
    """Counted by hand: kernels times channels plus biases, layer by layer."""
    conv = (3 * 3 * 1 * 16 + 16) + (3 * 3 * 16 * 32 + 32)
    heads = 2 * (7 * 7 * 32 * 100 + 100)
    assert build_encoder(100).count_params() == conv + heads == 318_600


def test_decoder_has_the_lectures_parameters():
    """Counted by hand, too."""
    dense = 100 * 7 * 7 * 32 + 7 * 7 * 32
    conv = (9 * 32 * 32 + 32) + (9 * 32 * 16 + 16) + (9 * 16 * 1 + 1)
    assert build_decoder(100).count_params() == dense + conv == 172_385


def test_layers_are_the_lectures_in_order():
    """Kinds, sizes and activations are those of the listing."""
    encoder, decoder = build_encoder(2), build_decoder(2)
    kinds = [type(layer).__name__ for layer in encoder.layers]
    expected = "InputLayer Conv2D MaxPooling2D Conv2D MaxPooling2D Flatten Dense Dense Sampling"
    assert kinds == expected.split()
    kinds = [type(layer).__name__ for layer in decoder.layers]
    assert (
        kinds
        == (
            "InputLayer Dense Reshape Conv2DTranspose UpSampling2D Conv2DTranspose UpSampling2D "
            "Conv2DTranspose"
        ).split()
    )
    activations = [v.activation.__name__ for v in encoder.layers if hasattr(v, "activation")]
    assert activations == ["relu", "relu", "linear", "linear"]
    activations = [v.activation.__name__ for v in decoder.layers if hasattr(v, "activation")]
    assert activations == ["relu", "relu", "relu", "sigmoid"]


def test_outputs_have_the_stated_shapes():
    """The encoder gives three (batch, latent_dim), the decoder images in (0, 1)."""
    outputs = build_encoder(3)(np.zeros((4, 28, 28, 1), "float32"))
    assert [tuple(o.shape) for o in outputs] == [(4, 3)] * 3
    x_hat = build_decoder(3)(np.zeros((4, 3), "float32")).numpy()
    assert x_hat.shape == (4, 28, 28, 1)
    assert 0 < x_hat.min() and x_hat.max() < 1


def test_fit_reports_every_part_of_the_loss_on_training_and_held_out_data(vae, images):
    """Loss, reconstruction, KL and MSE, each also with val_, and the loss goes down."""
    history = vae.fit(
        images[:64], validation_data=images[64:], epochs=8, batch_size=16, verbose=0
    ).history
    names = {"loss", "reconstruction", "kl", "mse"}
    assert set(history) == names | {f"val_{name}" for name in names}
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["val_loss"][-1] < 0.8 * history["val_loss"][0]


def test_reported_numbers_are_what_numpy_computes(images):
    """With noise of negligible size, each number can be computed outside Keras; batches count by size."""
    images = images.copy()
    images[80:] = 1 - images[80:]  # the last, smaller batch is unlike the others
    vae = VAE(build_encoder(3), build_decoder(3), beta=0.25)
    bias = vae.encoder.get_layer("z_log_var").bias
    vae.encoder.get_layer("z_log_var").kernel.assign(
        tf.zeros_like(vae.encoder.get_layer("z_log_var").kernel)
    )
    bias.assign(tf.fill(bias.shape, -20.0))  # sigma = exp(-10)
    vae.compile(optimizer="rmsprop")
    scores = vae.evaluate(images, batch_size=40, verbose=0, return_dict=True)  # 40 + 40 + 16
    z_mean, z_log_var, _ = (np.asarray(o, "float64") for o in vae.encoder(images))
    x_hat = vae.decoder(z_mean.astype("float32")).numpy()
    squares = ((images - x_hat).astype("float64") ** 2).reshape(96, -1)
    kl = (0.5 * (np.exp(z_log_var) + z_mean**2 - 1 - z_log_var)).sum(axis=1).mean()
    assert scores["reconstruction"] == pytest.approx(squares.sum(axis=1).mean(), rel=1e-3)
    assert scores["mse"] == pytest.approx(squares.mean(), rel=1e-3)
    assert scores["kl"] == pytest.approx(kl, rel=1e-4)
    assert scores["loss"] == pytest.approx(scores["reconstruction"] + 0.25 * kl, rel=1e-4)


def test_a_training_step_follows_the_gradient_of_the_loss(images):
    """One step of plain gradient descent moves a weight against the finite-difference slope."""
    vae = VAE(build_encoder(2), build_decoder(2))
    vae.compile(optimizer=keras.optimizers.SGD(learning_rate=1e-4))
    bias = vae.encoder.get_layer("z_mean").bias
    kernel = vae.encoder.get_layer("z_log_var").kernel
    kernel.assign(tf.zeros_like(kernel))
    vae.encoder.get_layer("z_log_var").bias.assign([-20.0, -20.0])  # no noise to speak of
    before, h = bias.numpy(), 1e-2

    def loss_at(value):
        bias.assign(value)
        return vae.evaluate(images, batch_size=96, verbose=0, return_dict=True)["loss"]

    step = np.array([h, 0.0], "float32")
    slope = (loss_at(before + step) - loss_at(before - step)) / (2 * h)
    bias.assign(before)
    vae.fit(images, batch_size=96, epochs=1, verbose=0)
    assert (before - bias.numpy())[0] / 1e-4 == pytest.approx(slope, rel=0.03, abs=0.02)


def test_vae_is_saved_and_loaded_without_custom_arguments(images, tmp_path):
    """Type, beta, weights and optimizer survive; training goes on."""
    vae = VAE(build_encoder(3), build_decoder(3), beta=0.5)
    vae.compile(optimizer="rmsprop")
    vae.fit(images, epochs=1, verbose=0)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert type(loaded) is VAE and loaded.beta == 0.5
    for ours, theirs in zip(vae.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(loaded.optimizer.iterations) == int(vae.optimizer.iterations)
    assert "loss" in loaded.fit(images, epochs=1, verbose=0).history


def test_a_fresh_process_loads_it_as_well(vae, tmp_path):
    """Nothing that only this process knows is needed."""
    import subprocess
    import sys

    vae.save(tmp_path / "vae.keras")
    code = "import sys, keras, vae_course.models; print(type(keras.models.load_model(sys.argv[1])))"
    output = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "vae.keras")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "vae_course.models.VAE" in output.stdout


def test_encoder_and_decoder_are_the_vaes_own_and_load_on_their_own(vae, images, tmp_path):
    """Training the VAE trains them; each saves, loads, and gives the very same numbers."""
    encoder, decoder = vae.encoder, vae.decoder
    before = decoder.get_weights()[0].copy()
    vae.fit(images, epochs=1, verbose=0)
    assert not np.array_equal(before, decoder.get_weights()[0])
    encoder.save(tmp_path / "encoder.keras")
    decoder.save(tmp_path / "decoder.keras")
    loaded = keras.models.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(images)[0], encoder(images)[0])
    z = np.ones((2, 3), "float32")
    loaded = keras.models.load_model(tmp_path / "decoder.keras")
    np.testing.assert_array_equal(loaded(z), decoder(z))


def test_autoencoder_learns_saves_and_loads(images, tmp_path):
    """It takes the mean of a VAE's encoder as its code, and reports loss and MSE."""
    keras.utils.set_random_seed(0)
    autoencoder = Autoencoder(build_encoder(3), build_decoder(3))
    autoencoder.compile(optimizer="adam")
    history = autoencoder.fit(
        images[:64], validation_data=images[64:], epochs=8, batch_size=16, verbose=0
    ).history
    assert set(history) == {"loss", "mse", "val_loss", "val_mse"}
    assert history["loss"][-1] < 0.8 * history["loss"][0]
    assert history["loss"][-1] == pytest.approx(784 * history["mse"][-1], rel=1e-5)
    autoencoder.save(tmp_path / "ae.keras")
    loaded = keras.models.load_model(tmp_path / "ae.keras")
    np.testing.assert_array_equal(loaded(images), autoencoder(images))
    assert autoencoder.encoder(images).shape == (96, 3)


def test_autoencoder_can_learn_another_target_than_its_input(images):
    """fit(noisy, clean) scores against the clean images."""
    autoencoder = Autoencoder(build_encoder(2), build_decoder(2))
    autoencoder.compile(optimizer="adam")
    noise = np.random.default_rng(0).random(images.shape).astype("float32")
    scores = autoencoder.evaluate(noise, images, verbose=0, return_dict=True)
    x_hat = autoencoder.predict(noise, verbose=0)
    expected = np.mean(np.sum((x_hat - images) ** 2, axis=(1, 2, 3)))
    assert scores["loss"] == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_trains_the_same_model(images):
    """set_random_seed fixes weights, order and noise."""

    def train():
        keras.utils.set_random_seed(4)
        vae = VAE(build_encoder(2), build_decoder(2))
        vae.compile(optimizer="rmsprop")
        return vae.fit(images, epochs=1, verbose=0).history["loss"][0]

    assert train() == pytest.approx(train(), rel=1e-4)


@pytest.mark.parametrize("build", [build_encoder, build_decoder])
@pytest.mark.parametrize("value", [0, -3, 2.5, "100", None, True])
def test_a_latent_dim_that_is_no_positive_whole_number_is_refused(build, value):
    """The error names the value and what to give."""
    with pytest.raises(ValueError, match=f"latent_dim={value!r}.*whole number"):
        build(value)


@pytest.mark.parametrize("beta", [-1, float("nan"), float("inf")])
def test_a_beta_that_is_no_weight_is_refused(beta):
    """The error names the value."""
    with pytest.raises(ValueError, match="beta="):
        VAE(build_encoder(2), build_decoder(2), beta=beta)


def test_networks_that_do_not_fit_together_are_refused():
    """Another latent_dim in the decoder, or an encoder that cannot be sampled from."""
    with pytest.raises(ValueError, match="3 latent dimensions.*takes 2"):
        VAE(build_encoder(3), build_decoder(2))
    encoder = build_encoder(2)
    with pytest.raises(ValueError, match="1 output.*needs three"):
        VAE(keras.Model(encoder.input, encoder.outputs[0]), build_decoder(2))
