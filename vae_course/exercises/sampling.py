"""Checks of samplers: does a gradient pass, is the noise fresh, and is it as wide as it should be?"""

import numpy as np

from vae_course.exercises.compare import (
    Problem,
    agree,
    as_array,
    blank,
    call,
    check_function,
    fresh,
    inputs_shown,
)
from vae_course.exercises.verdict import announced, right, wrong

IMAGES = 4000  # enough for the noise's width to be known to 1 %

_WIDTHS = {
    "": lambda v: np.exp(v / 2),
    "sigma^2 stands where sigma is due: z_log_var is log sigma^2, not log sigma": np.exp,
    "z_log_var itself is used as the deviation": lambda v: v,
    "half of z_log_var is used as the deviation: `exp` is missing": lambda v: v / 2,
    "the exponent is halved once too often": lambda v: np.exp(v / 4),
    "the exponent is doubled, where it should be halved": lambda v: np.exp(2 * v),
    "the noise is not scaled: z_log_var is not used": np.ones_like,
}


def _with_gradients(function):
    """Return a function that gives z and its gradients by z_mean and z_log_var, None where none passes."""
    import tensorflow as tf
    from keras import ops

    def watched(z_mean, z_log_var):
        inputs = [tf.constant(z_mean), tf.constant(z_log_var)]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            z = function(*inputs)
            if not tf.is_tensor(z):  # NumPy's numbers have left no trace on the tape
                return z, None, None
            total = ops.sum(ops.cast(z, "float32"))
        return z, *tape.gradient(total, inputs)

    return watched


def _draw(rng, images):
    shape = (images, 3)
    return {
        "z_mean": rng.uniform(-2, 2, shape).round(1).astype("float32"),
        "z_log_var": rng.uniform(-2, 2, shape).round(1).astype("float32"),
    }


def _calls(function, name, inputs):
    """Call a sampler twice on the same inputs; return both z as arrays, and the gradients of one."""
    results = [call(_with_gradients(function), name, inputs) for _ in range(2)]
    try:
        first, second = (as_array(z) for z, _, _ in results)
    except Problem as problem:
        raise Problem(f"{problem}\nwith\n{inputs_shown(inputs)}") from problem
    if first.shape != inputs["z_mean"].shape:
        raise Problem(
            f"It gives shape {first.shape}, expected {inputs['z_mean'].shape}, that of z_mean, with\n"
            f"{inputs_shown(inputs)}"
        )
    return first, second, results[0][1:]


def _fault(inputs, first, second, gradients):
    """Name what is wrong with draws for many images, or return ""."""
    mean, log_var = np.float64(inputs["z_mean"]), np.float64(inputs["z_log_var"])
    away = first - mean
    if np.abs(away).max() < 1e-5:
        return "there is no noise: z equals z_mean"
    if gradients[0] is None and gradients[1] is None:
        return (
            "z is drawn without reparameterization: no gradient passes to z_mean, none to z_log_var"
        )
    if gradients[0] is None or gradients[1] is None:
        which = "z_mean" if gradients[0] is None else "z_log_var"
        return f"no gradient passes from z to {which}"
    for width in _WIDTHS.values():
        with np.errstate(all="ignore"):
            eps = away / width(log_var)
        if np.ptp(eps, axis=0).max() < 1e-2:
            return "the same eps is used for the whole batch: every image needs its own"
        if np.ptp(eps, axis=1).max() < 1e-2:
            return "the same eps is used for all latent dimensions: each needs its own"
    if np.allclose(first, second, atol=1e-6):
        return "the noise is the same at every call: a seed is set inside"
    return _width_fault(away, log_var)


def _width_fault(away, log_var):
    narrow, wide = log_var < -0.7, log_var > 0.7
    for text, width in _WIDTHS.items():
        scale = np.abs(width(log_var))
        with np.errstate(all="ignore"):
            sizes = [np.std(away[part] / scale[part]) for part in (narrow, wide)]
        if not text and np.abs(np.mean(away / scale)) > 0.06:
            return "on average z is not z_mean"
        if np.allclose(sizes, 1, atol=0.08):
            if not text and abs(np.mean((away / scale) ** 4) - 3) > 0.7:
                return "the noise is not normal: eps is due from N(0, 1)"
            return text
    return "the noise has not the deviation sigma"


