"""Checks of the reconstruction error and of the whole loss of a VAE."""

import itertools

import numpy as np

from vae_course.exercises.compare import check_function
from vae_course.exercises.kl import REDUCTIONS, draw_posteriors, kl_terms, true_kl
from vae_course.exercises.verdict import announced

_PIXELS = {
    "": lambda d: (d**2).sum(axis=(1, 2, 3)),
    "the mean over the pixels is taken, where the sum is due": lambda d: (d**2).mean(
        axis=(1, 2, 3)
    ),
    "the differences are not squared": lambda d: np.abs(d).sum(axis=(1, 2, 3)),
    "the reconstruction error has a factor 1/2, which the course leaves out": lambda d: (
        0.5 * (d**2).sum(axis=(1, 2, 3))
    ),
    "there is a root too many": lambda d: np.sqrt((d**2).sum(axis=(1, 2, 3))),
}
_LATENT = {text: REDUCTIONS[text] for text in list(REDUCTIONS)[:2]}
_BATCH = {
    "": np.mean,
    "the sum over the batch is taken, where the mean is due": np.sum,
    "one number for each image is given, where their mean is due": np.asarray,
}
_WEIGHTS = {
    "": lambda r, k, b: r + b * k,
    "beta is not used": lambda r, k, b: r + k,
    "beta weighs the reconstruction, but belongs to the KL term": lambda r, k, b: b * r + k,
    "the KL term is missing": lambda r, k, b: r,
    "the KL term is subtracted": lambda r, k, b: r - b * k,
    "the reconstruction error is missing": lambda r, k, b: b * k,
}


def _draw_batch(rng, trial):
    side, batch = (2, 2) if trial == 0 else (7, 5)
    images = rng.uniform(0, 1, (2, batch, side, side, 1)).round(2).astype("float32")
    posteriors = draw_posteriors(rng, trial)
    posteriors = {name: value[:batch] for name, value in posteriors.items()}
    beta = round(float(rng.uniform(1.5, 4)), 1)
    return {"x": images[0], "x_hat": images[1], **posteriors, "beta": beta}


def _loss_mistakes(x, x_hat, z_mean, z_log_var, beta):
    differences = np.float64(x) - np.float64(x_hat)
    kl = list(kl_terms(np.float64(z_mean), np.float64(z_log_var)))
    kl = [(texts, terms) for texts, terms in kl if len(texts) <= 1]
    for (p, pixel), (k, terms), (la, latent), (b, batch), (w, weigh) in itertools.product(
        _PIXELS.items(), kl, _LATENT.items(), _BATCH.items(), _WEIGHTS.items()
    ):
        texts = (*filter(None, (p,)), *k, *filter(None, (la, b, w)))
        if len(texts) <= 3:
            yield texts, batch(weigh(pixel(differences), latent(terms), beta))


@announced
def check_vae_loss(function):
    """Check `vae_loss(x, x_hat, z_mean, z_log_var, beta)`: one number, the mean over the batch.

    Args:
        function: The student's function.

    Returns:
        A `Verdict`.
    """
    return check_function(
        function,
        "vae_loss",
        _draw_batch,
        lambda x, x_hat, z_mean, z_log_var, beta: np.mean(
            _PIXELS[""](np.float64(x) - x_hat) + beta * true_kl(z_mean, z_log_var)
        ),
        _loss_mistakes,
    )


_EACH = {text: reduce for text, reduce in _PIXELS.items() if "1/2" not in text}


def _error_mistakes(x, x_hat):
    d = np.float64(x) - np.float64(x_hat)
    for text, reduce in _EACH.items():
        yield tuple(filter(None, (text,))), reduce(d)
        for batch, gather in list(_BATCH.items())[:2]:
            what = "one number for each image is due, not one " + (
                "sum over the batch" if batch else "mean over the batch"
            )
            yield (*filter(None, (text,)), what), gather(reduce(d))
    yield ("a factor 1/2 is there, which the course leaves out",), 0.5 * _PIXELS[""](d)
    yield ("nothing is summed: one number for each image is due",), d**2


@announced
def check_reconstruction_error(function):
    """Check `reconstruction_error(x, x_hat)`: for each image, the sum of squared differences.

    Args:
        function: The student's function; its arguments have shape `(batch, height, width, 1)`.

    Returns:
        A `Verdict`.
    """

    def draw(rng, trial):
        return {name: value for name, value in _draw_batch(rng, trial).items() if name[0] == "x"}

    return check_function(
        function,
        "reconstruction_error",
        draw,
        lambda x, x_hat: _PIXELS[""](np.float64(x) - x_hat),
        _error_mistakes,
    )
