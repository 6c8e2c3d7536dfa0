"""Checked arguments, points to start from, and decoders that explorers can use."""

import keras
import numpy as np
import pytest
from keras import layers
from toys import make_decoder, pictures_of

from vae_course.explorers import DigitMorph, LatentMap, LatentTraversal
from vae_course.explorers.codes import check_codes, decode, starting_points

PLANE = np.random.default_rng(0).normal(size=(20, 2)).astype("float32")
DIGITS = np.arange(20) % 10


def test_images_are_decoded_with_the_weights_as_they_are(decoder, codes):
    """Any number of vectors, the same pictures as by hand; what is trained later is seen."""
    for n in (1, 7):
        np.testing.assert_allclose(
            decode(decoder, codes[:n]), pictures_of(decoder, codes[:n]), atol=1e-5
        )
    weights = decoder.get_weights()
    decoder.set_weights([w + 0.5 for w in weights])
    np.testing.assert_allclose(
        decode(decoder, codes[:3]), pictures_of(decoder, codes[:3]), atol=1e-5
    )
    decoder.set_weights(weights)


@pytest.mark.parametrize(
    ("codes", "labels", "message"),
    [
        (np.zeros((0, 5)), [], r"shape \(0, 5\): pass at least one"),
        (np.zeros(5), [1], r"shape \(5,\): pass at least one"),
        (np.full((3, 5), np.nan), [1, 2, 3], "3 rows that are not finite.*first is row 0"),
        (np.array([[0.0, 1], [0, np.inf]]), [1, 2], "1 rows that are not finite.*first is row 1"),
        (np.zeros((3, 5)), [1, 2], r"labels has shape \(2,\).*one label for each"),
    ],
)
def test_codes_that_cannot_be_explored_are_refused(codes, labels, message):
    """Empty, of another shape, not finite, or without labels: the message says which."""
    with pytest.raises(ValueError, match=message):
        check_codes(codes, labels)


@pytest.mark.parametrize("explorer", [DigitMorph, lambda *a: LatentTraversal(*a, np.ones(5))])
def test_a_wrong_decoder_is_refused_when_the_explorer_is_built(explorer, codes, labels):
    """One of another latent size, one that makes other images, no model, NaN, an odd layer."""
    with pytest.raises(ValueError, match=r"takes vectors of shape \(4,\), but these have 5"):
        explorer(make_decoder(4), codes, labels)
    double = keras.Sequential([keras.Input((5,)), layers.Dense(98), layers.Reshape((7, 7, 2))])
    with pytest.raises(ValueError, match=r"images of shape \(7, 7, 2\).*1 or 3 channels"):
        explorer(double, codes, labels)
    with pytest.raises(ValueError, match="has no input and output shape"):
        explorer(lambda z: z, codes, labels)
    lost = make_decoder(5)
    lost.set_weights([w * np.nan for w in lost.get_weights()])
    with pytest.raises(ValueError, match="outputs NaN"):
        explorer(lost, codes, labels)
    odd = keras.Sequential(
        [keras.Input((5,)), layers.Dense(784, "tanh"), layers.Reshape((28, 28, 1))]
    )
    with pytest.raises(ValueError, match="has the activation tanh, which explorers cannot compute"):
        explorer(odd, codes, labels)


def test_a_map_needs_models_and_two_numbers_for_each_image(codes, labels):
    """No model at all, or one with codes of five numbers: refused by name."""
    with pytest.raises(ValueError, match="models is empty"):
        LatentMap({}, labels, "toy")
    with pytest.raises(ValueError, match="codes of b have 5 numbers, but a map needs 2"):
        LatentMap({"b": (make_decoder(5), codes)}, labels, "toy")
    with pytest.raises(ValueError, match=r"takes vectors of shape \(5,\), but these have 2"):
        LatentMap({"c": (make_decoder(5), PLANE)}, DIGITS, "toy")


@pytest.mark.parametrize(
    ("codes", "rows"),
    [
        ([[1, 0], [0, 1]], "Three rows"),
        ([[1], [2]], "Two rows"),
        ([[0, 0], [0, 0]], "Two rows"),
        ([[9, 0], [2, 0], [-5, 0]], "Two rows"),
    ],
)
def test_a_morph_without_an_arc_shows_the_straight_path_alone(codes, rows):
    """In one dimension, from a zero vector, and between opposite ones; the two ends differ."""
    explorer = DigitMorph(make_decoder(len(codes[0])), codes, np.full(len(codes), 7))
    names, start, end, _ = explorer._names()
    assert start != end and {start, end} <= set(names)
    (_, metadata) = explorer.still()
    assert metadata["image/png"]["alt"].startswith(rows)


def test_a_traversal_needs_one_kl_for_each_dimension(decoder, codes, labels):
    """Too few, or not finite: refused with both shapes."""
    for kl in (np.ones(4), np.full(5, np.nan)):
        with pytest.raises(ValueError, match=r"kl has shape .*codes \(60, 5\): pass one finite"):
            LatentTraversal(decoder, codes, labels, kl)


def test_the_mean_of_each_digit_and_its_first_two_images(codes, labels):
    """Ten means, then twenty images whose names tell which they are."""
    points = starting_points(codes, labels)
    assert len(points) == 30
    np.testing.assert_allclose(points["mean of the 3s"], codes[labels == 3].mean(axis=0), atol=1e-6)
    for number in (7, 17):
        np.testing.assert_array_equal(points[f"test image {number}, a 7"], codes[number])


def test_named_classes_and_pictures_without_any_have_points_to_start_from():
    """Means by name, and twenty pictures in all; without classes, the mean of all."""
    codes, labels = np.arange(120.0).reshape(60, 2), np.array(["ant", "cat"])[np.arange(60) % 2]
    points = starting_points(codes, labels)
    assert list(points)[:3] == ["mean of ant", "mean of cat", "test image 0, ant"]
    assert len(points) == 2 + 20
    np.testing.assert_array_equal(points["test image 3, cat"], codes[3])
    points = starting_points(codes, np.full(60, ""))
    assert list(points)[:2] == ["mean of all", "test image 0"] and len(points) == 1 + 20


def test_digits_that_are_not_there_are_left_out():
    """One image of one digit: its mean and itself."""
    points = starting_points(np.ones((1, 4)), np.array([6]))
    assert list(points) == ["mean of the 6s", "test image 0, a 6"]
