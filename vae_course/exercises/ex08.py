"""Check exercise 8: dimensions in use, collapsed models, the beta for a rate, and free bits."""

import numpy as np

from vae_course.exercises import answers
from vae_course.exercises.compare import combinations, function_check
from vae_course.exercises.ex02 import HALVES, MEANS, READINGS, SIGNS, draw_posteriors, kl_terms
from vae_course.exercises.riddles import order
from vae_course.exercises.verdict import announced

OVER_IMAGES = {
    "": lambda a: a.mean(axis=0),
    "you sum over the batch instead of taking the mean": lambda a: a.sum(axis=0),
    "you sum over the latent dimensions, but each dimension needs its own number": lambda a: a.sum(
        axis=1
    ),
    "you take the mean over the latent dimensions instead of over the images": lambda a: a.mean(
        axis=1
    ),
    "you take the mean of everything, but each dimension needs its own number": np.mean,
    "you sum over everything, but each dimension needs its own mean": np.sum,
    "you add up the dimensions, but each one needs its own number": lambda a: a.mean(axis=0).sum(),
    "you do not take the mean over the images": lambda a: a,
}


@function_check("kl_per_dimension", draw_posteriors)
def check_kl_per_dimension(z_mean, z_log_var):
    """Check `kl_per_dimension(z_mean, z_log_var)`: nats for each dimension, the mean over the images."""
    for text, (*ways, reduce) in combinations(READINGS, SIGNS, MEANS, HALVES, OVER_IMAGES):
        yield text, reduce(kl_terms(z_mean, z_log_var, *ways))


def _counts(z_mean, threshold):
    """Yield what is counted, or given, by the right function and with each mistake."""
    variance, square = z_mean.var(axis=0), (z_mean**2).mean(axis=0)
    compared = {
        "": variance,
        "you take the variance over the dimensions instead of over the images": z_mean.var(axis=1),
        "you compare the standard deviation with the threshold, but it is one for the variance": (
            z_mean.std(axis=0)
        ),
        "you compare the mean absolute value with the threshold; take the variance": (
            np.abs(z_mean).mean(axis=0)
        ),
        "you take the variance of everything, but each dimension needs its own": z_mean.var(),
        "you take the mean square instead of the variance: a dimension that has the same mean for every "
        "image tells nothing": square,
        "this is the KL of the means, half their mean square; take their variance": square / 2,
        "you compare the mean over the images with the threshold; take the variance": (
            z_mean.mean(axis=0)
        ),
    }
    for text, numbers in compared.items():
        yield text, (numbers > threshold).sum()
    yield "you count the dimensions that are not active", (variance <= threshold).sum()
    yield "you compare with 0.01, whatever threshold is", (variance > 0.01).sum()
    yield "this is the fraction of active dimensions; count them", (variance > threshold).mean()
    yield "this tells which dimensions are active; count them", variance > threshold
    yield "these are the variances themselves; count those above the threshold", variance


def _draw_means(rng, trial):
    """Draw means of posteriors, such that each mistake counts something else."""
    images, dims = [(9, 17), (11, 21), (13, 25)][trial]
    while True:
        threshold = round(rng.uniform(0.03, 0.06), 3)
        # Active; with a deviation, but no variance, above it, and a variance above and below 0.01; silent.
        variances = [1.0, 0.45 * threshold, (1.3 * threshold) ** 2, 1e-6]
        variance = rng.choice(variances, dims, p=[0.3, 0.2, 0.2, 0.3])
        offset = rng.choice([0, 0, 1.2 * threshold**0.5, 1.0], dims) * rng.choice([-1, 1], dims)
        noise = rng.normal(size=(images, dims))
        noise = (noise - noise.mean(axis=0)) / noise.std(axis=0)
        z_mean = offset + np.sqrt(variance) * noise
        counts = [np.sum(count) for _, count in _counts(z_mean, threshold)][:-2]
        if len(set(counts)) == len(counts):
            return {"z_mean": z_mean.astype("float32"), "threshold": threshold}


@function_check("active_units", _draw_means)
def check_active_units(z_mean, threshold):
    """Check `active_units(z_mean, threshold)`: the number of dimensions that tell images apart."""
    yield from _counts(np.float64(z_mean), threshold)


@announced
def check_diagnosis(diagnosis, seed):
    """Check what a student says of each of the tables of `collapsed_models(seed)`.

    Args:
        diagnosis: Dictionary from "A" to "E" to the letter of an option, or None if blank.
        seed: The same seed.

    Returns:
        A `Verdict` with the fraction that is right.
    """
    return answers.judge_all(diagnosis, [f"collapse {place}" for place in order(seed)])


def _draw_curve(rng, trial):
    """Draw a table in which the rate falls as beta grows, and a rate that is within both other columns."""
    count = [3, 5, 7][trial]
    while True:
        betas = (np.cumprod(rng.uniform(2, 8, count)) / 100).round(3)
        rates = (np.cumprod(rng.uniform(0.25, 0.7, count)) * 100).round(2)
        distortions = (rates[::-1] * rng.uniform(0.8, 0.9)).round(2)
        place, share = rng.integers(count - 1), rng.uniform(0.25, 0.75)
        rate = round(rates[place] ** (1 - share) * rates[place + 1] ** share, 2)
        # At other places, two mistakes lead to the same number.
        if distortions[0] < rate < 0.95 * distortions[-1] and np.diff(-rates).min() > 0.1:
            return {"rate": rate, "betas": betas, "rates": rates, "distortions": distortions}


