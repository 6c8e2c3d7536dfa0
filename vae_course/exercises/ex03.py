"""Check exercise 3: a gradient by hand, samplers that let gradients pass, and the score function."""

import numpy as np

from vae_course.exercises.compare import (
    agree,
    as_array,
    call,
    called_with,
    function_check,
    require_own,
    result_of,
    shown,
)
from vae_course.exercises.verdict import NotYet, announced

_SLOPE, _SIGMA, _EPS = 2 * (1.0 + 0.5 - 3.0), 1.0, 0.5
_GRADIENT = _SLOPE * 0.5 * _SIGMA * _EPS
NUMBERS = {
    "gradient of one draw": {
        "": _GRADIENT,
        "the sign is wrong; z is smaller than 3": -_GRADIENT,
        "the derivative of sigma with respect to log sigma^2 is sigma / 2": 2 * _GRADIENT,
        "this is the gradient for mu, not for log sigma^2": _SLOPE,
        "this is f(z) instead of its derivative": _SLOPE**2 / 4,
        "this is the score function's estimate, not the reparameterized one": (
            _SLOPE**2 / 4 * 0.5 * (_EPS**2 - 1)
        ),
    }
}

_IMAGES = 4000  # enough to know the width of the noise to 1%
_WIDTHS = {
    "": lambda v: np.exp(v / 2),
    "you multiply by sigma^2 instead of sigma; z_log_var is log sigma^2, not log sigma": np.exp,
    "z_log_var itself is used as the standard deviation": lambda v: v,
    "half of z_log_var is used as the standard deviation, so an `exp` is missing": lambda v: v / 2,
    "the exponent is halved once too often": lambda v: np.exp(v / 4),
    "the exponent is doubled, but it should be halved": lambda v: np.exp(2 * v),
    "the noise is not scaled; z_log_var is not used": np.ones_like,
}


def _fault(z_mean, z_log_var, first, second, gradients):
    """Return what is wrong with draws for many images, or ""."""
    away = first - z_mean
    if np.abs(away).max() < 1e-5:
        return "there is no noise; z equals z_mean"
    lost = [n for n, g in zip(("z_mean", "z_log_var"), gradients, strict=True) if g is None]
    if lost:
        how = "z is drawn without reparameterization, so " if len(lost) == 2 else ""
        return f"{how}no gradient passes from z to {' or '.join(lost)}"
    signs = np.sign(away)
    if np.ptp(signs, axis=0).max() == 0:
        return "the same eps is used for the whole batch, but every image needs its own"
    if np.ptp(signs, axis=1).max() == 0:
        return "the same eps is used for all latent dimensions, but each needs its own"
    if np.allclose(first, second, atol=1e-6):
        return "the noise is the same at every call; is a seed set inside?"
    # From here on, chance plays a role: an honest sampler fails about once in 10^10 checks.
    if abs(away.mean()) > 7 * away.std() / away.size**0.5:
        return "on average z is not z_mean"
    for text, width in _WIDTHS.items():
        eps = away / np.abs(width(z_log_var))
        sizes = [eps[part].std() for part in (z_log_var < -0.7, z_log_var > 0.7)]
        if np.allclose(sizes, 1, atol=0.08):
            normal = text or abs(np.mean(eps**4) - 3) < 0.7
            return text if normal else "the noise is not normal; eps should be drawn from N(0, 1)"
    return "the standard deviation of the noise is not sigma"


def _wrong_gradient(z_mean, away, gradients):
    """Return what is wrong with the gradients of the sum of draws that are right, or ""."""
    # z_mean + sigma eps has the derivatives 1 and sigma eps / 2.
    for name, found, right in zip(
        ("z_mean", "z_log_var"), gradients, (np.ones_like(z_mean), away / 2), strict=True
    ):
        if not agree(found, right, 1e-2):
            zero = "is zero" if not np.any(found) else "is not that of a draw"
            return (
                f"z has the right distribution, but its gradient for {name} {zero}. z must be computed from "
                "z_mean and z_log_var, and from noise that does not depend on them"
            )
    return ""


