"""What all explorers share: live or still, all that a page needs, nothing left behind."""

import json
import textwrap
from pathlib import Path

import pytest
from jupyter_client.manager import KernelManager
from toys import NAMES

from vae_course.explorers.explorer import WIDGET_VIEW
from vae_course.lesson import EXPLORER

ALL = f"import sys; sys.path.append({str(Path(__file__).parents[1])!r})\n" + textwrap.dedent(
    """
    import os
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    from vae_course.explorers import *
    from toys import toy_explorer, toy_explorers
    toys = toy_explorers()
    """
)
LEFT = textwrap.dedent(
    """
    import gc, json
    import ipywidgets.widgets.widget as registry
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure
    gc.collect()
    print(json.dumps({
        "widgets": len(registry._instances),
        "figures": sum(isinstance(o, Figure) for o in gc.get_objects()),
        "open": len(plt.get_fignums()),
        "observers": sum(len(h) for w in registry._instances.values()
                         for t in w._trait_notifiers.values() for h in t.values()),
    }))
    """
)


class Kernel:
    """A real kernel, and cells for it as JupyterLab sends them, or as everybody else does."""

    def __init__(self, options):
        self.manager = KernelManager(kernel_name="python3", **options)
        self.manager.start_kernel()
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=600)

    def run(self, code, cell=None):
        """Run code as the cell with this id, or without an id; return the messages of its output."""
        metadata = {"cellId": cell} if cell else {}
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        message = self.client.session.msg("execute_request", content, metadata=metadata)
        self.client.shell_channel.send(message)
        outputs = []
        while True:
            reply = self.client.get_iopub_msg(timeout=600)
            if reply["parent_header"].get("msg_id") != message["header"]["msg_id"]:
                continue
            assert reply["msg_type"] != "error", "\n".join(reply["content"]["traceback"])
            if reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
                return outputs
            outputs.append(reply)

    def shown(self, code, cell=None):
        """Run code and return the data of the one thing it displays."""
        (output,) = [m for m in self.run(code, cell) if m["msg_type"] == "display_data"]
        return output["content"]["data"], output["content"]["metadata"]

    def printed(self, code):
        """Run code and return what it prints, read as JSON."""
        text = [m["content"]["text"] for m in self.run(code) if m["msg_type"] == "stream"]
        return json.loads("".join(text))


@pytest.fixture(scope="module")
def kernel(file_sockets):
    """Give a kernel that knows all explorers."""
    kernel = Kernel(file_sockets())
    kernel.run(ALL)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("name", NAMES)
def test_where_nobody_can_move_a_slider_there_is_a_still_figure(kernel, name):
    """Under papermill, nbval and nbconvert: a picture with its text, and no widget at all."""
    kernel.run("import ipywidgets.widgets.widget as registry; before = len(registry._instances)")
    data, metadata = kernel.shown(f"toys[{name!r}]")
    assert set(data) == {"image/png", "text/plain", EXPLORER}
    assert data[EXPLORER]["module"] == name and isinstance(data[EXPLORER]["state"], dict)
    assert len(metadata["image/png"]["alt"].split()) >= 10
    assert kernel.printed("print(len(registry._instances) - before)") == 0


@pytest.mark.parametrize("name", NAMES)
def test_in_jupyterlab_it_is_live_and_running_its_cell_again_leaves_nothing_behind(kernel, name):
    """There is a widget, with the still figure as the second choice, and nothing of earlier runs.

    Widgets and their observers are as many after six runs as after two. Matplotlib's figures may be one more,
    which waits for the garbage collector. The notebook keeps each explorer itself in `Out`; what is counted
    is what it has let go of.
    """
    call = f"toy = toy_explorer({name!r}); toy"
    for _ in range(2):
        data, _ = kernel.shown(call, cell=name)
    assert set(data) == {"image/png", "text/plain", WIDGET_VIEW, EXPLORER}
    assert data[WIDGET_VIEW]["model_id"]
    before = kernel.printed(LEFT)
    for _ in range(4):
        kernel.run(call, cell=name)
    after = kernel.printed(LEFT)
    waiting = {"figures": 1}
    assert all(after[what] <= before[what] + waiting.get(what, 0) for what in before), (
        before,
        after,
    )
    assert before["open"] == 0


def test_two_explorers_in_one_cell_both_stay(kernel):
    """Only earlier runs of the cell are closed."""
    code = "one, two = KLExplorer(), KLExplorer()\ndisplay(one, two)"
    for _ in range(2):
        views = [m for m in kernel.run(code, "two") if m["msg_type"] == "display_data"]
        assert len({v["content"]["data"][WIDGET_VIEW]["model_id"] for v in views}) == 2
        assert (
            kernel.printed("print(int(one._widget is not None and two._widget is not None))") == 1
        )


def test_a_closed_explorer_can_be_shown_again(kernel):
    """It is the same widget until it is closed, and then a new one."""
    code = "k = KLExplorer(); one = k.widget(); same = k.widget() is one; k.close(); k.close()"
    assert kernel.printed(f"{code}; print(int(same and k.widget() is not one))") == 1
