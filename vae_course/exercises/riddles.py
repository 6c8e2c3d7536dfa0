"""Set riddles: three trainings with something wrong, and five models to diagnose, without answers."""

import keras
import numpy as np
from keras import layers

from vae_course.models import VAE, Sampling

# Diagnose the curves before you read on, because the settings give the answers away. For each letter: weight
# of the KL term, maximum number of training images, repetitions of each image per epoch.
_SETTINGS = {"A": (0.0, 2000, 1), "B": (100.0, 2000, 1), "C": (1.0, 60, 30)}


def _small_vae(beta):
    """Build a VAE of dense layers that trains within seconds and can memorize a few images."""
    image = keras.Input((28, 28, 1))
    x = layers.Dense(200, activation="relu")(layers.Flatten()(image))
    z_mean, z_log_var = layers.Dense(20)(x), layers.Dense(20)(x)
    encoder = keras.Model(image, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])])
    z = keras.Input((20,))
    x = layers.Dense(200, activation="relu")(z)
    x_hat = layers.Reshape((28, 28, 1))(layers.Dense(784, activation="sigmoid")(x))
    return VAE(encoder, keras.Model(z, x_hat), beta=beta)


def mystery_curves(x_train, x_test, seed):
    """Train a small VAE three times, each time with something wrong, and return only the histories.

    Args:
        x_train: Training images, shape `(n, 28, 28, 1)`, a thousand or so.
        x_test: Images to score after each epoch.
        seed: Seed of weights, noise and order.

    Returns:
        Dictionary from "A", "B" and "C" to a history, like `History.history` in Keras.
    """
    histories = {}
    for letter, (beta, most, times) in _SETTINGS.items():
        keras.utils.set_random_seed(seed)
        vae = _small_vae(beta)
        vae.compile(optimizer=keras.optimizers.Adam(1e-3))
        histories[letter] = vae.fit(
            np.tile(x_train[:most], (times, 1, 1, 1)),
            validation_data=x_test,
            validation_batch_size=500,
            batch_size=32,
            epochs=12,
            verbose=0,
        ).history
    return histories


# Measured with a dense VAE of 40 latent dimensions and the lecture's loss on 5,000 digits of MNIST. There are
# three runs of each model, scored on 1,000 test images. Which is which stands in choices.json, as digests.
ROWS = ("reconstruction", "KL", "mutual information", "active units", "largest log-variance")
_MODELS = (
    ((50.88, 50.44, 50.01), (0.13, 0.15, 0.20), (0.12, 0.11, 0.18), (6, 9, 12), (0.16, 0.15, 0.18)),
    ((6.46, 6.53, 6.28), (0.002, 0.002, 0.002), (0.005, 0.001, 0.002), (0, 0, 0), (0.08, 0.09, 0.10)),
    ((48.88, 47.08, 42.84), (1.08, 1.60, 8.47), (0.52, 0.98, 4.09), (18, 30, 40), (0.07, 0.25, 0.97)),
    ((54.80, 68.17, 63.27), (157_800, 1_329_000, 568_600), (4.56, 3.59, 3.77), (40, 40, 40),
     (14.44, 16.09, 15.37)),
    ((33.22, 32.85, 33.49), (6.46, 6.92, 6.38), (4.85, 5.00, 4.86), (25, 32, 30), (0.38, 0.37, 0.47)),
)  # fmt: skip


def order(seed):
    """Return which of the models is behind each letter."""
    return np.random.default_rng(seed).permutation(len(_MODELS))


def collapsed_models(seed):
    """Return the tables of five models; in four, the code says almost nothing or training went wrong.

    Args:
        seed: Decides which model is behind which letter.

    Returns:
        Dictionary from "A" to "E" to a table: a dictionary from the names in `ROWS` to the numbers of three
        runs, which differ in their seeds alone. Reconstruction (sum of squared errors), KL and mutual
        information are in nats, means over test images.
    """
    tables = (dict(zip(ROWS, _MODELS[place], strict=True)) for place in order(seed))
    return dict(zip("ABCDE", tables, strict=True))
