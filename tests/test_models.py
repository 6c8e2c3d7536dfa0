"""The lecture's networks: sampling, sizes, training, evaluation, saving, and what they refuse."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from lessons import read
from pins import ROOT
from scipy import stats

from vae_course.models import VAE, Autoencoder, Sampling, build_decoder, build_encoder

MEAN, LOG_VAR = 1.5, np.log(0.25)  # a standard deviation of 1/2


def draw(n, seed=0):
    """Draw n numbers from N(1.5, 0.25)."""
    inputs = tf.fill((n, 1), MEAN), tf.fill((n, 1), tf.constant(LOG_VAR, tf.float32))
    return Sampling(seed=seed)(inputs).numpy()[:, 0]


def test_samples_follow_the_normal_distribution():
    """A Kolmogorov-Smirnov test cannot tell the samples from N(1.5, 0.5^2)."""
    z = draw(20_000)
    assert stats.kstest(z, stats.norm(MEAN, 0.5).cdf).pvalue > 1e-3
    assert z.mean() == pytest.approx(MEAN, abs=4 * 0.5 / np.sqrt(20_000))
    assert z.std() == pytest.approx(0.5, rel=0.03)


def test_dimensions_and_images_are_independent():
    """No noise is used twice within a batch."""
    z = Sampling(seed=0)((tf.zeros((4000, 2)), tf.zeros((4000, 2)))).numpy()
    assert abs(np.corrcoef(z.T)[0, 1]) < 0.06
    half = len(z) // 2
    assert abs(np.corrcoef(z[:half, 0], z[half:, 0])[0, 1]) < 0.09


def test_same_seed_same_samples_and_fresh_noise_in_the_next_call():
    """A seed fixes the stream; within it, every call draws anew."""
    first, second = draw(5, seed=7), draw(5, seed=7)
    np.testing.assert_array_equal(first, second)
    layer = Sampling(seed=7)
    zeros = tf.zeros((5, 1)), tf.zeros((5, 1))
    assert not np.allclose(layer(zeros), layer(zeros))


def test_gradients_pass_through_the_sample():
    """dz/dmean is 1 and dz/dlog_var is (z - mean) / 2: finite differences of z at fixed eps."""
    mean, log_var = tf.Variable([[0.3]]), tf.Variable([[-0.8]])
    with tf.GradientTape() as tape:
        z = Sampling(seed=3)((mean, log_var))
    d_mean, d_log_var = tape.gradient(z, [mean, log_var])
    h = 1e-2
    up = Sampling(seed=3)((mean, log_var + h))
    down = Sampling(seed=3)((mean, log_var - h))
    assert float(d_mean[0, 0]) == pytest.approx(1.0)
    assert float(d_log_var[0, 0]) == pytest.approx(float((up - down)[0, 0]) / (2 * h), rel=1e-3)


def test_the_sampling_layer_is_saved_and_loaded_without_custom_arguments(tmp_path):
    """A model with the layer in it loads again, and draws from the same stream."""
    inputs = keras.Input((2,)), keras.Input((2,))
    model = keras.Model(inputs, Sampling(seed=5)(inputs))
    model.save(tmp_path / "sampling.keras")
    loaded = keras.models.load_model(tmp_path / "sampling.keras")
    zeros = [np.zeros((3, 2)), np.zeros((3, 2))]
    np.testing.assert_array_equal(loaded(zeros), model(zeros))


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


@pytest.mark.parametrize(
    ("shape", "small"),
    [
        ((28, 28, 1), (7, 7, 32)),
        ((8, 8, 3), (2, 2, 32)),
        ((36, 36, 3), (9, 9, 32)),
        ((64, 64, 3), (16, 16, 32)),
        ((40, 64, 1), (10, 16, 32)),
        ((72, 128, 3), (9, 16, 64)),
        ((128, 128, 3), (16, 16, 64)),
    ],
)
def test_networks_adapt_to_size_and_channels(shape, small):
    """Halved until a side is 16 at most, at least twice; what is decoded has the shape of what is encoded."""
    encoder, decoder = build_encoder(2, shape), build_decoder(2, shape)
    assert encoder.get_layer("z_mean").kernel.shape[0] == np.prod(small)
    (reshape,) = (layer for layer in decoder.layers if type(layer) is keras.layers.Reshape)
    assert reshape.target_shape == small
    x_hat = decoder(encoder(np.zeros((2, *shape), "float32"))[0])
    assert x_hat.shape == (2, *shape) and x_hat.dtype == "float32"


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ((28, 30, 1), "side=30 is no multiple of 4"),
        ((4, 28, 1), "side=4 is out of range"),
        ((28, 28, 2), "1 or 3 channels"),
        ((28, 28), "is not .height, width, channels."),
    ],
)
def test_images_that_no_network_is_for_are_refused(shape, told):
    """With the number that is wrong."""
    for build in build_encoder, build_decoder:
        with pytest.raises(ValueError, match=told):
            build(2, shape)


def test_scores_of_colour_images_are_per_number(images):
    """MSE is the squared error by height x width x 3; the constant of log p(x) counts as many."""
    shape = 12, 16, 3
    x = np.random.default_rng(0).random((5, *shape)).astype("float32")
    vae = VAE(build_encoder(2, shape), build_decoder(2, shape))
    vae.compile()
    scores = vae.evaluate(x, verbose=0, return_dict=True)
    assert scores["reconstruction"] == pytest.approx(scores["mse"] * 12 * 16 * 3, rel=1e-5)
    z, log_w = (np.asarray(part, "float64") for part in vae.weighted_draws(x, 4))
    z_mean, z_log_var, _ = (np.asarray(part, "float64") for part in vae.encoder(x))
    x_hat = np.asarray(vae.decoder(z.reshape(20, 2).astype("float32")), "float64")
    log_x = stats.norm(x_hat.reshape(4, 5, *shape), np.sqrt(0.5)).logpdf(x).sum(axis=(2, 3, 4))
    log_q = stats.norm(z_mean, np.exp(z_log_var / 2)).logpdf(z).sum(axis=2)
    expected = log_x + stats.norm.logpdf(z).sum(axis=2) - log_q
    np.testing.assert_allclose(log_w, expected, rtol=1e-4)


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


class Charging(VAE):
    """A VAE with a loss of its own before the KL term."""

    def call(self, x):
        self.add_loss(keras.ops.convert_to_tensor(5.0))
        return super().call(x)


@pytest.mark.parametrize("kind", [VAE, Charging, Autoencoder])
def test_what_layers_add_to_the_loss_is_in_it_once(kind, images):
    """A penalty on weights, one on activations and a constant; other metrics stay."""
    model = kind(build_encoder(3), build_decoder(3))

    def scores():
        model.compile("sgd")  # so that nothing is left of graphs without penalties
        if kind is not Autoencoder:
            model.noise.state.assign([1, 2])
        return model.evaluate(images, batch_size=32, verbose=0, return_dict=True)

    before = scores()
    kernel = model.decoder.layers[1].kernel
    kernel.regularizer = keras.regularizers.L2(0.01)
    model.encoder.layers[1].activity_regularizer = keras.regularizers.L1(0.001)
    layer = keras.Model(model.encoder.input, model.encoder.layers[1].output)
    activity = 0.0  # as Keras itself charges it: newer versions average it over the batch
    for batch in np.split(images, 3):
        layer(batch)
        activity += float(sum(layer.losses)) / 3
    penalty = activity + 0.01 * np.square(kernel).sum()
    after = scores()
    assert penalty > 0.1
    assert after.pop("loss") == pytest.approx(before.pop("loss") + penalty, rel=1e-5)
    assert after == before
    if kind is Charging:
        assert scores()["loss"] == pytest.approx(
            before["reconstruction"] + before["kl"] + penalty + 5
        )


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


def test_the_vae_in_one_cell_of_lesson_5_is_this_one(images):
    """With the same weights, and noise of negligible size, it has the same error and the same KL."""
    cells = read(ROOT / "notebooks" / "05_convolutional_vae.ipynb").cells
    shown = {}
    exec(next(cell.source for cell in cells if cell.id == "one"), shown)
    encoder, decoder = build_encoder(100), build_decoder(100)
    heads = [encoder.get_layer(name) for name in ("z_mean", "z_log_var")]
    heads[1].kernel.assign(0.01 * heads[1].kernel)
    heads[1].bias.assign(tf.fill(heads[1].bias.shape, -20.0))  # sigma is about exp(-10)
    both = [
        tf.concat(pair, axis=-1) for pair in zip(*(head.weights for head in heads), strict=True)
    ]
    shown["encoder"].set_weights([*encoder.get_weights()[:4], *both])
    shown["decoder"].set_weights(decoder.get_weights())
    vae = VAE(encoder, decoder, beta=0.5)
    vae.compile(optimizer="rmsprop")
    wanted = vae.evaluate(images, verbose=0, return_dict=True)
    shown["vae"].beta = 0.5
    found = shown["vae"].evaluate(images, images, verbose=0, return_dict=True)
    assert found["squared_error"] == pytest.approx(wanted["reconstruction"], rel=1e-4)
    assert found["loss"] - found["squared_error"] == pytest.approx(0.5 * wanted["kl"], rel=1e-4)


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
@pytest.mark.parametrize("value", [0, -3, 2.5, "100", None, True, 100_000_000])
def test_a_latent_dim_that_is_no_positive_whole_number_is_refused(build, value):
    """The error names the value and what to give."""
    with pytest.raises(ValueError, match=f"latent_dim={value!r}.*whole number"):
        build(value)


@pytest.mark.parametrize("beta", [-1, float("nan"), float("inf"), 1e39, "1", None])
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


def spoiled(images, value):
    """Return the images with one pixel replaced."""
    images = images.copy()
    images[3, 5, 5, 0] = value
    return images


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda x: x[..., 0], r"shape \(96, 28, 28\), expected \(n, 28, 28, 1\)"),
        (lambda x: x[:0], r"shape \(0, 28, 28, 1\)"),
        (lambda x: x * 255, r"values from \S+ to 2\d\d.*divide grey values"),
        (lambda x: (x * 255).astype("uint8"), r"type uint8: .*astype.*divide grey values"),
        (lambda x: x > 0.5, r'type bool: convert it by \.astype\("float32"\)'),
        (lambda x: x.astype(object), "type object"),
        (lambda x: spoiled(x, -0.5), "values from -0.5"),
        (lambda x: spoiled(x, np.nan), "1 NaN"),
        (lambda x: spoiled(x, np.inf), r"values from \S+ to inf"),
    ],
)
@pytest.mark.parametrize("where", ["fit", "validation_data", "evaluate", "target"])
def test_images_that_cannot_be_right_are_refused_before_training(
    vae, images, spoil, message, where
):
    """The error names what is wrong and its cure, and no weight has moved."""
    bad, before = spoil(images), vae.get_weights()
    calls = {
        "fit": lambda: vae.fit(bad, verbose=0),
        "validation_data": lambda: vae.fit(images, validation_data=bad, verbose=0),
        "evaluate": lambda: vae.evaluate(bad, verbose=0),
        "target": lambda: vae.fit(images, bad, verbose=0),
    }
    with pytest.raises(ValueError, match=message):
        calls[where]()
    for ours, theirs in zip(before, vae.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_target_is_refused_where_it_would_not_count(images):
    """The importance-weighted bound is that of the images themselves."""
    vae = VAE(build_encoder(2), build_decoder(2), draws=2)
    vae.compile()
    with pytest.raises(ValueError, match=r"target of x_test .* draws=2.*leave it out"):
        vae.evaluate(images, images, verbose=0)


def test_the_sampling_layer_is_found_under_any_name(images):
    """Its noise makes the draws; an encoder without one is refused with the cure."""
    encoder = build_encoder(2)
    z_mean, z_log_var, _ = encoder.outputs
    outputs = [z_mean, z_log_var, Sampling(name="draw")([z_mean, z_log_var])]
    vae = VAE(keras.Model(encoder.input, outputs), build_decoder(2))
    assert vae.noise is vae.encoder.get_layer("draw").noise
    assert vae.log_weights(images[:3], 4).shape == (4, 3)
    plain = VAE(keras.Model(encoder.input, [z_mean, z_log_var, z_mean]), build_decoder(2))
    with pytest.raises(ValueError, match="no Sampling layer.*draw z by models.Sampling"):
        plain.log_weights(images[:3], 4)


def test_labels_as_target_are_refused(vae, images):
    """The commonest mistake after classifiers: fit(x_train, y_train)."""
    with pytest.raises(ValueError, match="its target is an image, not a label"):
        vae.fit(images, np.zeros(96, "int64"), verbose=0)


def test_weights_of_images_are_refused(vae, images):
    """What the loss would silently ignore is not accepted."""
    with pytest.raises(ValueError, match="sample_weight is not supported"):
        vae.fit(images, sample_weight=np.ones(96), verbose=0)
    with pytest.raises(ValueError, match="validation_data has weights"):
        vae.fit(images, validation_data=(images, images, np.ones(96)), verbose=0)


LIKELIHOODS = {
    "gaussian": lambda x, x_hat, model: stats.norm(x_hat, np.sqrt(0.5)).logpdf(x),
    "learned-gaussian": lambda x, x_hat, model: stats.norm(
        x_hat, np.exp(0.5 * model.log_s2.numpy())
    ).logpdf(x),
    "bernoulli": lambda x, x_hat, model: stats.bernoulli(x_hat).logpmf(np.round(x)),
    "continuous-bernoulli": lambda x, x_hat, model: (
        x * np.log(x_hat) + (1 - x) * np.log(1 - x_hat) + log_c(np.log(x_hat / (1 - x_hat)))
    ),
}


def log_c(logits):
    """Return the logarithm of the continuous Bernoulli's constant, by its formula."""
    return np.log(logits / np.tanh(logits / 2))


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_log_weights_are_what_scipy_computes(likelihood, images):
    """log p(x given z) + log p(z) - log q(z given x), for the draws that come with them."""
    keras.utils.set_random_seed(0)
    vae = VAE(build_encoder(3), build_decoder(3), likelihood=likelihood)
    x = np.round(images[:4]) if likelihood == "bernoulli" else images[:4]
    z, log_w = (np.asarray(values) for values in vae.weighted_draws(x, 5))
    assert z.shape == (5, 4, 3) and log_w.shape == (5, 4)
    z_mean, z_log_var, _ = (np.asarray(values, "float64") for values in vae.encoder(x))
    x_hat = vae.decoder.predict(z.reshape(20, 3), verbose=0).reshape(5, 4, 28, 28, 1)
    log_p = LIKELIHOODS[likelihood](x, x_hat.astype("float64"), vae).sum(axis=(2, 3, 4))
    expected = log_p + stats.norm.logpdf(z).sum(axis=2)
    expected -= stats.norm(z_mean, np.exp(0.5 * z_log_var)).logpdf(z).sum(axis=2)
    np.testing.assert_allclose(log_w, expected, rtol=1e-4, atol=1e-3)


