"""Starting points: means of digits and real images, by name."""

import numpy as np

from vae_course.explorers.starts import starting_points


def test_the_mean_of_each_digit_and_its_first_two_images(codes, labels):
    """Ten means, then twenty images whose names tell which they are."""
    points = starting_points(codes, labels)
    assert len(points) == 30
    np.testing.assert_allclose(points["mean of the 3s"], codes[labels == 3].mean(axis=0), atol=1e-6)
    for number in (7, 17):
        np.testing.assert_array_equal(points[f"test image {number}, a 7"], codes[number])


def test_digits_that_are_not_there_are_left_out():
    """One image of one digit: its mean and itself."""
    points = starting_points(np.ones((1, 4)), np.array([6]))
    assert list(points) == ["mean of the 6s", "test image 0, a 6"]
