"""Drag along a path between two digits, and mix in a third."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent, plotting
from vae_course.explorers.codes import check_codes, quick_decoder, starting_points
from vae_course.explorers.explorer import Board, Explorer, choice, digit_on, switch, whole_slider

FRAMES = 9
WALKS = {"lerp": latent.lerp, "slerp": latent.slerp}


class DigitMorph(Explorer):
    """Turn one digit into another along the straight or the curved path: drag t or press play.

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

    def __init__(self, decoder, codes, labels):
        super().__init__()
        codes, labels = check_codes(codes, labels)
        self._points = starting_points(codes, labels)
        self._decode = quick_decoder(decoder, codes.shape[1])

    def _names(self):
        """Return all names, and the initial start, end and third: 3, 7 and 0 if all digits are there."""
        names = list(self._points)
        return names, names[min(3, len(names) - 1)], names[min(7, len(names) - 1)], names[0]

    def _controls(self):
        names, *chosen = self._names()
        self._start, self._end, self._third = (
            self._watch(choice(what, names, name))
            for what, name in zip(("from", "to", "third"), chosen, strict=True)
        )
        self._walk = self._watch(switch("path", list(WALKS), "80px"))
        self._t = self._watch(whole_slider("t, in %", 0, 100, 50))
        self._weight = self._watch(whole_slider("third, in %", 0, 100, 0))
        play = ipywidgets.Play(50, min=0, max=100, step=4, interval=120, repeat=True)
        # Linked in the browser, so that playing takes no detour through the kernel.
        self._parts.append(ipywidgets.jslink((play, "value"), (self._t, "value")))
        self._path = None
        self._make_board()
        return [[self._start, self._end], [self._third, self._weight], [self._walk, self._t, play]]

    def _make_board(self):
        self._board = Board(8.6, 4.3, nrows=2, height_ratios=(4, 1.2))
        large, strip = self._board.axes
        self._large, self._head = digit_on(large), large.set_title(" ")
        self._strip = plotting.image_grid(np.zeros((FRAMES, 28, 28)), FRAMES, strip).images[0]
        strip.set_title("the path, t from 0 to 1", fontsize="medium")
        frame = plt.Rectangle((0, -0.5), 28, 28, fill=False, edgecolor="#D55E00", linewidth=3)
        self._mark = strip.add_patch(frame)
        self._board.move(self._large, self._strip, self._mark, self._head)

    def _draw(self):
        t, share = self._t.value / 100, self._weight.value / 100
        start, end, third, walk = path = [
            control.value for control in (self._start, self._end, self._third, self._walk)
        ]
        new = self._path != (path, share)
        positions = np.array([t, *(np.linspace(0, 1, FRAMES) if new else [])])
        between = WALKS[walk](self._points[start], self._points[end], positions)
        pictures = self._decode((1 - share) * between + share * self._points[third])
        self._large.set_data(pictures[0])
        if new:
            self._strip.set_data(plotting.tile(pictures[1:], FRAMES))
            self._path = path, share
        self._mark.set_x(28 * round(t * (FRAMES - 1)) - 0.5)
        weights = f"{1 - share:.2f} place on the arc"
        if walk == "lerp":
            weights = f"{(1 - share) * (1 - t):.2f} from + {(1 - share) * t:.2f} to"
        head = f"t = {t:.2f}, {walk}: {weights} + {share:.2f} third"
        self._head.set_text(head)
        return (
            self._board.png(),
            f"Decoded, from the {start} to the {end}, third the {third}; {head}.",
        )

    def _figure(self):
        names, start, end, _ = self._names()
        third = next((name for name in names if name not in (start, end)), start)
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