def test_the_loss_of_another_likelihood_is_its_negative_logarithm_plus_kl(images):
    """As reported by `evaluate`, against the weights of one draw: both estimate the same bound."""
    keras.utils.set_random_seed(0)
    vae = VAE(build_encoder(3), build_decoder(3), likelihood="bernoulli")
    x = np.round(images)
    vae.compile()
    scores = vae.evaluate(x, verbose=0, return_dict=True)
    assert scores["loss"] == pytest.approx(scores["reconstruction"] + scores["kl"], rel=1e-5)
    bounds = np.concatenate([vae.log_weights(x, 50) for _ in range(4)])
    assert -bounds.mean() == pytest.approx(scores["loss"], rel=2e-3)


def test_several_draws_train_the_importance_weighted_bound(images):
    """The loss is minus the mean over images of the logarithm of the mean weight, for the same noise."""
    keras.utils.set_random_seed(0)
    vae = VAE(build_encoder(3), build_decoder(3), likelihood="bernoulli", draws=6)
    x, noise = np.round(images), vae.noise.state
    noise.assign([5, 6])
    loss = float(vae.compute_loss(x, None, vae(x)))
    noise.assign([5, 6])
    vae.encoder(x)  # the draw that the reported terms use
    log_w = np.asarray(vae.log_weights(x, 6), "float64")
    expected = -np.log(np.exp(log_w - log_w.max(axis=0)).mean(axis=0)) - log_w.max(axis=0)
    assert loss == pytest.approx(expected.mean(), rel=1e-5)


