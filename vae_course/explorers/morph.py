"""Drag along a path between two digits, and mix in a third."""

import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import Dropdown, IntSlider, Play, ToggleButtons, jslink

from vae_course import latent, plotting
from vae_course.explorers.codes import CodesExplorer
from vae_course.explorers.explorer import board, digit_on

FRAMES = 9
WALKS = {"lerp": latent.lerp, "slerp": latent.slerp}


class DigitMorph(CodesExplorer):
    """Turn one digit into another along the straight or the round path: drag t or press play.

    A third digit can be mixed in. Nine frames of the whole path are shown below the large picture.

    Args:
        decoder: Keras model from latent vectors to images.
        codes: Latent vectors of test images, shape `(n, latent_dim)`.
        labels: Their digits, shape `(n,)`.

    Raises:
        ValueError: If codes or labels are empty, not finite or do not match, or the decoder takes vectors
            of another size.

    Source: lecture, slide "What can we do with it?".
    """

    def _controls(self):
        names, first, second, third = self._names, self._first, self._second, self._third
        self._start, self._end, self._mixed = (
            self._control(Dropdown, what, "270px", options=names, value=name)
            for what, name in (("from", first), ("to", second), ("third", third))
        )
        self._walk = self._control(ToggleButtons, "path", "80px", options=list(WALKS))
        self._t = self._control(IntSlider, "t, in %", max=100, value=50)
        self._weight = self._control(IntSlider, "third, in %", max=100)
        play = Play(50, min=0, max=100, step=4, interval=120, repeat=True)
        # Linked in the browser, so that playing takes no detour through the kernel.
        jslink((play, "value"), (self._t, "value"))
        self._fig, (large, strip) = board(8.6, 4.3, nrows=2, height_ratios=(4, 1.2))
        self._large, self._head = digit_on(large), large.set_title(" ")
        self._strip = plotting.image_grid(np.zeros((FRAMES, 28, 28)), FRAMES, strip).images[0]
        strip.set_title("the path, t from 0 to 1", fontsize="medium")
        frame = plt.Rectangle((0, -0.5), 28, 28, fill=False, edgecolor="#D55E00", linewidth=3)
        self._mark = strip.add_patch(frame)
        return [[self._start, self._end], [self._mixed, self._weight], [self._walk, self._t, play]]

    def _draw(self):
        t, share = self._t.value / 100, self._weight.value / 100
        controls = self._start, self._end, self._mixed, self._walk
        start, end, third, walk = (control.value for control in controls)
        positions = np.array([t, *np.linspace(0, 1, FRAMES)])
        between = WALKS[walk](self._points[start], self._points[end], positions)
        pictures = self._decode((1 - share) * between + share * self._points[third])
        self._large.set_data(pictures[0])
        self._strip.set_data(plotting.tile(pictures[1:], FRAMES))
        self._mark.set_x(28 * round(t * (FRAMES - 1)) - 0.5)
        weights = f"{1 - share:.2f} place on the arc"
        if walk == "lerp":
            weights = f"{(1 - share) * (1 - t):.2f} from + {(1 - share) * t:.2f} to"
        head = f"t = {t:.2f}, {walk}: {weights} + {share:.2f} third"
        self._head.set_text(head)
        return f"Decoded, from the {start} to the {end}, third the {third}; {head}."

    def _figure(self):
        start, end = self._first, self._second
        third = next((name for name in self._names if name not in (start, end)), start)
        t = np.linspace(0, 1, FRAMES)
        rows = [walk(self._points[start], self._points[end], t) for walk in WALKS.values()]
        rows.append(0.5 * rows[0] + 0.5 * self._points[third])
        fig, ax = plt.subplots(figsize=(8.6, 3.2))
        plotting.image_grid(
            self._decode(np.concatenate(rows)),
            FRAMES,
            ax,
            row_labels=[*WALKS, f"half lerp, half\n{third}"],
            column_labels=[f"{value:.3g}" for value in t],
        )
        ax.set_title(f"t, from the {start} to the {end}")
        return fig, (
            f"Three rows of {FRAMES} pictures from one digit to another: straight, round, and the straight "
            f"one mixed half and half with the {third}."
        )
