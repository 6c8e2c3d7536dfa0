"""Build explorers from a picture and its controls, live in JupyterLab and a still figure elsewhere."""

import html
import io
import threading
from pathlib import Path

import anywidget
import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import traitlets
from IPython import get_ipython
from IPython.display import display
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from vae_course import plotting

DPI = 80
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_shown = {}  # cell -> (its latest run, the explorers that this run has shown)


class Picture(anywidget.AnyWidget):
    """A picture in the browser with alternative text, in which a point can be chosen."""

    _esm = Path(__file__).with_name("picture.js")
    _css = Path(__file__).with_name("picture.css")
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    area = traitlets.List().tag(sync=True)  # where a point can be chosen: left, top, right, bottom
    place = traitlets.List([0.5, 0.5]).tag(sync=True)  # the point, as fractions from the top left
    hint = traitlets.Unicode().tag(sync=True)


def slider(name, low, high, value, step=0.01):
    """Return a slider for a real number, shown with two decimals."""
    return ipywidgets.FloatSlider(
        value, min=low, max=high, step=step, readout_format=".2f", **_named(name, "340px")
    )


def whole_slider(name, low, high, value):
    """Return a slider for a whole number."""
    return ipywidgets.IntSlider(value, min=low, max=high, **_named(name, "340px"))


def choice(name, options, value, width="270px"):
    """Return a drop-down list of values, one of them selected."""
    return ipywidgets.Dropdown(options=options, value=value, **_named(name, width))


def switch(name, options, width="110px"):
    """Return a row of buttons, each of this width, with the first one pressed."""
    return ipywidgets.ToggleButtons(options=options, **_named(name, "auto", button_width=width))


def _named(name, width, **style):
    style["description_width"] = "90px"
    layout = ipywidgets.Layout(width=width)
    return {"description": name, "tooltip": name, "layout": layout, "style": style}


class Board:
    """A figure in which some artists move, while everything else is drawn once and kept as pixels.

    The figure is not managed by pyplot, so it disappears along with the board.

    Args:
        width: In inches, 80 pixels each.
        height: In inches.
        engine: Layout engine: "constrained", or "none" if `gridspec_kw` places the axes, which is faster.
        **layout: Passed to `Figure.subplots`, for example `width_ratios`.
    """

    def __init__(self, width, height, engine="constrained", **layout):
        self.fig = Figure(figsize=(width, height), dpi=DPI, layout=engine)
        self.canvas = FigureCanvasAgg(self.fig)
        self.axes = np.atleast_1d(self.fig.subplots(**layout)).ravel()
        self.moving = []
        self._still = None

    def move(self, *artists):
        """Redraw these artists in each picture, in this order, above everything that does not move."""
        for artist in artists:
            artist.set_animated(True)
        self.moving += artists

    def settle(self):
        """Lay out the figure and keep what does not move; later pictures only add what moves."""
        if self._still is None:
            self.canvas.draw()
            self.fig.set_layout_engine("none")
            self._still = self.canvas.copy_from_bbox(self.fig.bbox)

    def unsettle(self):
        """Make the next picture redraw everything, for example because axis limits have changed."""
        self._still = None

    def png(self):
        """Return the current picture as a PNG, with fast rather than strong compression."""
        self.settle()
        self.canvas.restore_region(self._still)
        for artist in self.moving:
            self.fig.draw_artist(artist)
        packed = io.BytesIO()
        pixels = np.ascontiguousarray(np.asarray(self.canvas.buffer_rgba())[..., :3])
        Image.fromarray(pixels).save(packed, "PNG", compress_level=1)
        return packed.getvalue()

    def area(self, ax):
        """Return the left, top, right and bottom of axes as fractions of the picture, from the top left."""
        self.settle()
        box = ax.get_position()
        return [box.x0, 1 - box.y1, box.x1, 1 - box.y0]

    def to_data(self, ax, place):
        """Turn a place in the picture, as fractions from the top left, into data coordinates of axes."""
        self.settle()
        x, y = place
        return (self.fig.transFigure - ax.transData).transform((x, 1 - y))

    def to_place(self, ax, point):
        """Turn data coordinates of axes into a place in the picture, as fractions from the top left."""
        self.settle()
        x, y = (ax.transData - self.fig.transFigure).transform(point)
        return x, 1 - y


