"""Boards: what stands still is drawn once, what moves is right, places are where they seem to be."""

import io

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from vae_course.explorers.board import Board, digit_on, encode


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


def test_pixels_survive_the_png_and_pyplot_knows_nothing_of_it(board):
    """Lossless; and no figure waits in pyplot to be shown."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    np.testing.assert_array_equal(pixels(encode(noise)), noise)
    board.png()
    assert not plt.get_fignums()
