"""Scores: against NumPy, the same at every call, with an honest spread, beside what to expect."""

import json
import math

import keras
import numpy as np
import pytest
from keras import layers
from tiny import tiny_digits

from vae_course import pretrained
from vae_course.models import VAE, Autoencoder, Sampling, build_decoder, build_encoder
from vae_course.runs import evaluate


def vae_with_means(kernel, log_var=0.0, beta=1.0):
    """Make a VAE whose z_mean is the flat image times a kernel, and whose log-variance is constant."""
    latent_dim = kernel.shape[1]
    image = keras.Input((28, 28, 1))
    x = layers.Flatten()(image)
    mean, variance = layers.Dense(latent_dim), layers.Dense(latent_dim)
    z_mean, z_log_var = mean(x), variance(x)
    z = Sampling(seed=7, name="z")([z_mean, z_log_var])
    mean.set_weights([kernel, np.full(latent_dim, 3.0)])
    variance.set_weights([np.zeros_like(kernel), np.full(latent_dim, log_var)])
    return VAE(keras.Model(image, [z_mean, z_log_var, z]), build_decoder(latent_dim), beta)


@pytest.fixture
def images():
    """Give the 40 blobs to test with."""
    return tiny_digits().x_test


def test_scores_and_spread_are_what_numpy_makes_of_the_models_answers(images):
    """Squared errors of each pass's reconstructions; the KL by its formula; n - 1 in the deviation."""
    keras.utils.set_random_seed(1)
    vae = VAE(build_encoder(3), build_decoder(3), beta=0.25)
    last = vae.decoder.layers[-1]
    last.kernel.assign(10 * last.kernel)  # so that noise in z is seen in the image
    scores = evaluate.evaluate(vae, images, passes=3)
    errors = []
    for seed in range(3):
        vae.noise.state.assign([seed, 0])
        x_hat = vae.predict(images, batch_size=500, verbose=0).astype("float64")
        errors.append(((images - x_hat) ** 2).reshape(40, -1))
    z_mean, z_log_var, _ = (np.asarray(o, "float64") for o in vae.encoder(images))
    kl = (0.5 * (np.exp(z_log_var) + z_mean**2 - 1 - z_log_var)).sum(axis=1).mean()
    sums = [error.sum(axis=1).mean() for error in errors]
    mean = sum(sums) / 3
    spread = math.sqrt(sum((value - mean) ** 2 for value in sums) / 2)
    assert spread > 1e-3
    assert scores["reconstruction"] == pytest.approx((mean, spread), rel=1e-2)
    assert scores["reconstruction"][0] == pytest.approx(mean, rel=1e-4)
    assert scores["kl"] == pytest.approx((kl, 0), rel=1e-4, abs=1e-6)
    assert scores["loss"] == pytest.approx((mean + 0.25 * kl, spread), rel=1e-2)
    assert scores["mse"] == pytest.approx((mean / 784, spread / 784), rel=1e-2)
    assert list(scores) == ["loss", "reconstruction", "kl", "mse", "active_units"]


def test_two_calls_give_the_same_numbers_and_leave_the_models_noise_alone(vae, images):
    """Whatever was drawn before; and an optimizer stays the one it was."""
    noise, optimizer = vae.noise.state, vae.optimizer
    first = evaluate.evaluate(vae, images, passes=2)
    vae.predict(images, verbose=0)
    before = noise.numpy()
    assert evaluate.evaluate(vae, images, passes=2) == first
    np.testing.assert_array_equal(noise.numpy(), before)
    assert vae.optimizer is optimizer
    assert first["loss"][1] > 0


def test_an_interruption_leaves_the_models_noise_alone(vae, images):
    """Ctrl-C while it scores."""

    class Press(keras.callbacks.Callback):
        def on_test_batch_end(self, batch, logs=None):
            raise KeyboardInterrupt

    vae.noise.state.assign([8, 9])
    with pytest.raises(KeyboardInterrupt):
        evaluate.evaluate(vae, images, callbacks=[Press()])
    np.testing.assert_array_equal(vae.noise.state.numpy(), [8, 9])


def test_one_pass_has_no_spread(vae, images):
    """So it is refused."""
    with pytest.raises(ValueError, match="passes=1 show no spread: use 2 or more"):
        evaluate.evaluate(vae, images, passes=1)


