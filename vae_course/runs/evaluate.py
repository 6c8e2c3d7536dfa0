"""Evaluate a trained model: its scores, how much they vary, and what to expect of them."""

import math

import numpy as np

from vae_course.latent import active_units
from vae_course.models import VAE
from vae_course.quick_vae import quickened
from vae_course.runs.files import PASSES, rounded
from vae_course.runs.likelihood import summary
from vae_course.training import binarized

BATCH_SIZE = 500
METRICS = ("loss", "reconstruction", "kl", "mse")
# Test scores of well-trained models with a beta of 1, by data set, kind and latent dimensions: lowest and
# highest loss, reconstruction, KL, active units. Each range includes the score of the shipped model
# (vae_course/trained/*.json) and those of other seeds and longer training.
EXPECTED = {
    ("MNIST", "vae", 100): ((26.9, 28.6), (14.5, 17.5), (10.5, 13.0), (10, 25)),
    ("MNIST", "vae", 2): ((36.5, 39.5), (31.5, 35.5), (4.0, 5.2), (2, 2)),
    ("MNIST", "ae", 2): ((29.5, 34.0), (29.5, 34.0)),
    ("embedded digits", "vae", 100): ((13.2, 15.2), (7.4, 9.8), (4.6, 6.6), (6, 25)),
    ("embedded digits", "vae", 2): ((16.0, 18.5), (12.2, 15.0), (3.0, 4.2), (2, 2)),
    ("embedded digits", "ae", 2): ((11.8, 14.5), (11.8, 14.5)),
}


def evaluate(model, x, passes=PASSES, callbacks=()):
    """Score a model several times with different noise, which is the same in every call.

    Args:
        model: `VAE` or `Autoencoder`. The state of its own noise generator does not change.
        x: Images as the model takes them, values in [0, 1].
        passes: How many times, at least 2; an `Autoencoder` draws no noise and is scored once.
        callbacks: Keras callbacks for each pass.

    Returns:
        Dictionary from "loss", "reconstruction" (squared error summed over pixels), "kl" (nats), "mse" (per
        pixel) and "active_units" (as in `latent.active_units`) to a mean and a standard deviation over the
        passes. An `Autoencoder` has no KL and no active units, and its reconstruction is its loss.

    Raises:
        ValueError: If the images are not valid, a weight or a score of the model is not finite, or `passes`
            is less than 2.
    """
    is_vae = isinstance(model, VAE)
    if is_vae and passes < 2:
        raise ValueError(f"passes={passes} show no spread: use 2 or more, such as {PASSES}.")
    _check_finite("weights", model.get_weights())
    judge = quickened(model)  # the same scores, sooner
    if not judge.compiled:
        judge.compile()
    noise = model.noise.state if is_vae else None
    before, runs = noise.numpy() if is_vae else None, []
    try:
        for seed in range(passes if is_vae else 1):
            if is_vae:
                noise.assign([seed, 0])
            options = {"batch_size": BATCH_SIZE, "verbose": 0, "callbacks": list(callbacks)}
            run = judge.evaluate(x, **options, return_dict=True)
            runs.append({"reconstruction": run["loss"], **run})  # an Autoencoder's is its loss
        if is_vae:
            z_mean, _, _ = model.encoder.predict(x, batch_size=BATCH_SIZE, verbose=0)
    finally:
        if is_vae:
            noise.assign(before)
    columns = {name: [run[name] for run in runs] for name in METRICS if name in runs[0]}
    _check_finite("scores", columns.values())
    scores = {n: (float(np.mean(v)), float(np.std(v, ddof=is_vae))) for n, v in columns.items()}
    if is_vae:
        scores["active_units"] = (float(active_units(z_mean)), 0.0)
    return scores


