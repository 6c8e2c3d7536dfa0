"""RateDistortion: what a sweep must hold, and its still figure."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from toys import BETAS, make_sweep

from vae_course.explorers import RateDistortion


def means(beta):
    """Average rate and distortion over the seeds, one row after the other."""
    rows = [row for row in make_sweep()[0] if row["beta"] == beta]
    return [sum(row[name] for row in rows) / len(rows) for name in ("kl", "reconstruction")]


def test_the_order_of_rows_does_not_matter():
    """A sweep ends its runs in any order, and the pictures go with their betas."""
    table, gallery = make_sweep()
    turned = {name: a if name == "originals" else a[::-1] for name, a in gallery.items()}
    one, other = (
        e._state() for e in (RateDistortion(table, gallery), RateDistortion(table[::-1], turned))
    )
    for name in set(one) - {"runs"}:  # dots, whose order nobody sees
        assert one[name] == other[name], name


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
