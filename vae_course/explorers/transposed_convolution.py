"""Step through the input of a transposed convolution, and watch each value stamp the kernel."""

import matplotlib.pyplot as plt
import numpy as np

from vae_course import plotting
from vae_course.explorers.explorer import Explorer

FRAME = {"fill": False, "edgecolor": "#D55E00", "linewidth": 3, "clip_on": False}


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


class TransposedConvolutionExplorer(Explorer):
    """Step through an input of any size, and watch each value stamp its scaled kernel into the output.

    Input and kernel both hold 1, 2, 3, ..., as in lesson 4. The orange frames mark the current value and its
    stamp in the output.

    Source: lecture, slides on deconvolution.
    """

    def _state(self):
        return {}

    def _figure(self):
        fig, axes = plt.subplots(2, 4, figsize=(10, 5.6))
        for row, stride in zip(axes, (1, 2), strict=True):
            states, corners = stamps(_counted(2), _counted(3), stride, "valid")
            steps = zip(row, (1, 2, 3, 4), states[1:], corners, strict=True)
            for ax, value, state, corner in steps:
                plotting.number_grid(state, ax, largest=states.max())
                ax.add_patch(plt.Rectangle(corner[::-1] - 0.5, 3, 3, **FRAME))
                ax.set_title(f"+ {value} x kernel")
            row[0].set_ylabel(f"stride {stride}")
        return fig, (
            "Two rows of four squares: stamp by stamp the kernel is added, framed, to the output, 4 x 4 "
            "with stride 1 and 5 x 5 with stride 2."
        )


def _counted(side):
    return np.arange(1.0, side * side + 1).reshape(side, side)