def _between(x, x0, x1, y0, y1):
    """Return the y on the straight line through two points."""
    return y0 + (x - x0) / (x1 - x0) * (y1 - y0)


@function_check("beta_for_rate", _draw_curve)
def check_beta_for_rate(rate, betas, rates, distortions):
    """Check `beta_for_rate(rate, betas, rates, distortions)`: the beta between two rows, in logarithms."""
    right = int((rates > rate).sum())  # of the first beta whose rate is too small
    (b0, b1), (r0, r1) = betas[right - 1 : right + 1], rates[right - 1 : right + 1]
    logs = np.log([rate, r0, r1, b0, b1])
    yield "", np.exp(_between(*logs))
    linear = "you interpolate on linear axes; take the logarithm of both"
    yield linear, _between(rate, r0, r1, b0, b1)
    yield "the logarithm of the rates is missing", np.exp(_between(rate, r0, r1, *logs[3:]))
    yield "the logarithm of the betas is missing", _between(*logs[:3], b0, b1)
    yield "the last exp is missing: this is the logarithm of beta", _between(*logs)
    neighbour = "this is a beta of the table; interpolate between the two neighbours of the rate"
    nearest = np.abs(rates - rate).argmin()
    for place in right - 1, right, nearest:
        yield neighbour, betas[place]
    backwards = "the two neighbours are swapped, so a larger rate would give a larger beta"
    yield backwards, np.exp(_between(*logs[:3], logs[4], logs[3]))
    order, wrong = "np.interp needs its points in rising order", "but the rates fall"
    yield f"{order}, {wrong}", np.exp(np.interp(logs[0], np.log(rates), np.log(betas)))
    yield f"{order}, {wrong}", np.interp(rate, rates, betas)
    sorting = "you turn the rates around, but not the betas"
    yield sorting, np.exp(np.interp(logs[0], np.log(rates[::-1]), np.log(betas)))
    ends = np.log(rates[[0, -1]]), np.log(betas[[0, -1]])
    whole = "you draw one line from the first to the last row; take the two neighbours of the rate"
    yield whole, np.exp(_between(logs[0], *ends[0], *ends[1]))
    swapped = "rate and distortion are swapped"
    yield swapped, np.exp(np.interp(logs[0], np.log(distortions), np.log(betas)))
    yield f"{swapped}; and {linear}", np.interp(rate, distortions, betas)
    turned = "this is a rate; look for the beta that belongs to the given rate"
    yield turned, np.exp(np.interp(logs[0], np.log(betas), np.log(rates)))


def _draw_divergences(rng, trial):
    """Draw divergences that lie on both sides of what is free, within images and on average."""
    images, dims = [(2, 3), (5, 4), (8, 6)][trial]
    free = round(rng.uniform(0.4, 0.8), 2)
    # The second time, all dimensions together need less than is free for one.
    levels = [(0.5, 2.5), (0.15, 0.2), (0.5, 2.5)][trial]
    mean = free * np.resize(levels, dims) * rng.uniform(0.9, 1.1, dims)
    while True:
        share = rng.dirichlet(np.full(images, 0.6), dims).T * images  # their mean over images is 1
        kl = (mean * share).round(2)
        # Then some images, but not all, have a total below what is free for one dimension.
        totals = kl.sum(axis=1).round(2)
        if trial != 1 or totals.min() < free < totals.max():
            return {"kl": kl, "free": free}


@function_check("free_bits_kl", _draw_divergences)
def check_free_bits_kl(kl, free):
    """Check `free_bits_kl(kl, free)`: one number, the sum of max(mean KL, free) over the dimensions."""
    means, dims = kl.mean(axis=0), kl.shape[1]
    paid = np.maximum(means, free)
    yield "", paid.sum()
    yield (
        "you take the maximum before the mean over the batch, so images that need little pay, too",
        np.maximum(kl, free).mean(axis=0).sum(),
    )
    yield (
        "you take the minimum, which limits the KL; free bits keep it from paying below the limit",
        np.minimum(means, free).sum(),
    )
    less = "you subtract what is free, but the maximum of the two is asked for"
    yield less, np.maximum(means - free, 0).sum()
    yield less, (means - free).sum()
    yield less, max(means.sum() - free, 0)
    total, own = means.sum(), "each dimension has its own"
    yield f"you compare the total with the limit, but {own}", max(total, free)
    yield (
        "you compare the total with the limit of all dimensions together, but each has its own",
        max(total, dims * free),
    )
    of_image = f"you compare each image's total with the limit, but {own}"
    yield of_image, np.maximum(kl.sum(axis=1), free).mean()
    yield "you take the mean over the dimensions instead of the sum", paid.mean()
    yield "you do not sum over the dimensions", paid
    summed = "you sum over the batch instead of taking the mean"
    yield summed, np.maximum(kl.sum(axis=0), free).sum()
    yield (
        "you take the mean over the dimensions first, but the limit is for the mean over the images",
        np.maximum(kl.mean(axis=1), free).sum(),
    )
    yield "free is not used: this is the ordinary KL term", total
    yield "you add what is free, but the maximum of the two is asked for", (means + free).sum()
