"""Walk through a plane of codes, and see what the decoder makes of every place."""

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from vae_course import latent, plotting
from vae_course.explorers.codes import check_codes, quick_decoder
from vae_course.explorers.explorer import Board, Explorer, digit_on, switch

GAPS = 6


class _Map:
    """One model's codes with their k-d tree, their gaps, and the decoder."""

    def __init__(self, name, decoder, codes, labels, title, gaps):
        self.codes, self.labels = check_codes(codes, labels, f"codes of {name}")
        if self.codes.shape[1] != 2:
            raise ValueError(
                f"The codes of {name} have {self.codes.shape[1]} numbers, but a map needs 2 for each "
                "image: use a model with latent_dim 2."
            )
        self.name, self.title = name, title
        self.decode = quick_decoder(decoder, 2)
        self.tree = cKDTree(self.codes)
        self.centres, self.radii = np.empty((0, 2)), np.empty(0)
        if gaps:
            self.centres, self.radii = latent.largest_gaps(self.codes, count=gaps)
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

    def scene(self):
        """Draw the map on a board, and return it with the artists that follow the chosen place."""
        board = Board(8.6, 4.9, ncols=2, width_ratios=(5, 3))
        ax, picture = board.axes
        self.draw_on(ax)
        ax.set_autoscale_on(False)
        digit = digit_on(picture)
        picture.set_xlabel("what the decoder draws")
        (link,) = ax.plot([], [], "-", color="black", linewidth=1.5)
        (cross,) = ax.plot([], [], "P", color="black", markersize=13, markeredgecolor="white")
        words = picture.text(0.5, 1.03, "\n\n", ha="center", transform=picture.transAxes)
        board.move(digit, link, cross, words)
        return SimpleNamespace(board=board, ax=ax, digit=digit, link=link, cross=cross, words=words)


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
        self._model = self._watch(switch("model", list(self._maps)), self._go_to_start)
        self._watch(self._picture, name="place")
        self._scenes = {}
        self._go_to_start()
        return [[self._model]] if len(self._maps) > 1 else []

    def _go_to_start(self):
        """Move to the middle of the largest gap of the chosen map."""
        chosen, scene = self._chosen()
        with self._picture.hold_trait_notifications():
            self._picture.area = scene.board.area(scene.ax)
            self._picture.place = list(scene.board.to_place(scene.ax, chosen.start))

    def _chosen(self):
        """Return the chosen map and its scene, which is drawn when it is first needed."""
        name = self._model.value
        if name not in self._scenes:
            self._scenes[name] = self._maps[name].scene()
        return self._maps[name], self._scenes[name]

    def _draw(self):
        chosen, scene = self._chosen()
        z = scene.board.to_data(scene.ax, self._picture.place)
        distance, nearest = chosen.tree.query(z)
        scene.digit.set_data(chosen.decode(z[None])[0])
        scene.link.set_data(*zip(z, chosen.codes[nearest], strict=True))
        scene.cross.set_data(*z[:, None])
        inside = np.flatnonzero(np.linalg.norm(chosen.centres - z, axis=1) < chosen.radii)
        place = f", in gap {inside[0] + 1}" if len(inside) else ", in none of the marked gaps"
        where = f"z = ({z[0]:.2f}, {z[1]:.2f})" + (place if len(chosen.centres) else "")
        near = f"nearest code: a {chosen.labels[nearest]}, {distance:.2f} away"
        scene.words.set_text(f"{where}\n{near}")
        return scene.board.png(), f"{chosen.name}: {where}; {near}. Its decoded picture."

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
