"""The checks of the exercises: right answers pass, usual mistakes are named, and nothing does harm."""

import _thread
import ast
import functools
import inspect
import itertools
import json
import re
import sys
import threading
import time
import warnings

import keras
import numpy as np
import pytest
from keras import layers, ops
from pins import ROOT
from scipy import linalg, spatial, special, stats
from sklearn.decomposition import PCA

from vae_course import exercises, losses
from vae_course.exercises import answers, compare, ex04, ex06, ex09, riddles, verdict
from vae_course.models import VAE, Sampling, build_encoder

CHECKS = {name for name in dir(exercises) if name.startswith("check_")}
CODERS = ("check_encoder", "check_decoder")  # slow: they build networks


def told(capsys):
    """Return what was printed, on one line."""
    return " ".join(capsys.readouterr().out.split())


# Right answers, each by another road than the checks' own.


def kl_by_quadrature(mean, variance, prior_mean=0.0, prior_variance=1.0):
    """Average log q - log p over q, by Gauss-Hermite quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(5)  # exact: the logarithms are parabolas
    z = mean + np.sqrt(variance) * nodes
    log_ratio = (
        (z - prior_mean) ** 2 / prior_variance - nodes**2 + np.log(prior_variance / variance)
    )
    return 0.5 * weights @ log_ratio / weights.sum()


def kl_of_each(z_mean, z_log_var):
    """Add up the quadratures of each row."""
    return [
        sum(kl_by_quadrature(m, np.exp(v)) for m, v in zip(means, logs, strict=True))
        for means, logs in zip(np.float64(z_mean), np.float64(z_log_var), strict=True)
    ]


def errors_by_loop(x, x_hat):
    """Add up squares pixel by pixel, in Python."""
    return [
        sum((float(a) - float(b)) ** 2 for a, b in zip(one.flat, other.flat, strict=True))
        for one, other in zip(x, x_hat, strict=True)
    ]


def loss_by_loop(x, x_hat, z_mean, z_log_var, beta):
    """Take the mean of both terms image by image."""
    pairs = zip(errors_by_loop(x, x_hat), kl_of_each(z_mean, z_log_var), strict=True)
    return np.mean([error + beta * kl for error, kl in pairs])


def turned(start, end, t):
    """Turn a direction by the matrix exponential of a rotation in the plane of the two vectors."""
    a, b = start / np.linalg.norm(start), end / np.linalg.norm(end)
    side = b - (a @ b) * a
    side /= np.linalg.norm(side)
    angle = np.arctan2(b @ side, b @ a)
    spin = np.outer(side, a) - np.outer(a, side)
    lengths = np.interp(t, [0, 1], [np.linalg.norm(start), np.linalg.norm(end)])
    return np.array(
        [r * linalg.expm(s * angle * spin) @ a for s, r in zip(t, lengths, strict=True)]
    )


def by_symmetric_root(mean, covariance, eps):
    """Use the symmetric root, where the exercise proposes Cholesky's."""
    return mean + eps @ linalg.sqrtm(covariance)


def drawn_by_layer(z_mean, z_log_var):
    """Draw with the package's layer."""
    return Sampling()([z_mean, z_log_var])


def by_counting(side, kernel, stride, padding):
    """Put stamps on a strip and see how far they reach."""
    if padding == "same":
        return len(np.zeros(side).repeat(stride))
    strip = {s * stride + k for s in range(side) for k in range(max(kernel, stride))}
    return len(strip)


def monte_carlo(mean, sigma, n, rng):
    """Draw from q by turning standard normal numbers into it."""
    eps = rng.standard_normal(n)
    z = mean + sigma * eps
    return np.mean(0.5 * (z**2 - eps**2) - np.log(sigma))


def by_grouping(z, labels, amount):
    """Sort each class by amount and halve it."""
    rows = []
    for label in set(labels.tolist()):
        order = [i for i in np.argsort(amount) if labels[i] == label]
        half = (len(order) + 1) // 2
        rows.append(z[order[half:]].mean(axis=0) - z[order[:half]].mean(axis=0))
    return sum(rows) / len(rows)


def by_digit(z, labels, amount, weigh=False, common=False):
    """Loop over the ten digits, as lesson 6 does."""
    steps = []
    for digit in range(10):
        mine, own = z[labels == digit], amount[labels == digit]
        upper = own > np.median(amount if common else own)
        steps.append(mine[upper].mean(axis=0) - mine[~upper].mean(axis=0))
    return np.average(steps, axis=0, weights=np.bincount(labels) if weigh else None)


def all_halves_together(z, labels, amount):
    """Put the upper halves of all classes together, and the lower ones."""
    upper = amount > np.array([np.median(amount[labels == label]) for label in labels])
    return z[upper].mean(axis=0) - z[~upper].mean(axis=0)


def encoder(
    latent_dim, activation=None, padding="same", bias=True, filters=(16, 32), pool=2, relu="relu"
):
    """Build the encoder of exercise 1, or one with a mistake."""
    image = keras.Input((28, 28, 1))
    x = image
    for n in filters:
        options = {"padding": padding, "activation": relu, "use_bias": bias}
        x = layers.Conv2D(n, 3, **options)(x)
        x = layers.MaxPooling2D(pool)(x)
    code = layers.Dense(latent_dim, activation=activation)(layers.Flatten()(x))
    return keras.Model(image, code)


def encoder_pooling_last(latent_dim):
    """Build one in which both convolutions come before both poolings: as many parameters."""
    x = image = keras.Input((28, 28, 1))
    for n in (16, 32):
        x = layers.Conv2D(n, 3, padding="same", activation="relu")(x)
    for _ in range(2):
        x = layers.MaxPooling2D(2)(x)
    return keras.Model(image, layers.Dense(latent_dim)(layers.Flatten()(x)))


def decoder(latent_dim, kernel=4, last="sigmoid", up=False, first="relu", maps=(32, 16)):
    """Build the decoder of exercise 4, or one with a mistake."""
    z = keras.Input((latent_dim,))
    x = layers.Reshape((7, 7, maps[0]))(layers.Dense(49 * maps[0], activation=first)(z))
    for n, activation in (maps[1], first), (1, last):
        x = layers.UpSampling2D(2)(x) if up else x
        options = {"strides": 1 if up else 2, "padding": "same", "activation": activation}
        x = layers.Conv2DTranspose(n, kernel, **options)(x)
    return keras.Model(z, x)


def coins_one_by_one(x, logits):
    """Look up each pixel's probability, in 64 bits so that little is lost, and add logarithms."""
    log_p = np.where(x == 1, special.log_expit(logits), special.log_expit(-np.float64(logits)))
    return [picture.sum() for picture in log_p]


def weights_as_quotients(log_likelihood, z, mean, sigma):
    """Multiply densities before the logarithm is taken."""
    prior = np.prod(np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), axis=1)
    q = np.prod(np.exp(-(((z - mean) / sigma) ** 2) / 2) / sigma / np.sqrt(2 * np.pi), axis=1)
    return log_likelihood + np.log(prior / q)


def bound_from_the_largest(log_w):
    """Take the largest weight out of the sum."""
    top = log_w.max(axis=0)
    return top + np.log(np.exp(log_w - top).mean(axis=0))


def divergences_one_by_one(z_mean, z_log_var):
    """Integrate dimension by dimension, and add up over the images."""
    columns = zip(np.float64(z_mean).T, np.float64(z_log_var).T, strict=True)
    return [
        sum(kl_by_quadrature(m, np.exp(v)) for m, v in zip(*column, strict=True)) / len(z_mean)
        for column in columns
    ]


def units_by_pairs(z_mean, threshold):
    """Take the variance as half the mean square of the differences between any two images."""
    differences = z_mean[:, None].astype(float) - z_mean[None]
    return sum((d**2).mean() / 2 > threshold for d in np.moveaxis(differences, 2, 0))