def test_likelihood_draws_and_variance_are_saved_and_loaded(images, tmp_path):
    """Without custom arguments; a model of the lecture's likelihood has no further weight."""
    vae = VAE(build_encoder(2), build_decoder(2), likelihood="learned-gaussian", draws=3)
    vae.log_s2.assign(-1.5)
    vae.save(tmp_path / "vae.keras")
    loaded = keras.models.load_model(tmp_path / "vae.keras")
    assert (loaded.likelihood, loaded.draws) == ("learned-gaussian", 3)
    assert float(loaded.log_s2) == -1.5
    assert not hasattr(VAE(build_encoder(2), build_decoder(2)), "log_s2")


def test_the_variance_learns_the_mean_squared_error(images):
    """Its best value, by setting the slope of the likelihood to zero."""
    vae = VAE(build_encoder(2), build_decoder(2), likelihood="learned-gaussian")
    vae.compile(keras.optimizers.Adam(0.03))
    vae.fit(images, epochs=150, verbose=0)
    scores = vae.evaluate(images, verbose=0, return_dict=True)
    assert float(np.exp(vae.log_s2)) == pytest.approx(scores["mse"], rel=0.15)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"likelihood": "poisson"}, "likelihood='poisson' is unknown.*gaussian, learned-gaussian"),
        ({"draws": 0}, "draws=0 is out of range"),
        ({"draws": 5, "beta": 2.0}, "draws=5 needs beta=1, not 2"),
    ],
)
def test_likelihoods_that_there_are_not_are_refused(settings, message):
    """With the value and the cure."""
    with pytest.raises(ValueError, match=message):
        VAE(build_encoder(2), build_decoder(2), **settings)
