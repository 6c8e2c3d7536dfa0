"""Check of a Monte Carlo estimate: right on average, drawn afresh, from the right distribution."""

import numpy as np

from vae_course.exercises.compare import Problem, as_array, blank, call, fresh, inputs_shown
from vae_course.exercises.kl import normal_kl
from vae_course.exercises.verdict import announced, right, wrong


@announced
def check_kl_monte_carlo(function):
    """Check `kl_monte_carlo(mean, sigma, n, rng)`: an estimate of KL[N(mean, sigma^2) || N(0, 1)].

    Args:
        function: The student's function.

    Returns:
        A `Verdict`.
    """
    name = "kl_monte_carlo"
    if (verdict := blank(function, name)) is not None:
        return verdict
    rng = fresh()
    for lowest in (0.94, 0.8):  # two means: one number that fits both by chance there is not
        mean, sigma = rng.uniform((lowest, 0.35), (lowest + 0.06, 0.39)).round(3)
        inputs = {"mean": float(mean), "sigma": float(sigma), "n": 200_000, "rng": rng}
        verdict = _judge(function, name, inputs)
        if not verdict:
            break
    return verdict


def _judge(function, name, inputs):
    mean, sigma = inputs["mean"], inputs["sigma"]
    told = {**inputs, "rng": "a NumPy generator"}
    try:
        found = [as_array(call(function, name, inputs)) for _ in range(2)]
    except Problem as problem:
        reason = str(problem).partition("\nwhen it was called")[0]
        return wrong(f"{name}: {reason}\nWith\n{inputs_shown(told)}")
    if any(one.shape != () for one in found):
        return wrong(
            f"{name} gives shape {found[0].shape}: one number is due, the mean over the draws."
        )
    if found[0] == found[1]:
        return wrong(
            f"{name} gives the very same number twice: draw with `rng`, afresh at each call."
        )
    first = float(found[0])
    kl = normal_kl(mean, sigma**2, 0, 1)
    if abs(first - kl) < 0.03:
        return right(f"{name}: {first:.4f}, the formula says {kl:.4f}.")
    turned = normal_kl(0, 1, mean, sigma**2)
    variance_for_sigma = normal_kl(mean, sigma, 0, 1)
    mistakes = {
        "the sign is wrong: the divergence is the mean of log q minus log p": -kl,
        "the draws come from p, the prior: they are due from q": -turned,
        "that is KL[p || q]; asked is KL[q || p]": turned,
        "sigma is used as a variance: NumPy and SciPy want the deviation": variance_for_sigma,
        "sigma is squared, but NumPy and SciPy want the deviation": normal_kl(mean, sigma**4, 0, 1),
        "the sum over the draws is taken, where their mean is due": kl * inputs["n"],
        "the result is in bits, nats are due": kl / np.log(2),
    }
    for text, value in mistakes.items():
        if abs(first - value) < 0.03 * max(1, abs(value)):
            return wrong(f"{name}: {text}.\nWith\n{inputs_shown(told)}\nit gives {first:.4f}")
    return wrong(
        f"{name} is not the mean of log q(z) - log p(z) over draws from q."
        f"\nWith\n{inputs_shown(told)}\nit gives {first:.4f}, expected about {kl:.4f}"
    )