@announced
def check_sample(function):
    """Check `sample(z_mean, z_log_var)`: a draw from N(z_mean, exp(z_log_var)) that lets gradients pass."""
    name = "sample"
    require_own(function, name)
    rng = np.random.default_rng()
    for images in (2, _IMAGES):  # a few first, which can be shown if something fails
        draws = rng.uniform(-2, 2, (2, images, 3)).round(1).astype("float32")
        inputs = dict(zip(("z_mean", "z_log_var"), draws, strict=True))
        *both, gradients = call(function, name, inputs, gradients=True)
        where = called_with(inputs)
        both = [as_array(z, f"{name}: its result", where) for z in both]
        if both[0].shape != (images, 3):
            raise NotYet(f"{name}: z should have the shape of z_mean, not {both[0].shape}.{where}")
    fault = _fault(*np.float64(draws), *both, gradients)
    if not fault:
        gradients = [as_array(g, f"{name}: a gradient", where) for g in gradients]
        fault = _wrong_gradient(draws[0], both[0] - draws[0], gradients)
    if fault:
        raise NotYet(
            f"{name}: {fault}.\nIt was tried on {_IMAGES:,} random images with 3 latent dimensions."
        )
    return (
        f"{name} draws with the right mean and standard deviation and with new noise for each image, and "
        "gradients pass."
    )


def _draw_scores(rng, trial):
    n = (3, 6, 9)[trial]
    return {
        "values": rng.uniform(1, 9, n).round(1),
        "eps": rng.uniform(-2, 2, n).round(1),
        "sigma": round(float(rng.uniform(1.5, 3)), 1),
    }


@function_check("score_gradient", _draw_scores)
def check_score_gradient(values, eps, sigma):
    """Check `score_gradient(values, eps, sigma)`: the score function's estimates of the gradient for mu."""
    right = values * eps / sigma
    yield "", right
    yield "the division by sigma is missing", values * eps
    yield "you multiply eps by sigma instead of dividing by it", values * eps * sigma
    yield "you divide by sigma once too often", right / sigma
    yield "eps is not used", values / sigma
    yield "this is the score for log sigma^2 instead of mu", values * (eps**2 - 1) / 2
    yield "the values of f are not used; this is the score alone", eps / sigma
    yield "the sign is wrong", -right
    yield "you return the mean, but each draw needs its own estimate", right.mean()


@announced
def check_sample_full(function):
    """Check `sample_full(mean, covariance, eps)`: draws from a normal distribution with any covariance."""
    name, d = "sample_full", 3
    require_own(function, name)
    rng = np.random.default_rng()
    half = rng.uniform(-0.9, 0.9, (d, d)).round(1) + 3 * np.eye(d)  # never close to singular
    mean, covariance = rng.uniform(-2, 2, d).round(1), (half @ half.T).round(2)
    eps = np.concatenate([np.zeros((1, d)), np.eye(d), rng.standard_normal((4, d)).round(2)])
    inputs = {"mean": mean, "covariance": covariance, "eps": eps}
    z = result_of(function, name, inputs)
    if z.shape != eps.shape:
        raise NotYet(f"{name} returns shape {z.shape}, expected {eps.shape}.{called_with(inputs)}")
    L = (z[1 : d + 1] - mean).T  # what unit vectors become; any L with L L^T = covariance is right
    size, right = np.abs(covariance), agree(L @ L.T, covariance, 1e-3)
    faults = {
        f"for eps = 0, z should be the mean, but it is {shown(z[0])}": not agree(z[0], mean),
        "z is not mean + L eps with the same L in every row": not agree(z, mean + eps @ L.T),
        "you use the covariance itself instead of a square root of it": agree(np.abs(L), size),
        "you take the root of each entry instead of a root of the matrix": agree(L**2, size, 1e-3),
        "L is diagonal, so only the variances are used, if at all": agree(L, L * np.eye(d)),
        "L is transposed; each row of eps should become L eps": (
            not right and agree(L.T @ L, covariance, 1e-3)
        ),
        "L L^T is not the covariance": not right,
    }
    for fault, found in faults.items():
        if found:
            raise NotYet(f"{name}: {fault}.{called_with(inputs)}")
    return f"{name}: L L^T is the covariance."