def beta_by_halving(rate, betas, rates, distortions):
    """Halve the interval between the neighbours, on logarithmic axes, until nothing is left of it."""
    place = next(i for i in range(len(rates)) if rates[i + 1] <= rate <= rates[i])
    (low, high), (most, least) = betas[place : place + 2], rates[place : place + 2]
    for _ in range(60):
        middle, half = (low * high) ** 0.5, (most * least) ** 0.5
        low, most, high, least = (
            (middle, half, high, least) if half > rate else (low, most, middle, half)
        )
    return low


def free_by_loop(kl, free):
    """Pay for each dimension in turn."""
    return sum(
        free if sum(column) / len(column) < free else sum(column) / len(column) for column in kl.T
    )


def doubles_one_by_one(train, test, limit):
    """Compare two pictures at a time, in Python."""

    def distance(a, b):
        pairs = list(zip(a.ravel().tolist(), b.ravel().tolist(), strict=True))
        return (sum((p / 255 - q) ** 2 for p, q in pairs) / len(pairs)) ** 0.5

    return [any(distance(a, b) < limit for a in train) for b in test]


def pca_by_eigenvectors(train, test, k):
    """Measure what is left outside of the directions of largest variance."""
    centred = test - train.mean(axis=0)
    _, directions = linalg.eigh(np.cov(train.T))
    return np.mean(np.sum((centred @ directions[:, :-k]) ** 2, axis=1))


