"""How models are trained: the same numbers for the same seed, also after a stop."""

import contextlib
import dataclasses
import pathlib
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from shapes import draw_shapes

from vae_course import training
from vae_course.data import load_digits
from vae_course.models import VAE, Autoencoder
from vae_course.quick_vae import one_operation_for_each_weight

TINY = training.Recipe("adam", 4e-3, 32, 4, decay=True, memory=0.99)


@pytest.fixture(scope="module")
def blobs():
    """Give a few images of noise in the form of `load_digits`."""
    rng = np.random.default_rng(0)
    images = rng.random((90, 28, 28, 1)).astype("float32")
    return SimpleNamespace(x_train=images[:80], x_test=images[80:], name="blobs")


class StopAfter(keras.callbacks.Callback):
    """Interrupt a training as Ctrl-C does, at the end of an epoch."""

    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_end(self, epoch, logs=None):
        """Raise in the epoch that was asked for."""
        if epoch == self.last:
            raise KeyboardInterrupt


def same_weights(one, other):
    """Tell whether two models have equal weights, to the bit."""
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_the_lectures_recipe_is_the_listings():
    """RMSprop as Keras ships it, batches of 64, 50 epochs, on either data set."""
    for dataset in "MNIST", "embedded digits":
        recipe = training.find("lecture", dataset)
        assert (recipe.optimizer, recipe.batch_size, recipe.epochs) == ("rmsprop", 64, 50)
        optimizer = training.make_optimizer(recipe, steps=10, epochs=50)
        assert optimizer.get_config() == {
            **keras.optimizers.RMSprop().get_config(),
            "name": optimizer.name,
        }


@pytest.mark.parametrize("name", ["fast", "best"])
def test_adams_rate_grows_for_a_tenth_and_falls_to_zero(name):
    """By the formula of half a cosine, at its start, its middle and its end; an epoch is the least."""
    recipe = training.find(name, "MNIST")
    optimizer = training.make_optimizer(recipe, steps=100, epochs=21)
    rate, top = optimizer._learning_rate, recipe.learning_rate
    steps = [0, 105, 210, 1155, 2100]
    expected = [0, 0.5, 1, 0.5, 0]
    np.testing.assert_allclose([float(rate(s)) for s in steps], top * np.array(expected), atol=1e-8)
    assert optimizer.beta_2 == recipe.memory
    short = training.make_optimizer(recipe, steps=100, epochs=5)._learning_rate
    np.testing.assert_allclose([float(short(s)) for s in (50, 100, 300)], [top / 2, top, top / 2])


def test_training_learns():
    """The loss falls well below what the mean image costs, on images that were not trained on.

    With this seed, and a rate that grew during one epoch only, it once stayed there for good.
    """
    data = load_digits("digits")
    vae, history = training.train("fast", data, latent_dim=4, epochs=25)
    assert isinstance(vae, VAE)
    blind = np.square(data.x_test - data.x_train.mean(axis=0)).sum() / len(data.x_test)
    assert history["val_loss"][-1] < 0.8 * blind
    assert {len(values) for values in history.values()} == {25}


def test_the_same_seed_gives_the_same_weights(blobs):
    """To the bit, scored on test images or not; another seed gives others."""
    first, _ = training.train(TINY, blobs, latent_dim=3, seed=5)
    again, history = training.train(TINY, blobs, latent_dim=3, seed=5, validate=False)
    assert same_weights(first, again) and "val_loss" not in history
    assert not same_weights(first, training.train(TINY, blobs, latent_dim=3, seed=6)[0])


