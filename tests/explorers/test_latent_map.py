"""LatentMap: the place under the pointer, decoded; the nearest code; the gaps."""

import numpy as np
import pytest
from conftest import make_decoder, pictures_of

from vae_course.explorers import LatentMap

RNG = np.random.default_rng(5)
LABELS = np.arange(200) % 10
RING = RNG.normal(size=(200, 2))
RING = (RING / np.linalg.norm(RING, axis=1, keepdims=True) * RNG.uniform(1, 2, (200, 1))).astype(
    "float32"
)  # an empty disc of radius 1 in the middle
CLOUD = RNG.normal(size=(200, 2)).astype("float32")
PLAIN, VARIATIONAL = make_decoder(2, 1), make_decoder(2, 2)


@pytest.fixture
def explorer():
    """Give a live map of two models."""
    models = {"autoencoder": (PLAIN, RING), "VAE": (VARIATIONAL, CLOUD)}
    explorer = LatentMap(models, LABELS, "toy")
    explorer.widget()
    yield explorer
    explorer.close()


def go_to(explorer, point):
    """Put the pointer on a point, given in data coordinates; return what is drawn."""
    scene = explorer._chosen()[1]
    explorer._picture.place = list(scene.board.to_place(scene.ax, point))
    ends, cross = np.array(scene.link.get_data()).T, np.ravel(scene.cross.get_data())
    return np.asarray(scene.digit.get_array()), ends, cross, scene.words.get_text()


def test_it_starts_in_the_largest_gap(explorer):
    """The empty disc of the ring: gap 1, about one unit from the nearest code."""
    assert "in gap 1" in explorer._picture.alt
    chosen, _ = explorer._chosen()
    assert np.linalg.norm(chosen.centres[0]) < 0.3 and 0.9 < chosen.radii[0] < 1.3


@pytest.mark.parametrize("point", [(0.1, 0.2), (1.4, 0.3), (-1.7, -1.0)])
def test_the_place_under_the_pointer_is_decoded_and_its_nearest_code_found(explorer, point):
    """Picture, cross, line and words, against the decoder by hand and a search through all codes."""
    picture, ends, cross, words = go_to(explorer, point)
    distances = np.linalg.norm(RING - point, axis=1)
    np.testing.assert_allclose(picture, pictures_of(PLAIN, np.array(point))[0], atol=1e-5)
    np.testing.assert_allclose(cross, point, atol=1e-9)
    np.testing.assert_allclose(ends, [point, RING[distances.argmin()]], atol=1e-6)
    assert f"a {LABELS[distances.argmin()]}, {distances.min():.2f} away" in words
    chosen, _ = explorer._chosen()
    inside = np.linalg.norm(chosen.centres - point, axis=1) < chosen.radii
    where = f"in gap {inside.argmax() + 1}" if inside.any() else "in none of the marked gaps"
    assert where in words and where in explorer._picture.alt


def test_the_other_model_is_one_button_away(explorer, counted):
    """Its own map, gaps and decoder, in the same picture; the decoder is called once."""
    calls = [counted(one, "decode") for one in explorer._maps.values()]
    before = explorer._picture.png
    explorer._model.value = "VAE"
    assert [len(c) for c in calls] == [0, 1]
    assert explorer._picture.png != before and explorer._picture.alt.startswith("VAE: ")
    picture, *_ = go_to(explorer, (0.5, -0.5))
    np.testing.assert_allclose(picture, pictures_of(VARIATIONAL, [0.5, -0.5])[0], atol=1e-5)
    assert [len(c) for c in calls] == [0, 2]


def test_places_outside_the_data_are_still_answered(explorer):
    """At the corner of the map: in no gap, the nearest code far away, no error."""
    scene = explorer._chosen()[1]
    corner = scene.board.to_data(scene.ax, explorer._picture.area[:2])
    _, _, cross, words = go_to(explorer, corner)
    np.testing.assert_allclose(cross, corner)
    assert "in none of the marked gaps" in words and not explorer._error.value


def test_one_model_needs_no_buttons_and_few_codes_no_gaps():
    """Four codes in a square have no gap inside: the map starts at a code."""
    square = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    explorer = LatentMap({"tiny": (PLAIN, square)}, np.arange(4), "toy")
    explorer.widget()
    assert not explorer._error.value and "0.00 away" in explorer._picture.alt
    explorer.close()


def test_clusters_of_the_still_figure_are_places_among_one_kind():
    """Three well separated heaps: one place in each, where all neighbours are of that digit."""
    centres = np.array([[0, 0], [10, 0], [0, 10]])
    codes = np.concatenate([c + 0.3 * RNG.normal(size=(20, 2)) for c in centres])
    labels = np.repeat([2, 5, 8], 20)
    (one,) = LatentMap({"heaps": (PLAIN, codes)}, labels, "toy")._maps.values()
    nearest = np.linalg.norm(one.clusters()[:, None] - centres, axis=2)
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2] and nearest.min(axis=1).max() < 1.5


def test_a_map_can_do_without_gaps():
    """No circles, no word about them, and six places inside clusters in the still figure."""
    explorer = LatentMap({"VAE": (VARIATIONAL, CLOUD)}, LABELS, "toy", gaps=0)
    explorer.widget()
    assert "nearest code" in explorer._picture.alt and "gap" not in explorer._picture.alt
    fig, alt = explorer._figure()
    assert "gap" not in alt and [len(ax.collections) for ax in fig.axes][1] == 0
    assert [t.get_text() for t in fig.axes[1].get_xticklabels()] == ["cluster"] * 6
    explorer.close()
