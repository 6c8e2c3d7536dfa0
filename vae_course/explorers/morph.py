"""DigitMorph: drag along a path between two digits, and mix in a third."""

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np

from vae_course import latent, plotting
from vae_course.explorers import board
from vae_course.explorers.controls import choice, switch, whole_slider
from vae_course.explorers.decoding import check_codes, quick_decoder
from vae_course.explorers.explorer import Explorer
from vae_course.explorers.starts import starting_points

FRAMES = 9
WALKS = {"lerp": latent.lerp, "slerp": latent.slerp}


class DigitMorph(Explorer):
    """Turn one digit into another: drag t or press play, along the straight or the round path.

    A third digit can be mixed in. Below the large picture, nine frames of the whole path.

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
        names = list(self._points)
        self._first, self._second = names[min(3, len(names) - 1)], names[min(7, len(names) - 1)]

    def _controls(self):
        names = list(self._points)
        self._start = self._watch(choice("from", names, self._first, "270px"))
        self._end = self._watch(choice("to", names, self._second, "270px"))
        self._third = self._watch(choice("third", names, names[0], "270px"))
        self._walk = self._watch(switch("path", list(WALKS), "80px"))
        self._t = self._watch(whole_slider("t, in %", 0, 100, 50))
        self._weight = self._watch(whole_slider("third, in %", 0, 100, 0))
        play = ipywidgets.Play(50, min=0, max=100, step=4, interval=120, repeat=True)
        # In the browser: to play takes no detour through the kernel.
        self._parts.append(ipywidgets.jslink((play, "value"), (self._t, "value")))
        self._path = None
        self._make_board()
        return [
            [self._start, self._end],
            [self._third, self._weight],
            [self._walk, self._t, play],
        ]

    def _make_board(self):
        self._board = board.Board(8.6, 4.3, nrows=2, height_ratios=(4, 1.2))
        large, strip = self._board.axes
        self._large = board.digit_on(large)
        self._strip = plotting.image_grid(np.zeros((FRAMES, 28, 28)), FRAMES, strip).images[0]
        strip.set_title("the path, t from 0 to 1", fontsize="medium")
        self._mark = strip.add_patch(
            plt.Rectangle((0, -0.5), 28, 28, fill=False, edgecolor="#D55E00", linewidth=3)
        )
        self._head = large.set_title(" ")
        self._board.move(self._large, self._strip, self._mark, self._head)

    def _mixed(self, t):
        """Return the latent vectors at the positions t, an array, for the controls' values."""
        start, end = self._points[self._start.value], self._points[self._end.value]
        share = self._weight.value / 100
        return (1 - share) * WALKS[self._walk.value](start, end, t) + share * self._points[
            self._third.value
        ]

    def _draw(self):
        t, share = self._t.value / 100, self._weight.value / 100
        path = self._start.value, self._end.value, self._walk.value, self._third.value, share
        positions = [t] if path == self._path else [t, *np.linspace(0, 1, FRAMES)]
        pictures = self._decode(self._mixed(np.array(positions)))
        self._large.set_data(pictures[0])
        if path != self._path:
            self._strip.set_data(plotting.tile(pictures[1:], FRAMES))
            self._path = path
        self._mark.set_x(28 * round(t * (FRAMES - 1)) - 0.5)
        if self._walk.value == "lerp":
            weights = f"{(1 - share) * (1 - t):.2f} from + {(1 - share) * t:.2f} to"
        else:
            weights = f"{1 - share:.2f} place on the arc"
        head = f"t = {t:.2f}, {self._walk.value}: {weights} + {share:.2f} third"
        self._head.set_text(head)
        return self._board.png(), (
            f"Decoded, from the {self._start.value} to the {self._end.value}, third the "
            f"{self._third.value}; {head}."
        )

    def _figure(self):
        names = self._first, self._second
        t = np.linspace(0, 1, FRAMES)
        ends = [self._points[name] for name in names]
        third = next((name for name in self._points if name not in names), names[0])
        rows = [walk(*ends, t) for walk in WALKS.values()]
        rows.append(0.5 * rows[0] + 0.5 * self._points[third])
        fig, ax = plt.subplots(figsize=(8.6, 3.2))
        plotting.image_grid(
            self._decode(np.concatenate(rows)),
            FRAMES,
            ax,
            row_labels=[*WALKS, f"half lerp, half\n{third}"],
            column_labels=[f"{value:.3g}" for value in t],
        )
        ax.set_title(f"t, from the {names[0]} to the {names[1]}")
        plt.close(fig)
        return fig, (
            f"Three rows of {FRAMES} pictures from one digit to another: straight, round, and the straight "
            f"one mixed half and half with the {third}."
        )
