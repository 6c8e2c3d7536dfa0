"""The loss terms against quadrature, SciPy, cases computed by hand, and finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, special, stats

from vae_course.losses import (
    bernoulli_nll,
    continuous_bernoulli_nll,
    gaussian_kl,
    gaussian_nll,
    log_mean_exp,
    squared_error,
    to_logits,
)


def kl_by_quadrature(mean, log_var):
    """Integrate q log(q / p) over ten standard deviations, for one dimension."""
    q, p = stats.norm(mean, np.exp(0.5 * log_var)), stats.norm(0, 1)

    def integrand(z):
        return q.pdf(z) * (q.logpdf(z) - p.logpdf(z))

    reach = 10 * q.std()
    return integrate.quad(integrand, mean - reach, mean + reach, epsabs=1e-10, limit=200)[0]


@pytest.mark.parametrize("mean", [-2.0, 0.0, 0.7])
@pytest.mark.parametrize("log_var", [-3.0, 0.0, 1.5])
def test_gaussian_kl_agrees_with_quadrature(mean, log_var):
    """The closed form is the integral that defines the KL divergence."""
    value = float(gaussian_kl(tf.constant([[mean]]), tf.constant([[log_var]]))[0])
    assert value == pytest.approx(kl_by_quadrature(mean, log_var), abs=1e-5)


def test_gaussian_kl_of_a_case_computed_by_hand():
    """(4 + 9 - 1 - log 4) / 2 in one dimension, 0 in the one that is the prior, summed."""
    value = gaussian_kl(tf.constant([[3.0, 0.0]]), tf.constant([[np.log(4.0), 0.0]], tf.float32))
    assert value.shape == (1,)
    assert float(value[0]) == pytest.approx((12 - np.log(4)) / 2, rel=1e-6)


def test_gaussian_kl_sums_over_dimensions_and_keeps_the_batch():
    """Three equal dimensions cost three times as much as one; every image has its own number."""
    one = gaussian_kl(tf.fill((5, 1), 0.5), tf.fill((5, 1), -0.3))
    three = gaussian_kl(tf.fill((5, 3), 0.5), tf.fill((5, 3), -0.3))
    assert three.shape == (5,)
    np.testing.assert_allclose(three, 3 * one.numpy(), rtol=1e-6)


def test_squared_error_is_summed_over_pixels():
    """Half a grey level off in every pixel of a 28 x 28 image costs 784 / 4."""
    x = tf.zeros((3, 28, 28, 1))
    np.testing.assert_allclose(squared_error(x, x + 0.5), [196.0] * 3, rtol=1e-6)


def test_squared_error_is_the_lectures_784_times_the_mean():
    """Averaged over the batch it is the lecture's 784 * mean squared error."""
    x, x_hat = np.random.default_rng(0).random((2, 7, 28, 28, 1)).astype("float32")
    expected = 784 * np.mean((x - x_hat) ** 2)
    assert float(np.mean(squared_error(x, x_hat))) == pytest.approx(expected, rel=1e-5)


def test_gradient_of_gaussian_kl_agrees_with_finite_differences():
    """Automatic differentiation and a small step in float64 give the same slopes."""
    mean = np.array([[0.4, -1.1]])
    log_var = np.array([[-0.6, 0.9]])
    m, s = tf.Variable(mean), tf.Variable(log_var)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(gaussian_kl(m, s))
    gradients = tape.gradient(total, [m, s])
    h = 1e-6
    for which, gradient in enumerate(gradients):
        for i in range(2):
            up, down = [mean.copy(), log_var.copy()], [mean.copy(), log_var.copy()]
            up[which][0, i] += h
            down[which][0, i] -= h
            slope = (float(gaussian_kl(*up)[0]) - float(gaussian_kl(*down)[0])) / (2 * h)
            assert float(gradient[0, i]) == pytest.approx(slope, abs=1e-6)


def pictures(seed, *shape):
    """Draw numbers from N(0, 2^2) in the form of images."""
    return (2 * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def test_gaussian_nll_is_scipys_density_summed_over_pixels():
    """With its constant, for a variance other than 1."""
    x, mean = pictures(0, 2, 3, 4, 4, 1)
    expected = -stats.norm(mean, np.sqrt(0.3)).logpdf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(gaussian_nll(x, mean, np.log(0.3)), expected, rtol=1e-5)


def test_the_lectures_loss_is_a_gaussian_with_a_variance_of_one_half():
    """Up to the constant of half a log pi for each pixel."""
    x, mean = pictures(1, 2, 3, 4, 4, 1)
    difference = gaussian_nll(x, mean, np.log(0.5)) - squared_error(x, mean)
    np.testing.assert_allclose(difference, 8 * np.log(np.pi), rtol=1e-4)


def test_bernoulli_nll_is_scipys_probability_summed_over_pixels():
    """Of zeros and ones, for logits that are not extreme."""
    logits = pictures(2, 3, 4, 4, 1)
    x = (pictures(3, 3, 4, 4, 1) > 0).astype("float32")
    expected = -stats.bernoulli(special.expit(logits)).logpmf(x).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(bernoulli_nll(x, logits), expected, rtol=1e-5)


def test_bernoulli_nll_does_not_overflow():
    """A logit of 1000 costs 1000 nats if it is wrong, and nothing if it is right."""
    x, logits = (
        np.reshape(v, (4, 1, 1, 1)).astype("float32") for v in ([0, 1] * 2, [1e3, 1e3, -1e3, -1e3])
    )
    np.testing.assert_allclose(bernoulli_nll(x, logits), [1000, 0, 0, 1000])


@pytest.mark.parametrize("logit", [-20.0, -3.0, -0.02, -0.009, 0.0, 0.001, 0.011, 5.0])
def test_the_continuous_bernoulli_is_a_density(logit):
    """Its integral over grey values is 1, also where the constant needs its series."""

    def density(x):
        pixels = np.reshape(x, (-1, 1, 1, 1)).astype("float32")
        return np.exp(-np.asarray(continuous_bernoulli_nll(pixels, np.full_like(pixels, logit))))

    assert integrate.fixed_quad(density, 0, 1, n=60)[0] == pytest.approx(1, abs=2e-5)


def test_gradient_of_the_continuous_bernoulli_is_finite_everywhere():
    """At a logit of zero, too, where the constant is a quotient of zeros."""
    logits = tf.Variable(
        np.reshape([-50.0, -1e-3, 0.0, 1e-3, 50.0], (5, 1, 1, 1)).astype("float32")
    )
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(continuous_bernoulli_nll(0.5 + 0 * logits, logits))
    assert np.isfinite(tape.gradient(total, logits)).all()


def test_to_logits_undoes_a_sigmoid():
    """And stays finite at 0 and 1."""
    logits = np.array([-10, -2, 0, 1, 8], "float32")
    np.testing.assert_allclose(to_logits(special.expit(logits)), logits, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(to_logits(np.array([0, 1], "float32")), [-15, 15], rtol=2e-2)


def test_log_mean_exp_averages_weights_without_overflow():
    """Over the first axis, of weights whose exponentials are 0 or infinite."""
    weights = np.array([[1.0, 3.0], [2.0, 5.0], [6.0, 4.0]])
    for shift in -1000, 0, 1000:
        found = log_mean_exp(np.log(weights) + shift)
        np.testing.assert_allclose(found - shift, np.log([3, 4]), rtol=1e-6)
