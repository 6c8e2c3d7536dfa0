"""Train models for log p(x) and score them: `python -m benchmarks.likelihood NETWORK SEED...`.

The protocol is that of Burda, Grosse and Salakhutdinov (2016): MNIST's training images are binarized anew in
each epoch, its test images once, and log p(x) is estimated with 5,000 draws for each of 10,000 test images.
NETWORK is one of these:

- lecture: the lecture's network with 50 latent dimensions, by the recipe "best". The one of seed 1 ships with
  the course, so it is scored as it is.
- short: the same for 50 epochs only.
- weighted: the same for 50 epochs, by the importance-weighted bound with 5 draws.
- wide: wider layers and a learned prior, a mixture of normals, for 60 epochs.

A run that was stopped goes on where it was, in training and in scoring; what it has lies in
`build/likelihood`. Each score becomes a row of `vae_course/trained/likelihood-mnist.csv`, which lesson 7
shows. If `short 1` has been scored before, the row says by how much the network is ahead of it. Five of its
rows (lecture 3, short, weighted, wide 2 and 3) were scored by a program of its own on a graphics card. On
wide 1, where both have been used, the two differ by 0.001 +- 0.007 nats.
"""

import dataclasses
import math
import time
from pathlib import Path

import click
import keras
import numpy as np
from keras import layers, ops

from vae_course import pretrained, training
from vae_course.atomic import write_atomically, write_rows
from vae_course.data import DataNotFoundError, load_digits
from vae_course.models import VAE, Sampling
from vae_course.runs.likelihood import log_likelihood

LATENT_DIM, PARTS, WIDTH = 40, 500, 32
DRAWS, AT_ONCE = 5000, 500  # AT_ONCE images are scored before their bounds are written
BEST = training.RECIPES["best"]
SHORT = dataclasses.replace(BEST, epochs=50)
NETWORKS = {
    "lecture": (BEST, {"likelihood": "bernoulli"}),
    "short": (SHORT, {"likelihood": "bernoulli"}),
    "weighted": (SHORT, {"likelihood": "bernoulli", "draws": 5}),
    "wide": (dataclasses.replace(BEST, learning_rate=2e-3, epochs=60), {}),
}
FOLDER = Path("build", "likelihood")
TABLE = pretrained.FOLDER / "likelihood-mnist.csv"


class VAEWithLearnedPrior(VAE):
    """A VAE whose prior is a mixture of normals with diagonal covariances, trained with the rest."""

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(encoder, decoder, likelihood="bernoulli", **kwargs)
        shape = PARTS, LATENT_DIM
        self.middles = self.add_weight(shape, keras.initializers.RandomNormal(stddev=0.5))
        self.log_variances = self.add_weight(shape, keras.initializers.Constant(math.log(0.75)))
        self.shares = self.add_weight((PARTS,), "zeros")  # of the parts, as logits

    def log_prior(self, z):
        """Compute log p(z), shape `(...,)`, of z with shape `(..., LATENT_DIM)`."""
        precision = ops.exp(-self.log_variances)
        # Expand (z - middle)^2 into two matrix products and a term without z.
        flat = ops.reshape(z, (-1, LATENT_DIM))
        distance = ops.matmul(ops.square(flat), ops.transpose(precision))
        distance -= 2 * ops.matmul(flat, ops.transpose(self.middles * precision))
        alone = ops.square(self.middles) * precision + self.log_variances + math.log(2 * math.pi)
        log_parts = ops.log_softmax(self.shares) - 0.5 * (distance + ops.sum(alone, axis=-1))
        return ops.reshape(ops.logsumexp(log_parts, axis=-1), ops.shape(z)[:-1])

    def sample(self, x):
        """Return z for the images x, and add log q(z given x) - log p(z) to the loss, from one draw."""
        z_mean, z_log_var, z = self.encoder(x)
        noise = ops.square(z - z_mean) * ops.exp(-z_log_var)
        log_q = -0.5 * ops.sum(noise + z_log_var + math.log(2 * math.pi), axis=-1)
        kl = log_q - self.log_prior(z)
        self.kl_tracker.update_state(kl)
        self.add_loss(ops.mean(kl))
        return z

    def weighted_draws(self, x, draws):
        """Draw as a VAE does, and replace the standard normal prior in the weights by the learned one."""
        z, log_weights = super().weighted_draws(x, draws)
        standard = -0.5 * ops.sum(ops.square(z) + math.log(2 * math.pi), axis=-1)
        return z, log_weights + self.log_prior(z) - standard


def build_wide():
    """Build an untrained model of strided convolutions."""
    conv = {"strides": 2, "padding": "same", "activation": "relu"}
    image, z = keras.Input((28, 28, 1)), keras.Input((LATENT_DIM,))
    x = layers.Conv2D(WIDTH, 3, **conv)(image)  # 14 x 14
    x = layers.Conv2D(2 * WIDTH, 3, **conv)(x)  # 7 x 7
    x = layers.Dense(8 * WIDTH, activation="relu")(layers.Flatten()(x))
    heads = [layers.Dense(LATENT_DIM, name=name)(x) for name in ("z_mean", "z_log_var")]
    encoder = keras.Model(image, [*heads, Sampling(name="z")(heads)])
    x = layers.Dense(8 * WIDTH, activation="relu")(z)
    x = layers.Dense(7 * 7 * 2 * WIDTH, activation="relu")(x)
    x = layers.Conv2DTranspose(WIDTH, 4, **conv)(layers.Reshape((7, 7, 2 * WIDTH))(x))  # 14 x 14
    x_hat = layers.Conv2DTranspose(1, 4, **(conv | {"activation": "sigmoid"}))(x)  # 28 x 28
    return VAEWithLearnedPrior(encoder, keras.Model(z, x_hat))


