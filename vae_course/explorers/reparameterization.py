"""Keep the same draws for every mu and sigma, and see what that does for the gradient."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.collections import LineCollection

from vae_course.explorers.explorer import Board, Explorer, slider, switch

TARGET = 3.0  # f(z) = (z - 3)^2, as in the lesson
TRICK, PLAIN = "z = mu + sigma * eps", "plain sampling"
DRAWS = 12


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


class _Panels:
    """How draws become samples, on the left, and mu and sigma with the way downhill, on the right."""

    def __init__(self, left, right):
        left.set(xlim=(-5, 8), ylim=(-0.35, 1.35), xlabel="z")
        left.set_yticks([0, 1], ["z", "eps"])
        left.axvline(TARGET, color="0.6", linestyle=":")
        left.annotate("best z", (TARGET, -0.3), color="0.35", ha="center")
        self.links = left.add_collection(LineCollection([], colors="0.6", linewidths=1))
        (self.eps,) = left.plot([], [], "o", color="C0", markersize=8)
        (self.z,) = left.plot([], [], "s", color="C1", markersize=8)
        mus, sigmas = np.meshgrid(np.linspace(-1, 5, 61), np.linspace(0.1, 2.5, 49))
        levels = [0.1, 0.5, 1, 2, 4, 6, 9, 13, 18]
        lines = right.contour(mus, sigmas, (mus - TARGET) ** 2 + sigmas**2, levels, colors="0.75")
        right.clabel(lines, fontsize=8)
        right.set(xlabel="mu", ylabel="sigma", xlim=(-1, 5), ylim=(0.1, 2.5))
        (self.arrow,) = right.plot([], [], "-", color="C0", linewidth=3)
        (self.tip,) = right.plot([], [], "*", color="C0", markersize=12)
        (self.here,) = right.plot([], [], "o", color="black", markersize=9)
        self.heads = [ax.set_title(" ", fontsize="medium") for ax in (left, right)]
        self.artists = [
            *(self.links, self.eps, self.z, self.arrow, self.tip, self.here),
            *self.heads,
        ]

    def put(self, mu, sigma, eps, linked):
        """Draw the samples; return the mean of f over them, and the gradient in words."""
        z = mu + sigma * eps
        loss, by_mu, by_sigma = estimates(eps, mu, sigma)
        lines = [[(e, 1), (sample, 0)] for e, sample in zip(eps, z, strict=True)]
        downhill = np.array([mu - 0.15 * by_mu, sigma - 0.15 * by_sigma])
        self.links.set_segments(lines if linked else [])
        self.eps.set_data(*((eps, np.ones(len(eps))) if linked else ([], [])))
        self.z.set_data(z, np.zeros(len(z)))
        self.here.set_data([mu], [sigma])
        self.arrow.set_data(*(zip((mu, sigma), downhill, strict=True) if linked else ([], [])))
        self.tip.set_data(*(downhill[:, None] if linked else ([], [])))
        exact = (mu - TARGET) ** 2 + sigma**2
        self.heads[0].set_text(f"mean of f(z) = (z − 3)²: {loss:.2f}, exactly {exact:.2f}")
        slopes = f"gradient: mu {by_mu:+.1f}, sigma {by_sigma:+.1f}; star: downhill"
        self.heads[1].set_text(slopes if linked else "gradient: none, the draws hide it")
        return loss, slopes


class ReparameterizationExplorer(Explorer):
    """Move mu and sigma: the same eps move the samples along, and the gradient points downhill.

    Plain sampling takes fresh draws at every step, so nothing links them to mu and sigma.

    Args:
        seed: Seed of the draws.

    Source: lecture, slide on the reparameterization trick; Kingma and Welling (2014), section 2.4.
    """

    def __init__(self, seed=1):
        super().__init__()
        self._rng = np.random.default_rng(seed)
        self._eps = self._rng.standard_normal(DRAWS)

    def _controls(self):
        self._mu = self._watch(slider("mu", -1, 5, 0.5))
        self._sigma = self._watch(slider("sigma", 0.1, 2.5, 1.0))
        self._kind = self._watch(switch("draws", [TRICK, PLAIN], "190px"))
        self._board = Board(8.6, 4.0, ncols=2)
        self._panels = _Panels(*self._board.axes)
        self._board.move(*self._panels.artists)
        return [[self._mu, self._sigma], [self._kind]]

    def _draw(self):
        mu, sigma, linked = self._mu.value, self._sigma.value, self._kind.value == TRICK
        eps = self._eps if linked else self._rng.standard_normal(DRAWS)
        loss, slopes = self._panels.put(mu, sigma, eps, linked)
        how = f"the same {DRAWS} eps; {slopes}" if linked else f"{DRAWS} fresh draws; no gradient"
        return self._board.png(), (
            f"Samples for mu {mu:.2f} and sigma {sigma:.2f}: {how}. Mean of f {loss:.2f}."
        )

    def _figure(self):
        fig, axes = plt.subplots(2, 2, figsize=(9.5, 7))
        fresh = np.random.default_rng(0).standard_normal(DRAWS)
        for row, kind, eps in zip(axes, (TRICK, PLAIN), (self._eps, fresh), strict=True):
            _Panels(*row).put(0.5, 1.0, eps, kind == TRICK)
            row[0].set_ylabel(kind)
        return fig, (
            "Above, lines lead from eps to the samples z, and an arrow from mu and sigma downhill. "
            "Below, plain sampling: samples without lines, no arrow."
        )