@announced
def check_sample(function):
    """Check `sample(z_mean, z_log_var)`: a draw from N(z_mean, exp(z_log_var)) that gradients pass.

    Args:
        function: The student's function; its arguments have shape `(batch, latent_dim)`.

    Returns:
        A `Verdict`.
    """
    name = "sample"
    if (verdict := blank(function, name)) is not None:
        return verdict
    rng = fresh()
    try:
        for images in (2, IMAGES):
            inputs = _draw(rng, images)
            outcome = _calls(function, name, inputs)
    except Problem as problem:
        return wrong(f"{name}: {problem}")
    if fault := _fault(inputs, *outcome):
        return wrong(
            f"{name}: {fault}.\nSeen on {IMAGES:,} random images with 3 latent dimensions."
        )
    return right(
        f"{name} draws with the right mean and deviation, afresh for each image, and gradients pass."
    )


def _score_draw(rng, trial):
    n = (3, 6, 9)[trial]
    return {
        "values": rng.uniform(1, 9, n).round(1),
        "eps": rng.uniform(-2, 2, n).round(1),
        "sigma": round(float(rng.uniform(1.5, 3)), 1),
    }


def _score_mistakes(values, eps, sigma):
    yield ("the division by sigma is missing",), values * eps
    yield ("eps is multiplied by sigma, where a division is due",), values * eps * sigma
    yield ("the division by sigma is made once too often",), values * eps / sigma**2
    yield ("eps is not used",), values / sigma
    yield ("that is the score for log sigma^2; asked is the one for mu",), values * (eps**2 - 1) / 2
    yield ("the values of f are not used: that is the score alone",), eps / sigma
    yield ("the sign is wrong",), -values * eps / sigma
    yield (
        ("their mean is given, where one estimate for each draw is due",),
        np.mean(values * eps / sigma),
    )


@announced
def check_score_gradient(function):
    """Check `score_gradient(values, eps, sigma)`: the score function's estimates of the gradient for mu.

    Args:
        function: The student's function; values and eps have shape `(n,)`, sigma is a number.

    Returns:
        A `Verdict`.
    """
    return check_function(
        function,
        "score_gradient",
        _score_draw,
        lambda values, eps, sigma: values * eps / sigma,
        _score_mistakes,
    )


@announced
def check_sample_full(function):
    """Check `sample_full(mean, covariance, eps)`: draws from a normal distribution of any covariance.

    Any L with L L^T = covariance is right; it is read off from what the function makes of unit vectors.

    Args:
        function: The student's function; eps has shape `(n, d)`, so has its result.

    Returns:
        A `Verdict`.
    """
    name = "sample_full"
    if (verdict := blank(function, name)) is not None:
        return verdict
    rng = fresh()
    d = 3
    half = rng.uniform(-1, 1, (d, d)).round(1) + 2 * np.eye(d)
    inputs = {
        "mean": rng.uniform(-2, 2, d).round(1),
        "covariance": (half @ half.T).round(2),
        "eps": np.concatenate([np.zeros((1, d)), np.eye(d), rng.standard_normal((4, d)).round(2)]),
    }
    try:
        z = as_array(call(function, name, inputs))
    except Problem as problem:
        return wrong(f"{name}: {problem}")
    where = f"\nWith\n{inputs_shown(inputs)}"
    if z.shape != inputs["eps"].shape:
        return wrong(f"{name} gives shape {z.shape}, expected {inputs['eps'].shape}.{where}")
    if not agree(z[0], inputs["mean"]):
        return wrong(f"{name}: where eps is 0, z should be the mean, but is {z[0]}.{where}")
    L = (z[1 : d + 1] - inputs["mean"]).T  # column i: what the i-th unit vector became
    covariance = inputs["covariance"]
    if not agree(z, inputs["mean"] + inputs["eps"] @ L.T):
        return wrong(f"{name}: z is not mean + L eps for one and the same L in every row.{where}")
    if agree(L @ L.T, covariance, 1e-3):
        return right(f"{name}: L L^T is the covariance.")
    mistakes = {
        "the covariance itself is used, where a root of it is due": covariance,
        "the root is taken entry by entry; a root of the matrix is due": np.sqrt(
            np.abs(covariance)
        ),
        "only the diagonal is used": np.diag(np.sqrt(np.diag(covariance))),
        "only the diagonal is used, and without a root": np.diag(np.diag(covariance)),
        "the covariance is not used": np.eye(d),
    }
    for text, factor in mistakes.items():
        if agree(np.abs(L), np.abs(factor), 1e-3):
            return wrong(f"{name}: {text}.{where}")
    if agree(L.T @ L, covariance, 1e-3):
        return wrong(f"{name}: L is transposed: each row of eps must become L eps.{where}")
    return wrong(f"{name}: L L^T is not the covariance; L is\n  {L.round(3).tolist()}{where}")
