"""Checks of the task to train on a data set of one's own."""

import numpy as np

from vae_course.exercises.compare import Problem, as_array
from vae_course.exercises.verdict import announced, right, to_do, wrong

LEAST = {"my_train": 200, "my_test": 50}


def _images(name, value):
    """Return images as an array, or raise `Problem` with what is wrong with them."""
    if not hasattr(value, "shape"):
        raise Problem(f"{name} is a {type(value).__name__}: a NumPy array of images is due.")
    if tuple(value.shape[1:]) != (28, 28, 1):
        raise Problem(
            f"{name} has shape {tuple(value.shape)}, due is (n, 28, 28, 1): resize the pictures, make "
            "them grey, and add the last axis with [..., None]."
        )
    if len(value) < LEAST[name]:
        raise Problem(f"{name} holds {len(value)} images: {LEAST[name]} or more are due.")
    images = as_array(value)
    if images.min() < 0 or images.max() > 1:
        raise Problem(
            f"{name} runs from {images.min():g} to {images.max():g}: divide so that 0 is paper, 1 ink."
        )
    if np.ptp(images, axis=0).max() < 0.1:
        raise Problem(f"{name} holds the same picture over and over.")
    return images.reshape(len(images), -1).round(4)


def _rows(images):
    return {row.tobytes() for row in images.astype("float32").round(4)}


@announced
def check_own_images(my_train, my_test, course_images):
    """Check images of a student's own: their form, and that no test image is among the training images.

    Args:
        my_train: Images to train on, shape `(n, 28, 28, 1)`, in [0, 1], 200 or more; None where blank.
        my_test: Images to score, as above, 50 or more; None where blank.
        course_images: The course's own training images: they would not be the student's.

    Returns:
        A `Verdict`.
    """
    if my_train is None or my_test is None:
        return to_do("my_train and my_test: make them in the cell above.")
    try:
        train, test = _images("my_train", my_train), _images("my_test", my_test)
    except Problem as problem:
        return wrong(f"{problem}".replace("Its result holds", "The images hold"))
    train, test = _rows(train), _rows(test)
    if train & test:
        return wrong(
            f"{len(train & test)} images of my_test are in my_train, too: a score on what was trained on "
            "says nothing about new images."
        )
    course = _rows(np.asarray(course_images).reshape(len(course_images), -1))
    if len(train & course) > 0.1 * len(train):
        return wrong("These are the course's own digits: find or draw something else.")
    return right(f"{len(my_train):,} images to train on, {len(my_test):,} others to test on.")


@announced
def check_own_vae(vae, my_train, my_test):
    """Check that a VAE has learned from a student's images: it rebuilds new ones better than their mean.

    Args:
        vae: The trained VAE, or None where blank.
        my_train: Images it was trained on.
        my_test: Images that it has not seen.

    Returns:
        A `Verdict`.
    """
    if vae is None or my_train is None or my_test is None:
        return to_do("my_vae: train it in the cell above.")
    from vae_course.losses import gaussian_kl
    from vae_course.models import VAE

    if not isinstance(vae, VAE):
        return wrong(f"my_vae is a {type(vae).__name__}: the VAE of `vae_course.models` is due.")
    mean = np.mean(my_train, axis=0)
    blind = float(np.sum((my_test - mean) ** 2) / len(my_test))
    rebuilt = np.asarray(vae(np.asarray(my_test, "float32")))
    error = float(np.sum((my_test - rebuilt) ** 2) / len(my_test))
    z_mean, z_log_var, _ = vae.encoder(np.asarray(my_test, "float32"))
    kl = float(np.mean(gaussian_kl(z_mean, z_log_var)))
    told = f"error on new images {error:.1f}, that of the mean image {blind:.1f}, KL {kl:.1f} nats"
    if kl < 0.1:
        return wrong(f"{told}: the posterior has collapsed, the code carries nothing.")
    if not error < 0.9 * blind:
        return wrong(f"{told}: it is to be a tenth below at least. More epochs? A higher rate?")
    return right(f"{told}.")