RIGHT = {
    "check_leaks": doubles_one_by_one,
    "check_pca_error": pca_by_eigenvectors,
    "check_kl_per_dimension": divergences_one_by_one,
    "check_active_units": units_by_pairs,
    "check_beta_for_rate": beta_by_halving,
    "check_free_bits_kl": free_by_loop,
    "check_bernoulli_log_likelihood": coins_one_by_one,
    "check_log_weights": weights_as_quotients,
    "check_importance_bound": bound_from_the_largest,
    "check_gaussian_kl": kl_of_each,
    "check_log_evidence": lambda a, b, c: np.log(np.exp(a) * np.exp(b) / np.exp(c)),
    "check_kl_normal": kl_by_quadrature,
    "check_kl_monte_carlo": monte_carlo,
    "check_reconstruction_error": errors_by_loop,
    "check_vae_loss": loss_by_loop,
    "check_nearest_distance": lambda places, codes: spatial.cKDTree(codes).query(places)[0],
    "check_interpolate": lambda a, b, t: (
        np.array([np.interp(t, [0, 1], ab) for ab in zip(a, b, strict=True)]).T
    ),
    "check_slerp": turned,
    "check_arithmetic": lambda means, a, b, c: np.eye(4)[[a, c]].sum(0) @ means - means[b],
    "check_property_vector": by_grouping,
    "check_sample": drawn_by_layer,
    "check_score_gradient": lambda values, eps, sigma: [
        v * (sigma * e) / sigma**2 for v, e in zip(values, eps, strict=True)
    ],
    "check_sample_full": by_symmetric_root,
    "check_transposed_side": by_counting,
    "check_up_sample": lambda picture: np.kron(picture, np.ones((2, 2))),
    "check_encoder": encoder,
    "check_decoder": decoder,
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_right_answer_passes_and_a_copied_one_does_not(name, capsys):
    """Right by another road than the check's own, each time; what was right once is wrong the next time."""
    check, kept = getattr(exercises, name), []

    def recording(*args):
        kept.append(RIGHT[name](*args))
        return kept[-1]

    found = check(recording)
    assert found and found.points(3) == 3, told(capsys)
    if name in CODERS:  # the first again: the second would fit by chance once in a while
        kept = kept[:1]
    for _ in range(1 if name in CODERS else 4):
        played = itertools.cycle(kept)
        assert not check(lambda *args, played=played: next(played)), told(capsys)
        assert check(RIGHT[name]), told(capsys)


def kl(reduce, half=0.5, **change):
    """Make a KL function with a mistake, written with Keras' functions."""
    read = change.get("read", lambda v: (ops.exp(v), v))
    sign = change.get("sign", 1)

    def gaussian_kl(z_mean, z_log_var):
        variance, log = read(ops.convert_to_tensor(z_log_var))
        return sign * half * reduce(variance + ops.square(z_mean) - 1.0 - log)

    return gaussian_kl


def over_dimensions(a):
    return ops.sum(a, axis=-1)


def whole_loss(pixels=ops.sum, latent=ops.sum, batch=ops.mean, half=0.5, beta_on="kl", sign=1):
    """Make a VAE loss with a mistake."""

    def vae_loss(x, x_hat, z_mean, z_log_var, beta):
        error = pixels(ops.square(x - x_hat), axis=(1, 2, 3))
        terms = half * latent(ops.exp(z_log_var) + z_mean**2 - 1 - z_log_var, axis=1)
        weights = {"kl": (1, beta), "error": (beta, 1), "nothing": (1, 1)}[beta_on]
        return batch(weights[0] * error + sign * weights[1] * terms)

    return vae_loss


def sampler(width=lambda v: ops.exp(0.5 * v), shape=ops.shape, shift=0.0, seed=None):
    """Make a sampler with a mistake."""

    def sample(z_mean, z_log_var):
        eps = keras.random.normal(shape(z_mean), seed=seed)
        return z_mean + shift + width(z_log_var) * eps

    return sample


def without_gradient(z_mean, z_log_var):
    return np.random.normal(z_mean, np.exp(0.5 * np.asarray(z_log_var)))


def zero_gradient(z_mean, z_log_var):
    return without_gradient(z_mean, z_log_var) + 0.0 * z_mean + 0.0 * z_log_var


def half_a_zero(z_mean, z_log_var):
    return half_a_gradient(z_mean, z_log_var) + 0.0 * z_log_var


def half_a_gradient(z_mean, z_log_var):
    sigma = ops.stop_gradient(ops.exp(0.5 * z_log_var))
    return z_mean + sigma * keras.random.normal(ops.shape(z_mean))


def uniform(z_mean, z_log_var):
    eps = keras.random.uniform(ops.shape(z_mean), -(3**0.5), 3**0.5)
    return z_mean + ops.exp(0.5 * z_log_var) * eps


def from_the_prior(mean, sigma, n, rng):
    """Average log q - log p over p."""
    z = rng.standard_normal(n)
    return np.mean(0.5 * (z**2 - ((z - mean) / sigma) ** 2) - np.log(sigma))


def lines_of_solutions():
    """List the lines of all solutions of the exercises that hold a piece of code."""
    for path in sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            for part in re.findall(r"BEGIN SOLUTION\n(.*?)### END", source, re.S):
                lines = (line.split("  #")[0].strip() for line in part.splitlines())
                yield from (line.removeprefix("return ") for line in lines if len(line) > 12)


SOLUTIONS = set(lines_of_solutions())
assert len(SOLUTIONS) > 40


def naive(x, a, added=0):
    """Take the logarithm of a sigmoid that has been rounded to 0 or 1, perhaps with something added."""
    p = special.expit(a)
    return (x * np.log(p + added) + (1 - x) * np.log(1 - p + added)).sum(axis=(1, 2, 3))


def clipped(least, dtype="float32"):
    """Keep the probability away from 0 and 1, as Keras does, in 32 or 64 bits."""

    def log_likelihood(x, a):
        p = np.clip(1 / (1 + np.exp(-a.astype(dtype))), least, 1 - least)
        return (x * np.log(p) + (1 - x) * np.log(1 - p)).sum(axis=(1, 2, 3))

    return log_likelihood


def wrong_weights(prior=1, q=-1, likelihood=1, sums=np.sum, power=1):
    """Make log weights with a mistake."""

    def log_weights(log_likelihood, z, mean, sigma):
        log_p = sums(stats.norm.logpdf(z), axis=1)
        log_q = sums(stats.norm.logpdf(z, mean, sigma**power), axis=1)
        return likelihood * log_likelihood + prior * log_p + q * log_q

    return log_weights


def on_axes(b=np.log, r=np.log, back=np.exp):
    """Make an interpolation with a mistake."""

    def beta_for_rate(rate, betas, rates, distortions):
        return back(np.interp(r(rate), r(rates)[::-1], b(betas)[::-1]))

    return beta_for_rate


def same(a):
    return a


def doubles(scale=255, power=0.5, pair=lambda d: (d**2).mean(axis=(2, 3, 4)), axis=1):
    """Make a search for leaks with a mistake."""

    def leaks(train, test, limit):
        return (pair(test[:, None] - train[None] / scale) ** power).min(axis=axis) < limit

    return leaks


def pca_of(
    fit, pictures=lambda train, test: test, more=0, end=lambda e: np.mean(np.sum(e**2, axis=1))
):
    """Make an error of PCA with a mistake."""

    def pca_error(train, test, k):
        x, pca = pictures(train, test), PCA(k + more).fit(fit(train, test))
        return end(x - pca.inverse_transform(pca.transform(x)))

    return pca_error


def first(train, test):
    return train


NAMED = {
    "check_leaks": [
        (lambda a, b, t: doubles_one_by_one(a[..., :1], b[..., :1], t), "the first channel alone"),
        (doubles(scale=1), "bytes from 0 to 255"),
        (doubles(axis=0), "which training pictures"),
        (lambda a, b, t: np.sqrt(((b - a[: len(b)] / 255) ** 2).mean(axis=(1, 2, 3))) < t, "the same number"),
        (doubles(power=1), "the root is missing"),
        (doubles(pair=lambda d: (d**2).sum(axis=(2, 3, 4))), "you sum over the pixels"),
        (doubles(power=1, pair=lambda d: np.abs(d).mean(axis=(2, 3, 4))), "the mean absolute difference"),
        (lambda *a: ~np.array(doubles_one_by_one(*a)), "do not leak"),
        (lambda *a: np.sum(doubles_one_by_one(*a)), "this is their number"),
        (lambda *a: np.mean(doubles_one_by_one(*a)), "this is their share"),
        (lambda a, b, t: np.sqrt(((b[:, None] - a / 255) ** 2).mean(axis=(2, 3, 4))).min(axis=1),
         "the smallest difference itself"),
    ],
    "check_pca_error": [
        (pca_of(lambda train, test: test), "fitted to the test pictures"),
        (pca_of(lambda *both: np.concatenate(both)), "fitted to all pictures"),
        (pca_of(first, first), "the error of the training pictures"),
        (lambda a, b, k: np.mean(np.sum((b - b @ (v := linalg.svd(a)[2][:k]).T @ v) ** 2, axis=1)),
         "the mean picture is not subtracted"),
        (pca_of(first, more=1), "k + 1 components"),
        (lambda a, b, k: np.mean(np.sum((b - a.mean(axis=0)) ** 2, axis=1)), "no component is used"),
        (pca_of(first, end=lambda e: np.mean(e**2)), "the mean over the pixels"),
        (pca_of(first, end=lambda e: np.sum(e**2)), "you sum over the pictures"),
        (pca_of(first, end=lambda e: np.abs(e).sum(axis=1).mean()), "not squared"),
        (pca_of(first, end=lambda e: np.sqrt(np.mean(np.sum(e**2, axis=1)))), "you take the root"),
    ],
    "check_kl_per_dimension": [
        (lambda m, v: np.array(kl_of_each(m, v)), "you sum over the latent dimensions"),
        (lambda m, v: np.mean(kl_of_each(m, v)), "you add up the dimensions"),
        (lambda m, v: np.array(kl_of_each(m, v)) / m.shape[1], "you take the mean over the latent"),
        (lambda m, v: np.array(divergences_one_by_one(m, v)) * len(m), "you sum over the batch"),
        (kl(lambda a: ops.mean(a, axis=0), half=1.0), "the factor 1/2 is missing"),
        (kl(lambda a: ops.mean(a, axis=0), sign=-1), "the sign is wrong"),
        (kl(lambda a: ops.mean(a, axis=0), read=lambda v: (ops.exp(v / 2), v)), "you use sigma instead"),
        (kl(lambda a: ops.mean(a, axis=0), read=lambda v: (ops.exp(2 * v), 2 * v)), "treated as log sigma,"),
        (kl(lambda a: a), "you do not take the mean over the images"),
        (kl(ops.mean), "you take the mean of everything"),
        (kl(ops.sum), "you sum over everything"),
    ],
    "check_active_units": [
        (lambda z, t: (z.var(axis=1) > t).sum(), "the variance over the dimensions"),
        (lambda z, t: (z.std(axis=0) > t).sum(), "the standard deviation"),
        (lambda z, t: int(z.var() > t), "the variance of everything"),
        (lambda z, t: ((z**2).mean(axis=0) > t).sum(), "the mean square instead of the variance"),
        (lambda z, t: (0.5 * (z**2).mean(axis=0) > t).sum(), "the KL of the means"),
        (lambda z, t: (z.mean(axis=0) > t).sum(), "compare the mean over the images"),
        (lambda z, t: (abs(z).mean(axis=0) > t).sum(), "compare the mean absolute value"),
        (lambda z, t: (z.var(axis=0) < t).sum(), "that are not active"),
        (lambda z, t: (z.var(axis=0) > 0.01).sum(), "compare with 0.01"),
        (lambda z, t: (z.var(axis=0) > t).mean(), "the fraction"),
        (lambda z, t: z.var(axis=0) > t, "tells which dimensions"),
        (lambda z, t: z.var(axis=0), "the variances themselves"),
    ],
    "check_beta_for_rate": [
        (on_axes(same, same, same), "linear axes"),
        (on_axes(r=same), "the logarithm of the rates is missing"),
        (on_axes(b=same, back=same), "the logarithm of the betas is missing"),
        (on_axes(back=same), "the last exp is missing"),
        (lambda r, b, rs, d: np.exp(np.interp(np.log(r), np.log(rs)[::-1], np.log(b))), "not the betas"),
        (lambda r, b, rs, d: np.exp(np.interp(np.log(r), np.log(rs), np.log(b))), "in rising order"),
        (lambda r, b, rs, d: b[rs > r][-1], "this is a beta of the table"),
        (lambda r, b, rs, d: b[rs < r][0], "this is a beta of the table"),
        (lambda r, b, rs, d: b[abs(rs - r).argmin()], "this is a beta of the table"),
        (lambda r, b, rs, d: beta_by_halving(r, b[[0, -1]], rs[[0, -1]], d), "from the first to the last"),
        (lambda r, b, rs, d: (b[rs > r][-1] * b[rs < r][0]) / beta_by_halving(r, b, rs, d), "are swapped"),
        (lambda r, b, rs, d: np.exp(np.interp(np.log(r), np.log(d), np.log(b))), "rate and distortion"),
        (lambda r, b, rs, d: np.interp(r, d, b), "rate and distortion are swapped; and"),
        (lambda r, b, rs, d: np.exp(np.interp(np.log(r), np.log(b), np.log(rs))), "this is a rate"),
    ],
    "check_free_bits_kl": [
        (lambda kl, free: np.maximum(kl, free).mean(axis=0).sum(), "before the mean over the batch"),
        (lambda kl, free: np.minimum(kl.mean(axis=0), free).sum(), "you take the minimum"),
        (lambda kl, free: np.maximum(kl.mean(axis=0) - free, 0).sum(), "you subtract what is free"),
        (lambda kl, free: max(kl.mean(axis=0).sum(), free), "you compare the total with the limit, but"),
        (lambda kl, free: max(kl.mean(axis=0).sum(), free * kl.shape[1]), "of all dimensions together"),
        (lambda kl, free: np.maximum(kl.sum(axis=1), free).mean(), "each image's total"),
        (lambda kl, free: np.maximum(kl.mean(axis=0), free).mean(), "mean over the dimensions instead"),
        (lambda kl, free: np.maximum(kl.mean(axis=0), free), "you do not sum over the dimensions"),
        (lambda kl, free: np.maximum(kl.sum(axis=0), free).sum(), "you sum over the batch"),
        (lambda kl, free: np.maximum(kl.mean(axis=1), free).sum(), "mean over the dimensions first"),
        (lambda kl, free: kl.mean(axis=0).sum(), "free is not used"),
        (lambda kl, free: (kl.mean(axis=0) + free).sum(), "you add what is free"),
    ],
    "check_bernoulli_log_likelihood": [
        (lambda x, a: -np.array(coins_one_by_one(x, a)), "this is minus the log-likelihood"),
        (lambda x, a: coins_one_by_one(1 - x, a), "x and 1 - x are swapped"),
        (lambda x, a: (x * special.log_expit(a)).sum(axis=(1, 2, 3)), "pixels that are 0 are missing"),
        (lambda x, a: np.array(coins_one_by_one(x, a)) / x[0].size, "mean over the pixels"),
        (lambda x, a: np.sum(coins_one_by_one(x, a)), "sum over the batch"),
        (naive, "contains NaN (not a number). Is there a division by zero, a root"),
        (clipped(1e-7), "you keep the probability away from 0 and 1"),
        (clipped(1e-12, np.float64), "you keep the probability away from 0 and 1"),
        (lambda x, a: naive(x, a.astype(float), added=1e-8), "you keep the probability away from 0 and 1"),
    ],
    "check_log_weights": [
        (wrong_weights(q=0), "log q is missing"),
        (wrong_weights(prior=0), "log p(z) is missing"),
        (wrong_weights(q=1), "log q has to be subtracted"),
        (wrong_weights(prior=-1, q=1), "p(z) and q are swapped"),
        (wrong_weights(likelihood=0), "log p(x given z) is missing"),
        (wrong_weights(sums=np.mean), "mean over the latent dimensions"),
        (wrong_weights(power=0.5), "taken for a variance"),
        (wrong_weights(power=2), "you square sigma"),
        (lambda p, z, m, s: p - 0.5 * (s**2 + m**2 - 1 - 2 * np.log(s)).sum(), "the KL in closed form"),
    ],
    "check_importance_bound": [
        (lambda w: w.mean(axis=0), "this is the mean of the logarithms, the ELBO"),
        (lambda w: special.logsumexp(w, axis=0), "log K is missing"),
        (lambda w: special.logsumexp(w, axis=0) + np.log(len(w)), "log K has the wrong sign"),
        (lambda w: special.logsumexp(w, axis=1) - np.log(w.shape[1]), "instead of over the draws"),
        (lambda w: bound_from_the_largest(w).mean(), "average over the images, too"),
        (lambda w: bound_from_the_largest(w).sum(), "sum over the batch"),
        (lambda w: w.max(axis=0), "the largest weight alone"),
        (lambda w: -bound_from_the_largest(w), "the sign is wrong"),
        (lambda w: np.log(np.exp(w).mean(axis=0)), "an infinite number"),
    ],
    "check_gaussian_kl": [
        (kl(lambda a: ops.mean(a, axis=-1)), "mean over the latent dimensions instead of the sum"),
        (kl(over_dimensions, read=lambda v: (ops.exp(v / 2), v)), "you use sigma instead of sigma^2."),
        (kl(over_dimensions, read=lambda v: (ops.exp(2 * v), 2 * v)), "is treated as log sigma"),
        (kl(over_dimensions, read=lambda v: (v, v)), "an `exp` is missing"),
        (kl(over_dimensions, half=1.0), "factor 1/2 is missing"),
        (kl(over_dimensions, half=0.25), "factor of 1/2 too many"),
        (kl(over_dimensions, sign=-1), "the sign is wrong"),
        (kl(ops.sum), "you sum over all images"),
        (kl(lambda a: ops.sum(a, axis=0)), "sum over the batch instead of"),
        (kl(lambda a: a), "you do not sum"),
        (kl(lambda a: ops.mean(a, axis=-1), half=1.0),
         "1/2 is missing; and you take the mean over the latent dimensions"),
    ],
    "check_vae_loss": [
        (whole_loss(pixels=ops.mean), "mean over the pixels"),
        (whole_loss(latent=ops.mean), "mean over the latent dimensions"),
        (whole_loss(batch=ops.sum), "sum over the batch instead of the mean"),
        (whole_loss(batch=lambda a: a), "one number for each image instead of their mean"),
        (whole_loss(half=1.0), "factor 1/2 is missing"),
        (whole_loss(sign=-1), "the KL term is subtracted"),
        (whole_loss(beta_on="nothing"), "beta is not used"),
        (whole_loss(beta_on="error"), "beta multiplies the reconstruction"),
        (whole_loss(latent=ops.mean, batch=ops.sum),
         "latent dimensions instead of the sum; and you take the sum over the batch"),
    ],
    "check_sample": [
        (zero_gradient, "its gradient for z_mean is zero"),
        (half_a_zero, "its gradient for z_log_var is zero"),
        (without_gradient, "without reparameterization, so no gradient"),
        (half_a_gradient, "no gradient passes from z to z_log_var"),
        (sampler(shape=lambda m: (1, 3)), "same eps is used for the whole batch"),
        (sampler(shape=lambda m: (ops.shape(m)[0], 1)), "same eps is used for all latent dimensions"),
        (sampler(width=ops.exp), "sigma^2 instead of sigma"),
        (sampler(width=lambda v: v), "z_log_var itself is used as the standard deviation"),
        (sampler(width=lambda v: v / 2), "half of z_log_var is used"),
        (sampler(width=lambda v: ops.exp(v / 4)), "halved once too often"),
        (sampler(width=lambda v: ops.exp(2 * v)), "the exponent is doubled"),
        (sampler(width=lambda v: ops.exp(0.5 * v) * 1.5), "the noise is not sigma"),
        (sampler(width=ops.ones_like), "no gradient passes from z to z_log_var"),
        (sampler(seed=1), "noise is the same at every call"),
        (sampler(shift=0.5), "on average z is not z_mean"),
        (sampler(shift=3.0), "on average z is not z_mean"),
        (lambda m, v: m + 0.0 * v, "there is no noise"),
        (uniform, "the noise is not normal"),
        (sampler(width=ops.exp, shape=lambda m: (1, 3)), "same eps is used for the whole batch"),
    ],
    "check_log_evidence": [
        (lambda a, b, c: a + b + c, "in the denominator"),
        (lambda a, b, c: c - a - b, "the sign is wrong"),
        (lambda a, b, c: a * b / c, "multiply the logarithms"),
    ],
    "check_kl_normal": [
        (lambda m, v, m0, v0: kl_by_quadrature(m0, v0, m, v), "are swapped"),
        (lambda m, v, m0, v0: kl_by_quadrature(m, v**2, m0, v0**2), "variances already"),
        (lambda m, v, m0, v0: 2 * kl_by_quadrature(m, v, m0, v0), "1/2 is missing"),
    ],
    "check_kl_monte_carlo": [
        (lambda *a: -monte_carlo(*a), "the sign is wrong"),
        (lambda *a: monte_carlo(*a) / np.log(2), "bits"),
        (lambda *a: monte_carlo(*a) * a[2], "the sum over the draws"),
        (lambda m, s, n, rng: monte_carlo(m, s**0.5, n, rng), "you use sigma as a variance"),
        (lambda m, s, n, rng: monte_carlo(m, s**2, n, rng), "you square sigma"),
        (from_the_prior, "you draw from p, the prior"),
        (lambda *a: -from_the_prior(*a), "KL[p || q] instead of"),
        (lambda m, s, n, rng: kl_by_quadrature(m, s**2), "exactly the same twice"),
        (lambda m, s, n, rng: rng.normal(1.5, 0.01), "gives a different result"),
        (lambda m, s, n, rng: kl_by_quadrature(m, s**2) + rng.normal(0, 1e-3), "than the mean of 50 random"),
        (lambda m, s, n, rng: monte_carlo(m, s, 200_000, rng), "than the mean of 50 random"),
    ],
    "check_reconstruction_error": [
        (lambda x, y: np.mean((x - y) ** 2, axis=(1, 2, 3)), "mean over the pixels"),
        (lambda x, y: np.sum((x - y) ** 2), "you sum over the batch"),
        (lambda x, y: np.abs(x - y).sum(axis=(1, 2, 3)), "not squared"),
    ],
    "check_nearest_distance": [
        (lambda p, c: spatial.distance.cdist(p, c).mean(axis=1), "mean distance"),
        (lambda p, c: spatial.distance.cdist(p, c, "sqeuclidean").min(axis=1), "root is missing"),
        (lambda p, c: spatial.distance.cdist(p, c).min(axis=0), "instead of the reverse"),
    ],
    "check_interpolate": [
        (lambda a, b, t: np.outer(1 - t, b) + np.outer(t, a), "are swapped"),
        (turned, "the curved path instead"),
    ],
    "check_slerp": [
        (lambda a, b, t: np.outer(1 - t, a) + np.outer(t, b), "the straight path"),
        (lambda a, b, t: turned(a, b / np.linalg.norm(b) * np.linalg.norm(a), t), "length stays"),
    ],
    "check_arithmetic": [(lambda m, a, b, c: m[a] + m[b] - m[c], "plus and minus are swapped")],
    "check_property_vector": [
        (lambda z, y, a: z[a > np.median(a)].mean(axis=0) - z[a <= np.median(a)].mean(axis=0),
         "each class has its own halves"),
        (lambda *a: -by_grouping(*a), "the sign is wrong"),
        (lambda z, y, a: -by_grouping(z, y, -a), "an image at the median belongs to the lower half"),
        (lambda *a: by_digit(*a, weigh=True), "you weigh the differences by the sizes"),
        (lambda *a: by_digit(*a, common=True), "you use the median of all images"),
        (all_halves_together, "you put the halves of all classes together"),
    ],
    "check_score_gradient": [
        (lambda f, e, s: f * e, "division by sigma is missing"),
        (lambda f, e, s: f * (e**2 - 1) / 2, "score for log sigma^2"),
    ],
    "check_sample_full": [
        (lambda m, c, e: m + e @ c, "you use the covariance itself"),
        (lambda m, c, e: m + e @ np.sqrt(np.abs(c)), "the root of each entry"),
        (lambda m, c, e: m + e @ np.linalg.cholesky(c), "L is transposed"),
        (lambda m, c, e: m + e * np.sqrt(np.diag(c)), "L is diagonal, so only the variances"),
    ],
    "check_transposed_side": [
        (lambda i, k, s, p: -(-i // s) if p == "same" else (i - k) // s + 1, "after a convolution"),
        (lambda i, k, s, p: i * s if p == "same" else (i - 1) * s + k, "pads up to the stride"),
        (lambda i, k, s, p: i * s, 'with "same", whatever'),
        (lambda i, k, s, p: i if p == "same" else i - 1 + k, "the stride is not used"),
    ],
    "check_up_sample": [
        (lambda p: np.tile(p, (2, 2)), "the picture is tiled"),
        (lambda p: p.repeat(2, axis=0), "only the rows are doubled"),
        (lambda p: np.kron(p, [[1, 0], [0, 0]]), "zeros between the pixels"),
    ],
    "check_encoder": [
        (lambda n: encoder(n, activation="relu"), "the code has an activation"),
        (lambda n: encoder(n, activation="tanh"), "the code has an activation"),
        (lambda n: encoder(n, activation="leaky_relu"), "the code has an activation"),
        (encoder_pooling_last, "steps are ['convolution', 'convolution', 'pooling', 'pooling']"),
        (lambda n: encoder(7), "whatever latent_dim is"),
        (lambda n: encoder(n, padding="valid"), "(\"same\" keeps the size of an image) are ['valid'"),
        (lambda n: encoder(n, bias=False), "the parameters for latent_dim ="),
        (lambda n: encoder(n, filters=(32, 16)), "are [32, 16], but should be [16, 32]"),
        (lambda n: encoder(n, filters=(16,)), "kernels of the Conv2D layers are [16], but"),
        (lambda n: encoder(n, pool=(1, 2)), "sizes of the poolings are [(1, 2), (1, 2)]"),
        (lambda n: keras.Sequential([layers.Flatten(), layers.Dense(n)]), "Start with keras.Input"),
        (build_encoder, "ready-made from vae_course"),
    ],
    "check_decoder": [
        (lambda n: decoder(7), "whatever latent_dim is"),
        (lambda n: decoder(n, up=True), "UpSampling2D layers (here pictures grow by strides) are 2"),
        (lambda n: decoder(n, kernel=3), "not a multiple of the stride"),
        (lambda n: decoder(n, last=None), "grey values lie between 0 and 1"),
        (lambda n: decoder(n, maps=(2, 16)), "units of the Dense layers are [98], but"),
        (lambda n: decoder(n, maps=(32, 3)), "channels after each stride are [3, 1], but"),
        (lambda n: decoder(n, first=None), "activations before the last layer are ['linear', 'linear']"),
        (encoder, "are ((None, 28, 28, 1), (None, "),
    ],
}  # fmt: skip
ALL_NAMED = [(name, *mistake) for name, mistakes in NAMED.items() for mistake in mistakes]


@pytest.mark.parametrize(
    ("name", "function", "words"), ALL_NAMED, ids=[f"{n[6:]}-{w[:28]}" for n, _, w in ALL_NAMED]
)
def test_a_usual_mistake_is_named(name, function, words, capsys):
    """In words, each time, whatever the inputs are; and no message holds a line of a solution."""
    for _ in range(1 if name in CODERS else 4):
        found = getattr(exercises, name)(function)
        text = told(capsys)
        assert not found and found.points(5) == 0
        assert words in text
        assert not [line for line in SOLUTIONS if line in text]


def test_an_unusual_mistake_is_shown_on_an_input(capsys):
    """What it gives, what was expected, and on which numbers: the student can redo it."""
    exercises.check_arithmetic(lambda means, start, minus, plus: means[start] * 0 + 0.123)
    text = told(capsys)
    assert "arithmetic gives a different result" in text and "yours = [0.123" in text
    parts = re.findall(r"(\w+) = (.*?)(?= \w+ = | the results|$)", text)
    values = {name: [float(x) for x in re.findall(r"-?\d+\.?\d*", part)] for name, part in parts}
    means = np.reshape(values["means"], (4, 2))
    start, minus, plus = (means[int(values[name][0])] for name in ("start", "minus", "plus"))
    assert np.allclose(start - minus + plus, values["expected"], atol=1e-3)


@pytest.fixture(scope="module")
def in_a_kernel(execute):
    """Give what a student sees who errs, whose loop does not end, and who has not begun."""
    ran = execute(
        "from vae_course import exercises\nfrom vae_course.exercises import compare",
        "def gaussian_kl(z_mean, z_log_var):\n    wrong = [1, 2]\n    return wrong[7]\n\n"
        "def up_sample(picture):\n    print('I was here')\n    while True:\n        pass",
        "exercises.check_gaussian_kl(gaussian_kl)",
        "compare.SECONDS = 0.5",
        "exercises.check_up_sample(up_sample)",
        "exercises.check_prediction(None)",
    )
    for cell in ran.cells[2:]:
        assert all(o.output_type == "stream" and o.name == "stdout" for o in cell.outputs)
    return ["".join(output.text for output in cell.outputs) for cell in ran.cells]


def test_an_exception_is_shown_with_the_line_and_the_input(in_a_kernel):
    """In a kernel, where students work: type, words, their own line, the numbers; no path, no traceback."""
    text = in_a_kernel[2]
    assert "IndexError: list index out of range" in text
    assert "in the line: return wrong[7]" in text
    assert "z_mean = [[" in text and "z_log_var = [[" in text
    assert "Traceback" not in text and "/" not in text


def test_an_endless_loop_in_a_kernel_leaves_it_working(in_a_kernel):
    """The check comes back, prints below its cell, and the next cell runs."""
    text = " ".join(in_a_kernel[4].split())
    assert "I was here" in text and "Is there a loop that never ends, or one that takes too" in text
    assert in_a_kernel[5].startswith("TO DO")


def test_a_verdict_prints_itself_once(in_a_kernel):
    """As the last line of a cell it is not shown a second time."""
    assert in_a_kernel[5].count("TO DO") == 1


class Refuses:
    """An object that can be used for nothing."""

    def __getattr__(self, name):
        raise RuntimeError("no")

    def __eq__(self, other):
        raise RuntimeError("no")

    __hash__ = None

    def __repr__(self):
        return "Refuses()"


WEIRD = [
    *(None, ..., 3.5, "text", float("nan"), [], {}, (), np.zeros(3), np.array(["a"]), object()),
    *(Refuses(), lambda: None, lambda *a: "text", lambda *a: None, lambda *a: float("nan")),
    *(lambda *a: {}, lambda *a: [[1], [1, 2]], lambda *a: 1j, lambda *a: sum, lambda *a: Refuses()),
    *(lambda *a: 1 / 0, lambda *a: sys.exit(), lambda *a: keras.Input((3,)), int, keras.Model),
    lambda *a: weird_recursion(*a),
]


def weird_recursion(*args):
    return weird_recursion(*args)


OTHERS = {
    "check_number": lambda answer: exercises.check_number("KL of a posterior", answer),
    "check_choice": lambda answer: exercises.check_choice("direction", answer),
    "check_choices": lambda answer: exercises.check_choices({"bug A": answer}),
    "check_sides": lambda answer: exercises.check_sides({"a": answer, "b": 1, "c": None, "d": 2}),
    "check_prediction": lambda answer: exercises.check_prediction(answer),
    "check_largest_gap": lambda answer: exercises.check_largest_gap(
        answer, answer, np.zeros((2, 2)), np.ones((3, 2))
    ),
    "check_own_images": lambda answer: exercises.check_own_images(
        answer, answer, np.zeros((2, 28, 28, 1))
    ),
    "check_diagnosis": lambda answer: exercises.check_diagnosis({"A": answer, "B": answer}, 1),
    "check_own_vae": lambda answer: exercises.check_own_vae(answer, answer, answer),
    "check_own_pictures": lambda answer: exercises.check_own_pictures(
        answer, answer, np.zeros((2, 28, 28, 1))
    ),
    "check_own_run": lambda answer: exercises.check_own_run(answer, answer, answer),
    "check_effect": lambda answer: exercises.check_effect(answer, answer, answer, answer),
}


@pytest.mark.parametrize("name", RIGHT | OTHERS)
def test_nothing_makes_a_check_raise_or_pass(name, capfd):
    """Whatever it is given, it prints a verdict that is false, on standard output alone."""
    check = OTHERS.get(name) or getattr(exercises, name)
    for answer in WEIRD:
        found = check(answer)
        assert isinstance(found, verdict.Verdict) and not found
        text, errors = capfd.readouterr()
        assert text.startswith(("NOT YET", "TO DO")) and not errors


def test_every_check_is_tested_here():
    """What the package offers is in the tables above."""
    assert set(RIGHT) | set(OTHERS) == CHECKS
    assert set(RIGHT) == set(NAMED)


def test_kinds_of_numbers_are_taken_as_they_come():
    """Lists, NumPy's arrays, tensors of Keras: what counts are the numbers."""
    for turn in (list, np.float64, np.float32, ops.convert_to_tensor):
        assert exercises.check_gaussian_kl(lambda m, v, turn=turn: turn(kl_of_each(m, v)))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda *a: print(end=""), "its result is None. Is a `return` missing"),
        (lambda *a: "0.5", "its result is the text '0.5', but numbers are needed"),
        (lambda m, v: np.log(-np.ones(len(m))), "contains NaN"),
        (lambda m, v: np.full(len(m), np.inf), "an infinite number"),
        (lambda m, v: np.zeros(99), "returns shape (99,), expected (2,)"),
        (lambda m, v: {"kl": 1}, "its result is a dict, but numbers are needed"),
        (np.mean, "ready-made from numpy"),
        (losses.gaussian_kl, "ready-made from vae_course"),
        (3.5, "gaussian_kl is a float, not a function"),
        (lambda m: m, "takes 1 positional argument but 2 were given"),
        (weird_recursion, "it raised RecursionError"),
        (lambda *a: sys.exit(), "it tried to exit"),
    ],
)
def test_what_is_no_result_is_told_apart(value, words, capsys):
    """Each gets words of its own."""
    assert not exercises.check_gaussian_kl(value)
    assert words in told(capsys)


