"""Measure the challenge of exercise 8: a VAE with two layers of latent variables on black-and-white digits.

    python -m benchmarks.two_layers --dataset digits

This is also a sample solution. Each model is trained three times, and a minute on two idle cores is enough
for one training.
"""

import argparse

import keras
import numpy as np
from keras import layers, ops

from vae_course.data import binarize, load_digits
from vae_course.latent import kl_per_dimension
from vae_course.losses import gaussian_kl
from vae_course.models import Sampling

FIRST, SECOND = 20, 10  # latent dimensions of the two layers
EPOCHS, BATCH, WARM_UP = 40, 50, 20
DRAWS = 10  # with which each test image is scored


def build(second=SECOND, seed=0):
    """Build a VAE from its loss: the model turns images into the terms of the negative ELBO.

    The encoder gives z1 and z2 from the image. The decoder draws z2 from N(0, 1), then z1 from a normal
    distribution whose mean and variance depend on z2, and then the pixels, which depend on z1 alone.
    Because z1 and z2 are independent given the image, the first KL term has a closed form for each z2.

    Args:
        second: Latent dimensions of the second layer, or 0 for a VAE with one layer.
        seed: Seed of weights and noise.

    Returns:
        Model from images, shape `(batch, 28, 28, 1)`, to `(batch, 3)`: -log p(x given z1), the KL of z1
        from its prior given z2, and the KL of z2 from N(0, 1), all in nats. The second model that is
        returned gives mean and log-variance of z2, and is None for one layer.
    """
    keras.utils.set_random_seed(seed)
    image = keras.Input((28, 28, 1))
    x = layers.Flatten()(image)
    hidden = layers.Dense(300, activation="relu")(x)
    mean, log_var = layers.Dense(FIRST)(hidden), layers.Dense(FIRST)(hidden)
    z = Sampling()([mean, log_var])
    prior_mean = prior_log_var = kl_second = ops.zeros_like(mean)
    top = None
    if second:
        deep = layers.Dense(100, activation="relu")(hidden)
        codes = [layers.Dense(second)(deep), layers.Dense(second)(deep)]
        top, kl_second = keras.Model(image, codes), gaussian_kl(*codes)
        drawn = layers.Dense(100, activation="relu")(Sampling()(codes))
        prior_mean, prior_log_var = layers.Dense(FIRST)(drawn), layers.Dense(FIRST)(drawn)
    else:
        kl_second = ops.sum(kl_second, axis=1)
    ratio = (ops.exp(log_var) + ops.square(mean - prior_mean)) / ops.exp(prior_log_var)
    kl_first = 0.5 * ops.sum(prior_log_var - log_var + ratio - 1, axis=1)
    logits = layers.Dense(784)(layers.Dense(300, activation="relu")(z))
    pixels = ops.sum(ops.softplus(logits) - x * logits, axis=1)
    return keras.Model(image, ops.stack([pixels, kl_first, kl_second], axis=1)), top


def train(vae, images, epochs=EPOCHS, warm_up=0):
    """Train with fresh black-and-white images in each epoch; KL terms have full weight after `warm_up`."""
    weight = keras.Variable(1.0, trainable=False)
    vae.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        loss=lambda _, terms: terms[:, 0] + weight * (terms[:, 1] + terms[:, 2]),
    )
    for epoch in range(epochs):
        weight.assign(min(1.0, (epoch + 1) / warm_up) if warm_up else 1.0)
        vae.fit(binarize(images, seed=epoch), np.zeros(len(images)), batch_size=BATCH, verbose=0)


def score(vae, top, images):
    """Return the scores of a model on black-and-white test images.

    Returns:
        Dictionary: `bound` (the negative ELBO), `kl_first` and `kl_second`, in nats, means over images and
        draws; `units` (dimensions of z2 whose means vary by more than 0.01 over the images).
    """
    terms = np.mean(
        [vae.predict(images, batch_size=500, verbose=0) for _ in range(DRAWS)], axis=(0, 1)
    )
    units = 0
    if top:
        mean, log_var = top.predict(images, batch_size=500, verbose=0)
        units = int((mean.var(axis=0) > 0.01).sum())
        assert np.isclose(kl_per_dimension(mean, log_var).sum(), terms[2], rtol=1e-3)
    _, kl_first, kl_second = terms.tolist()
    bound = float(terms.sum())
    return {"bound": bound, "kl_first": kl_first, "kl_second": kl_second, "units": units}


def main():
    """Train each kind of model with each seed, and print the scores."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dataset", choices=["auto", "mnist", "digits"], default="auto")
    parser.add_argument("--images", type=int, default=5000, help="training images")
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = load_digits(options.dataset)
    images, test = data.x_train[: options.images], binarize(data.x_test[:2000])
    print(f"{data.name}: {len(images)} training and {len(test)} test images")
    kinds = {"one layer": (0, 0), "two layers": (SECOND, 0), "with warm-up": (SECOND, WARM_UP)}
    for name, (second, warm_up) in kinds.items():
        for seed in range(options.seeds):
            vae, top = build(second, seed)
            train(vae, images, warm_up=warm_up)
            found = score(vae, top, test)
            told = ", ".join(f"{key} {value:.4g}" for key, value in found.items())
            print(f"{name:13} seed {seed}: {told}", flush=True)


if __name__ == "__main__":
    main()
