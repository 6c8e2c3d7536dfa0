"""Estimate log p(x) of a trained VAE by importance weighting."""

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from vae_course.checks import MOST_DRAWS, check_images
from vae_course.quick_vae import quickened
from vae_course.runs.files import rounded

AT_ONCE = 4000  # draws of digits that are decoded together, in well under 1 GB


def log_likelihood(model, x, draws=5000, seed=0, show=False):
    """Bound log p(x) of each image by the importance-weighted bound, which rises to it with more draws.

    Args:
        model: `VAE`. The state of its own noise generator does not change.
        x: Images as the model's likelihood takes them.
        draws: Number of draws K of z for each image; 1 gives an estimate of the ELBO.
        seed: Seed of the draws.
        show: Whether to show a progress bar on a terminal.

    Returns:
        The bounds, shape `(n,)`, in nats; and the effective sample sizes (sum w)^2 / sum w^2, from 1 to
        `draws`, same shape. Memory does not grow with `draws`.

    Raises:
        ValueError: If the images are not valid or `draws` is out of range.

    Source: Burda, Grosse and Salakhutdinov (2016), equation 8 and section 5; Kong (1992) for the sample size.
    """
    check_images(x, model.encoder.input_shape[1:], "x")
    if not 1 <= draws <= MOST_DRAWS:
        raise ValueError(f"{draws} draws are out of range: use 1 to {MOST_DRAWS}, such as 5000.")
    share = max(1, model.pixels // 784)  # larger images are decoded fewer at a time
    once = min(draws, max(1, 500 // share))
    log_weights = tf.function(quickened(model).log_weights)
    noise = model.noise.state
    kept, log_sums = noise.numpy(), np.full((2, len(x)), -np.inf)  # of w and of w^2
    noise.assign([seed, 0])
    places = range(0, len(x), max(1, AT_ONCE // share // once))
    options = {"unit": "draw", "unit_scale": True, "disable": None if show else True}
    try:
        with tqdm(total=len(x) * draws, **options) as bar:
            for start in places:
                some = slice(start, start + places.step)
                for done in range(0, draws, once):
                    images = tf.cast(x[some], "float32")
                    log_w = log_weights(images, min(once, draws - done))
                    for row, power in enumerate((1, 2)):
                        log_sum = keras.ops.logsumexp(power * tf.cast(log_w, "float64"), axis=0)
                        log_sums[row, some] = np.logaddexp(log_sums[row, some], log_sum)
                    bar.update(log_w.shape.num_elements())
    finally:
        noise.assign(kept)
    return log_sums[0] - np.log(draws), np.exp(2 * log_sums[0] - log_sums[1])


def summary(model, x, draws, show=False):
    """Summarize `log_likelihood` for a card or a report.

    Args:
        model: As in `log_likelihood`.
        x: As in `log_likelihood`.
        draws: As in `log_likelihood`.
        show: As in `log_likelihood`.

    Returns:
        JSON-serializable dictionary: number of draws and of images, mean of the bounds in nats, its standard
        error over the images, and the median effective sample size.

    Raises:
        ValueError: As in `log_likelihood`.
    """
    bounds, sizes = log_likelihood(model, x, draws, show=show)
    return {
        "draws": draws,
        "images": len(x),
        "mean": rounded(bounds.mean()),
        "standard_error": rounded(bounds.std(ddof=1) / len(x) ** 0.5),
        "median_effective_sample_size": rounded(np.median(sizes)),
    }
