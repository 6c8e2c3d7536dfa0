"""Drag along a path between two digits, and mix in a third."""

import contextlib

import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent, plotting
from vae_course.explorers import networks
from vae_course.explorers.codes import check_codes, check_decoder, decode, look, starting_points
from vae_course.explorers.explorer import Explorer

FRAMES = 9


class DigitMorph(Explorer):
    """Turn one digit into another along the straight or the curved path: drag t or press play.

    A third digit can be mixed in. Nine frames of the whole path are shown below the large picture. Codes of
    one dimension have no curved path, nor have a zero vector and opposite ones.

    Args:
        decoder: Keras model from latent vectors to images.
        codes: Latent vectors of test images, shape `(n, latent_dim)`.
        labels: Their digits, or names of classes, shape `(n,)`.
        light: Whether 0 is black and 1 is white, as in photographs, and not paper and ink.

    Raises:
        ValueError: If codes or labels are empty, not finite or do not match, or the decoder takes vectors
            of another size.

    Source: lecture, slide "What can we do with it?".
    """

    def __init__(self, decoder, codes, labels, light=False):
        self._light = light
        codes, labels = check_codes(codes, labels)
        self._points = starting_points(codes, labels)
        self._decoder = check_decoder(decoder, codes.shape[1])

    def _names(self):
        """Return all names, and the initial start, end and third: 3, 7 and 0 if all digits are there."""
        names = list(self._points)
        last = len(names) - 1
        return names, names[max(0, min(3, last - 1))], names[min(7, last)], names[0]

    def _state(self):
        names, *chosen = self._names()
        return {
            "names": names,
            "points": networks.array(np.array(list(self._points.values()))),
            "chosen": chosen,
            "decoder": networks.network(self._decoder),
            "look": look(self._decoder, self._light),
        }

    def _figure(self):
        names, start, end, _ = self._names()
        third = next((name for name in names if name not in (start, end)), start)
        path = self._points[start], self._points[end], np.linspace(0, 1, FRAMES)
        rows = {"lerp": latent.lerp(*path)}
        with contextlib.suppress(ValueError):  # there is no arc
            rows["slerp"] = latent.slerp(*path)
        count, kinds = ("Three", "straight, round") if "slerp" in rows else ("Two", "straight")
        rows[f"half lerp, half\n{third}"] = 0.5 * rows["lerp"] + 0.5 * self._points[third]
        fig, ax = plt.subplots(figsize=(8.6, 3.2))
        plotting.image_grid(
            decode(self._decoder, np.concatenate(list(rows.values()))),
            FRAMES,
            ax,
            row_labels=list(rows),
            column_labels=[f"{value:.3g}" for value in path[-1]],
            light=self._light,
        )
        ax.set_title(f"t, from the {start} to the {end}")
        return fig, (
            f"{count} rows of {FRAMES} pictures from one digit to another: {kinds}, and the straight "
            f"one mixed half and half with the {third}."
        )
