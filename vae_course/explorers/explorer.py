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

_shown = {}  # cell -> the explorers that it shows, each with the run of the cell that made it


class Picture(anywidget.AnyWidget):
    """A picture in the browser with alternative text, in which a point can be chosen."""

    _esm = Path(__file__).with_name("picture.js")
    _css = Path(__file__).with_name("picture.css")
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    area = traitlets.List().tag(sync=True)  # where a point can be chosen: left, bottom, right, top
    place = traitlets.List([0.5, 0.5]).tag(
        sync=True
    )  # the point, as fractions from the bottom left
    hint = traitlets.Unicode().tag(sync=True)


def board(width, height, **layout):
    """Return a figure of so many inches and its axes, `Figure.subplots(**layout)`; no part of pyplot."""
    fig = Figure(figsize=(width, height), dpi=plotting.SCREEN_DPI, layout="constrained")
    return fig, FigureCanvasAgg(fig).figure.subplots(**layout)


def png(fig):
    """Draw a figure as PNG bytes, laid out the first time only, with fast rather than strong compression."""
    fig.canvas.draw()
    fig.set_layout_engine("none")
    packed = io.BytesIO()
    pixels = np.ascontiguousarray(np.asarray(fig.canvas.buffer_rgba())[..., :3])
    Image.fromarray(pixels).save(packed, "PNG", compress_level=1)
    return packed.getvalue()


def digit_on(ax, title=""):
    """Show one digit in axes, with black ink; return the image, whose `set_data` takes `(28, 28)`."""
    ax.set(xticks=[], yticks=[], title=title)
    ax.spines[:].set_visible(False)
    return ax.imshow(np.zeros((28, 28)), cmap="gray_r", vmin=0, vmax=1)


class Explorer:
    """A picture with controls, live in JupyterLab and a still figure elsewhere.

    In a subclass, `_controls` makes `self._fig` and returns the rows of controls, lists of widgets; `_draw`
    makes that figure the one for the controls' values, and returns its description; `_figure` returns a
    pyplot figure that makes the point without controls, and its description. All state is in the controls.
    """

    hint = ""

    def __init__(self):
        self._widget = None
        self._busy = False
        # One thread may respond to a drag while another runs a cell.
        self._lock = threading.RLock()

    def widget(self):
        """Return the live explorer as one ipywidgets widget; always the same one."""
        if self._widget is None:
            self._lasting = {*vars(self), "_lasting"}  # what exists without a widget
            self._parts = []  # all widgets, also those that belong to others and cannot be seen
            self._busy = True  # draw nothing while the controls are created
            ipywidgets.Widget.on_widget_constructed(self._parts.append)
            try:
                self._picture = Picture(hint=self.hint)
                self._error = ipywidgets.HTML(layout={"display": "none"})
                wrapped = {"layout": {"flex_flow": "row wrap"}}
                rows = [ipywidgets.HBox(row, **wrapped) for row in self._controls()]
                self._widget = ipywidgets.VBox([*rows, self._picture, self._error])
            finally:
                ipywidgets.Widget.on_widget_constructed(None)
            self._widget.add_class("vae-course-explorer")
            self._busy = False
            self._answer()
        return self._widget

    def close(self):
        """Remove the explorer from the page, and release its widgets and their observers."""
        with self._lock:
            if self._widget is None:
                return
            for widget in self._parts:
                widget.unobserve_all()
                widget.close()
            self._widget = None
            for name in set(vars(self)) - self._lasting:
                delattr(self, name)  # the notebook may keep the explorer itself in `Out`

    def _control(self, kind, name, width="340px", prepare=None, **options):
        """Return a control, a class of ipywidgets, that redraws when it changes, after `prepare()`."""
        style = {"description_width": "90px"}
        if kind is ipywidgets.ToggleButtons:
            style["button_width"], width = width, "auto"
        look = {"layout": {"width": width}, "style": style}
        control = kind(description=name, tooltip=name, **look, **options)
        control.observe(lambda change: self._answer(prepare), "value")
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
                alt, picture = self._draw(), png(self._fig)
                with self._picture.hold_sync():  # one message for both
                    self._picture.png, self._picture.alt = picture, alt
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
        if running := running_cell():
            cell, run = running
            explorers = _shown.setdefault(cell, {})
            explorers[self] = run
            for explorer in [e for e in explorers if explorers[e] != run]:
                del explorers[explorer]
                explorer.close()
            data = self.widget()._repr_mimebundle_() | data
        display(data, raw=True, metadata=metadata)


def running_cell():
    """Return which cell of a notebook in a browser is running, and in which run; else None.

    JupyterLab sends the cell's id with its code; papermill, nbval and nbconvert do not.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    request = kernel and kernel.get_parent("shell") or {}
    cell = request.get("metadata", {}).get("cellId")
    return cell and (cell, request["header"]["msg_id"])
