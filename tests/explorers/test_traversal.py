"""LatentTraversal: one dimension moves, in the order of their KL, and nothing else does."""

import numpy as np
import pytest
from conftest import pictures_of

from vae_course.explorers import LatentTraversal

KL = np.array([0.1, 2.0, 0.0, 1.5, 0.3])
ORDER = [1, 3, 4, 0, 2]


@pytest.fixture
def explorer(decoder, codes, labels):
    """Give a live explorer at the mean of the 3s."""
    explorer = LatentTraversal(decoder, codes, labels, KL)
    explorer.widget()
    yield explorer
    explorer.close()


@pytest.mark.parametrize("rank", range(1, 6))
def test_it_sets_the_dimension_of_that_rank(explorer, decoder, codes, labels, rank):
    """Before, after and change are decoded from the mean with only that number replaced."""
    explorer._rank.value, explorer._value.value = rank, -1.5
    before = codes[labels == 3].mean(axis=0)
    after = before.copy()
    after[ORDER[rank - 1]] = -1.5
    expected = pictures_of(decoder, np.array([before, after]))
    np.testing.assert_allclose(explorer._before.get_array(), expected[0], atol=1e-5)
    np.testing.assert_allclose(explorer._after.get_array(), expected[1], atol=1e-5)
    np.testing.assert_allclose(explorer._change.get_array(), expected[1] - expected[0], atol=1e-5)
    assert f"dimension {ORDER[rank - 1]}, number {rank} by KL" in explorer._picture.alt


def test_a_real_image_can_be_the_start(explorer, decoder, codes):
    """Its own code, unchanged, is the picture before."""
    explorer._start.value = "test image 15, a 5"
    expected = pictures_of(decoder, codes[15])[0]
    np.testing.assert_allclose(explorer._before.get_array(), expected, atol=1e-5)


def test_the_decoder_is_called_once_for_each_change(explorer, counted):
    """Two pictures at a time: before and after."""
    calls = counted(explorer, "_decode")
    explorer._value.value = 0.5
    explorer._rank.value = 4
    assert [z.shape for z in calls] == [(2, 5), (2, 5)]


def test_the_scale_of_ink_tells_more_from_less_without_red_and_green(explorer):
    """No change is white, the ends are the blue and the orange that the title names."""
    colours = explorer._change.get_cmap()([0.0, 0.5, 1.0])[:, :3]
    assert explorer._change.get_clim() == (-1, 1)
    np.testing.assert_allclose(colours[1], 1, atol=0.01)
    assert colours[0].argmax() == 2 and colours[2].argmax() == 0
