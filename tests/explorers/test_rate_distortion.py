"""RateDistortion: numbers, pictures and bars are those of the sweep at the chosen beta."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sweep import BETAS, make_sweep

from vae_course.explorers import RateDistortion


@pytest.fixture
def explorer():
    """Give a live explorer of a small sweep."""
    explorer = RateDistortion(*make_sweep(), lecture=(12.7, 15.5))
    explorer.widget()
    yield explorer
    explorer.close()


def means(beta):
    """Average rate and distortion over the seeds, one row after the other."""
    rows = [row for row in make_sweep()[0] if row["beta"] == beta]
    return [sum(row[name] for row in rows) / len(rows) for name in ("kl", "reconstruction")]


def shown(explorer):
    """Cut the picture in the middle into its 24 parts, `(24, 28, 28)`."""
    grid = np.asarray(explorer._grid.get_array())
    return grid.reshape(6, 28, 4, 28).swapaxes(1, 2).reshape(24, 28, 28)


@pytest.mark.parametrize("number", range(len(BETAS)))
def test_the_slider_goes_through_the_betas(explorer, number):
    """Rate, distortion, their sum, active units and the largest KL; bars in falling order; pictures."""
    _, gallery = make_sweep()
    explorer._number.value = number + 1
    beta, (rate, distortion) = BETAS[number], means(BETAS[number])
    text = explorer._picture.alt
    assert text.startswith(f"beta = {beta:g}: rate {rate:.1f} + distortion {distortion:.1f} = ")
    assert f"= {rate + distortion:.1f} nats, mean of 3 seeds" in text
    low = int(12 / (1 + beta))
    assert f"active units: {low} to {low + 1} of 12" in text
    bars = sorted(gallery["kl_per_dimension"][number], reverse=True)
    assert f"is {bars[0]:.2f} nats" in text
    np.testing.assert_allclose(explorer._steps.get_data().values, bars)
    rebuilt, samples = gallery["reconstructions"][number], gallery["samples"][number]
    originals = gallery["originals"]
    expected = [*originals[:4], *rebuilt[:4], *originals[4:], *rebuilt[4:], *samples]
    np.testing.assert_allclose(shown(explorer), np.array(expected) / 255, atol=1e-6)
    np.testing.assert_allclose(explorer._dot.get_xydata(), [(rate, distortion)])


def test_it_starts_at_beta_1(explorer):
    """The one that the lecture has."""
    assert explorer._picture.alt.startswith("beta = 1:")


def test_the_line_keeps_the_loss(explorer):
    """Through the point, and one nat more of rate for one nat less of distortion."""
    explorer._number.value = 4
    (x0, y0), (x1, y1) = explorer._line.get_xydata()
    assert (y1 - y0) / (x1 - x0) == pytest.approx(-1)
    assert x0 + y0 == pytest.approx(sum(means(4.0)))


@pytest.mark.parametrize("number", range(len(BETAS)))
def test_the_nearest_point_is_chosen(explorer, number):
    """At a point, and a little beside it; as fractions of the picture, as the browser sends them."""
    ax = explorer._board.axes[0]
    x, y = explorer._board.to_place(ax, means(BETAS[number]))
    for shift in (0, 0.004):
        explorer._number.value = 1 if number else 2
        explorer._picture.place = [x + shift, y - shift]
        assert explorer._number.value == number + 1
        assert explorer._picture.alt.startswith(f"beta = {BETAS[number]:g}:")


def test_steps_by_keys_go_on_from_the_chosen_point(explorer):
    """The slider moves the place, so the next arrow key starts there."""
    explorer._number.value = 2
    expected = explorer._board.to_place(explorer._board.axes[0], means(BETAS[1]))
    np.testing.assert_allclose(explorer._picture.place, expected)
    left, top, right, bottom = explorer._picture.area
    assert left < expected[0] < right and top < expected[1] < bottom


def test_one_change_is_one_picture(explorer):
    """By the slider or in the picture."""
    drawn, draw = [], explorer._draw
    explorer._draw = lambda: drawn.append(1) or draw()
    explorer._number.value = 5
    explorer._picture.place = list(
        explorer._board.to_place(explorer._board.axes[0], means(BETAS[1]))
    )
    assert (len(drawn), explorer._number.value) == (2, 2)


def test_the_order_of_rows_does_not_matter():
    """A sweep ends its runs in any order, and the pictures go with their betas."""
    table, gallery = make_sweep()
    turned = {name: a if name == "originals" else a[::-1] for name, a in gallery.items()}
    one, other = RateDistortion(table, gallery), RateDistortion(table[::-1], turned)
    for explorer in (one, other):
        explorer.widget()
        explorer._number.value = 4
    assert one._picture.alt == other._picture.alt
    np.testing.assert_array_equal(shown(one), shown(other))
    one.close()
    other.close()


def test_the_still_figure_has_the_whole_curve_and_the_lecture():
    """Runs, means, star and line; five rows of pictures at the right of it."""
    fig, alt = RateDistortion(*make_sweep(), lecture=(12.7, 15.5))._figure()
    left, right = fig.axes
    runs, curve, star, line = left.get_lines()
    assert len(runs.get_xydata()) == 15
    np.testing.assert_allclose(curve.get_xydata(), [means(beta) for beta in BETAS])
    np.testing.assert_allclose(star.get_xydata(), [(12.7, 15.5)])
    np.testing.assert_allclose(line.get_xydata().sum(axis=1), sum(means(1.0)))
    assert right.images[0].get_array().shape == (5 * 28, 8 * 28)
    assert "beta = 0.1, 0.5, 1, 4, 20" in alt
    plt.close(fig)


def without(table, name):
    return [{key: value for key, value in row.items() if key != name} for row in table]


BAD = [
    (lambda t, g: ([], g), "table has no rows"),
    (lambda t, g: (without(t, "kl"), g), "table lacks kl"),
    (lambda t, g: ([*t[:-1], {**t[-1], "kl": np.nan}], g), "column kl of table contains nan"),
    (lambda t, g: ([{**row, "beta": -1.0} for row in t], g), "beta = -1"),
    (lambda t, g: (t[:-3], g), "gallery has the betas"),
    (lambda t, g: (t, {"beta": g["beta"]}), "gallery lacks originals"),
    (lambda t, g: (t, {**g, "samples": g["samples"][:, :4]}), r"samples of gallery has shape \(5, 4"),
    (lambda t, g: (t, {**g, "originals": g["originals"] / 255}), "type float64, expected"),
    (lambda t, g: (t, {**g, "kl_per_dimension": g["beta"]}), r"kl_per_dimension of gallery has shape \(5,"),
]  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), BAD, ids=[words[:20] for _, words in BAD])
def test_a_sweep_that_is_not_whole_is_refused(spoil, words):
    """With what is missing or wrong."""
    with pytest.raises(ValueError, match=words):
        RateDistortion(*spoil(*make_sweep()))


@pytest.mark.parametrize("lecture", [3.0, (1, 2, 3), (1, np.inf)])
def test_a_lecture_that_is_no_point_is_refused(lecture):
    """Two numbers are needed."""
    with pytest.raises(ValueError, match="lecture is"):
        RateDistortion(*make_sweep(), lecture=lecture)
