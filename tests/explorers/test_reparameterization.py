"""ReparameterizationExplorer: the gradient of its still figure, and its draws."""

import numpy as np
import pytest

from vae_course.explorers import ReparameterizationExplorer
from vae_course.explorers.reparameterization import estimates


def test_the_gradient_is_that_of_the_mean():
    """Both derivatives against finite differences of the mean with the same eps."""
    eps = np.random.default_rng(0).normal(size=12)
    loss, by_mu, by_sigma = estimates(eps, 0.7, 1.3)
    h = 1e-5
    mean = np.mean((0.7 + 1.3 * eps - 3) ** 2)
    assert loss == pytest.approx(mean)
    for numeric, slope in (
        ((estimates(eps, 0.7 + h, 1.3)[0] - estimates(eps, 0.7 - h, 1.3)[0]) / (2 * h), by_mu),
        ((estimates(eps, 0.7, 1.3 + h)[0] - estimates(eps, 0.7, 1.3 - h)[0]) / (2 * h), by_sigma),
    ):
        assert slope == pytest.approx(numeric, rel=1e-6)


def test_plain_sampling_has_other_draws_whatever_the_seed():
    """0 is the seed of the others, unless it is asked for."""
    for seed in (0, 1):
        explorer = ReparameterizationExplorer(seed)
        assert not set(explorer._eps) & set(explorer._fresh)


def test_the_seed_decides():
    """Another seed, other draws; the same seed, the same."""
    one, same, other = (ReparameterizationExplorer(seed) for seed in (3, 3, 4))
    assert one._state() == same._state() != other._state()