def test_a_model_that_starts_again_trains_like_a_new_one(blobs):
    """Weights, noise, order and optimizer: the losses of a run depend on nothing that came before."""

    def new():
        keras.utils.set_random_seed(1)
        return VAE(training.build_encoder(2), training.build_decoder(2))

    def losses(model):
        return model.fit(blobs.x_train, batch_size=32, epochs=2, verbose=0).history["loss"]

    expected = new()
    expected.compile(keras.optimizers.Adam(0.003))
    expected = losses(expected)
    used = VAE(training.build_encoder(2), training.build_decoder(2))
    used.compile(keras.optimizers.Adam(0.01))
    losses(used)
    training.restart(used, new(), 0.003)
    assert losses(used) == expected
    assert float(used.optimizer.learning_rate) == pytest.approx(0.003)
    other = VAE(training.build_encoder(3), training.build_decoder(3))
    with pytest.raises(ValueError, match="build both in the same way"):
        training.restart(used, other, 0.003)


@pytest.mark.parametrize("kind", ["vae", "ae"])
def test_a_stopped_training_goes_on_to_the_same_place(kind, blobs, tmp_path):
    """Saved after two of four epochs, loaded and continued: the same weights, and the last two losses."""
    whole, history = training.train(TINY, blobs, kind, latent_dim=3)
    model = training.build(TINY, blobs, kind, latent_dim=3)
    with pytest.raises(KeyboardInterrupt):
        training.fit(model, TINY, blobs, callbacks=[StopAfter(1)])
    model.save(tmp_path / "stopped.keras")
    loaded = keras.models.load_model(tmp_path / "stopped.keras")
    rest = training.fit(loaded, TINY, blobs)
    assert same_weights(whole, loaded)
    assert rest["loss"] == history["loss"][2:]
    assert type(loaded) is {"vae": VAE, "ae": Autoencoder}[kind]


def test_the_stream_holds_no_copy_of_the_images():
    """A copy of MNIST takes 190 MB, and pictures of one's own may be in a file."""
    images = np.zeros((8, 2, 2, 1), "float32")
    stream = training._batches(images, 4, 7, 0, 1)
    images += 1
    assert np.concatenate(list(stream)).min() == 1


def test_each_epoch_holds_every_image_once_in_an_order_of_its_own():
    """Counted over the stream of two epochs, begun at the second of three."""
    images = np.arange(10, dtype="float32").reshape(10, 1, 1, 1)
    stream = [b.numpy().ravel().tolist() for b in training._batches(images, 4, 7, 1, 3)]
    assert [len(batch) for batch in stream] == [4, 4, 2, 4, 4, 2]
    epochs = [sum(stream[:3], []), sum(stream[3:], [])]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(10))
    assert epochs[0] != epochs[1]
    later = [b.numpy().ravel().tolist() for b in training._batches(images, 4, 7, 2, 3)]
    assert sum(later, []) == epochs[1]


def test_no_two_steps_draw_the_same_noise(blobs):
    """Over three epochs and the scorings at their ends, every draw starts from another state."""
    model, states = training.build(TINY, blobs, latent_dim=3), []
    noise = model.noise.state

    class Watch(keras.callbacks.Callback):
        def on_train_batch_begin(self, batch, logs=None):
            states.append(tuple(noise.numpy()))

        on_test_batch_begin = on_train_batch_begin

    training.fit(model, TINY, blobs, epochs=3, callbacks=[Watch()])
    assert len(states) == len(set(states)) == 3 * (3 + 1)


def nan_at(step):
    """Make a callback that spoils the weights after a step."""

    class Spoil(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            if self.model.optimizer.iterations == step:
                bias = self.model.decoder.layers[-1].bias
                bias.assign(np.full(bias.shape, np.nan))

    return Spoil()


@pytest.mark.parametrize("kind, step", [("vae", 4), ("ae", 6)])
@pytest.mark.parametrize("validate", [True, False])
def test_a_training_that_diverges_stops_at_once(kind, step, validate, blobs):
    """In the next step or, spoiled by the last one of an epoch, at its end; epoch and cures are named."""
    weight = "beta=1 or the " if kind == "vae" else "the "
    model, epochs = training.build(TINY, blobs, kind, latent_dim=3), []
    count = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.append(epoch))
    with pytest.raises(
        FloatingPointError, match=f"epoch 2.*because {weight}learning rate, 0.004, is"
    ):
        training.fit(model, TINY, blobs, callbacks=[nan_at(step), count], validate=validate)
    assert epochs == [0] and model.optimizer.iterations <= 6


