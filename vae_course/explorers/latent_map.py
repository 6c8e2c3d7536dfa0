"""Walk through a plane of codes, and see what the decoder makes of every place."""

import contextlib

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial import cKDTree

from vae_course import latent, plotting
from vae_course.explorers import networks
from vae_course.explorers.codes import check_codes, check_decoder, corners, decode, look
from vae_course.explorers.explorer import Explorer

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
        self.decoder = check_decoder(decoder, 2)
        self.tree = cKDTree(self.codes)
        self.centres, self.radii = np.empty((0, 2)), np.empty(0)
        if gaps:
            with contextlib.suppress(ValueError):  # too few codes, or all on one line
                self.centres, self.radii = latent.largest_gaps(self.codes, count=gaps)
        self.start = self.centres[0] if len(self.centres) else self.codes[0]

    def clusters(self, count=3):
        """Return, for some digits, the code with the most neighbours of the same digit."""
        near = self.labels[self.tree.query(self.codes, k=min(11, len(self.codes)))[1]]
        own = (near == self.labels[:, None]).mean(axis=1)
        digits = np.unique(self.labels)
        best = np.array([np.where(self.labels == digit, own, -1).argmax() for digit in digits])
        return self.codes[best[np.argsort(-own[best], kind="stable")][:count]]

    def corners(self):
        """Return the lower left and the upper right corner of what the map shows."""
        reach = self.radii[:, None]
        shown = self.codes[: plotting.MOST_POINTS]
        return corners(shown, self.centres - reach, self.centres + reach)

    def draw_on(self, ax):
        plotting.circles(self.centres, self.radii, plotting.latent_map(self.codes, self.labels, ax))
        (left, bottom), (right, top) = self.corners()
        ax.set(xlim=(left, right), ylim=(bottom, top), title=f"{self.name}: {self.title}")

    def state(self):
        """Return what the browser draws this map from."""
        low, high = self.corners()
        arrays = {"codes": self.codes, "centres": self.centres, "radii": self.radii}
        arrays |= {"low": low, "high": high, "start": self.start}
        packed = {name: networks.array(values) for name, values in arrays.items()}
        return {"name": self.name, "decoder": networks.network(self.decoder), **packed}


class LatentMap(Explorer):
    """A map of two-dimensional codes: click, drag or step to a place, and see it decoded.

    Red circles are the largest gaps, where these are asked for. A line leads from the chosen place to the
    nearest code.

    Args:
        models: Dictionary from name to `(decoder, codes)`; codes have shape `(n, 2)`. With several models,
            buttons switch between their maps.
        labels: Digit, or name of the class, of each code, shape `(n,)`.
        title: What the codes are, such as "codes of the test images, MNIST".
        gaps: How many of the largest gaps to mark, 0 for none; codes on one line have none.
        light: Whether 0 is black and 1 is white, as in photographs, and not paper and ink.

    Raises:
        ValueError: If there is no model, or one has codes that are not `(n, 2)`, finite and labelled, or
            a decoder of another size.

    Source: lecture, slide "Problems with standard autoencoders".
    """

    def __init__(self, models, labels, title, gaps=GAPS, light=False):
        self._light = light
        if not models:
            raise ValueError("models is empty: give at least one, {name: (decoder, codes)}.")
        self._maps = {
            name: _Map(name, *model, labels, title, gaps) for name, model in models.items()
        }

    def _state(self):
        maps = list(self._maps.values())
        labels, names, marks = maps[0].labels, None, None
        if labels.dtype.kind == "U":
            marks = plotting.class_marks(labels)
            names = [f"{mark} {name}" if name else "a picture" for name, mark in marks.items()]
            labels = np.unique(labels, return_inverse=True)[1]
        return {
            "title": maps[0].title,
            "labels": networks.array(labels, "uint8"),
            "names": names,
            "marks": marks and list(marks.values()),
            "look": look(maps[0].decoder, self._light),
            "models": [one.state() for one in maps],
        }

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
            pictures = decode(one.decoder, np.concatenate([gaps, clusters]))
            plotting.image_grid(pictures, len(names), below, column_labels=names, light=self._light)
            below.tick_params(labelsize=9)
        text = f"Map of the codes of {' and '.join(self._maps)}, digits"
        if not any(len(one.centres) for one in maps):
            return fig, f"{text}; below, decoded: places inside clusters."
        return fig, (
            f"{text} with red circles where no code lies; "
            "below, decoded: three gaps, less clear, and three places inside clusters."
        )
