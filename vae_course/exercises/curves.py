"""Three trainings of which something is wrong, for an exercise: their curves, not their code.

Diagnose the curves before you read on: the settings below give the answers away.
"""

import keras
import numpy as np
from keras import layers

from vae_course.models import VAE, Sampling

# By letter: weight of the KL term, most training images, how often each is shown in one epoch.
_SETTINGS = {"A": (0.0, 2000, 1), "B": (100.0, 2000, 1), "C": (1.0, 60, 30)}


def _small_vae(beta):
    """Build a VAE of dense layers: it trains within seconds, and learns few images by heart."""
    image = keras.Input((28, 28, 1))
    x = layers.Dense(200, activation="relu")(layers.Flatten()(image))
    z_mean, z_log_var = layers.Dense(20)(x), layers.Dense(20)(x)
    encoder = keras.Model(image, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])])
    z = keras.Input((20,))
    x = layers.Dense(200, activation="relu")(z)
    x_hat = layers.Reshape((28, 28, 1))(layers.Dense(784, activation="sigmoid")(x))
    return VAE(encoder, keras.Model(z, x_hat), beta=beta)


def mystery_curves(x_train, x_test, seed, letters="ABC"):
    """Train a small VAE for each letter, and tell only how it went.

    Args:
        x_train: Training images, shape `(n, 28, 28, 1)`, a thousand or so.
        x_test: Images to score after each epoch.
        seed: Seed of weights, noise and order.
        letters: Which trainings to make, of "A", "B" and "C".

    Returns:
        Dictionary from letter to a history, as `History.history` of Keras.
    """
    histories = {}
    for letter in letters:
        beta, most, times = _SETTINGS[letter]
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