def report(model, card, data, passes=PASSES, draws=None, images=None):
    """Score a model and compare it with what is expected.

    Args:
        model: `VAE` or `Autoencoder`.
        card: Its card; None if it has none.
        data: What `load_digits` returns.
        passes: As in `evaluate`.
        draws: Number of draws of z for each image to estimate log p(x) with; None leaves that out.
        images: Number of test images to estimate it on; None for all.

    Returns:
        JSON-serializable dictionary: what was scored on what; for each metric its mean, spread, expected
        range and verdict; yardsticks; and what `likelihood.summary` returned, or None.

    Raises:
        ValueError: As in `evaluate` and `likelihood.log_likelihood`, or if an `Autoencoder` is asked for log
            p(x).
    """
    beta, latent_dim = getattr(model, "beta", None), model.decoder.input_shape[-1]
    kind, trained_on = "ae" if beta is None else "vae", card and card["dataset"]
    likelihood, x_test = getattr(model, "likelihood", None), binarized(model, data.x_test)
    ranges, note = _expected_ranges(kind, latent_dim, beta, data.name, trained_on)
    if (card or {}).get("pictures"):
        note = "none for pictures of your own"
    if likelihood not in (None, "gaussian") or getattr(model, "draws", 1) > 1:
        ranges, note = {}, f"no range measured for likelihood={likelihood}, draws={model.draws}"
    if draws is not None and likelihood is None:
        raise ValueError("An autoencoder has no likelihood: leave out --log-likelihood.")
    scores = {}
    for metric, (mean, spread) in evaluate(model, x_test, passes).items():
        scores[metric] = {
            "mean": rounded(mean),
            "spread": rounded(spread),
            "expected": ranges.get(metric),
            "verdict": _judge(metric, mean, ranges[metric]) if metric in ranges else None,
        }
    return {
        "dataset": data.name,
        "images": len(x_test),
        "trained_on": trained_on,
        "kind": kind,
        "latent_dim": latent_dim,
        "beta": beta,
        "likelihood": likelihood,
        "draws": getattr(model, "draws", 1),
        "passes": passes if kind == "vae" else 1,
        "scores": scores,
        "note": note,
        # The loss of a model that always outputs the mean training image, with a KL of 0.
        "yardsticks": {"mean_image": rounded(_cost_of_the_mean_image(model, data, x_test))},
        "log_likelihood": draws and summary(model, x_test[:images], draws, show=True),
    }


def _cost_of_the_mean_image(model, data, x_test):
    """Return the loss of a model that always outputs the mean training image, with a KL of 0."""
    mean = data.x_train.mean(axis=0, dtype="float64").astype("float32")
    if data.x_train.dtype == np.uint8:
        mean /= 255
    squares = np.square(x_test - mean).sum(axis=(1, 2, 3)).mean(dtype="float64")
    likelihood = getattr(model, "likelihood", "gaussian")
    if likelihood == "gaussian":
        return squares
    if likelihood == "learned-gaussian":  # with its own best variance
        pixels = mean.size
        return pixels / 2 * (math.log(2 * math.pi * squares / pixels) + 1)
    return float(np.mean(model.reconstruction_error(x_test, np.broadcast_to(mean, x_test.shape))))


def _expected_ranges(kind, latent_dim, beta, dataset, trained_on):
    """Return the lowest and highest expected value of each metric, or none and the reason why."""
    if trained_on not in (None, dataset):
        return {}, f"no range measured for a model trained on {trained_on}"
    if beta not in (None, 1):
        return {}, f"no range measured for beta={beta:g}"
    if (dataset, kind, latent_dim) not in EXPECTED:
        return {}, f"no range measured for latent_dim={latent_dim}"
    names = ("loss", "reconstruction", "kl", "active_units")  # an autoencoder has two
    ranges = dict(zip(names, EXPECTED[dataset, kind, latent_dim], strict=False))
    ranges["mse"] = tuple(round(error / 784, 4) for error in ranges["reconstruction"])
    return ranges, ""


def _judge(metric, value, expected):
    """Say "better" or "worse" of losses and errors out of range, "below" or "above" of what is neither."""
    low, high = expected
    if low <= value <= high:
        return "within"
    words = ("below", "above") if metric in ("kl", "active_units") else ("better", "worse")
    return words[0] if value < low else words[1]


def _check_finite(what, arrays):
    if not all(np.isfinite(array).all() for array in arrays):
        raise ValueError(
            f"The model's {what} are not all finite: its training diverged. Train it again with a smaller "
            "beta or learning rate."
        )
