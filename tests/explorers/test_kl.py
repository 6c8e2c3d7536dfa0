"""KLExplorer: densities, area and formula agree with SciPy for every place of the sliders."""

import numpy as np
import pytest
from scipy import integrate, stats

from vae_course.explorers import KLExplorer
from vae_course.explorers.kl import POINTS, divergence


@pytest.fixture
def explorer():
    """Give a live explorer."""
    explorer = KLExplorer()
    explorer.widget()
    yield explorer
    explorer.close()


@pytest.mark.parametrize(("mu", "log_var"), [(0, 0), (1, -1.4), (-3, 1.5), (3, -4), (0.3, 0.7)])
def test_the_divergence_is_what_quadrature_gives(mu, log_var):
    """The closed form, and the curve that it is the area of, against scipy.stats and scipy.integrate."""
    q, p = stats.norm(mu, np.exp(log_var / 2)), stats.norm()

    def integrand(z):
        return q.pdf(z) * (q.logpdf(z) - p.logpdf(z))

    area = integrate.quad(integrand, -30, 30, points=[mu, 0], limit=200)[0]
    kl, density, curve = divergence(mu, log_var)
    assert kl == pytest.approx(area, abs=1e-7)
    np.testing.assert_allclose(density, q.pdf(POINTS), atol=1e-12)
    np.testing.assert_allclose(curve, integrand(POINTS), atol=1e-10)
    seen = integrate.trapezoid(curve, POINTS)
    assert seen == pytest.approx(area, rel=0.01, abs=1e-3)


def test_it_draws_what_the_sliders_say(explorer):
    """Curve, title, formula and text follow both sliders."""
    explorer._mu.value, explorer._log_var.value = -1.5, 0.5
    q = stats.norm(-1.5, np.exp(0.25))
    np.testing.assert_allclose(explorer._panels.q.get_ydata(), q.pdf(POINTS), atol=1e-12)
    kl = 0.5 * (np.exp(0.5) + 2.25 - 1 - 0.5)
    assert f"{kl:.3f} nats = {kl / np.log(2):.3f} bits" in explorer._panels.heads[1].get_text()
    assert explorer._form.get_text().endswith(f"½ (1.649 + 2.250 − 1 − (0.50)) = {kl:.3f} nats")
    assert f"{kl:.3f} nats, {kl / np.log(2):.3f} bits" in explorer._picture.alt


def test_no_curve_leaves_its_axes(explorer):
    """All corners of the sliders and many places between: the axes reach beyond the curves."""
    rng = np.random.default_rng(0)
    places = [(m, v) for m in (-3, 0, 3) for v in (-4, 0, 1.5)]
    places += list(zip(rng.uniform(-3, 3, 30), rng.uniform(-4, 1.5, 30), strict=True))
    for mu, log_var in places:
        explorer._panels.put(mu, log_var)
        _, q, curve = divergence(mu, log_var)
        densities, integrand = explorer._panels.axes
        assert 0.3 * densities.get_ylim()[1] < max(q.max(), 0.4) <= densities.get_ylim()[1]
        assert integrand.get_ylim()[0] <= curve.min() and curve.max() <= integrand.get_ylim()[1]
        assert integrand.get_ylim()[1] <= max(2.5 * curve.max(), 1)


def test_new_limits_are_drawn(explorer):
    """When the axes have to change, the picture is the one drawn from scratch with the new axes."""
    explorer._log_var.value = -4.0
    picture = explorer._picture.png
    explorer._board.unsettle()
    assert explorer._board.png() == picture