class Keep(keras.callbacks.Callback):
    """Keep the weights after each epoch, with the seconds of processor time that they took."""

    def __init__(self, path, spent):
        super().__init__()
        self.path, self.spent, self.start = path, spent, time.process_time()

    def on_epoch_end(self, epoch, logs=None):
        """Write both."""
        spent = self.spent + time.process_time() - self.start
        unfinished = self.path.with_name(f"unfinished-{self.path.name}")  # Keras wants this ending
        self.model.save_weights(unfinished)
        unfinished.replace(self.path)
        self.path.with_suffix(".seconds").write_text(f"{spent:.0f}")
        print(
            f"epoch {epoch + 1}: {logs['loss']:.2f}, {spent / 60:.1f} processor minutes", flush=True
        )


def train(network, seed, data):
    """Train a model, or go on where its training was stopped; return it with its processor minutes."""
    if (network, seed) == ("lecture", 1):
        return pretrained.load("vae-50-mnist-bernoulli")[0], None
    recipe, options = NETWORKS[network]
    keras.utils.set_random_seed(seed)
    if network == "wide":
        model = build_wide()
        steps = training.steps_per_epoch(recipe, data)
        model.compile(training.make_optimizer(recipe, steps, recipe.epochs))
        model.optimizer.build(model.trainable_variables)
    else:
        model = training.build(recipe, data, latent_dim=50, seed=seed, **options)
    model(np.zeros((1, 28, 28, 1), "float32"))
    path, spent = FOLDER / f"{network}-{seed}.weights.h5", 0.0
    if path.exists():
        model.load_weights(path)
        spent = float(path.with_suffix(".seconds").read_text())
    keep = Keep(path, spent)
    quick = network != "wide"
    training.fit(model, recipe, data, seed=seed, callbacks=[keep], quick=quick, validate=False)
    return model, float(path.with_suffix(".seconds").read_text()) / 60


def score(model, x_test, path):
    """Return bounds on log p(x) and effective sample sizes, shape `(2, n)`, continuing the file at path."""
    done = np.load(path) if path.exists() else np.empty((2, 0))
    for start in range(done.shape[1], len(x_test), AT_ONCE):
        part = log_likelihood(model, x_test[start : start + AT_ONCE], DRAWS, seed=start)
        done = np.hstack([done, part])
        with write_atomically(path) as unfinished, open(unfinished, "wb") as file:
            np.save(file, done)
        print(f"{done.shape[1]} images: {done[0].mean():.3f}", flush=True)
    return done


def ahead_of_short(bounds):
    """Return by how many nats the bounds of all images are above those of `short 1`, and the standard error.

    All networks are scored on the same images, so their differences are compared image by image.
    """
    path = FOLDER / "short-1.bounds.npy"
    gain = bounds - np.load(path)[0] if path.exists() else []
    if not np.any(gain):
        return None, None
    return round(float(gain.mean()), 3), round(float(gain.std(ddof=1) / len(gain) ** 0.5), 3)


@click.command()
@click.argument("network", type=click.Choice(list(NETWORKS)))
@click.argument("seeds", type=click.IntRange(0), nargs=-1, required=True)
def main(network, seeds):
    """Train and score a model of NETWORK for each of SEEDS, and write its row."""
    try:
        data = load_digits("mnist")
    except DataNotFoundError as error:
        raise click.ClickException(str(error)) from error
    FOLDER.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        model, minutes = train(network, seed, data)
        x_test = training.binarized(model, data.x_test)
        bounds, sizes = score(model, x_test, FOLDER / f"{network}-{seed}.bounds.npy")
        ahead, error = ahead_of_short(bounds)
        row = {
            "network": network,
            "seed": seed,
            "processor_minutes": minutes and round(minutes, 1),
            "elbo": round(float(np.mean(log_likelihood(model, x_test, 1)[0])), 3),
            "draws": DRAWS,
            "images": len(x_test),
            "mean": round(float(bounds.mean()), 3),
            "standard_error": round(float(bounds.std(ddof=1) / len(bounds) ** 0.5), 3),
            "median_effective_sample_size": round(float(np.median(sizes)), 1),
            "ahead_of_short": ahead,
            "error_of_that": error,
        }
        old = pretrained.read_rows(TABLE) if TABLE.exists() else []
        rows = [one for one in old if (one["network"], one["seed"]) != (network, seed)]
        write_rows(TABLE, sorted([*rows, row], key=lambda one: (one["network"], one["seed"])))
        print(row, flush=True)


if __name__ == "__main__":
    main()