def test_a_function_for_single_numbers_may_be_vectorized(capsys):
    """It is the student's own, unless what is inside is not."""
    check = exercises.check_log_evidence
    assert check(np.vectorize(lambda a, b, c: a + b - c)), told(capsys)
    assert not check(np.vectorize(np.hypot)) and "ready-made from numpy" in told(capsys)
    assert check(np.vectorize(only_a_pass)).share is None
    within = functools.partial(losses.gaussian_kl)
    assert not exercises.check_gaussian_kl(within) and "from vae_course" in told(capsys)


def test_the_ten_digits_of_a_property_may_be_looped_over(capsys):
    """Every digit has images, and so every median is a number."""
    for _ in range(4):
        assert exercises.check_property_vector(by_digit), told(capsys)


def only_a_docstring(z_mean, z_log_var):
    """Return the KL divergence."""
    # YOUR CODE HERE


def only_a_pass(z_mean, z_log_var):
    pass


@pytest.mark.parametrize("blank", [None, ..., only_a_docstring, only_a_pass])
def test_a_blank_task_is_not_called_wrong(blank, capsys):
    """TO DO, and no points."""
    found = exercises.check_gaussian_kl(blank)
    assert told(capsys).startswith("TO DO") and not found and found.points(3) == 0


class Endless:
    """A student's function that does not end, and the thread it runs in."""

    def __init__(self, rest):
        self.rest, self.thread = rest, None

    def __call__(self, *args):
        self.thread = threading.current_thread()
        while True:
            try:
                while True:
                    self.rest()
            except Exception:
                continue


