"""log p(x): against a grid in two dimensions, whatever the number of draws decoded at once."""

import keras
import numpy as np
import pytest
from scipy import special, stats
from tiny import tiny_digits

from vae_course.models import VAE, build_decoder, build_encoder
from vae_course.runs import likelihood


@pytest.fixture(scope="module")
def vae():
    """Give a VAE in two dimensions, trained a little, whose posteriors are not the prior."""
    keras.utils.set_random_seed(3)
    model = VAE(build_encoder(2), build_decoder(2))
    model.compile(keras.optimizers.Adam(3e-3))
    model.fit(tiny_digits().x_train, epochs=20, batch_size=16, verbose=0)
    return model


@pytest.fixture
def images():
    """Give seven blobs to test with."""
    return tiny_digits().x_test[:7]


def exact(vae, images):
    """Add up p(x, z) over a fine grid."""
    axis = np.linspace(-6, 6, 241)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    x_hat = vae.decoder.predict(grid.astype("float32"), batch_size=1000, verbose=0).reshape(-1, 784)
    x = images.reshape(-1, 1, 784)
    log_p = [stats.norm(x_hat, np.sqrt(0.5)).logpdf(one).sum(axis=1) for one in x]
    log_joint = np.array(log_p) + stats.norm.logpdf(grid).sum(axis=1)
    return special.logsumexp(log_joint, axis=1) + 2 * np.log(axis[1] - axis[0])


def test_many_draws_reach_the_exact_value(vae, images):
    """Within a few hundredths of a nat; one draw is far below, and more draws come nearer."""
    truth = exact(vae, images)
    missing = [
        np.mean([truth - likelihood.log_likelihood(vae, images, k, seed)[0] for seed in range(9)])
        for k in (1, 10, 4000)
    ]
    assert missing[0] > missing[1] > missing[2] - 1e-3
    assert abs(missing[2]) < 0.05


def test_draws_are_added_up_in_parts(vae, images, monkeypatch):
    """Several rounds and several groups of images give what one pass over all weights gives."""
    keras.utils.set_random_seed(0)
    log_w = np.random.default_rng(0).normal(size=(1100, 7)) * 3
    parts = iter([log_w[:500], log_w[500:1000], log_w[1000:]])
    monkeypatch.setattr(
        likelihood.tf, "function", lambda f: lambda x, k: likelihood.tf.constant(next(parts))
    )
    bounds, sizes = likelihood.log_likelihood(vae, images, 1100)
    np.testing.assert_allclose(bounds, special.logsumexp(log_w, axis=0) - np.log(1100))
    w = np.exp(log_w)
    np.testing.assert_allclose(sizes, w.sum(axis=0) ** 2 / (w**2).sum(axis=0))


def test_the_same_seed_gives_the_same_estimate_and_the_models_noise_stays(vae, images):
    """Whatever has drawn from the model before, and without a trace in it."""
    noise = vae.noise.state
    first = likelihood.log_likelihood(vae, images, 20, seed=4)
    noise.assign([8, 9])
    again = likelihood.log_likelihood(vae, images, 20, seed=4)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(noise.numpy(), [8, 9])
    other = likelihood.log_likelihood(vae, images, 20, seed=5)
    assert (other[0] != first[0]).all()


def test_doubles_give_the_same(vae, images):
    """As NumPy makes them."""
    expected = likelihood.log_likelihood(vae, images, 3)
    np.testing.assert_array_equal(
        likelihood.log_likelihood(vae, images.astype("float64"), 3), expected
    )


def test_an_interruption_leaves_the_models_noise(vae, images, monkeypatch):
    """Ctrl-C while it draws."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(likelihood.tf, "function", lambda f: interrupt)
    vae.noise.state.assign([8, 9])
    with pytest.raises(KeyboardInterrupt):
        likelihood.log_likelihood(vae, images, 3)
    np.testing.assert_array_equal(vae.noise.state.numpy(), [8, 9])


def test_effective_sample_sizes_lie_between_one_and_the_number_of_draws(vae, images):
    """With one draw it is 1."""
    assert likelihood.log_likelihood(vae, images, 1)[1] == pytest.approx(np.ones(7))
    sizes = likelihood.log_likelihood(vae, images, 200)[1]
    assert (sizes >= 1).all() and (sizes <= 200).all()


def test_a_summary_has_mean_error_and_median(vae, images):
    """Of the bounds and of the sample sizes, ready for a card."""
    bounds, sizes = likelihood.log_likelihood(vae, images, 30)
    assert likelihood.summary(vae, images, 30) == {
        "draws": 30,
        "images": 7,
        "mean": pytest.approx(bounds.mean(), rel=1e-5),
        "standard_error": pytest.approx(bounds.std(ddof=1) / np.sqrt(7), rel=1e-5),
        "median_effective_sample_size": pytest.approx(np.median(sizes), rel=1e-5),
    }


@pytest.mark.parametrize("draws", [0, -1, 2_000_000])
def test_numbers_of_draws_out_of_range_are_refused(draws, vae, images):
    """With the value and the cure."""
    with pytest.raises(ValueError, match=f"{draws} draws are out of range: use 1 to 1000000"):
        likelihood.log_likelihood(vae, images, draws)
