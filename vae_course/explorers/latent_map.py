"""Walk through a plane of codes, and see what the decoder makes of every place."""

import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import ToggleButtons
from scipy.spatial import cKDTree

from vae_course import latent, plotting
from vae_course.explorers.codes import check_codes, quick_decoder
from vae_course.explorers.explorer import Explorer, board, digit_on, png

GAPS = 6


class _Map:
    """One model's codes with their k-d tree, their gaps, and the decoder."""

    def __init__(self, name, decoder, codes, labels, title, gaps):
        self.codes, self.labels = check_codes(codes, labels, f"codes of {name}")
        if self.codes.shape[1] != 2:
            size = f"{self.codes.shape[1]} numbers"
            raise ValueError(f"The codes of {name} have {size}, but a map needs a latent_dim of 2.")
        self.name, self.title = name, title
        self.decode = quick_decoder(decoder, 2)
        self.tree = cKDTree(self.codes)
        found = (
            latent.largest_gaps(self.codes, count=gaps) if gaps else (np.empty((0, 2)), np.empty(0))
        )
        self.centres, self.radii = found
        self.start = self.centres[0] if len(self.centres) else self.codes[0]

    def clusters(self, count=3):
        """Return, for some digits, the code with the most neighbours of the same digit."""
        near = self.labels[self.tree.query(self.codes, k=min(11, len(self.codes)))[1]]
        own = (near == self.labels[:, None]).mean(axis=1)
        digits = np.unique(self.labels)
        best = np.array([np.where(self.labels == digit, own, -1).argmax() for digit in digits])
        return self.codes[best[np.argsort(-own[best], kind="stable")][:count]]

    def draw_on(self, ax):
        plotting.circles(self.centres, self.radii, plotting.latent_map(self.codes, self.labels, ax))
        reach = self.radii[:, None]
        drawn = self.codes[: plotting.MOST_POINTS], self.centres - reach, self.centres + reach
        corners = np.concatenate(drawn)
        (left, bottom), (right, top) = corners.min(axis=0), corners.max(axis=0)
        ax.set(xlim=(left, right), ylim=(bottom, top), title=f"{self.name}: {self.title}")


class LatentMap(Explorer):
    """A map of two-dimensional codes: click, drag or step to a place, and see it decoded.

    Red circles are the largest gaps, where these are asked for. A line leads from the chosen place to the
    nearest code.

    Args:
        models: Dictionary from name to `(decoder, codes)`; codes have shape `(n, 2)`. With several models,
            buttons switch between their maps.
        labels: Digit of each code, shape `(n,)`.
        title: What the codes are, such as "codes of the test images, MNIST".
        gaps: How many of the largest gaps to mark, 0 for none.

    Raises:
        ValueError: If there is no model, or one has codes that are not `(n, 2)`, finite and labelled, or
            a decoder of another size.

    Source: lecture, slide "Problems with standard autoencoders".
    """

    hint = "map of codes: click, drag, or use the arrow keys (with Shift: larger steps)"

    def __init__(self, models, labels, title, gaps=GAPS):
        super().__init__()
        if not models:
            raise ValueError("models is empty: give at least one, {name: (decoder, codes)}.")
        self._maps = {
            name: _Map(name, *model, labels, title, gaps) for name, model in models.items()
        }

    def _controls(self):
        names = list(self._maps)
        self._model = self._control(ToggleButtons, "model", "110px", self._open, options=names)
        self._picture.observe(lambda change: self._answer(), "place")
        self._open()
        return [[self._model]] if len(self._maps) > 1 else []

    def _open(self):
        """Draw the chosen map, and go to the middle of its largest gap."""
        self._map = self._maps[self._model.value]
        self._fig, (ax, picture) = board(8.6, 4.9, ncols=2, width_ratios=(5, 3))
        self._map.draw_on(ax)
        ax.set_autoscale_on(False)
        self._digit = digit_on(picture)
        picture.set_xlabel("what the decoder draws")
        (self._link,) = ax.plot([], [], "-", color="black", linewidth=1.5)
        (self._cross,) = ax.plot([], [], "P", color="black", markersize=13, markeredgecolor="white")
        self._link.set_zorder(4)  # above the numbers of the gaps
        self._cross.set_zorder(5)
        self._words = picture.text(0.5, 1.03, "\n\n", ha="center", transform=picture.transAxes)
        png(self._fig)  # lays it out
        self._to_data = self._fig.transFigure - ax.transData
        self._picture.area = ax.get_position().extents.tolist()
        self._picture.place = self._to_data.inverted().transform(self._map.start).tolist()

    def _draw(self):
        chosen, z = self._map, self._to_data.transform(self._picture.place)
        distance, nearest = chosen.tree.query(z)
        self._digit.set_data(chosen.decode(z[None])[0])
        self._link.set_data(*zip(z, chosen.codes[nearest], strict=True))
        self._cross.set_data(*z[:, None])
        inside = np.flatnonzero(np.linalg.norm(chosen.centres - z, axis=1) < chosen.radii)
        place = f", in gap {inside[0] + 1}" if len(inside) else ", in none of the marked gaps"
        where = f"z = ({z[0]:.2f}, {z[1]:.2f})" + (place if len(chosen.centres) else "")
        near = f"nearest code: a {chosen.labels[nearest]}, {distance:.2f} away"
        self._words.set_text(f"{where}\n{near}")
        return f"{chosen.name}: {where}; {near}. Its decoded picture."

    def _figure(self):
        """Draw all maps side by side, and below each the decoded gaps and clusters."""
        maps = list(self._maps.values())
        fig = plt.figure(figsize=(4.7 * len(maps), 5.8))
        axes = fig.subplots(2, len(maps), height_ratios=(5, 1), squeeze=False)
        for (above, below), one in zip(axes.T, maps, strict=True):
            one.draw_on(above)
            gaps = one.centres[:3]
            clusters = one.clusters(6 - len(gaps))
            names = [f"gap {i + 1}" for i in range(len(gaps))] + ["cluster"] * len(clusters)
            pictures = one.decode(np.concatenate([gaps, clusters]))
            plotting.image_grid(pictures, len(names), below, column_labels=names)
            below.tick_params(labelsize=9)
        text = f"Map of the codes of {' and '.join(self._maps)}, digits"
        if not any(len(one.centres) for one in maps):
            return fig, f"{text}; below, decoded: places inside clusters."
        return fig, (
            f"{text} with red circles where no code lies; "
            "below, decoded: three gaps, less clear, and three places inside clusters."
        )
