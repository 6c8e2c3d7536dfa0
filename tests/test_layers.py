"""The sampling layer against the moments of the normal distribution, and its gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from vae_course.models import Sampling

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


def test_it_is_saved_and_loaded_without_custom_arguments(tmp_path):
    """A model with the layer in it loads again, and draws from the same stream."""
    inputs = keras.Input((2,)), keras.Input((2,))
    model = keras.Model(inputs, Sampling(seed=5)(inputs))
    model.save(tmp_path / "sampling.keras")
    loaded = keras.models.load_model(tmp_path / "sampling.keras")
    zeros = [np.zeros((3, 2)), np.zeros((3, 2))]
    np.testing.assert_array_equal(loaded(zeros), model(zeros))