def test_an_autoencoder_has_its_error_and_no_spread(images):
    """Reconstruction is the loss; there is no KL, and no unit to be active."""
    model = Autoencoder(build_encoder(2), build_decoder(2))
    scores = evaluate.evaluate(model, images)
    squares = (images - model.predict(images, verbose=0)) ** 2
    error = squares.sum(axis=(1, 2, 3)).mean()
    assert set(scores) == {"loss", "reconstruction", "mse"}
    assert scores["loss"] == scores["reconstruction"] == (pytest.approx(error, rel=1e-4), 0.0)
    assert scores["mse"] == (pytest.approx(error / 784, rel=1e-4), 0.0)


def test_active_units_are_those_whose_mean_varies(images):
    """Counted with NumPy: deviations of 1, 0.12, 0.08, 0.02 and 0; only the first two have a variance > 0.01.

    A constant mean of 3 or a wide posterior does not make a unit active.
    """
    pixels = images.reshape(40, -1).astype("float64")
    best = pixels.var(axis=0).argmax()
    kernel = np.zeros((784, 5), "float32")
    kernel[best] = np.array([1, 0.12, 0.08, 0.02, 0]) / pixels[:, best].std()
    assert ((pixels @ kernel).var(axis=0) > 0.01).sum() == 2
    vae = vae_with_means(kernel, log_var=2.0)
    assert evaluate.evaluate(vae, images, passes=2)["active_units"] == (2.0, 0.0)


def test_images_that_are_none_are_refused(vae):
    """By name, with the expected shape."""
    with pytest.raises(ValueError, match=r"x_test has shape \(3, 28, 28\)"):
        evaluate.evaluate(vae, np.zeros((3, 28, 28), "float32"))


@pytest.mark.parametrize(
    "metric, value, word",
    [
        ("loss", 2.0, "within"),
        ("loss", 3.0, "within"),
        ("loss", 1.9, "better"),
        ("mse", 3.1, "worse"),
        ("reconstruction", float("nan"), "worse"),
        ("kl", 1.9, "below"),
        ("active_units", 3.1, "above"),
    ],
)
def test_a_score_is_judged_by_its_range(metric, value, word):
    """Losses should be low; the KL and the active units are neither good nor bad by themselves."""
    assert evaluate._judge(metric, value, (2.0, 3.0)) == word


@pytest.mark.parametrize(
    "kind, latent_dim, beta, dataset, trained_on, reason",
    [
        ("vae", 7, 1.0, "MNIST", None, "latent_dim=7"),
        ("ae", 100, None, "MNIST", "MNIST", "latent_dim=100"),
        ("vae", 100, 4.0, "MNIST", "MNIST", "beta=4"),
        ("vae", 100, 1.0, "MNIST", "embedded digits", "trained on embedded digits"),
    ],
)
def test_where_nothing_was_measured_nothing_is_expected(
    kind, latent_dim, beta, dataset, trained_on, reason
):
    """And the reason is told."""
    ranges, note = evaluate._expected_ranges(kind, latent_dim, beta, dataset, trained_on)
    assert ranges == {} and note.startswith("no range measured for") and note.endswith(reason)


