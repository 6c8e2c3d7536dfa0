"""The lecture's networks: sampling layer, encoder, decoder, and the two models that train them together."""

import functools
import math

import keras
from keras import layers, ops

from vae_course.checks import (
    check_beta,
    check_image_shape,
    check_images,
    check_latent_dim,
    check_likelihood,
)
from vae_course.losses import (
    bernoulli_nll,
    continuous_bernoulli_nll,
    gaussian_kl,
    gaussian_nll,
    log_mean_exp,
    squared_error,
    to_logits,
)


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


def _with_checked_sizes(build):
    """Let `build(latent_dim, image_shape)` refuse bad sizes before it makes a layer."""

    @functools.wraps(build)
    def checked(latent_dim=100, image_shape=(28, 28, 1)):
        check_latent_dim(latent_dim)
        check_image_shape(image_shape)
        return build(int(latent_dim), tuple(map(int, image_shape)))

    return checked


def halvings(image_shape):
    """Choose how often the encoder halves an image, and the decoder doubles it: twice, as in the lecture.

    Images larger than 64 x 64 are halved until no side is longer than 16, or one is odd, because the dense
    layers grow with the area that is left. At 64 x 64, two halvings learned better than three: on 1,800
    coloured shapes, with 32 latent dimensions, the test loss after 20 epochs was 109 against 122 with one
    seed, and 101 against 108 with another, although three halvings need 481,411 weights and two 814,083.

    Args:
        image_shape: Height and width, multiples of 4, and channels.

    Returns:
        List of the filters of the convolution before each halving: 16, 32, then 64.
    """
    (height, width), filters = image_shape[:2], []
    while len(filters) < 2 or (max(height, width) > 16 and height % 2 == width % 2 == 0):
        filters.append(min(64, 16 * 2 ** len(filters)))
        height, width = height // 2, width // 2
    return filters


@_with_checked_sizes
def build_encoder(latent_dim=100, image_shape=(28, 28, 1)):
    """Build the lecture's encoder: convolutions with poolings, two dense heads, one sample.

    Args:
        latent_dim: Number of latent dimensions, 1 to 4096.
        image_shape: Height and width, multiples of 4 from 8 to 128, and 1 or 3 channels. The lecture's
            network, for which the comments give the sizes, takes (28, 28, 1); `halvings` adapts the others.

    Returns:
        Model from images `(batch, *image_shape)` to `[z_mean, z_log_var, z]`; each output has shape
        `(batch, latent_dim)`.

    Raises:
        ValueError: If `latent_dim` is not such a whole number, or `image_shape` is out of range.

    Source: lecture, listing `mnist_vae.py`.
    """
    x = image = keras.Input(image_shape, name="image")
    for filters in halvings(image_shape):
        # 28 x 28 x 16, then 14 x 14 x 32
        x = layers.Conv2D(filters, 3, padding="same", activation="relu")(x)
        x = layers.MaxPooling2D(2)(x)  # 14 x 14 x 16, then 7 x 7 x 32
    x = layers.Flatten()(x)  # 1568
    z_mean = layers.Dense(latent_dim, name="z_mean")(x)
    z_log_var = layers.Dense(latent_dim, name="z_log_var")(x)
    z = Sampling(name="z")([z_mean, z_log_var])
    return keras.Model(image, [z_mean, z_log_var, z], name="encoder")


@_with_checked_sizes
def build_decoder(latent_dim=100, image_shape=(28, 28, 1)):
    """Build the lecture's decoder: a dense layer, then transposed convolutions and up-sampling.

    Args:
        latent_dim: Number of latent dimensions, 1 to 4096.
        image_shape: As in `build_encoder`.

    Returns:
        Model from latent vectors `(batch, latent_dim)` to images `(batch, *image_shape)` in (0, 1).

    Raises:
        ValueError: As in `build_encoder`.

    Source: lecture, listing `mnist_vae.py`.
    """
    height, width, channels = image_shape
    widths = halvings(image_shape)[::-1]
    small = height >> len(widths), width >> len(widths), widths[0]  # 7 x 7 x 32
    z = keras.Input((latent_dim,), name="z")
    x = layers.Dense(math.prod(small), activation="relu")(z)
    x = layers.Reshape(small)(x)
    for filters in widths:
        # 7 x 7 x 32, then 14 x 14 x 16
        x = layers.Conv2DTranspose(filters, 3, padding="same", activation="relu")(x)
        x = layers.UpSampling2D(2)(x)  # 14 x 14 x 32, then 28 x 28 x 16
    # 28 x 28 x 1
    x_hat = layers.Conv2DTranspose(channels, 3, padding="same", activation="sigmoid")(x)
    return keras.Model(z, x_hat, name="decoder")


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
        self.pixels = math.prod(encoder.input_shape[1:])  # numbers in an image: 784
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


