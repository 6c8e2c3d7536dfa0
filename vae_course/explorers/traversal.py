"""Pick one dimension of a code, drag it, and see what it does."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent, plotting
from vae_course.explorers import networks
from vae_course.explorers.codes import check_codes, check_decoder, decode, look, starting_points
from vae_course.explorers.explorer import Explorer

LIMIT = 3.0


class LatentTraversal(Explorer):
    """Move one latent dimension from -3 to 3, with the dimensions sorted by their KL.

    Args:
        decoder: Keras model from latent vectors to images.
        codes: `z_mean` of test images, shape `(n, latent_dim)`.
        labels: Their digits, or names of classes, shape `(n,)`.
        kl: KL divergence of each dimension in nats, shape `(latent_dim,)`, from `latent.kl_per_dimension`.
        light: Whether 0 is black and 1 is white, as in photographs, and not paper and ink.

    Raises:
        ValueError: If codes, labels or kl are empty, not finite or do not match, or the decoder takes
            vectors of another size.

    Source: Higgins et al. (2017), figure 1, for traversals.
    """

    def __init__(self, decoder, codes, labels, kl, light=False):
        self._light = light
        codes, labels = check_codes(codes, labels)
        self._kl = np.asarray(kl, dtype=float)
        if self._kl.shape != codes.shape[1:] or not np.isfinite(self._kl).all():
            raise ValueError(
                f"kl has shape {self._kl.shape}, codes {codes.shape}: pass one finite number for each "
                "latent dimension, as from latent.kl_per_dimension."
            )
        self._points = starting_points(codes, labels)
        self._decoder = check_decoder(decoder, codes.shape[1])
        self._order = np.argsort(-self._kl)
        names = list(self._points)
        self._first = names[min(3, len(names) - 1)]

    def _state(self):
        return {
            "names": list(self._points),
            "points": networks.array(np.array(list(self._points.values()))),
            "first": self._first,
            "decoder": networks.network(self._decoder),
            "look": look(self._decoder, self._light),
            "kl": networks.array(self._kl),
            "order": networks.array(self._order, "int32"),
        }

    def _figure(self):
        values = np.linspace(-LIMIT, LIMIT, 7)
        z = self._points[self._first]
        chosen = list(dict.fromkeys([*self._order[:3], self._order[-1]]))
        rows = [latent.traversal(z, dimension, values) for dimension in chosen]
        fig, (bars, ax) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(2, 5))
        bars.bar(np.arange(1, len(self._kl) + 1), self._kl[self._order], width=1.0)
        bars.set(xlabel="dimension, by KL", ylabel="nats per image")
        plotting.image_grid(
            decode(self._decoder, np.concatenate(rows)),
            len(values),
            ax,
            row_labels=[f"z[{dimension}]" for dimension in chosen],
            column_labels=[f"{value:+.0f}" for value in values],
            light=self._light,
        )
        ax.set_title(f"{self._first}: one dimension moved")
        return fig, (
            "Left, bars of KL by dimension, few of them tall. Right, one row for each of three dimensions "
            "with much KL, in which the digit changes, and for the one with least, in which it stays."
        )