def test_one_operation_for_each_weight_is_adam(blobs):
    """Five steps end with Keras' weights and state; afterwards the optimizer is Keras' own again."""
    ends, rng = [], np.random.default_rng(0)
    gradients = rng.standard_normal((5, 3, 4)).astype("float32")
    for change in one_operation_for_each_weight, lambda optimizer: contextlib.nullcontext():
        weight = keras.Variable(np.ones((3, 4), "float32"))
        optimizer = keras.optimizers.Adam(0.1, beta_2=0.99)
        optimizer.build([weight])
        with change(optimizer):
            for gradient in gradients:
                optimizer.apply([gradient], [weight])
        assert "update_step" not in vars(optimizer)
        ends.append([weight.numpy(), *(v.numpy() for v in optimizer.variables)])
    for ours, theirs in zip(*ends, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-7)
    assert ends[0][1] == 5 and np.abs(ends[0][0] - 1).max() > 0.1
    with one_operation_for_each_weight(other := keras.optimizers.Adam(amsgrad=True)):
        assert "update_step" not in vars(other)  # it computes something else


def test_bfloat16_changes_only_the_products_of_training(blobs):
    """The losses are nearly those of float32, but not the same; networks and scores are in float32."""
    losses = []
    for products in "float32", "bfloat16":
        model = training.build(TINY, blobs, latent_dim=3)
        history = training.fit(model, TINY, blobs, products=products)
        losses.append(history["loss"])
        layers = model.encoder.layers + model.decoder.layers
        assert {layer.dtype_policy.name for layer in layers} == {"float32"}
        parts = np.add(history["val_reconstruction"], history["val_kl"])
        np.testing.assert_allclose(history["val_loss"], parts, rtol=1e-6)
    np.testing.assert_allclose(*losses, rtol=0.01)
    assert losses[0] != losses[1]


@pytest.mark.parametrize(
    "flags, likelihood, products",
    [
        ("fpu avx512_bf16 sse", "gaussian", "bfloat16"),
        ("fpu amx_bf16", "gaussian", "bfloat16"),
        ("fpu avx512f", "gaussian", "float32"),
        ("fpu avx512_bf16", "learned-gaussian", "float32"),
        (None, "gaussian", "float32"),
    ],
)
def test_bfloat16_is_chosen_where_the_processor_multiplies_it(
    flags, likelihood, products, monkeypatch, blobs
):
    """As its flags say, where the system tells them, and only for what trains as a `QuickVAE`."""

    def read(path):
        if flags is None:
            raise FileNotFoundError(path)
        return f"flags : {flags}\n"

    monkeypatch.setattr(pathlib.Path, "read_text", read)
    model = training.build(TINY, blobs, latent_dim=2, likelihood=likelihood)
    assert training.arithmetic(model, 10_000) == products
    assert training.arithmetic(model, 9_999) == "float32"
    assert training.arithmetic(training.build(TINY, blobs, "ae", latent_dim=2), 60_000) == "float32"
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind=None: ["a graphics card"])
    assert training.arithmetic(model, 60_000) == "float32"


def test_the_quick_way_and_the_plain_way_agree(blobs):
    """Two steps at once, and one; trained and scored on every image, they differ by rounding alone."""
    recipe = dataclasses.replace(TINY, batch_size=4)  # 20 steps
    assert training._steps_at_once(20) == 2
    scores = []
    for quick in True, False:
        model = training.build(recipe, blobs, latent_dim=3)
        scores.append(training.fit(model, recipe, blobs, epochs=1, quick=quick))
        assert int(model.optimizer.iterations) == 20
    for name in "loss", "val_loss", "kl", "val_mse":
        assert scores[0][name] == pytest.approx(scores[1][name], rel=1e-3), name


