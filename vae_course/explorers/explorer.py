"""What all explorers share: where they show themselves as what, how they answer, how they are closed."""

import html
import threading
from pathlib import Path

import anywidget
import ipywidgets
import traitlets
from IPython import get_ipython
from IPython.display import display

from vae_course import plotting

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_shown = {}  # cell -> (the run of it, the explorers which that run has shown)


class Picture(anywidget.AnyWidget):
    """A picture in the browser, with a text for those who cannot see it; a point in it can be chosen."""

    _esm = Path(__file__).with_name("picture.js")
    _css = Path(__file__).with_name("picture.css")
    png = traitlets.Bytes().tag(sync=True)
    alt = traitlets.Unicode().tag(sync=True)
    area = traitlets.List().tag(sync=True)  # where a point can be chosen: left, top, right, bottom
    place = traitlets.List([0.5, 0.5]).tag(sync=True)  # the point, shares from the top left
    hint = traitlets.Unicode().tag(sync=True)


def running_cell():
    """Tell which cell of a notebook in a browser is running.

    JupyterLab sends the cell's id with its code; papermill, nbval and nbconvert do not.

    Returns:
        Its id and the number of this run of it, or None where nobody could move a slider.
    """
    kernel = getattr(get_ipython(), "kernel", None)
    if kernel is None:
        return None
    request = kernel.get_parent("shell") or {}
    cell = request.get("metadata", {}).get("cellId")
    return cell and (cell, request["header"]["msg_id"])


class Explorer:
    """A picture with controls. Displayed in JupyterLab it is live, elsewhere it is a still figure.

    A subclass makes its controls in `_controls`, draws in `_draw` and has a `_figure` for places without
    widgets. All of its state is in its controls.
    """

    hint = ""

    def __init__(self):
        self._widget = None
        self._watched = []
        self._parts = []  # widgets that are to be closed although the explorer does not show them
        self._busy = False
        # JupyterLab may answer a drag in one thread while another runs a cell.
        self._lock = threading.RLock()

    def _controls(self):
        """Return the rows of controls, each a list of widgets."""
        raise NotImplementedError

    def _draw(self):
        """Return the picture for the controls' values: PNG as bytes, and what there is to see, in words."""
        raise NotImplementedError

    def _figure(self):
        """Return a Matplotlib figure that makes the explorer's point without controls, and its text."""
        raise NotImplementedError

    def widget(self):
        """Return the live explorer as one ipywidgets widget; always the same one."""
        if self._widget is None:
            self._lasting = {*vars(self), "_lasting"}  # what is here when there is no widget
            self._picture = Picture(hint=self.hint)
            self._error = ipywidgets.HTML()
            self._error.layout.display = "none"
            self._busy = True  # what is set while it is being made asks for no picture
            rows = [
                ipywidgets.HBox(row, layout=ipywidgets.Layout(flex_flow="row wrap"))
                for row in self._controls()
            ]
            self._widget = ipywidgets.VBox([*rows, self._picture, self._error])
            self._widget.add_class("vae-course-explorer")
            self._busy = False
            self._answer()
        return self._widget

    def close(self):
        """Take the explorer from the page, and let go of its widgets and their observers."""
        with self._lock:
            if self._widget is None:
                return
            for control, answer, name in self._watched:
                control.unobserve(answer, name)
            for part in [self._widget, *self._parts]:
                for widget in _family(part):
                    widget.close()
            self._watched.clear()
            self._parts.clear()
            self._widget = None
            for name in (
                set(vars(self)) - self._lasting
            ):  # the notebook may keep the explorer in `Out`
                delattr(self, name)

    def _watch(self, control, prepare=None, name="value"):
        """Answer whenever a control changes, after `prepare()` if there is one; return the control."""

        def answer(change):
            self._answer(prepare)

        control.observe(answer, name)
        self._watched.append((control, answer, name))
        self._parts.append(control)
        return control

    def _answer(self, prepare=None):
        """Show the picture for the controls' values; an exception is shown instead, until it works again.

        A control that changes while this goes on, because of it, asks for no picture of its own.
        """
        with self._lock:
            if self._busy:
                return
            self._busy = True
            try:
                self._show(prepare)
            except Exception as error:
                text = html.escape(f"{type(error).__name__}: {error}")
                self._error.value = f'<div role="alert"><b>This did not work.</b> {text}</div>'
                self._error.layout.display = None
            else:
                if self._error.value:
                    self._error.value = ""
                    self._error.layout.display = "none"
            finally:
                self._busy = False

    def _show(self, prepare):
        if prepare:
            prepare()
        png, alt = self._draw()
        with self._picture.hold_sync():  # one message for both
            self._picture.png, self._picture.alt = png, alt

    def _ipython_display_(self):
        fig, alt = self._figure()
        data, metadata = plotting.bundle(fig, alt)
        cell = running_cell()
        if cell:
            data[WIDGET_VIEW] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self._live_in(*cell).model_id,
            }
        display(data, raw=True, metadata=metadata)

    def _live_in(self, cell, run):
        """Return the widget for a cell, and close what earlier runs of the same cell have shown."""
        last_run, explorers = _shown.get(cell, (run, []))
        if last_run != run:
            for explorer in explorers:
                if explorer is not self:
                    explorer.close()
            explorers = []
        _shown[cell] = run, [*explorers, self]
        return self.widget()


def _family(widget):
    yield widget
    for child in getattr(widget, "children", ()):
        yield from _family(child)
    if hasattr(widget, "layout"):
        yield widget.layout
    if hasattr(widget, "style") and isinstance(widget.style, ipywidgets.Widget):
        yield widget.style
