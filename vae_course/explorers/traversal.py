"""Pick one dimension of a code, drag it, and see what it does."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LinearSegmentedColormap

from vae_course import latent, plotting
from vae_course.explorers.codes import check_codes, quick_decoder, starting_points
from vae_course.explorers.explorer import Board, Explorer, choice, digit_on, slider, whole_slider

LIMIT = 3.0
LESS_AND_MORE = LinearSegmentedColormap.from_list("ink", ["#0072B2", "white", "#D55E00"])


class LatentTraversal(Explorer):
    """Move one latent dimension from -3 to 3, with the dimensions sorted by their KL.

    Args:
        decoder: Keras model from latent vectors to images.
        codes: `z_mean` of test images, shape `(n, latent_dim)`.
        labels: Their digits, shape `(n,)`.
        kl: KL divergence of each dimension in nats, shape `(latent_dim,)`, from `latent.kl_per_dimension`.

    Raises:
        ValueError: If codes, labels or kl are empty, not finite or do not match, or the decoder takes
            vectors of another size.

    Source: Higgins et al. (2017), figure 1, for traversals.
    """

    def __init__(self, decoder, codes, labels, kl):
        super().__init__()
        codes, labels = check_codes(codes, labels)
        self._kl = np.asarray(kl, dtype=float)
        if self._kl.shape != codes.shape[1:] or not np.isfinite(self._kl).all():
            raise ValueError(
                f"kl has shape {self._kl.shape}, codes {codes.shape}: pass one finite number for each "
                "latent dimension, as from latent.kl_per_dimension."
            )
        self._points = starting_points(codes, labels)
        self._decode = quick_decoder(decoder, codes.shape[1])
        self._order = np.argsort(-self._kl)
        names = list(self._points)
        self._first = names[min(3, len(names) - 1)]

    def _controls(self):
        self._start = self._watch(choice("image", list(self._points), self._first))
        self._rank = self._watch(whole_slider("place by KL", 1, len(self._kl), 1))
        self._value = self._watch(slider("value", -LIMIT, LIMIT, LIMIT, step=0.05))
        self._make_board()
        return [[self._start], [self._rank, self._value]]

    def _bars(self, ax, **look):
        ax.bar(np.arange(1, len(self._kl) + 1), self._kl[self._order], width=1.0, **look)
        ax.set(xlabel="dimension, by KL", ylabel="nats per image")

    def _make_board(self):
        self._board = Board(8.6, 3.2, ncols=4, width_ratios=(4, 3, 3, 3))
        bars, *pictures = self._board.axes
        self._bars(bars, color="0.7")
        (self._bar,) = bars.bar([1], [0], width=1.0, color="C0")
        (self._arrow,) = bars.plot([], [], "v", color="C0", markersize=9, clip_on=False)
        self._before, self._after, self._change = (digit_on(ax) for ax in pictures)
        pictures[2].set_title("ink: orange more,\nblue less")
        self._change.set(cmap=LESS_AND_MORE, clim=(-1, 1))
        self._heads = [ax.set_title("\n") for ax in pictures[:2]]
        self._title = bars.set_title(" ")
        images = self._before, self._after, self._change
        self._board.move(self._bar, self._arrow, *images, *self._heads, self._title)

    def _draw(self):
        rank, value = self._rank.value, self._value.value
        dimension = self._order[rank - 1]
        z = self._points[self._start.value]
        moved = latent.traversal(z, dimension, [z[dimension], value])
        before, after = self._decode(moved)
        self._before.set_data(before)
        self._after.set_data(after)
        self._change.set_data(after - before)
        nats = self._kl[dimension]
        self._bar.set(x=rank - 0.5, height=nats)
        self._arrow.set_data([rank], [nats + 0.05 * self._kl.max()])
        self._heads[0].set_text(f"as it was\nz[{dimension}] = {z[dimension]:+.2f}")
        self._heads[1].set_text(f"moved to\nz[{dimension}] = {value:+.2f}")
        self._title.set_text(f"z[{dimension}]: {nats:.2f} nats")
        most = np.abs(after - before).max()
        return self._board.png(), (
            f"The {self._start.value} with dimension {dimension}, number {rank} by KL with {nats:.2f} nats, "
            f"set from {z[dimension]:+.2f} to {value:+.2f}: a pixel changes by {most:.2f} at most."
        )

    def _figure(self):
        values = np.linspace(-LIMIT, LIMIT, 7)
        z = self._points[self._first]
        chosen = list(dict.fromkeys([*self._order[:3], self._order[-1]]))
        rows = [latent.traversal(z, dimension, values) for dimension in chosen]
        fig, (bars, ax) = plt.subplots(1, 2, figsize=(10, 3.4), width_ratios=(2, 5))
        self._bars(bars)
        plotting.image_grid(
            self._decode(np.concatenate(rows)),
            len(values),
            ax,
            row_labels=[f"z[{dimension}]" for dimension in chosen],
            column_labels=[f"{value:+.0f}" for value in values],
        )
        ax.set_title(f"{self._first}: one dimension moved")
        return fig, (
            "Left, bars of KL by dimension, few of them tall. Right, one row for each of three dimensions "
            "with much KL, in which the digit changes, and for the one with least, in which it stays."
        )