@pytest.mark.parametrize("rest", [lambda: None, lambda: time.sleep(0.001)])
@pytest.mark.parametrize("main", [True, False])
def test_an_endless_loop_is_stopped(rest, main, monkeypatch, capsys):
    """One that computes and one that waits; off the main thread, too, where no signal arrives."""
    monkeypatch.setattr(compare, "SECONDS", 0.3)
    monkeypatch.setattr(compare, "PATIENCE", 2.0)
    loop, found = Endless(rest), []
    checking = threading.Thread(target=lambda: found.append(exercises.check_gaussian_kl(loop)))
    if main:
        checking.run()
    else:
        checking.start()
        checking.join()
    assert not found[0] and not loop.thread.is_alive()
    text = told(capsys)
    assert re.search(r"it was still running after \d+ seconds. Is there a loop that never", text)
    assert "z_mean = [[" in text and "restart" not in text


def test_what_cannot_be_stopped_does_not_stop_the_check(monkeypatch, capsys):
    """A call that waits in C holds on; the student is told to restart the kernel."""
    monkeypatch.setattr(compare, "PATIENCE", 0.2)
    release, loop = threading.Event(), Endless(lambda: release.wait())
    assert not exercises.check_gaussian_kl(loop)
    assert "restart the kernel" in told(capsys)
    release.set()
    loop.thread.join()


