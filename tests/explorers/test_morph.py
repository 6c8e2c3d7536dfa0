"""DigitMorph: every picture is the decoded point of the path that the controls name."""

import numpy as np
import pytest
from conftest import pictures_of

from vae_course.explorers import DigitMorph


@pytest.fixture
def explorer(decoder, codes, labels):
    """Give a live explorer, from the mean of the 3s to the mean of the 7s."""
    explorer = DigitMorph(decoder, codes, labels)
    explorer.widget()
    yield explorer
    explorer.close()


def shown(explorer):
    """Return the large picture and the frames below it, `(28, 28)` and `(9, 28, 28)`."""
    frames = np.asarray(explorer._strip.get_array()).reshape(28, 9, 28).transpose(1, 0, 2)
    return np.asarray(explorer._large.get_array()), frames


def test_its_ends_are_the_decoded_ends(explorer, decoder, codes, labels):
    """t = 0 and t = 1: the decoded means; the first and last frame, too."""
    ends = [codes[labels == digit].mean(axis=0) for digit in (3, 7)]
    expected = pictures_of(decoder, np.array(ends))
    for t, picture, frame in ((0, expected[0], 0), (100, expected[1], -1)):
        explorer._t.value = t
        large, frames = shown(explorer)
        np.testing.assert_allclose(large, picture, atol=1e-5)
        np.testing.assert_allclose(frames[frame], picture, atol=1e-5)


def test_real_images_and_the_straight_path(explorer, decoder, codes):
    """From one test image to another: the line between their codes."""
    explorer._start.value, explorer._end.value = "test image 4, a 4", "test image 18, a 8"
    explorer._t.value = 25
    line = 0.75 * codes[4] + 0.25 * codes[18]
    np.testing.assert_allclose(shown(explorer)[0], pictures_of(decoder, line)[0], atol=1e-5)
    t = np.linspace(0, 1, 9)[:, None]
    frames = pictures_of(decoder, (1 - t) * codes[4] + t * codes[18])
    np.testing.assert_allclose(shown(explorer)[1], frames, atol=1e-5)


def test_the_round_path_turns_evenly(explorer, decoder, codes):
    """Half-way on the arc: the bisecting direction, with the mean of both lengths."""
    explorer._start.value, explorer._end.value = "test image 4, a 4", "test image 18, a 8"
    explorer._walk.value, explorer._t.value = "slerp", 50
    a, b = codes[4].astype(float), codes[18].astype(float)
    lengths = np.linalg.norm(a), np.linalg.norm(b)
    middle = a / lengths[0] + b / lengths[1]
    middle *= (lengths[0] + lengths[1]) / 2 / np.linalg.norm(middle)
    np.testing.assert_allclose(shown(explorer)[0], pictures_of(decoder, middle)[0], atol=1e-5)


def test_a_third_is_mixed_in_by_its_weight(explorer, decoder, codes, labels):
    """Weights of three digits add up to 1, stand above the picture, and are what is decoded."""
    explorer._third.value, explorer._weight.value, explorer._t.value = "mean of the 9s", 40, 25
    means = [codes[labels == digit].mean(axis=0) for digit in (3, 7, 9)]
    mixed = 0.45 * means[0] + 0.15 * means[1] + 0.4 * means[2]
    np.testing.assert_allclose(shown(explorer)[0], pictures_of(decoder, mixed)[0], atol=1e-5)
    assert "0.45 from + 0.15 to + 0.40 third" in explorer._head.get_text()
    assert "third the mean of the 9s" in explorer._picture.alt


def test_the_decoder_is_called_once_for_each_change(explorer, counted):
    """Dragging t decodes one picture; a new path decodes its nine frames with it."""
    calls = counted(explorer, "_decode")
    explorer._t.value = 60
    explorer._t.value = 61
    explorer._walk.value = "slerp"
    explorer._weight.value = 10
    assert [len(z) for z in calls] == [1, 1, 10, 10]


def test_a_path_that_is_not_defined_is_explained(explorer, decoder, counted):
    """slerp between opposite vectors raises: the explorer says so, and lerp works again."""
    explorer._points["mean of the 7s"] = -explorer._points["mean of the 3s"]
    explorer._walk.value = "slerp"
    assert "opposite" in explorer._error.value
    explorer._walk.value = "lerp"
    explorer._t.value = 30
    assert not explorer._error.value
