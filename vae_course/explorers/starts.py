"""Vectors to start from: the mean of each digit, and real test images of it."""

import numpy as np

from vae_course import latent

IMAGES = 2  # of each digit


def starting_points(codes, labels):
    """List starting points by name: the mean of each digit, then its first test images.

    Args:
        codes: Latent vectors of test images, shape `(n, latent_dim)`.
        labels: Their digits, shape `(n,)`.

    Returns:
        Dictionary from name, "mean of the 3s" or "test image 18, a 3", to vector `(latent_dim,)`.
    """
    digits = np.unique(labels)
    means = dict(zip(digits, latent.class_means(codes, labels), strict=True))
    points = {f"mean of the {digit}s": mean for digit, mean in means.items()}
    for digit in digits:
        for number in np.flatnonzero(labels == digit)[:IMAGES]:
            points[f"test image {number}, a {digit}"] = codes[number]
    return points
