"""Explore the KL divergence between two normal densities with two sliders; `browser/kl.js` draws it live."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent
from vae_course.explorers.explorer import Explorer

POINTS = np.linspace(-10, 10, 1001)  # covers nearly all of q for all slider values
LOG_P = -0.5 * (np.log(2 * np.pi) + POINTS**2)
STILL = ((0.0, 0.0), (1.0, 2 * np.log(0.5)), (0.0, 1.2))  # mu and log sigma^2 in the still figure


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


def _draw_on(axes, mu, log_var):
    """Draw both densities on the first of two axes, and the integrand on the second."""
    densities, integrand = axes
    kl, q, curve = divergence(mu, log_var)
    densities.plot(POINTS, np.exp(LOG_P), "--", color="0.4", label="p = N(0, 1)")
    densities.plot(POINTS, q, color="C0", linewidth=2.5, label="q")
    title = f"q = N({mu:.2f}, {np.exp(0.5 * log_var):.2f}²)"
    densities.set(xlabel="z", ylabel="density", xlim=(-10, 10), ylim=(0, 1), title=title)
    integrand.axhline(0, color="0.4", linewidth=1)
    over, under = np.maximum(curve, 0), np.minimum(curve, 0)
    integrand.fill_between(POINTS, over, alpha=0.5, color="C0", label="adds")
    look = {"color": "C1", "hatch": "//"}
    integrand.fill_between(POINTS, under, alpha=0.5, label="takes away", **look)
    integrand.set(xlabel="z", ylabel="q log(q / p)", xlim=(-10, 10), ylim=(-0.3, 2))
    integrand.set_title(f"area {kl:.3f} nats = {kl / np.log(2):.3f} bits")
    for ax in axes:
        ax.legend(loc="upper left")


class KLExplorer(Explorer):
    """Move q away from the prior, and see both densities, the area of the integrand, and the closed form.

    Source: lecture, slide on the KL divergence of normal distributions.
    """

    def _state(self):
        return {}

    def _figure(self):
        fig, axes = plt.subplots(2, len(STILL), figsize=(10, 5.6), sharey="row")
        for column, (mu, log_var) in zip(axes.T, STILL, strict=True):
            _draw_on(column, mu, log_var)
        for ax in axes[:, 1:].ravel():
            ax.get_legend().remove()
            ax.set_ylabel("")
        return fig, (
            "Three choices of q above, the curve q log(q / p) below with its area shaded: 0 if q is the "
            "prior, more if q is narrow and moved away, or wide."
        )
