"""What the course's models share: two networks, checked images, saving and loading."""

import math

import keras
import numpy as np


class ImageModel(keras.Model):
    """What `Autoencoder` and `VAE` share: two networks, checked images, saving and loading.

    Args:
        encoder: Model whose outputs all have shape `(batch, latent_dim)`.
        decoder: Model from `(batch, latent_dim)` to images.
        **kwargs: Passed to `keras.Model`.

    Raises:
        ValueError: If the decoder takes another latent dimension than the encoder gives.
    """

    def __init__(self, encoder, decoder, **kwargs):
        super().__init__(**kwargs)
        if encoder.outputs[0].shape[-1] != decoder.input_shape[-1]:
            raise ValueError(
                f"The encoder gives {encoder.outputs[0].shape[-1]} latent dimensions, but the decoder "
                f"takes {decoder.input_shape[-1]}: build both with the same latent_dim."
            )
        self.supports_jit = False  # On a CPU, XLA makes these small convolutions slower.
        self.encoder = encoder
        self.decoder = decoder
        self.built = True  # All weights are there: it can be saved before it has seen an image.

    def fit(self, x=None, y=None, *args, validation_data=None, **kwargs):
        """Train as `keras.Model.fit` does, once all images are seen to be valid.

        Raises:
            ValueError: If images have a wrong shape, values outside [0, 1] or NaN, or if they are given
                weights, which the losses do not know.
        """
        self._check_images(x, y, "x_train", kwargs)
        if validation_data is not None:
            parts = validation_data if isinstance(validation_data, tuple) else (validation_data,)
            if len(parts) > 2:
                raise ValueError(
                    "validation_data has weights, which are not supported: leave them out."
                )
            self._check_images(
                parts[0], parts[1] if len(parts) > 1 else None, "validation_data", {}
            )
            kwargs["validation_data"] = validation_data
        return super().fit(x, y, *args, **kwargs)

    def evaluate(self, x=None, y=None, *args, **kwargs):
        """Evaluate as `keras.Model.evaluate` does, once all images are seen to be valid.

        Raises:
            ValueError: If images have a wrong shape, values outside [0, 1] or NaN, or are given weights.
        """
        self._check_images(x, y, "x_test", kwargs)
        return super().evaluate(x, y, *args, **kwargs)

    def _check_images(self, x, y, name, options):
        for option in ("sample_weight", "class_weight"):
            if options.get(option) is not None:
                raise ValueError(
                    f"{option} is not supported: every image counts the same. Leave it out."
                )
        check_images(x, self.encoder.input_shape[1:], name)
        if y is not None:
            check_images(y, self.encoder.input_shape[1:], f"the target of {name}")

    def get_config(self):
        """Return what `keras.models.load_model` needs to build the model again."""
        networks = {"encoder": self.encoder, "decoder": self.decoder}
        serialize = keras.saving.serialize_keras_object
        return {**super().get_config(), **{name: serialize(net) for name, net in networks.items()}}

    @classmethod
    def from_config(cls, config):
        """Build the model from what `get_config` returned."""
        config = dict(config)
        for name in ("encoder", "decoder"):
            config[name] = keras.saving.deserialize_keras_object(config[name])
        return cls(**config)


def check_images(images, shape, name):
    """Refuse arrays that are not images with values in [0, 1]; let data sets and tensors pass.

    Args:
        images: NumPy array; anything else is left to Keras.
        shape: Shape of one image, such as (28, 28, 1).
        name: What the error message calls the images.

    Raises:
        ValueError: If the shape is another, or a value is NaN or outside [0, 1].
    """
    if not isinstance(images, np.ndarray):
        return
    if images.shape[1:] != tuple(shape) or len(images) == 0:
        expected = ", ".join(map(str, shape))
        raise ValueError(
            f"{name} has shape {images.shape}, expected (n, {expected}) with n of 1 or more: the model "
            "takes grey images, such as load_digits().x_train, and its target is an image, not a label."
        )
    low, high = float(images.min()), float(images.max())
    if math.isnan(low) or math.isnan(high):
        count = int(np.isnan(images).sum())
        raise ValueError(f"{name} has {count} NaN value(s): remove or repair those images first.")
    if low < 0 or high > 1:
        raise ValueError(
            f"{name} has values from {low:g} to {high:g}, expected [0, 1]: "
            "divide grey values of 0 to 255 by 255."
        )
