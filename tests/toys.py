"""Decoders, codes and a sweep small enough to know by heart, and explorers of them."""

import functools
from types import SimpleNamespace

import keras
import nbformat
import numpy as np
from keras import layers
from pins import ROOT

from vae_course.explorers import (
    DigitMorph,
    DrawADigit,
    Handwriting,
    KLExplorer,
    LatentMap,
    LatentTraversal,
    RateDistortion,
    ReparameterizationExplorer,
    Staircase,
    TransposedConvolutionExplorer,
)
from vae_course.losses import gaussian_kl
from vae_course.models import VAE, Sampling, build_decoder, build_encoder

BETAS = (0.1, 0.5, 1.0, 4.0, 20.0)
NAMES = (
    "LatentMap KLExplorer ReparameterizationExplorer TransposedConvolutionExplorer DigitMorph "
    "LatentTraversal Staircase RateDistortion DrawADigit Handwriting"
).split()


def make_sweep(betas=BETAS, seeds=3, latent_dim=12):
    """Make a table of runs and their pictures, with numbers of which each is different.

    Args:
        betas: Weights of the KL term.
        seeds: Runs for each of them.
        latent_dim: Dimensions of the codes.

    Returns:
        The table, a list of dictionaries, and the gallery, a dictionary of arrays.
    """
    dice = np.random.default_rng(0)
    table = []
    for beta in betas:
        for seed in range(seeds):
            rate = 30 / (0.3 + beta) + dice.normal(scale=0.1)
            table.append(
                {
                    "beta": beta,
                    "seed": seed,
                    "reconstruction": 8 + 45 * np.exp(-rate / 12) + dice.normal(scale=0.1),
                    "kl": rate,
                    "active_units": int(latent_dim / (1 + beta)) + (seed == 2),
                }
            )
    count = len(betas)
    gallery = {
        "beta": np.array(betas),
        "originals": dice.integers(0, 256, (8, 28, 28)).astype("uint8"),
        "reconstructions": dice.integers(0, 256, (count, 8, 28, 28)).astype("uint8"),
        "samples": dice.integers(0, 256, (count, 8, 28, 28)).astype("uint8"),
        "kl_per_dimension": dice.gamma(0.7, 2 / np.sqrt(betas)[:, None], (count, latent_dim)),
    }
    gallery["kl_per_dimension"] = gallery["kl_per_dimension"].astype("float32")
    return table, gallery


def make_decoder(latent_dim, seed=0):
    """Make a decoder of one layer: a picture is the sigmoid of a linear function of the code."""
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((latent_dim,)),
            layers.Dense(784, activation="sigmoid", kernel_initializer="random_normal"),
            layers.Reshape((28, 28, 1)),
        ]
    )


def pictures_of(decoder, z):
    """Decode without Keras: sigmoid(z W + b), shape `(n, 28, 28)`."""
    weights, bias = decoder.get_weights()
    return (1 / (1 + np.exp(-(np.atleast_2d(z) @ weights + bias)))).reshape(-1, 28, 28)


def make_conditional(latent_dim=3):
    """Make a conditional VAE of one layer in each half: codes and pictures depend on the label, too."""
    keras.utils.set_random_seed(4)
    label, image, z = (keras.Input(shape) for shape in ((10,), (28, 28, 1), (latent_dim,)))
    x = layers.Concatenate()([layers.Flatten()(image), label])
    encoder = keras.Model([image, label], [layers.Dense(latent_dim)(x) for _ in range(2)])
    x = layers.Concatenate()([z, label])
    x = layers.Dense(784, activation="sigmoid", kernel_initializer="random_normal")(x)
    decoder = keras.Model([z, label], layers.Reshape((28, 28, 1))(x))
    return SimpleNamespace(encoder=encoder, decoder=decoder)


def conditional_of_lesson_9():
    """Build the conditional VAE from the lesson's own cell, untrained."""
    cells = nbformat.read(ROOT / "notebooks" / "09_beyond_digits.ipynb", 4).cells
    (source,) = [cell.source for cell in cells if "class ConditionalVAE" in cell.source]
    names = {"keras": keras, "layers": layers, "ops": keras.ops}
    names |= {"Sampling": Sampling, "gaussian_kl": gaussian_kl}
    exec(source, names)
    keras.utils.set_random_seed(0)
    return names["ConditionalVAE"]()


def make_judge():
    """Make weights like those of a LogisticRegression that is trained on images of digits."""
    dice = np.random.default_rng(6)
    return SimpleNamespace(coef_=dice.normal(size=(10, 784)) / 9, intercept_=dice.normal(size=10))


@functools.cache
def _networks():
    plane, other, five = make_decoder(2, 1), make_decoder(2, 2), make_decoder(5)
    keras.utils.set_random_seed(0)
    return plane, other, five, VAE(build_encoder(2), build_decoder(2))


def toy_explorer(name):
    """Make one explorer of this kind; the networks in it are always the same."""
    labels, codes = np.arange(60) % 10, np.random.default_rng(1).normal(size=(60, 5))
    plane, other, five, vae = _networks()
    images = (np.random.default_rng(0).random((2, 28, 28, 1)) < 0.3).astype("float32")
    models = {"autoencoder": (plane, codes[:, :2]), "VAE": (other, codes[:, 2:4])}
    greys = np.random.default_rng(2).random((60, 28, 28, 1)) ** 3
    explorers = {
        LatentMap: lambda: LatentMap(models, labels, "toy"),
        KLExplorer: KLExplorer,
        ReparameterizationExplorer: lambda: ReparameterizationExplorer(1),
        TransposedConvolutionExplorer: TransposedConvolutionExplorer,
        DigitMorph: lambda: DigitMorph(five, codes, labels),
        LatentTraversal: lambda: LatentTraversal(five, codes, labels, np.arange(5.0)),
        Staircase: lambda: Staircase(vae, images, [4, 7]),
        RateDistortion: lambda: RateDistortion(*make_sweep(), lecture=(13, 15.5)),
        DrawADigit: lambda: DrawADigit(vae, greys, labels, "toy"),
        Handwriting: lambda: Handwriting(make_conditional(), greys, labels, "toy", make_judge()),
    }
    return {kind.__name__: make for kind, make in explorers.items()}[name]()


def toy_explorers():
    """Make one explorer of each kind, by name."""
    return {name: toy_explorer(name) for name in NAMES}
