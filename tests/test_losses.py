"""The two loss terms against quadrature, a case computed by hand, and finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import integrate, stats

from vae_course.losses import gaussian_kl, squared_error


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
