"""The one layer of a VAE that Keras does not have."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="vae_course")
class Sampling(keras.layers.Layer):
    """Draw z from N(z_mean, exp(z_log_var)) in a way that gradients can pass: the reparameterization trick.

    Args:
        seed: Integer for a reproducible stream of noise; None takes it from
            `keras.utils.set_random_seed`.
        **kwargs: Passed to `keras.layers.Layer`.

    Source: Kingma and Welling (2014), section 2.4; lecture, "Backpropagation over a sampled distribution".
    """

    def __init__(self, seed=None, **kwargs):
        super().__init__(**kwargs)
        self.seed = seed
        self.noise = keras.random.SeedGenerator(seed)

    def call(self, inputs):
        """Return z = z_mean + sigma * eps, shape `(batch, latent_dim)`, with fresh eps from N(0, 1)."""
        z_mean, z_log_var = inputs
        eps = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=self.noise)
        return z_mean + ops.exp(0.5 * z_log_var) * eps  # exp(log(sigma^2) / 2) is sigma

    def compute_output_shape(self, input_shape):
        """Return the shape of z: that of z_mean."""
        return input_shape[0]

    def get_config(self):
        """Return what `keras.models.load_model` needs to build the layer again."""
        return {**super().get_config(), "seed": self.seed}
