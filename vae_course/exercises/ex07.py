"""Check exercise 7: likelihoods from logits, importance weights, and their average in logarithms."""

import math

import numpy as np
from scipy import special, stats

from vae_course.exercises.compare import combinations, function_check

_BEST = 0.5 * math.log(2 * math.pi * math.e * 0.02)
NUMBERS = {
    "nats of a pixel": {
        "": _BEST,
        "E / 2 s^2 is missing, which is 1/2 at the best variance": _BEST - 0.5,
        "the sign is wrong: this is the log-likelihood": -_BEST,
        "the factor 1/2 before the logarithm is missing": 2 * _BEST - 0.5,
        "your logarithm has base 10; use the natural one": 0.5 + 0.5 * math.log10(0.04 * math.pi),
        "you take 0.02 for s, but it is s^2": 0.5 * math.log(0.0008 * math.pi) + 0.5,
    }
}

SIGNS = {"": 1, "the sign is wrong: this is minus the log-likelihood": -1}
PIXELS = {
    "": lambda x, a: x * a - np.logaddexp(0, a),
    "the pixels that are 0 are missing: they have log(1 - sigmoid)": lambda x, a: (
        -x * np.logaddexp(0, -a)
    ),
    "x and 1 - x are swapped": lambda x, a: (1 - x) * a - np.logaddexp(0, a),
}
_HELD = (
    "you keep the probability away from 0 and 1, so a pixel never costs much; work with the logit"
)
REDUCTIONS = {
    "": lambda p: p.sum(axis=(1, 2, 3)),
    "you take the mean over the pixels instead of the sum": lambda p: p.mean(axis=(1, 2, 3)),
    "you sum over the batch, but each image needs its own number": np.sum,
    "you take the mean of everything, but each image needs its own sum": np.mean,
}


def _draw_coins(rng, trial):
    shape = [(2, 2, 2, 1), (3, 4, 4, 1), (5, 6, 6, 1)][trial]
    logits = rng.uniform(-3, 3, shape).round(1)
    if trial == 2:  # where a naive formula overflows
        logits[:, 0] *= 300
    return {"x": rng.integers(0, 2, shape).astype("float32"), "logits": logits.astype("float32")}


@function_check("bernoulli_log_likelihood", _draw_coins)
def check_bernoulli_log_likelihood(x, logits):
    """Check `bernoulli_log_likelihood(x, logits)`: nats for each image, summed over the pixels."""
    for text, (sign, pixels, reduce) in combinations(SIGNS, PIXELS, REDUCTIONS):
        yield text, sign * reduce(pixels(np.float64(x), np.float64(logits)))
    for sigmoid in special.expit(logits), special.expit(np.float64(logits)):
        for least in 1e-7, 1e-8, 1e-10, 1e-12:
            p = np.clip(sigmoid, least, 1 - least)
            for black, white in (p, 1 - p), (sigmoid + least, 1 - sigmoid + least):
                with np.errstate(divide="ignore", invalid="ignore"):
                    nats = x * np.log(black) + (1 - x) * np.log(white)
                yield _HELD, nats.sum(axis=(1, 2, 3))


def _draw_factors(rng, trial):
    draws, latent_dim = [(2, 2), (6, 3), (9, 5)][trial]
    return {
        "log_likelihood": rng.uniform(-90, -80, draws).round(1),
        "z": rng.uniform(-2, 2, (draws, latent_dim)).round(1),
        "mean": rng.uniform(-1, 1, latent_dim).round(1),
        "sigma": rng.uniform(0.2, 0.8, latent_dim).round(1),
    }


@function_check("log_weights", _draw_factors)
def check_log_weights(log_likelihood, z, mean, sigma):
    """Check `log_weights(log_likelihood, z, mean, sigma)`: log p(x, z) - log q(z given x) of each draw."""
    log_p, log_q = stats.norm.logpdf(z), stats.norm(mean, sigma).logpdf(z)
    p, q = log_p.sum(axis=1), log_q.sum(axis=1)
    yield "", log_likelihood + p - q
    yield "log q is missing; a weight is a quotient", log_likelihood + p
    yield "log p(z) is missing; p(x, z) has two factors", log_likelihood - q
    yield "log q has to be subtracted, because q is in the denominator", log_likelihood + p + q
    yield "p(z) and q are swapped", log_likelihood - p + q
    yield "log p(x given z) is missing", p - q
    kl = 0.5 * (sigma**2 + mean**2 - 1 - 2 * np.log(sigma)).sum()
    yield (
        "you subtract the KL in closed form, but each draw needs its own weight",
        log_likelihood - kl,
    )
    means = log_likelihood + log_p.mean(axis=1) - log_q.mean(axis=1)
    yield "you take the mean over the latent dimensions, but logarithms of densities add up", means
    variance = stats.norm(mean, sigma**0.5).logpdf(z).sum(axis=1)
    yield "sigma is taken for a variance", log_likelihood + p - variance
    square = stats.norm(mean, sigma**2).logpdf(z).sum(axis=1)
    yield "you square sigma, but SciPy takes the standard deviation", log_likelihood + p - square
    no_scale = -0.5 * ((z - mean) ** 2 / sigma**2 + np.log(2 * np.pi)).sum(axis=1)
    yield "log sigma is missing in log q", log_likelihood + p - no_scale


def _draw_weights(rng, trial):
    draws, images = [(3, 2), (5, 4), (8, 3)][trial]
    log_w = rng.uniform(-3, 2, (draws, images)).round(1)
    return {"log_w": log_w - (800 if trial == 2 else 0)}  # where exp(log_w) is 0


@function_check("importance_bound", _draw_weights)
def check_importance_bound(log_w):
    """Check `importance_bound(log_w)`: the logarithm of the mean weight of each image."""
    total = special.logsumexp(log_w, axis=0)
    right = total - np.log(len(log_w))
    yield "", right
    yield "this is the mean of the logarithms, the ELBO; average the weights", log_w.mean(axis=0)
    yield "log K is missing: the weights are averaged, not added up", total
    yield "log K has the wrong sign", total + np.log(len(log_w))
    images = special.logsumexp(log_w, axis=1) - np.log(log_w.shape[1])
    yield "you average over the images instead of over the draws", images
    both = "you average over the images, too, but each needs its own number"
    yield both, right.mean()
    yield both, special.logsumexp(log_w) - np.log(log_w.size)
    yield "you sum over the batch, but each image needs its own number", right.sum()
    yield "this is the largest weight alone", log_w.max(axis=0)
    yield "the sign is wrong", -right
    yield "the last logarithm is missing", np.exp(right)
