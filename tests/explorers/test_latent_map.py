"""LatentMap: where it starts, its gaps, and what its still figure shows."""

import numpy as np
import pytest
from toys import make_decoder

from vae_course.explorers import LatentMap

RNG = np.random.default_rng(5)
LABELS = np.arange(200) % 10
RING = RNG.normal(size=(200, 2))
RING = (RING / np.linalg.norm(RING, axis=1, keepdims=True) * RNG.uniform(1, 2, (200, 1))).astype(
    "float32"
)  # an empty disc of radius 1 in the middle
CLOUD = RNG.normal(size=(200, 2)).astype("float32")
PLAIN, VARIATIONAL = make_decoder(2, 1), make_decoder(2, 2)


def test_it_starts_in_the_largest_gap():
    """The empty disc of the ring; and the map shows all codes and circles."""
    explorer = LatentMap({"one": (PLAIN, RING), "two": (VARIATIONAL, CLOUD)}, LABELS, "toy")
    one, two = explorer._maps.values()
    assert np.linalg.norm(one.start) < 0.3 and 0.9 < one.radii[0] < 1.3
    for each in (one, two):
        low, high = each.corners()
        assert (low <= each.codes).all() and (each.codes <= high).all()
        assert (low <= each.centres - each.radii[:, None]).all()
    state = explorer._state()
    assert state["labels"]["data"] == bytes(LABELS.astype("uint8"))
    assert [model["name"] for model in state["models"]] == ["one", "two"]


def test_few_codes_have_no_gaps():
    """Four codes in a square have no gap inside: the map starts at a code."""
    square = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    (one,) = LatentMap({"tiny": (PLAIN, square)}, np.arange(4), "toy")._maps.values()
    np.testing.assert_array_equal(one.start, square[0])


@pytest.mark.parametrize("spread", [[0, 0], [1, 0], [2, 3]])
def test_codes_on_a_line_have_no_gaps(spread):
    """Nor have those that are all the same; the map has some width and height."""
    codes = np.outer(np.arange(20.0), spread)
    explorer = LatentMap({"flat": (PLAIN, codes)}, np.arange(20) % 10, "toy")
    (one,) = explorer._maps.values()
    low, high = one.corners()
    assert len(one.radii) == 0 and (low < high).all()
    assert (low <= codes).all() and (codes <= high).all()
    explorer.still()


def test_clusters_of_the_still_figure_are_places_among_one_kind():
    """Three well separated heaps: one place in each, where all neighbours are of that digit."""
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    codes = np.concatenate([c + 0.3 * RNG.normal(size=(20, 2)) for c in centres])
    labels = np.repeat([2, 5, 8], 20)
    (one,) = LatentMap({"heaps": (PLAIN, codes)}, labels, "toy")._maps.values()
    nearest = np.linalg.norm(one.clusters()[:, None] - centres, axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2] and nearest.min(axis=1).max() < 1.5


def test_a_map_can_do_without_gaps():
    """No circles, and six places inside clusters in the still figure."""
    explorer = LatentMap({"VAE": (VARIATIONAL, CLOUD)}, LABELS, "toy", gaps=0)
    fig, alt = explorer._figure()
    assert "gap" not in alt and [len(ax.collections) for ax in fig.axes][1] == 0
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == ["cluster"] * 6
