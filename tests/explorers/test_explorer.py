"""What all explorers share: live or still, errors that are seen, right pictures, nothing left behind."""

import io
import json
import textwrap
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
from jupyter_client.manager import start_new_kernel
from PIL import Image

from vae_course.explorers.explorer import WIDGET_VIEW, Board, Explorer, digit_on, whole_slider

SIX = f"import sys; sys.path.append({str(Path(__file__).parent)!r})\n" + textwrap.dedent(
    """
    import logging, os
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import keras, numpy as np
    from keras import layers
    from vae_course.explorers import *
    from vae_course.models import VAE, build_decoder, build_encoder
    from sweep import make_sweep
    make = lambda n: keras.Sequential([keras.Input((n,)), layers.Dense(784, activation="sigmoid"),
                                       layers.Reshape((28, 28, 1))])
    plane, five = make(2), make(5)
    labels = np.arange(60) % 10
    codes = np.random.default_rng(0).normal(size=(60, 5))
    """
)
CALLS = {
    "latent map": 'LatentMap({"a": (plane, codes[:, :2]), "b": (plane, codes[:, 2:4])}, labels, "toy")',
    "kl": "KLExplorer()",
    "reparameterization": "ReparameterizationExplorer(1)",
    "transposed convolution": "TransposedConvolutionExplorer()",
    "morph": "DigitMorph(five, codes, labels)",
    "traversal": "LatentTraversal(five, codes, labels, np.arange(5.0))",
    "staircase": "Staircase(VAE(build_encoder(2), build_decoder(2)), np.zeros((2, 28, 28, 1)), labels[:2])",
    "rate and distortion": "RateDistortion(*make_sweep(), lecture=(13, 15.5))",
}
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

    def __init__(self):
        self.manager, self.client = start_new_kernel(startup_timeout=600, kernel_name="python3")

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
def kernel():
    """Give a kernel that knows all explorers."""
    kernel = Kernel()
    kernel.run(SIX)
    yield kernel
    kernel.client.stop_channels()
    kernel.manager.shutdown_kernel(now=True)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_where_nobody_can_move_a_slider_there_is_a_still_figure(kernel, call):
    """Under papermill, nbval and nbconvert: a picture with its text, and no widget at all."""
    kernel.run("import ipywidgets.widgets.widget as registry; before = len(registry._instances)")
    data, metadata = kernel.shown(call)
    assert set(data) == {"image/png", "text/plain"}
    assert len(metadata["image/png"]["alt"].split()) >= 10
    assert kernel.printed("print(len(registry._instances) - before)") == 0


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_in_jupyterlab_it_is_live_and_running_its_cell_again_leaves_nothing_behind(kernel, call):
    """There is a widget, with the still figure as the second choice, and nothing of earlier runs.

    Widgets, their observers and Matplotlib's figures are as many after five runs as after two. The notebook
    keeps each explorer itself in `Out`; what is counted is what it has let go of.
    """
    for _ in range(2):
        data, _ = kernel.shown(call, cell=call)
    assert set(data) == {"image/png", "text/plain", WIDGET_VIEW}
    assert data[WIDGET_VIEW]["model_id"]
    before = kernel.printed(LEFT)
    for _ in range(3):
        kernel.run(call, cell=call)
    assert kernel.printed(LEFT) == before
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


class Toy(Explorer):
    """An explorer of one slider that fails at 3."""

    drawn = 0

    def _controls(self):
        self.slider = self._watch(whole_slider("n", 0, 9, 1))
        self.other = self._watch(whole_slider("m", 0, 9, 1), self._prepare)
        return [[self.slider, self.other]]

    def _prepare(self):
        self.slider.value = self.other.value

    def _draw(self):
        Toy.drawn += 1
        if self.slider.value == 3:
            raise ValueError("three is <too> much")
        return b"png %d" % self.slider.value, f"the number {self.slider.value}"


@pytest.fixture
def toy():
    """Give a live toy explorer."""
    toy = Toy()
    toy.widget()
    yield toy
    toy.close()


def test_an_error_while_dragging_is_shown_and_the_next_drag_works(toy):
    """The message stands in the explorer, escaped, and goes when it is over; the picture stays as it was."""
    toy.slider.value = 2
    toy.slider.value = 3
    assert 'role="alert"' in toy._error.value and toy._error.layout.display is None
    assert "ValueError: three is &lt;too&gt; much" in toy._error.value
    assert toy._picture.png == b"png 2"
    toy.slider.value = 4
    assert toy._picture.png == b"png 4" and toy._picture.alt == "the number 4"
    assert not toy._error.value and toy._error.layout.display == "none"


def test_one_change_is_one_picture(toy):
    """A control that is set because another one moved asks for no second picture; nor does making it."""
    before = Toy.drawn
    toy.other.value = 7
    assert (Toy.drawn - before, toy._picture.png) == (1, b"png 7")
    before = Toy.drawn
    Toy().widget()
    assert Toy.drawn - before == 1


def test_a_closed_explorer_answers_no_more_and_can_be_shown_again(toy):
    """No observer is left on the old controls; a new display makes new ones."""
    slider, before = toy.slider, Toy.drawn
    toy.close()
    toy.close()
    slider.value = 5
    assert Toy.drawn == before
    assert toy.widget() is toy.widget()
    assert toy.slider is not slider and toy._picture.png == b"png 1"


def pixels(png):
    """Read a PNG."""
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))


@pytest.fixture
def board():
    """Give a board with a line that moves."""
    board = Board(4, 2, ncols=2)
    left, right = board.axes
    left.set(xlim=(0, 10), ylim=(0, 10))
    digit_on(right)
    (board.line,) = left.plot([0, 10], [5, 5], "k-", linewidth=4)
    board.move(board.line)
    return board


def test_an_updated_picture_equals_one_drawn_from_scratch(board):
    """Nothing of the old line is left, and nothing else has moved."""
    first = pixels(board.png())
    assert first.shape == (160, 320, 3)
    assert not plt.get_fignums()  # none waits in pyplot to be shown
    board.line.set_data([0, 10], [2, 8])
    second = pixels(board.png())
    assert (first != second).any()
    board.unsettle()
    np.testing.assert_array_equal(pixels(board.png()), second)
    board.line.set_data([0, 10], [5, 5])
    np.testing.assert_array_equal(pixels(board.png()), first)


def test_only_what_moves_is_drawn_again(board, monkeypatch):
    """The whole figure is drawn once for many pictures."""
    drawn = []
    draw = board.canvas.draw
    monkeypatch.setattr(board.canvas, "draw", lambda: drawn.append(1) or draw())
    for y in range(5):
        board.line.set_data([0, 10], [y, y])
        board.png()
    assert len(drawn) == 1


def test_places_are_where_they_seem_to_be(board):
    """The pixel at a place has the colour of what is drawn at its data coordinates, and back."""
    ax = board.axes[0]
    picture = pixels(board.png())
    x, y = board.to_place(ax, (4, 5))
    assert picture[int(y * 160), int(x * 320)].max() < 60  # on the black line
    np.testing.assert_allclose(board.to_data(ax, (x, y)), (4, 5))
    left, top, right, bottom = board.area(ax)
    np.testing.assert_allclose(board.to_data(ax, (left, top)), (0, 10), atol=1e-9)
    np.testing.assert_allclose(board.to_data(ax, (right, bottom)), (10, 0), atol=1e-9)