def test_a_slow_machine_fails_no_answer(monkeypatch):
    """Computing counts, not time on the clock: an answer that had to wait is right."""
    monkeypatch.setattr(compare, "SECONDS", 0.2)

    def waiting(means, start, minus, plus):
        time.sleep(0.4)
        return RIGHT["check_arithmetic"](means, start, minus, plus)

    assert exercises.check_arithmetic(waiting)


def test_an_interrupt_stops_the_students_function():
    """Ctrl-C, or the kernel's stop button, ends the check and leaves nothing running."""
    first = iter([_thread.interrupt_main])
    loop = Endless(lambda: next(first, time.monotonic)())
    with pytest.raises(KeyboardInterrupt):
        exercises.check_gaussian_kl(loop)
    assert not loop.thread.is_alive()


def test_a_function_that_changes_its_inputs_is_judged_by_what_was_given(capsys):
    """It works on copies."""

    def arithmetic(means, start, minus, plus):
        result = means[start] + means[minus] - means[plus]
        means[:] = 0
        return result

    assert not exercises.check_arithmetic(arithmetic)
    assert "plus and minus are swapped" in told(capsys)


def test_settings_of_the_notebook_change_no_verdict():
    """NumPy's errors and Python's warnings may be exceptions there."""

    def warning(picture):
        warnings.warn("this is slow", stacklevel=2)
        return RIGHT["check_up_sample"](picture)

    with np.errstate(all="raise"), warnings.catch_warnings():
        warnings.simplefilter("error")
        assert exercises.check_up_sample(warning)
        for name in ("check_sample", "check_gaussian_kl", "check_property_vector"):
            assert getattr(exercises, name)(RIGHT[name])
        assert not exercises.check_sample(sampler(width=ops.exp))


