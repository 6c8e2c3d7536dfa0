"""Keep the same draws for every mu and sigma, and see what that does for the gradient."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course.explorers import networks
from vae_course.explorers.explorer import Explorer

TARGET = 3.0  # f(z) = (z - 3)^2, as in the lesson
TRICK, PLAIN = "z = mu + sigma * eps", "plain sampling"
DRAWS = 12
MU, SIGMA = 0.5, 1.0  # in the still figure


def estimates(eps, mu, sigma):
    """Estimate the mean of f(z) = (z - 3)^2 and its gradient from draws, by reparameterization.

    Args:
        eps: Draws from N(0, 1), shape `(n,)`.
        mu: Mean.
        sigma: Standard deviation, above 0.

    Returns:
        Mean of f and its derivatives with respect to mu and sigma, each a mean over the draws.

    Source: Kingma and Welling (2014), section 2.4.
    """
    away = mu + sigma * eps - TARGET
    return np.mean(away**2), np.mean(2 * away), np.mean(2 * away * eps)


def _draw_on(left, right, eps, linked):
    """Draw how draws become samples, on the left, and the way downhill for mu and sigma, on the right."""
    z = MU + SIGMA * eps
    loss, by_mu, by_sigma = estimates(eps, MU, SIGMA)
    left.set(xlim=(-5, 8), ylim=(-0.35, 1.35), xlabel="z")
    left.set_yticks([0, 1], ["z", "eps"])
    left.axvline(TARGET, color="0.6", linestyle=":")
    left.annotate("best z", (TARGET, -0.3), color="0.35", ha="center")
    left.plot(z, np.zeros(len(z)), "s", color="C1", markersize=8)
    exact = (MU - TARGET) ** 2 + SIGMA**2
    left.set_title(f"mean of f(z) = (z − 3)²: {loss:.2f}, exactly {exact:.2f}")
    mus, sigmas = np.meshgrid(np.linspace(-1, 5, 61), np.linspace(0.1, 2.5, 49))
    levels = [0.1, 0.5, 1, 2, 4, 6, 9, 13, 18]
    lines = right.contour(mus, sigmas, (mus - TARGET) ** 2 + sigmas**2, levels, colors="0.75")
    right.clabel(lines, fontsize=8)
    right.set(xlabel="mu", ylabel="sigma", xlim=(-1, 5), ylim=(0.1, 2.5))
    right.plot([MU], [SIGMA], "o", color="black", markersize=9)
    right.set_title("gradient: none, the draws hide it")
    if linked:
        left.plot([eps, z], [np.ones(len(z)), np.zeros(len(z))], color="0.6", linewidth=1, zorder=0)
        left.plot(eps, np.ones(len(eps)), "o", color="C0", markersize=8)
        downhill = MU - 0.15 * by_mu, SIGMA - 0.15 * by_sigma
        right.plot(*zip((MU, SIGMA), downhill, strict=True), "-", color="C0", linewidth=3)
        right.plot(*downhill, "*", color="C0", markersize=12)
        right.set_title(f"gradient: mu {by_mu:+.1f}, sigma {by_sigma:+.1f}; star: downhill")


class ReparameterizationExplorer(Explorer):
    """Move mu and sigma: the same eps move the samples along, and the gradient points downhill.

    Plain sampling takes fresh draws at every step, so nothing links them to mu and sigma.

    Args:
        seed: Seed of the draws.

    Source: lecture, slide on the reparameterization trick; Kingma and Welling (2014), section 2.4.
    """

    def __init__(self, seed=1):
        self._eps, self._fresh = (
            np.random.default_rng(each).standard_normal(DRAWS) for each in (seed, int(seed == 0))
        )

    def _state(self):
        return {"eps": networks.array(self._eps)}

    def _figure(self):
        fig, axes = plt.subplots(2, 2, figsize=(9.5, 7))
        for row, kind, eps in zip(axes, (TRICK, PLAIN), (self._eps, self._fresh), strict=True):
            _draw_on(*row, eps, kind == TRICK)
            row[0].set_ylabel(kind)
        return fig, (
            "Above, lines lead from eps to the samples z, and an arrow from mu and sigma downhill. "
            "Below, plain sampling: samples without lines, no arrow."
        )
