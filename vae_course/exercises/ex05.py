"""Check exercise 5: the loss of a VAE, and a data set of one's own."""

import numpy as np

from vae_course.checks import check_images
from vae_course.exercises.compare import combinations, function_check
from vae_course.exercises.ex01 import PIXELS, draw_images
from vae_course.exercises.ex02 import (
    HALVES,
    MEANS,
    READINGS,
    REDUCTIONS,
    SIGNS,
    draw_posteriors,
    kl_terms,
)
from vae_course.exercises.own_run import are_the_courses, leaking, no_vae
from vae_course.exercises.verdict import NotYet, announced, need
from vae_course.losses import gaussian_kl
from vae_course.models import VAE

_LOSS, _MSE = 28.217, 0.01979
NUMBERS = {
    "KL of the lecture": {
        "": _LOSS - 784 * _MSE,
        "the mean squared error is a mean over 784 pixels, but the loss contains their sum": (
            _LOSS - _MSE
        ),
        "this is the reconstruction error, not the KL term": 784 * _MSE,
        "the lecture's code has no factor of 1/2 in the reconstruction error": _LOSS - 392 * _MSE,
        "an image has 28 x 28 pixels": _LOSS - 28 * _MSE,
    }
}

_LATENT = dict(list(REDUCTIONS.items())[:2])
_BATCH = {
    "": np.mean,
    "you take the sum over the batch instead of the mean": np.sum,
    "you return one number for each image instead of their mean": np.asarray,
}
_WEIGHTS = {
    "": lambda error, kl, beta: error + beta * kl,
    "beta is not used": lambda error, kl, beta: error + kl,
    "beta multiplies the reconstruction error instead of the KL term": lambda error, kl, beta: (
        beta * error + kl
    ),
    "the KL term is missing": lambda error, kl, beta: error,
    "the KL term is subtracted": lambda error, kl, beta: error - beta * kl,
    "the reconstruction error is missing": lambda error, kl, beta: beta * kl,
}


def _draw_batch(rng, trial):
    images = draw_images(rng, trial)
    posteriors = draw_posteriors(rng, trial)
    posteriors = {name: value[: len(images["x"])] for name, value in posteriors.items()}
    return {**images, **posteriors, "beta": round(rng.uniform(1.5, 4), 1)}


@function_check("vae_loss", _draw_batch)
def check_vae_loss(x, x_hat, z_mean, z_log_var, beta):
    """Check `vae_loss(x, x_hat, z_mean, z_log_var, beta)`: one number, the mean over the batch."""
    differences = (np.float64(x) - np.float64(x_hat)).reshape(len(x), -1)
    tables = READINGS, SIGNS, MEANS, HALVES, PIXELS, _LATENT, _BATCH, _WEIGHTS
    for text, (*ways, pixels, latent, batch, weigh) in combinations(*tables, most=3):
        kl = latent(kl_terms(z_mean, z_log_var, *ways))
        yield text, batch(weigh(pixels(differences), kl, beta))


def _checked(name, images, least):
    """Return a student's images, and the set of their bytes, once nothing is wrong with them."""
    images = np.asarray(images)
    if images.shape[1:] == (28, 28):
        raise NotYet(
            f"{name} has shape {images.shape}: add an axis at the end, as in `{name}[..., None]`."
        )
    try:
        check_images(images, (28, 28, 1), name)
    except ValueError as error:
        grey = (
            " Make them grey, with 0 for paper and 1 for ink."
            if "values from" in f"{error}"
            else ""
        )
        raise NotYet(f"{error}{grey}") from error
    if len(images) < least:
        raise NotYet(f"{name} contains {len(images)} images, but at least {least} are needed.")
    if np.ptp(images, axis=0).max() < 0.1:
        raise NotYet(f"{name} contains the same picture again and again.")
    images = np.float32(images)
    different = {image.tobytes() for image in np.round(255 * images)}
    if len(different) < least:
        raise NotYet(
            f"{name} contains {len(images):,} images, but only {len(different)} different ones. At least "
            f"{least} are needed."
        )
    return images, different


@announced
def check_own_images(my_train, my_test, *course_images):
    """Check a student's own images: their format, that test images are new, and that they are the student's.

    Args:
        my_train: At least 200 images to train on, shape `(n, 28, 28, 1)`, in [0, 1]; None if blank.
        my_test: At least 50 images to score, like `my_train`; None if blank.
        *course_images: Arrays of the course's images, which do not count as the student's own.
    """
    need("my_train and my_test: create them in the cell above.", my_train, my_test)
    train, trained = _checked("my_train", my_train, 200)
    test, tested = _checked("my_test", my_test, 50)
    nothing = "A score on training images says nothing about new ones."
    if both := len(trained & tested):
        raise NotYet(f"{both} images of my_test are also in my_train. {nothing}")
    if (share := leaking(train, test)) > 0.1:
        raise NotYet(
            f"{share:.0%} of the images in my_test are nearly the same as one in my_train. {nothing} "
            "Make your pictures vary more, or leave out those that hardly differ."
        )
    if are_the_courses([train, test], course_images):
        raise NotYet("These are the course's own digits. Find or draw something else.")
    return f"{len(train):,} images to train on, and {len(test):,} others to test on."


@announced
def check_own_vae(vae, my_train, my_test):
    """Check that a VAE has learned from a student's images: it must beat the mean image on new ones.

    Args:
        vae: The trained VAE, or None if blank.
        my_train: Images it was trained on.
        my_test: Images that it has not seen.
    """
    need("my_vae: train it in the cell above.", vae, my_train, my_test)
    if not isinstance(vae, VAE):
        raise NotYet(f"{no_vae(vae)} Use the one that is imported at the top of this notebook.")
    images = np.float32(my_test)
    blind = np.sum((images - np.mean(my_train, axis=0)) ** 2) / len(images)
    error = np.sum((images - np.asarray(vae(images))) ** 2) / len(images)
    z_mean, z_log_var, _ = vae.encoder(images)
    kl = float(np.mean(gaussian_kl(z_mean, z_log_var)))
    told = (
        f"The error on new images is {error:.1f}, that of the mean image is {blind:.1f}, and the KL term is "
        f"{kl:.1f} nats."
    )
    if kl < 0.1:
        raise NotYet(f"{told} The code carries no information: the posterior has collapsed.")
    if not error < 0.9 * blind:
        raise NotYet(
            f"{told} The error should be at least a tenth smaller than that of the mean image. Try more "
            "epochs, or a higher learning rate."
        )
    return told