def test_a_round_path_exists_between_all_vectors_that_are_drawn():
    """None is 0, no two are parallel: there a right answer would be none."""
    rng = np.random.default_rng(0)
    for _ in range(500):
        drawn = ex06._draw_path(rng, 0)
        a, b = drawn["start"], drawn["end"]
        assert abs(np.cross([*a, 0], [*b, 0])[2]) > 0.1


def nested(whole):
    """Let a function build a model in which all layers but the first are in a model of their own."""

    def build(latent_dim):
        model = whole(latent_dim)
        inputs = keras.Input(model.input_shape[1:])
        return keras.Model(inputs, keras.Sequential(model.layers[1:])(inputs))

    return build


@pytest.mark.parametrize("relu", [layers.ReLU, lambda: layers.Activation("relu")], ids=range(2))
def test_layers_may_be_written_in_several_ways(relu, capsys):
    """An activation as a layer, and a model in a model."""
    assert exercises.check_encoder(lambda n: encoder(n, relu=relu())), told(capsys)
    assert exercises.check_decoder(lambda n: decoder(n, first=relu())), told(capsys)
    assert exercises.check_encoder(nested(encoder)), told(capsys)
    assert exercises.check_decoder(nested(decoder)), told(capsys)
    assert not exercises.check_encoder(lambda n: encoder(n, relu=layers.ReLU(max_value=6)))
    assert "['another ReLU', 'another ReLU']" in told(capsys)


def test_pictures_that_may_leak_are_pictures():
    """Their numbers stay from 0 to 1, so a solution may turn them into bytes."""
    rng = np.random.default_rng(0)
    for trial in (0, 1, 2) * 5:
        test = ex09._draw_pictures(rng, trial)["test"]
        assert 0 <= test.min() and test.max() <= 1
    in_bytes = doubles(scale=1)
    for _ in range(4):
        assert exercises.check_leaks(lambda a, b, t: in_bytes(1.0 * a, np.rint(255 * b), 255 * t))


def test_every_kind_of_size_is_drawn():
    """Kernels larger and smaller than the stride with "valid", and "same": else a wrong formula passes."""
    for seed in range(20):
        rng = np.random.default_rng(seed)
        drawn = [ex04._draw_size(rng, trial) for trial in range(12)]
        valid = [np.sign(d["kernel"] - d["stride"]) for d in drawn if d["padding"] == "valid"]
        assert {-1, 1} <= set(valid) and len(valid) <= 9
        assert all(d["kernel"] <= d["side"] for d in drawn)


@pytest.mark.parametrize("question", answers.CHOICES)
def test_each_option_of_a_question_has_its_answer(question, capsys):
    """One is right; every other has a hint of its own; capitals and spaces do not matter."""
    options = "abcdef"[: len(answers.CHOICES[question])]
    rights = [letter for letter in options if exercises.check_choice(question, letter)]
    assert len(rights) == 1
    assert exercises.check_choice(question, f" {rights[0].upper()} ")
    capsys.readouterr()
    hints = set()
    for letter in set(options) - set(rights):
        assert not exercises.check_choice(question, letter)
        hints.add(told(capsys))
    assert len(hints) == len(options) - 1
    assert not exercises.check_choice(question, "z") and "is not an option" in told(capsys)
    assert set(answers.CHOICES[question]) == {answers.digest(question, o) for o in options}


# Worked out by hand, or with the package's own networks.
NUMBERS = {
    "encoder parameters": 160 + 4640 + 3138,
    "KL of a posterior": kl_by_quadrature(1.0, 4.0),
    "gradient of one draw": -0.75,
    "transposed parameters": 4624,
    "KL of the lecture": 28.217 - 15.51536,
    "length half-way": np.linalg.norm(np.array([3.0, 3.0]) / 2),
    "nats of a pixel": stats.norm(0, 0.02**0.5).entropy(),
}


@pytest.mark.parametrize("question", answers.NUMBERS)
def test_each_number_and_each_usual_mistake_is_known(question, capsys):
    """The number by hand passes; each mistake is told apart from it and from every other."""
    assert exercises.check_number(question, NUMBERS[question])
    assert not exercises.check_number(question, NUMBERS[question] * 1.05 + 3)
    assert "too large" in told(capsys)
    mistakes = {text: value for text, value in answers.NUMBERS[question].items() if text}
    assert len(mistakes) >= 4
    for text, value in mistakes.items():
        assert not exercises.check_number(question, value), text
        assert text in told(capsys)
    values = sorted([*mistakes.values(), NUMBERS[question]])
    assert np.diff(values).min() > 2 * answers.tolerance(NUMBERS[question])


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (float("nan"), "contains NaN"),
        (np.float64("inf"), "an infinite number"),
        ((1, 31), "(1, 31) is not one number. Use a decimal point, and no commas"),
        ("1.31", "is the text '1.31', but numbers are needed"),
    ],
)
def test_what_is_no_number_is_told_apart(answer, words, capsys):
    """Neither too small nor too large."""
    assert not exercises.check_number("KL of a posterior", answer)
    assert words in told(capsys)


def test_numbers_of_any_kind_are_taken():
    """Python's, NumPy's and TensorFlow's."""
    for kind in (float, np.float32, np.array, ops.convert_to_tensor):
        assert exercises.check_number("KL of a posterior", kind(1.31))
    assert encoder(2).count_params() == NUMBERS["encoder parameters"]


def test_several_choices_earn_their_share(capsys):
    """One of two right is half the points, as a float that nbgrader can read; blank earns nothing."""
    found = exercises.check_choices({"direction": "b", "tight bound": None})
    assert found.points(3) == 1.5 and not found
    assert "bound: still blank" in told(capsys)
    assert exercises.check_choices({"direction": None, "tight bound": None}).share is None
    sides = exercises.check_sides({"a": 26, "b": np.int64(14), "c": 14, "d": 7.5})
    assert float(repr(sides.points(4))) == 3
    assert type(sides.points(np.int64(4))) is float
    assert "d: count again" in told(capsys)
    exercises.check_sides({"a": 28, "b": "14", "c": 4, "d": None})
    text = told(capsys)
    assert (
        'a: this is the side with "same"; b: count again, and write a whole number; c: this is the side'
        in text
    )
    assert "d: still blank" in text
    assert exercises.check_sides({"a": [26], "b": 14, "d": 16}).share == 0.5
    assert "a: count again, and write a whole number; b: right; c: still blank" in told(capsys)


