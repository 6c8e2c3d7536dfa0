"""ReparameterizationExplorer: the same draws move along; plain sampling has no link and no gradient."""

import numpy as np
import pytest

from vae_course.explorers import ReparameterizationExplorer
from vae_course.explorers.reparameterization import PLAIN, TRICK, estimates


@pytest.fixture
def explorer():
    """Give a live explorer."""
    explorer = ReparameterizationExplorer(seed=3)
    explorer.widget()
    yield explorer
    explorer.close()


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


def test_the_same_eps_stay_and_the_samples_follow(explorer):
    """Moving mu shifts each sample by as much; moving sigma stretches them about mu; eps stand still."""
    panels = explorer._panels
    eps, before = panels.eps.get_xdata().copy(), panels.z.get_xdata().copy()
    np.testing.assert_allclose(before, 0.5 + eps)
    explorer._mu.value = 2.5
    np.testing.assert_allclose(panels.z.get_xdata(), before + 2)
    explorer._sigma.value = 2.0
    np.testing.assert_allclose(panels.z.get_xdata(), 2.5 + 2 * eps)
    np.testing.assert_array_equal(panels.eps.get_xdata(), eps)
    links = np.array(panels.links.get_segments())  # (12, 2, 2)
    np.testing.assert_allclose(links[:, 0, 0], eps)
    np.testing.assert_allclose(links[:, 1, 0], 2.5 + 2 * eps)


def test_the_arrow_points_downhill(explorer):
    """A small step along it lowers the mean over the same draws, wherever mu and sigma stand."""
    for mu, sigma in ((-1, 2.5), (5, 0.5), (1, 1)):
        explorer._mu.value, explorer._sigma.value = mu, sigma
        x, y = explorer._panels.arrow.get_data()
        eps = explorer._panels.eps.get_xdata()
        assert (x[0], y[0]) == (mu, sigma)
        here = estimates(eps, mu, sigma)[0]
        near = estimates(eps, mu + 0.01 * (x[1] - x[0]), sigma + 0.01 * (y[1] - y[0]))[0]
        assert near < here


def test_plain_sampling_draws_anew_and_breaks_the_link(explorer):
    """No eps, no lines, no arrow; other samples at each step; back to the trick, the old eps are there."""
    panels, eps = explorer._panels, explorer._panels.eps.get_xdata().copy()
    explorer._kind.value = PLAIN
    first = panels.z.get_xdata().copy()
    assert not len(panels.links.get_segments()) and not len(panels.eps.get_xdata())
    assert not len(panels.tip.get_xdata()) and "no gradient" in explorer._picture.alt
    explorer._mu.value += 0.01
    assert np.abs(panels.z.get_xdata() - first).max() > 0.1
    explorer._kind.value = TRICK
    np.testing.assert_array_equal(panels.eps.get_xdata(), eps)


def test_the_seed_decides(explorer):
    """Another seed, other draws; the same seed, the same."""
    same, other = ReparameterizationExplorer(3), ReparameterizationExplorer(4)
    np.testing.assert_array_equal(same._eps, explorer._eps)
    assert (other._eps != explorer._eps).all()
