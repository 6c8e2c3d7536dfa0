"""Run the lecture's script in turns, on the Keras 2 that it was written for.

Keras 2 lives on as the package tf-keras. In its graph mode a loss may still close over symbolic tensors, as
the script's loss does. This needs TF_USE_LEGACY_KERAS=1.
"""

import tensorflow as tf
from tensorflow.keras import backend as K
from tensorflow.keras import layers as kl
from tensorflow.keras import models as km

from vae_course.data import load_digits


def sample(inputs):
    """Draw z by the reparameterization trick."""
    z_mean, z_log_var = inputs
    eps = K.random_normal(shape=(K.shape(z_mean)[0], K.int_shape(z_mean)[1]))
    return z_mean + K.exp(0.5 * z_log_var) * eps


def build_encoder(latent_dim):
    """Build the encoder from images to `[z_mean, z_log_var, z]`."""
    image = kl.Input(shape=(28, 28, 1))
    x = kl.Conv2D(16, (3, 3), padding="same", activation="relu")(image)
    x = kl.MaxPooling2D((2, 2), strides=2)(x)
    x = kl.Conv2D(32, (3, 3), padding="same", activation="relu")(x)
    x = kl.MaxPooling2D((2, 2), strides=2)(x)
    x = kl.Flatten()(x)
    z_mean, z_log_var = kl.Dense(latent_dim)(x), kl.Dense(latent_dim)(x)
    return km.Model(image, [z_mean, z_log_var, kl.Lambda(sample)([z_mean, z_log_var])])


def build_decoder(latent_dim):
    """Build the decoder from z to images."""
    z = kl.Input(shape=(latent_dim,))
    x = kl.Dense(7 * 7 * 32, activation="relu")(z)
    x = kl.Reshape((7, 7, 32))(x)
    x = kl.Conv2DTranspose(32, (3, 3), padding="same", activation="relu")(x)
    x = kl.UpSampling2D((2, 2))(x)
    x = kl.Conv2DTranspose(16, (3, 3), padding="same", activation="relu")(x)
    x = kl.UpSampling2D((2, 2))(x)
    return km.Model(z, kl.Conv2DTranspose(1, (3, 3), padding="same", activation="sigmoid")(x))


def build_vae(latent_dim):
    """Build and compile what the script trains."""
    encoder, decoder = build_encoder(latent_dim), build_decoder(latent_dim)
    z_mean, z_log_var, z = encoder.outputs

    def loss(images, output):
        kl_loss = -0.5 * K.sum(1 + z_log_var - K.square(z_mean) - K.exp(z_log_var), axis=-1)
        return 784 * K.mean(K.square(images - output)) + kl_loss

    vae = km.Model(encoder.inputs, decoder(z))
    vae.compile(loss=loss, optimizer="rmsprop", metrics=["mean_squared_error"])
    return vae


def train(channel, seed, turns, images, dataset="mnist", latent_dim=100, passes=0):
    """Train for `turns` epochs of `images` images, then evaluate `passes` times on the test images."""
    tf.compat.v1.disable_eager_execution()
    tf.keras.utils.set_random_seed(seed)
    data = load_digits(dataset)
    x_train, x_test = data.x_train[:images], data.x_test
    channel.start_clock()
    vae = build_vae(latent_dim)
    take_turns = channel.callback(tf.keras.callbacks.Callback)
    vae.fit(x_train, x_train, epochs=turns, batch_size=64, verbose=0, callbacks=[take_turns])

    def score():
        runs = [vae.evaluate(x_test, x_test, verbose=0) for _ in range(passes)]
        means = [float(sum(scores)) / passes for scores in zip(*runs, strict=True)]
        return dict(zip(("loss", "mse"), means, strict=False))

    channel.done(*([score] if passes else []))
