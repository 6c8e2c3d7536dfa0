"""Show explorers: live wherever JavaScript runs, and as a still figure for papermill, nbval and print."""

import anywidget
import matplotlib.pyplot as plt
import traitlets
from IPython import get_ipython
from IPython.display import display

from vae_course import plotting
from vae_course.explorers import front_end
from vae_course.lesson import EXPLORER

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
_shown = {}  # cell -> (its latest run, the explorers that this run has shown)


class Live(anywidget.AnyWidget):
    """What the browser needs to run an explorer by itself: its name and its state, sent once."""

    _esm = front_end.script()
    _css = front_end.style()
    module = traitlets.Unicode().tag(sync=True)
    state = traitlets.Dict().tag(sync=True)


class Explorer:
    """A picture that answers while you drag, drawn by the browser, and a still figure elsewhere.

    A subclass has a `_state` for the JavaScript function of the same name in `browser/`, and a `_figure`.
    """

    _widget = None  # made when it is first shown live

    def _state(self):
        """Return what the browser needs, a dictionary of text, numbers and arrays packed by `networks`."""
        raise NotImplementedError

    def _figure(self):
        """Return a pyplot figure that makes the explorer's point without controls, and its description."""
        raise NotImplementedError

    def still(self):
        """Return the still figure, closed, as the data and the metadata of an output."""
        fig, alt = self._figure()
        plt.close(fig)
        return plotting.bundle(fig, alt)

    def bundle(self):
        """Return what pages need to show the explorer live: its module's name and its state as JSON."""
        return {"module": type(self).__name__, "state": front_end.as_json(self._state())}

    def widget(self):
        """Return the live explorer as an anywidget; always the same one until it is closed."""
        if self._widget is None:
            self._widget = Live(module=type(self).__name__, state=self._state())
        return self._widget

    def close(self):
        """Remove the live explorer from the page, and free what it holds."""
        if self._widget is not None:
            self._widget.close()
            self._widget.layout.close()
            self._widget = None

    def _ipython_display_(self):
        data, metadata = self.still()
        data[EXPLORER] = self.bundle()
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
