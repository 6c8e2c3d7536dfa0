"""LatentMap: walk through a plane of codes and see what the decoder makes of every place."""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from vae_course import latent, plotting
from vae_course.explorers import board
from vae_course.explorers.controls import switch
from vae_course.explorers.decoding import check_codes, quick_decoder
from vae_course.explorers.explorer import Explorer

GAPS = 6


class _Map:
    """One model's codes: their map as a board, their gaps, the decoder."""

    def __init__(self, name, decoder, codes, labels, title):
        self.codes, self.labels = check_codes(codes, labels, f"codes of {name}")
        if self.codes.shape[1] != 2:
            raise ValueError(
                f"The codes of {name} have {self.codes.shape[1]} numbers, but a map needs 2 for each "
                "image: take a model with latent_dim 2."
            )
        self.name, self.title = name, title
        self.decode = quick_decoder(decoder, 2)
        self.tree = cKDTree(self.codes)
        self.centres, self.radii = latent.largest_gaps(self.codes, count=GAPS)
        self.clusters = self._inside_clusters()
        self.start = self.centres[0] if len(self.centres) else self.codes[0]

    def _inside_clusters(self):
        """Find one code for each of three digits that has most of its own kind about it."""
        near = self.labels[self.tree.query(self.codes, k=min(11, len(self.codes)))[1]]
        own = (near == self.labels[:, None]).mean(axis=1)
        best = [
            np.where(self.labels == digit, own, -1).argmax() for digit in np.unique(self.labels)
        ]
        best.sort(key=lambda i: -own[i])
        return self.codes[best[:3]]

    def draw_on(self, ax):
        plotting.circles(self.centres, self.radii, plotting.latent_map(self.codes, self.labels, ax))
        drawn = self.codes[: plotting.MOST_POINTS]
        corners = [drawn, self.centres - self.radii[:, None], self.centres + self.radii[:, None]]
        low, high = np.concatenate(corners).min(axis=0), np.concatenate(corners).max(axis=0)
        ax.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), title=f"{self.name}: {self.title}")

    def board(self):
        """Draw the map, once; keep the artists that follow the chosen place."""
        drawn = board.Board(8.6, 4.9, ncols=2, width_ratios=(5, 3))
        ax, picture = drawn.axes
        self.draw_on(ax)
        ax.set_autoscale_on(False)
        digit = board.digit_on(picture)
        picture.set_xlabel("what the decoder draws")
        (link,) = ax.plot([], [], "-", color="black", linewidth=1.5)
        (cross,) = ax.plot([], [], "P", color="black", markersize=13, markeredgecolor="white")
        words = picture.text(0.5, 1.03, "\n\n", ha="center", transform=picture.transAxes)
        drawn.move(digit, link, cross, words)
        return drawn, digit, link, cross, words

    def answer(self, z):
        """Describe a place: its picture, the nearest code, the gap it lies in (0 for none)."""
        distance, nearest = self.tree.query(z)
        inside = np.flatnonzero(np.linalg.norm(self.centres - z, axis=1) < self.radii)
        gap = int(inside[0]) + 1 if len(inside) else 0
        return self.decode(z[None])[0], distance, nearest, gap


class LatentMap(Explorer):
    """A map of codes in the plane: click, drag or step to a place, and see it decoded.

    Red circles are the largest gaps. A line leads from the chosen place to the nearest code.

    Args:
        models: Dictionary from name to `(decoder, codes)`; codes have shape `(n, 2)`. With several models,
            buttons switch between their maps.
        labels: Digit of each code, shape `(n,)`.
        title: What the codes are, such as "codes of the test images, MNIST".

    Raises:
        ValueError: If there is no model, or one has codes that are not `(n, 2)`, finite and with labels,
            or a decoder of another size.

    Source: lecture, slide "Problems with standard autoencoders".
    """

    hint = "map of codes: click, drag, or use the arrow keys (with Shift: larger steps)"

    def __init__(self, models, labels, title):
        super().__init__()
        if not models:
            raise ValueError("models is empty: give at least one, {name: (decoder, codes)}.")
        self._maps = {
            name: _Map(name, decoder, codes, labels, title)
            for name, (decoder, codes) in models.items()
        }

    def _controls(self):
        self._model = self._watch(switch("model", list(self._maps)), self._go_to_start)
        self._watch(self._picture, name="place")
        self._boards = {}
        self._go_to_start()
        return [[self._model]] if len(self._maps) > 1 else []

    def _go_to_start(self):
        """Stand in the middle of the largest gap of the map that is chosen."""
        drawn = self._chosen_board()[0]
        ax = drawn.axes[0]
        with self._picture.hold_trait_notifications():
            self._picture.area = drawn.area(ax)
            self._picture.place = list(drawn.to_place(ax, self._chosen().start))

    def _chosen(self):
        return self._maps[self._model.value]

    def _chosen_board(self):
        name = self._model.value
        if name not in self._boards:
            self._boards[name] = self._maps[name].board()
        return self._boards[name]

    def _draw(self):
        chosen = self._chosen()
        drawn, digit, link, cross, words = self._chosen_board()
        z = drawn.to_data(drawn.axes[0], self._picture.place)
        picture, distance, nearest, gap = chosen.answer(z)
        code, kind = chosen.codes[nearest], chosen.labels[nearest]
        digit.set_data(picture)
        link.set_data(*zip(z, code, strict=True))
        cross.set_data(*z[:, None])
        where = f"in gap {gap}" if gap else "in none of the marked gaps"
        text = f"z = ({z[0]:.2f}, {z[1]:.2f}), {where}\nnearest code: a {kind}, {distance:.2f} away"
        words.set_text(text)
        return drawn.png(), f"{chosen.name}: {text.replace(chr(10), '; ')}. Its decoded picture."

    def _figure(self):
        """Draw all maps side by side, and below each what its gaps and its clusters decode to."""
        maps = list(self._maps.values())
        fig = plt.figure(figsize=(4.7 * len(maps), 5.8))
        axes = fig.subplots(2, len(maps), height_ratios=(5, 1), squeeze=False)
        for (above, below), one in zip(axes.T, maps, strict=True):
            one.draw_on(above)
            places = np.concatenate([one.centres[:3], one.clusters])
            names = [f"gap {i + 1}" for i in range(len(one.centres[:3]))]
            names += ["cluster"] * len(one.clusters)
            plotting.image_grid(one.decode(places), len(places), below, column_labels=names)
            below.tick_params(labelsize=9)
        plt.close(fig)
        names = " and ".join(self._maps)
        return fig, (
            f"Map of the codes of {names}, digits with red circles where no code lies; below, decoded: "
            "three gaps, less clear, and three places inside clusters."
        )