def test_steps_taken_at_once_divide_an_epoch():
    """MNIST's 469 and 938 steps have large divisors, 47 is prime, and few steps are taken one by one."""
    assert [training._steps_at_once(n) for n in (469, 938, 47, 3, 1)] == [7, 67, 1, 1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda blobs: training.train("slow", blobs), "'slow'.*lecture, fast, best"),
        (lambda blobs: training.train(TINY, blobs, kind="VAE"), "kind='VAE'.*'vae' or 'ae'"),
        (lambda blobs: training.train(TINY, blobs, epochs=0), "epochs=0"),
        (lambda blobs: training.train(TINY, blobs, epochs=10**12), "epochs=10+ .*to 10000"),
        (lambda blobs: training.train(TINY, blobs, seed=-1), "seed=-1"),
        (lambda blobs: training.train(TINY, blobs, latent_dim=0), "latent_dim=0"),
        (lambda blobs: training.train(TINY, blobs, beta=-1), "beta=-1"),
        (
            lambda blobs: training.train(
                TINY, SimpleNamespace(x_train=255 * blobs.x_train, x_test=0, name="blobs")
            ),
            r"x_train has values from .* to .*divide",
        ),
    ],
)
def test_bad_arguments_are_refused(call, message, blobs):
    """Each error names the value and the cure."""
    with pytest.raises(ValueError, match=message):
        call(blobs)


def test_black_and_white_images_are_drawn_anew_in_each_epoch():
    """Zeros and ones, with the grey value as their mean; the same draw for the same seed and epoch."""
    grey = np.full((40, 28, 28, 1), 0.3, "float32")

    def epoch(number, seed=1):
        return np.concatenate(list(training._batches(grey, 16, seed, number, number + 1, True)))

    first, second = epoch(0), epoch(1)
    assert set(np.unique(first)) == {0, 1}
    assert first.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.21 / first.size))
    assert 0.3 < np.mean(first != second) < 0.55  # 0.42 for independent draws
    np.testing.assert_array_equal(
        second, np.concatenate(list(training._batches(grey, 16, 1, 0, 2, True)))[40:]
    )
    assert (epoch(0, seed=2) != first).any()


@pytest.mark.parametrize("likelihood", ["bernoulli", "learned-gaussian", "continuous-bernoulli"])
def test_every_likelihood_trains(likelihood, blobs):
    """Its loss falls, and a Bernoulli model is scored on black-and-white images."""
    vae, history = training.train(TINY, blobs, latent_dim=2, likelihood=likelihood, epochs=6)
    assert history["loss"][-1] < history["loss"][0]
    x = training.binarized(vae, blobs.x_test)
    assert (set(np.unique(x)) == {0, 1}) == (likelihood == "bernoulli")


def test_the_quick_way_and_the_plain_way_agree_for_coins(blobs):
    """The last layer in cells gives a Bernoulli likelihood the same loss."""
    losses = [
        training.train(TINY, blobs, latent_dim=2, likelihood="bernoulli", quick=quick)[1]["loss"]
        for quick in (True, False)
    ]
    np.testing.assert_allclose(*losses, rtol=1e-4)


def test_bytes_train_as_the_floats_that_they_stand_for():
    """In colour, to the bit: only each batch is turned into floats."""
    shapes, _ = draw_shapes(count=70, side=16)
    floats = np.divide(shapes, 255, dtype="float32")
    models = []
    for x_train in (shapes[:60], floats[:60]):
        data = SimpleNamespace(x_train=x_train, x_test=floats[60:], name="shapes")
        models.append(training.train(TINY, data, latent_dim=2, epochs=2))
    assert same_weights(models[0][0], models[1][0])
    assert models[0][1] == models[1][1]


def test_few_pictures_get_the_recipe_of_the_embedded_digits():
    """Fewer than 10,000, unless they are MNIST's."""
    assert training.find("fast", "shapes", 9_999) is training.DIGITS["fast"]
    assert training.find("fast", "shapes", 10_000) is training.RECIPES["fast"]
    assert training.find("fast", "MNIST", 500) is training.RECIPES["fast"]
