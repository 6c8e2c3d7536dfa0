"""Pictures that are drawn once, and then only updated."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

DPI = 80


class Board:
    """A figure of which some artists move: all else is drawn once and kept as pixels.

    The figure is not one of pyplot's, so nothing is left behind when the board is let go.

    Args:
        width: In inches, of 80 pixels each.
        height: In inches.
        engine: Who lays the axes out: "constrained", or "none" where `gridspec_kw` says where they are. That
            takes no measuring, so it is quicker.
        **layout: Passed to `Figure.subplots`, `width_ratios` for example.
    """

    def __init__(self, width, height, engine="constrained", **layout):
        self.fig = Figure(figsize=(width, height), dpi=DPI, layout=engine)
        self.canvas = FigureCanvasAgg(self.fig)
        self.axes = np.atleast_1d(self.fig.subplots(**layout)).ravel()
        self.moving = []
        self._still = None

    def move(self, *artists):
        """Let these artists be drawn anew in each picture, in this order, above all that stands still.

        Returns:
            The artist, or the list of artists if there are several.
        """
        for artist in artists:
            artist.set_animated(True)
        self.moving += artists
        return artists[0] if len(artists) == 1 else list(artists)

    def settle(self):
        """Lay the figure out and keep what stands still; later pictures only add what moves."""
        if self._still is None:
            self.canvas.draw()
            self.fig.set_layout_engine("none")
            self._still = self.canvas.copy_from_bbox(self.fig.bbox)

    def unsettle(self):
        """Let the next picture draw everything anew: limits of axes have changed, for example."""
        self._still = None

    def png(self):
        """Return the picture of this moment, PNG as bytes."""
        self.settle()
        self.canvas.restore_region(self._still)
        for artist in self.moving:
            self.fig.draw_artist(artist)
        return encode(np.asarray(self.canvas.buffer_rgba())[..., :3])

    def area(self, ax):
        """Tell where axes lie in the picture.

        Returns:
            Left, top, right and bottom as shares of the picture's width and height, from the top left.
        """
        self.settle()
        box = ax.get_position()
        return [box.x0, 1 - box.y1, box.x1, 1 - box.y0]

    def to_data(self, ax, place):
        """Turn a place in the picture, shares from the top left, into data coordinates of axes."""
        self.settle()
        width, height = self.canvas.get_width_height()
        return ax.transData.inverted().transform([place[0] * width, (1 - place[1]) * height])

    def to_place(self, ax, point):
        """Turn data coordinates of axes into a place in the picture, shares from the top left."""
        self.settle()
        width, height = self.canvas.get_width_height()
        x, y = ax.transData.transform(point)
        return x / width, 1 - y / height


def encode(pixels):
    """Return pixels `(height, width, 3)`, whole numbers from 0 to 255, as a PNG: fast before small."""
    packed = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(packed, "PNG", compress_level=1)
    return packed.getvalue()


def digit_on(ax, title=""):
    """Let axes show one digit, ink black.

    Returns:
        The image, to be given pictures of shape `(28, 28)` with `set_data`.
    """
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    return ax.imshow(np.zeros((28, 28)), cmap="gray_r", vmin=0, vmax=1)
