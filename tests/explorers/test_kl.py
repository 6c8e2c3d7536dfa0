"""KLExplorer: the densities and the area of its still figure agree with SciPy."""

import numpy as np
import pytest
from scipy import integrate, stats

from vae_course.explorers.kl import POINTS, divergence


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