def digit_on(ax, title=""):
    """Show one digit in axes, with black ink; return the image, whose `set_data` takes `(28, 28)`."""
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    return ax.imshow(np.zeros((28, 28)), cmap="gray_r", vmin=0, vmax=1)


class Explorer:
    """A picture with controls, live in JupyterLab and a still figure elsewhere.

    A subclass creates its controls in `_controls`, draws in `_draw`, and has a `_figure` for places without
    widgets. All of its state is in its controls.
    """

    hint = ""

    def __init__(self):
        self._widget = None
        self._parts = []  # widgets to close, whether the explorer shows them or not
        self._busy = False
        # One thread may respond to a drag while another runs a cell.
        self._lock = threading.RLock()

    def _controls(self):
        """Return the rows of controls, each a list of widgets."""
        raise NotImplementedError

    def _draw(self):
        """Return the picture for the controls' values as PNG bytes, and a description of it."""
        raise NotImplementedError

    def _figure(self):
        """Return a pyplot figure that makes the explorer's point without controls, and its description."""
        raise NotImplementedError

    def widget(self):
        """Return the live explorer as one ipywidgets widget; always the same one."""
        if self._widget is None:
            self._lasting = {*vars(self), "_lasting"}  # what exists without a widget
            self._picture = Picture(hint=self.hint)
            self._error = ipywidgets.HTML(layout={"display": "none"})
            self._busy = True  # draw nothing while the controls are created
            wrapped = {"layout": {"flex_flow": "row wrap"}}
            rows = [ipywidgets.HBox(row, **wrapped) for row in self._controls()]
            self._widget = ipywidgets.VBox([*rows, self._picture, self._error])
            self._widget.add_class("vae-course-explorer")
            self._busy = False
            self._answer()
        return self._widget

    def close(self):
        """Remove the explorer from the page, and release its widgets and their observers."""
        with self._lock:
            if self._widget is None:
                return
            for part in [self._widget, *self._parts]:
                for widget in _family(part):
                    widget.unobserve_all()
                    widget.close()
            self._parts.clear()
            self._widget = None
            for name in set(vars(self)) - self._lasting:
                delattr(self, name)  # the notebook may keep the explorer itself in `Out`

    def _watch(self, control, prepare=None, name="value"):
        """Redraw whenever a control changes, after `prepare()` if there is one; return the control."""
        control.observe(lambda change: self._answer(prepare), name)
        self._parts.append(control)
        return control

    def _answer(self, prepare=None):
        """Show the picture for the controls' values, or the exception if drawing fails.

        A control that changes because of this does not trigger another picture.
        """
        with self._lock:
            if self._busy:
                return
            self._busy = True
            text = ""
            try:
                if prepare:
                    prepare()
                png, alt = self._draw()
                with self._picture.hold_sync():  # one message for both
                    self._picture.png, self._picture.alt = png, alt
            except Exception as error:
                what = html.escape(f"{type(error).__name__}: {error}")
                text = f'<div role="alert"><b>This did not work.</b> {what}</div>'
            finally:
                self._busy = False
            self._error.value = text
            self._error.layout.display = None if text else "none"

    def _ipython_display_(self):
        fig, alt = self._figure()
        plt.close(fig)
        data, metadata = plotting.bundle(fig, alt)
        cell = running_cell()
        if cell:
            model_id = self._live_in(*cell).model_id
            data[WIDGET_VIEW] = {"version_major": 2, "version_minor": 0, "model_id": model_id}
        display(data, raw=True, metadata=metadata)

    def _live_in(self, cell, run):
        """Return the widget for a cell, and close the explorers of earlier runs of the same cell."""
        last_run, explorers = _shown.get(cell, (run, []))
        if last_run != run:
            for explorer in explorers:
                if explorer is not self:
                    explorer.close()
            explorers = []
        _shown[cell] = run, [*explorers, self]
        return self.widget()


def running_cell():
    """Return which cell of a notebook in a browser is running.

    JupyterLab sends the cell's id with its code; papermill, nbval and nbconvert do not.

    Returns:
        Its id and the id of this run, or None if nobody could move a slider.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel and kernel.get_parent("shell") or {}
    cell = request.get("metadata", {}).get("cellId")
    return cell and (cell, request["header"]["msg_id"])


def _family(widget):
    """List a widget, all widgets inside it, and their layouts and styles."""
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _family(child)
    for name in ("layout", "style"):
        part = getattr(widget, name, None)
        if isinstance(part, ipywidgets.Widget):
            yield part
