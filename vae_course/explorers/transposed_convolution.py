"""Step through the input of a transposed convolution, and watch each value stamp the kernel."""

import matplotlib.pyplot as plt
import numpy as np
from ipywidgets import Dropdown, IntSlider, ToggleButtons

from vae_course import plotting
from vae_course.explorers.explorer import Explorer, board


def stamps(values, kernel, stride, padding):
    """Build up a transposed convolution of values `(i, i)` by a kernel `(k, k)`, stamp by stamp.

    Returns the output after 0, 1, ... stamps, `(i * i + 1, o, o)`, and the corner of each stamp in it,
    `(i * i, 2)`; "same" crops the output to side `i * stride`, and a corner may then lie outside, at
    negative rows or columns. Source: lecture, slides on deconvolution; sizes as in Keras.
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


def _show(ax, values, largest, title, corner=None, side=1):
    """Draw a square of numbers with a frame, if there is a corner for it."""
    ax.clear()
    plotting.number_grid(values, ax, largest=largest).set_title(title)
    if corner is not None:
        place = np.array([corner[1], corner[0]]) - 0.5
        look = {"fill": False, "edgecolor": "#D55E00", "linewidth": 3, "clip_on": False}
        ax.add_patch(plt.Rectangle(place, side, side, **look))


class TransposedConvolutionExplorer(Explorer):
    """Step through an input of any size, and watch each value stamp its scaled kernel into the output.

    Input and kernel both hold 1, 2, 3, ..., as in lesson 4. The orange frames mark the current value and its
    stamp in the output.

    Source: lecture, slides on deconvolution.
    """

    def _controls(self):
        self._step = self._control(IntSlider, "stamps", max=4, value=2)
        self._side, self._kernel, self._stride = sizes = [
            self._control(Dropdown, name, "170px", options=options, value=value)
            for name, options, value in (
                ("input side", [2, 3, 4], 2),
                ("kernel side", [2, 3, 4], 3),
                ("stride", [1, 2, 3], 1),
            )
        ]
        self._padding = self._control(ToggleButtons, "padding", "80px", options=["valid", "same"])
        self._fig, self._axes = board(8.6, 4.2, ncols=3, width_ratios=(2, 2, 4))
        return [[self._step, self._padding], sizes]

    def _draw(self):
        i, k, stride = self._side.value, self._kernel.value, self._stride.value
        values, kernel = _counted(i), _counted(k)
        states, corners = stamps(values, kernel, stride, self._padding.value)
        self._step.max = i * i
        step = self._step.value
        value = values.flat[step - 1] if step else 0
        place, corner = (divmod(step - 1, i), corners[step - 1]) if step else (None, None)
        given, scaled, output = self._axes
        largest, o = max(states.max(), i * i * k * k), len(states[0])
        _show(given, values, i * i, "input", place)
        _show(scaled, value * kernel, largest, f"{value:g} x kernel" if step else "no stamp yet")
        _show(output, states[step], largest, f"output, {o} x {o}", corner, k)
        size = size_in_words(i, k, stride, self._padding.value)
        self._fig.supxlabel(size)
        return f"Output after {step} of {i * i} stamps, the last one {value:g} times the kernel; {size}."

    def _figure(self):
        fig, axes = plt.subplots(2, 4, figsize=(10, 5.6))
        for row, stride in zip(axes, (1, 2), strict=True):
            states, corners = stamps(_counted(2), _counted(3), stride, "valid")
            for ax, value, state, corner in zip(
                row, (1, 2, 3, 4), states[1:], corners, strict=True
            ):
                _show(ax, state, states.max(), f"+ {value} x kernel", corner, 3)
            row[0].set_ylabel(f"stride {stride}")
        return fig, (
            "Two rows of four squares: stamp by stamp the kernel is added, framed, to the output, 4 x 4 "
            "with stride 1 and 5 x 5 with stride 2."
        )


def _counted(side):
    return np.arange(1.0, side * side + 1).reshape(side, side)