def test_the_largest_gap_is_recognised(capsys):
    """Against a case that can be seen: three codes in a row, places between them."""
    codes = np.array([[0.0, 0.0], [1.0, 0.0], [4.0, 0.0]])
    places = np.array([[0.5, 0.0], [2.5, 0.0], [3.0, 0.0]])
    check = exercises.check_largest_gap
    assert check(places[1], 1.5, places, codes)
    capsys.readouterr()
    for centre, radius, words in [
        (places[2], 1.0, "more room"),
        (places[1], 1.0, "nearest to gap_centre is 1.5 away"),
        ([9.0, 9.0], 1.5, "not one of the given places"),
        (places[1], [1.5, 1], "a distance is one number"),
        (places[1:2], 1.5, "gap_centre has shape (1, 2)"),
        (places[1] + 0.004, 1.5, "Take one from `places` as it is, without rounding"),
        (places[1], "wide", "gap_radius is the text 'wide'"),
        (None, 1.5, "TO DO"),
    ]:
        assert not check(centre, radius, places, codes)
        assert words in told(capsys)
    assert check((2.501, -0.001), 1.501, places, codes), told(capsys)


@pytest.mark.parametrize("seed", range(4))
def test_the_models_are_diagnosed_whatever_their_order(seed, capsys):
    """One option of each letter is right, and the option goes with the table, not with the letter."""
    tables = exercises.collapsed_models(seed)
    assert list(tables) == list("ABCDE")
    found = {}
    for letter, table in tables.items():
        for option in "abcdef":
            blank = dict.fromkeys(tables) | {letter: option}
            share = exercises.check_diagnosis(blank, seed).share
            if share == 0.2:
                found[letter] = option
            else:
                assert share == 0
        # What the numbers say, worked out another way: how good, how much, how informative, how wide.
        error, kl, told_nats, units, log_var = (np.array(table[name]) for name in riddles.ROWS)
        signs = {
            "a": error.max() < 35 and told_nats.min() > 4,
            "b": error.max() < 10 and kl.max() < 0.1,
            "c": error.min() > 40 and kl.max() < 4 and np.ptp(kl) < 0.3,
            "e": kl.min() > 1000 and log_var.min() > 8,
            "f": error.max() > 40 and 1 < np.ptp(kl) < 1000,
        }
        assert [option for option, sign in signs.items() if sign] == [found[letter]]
    assert sorted(found.values()) == list("abcef")
    assert exercises.check_diagnosis(found, seed)
    text = told(capsys)
    assert text.endswith("RIGHT A: right. B: right. C: right. D: right. E: right.")


def test_another_seed_has_another_order():
    """So not everybody hands in the same letters."""
    orders = {str(exercises.collapsed_models(seed)) for seed in range(20)}
    assert len(orders) > 10


def test_a_diagnosis_earns_its_share_and_tells_the_sign_to_look_for(capsys):
    """Two of five; a wrong one gets a hint, a blank one is told so."""
    tables = exercises.collapsed_models(3)
    places = {option: letter for letter in tables for option in "ab"
              if exercises.check_diagnosis(dict.fromkeys(tables) | {letter: option}, 3).share}  # fmt: skip
    answers_given = dict.fromkeys(tables) | {letter: option for option, letter in places.items()}
    wrong = next(letter for letter in tables if answers_given[letter] is None)
    capsys.readouterr()
    found = exercises.check_diagnosis(answers_given | {wrong: "d"}, 3)
    assert found.points(5) == 2 and not found
    text = told(capsys)
    assert f"{wrong}: All five models have the same data" in text and "still blank" in text
    assert exercises.check_diagnosis(dict.fromkeys(tables), 3).share is None


def own(n, seed=0):
    """Make pictures of bars, each another one."""
    dice = np.random.default_rng(seed)
    return dice.uniform(0, 1, (n, 28, 1, 1)) * np.ones((1, 1, 28, 1))


def test_images_of_ones_own_are_looked_at(capsys):
    """Form, number, range, variety; test images among the training images; the course's digits."""
    course = own(500, seed=3).astype("float32")
    check = exercises.check_own_images
    assert check(own(300), own(60, seed=1), course)
    capsys.readouterr()
    for train, test, words in [
        (own(300), own(300)[:60], "60 images of my_test are also in my_train"),
        (
            own(300),
            own(300)[:60] * 0.99 + 0.005,
            "100% of the images in my_test are nearly the same",
        ),
        (np.tile(own(2), (150, 1, 1, 1)), own(60, seed=1), "300 images, but only 2 different ones"),
        (own(300)[..., 0], own(60, seed=1), "as in `my_train[..., None]`."),
        (own(300)[:, :27], own(60, seed=1), "expected (n, 28, 28, 1)"),
        (own(20), own(60, seed=1), "contains 20 images, but at least 200"),
        (255 * own(300), own(60, seed=1), "my_train has values from"),
        (np.zeros((300, 28, 28, 1)), own(60), "same picture again and again"),
        (course, own(60, seed=1), "the course's own digits"),
        (own(300), course[:60], "the course's own digits"),
        (0.99 * course, own(60, seed=1), "the course's own digits"),
        (1 - course, own(60, seed=1), "the course's own digits"),
        (own(300) * np.nan, own(60, seed=1), "my_train has 235200 NaN"),
        (None, None, "TO DO"),
        ("doodles.png", own(60), "my_train has shape (), expected"),
    ]:
        assert not check(train, test, course[:9], course)
        text = told(capsys)
        assert words in text and ("Make them grey" in text) == ("values from" in text), words


def test_a_vae_of_ones_own_must_have_learned(images, capsys):
    """One that rebuilds by principal components passes; blind or untrained ones do not."""
    train, test = images[:64], images[64:]
    mean = train.mean(axis=0).ravel()
    axes = np.linalg.svd(train.reshape(64, -1) - mean, full_matrices=False)[2][:16]  # (16, 784)
    image, z = keras.Input((28, 28, 1)), keras.Input((16,))
    z_mean, z_log_var, pixels = layers.Dense(16), layers.Dense(16), layers.Dense(784)
    outputs = [layer(layers.Flatten()(image)) for layer in (z_mean, z_log_var)]
    encoder = keras.Model(image, [*outputs, Sampling()(outputs)])
    vae = VAE(encoder, keras.Model(z, layers.Reshape((28, 28, 1))(pixels(z))))
    assert not exercises.check_own_vae(vae, train, test)
    z_mean.set_weights([axes.T, -axes @ mean])
    z_log_var.set_weights([0 * axes.T, np.full(16, -6.0)])  # hardly any noise
    pixels.set_weights([axes, mean])
    assert exercises.check_own_vae(vae, train, test), told(capsys)
    for layer in (z_mean, z_log_var):
        layer.set_weights([0 * axes.T, np.zeros(16)])
    assert not exercises.check_own_vae(vae, train, test)
    assert "has collapsed" in told(capsys)
    pixels.set_weights([0 * axes, mean])
    z_mean.set_weights([axes.T, -axes @ mean])
    assert not exercises.check_own_vae(vae, train, test)
    assert "a tenth smaller" in told(capsys)
    assert not exercises.check_own_vae(encoder, train, test) and "a VAE from" in told(capsys)


def test_the_words_of_a_check_are_those_of_a_friend():
    """No check blames: its texts hold no exclamation marks and no WRONG."""
    paths = list((ROOT / "vae_course" / "exercises").glob("*.py"))
    assert len(paths) >= 9
    for path in paths:
        strings = [
            node.value
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
        ]
        assert not [s for s in strings if "!" in s or "WRONG" in s or "stupid" in s]


def test_nbgraders_validate_button_finds_what_is_not_solved(monkeypatch):
    """It looks for errors alone: without one it would tell a blank notebook that all is well."""
    from nbgrader.validator import Validator

    assert "NBGRADER_EXECUTION='validate'" in inspect.getsource(Validator)
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(AssertionError, match="TO DO"):
        exercises.check_prediction(None)
    assert exercises.check_prediction(3)
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    assert not exercises.check_prediction(None)
