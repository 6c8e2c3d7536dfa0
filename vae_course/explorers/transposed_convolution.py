"""Step through the input of a transposed convolution, and watch each value stamp the kernel."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course.explorers.explorer import Board, Explorer, choice, switch, whole_slider


def stamps(values, kernel, stride, padding):
    """Build up a transposed convolution, stamp by stamp.

    Args:
        values: Input, shape `(i, i)`.
        kernel: Shape `(k, k)`.
        stride: Pixels between neighbouring stamps, 1 or more.
        padding: "valid", or "same", which crops the output to side `i * stride`.

    Returns:
        The output after 0, 1, ... stamps, shape `(i * i + 1, o, o)`, and the corner of each stamp in it,
        `(i * i, 2)`; with "same" a corner may lie outside, at negative rows or columns.

    Source: lecture, slides on deconvolution; sizes as in Keras' `Conv2DTranspose`.
    """
    i, k = len(values), len(kernel)
    size = (i - 1) * stride + max(k, stride)
    corners = stride * np.argwhere(np.ones((i, i)))  # (i * i, 2), row by row
    added = np.zeros((i * i + 1, size, size))
    for stamp, value, (a, b) in zip(added[1:], values.flat, corners, strict=True):
        stamp[a : a + k, b : b + k] = value * kernel
    cut, o = (max(k - stride, 0) // 2, i * stride) if padding == "same" else (0, size)
    return added.cumsum(axis=0)[:, cut : cut + o, cut : cut + o], corners - cut


def size_in_words(i, k, stride, padding):
    """Return the formula for the output's side, with numbers."""
    if padding == "same":
        return f"o = i s = {i}·{stride} = {i * stride}"
    o = (i - 1) * stride + max(k, stride)
    return f"o = (i − 1) s + max(k, s) = ({i} − 1)·{stride} + {max(k, stride)} = {o}"


class _Grid:
    """A square of numbers on axes, coloured by value with zeros blank, and a movable frame."""

    def __init__(self, ax, side, largest, title=""):
        top = 1.8 * largest  # light enough to read the numbers
        zeros = np.zeros((side, side))
        self.squares = ax.pcolormesh(
            zeros, cmap="Blues", vmin=0, vmax=top, edgecolors="0.6", linewidth=0.5
        )
        look = {"ha": "center", "va": "center", "size": 12 if side <= 5 else 10 if side <= 8 else 8}
        self.texts = [ax.text(b + 0.5, a + 0.5, "", **look) for a, b in np.ndindex(side, side)]
        self.frame = ax.add_patch(plt.Rectangle((0, 0), 1, 1, fill=False, ec="#D55E00", lw=3))
        self.artists = [self.squares, *self.texts, self.frame]
        ax.set(title=title, xticks=[], yticks=[], aspect="equal")
        ax.margins(0.01)  # room for the frame
        ax.invert_yaxis()
        ax.spines[:].set_visible(False)

    def put(self, values, corner=None, side=1):
        self.squares.set_array(values)
        for text, value in zip(self.texts, values.flat, strict=True):
            text.set_text(f"{value:g}" if value else "")
        self.frame.set_visible(corner is not None)
        if corner is not None:
            self.frame.set_bounds(corner[1], corner[0], side, side)


class TransposedConvolutionExplorer(Explorer):
    """Step through an input of any size, and watch each value stamp its scaled kernel into the output.

    Input and kernel both hold 1, 2, 3, ..., as in lesson 4. The orange frames mark the current value and its
    stamp in the output.

    Source: lecture, slides on deconvolution.
    """

    def _controls(self):
        self._step = self._watch(whole_slider("stamps", 0, 4, 2))
        self._side, self._kernel, self._stride = sizes = [
            self._watch(choice(name, options, value, "170px"), self._resize)
            for name, options, value in (
                ("input side", [2, 3, 4], 2),
                ("kernel side", [2, 3, 4], 3),
                ("stride", [1, 2, 3], 1),
            )
        ]
        self._padding = self._watch(switch("padding", ["valid", "same"], "80px"), self._resize)
        self._resize()
        return [[self._step, self._padding], sizes]

    def _resize(self):
        """Draw a new board, because another size or stride has other squares."""
        i, k, stride = self._side.value, self._kernel.value, self._stride.value
        self._values, self._weights = _counted(i), _counted(k)
        self._states, self._corners = stamps(
            self._values, self._weights, stride, self._padding.value
        )
        self._size = size_in_words(i, k, stride, self._padding.value)
        largest = max(self._states.max(), self._weights.max() * self._values.max())
        places = {"left": 0.01, "right": 0.99, "bottom": 0.09, "top": 0.93, "wspace": 0.08}
        board = Board(8.6, 4.2, engine="none", ncols=3, width_ratios=(2, 2, 4), gridspec_kw=places)
        given, scaled, output = board.axes
        o = len(self._states[0])
        self._grids = [
            _Grid(given, i, i * i, "input"),
            _Grid(scaled, k, largest),
            _Grid(output, o, largest, f"output, {o} x {o}"),
        ]
        self._head = scaled.set_title(" ")
        board.fig.supxlabel(self._size)
        board.move(*(artist for grid in self._grids for artist in grid.artists), self._head)
        self._board = board
        self._step.max = i * i

    def _draw(self):
        step = self._step.value
        place = divmod(step - 1, len(self._values)) if step else None
        value = self._values[place] if step else 0
        given, scaled, output = self._grids
        given.put(self._values, place)
        scaled.put(value * self._weights)
        corner = self._corners[step - 1] if step else None
        output.put(self._states[step], corner, len(self._weights))
        self._head.set_text(f"{value:g} x kernel" if step else "no stamp yet")
        return self._board.png(), (
            f"Output after {step} of {self._values.size} stamps, the last one {value:g} times the kernel; "
            f"{self._size}."
        )

    def _figure(self):
        fig, axes = plt.subplots(2, 4, figsize=(10, 5.6))
        for row, stride in zip(axes, (1, 2), strict=True):
            states, corners = stamps(_counted(2), _counted(3), stride, "valid")
            for ax, value, state, corner in zip(
                row, (1, 2, 3, 4), states[1:], corners, strict=True
            ):
                grid = _Grid(ax, len(state), states.max(), f"+ {value} x kernel")
                grid.put(state, corner, 3)
            row[0].set_ylabel(f"stride {stride}")
        return fig, (
            "Two rows of four squares: stamp by stamp the kernel is added, framed, to the output, 4 x 4 "
            "with stride 1 and 5 x 5 with stride 2."
        )


def _counted(side):
    return np.arange(1.0, side * side + 1).reshape(side, side)
