"""Explore the KL divergence between two normal densities with two sliders."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent
from vae_course.explorers.explorer import Board, Explorer, slider

POINTS = np.linspace(-10, 10, 1001)  # covers nearly all of q for all slider values
LOG_P = -0.5 * (np.log(2 * np.pi) + POINTS**2)
TOPS = (1, 2, 4, 8, 20)  # upper axis limits; one of them fits for all slider values
STILL = ((0.0, 0.0), (1.0, -1.4), (0.0, 1.2))  # mu and log sigma^2 in the figure without sliders


def divergence(mu, log_var):
    """Return KL[N(mu, sigma^2) || N(0, 1)] in nats, and the curve q log(q / p), whose area is the KL.

    Args:
        mu: Mean of q.
        log_var: log(sigma^2) of q.

    Returns:
        The divergence in closed form, and q and the integrand at `POINTS`.

    Source: lecture, slide on the KL divergence of normal distributions.
    """
    log_q = -0.5 * (np.log(2 * np.pi) + log_var + (POINTS - mu) ** 2 / np.exp(log_var))
    (kl,) = latent.kl_per_dimension([[mu]], [[log_var]])
    return kl, np.exp(log_q), np.exp(log_q) * (log_q - LOG_P)


class _Panels:
    """Both densities and the integrand, on a pair of axes."""

    def __init__(self, densities, integrand):
        densities.plot(POINTS, np.exp(LOG_P), "--", color="0.4", label="p = N(0, 1)")
        (self.q,) = densities.plot(POINTS, 0 * POINTS, color="C0", linewidth=2.5, label="q")
        densities.set(xlabel="z", ylabel="density", xlim=(-10, 10))
        integrand.axhline(0, color="0.4", linewidth=1)
        self.gain, self.loss = (
            integrand.fill_between(POINTS, 0 * POINTS, alpha=0.5, **look)
            for look in (
                {"color": "C0", "label": "adds"},
                {"color": "C1", "label": "takes away", "hatch": "//"},
            )
        )
        integrand.set(xlabel="z", ylabel="q log(q / p)", xlim=(-10, 10))
        self.axes, self.tops = (densities, integrand), None
        for ax in self.axes:
            ax.legend(loc="upper left")
        self.heads = [ax.set_title(" ", fontsize="medium") for ax in self.axes]
        self.artists = [self.q, self.gain, self.loss, *self.heads]

    def put(self, mu, log_var):
        """Draw q and the integrand; return the KL in nats, and whether the axes had to change."""
        kl, q, integrand = divergence(mu, log_var)
        self.q.set_data(POINTS, q)
        self.gain.set_data(POINTS, 0, np.maximum(integrand, 0))
        self.loss.set_data(POINTS, 0, np.minimum(integrand, 0))
        self.heads[0].set_text(f"q = N({mu:.2f}, {np.exp(0.5 * log_var):.2f}²)")
        self.heads[1].set_text(f"area {kl:.3f} nats = {kl / np.log(2):.3f} bits")
        tops = [next(top for top in TOPS if curve.max() <= top) for curve in (q, integrand)]
        changed, self.tops = tops != self.tops, tops
        self.axes[0].set_ylim(0, tops[0])
        self.axes[1].set_ylim(-0.15 * tops[1], tops[1])
        return kl, changed


class KLExplorer(Explorer):
    """Move q away from the prior, and see both densities, the area of the integrand, and the closed form.

    Source: lecture, slide on the KL divergence of normal distributions.
    """

    def _controls(self):
        self._mu = self._watch(slider("mu", -3, 3, 1.0))
        self._log_var = self._watch(slider("log sigma²", -4, 1.5, -1.4))
        self._board = Board(8.6, 4.2, ncols=2)
        self._panels = _Panels(*self._board.axes)
        self._form = self._board.fig.supxlabel(" ", fontsize=13)
        self._board.move(*self._panels.artists, self._form)
        return [[self._mu, self._log_var]]

    def _draw(self):
        mu, log_var = self._mu.value, self._log_var.value
        kl, changed = self._panels.put(mu, log_var)
        if changed:
            self._board.unsettle()
        variance = np.exp(log_var)
        numbers = f"½ ({variance:.3f} + {mu**2:.3f} − 1 − ({log_var:.2f})) = {kl:.3f} nats"
        self._form.set_text(f"½ (σ² + μ² − 1 − log σ²) = {numbers}")
        return self._board.png(), (
            f"Densities of q, mean {mu:.2f} and deviation {variance**0.5:.2f}, and of p, N(0, 1). "
            f"The area under q log(q / p) is {numbers}, {kl / np.log(2):.3f} bits."
        )

    def _figure(self):
        fig, axes = plt.subplots(2, len(STILL), figsize=(10, 5.6), sharey="row")
        for column, (mu, log_var) in zip(axes.T, STILL, strict=True):
            _Panels(*column).put(mu, log_var)
        axes[0, 0].set_ylim(0, 1)  # shared by the whole row
        axes[1, 0].set_ylim(-0.3, 2)
        for ax in axes[:, 1:].ravel():
            ax.get_legend().remove()
            ax.set_ylabel("")
        return fig, (
            "Three choices of q above, the curve q log(q / p) below with its area shaded: 0 if q is the "
            "prior, more if q is narrow and moved away, or wide."
        )