@pytest.mark.parametrize("name", [n for n in pretrained.NAMES if n.count("-") == 2])
def test_a_shipped_models_scores_are_what_is_expected(name):
    """The scores on each card are within the ranges for its kind, latent_dim and data set."""
    card = json.loads((pretrained.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    kind, latent_dim, _ = name.split("-")
    beta = 1.0 if kind == "vae" else None
    ranges, note = evaluate._expected_ranges(kind, int(latent_dim), beta, card["dataset"], None)
    assert note == "" and set(card["test_scores"]) <= set(ranges)
    for metric, value in card["test_scores"].items():
        assert evaluate._judge(metric, value, ranges[metric]) == "within", metric


@pytest.mark.parametrize("dataset, kind, latent_dim", list(evaluate.EXPECTED))
def test_ranges_agree_with_each_other(dataset, kind, latent_dim):
    """MSE is reconstruction / 784; loss is reconstruction + KL; no range is empty."""
    ranges, _ = evaluate._expected_ranges(kind, latent_dim, 1, dataset, dataset)
    assert all(low <= high for low, high in ranges.values())
    errors = np.array(ranges["reconstruction"])
    np.testing.assert_allclose(np.array(ranges["mse"]) * 784, errors, rtol=0.02)
    if kind == "ae":
        assert ranges["loss"] == ranges["reconstruction"] and "kl" not in ranges
        return
    low, high = errors + np.array(ranges["kl"])
    assert low <= ranges["loss"][1] and ranges["loss"][0] <= high
    assert ranges["active_units"][1] <= latent_dim


def test_a_report_tells_all_and_is_plain_json(vae, monkeypatch):
    """What was scored on what, each score with spread, range and verdict, and a yardstick."""
    ranges = ((0.0, 1.0), (0.0, 1e6), (0.0, 1e6))
    monkeypatch.setitem(evaluate.EXPECTED, ("embedded digits", "vae", 3), ranges)
    data = tiny_digits()
    report = evaluate.report(vae, None, data, passes=2)
    assert report == json.loads(json.dumps(report, allow_nan=False)) | {"scores": report["scores"]}
    assert (report["kind"], report["latent_dim"], report["beta"]) == ("vae", 3, 1.0)
    assert (report["dataset"], report["trained_on"]) == ("embedded digits", None)
    assert (report["images"], report["passes"], report["note"]) == (40, 2, "")
    scores = report["scores"]
    assert scores["loss"]["verdict"] == "worse" and scores["loss"]["expected"] == (0.0, 1.0)
    assert scores["kl"]["verdict"] == "within" and scores["active_units"]["verdict"] is None
    cost = ((data.x_test - data.x_train.mean(axis=0)) ** 2).sum(axis=(1, 2, 3)).mean()
    assert report["yardsticks"]["mean_image"] == pytest.approx(cost, rel=1e-4)


@pytest.mark.parametrize("value, what", [(np.nan, "weights"), (200.0, "scores")])
def test_a_model_whose_numbers_are_not_finite_is_refused(vae, images, value, what):
    """A weight that is NaN; finite weights with a variance of exp(200), which float32 cannot hold."""
    bias = vae.encoder.get_layer("z_log_var").bias
    bias.assign(np.full(bias.shape, value))
    with pytest.raises(ValueError, match=f"{what} are not all finite.*smaller beta"):
        evaluate.evaluate(vae, images, passes=2)


@pytest.mark.parametrize("likelihood", ["learned-gaussian", "bernoulli", "continuous-bernoulli"])
def test_a_report_on_another_likelihood_has_its_own_yardstick_and_log_p(likelihood):
    """What the mean image costs under it; images in black and white where it asks for them."""
    keras.utils.set_random_seed(1)
    vae, data = VAE(build_encoder(2), build_decoder(2), likelihood=likelihood), tiny_digits()
    report = evaluate.report(vae, None, data, passes=2, draws=4, images=3)
    assert report["note"] == f"no range measured for likelihood={likelihood}, draws=1"
    x, mean = data.x_test, data.x_train.mean(axis=0)
    if likelihood == "bernoulli":
        x = (np.random.default_rng(0).random(x.shape, dtype="float32") < x).astype("float32")
    per_pixel = -x * np.log(mean) - (1 - x) * np.log(1 - mean)
    if likelihood == "continuous-bernoulli":
        logits = np.log(mean) - np.log(1 - mean)
        per_pixel -= np.log(logits / np.tanh(logits / 2))
    if likelihood == "learned-gaussian":
        s2 = ((x - mean) ** 2).mean()
        per_pixel = 0.5 * np.log(2 * np.pi * s2) + (x - mean) ** 2 / (2 * s2)
    cost = per_pixel.sum(axis=(1, 2, 3)).mean()
    assert report["yardsticks"]["mean_image"] == pytest.approx(cost, rel=1e-3)
    assert (report["log_likelihood"]["draws"], report["log_likelihood"]["images"]) == (4, 3)


def test_an_autoencoder_has_no_likelihood():
    """It is told so."""
    model = Autoencoder(build_encoder(2), build_decoder(2))
    with pytest.raises(ValueError, match="no likelihood: leave out --log-likelihood"):
        evaluate.report(model, None, tiny_digits(), draws=10)
