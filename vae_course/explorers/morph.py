"""Drag along a path between two digits, and mix in a third."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent, plotting
from vae_course.explorers import networks
from vae_course.explorers.codes import check_codes, check_decoder, decode, look, starting_points
from vae_course.explorers.explorer import Explorer

FRAMES = 9
WALKS = {"lerp": latent.lerp, "slerp": latent.slerp}


class DigitMorph(Explorer):
    """Turn one digit into another along the straight or the curved path: drag t or press play.

    A third digit can be mixed in. Nine frames of the whole path are shown below the large picture.

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
        return names, names[min(3, len(names) - 1)], names[min(7, len(names) - 1)], names[0]

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
        t = np.linspace(0, 1, FRAMES)
        rows = [walk(self._points[start], self._points[end], t) for walk in WALKS.values()]
        rows.append(0.5 * rows[0] + 0.5 * self._points[third])
        fig, ax = plt.subplots(figsize=(8.6, 3.2))
        plotting.image_grid(
            decode(self._decoder, np.concatenate(rows)),
            FRAMES,
            ax,
            row_labels=[*WALKS, f"half lerp, half\n{third}"],
            column_labels=[f"{value:.3g}" for value in t],
            light=self._light,
        )
        ax.set_title(f"t, from the {start} to the {end}")
        return fig, (
            f"Three rows of {FRAMES} pictures from one digit to another: straight, round, and the straight "
            f"one mixed half and half with the {third}."
        )