@keras.saving.register_keras_serializable(package="vae_course")
class Autoencoder(ImageModel):
    """An encoder and a decoder trained as one, on the reconstruction error alone.

    `fit(x)` learns to give x back; `fit(noisy, clean)` learns to give the clean images back. Reports
    `loss` (squared error, summed over the pixels of an image) and `mse` (its mean over pixels).

    Args:
        encoder: Model from images to codes. Of an encoder with several outputs, the first is the code.
        decoder: Model from codes to images.
        **kwargs: Passed to `keras.Model`.
    """

    def __init__(self, encoder, decoder, **kwargs):
        if len(encoder.outputs) > 1:
            encoder = keras.Model(encoder.input, encoder.outputs[0], name=encoder.name)
        super().__init__(encoder, decoder, **kwargs)
        self.mse_tracker = keras.metrics.Mean(name="mse")

    def call(self, x):
        """Return the reconstructions of the images x, same shape."""
        return self.decoder(self.encoder(x))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the reconstruction error, averaged over the batch, plus the penalties of layers."""
        error = squared_error(x if y is None else y, y_pred)
        self.mse_tracker.update_state(error / self.pixels)
        return ops.mean(error) + sum(self.losses)


@keras.saving.register_keras_serializable(package="vae_course")
class VAE(ImageModel):
    """A variational autoencoder: the encoder gives a distribution, the decoder sees samples of it.

    `fit(x)` minimizes reconstruction error + beta * KL. Reports `loss`, `reconstruction` (squared error,
    summed over pixels; with another likelihood, its negative logarithm), `kl` (nats, summed over latent
    dimensions) and `mse` (per pixel), each averaged over the images.

    Args:
        encoder: Model from images to `[z_mean, z_log_var, z]`.
        decoder: Model from z to images.
        beta: Weight of the KL term, 0 or more; 1 is the lecture's loss.
        likelihood: One of `LIKELIHOODS`. "gaussian" is the lecture's squared error, a variance of 1/2;
            "learned-gaussian" learns one variance for all pixels; "bernoulli" is for pixels that are 0 or 1;
            "continuous-bernoulli" for grey ones.
        draws: Number of draws of z for each image. With more than 1, the loss is the negative
            importance-weighted bound.
        **kwargs: Passed to `keras.Model`.

    Raises:
        ValueError: If `beta` is negative, the encoder has not three outputs, there is no such likelihood,
            or several draws are asked for with a `beta` other than 1.

    Source: lecture, listing `mnist_vae.py`; Kingma and Welling (2014), equation 7; beta after Higgins
    et al. (2017), equation 4; several draws after Burda, Grosse and Salakhutdinov (2016), equation 8.
    """

    def __init__(self, encoder, decoder, beta=1.0, likelihood="gaussian", draws=1, **kwargs):
        if len(encoder.outputs) != 3:
            raise ValueError(
                f"The encoder has {len(encoder.outputs)} output(s), but a VAE needs three, z_mean, "
                "z_log_var and z: build it with build_encoder(latent_dim)."
            )
        check_beta(beta)
        check_likelihood(likelihood, draws, beta)
        super().__init__(encoder, decoder, **kwargs)
        self.beta, self.likelihood, self.draws = beta, likelihood, draws
        if likelihood == "learned-gaussian":
            self.log_s2 = self.add_weight(
                name="log_s2", initializer=keras.initializers.Constant(-3.0)
            )
        self.reconstruction_tracker = keras.metrics.Mean(name="reconstruction")
        self.kl_tracker = keras.metrics.Mean(name="kl")
        self.mse_tracker = keras.metrics.Mean(name="mse")

    @property
    def noise(self):
        """Return the `keras.random.SeedGenerator` from which the encoder's sampling layer draws.

        Raises:
            ValueError: If the encoder has no such layer.
        """
        for layer in self.encoder.layers:
            if isinstance(layer, Sampling):
                return layer.noise
        raise ValueError(
            "The encoder has no Sampling layer, whose noise is controlled here: draw z by models.Sampling."
        )

    def _check_images(self, x, y, name, options):
        if y is not None and self.draws > 1:
            raise ValueError(
                f"The target of {name} cannot be used with draws={self.draws}, because the bound that "
                "several draws train is that of the images themselves: leave it out, or use draws=1."
            )
        super()._check_images(x, y, name, options)

    def call(self, x):
        """Encode, sample, decode: return reconstructions of the images x, same shape."""
        return self.decode(self.sample(x))

    def sample(self, x):
        """Return z for the images x, shape `(batch, latent_dim)`, and add what it costs to the loss."""
        z_mean, z_log_var, z = self.encoder(x)
        kl = gaussian_kl(z_mean, z_log_var)
        self.kl_tracker.update_state(kl)
        if self.draws > 1:
            self.add_loss(-ops.mean(log_mean_exp(self.log_weights(x, self.draws))))
        else:
            self.add_loss(self.beta * ops.mean(kl))
        return z

    def decode(self, z):
        """Return the reconstructions for z, shape `(batch, height, width, channels)`."""
        return self.decoder(z)

    def arrange(self, x):
        """Return the images x with their pixels in the order of `decode`, here as they are."""
        return x

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Return the reconstruction error, averaged over the batch, plus beta * KL and layers' penalties."""
        x = self.arrange(x if y is None else y)
        error = self.reconstruction_error(x, y_pred)
        self.reconstruction_tracker.update_state(error)
        self.mse_tracker.update_state(squared_error(x, y_pred) / self.pixels)
        added = sum(self.losses)  # what `call` and the layers have added
        return added if self.draws > 1 else ops.mean(error) + added

    def reconstruction_error(self, x, x_hat):
        """Compute -log p(x given z) of each image from its reconstruction; the lecture leaves a constant out.

        Args:
            x: Images, shape `(batch, height, width, channels)`.
            x_hat: What the decoder makes of z, same shape.

        Returns:
            Tensor of shape `(batch,)`, summed over pixels.
        """
        if self.likelihood == "gaussian":
            return squared_error(x, x_hat)
        if self.likelihood == "learned-gaussian":
            return gaussian_nll(x, x_hat, self.log_s2)
        nll = bernoulli_nll if self.likelihood == "bernoulli" else continuous_bernoulli_nll
        return nll(x, to_logits(x_hat))

    def weighted_draws(self, x, draws):
        """Draw z from the encoder and compute log p(x, z) - log q(z given x), the log importance weights.

        Args:
            x: Images, shape `(batch, height, width, channels)`.
            draws: Number of draws for each image.

        Returns:
            Tensors: z, shape `(draws, batch, latent_dim)`, and the log weights in nats, `(draws, batch)`.
            Their mean over draws estimates the ELBO, their `losses.log_mean_exp` the importance-weighted
            bound.
        """
        z_mean, z_log_var, _ = self.encoder(x)
        shape = (draws, *ops.shape(z_mean))
        eps = keras.random.normal(shape, seed=self.noise)
        z = z_mean + ops.exp(0.5 * z_log_var) * eps
        x_hat = self.decode(ops.reshape(z, (-1, shape[-1])))
        nll = self.reconstruction_error(ops.tile(self.arrange(x), (draws, 1, 1, 1)), x_hat)
        if self.likelihood == "gaussian":
            nll += self.pixels / 2 * math.log(math.pi)  # the constant of a variance of 1/2
        log_p_over_q = 0.5 * ops.sum(ops.square(eps) - ops.square(z) + z_log_var, axis=-1)
        return z, log_p_over_q - ops.reshape(nll, shape[:2])

    def log_weights(self, x, draws):
        """Return the log importance weights of `weighted_draws`, shape `(draws, batch)`."""
        return self.weighted_draws(x, draws)[1]

    def get_config(self):
        """Return what `keras.models.load_model` needs to build the model again."""
        settings = {name: getattr(self, name) for name in ("beta", "likelihood", "draws")}
        return {**super().get_config(), **settings}
