"""Train the course's models with the lecture's recipe, a fast one, or the best one for an hour."""

import contextlib
import dataclasses
import math

import keras
import numpy as np
import tensorflow as tf

from vae_course.checks import check_epochs, check_images, check_seed
from vae_course.data import binarize
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.quick_vae import (
    QuickVAE,
    multiplies_bfloat16,
    one_operation_for_each_weight,
    quickened,
)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings of a training run, apart from network, loss and data."""

    optimizer: str  # "rmsprop" or "adam"
    learning_rate: float  # the largest
    batch_size: int
    epochs: int
    # Whether the learning rate warms up from 0 during the first tenth of training, at least one epoch (full
    # steps from random weights can kill every ReLU), then decays to 0 along a cosine. Else it is constant.
    decay: bool = False
    # Decay rate of the running mean of squared gradients; None for the optimizer's default.
    memory: float | None = None


RECIPES = {
    "lecture": Recipe("rmsprop", 1e-3, 64, 50),
    "fast": Recipe("adam", 6e-3, 128, 14, decay=True, memory=0.99),
    "best": Recipe("adam", 4e-3, 128, 250, decay=True, memory=0.99),
    "map": Recipe("adam", 2e-3, 128, 20, decay=True),  # 2 dimensions converge sooner than 100
}
# The embedded digits have only 1,500 training images, so they need smaller batches and more epochs. So do
# somebody's own pictures, if there are few.
DIGITS = {
    "lecture": RECIPES["lecture"],
    "fast": Recipe("adam", 2e-3, 32, 100, decay=True),
    "best": Recipe("adam", 2e-3, 32, 300, decay=True),
    "map": Recipe("adam", 2e-3, 32, 100, decay=True),
}


def find(name, dataset, images=60_000):
    """Look up a recipe.

    Args:
        name: "lecture", "fast", "best", or "map" for two latent dimensions.
        dataset: Name of the data set, as `load_digits` gives it.
        images: Number of images to train on. With fewer than 10,000, other data than MNIST get the recipe
            of the embedded digits.

    Returns:
        A `Recipe`.

    Raises:
        ValueError: If there is no recipe of that name.
    """
    if name not in RECIPES:
        raise ValueError(f"There is no recipe {name!r}: choose one of {', '.join(RECIPES)}.")
    few = dataset == "embedded digits" or (dataset != "MNIST" and images < 10_000)
    return (DIGITS if few else RECIPES)[name]


def make_optimizer(recipe, steps, epochs):
    """Make a recipe's optimizer.

    Args:
        recipe: A `Recipe`.
        steps: Number of batches in an epoch.
        epochs: Epochs of the whole training, over which the learning rate grows and falls.

    Returns:
        `keras.optimizers.RMSprop` or `keras.optimizers.Adam`.
    """
    rate = recipe.learning_rate
    if recipe.decay:
        growing = max(steps, epochs * steps // 10)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, epochs * steps - growing), warmup_target=rate, warmup_steps=growing
        )
    if recipe.optimizer == "rmsprop":
        return keras.optimizers.RMSprop(rate, rho=recipe.memory or 0.9)
    return keras.optimizers.Adam(rate, beta_2=recipe.memory or 0.999)


def build(recipe, data, kind="vae", latent_dim=100, beta=1.0, epochs=None, seed=1, **likelihood):
    """Build an untrained model, compiled with the recipe's optimizer.

    Args:
        recipe: A `Recipe`.
        data: What `load_digits` or `load_pictures` returns.
        kind: "vae", or "ae" for an `Autoencoder`.
        latent_dim: Number of latent dimensions.
        beta: Weight of the KL term.
        epochs: Epochs of the whole training; None for the recipe's number.
        seed: Seed of the weights and of the noise.
        **likelihood: `likelihood` and `draws` of a `VAE`.

    Returns:
        `VAE` or `Autoencoder`.

    Raises:
        ValueError: If a number is out of range, or there is no such kind.
    """
    if kind not in ("vae", "ae"):
        raise ValueError(f"kind={kind!r} is unknown: use 'vae' or 'ae'.")
    epochs = recipe.epochs if epochs is None else epochs
    check_epochs(epochs)
    check_seed(seed)
    keras.utils.set_random_seed(seed)
    shape = data.x_train.shape[1:]
    encoder, decoder = build_encoder(latent_dim, shape), build_decoder(latent_dim, shape)
    if kind == "ae":
        model = Autoencoder(encoder, decoder)
    else:
        model = VAE(encoder, decoder, beta, **likelihood)
    model.compile(make_optimizer(recipe, steps_per_epoch(recipe, data), epochs))
    model.optimizer.build(model.trainable_variables)
    return model


def restart(model, fresh, learning_rate):
    """Prepare a compiled model for another training run, sooner than by compiling a new one.

    Args:
        model: A compiled Keras model; it takes over the weights of `fresh` and the state of its noise, and
            its optimizer forgets what it has seen.
        fresh: A new model of the same structure, which need not be compiled.
        learning_rate: That of the next run.

    Raises:
        ValueError: If the two models differ in the shapes of their weights.
    """
    if [old.shape for old in model.variables] != [new.shape for new in fresh.variables]:
        raise ValueError("fresh has other weights than model: build both in the same way.")
    for old, new in zip(model.variables, fresh.variables, strict=True):
        old.assign(new)
    for variable in model.optimizer.variables:
        variable.assign(keras.ops.zeros_like(variable))
    model.optimizer.learning_rate = learning_rate


def steps_per_epoch(recipe, data):
    """Count the batches in an epoch, of which the last one may be smaller.

    Args:
        recipe: A `Recipe`.
        data: What `load_digits` or `load_pictures` returns.

    Returns:
        Number of batches.
    """
    return math.ceil(len(data.x_train) / recipe.batch_size)


def binarized(model, images):
    """Prepare images for a model to be scored on.

    Args:
        model: `VAE` or `Autoencoder`.
        images: Values in [0, 1].

    Returns:
        The images, drawn in black and white by `binarize` if the model's likelihood is Bernoulli.
    """
    return binarize(images) if getattr(model, "likelihood", None) == "bernoulli" else images


def _batches(images, batch_size, seed, first_epoch, epochs, black_and_white=False):
    """Make a stream of batches; the order depends only on seed and epoch, so that training can be resumed."""
    first_batch = first_epoch * math.ceil(len(images) / batch_size)

    def one_epoch(epoch):
        order = tf.random.experimental.stateless_shuffle(
            tf.range(len(images)), seed=tf.stack([tf.constant(seed, tf.int64), epoch])
        )
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    order = tf.data.Dataset.range(first_epoch, epochs).flat_map(one_epoch)

    def choose(batch, places):
        grey = _rows(images, places)
        if not black_and_white:
            return grey
        draw = tf.random.stateless_uniform(
            tf.shape(grey), seed=[tf.constant(seed, tf.int64), batch]
        )
        return tf.cast(draw < grey, tf.float32)

    return order.enumerate(first_batch).map(choose).prefetch(4)


def _rows(images, places):
    """Return some images as floats, without a copy of all of them, which may be bytes in a file."""
    (rows,) = tf.numpy_function(lambda some: [images[some]], [places], [images.dtype])
    rows.set_shape((None, *images.shape[1:]))
    return tf.cast(rows, tf.float32) / 255 if images.dtype == np.uint8 else rows


def _steps_at_once(steps):
    """Choose how many steps Keras takes between two callbacks, so that each epoch has 10 or more of them."""
    return max(n for n in range(1, max(1, steps // 10) + 1) if steps % n == 0)


class _Guard(keras.callbacks.Callback):
    """Give each epoch its own noise, and stop as soon as a number is not finite, before anything is saved."""

    def __init__(self, recipe, seed):
        super().__init__()
        self.rate, self.seed = recipe.learning_rate, seed

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.suspects = epoch + 1, f"the learning rate, {self.rate:g},"
        if isinstance(self.model, VAE):
            self.suspects = f"beta={self.model.beta:g} or {self.suspects}"
            # Keras does not save the state of the noise generator. Adjacent seeds would not do, because each
            # step adds 1 and they would run through the same noise.
            state = np.random.SeedSequence([self.seed, epoch]).generate_state(2)
            self.model.noise.state.assign(state)

    def on_train_batch_end(self, batch, logs=None):
        self._check("the loss is", logs["loss"])

    def on_epoch_end(self, epoch, logs=None):
        # The last step may have spoiled the weights.
        state = self.model.variables + self.model.optimizer.variables
        self._check("weights or scores are", *logs.values(), *state)

    def _check(self, what, *numbers):
        if not all(np.isfinite(number).all() for number in numbers):
            raise FloatingPointError(
                f"Training stopped in epoch {self.epoch}: {what} no longer finite, because "
                f"{self.suspects} is too large. Use a smaller one."
            )


def arithmetic(model, images):
    """Choose the kind of numbers whose products a `VAE` is trained with from the command line.

    Args:
        model: `VAE` or `Autoencoder`.
        images: Number of images to train on.

    Returns:
        "bfloat16" for what trains as a `QuickVAE` on 10,000 images or more, on a processor that has
        instructions for it, because that takes less time; else "float32", so that a short training ends
        with nearly the same weights on every processor.
    """
    quick = images >= 10_000 and isinstance(quickened(model), QuickVAE)
    return "bfloat16" if quick and multiplies_bfloat16() else "float32"


def fit(
    model,
    recipe,
    data,
    epochs=None,
    seed=1,
    callbacks=(),
    verbose=0,
    validate=True,
    quick=True,
    products="float32",
):
    """Train a model that `build` made, or resume training one that has seen some epochs.

    The optimizer's step count says how many epochs the model has seen, so resuming needs nothing else.

    Args:
        model: `VAE` or `Autoencoder`, compiled; it is trained in place.
        recipe: A `Recipe`.
        data: What `load_digits` returns. Test images are only scored, never trained on.
        epochs: Epochs of the whole training, including those already seen; None for the recipe's number.
        seed: Seed of the order of the images.
        callbacks: Keras callbacks.
        verbose: As in `keras.Model.fit`.
        validate: Whether to score the test images after each epoch.
        quick: Whether to train a `VAE` as a `QuickVAE`, several steps at once: the same numbers, sooner.
        products: As for `QuickVAE`, if it is one.

    Returns:
        History: a dictionary from metric to a list, one value for each epoch of this call.

    Raises:
        ValueError: If the images are not valid.
        FloatingPointError: If the loss, a weight or the optimizer's state is no longer finite.
    """
    some = data.x_train[:1] / 255 if data.x_train.dtype == np.uint8 else data.x_train
    check_images(some, model.encoder.input_shape[1:], "x_train")
    epochs = recipe.epochs if epochs is None else epochs
    steps = steps_per_epoch(recipe, data)
    seen = int(model.optimizer.iterations) // steps
    worker = quickened(model, products) if quick else model
    if worker is not model:
        worker.compile(model.optimizer, steps_per_execution=_steps_at_once(steps))
    coins = getattr(model, "likelihood", None) == "bernoulli"
    batches = _batches(data.x_train, recipe.batch_size, seed, seen, epochs, coins)
    with one_operation_for_each_weight(model.optimizer) if quick else contextlib.nullcontext():
        return worker.fit(
            batches,
            steps_per_epoch=steps,
            initial_epoch=seen,
            epochs=epochs,
            validation_data=binarized(model, data.x_test) if validate else None,
            validation_batch_size=500,
            callbacks=[_Guard(recipe, seed), *callbacks],
            shuffle=False,  # the stream is already shuffled
            verbose=verbose,
        ).history


def train(recipe, data, kind="vae", latent_dim=100, beta=1.0, epochs=None, seed=1, **options):
    """Train a model from scratch: `build`, then `fit`.

    Args:
        recipe: "lecture", "fast", "best", "map", or a `Recipe`.
        data: As in `fit`.
        kind: As in `build`, like `latent_dim` and `beta`.
        latent_dim: Number of latent dimensions.
        beta: Weight of the KL term.
        epochs: Number of epochs; None for the recipe's number.
        seed: Seed of the weights, the noise and the order of the images.
        **options: `likelihood` and `draws` as in `build`; `callbacks`, `verbose`, `validate`, `quick`
            and `products` as in `fit`.

    Returns:
        The trained model, compiled, and its history.

    Raises:
        ValueError: If there is no such recipe, or a number is out of range.
        FloatingPointError: As in `fit`.
    """
    if isinstance(recipe, str):
        recipe = find(recipe, data.name, len(data.x_train))
    of_model = {name: options.pop(name) for name in ("likelihood", "draws") if name in options}
    model = build(recipe, data, kind, latent_dim, beta, epochs, seed, **of_model)
    return model, fit(model, recipe, data, epochs, seed, **options)
