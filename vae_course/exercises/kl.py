"""Checks around the KL divergence; each knows the usual mistakes by name."""

import itertools

import numpy as np

from vae_course.exercises.compare import (
    check_function,
)
from vae_course.exercises.verdict import announced

# How z_log_var may be read: what is then taken for sigma^2, and for log sigma^2.
_READINGS = {
    "": lambda v: (np.exp(v), v),
    "z_log_var is taken for log sigma, but it is log sigma^2": lambda v: (np.exp(2 * v), 2 * v),
    "sigma^2 is exp(z_log_var): yours is its square": lambda v: (np.exp(2 * v), v),
    "sigma stands where sigma^2 is due": lambda v: (np.exp(v / 2), v),
    "z_log_var is halved as if log sigma were due": lambda v: (np.exp(v), v / 2),
    "z_log_var itself stands where sigma^2 is due: `exp` is missing": lambda v: (v, v),
    "sigma stands where sigma^2 is due, in both places": lambda v: (np.exp(v / 2), v / 2),
}
_SIGNS = {
    "": (1, 1, 1, 1),
    "the sign is wrong: a KL divergence is never negative": (-1, -1, -1, -1),
    "the sign of log sigma^2 is wrong": (1, 1, 1, -1),
    "the sign of mu^2 is wrong": (1, -1, 1, 1),
    "the sign of the 1 is wrong": (1, 1, -1, 1),
}
_MEANS = {"": np.square, "mu is not squared": np.asarray}
_HALVES = {"": 0.5, "the factor 1/2 is missing": 1.0, "there is a factor 1/2 too many": 0.25}
REDUCTIONS = {
    "": lambda a: a.sum(axis=-1),
    "the mean over the latent dimensions is taken, where the sum is due": lambda a: a.mean(axis=-1),
    "all images are summed up to one number, where one number for each image is due": np.sum,
    "one mean of everything is taken, where the sum for each image is due": np.mean,
    "the sum runs over the batch, where it is due over the latent dimensions": lambda a: a.sum(0),
    "the mean runs over the batch, where a sum over the latent dimensions is due": lambda a: a.mean(
        0
    ),
    "the mean over the batch is taken, where one number for each image is due": lambda a: a.sum(
        axis=-1
    ).mean(),
    "nothing is summed: one number for each image is due": lambda a: a,
}


def kl_terms(z_mean, z_log_var):
    """Yield texts and the KL of each dimension, for every way to get it wrong."""
    for (r, read), (s, sign), (m, square), (h, half) in itertools.product(
        _READINGS.items(), _SIGNS.items(), _MEANS.items(), _HALVES.items()
    ):
        variance, log = read(z_log_var)
        terms = sign[0] * variance + sign[1] * square(z_mean) - sign[2] - sign[3] * log
        yield tuple(filter(None, (r, s, m, h))), half * terms


def _kl_mistakes(z_mean, z_log_var):
    for texts, terms in kl_terms(np.float64(z_mean), np.float64(z_log_var)):
        for text, reduce in REDUCTIONS.items():
            yield texts + tuple(filter(None, (text,))), reduce(terms)


def true_kl(z_mean, z_log_var):
    """Return the KL divergence of each image, in NumPy."""
    return 0.5 * np.sum(np.exp(z_log_var) + z_mean**2 - 1.0 - z_log_var, axis=-1)


def draw_posteriors(rng, trial):
    """Draw means and log-variances; the first trial's are few enough to be shown."""
    shape = [(2, 3), (5, 4), (8, 6)][trial]
    return {
        "z_mean": rng.uniform(-2, 2, shape).round(1).astype("float32"),
        "z_log_var": rng.uniform(-1.5, 1.5, shape).round(1).astype("float32"),
    }


@announced
def check_gaussian_kl(function):
    """Check `gaussian_kl(z_mean, z_log_var)`: nats for each image, summed over the latent dimensions.

    Args:
        function: The student's function; its arguments have shape `(batch, latent_dim)`.

    Returns:
        A `Verdict`.
    """
    praise = "Summed over the dimensions, one number for each image."
    return check_function(
        function, "gaussian_kl", draw_posteriors, true_kl, _kl_mistakes, praise, trials=3
    )


def _draw_logs(rng, trial):
    logs = rng.uniform(-3, -0.2, 3).round(2)
    return dict(
        zip(("log_likelihood", "log_prior", "log_posterior"), map(float, logs), strict=True)
    )


def _evidence_mistakes(log_likelihood, log_prior, log_posterior):
    a, b, c = log_likelihood, log_prior, log_posterior
    yield ("the posterior stands below the line: its logarithm is subtracted",), a + b + c
    yield ("the sign is wrong: you have log 1/p(x)",), c - a - b
    yield ("logarithms of factors are added, not multiplied",), a * b / c
    yield ("p(z) is missing: Bayes' rule has three factors",), a - c
    yield ("p(z) stands above the line: its logarithm is added",), a - b - c
    yield ("p(x) itself was returned, where its logarithm is due",), np.exp(a + b - c)
    yield ("that is log p(x, z): one factor of Bayes' rule is still missing",), a + b


@announced
def check_log_evidence(function):
    """Check `log_evidence(log_likelihood, log_prior, log_posterior)`: Bayes' rule, solved for log p(x).

    Args:
        function: The student's function of three numbers.

    Returns:
        A `Verdict`.
    """
    return check_function(
        function,
        "log_evidence",
        _draw_logs,
        lambda log_likelihood, log_prior, log_posterior: log_likelihood + log_prior - log_posterior,
        _evidence_mistakes,
    )


def normal_kl(mean, variance, prior_mean, prior_variance):
    """Return the KL divergence of two normal distributions of one dimension, in nats."""
    ratio = variance / prior_variance
    return 0.5 * (ratio + (mean - prior_mean) ** 2 / prior_variance - 1 - np.log(ratio))


def _draw_normals(rng, trial):
    values = rng.uniform((-2, 0.3, -2, 0.3), (2, 3, 2, 3)).round(1)
    names = ("mean", "variance", "prior_mean", "prior_variance")
    return dict(zip(names, map(float, values), strict=True))


def _normal_mistakes(mean, variance, prior_mean, prior_variance):
    m, v, m0, v0 = mean, variance, prior_mean, prior_variance
    true = normal_kl(m, v, m0, v0)
    yield ("the two distributions are exchanged",), normal_kl(m0, v0, m, v)
    yield (
        ("the arguments are variances, but are squared like deviations",),
        normal_kl(m, v**2, m0, v0**2),
    )
    yield ("deviations stand where variances are due",), normal_kl(m, v**0.5, m0, v0**0.5)
    yield ("the factor 1/2 is missing",), 2 * true
    yield ("the sign is wrong: a KL divergence is never negative",), -true
    yield ("the prior is taken for N(0, 1)",), normal_kl(m, v, 0, 1)
    yield (
        ("the difference of the means is not divided by the prior's variance",),
        0.5 * (v / v0 + (m - m0) ** 2 - 1 - np.log(v / v0)),
    )
    yield ("the sign of the logarithm is wrong",), true + np.log(v / v0)
    yield ("the result is in bits, nats are due",), true / np.log(2)


@announced
def check_kl_normal(function):
    """Check `kl_normal(mean, variance, prior_mean, prior_variance)`, in nats.

    Args:
        function: The student's function of four numbers.

    Returns:
        A `Verdict`.
    """
    return check_function(function, "kl_normal", _draw_normals, normal_kl, _normal_mistakes)
