"""What the explorers compute in the browser is what Keras, NumPy and SciPy compute."""

import itertools

import keras
import numpy as np
import pytest
from front_end import Functions
from keras import layers
from scipy import special, stats
from scipy.ndimage import zoom
from toys import conditional_of_lesson_9

from vae_course import latent, pretrained
from vae_course.data import enlargement, load_digits
from vae_course.explorers import networks

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def js(browser, tmp_path_factory):
    """Give the front end's functions."""
    return Functions(browser, tmp_path_factory.mktemp("functions"))


def outputs(js, packed, inputs):
    """Run a packed network in the browser on each row of a matrix."""
    code = """(() => {
      const [run, all] = [network(unpack(a)), unpack(b)];
      const size = all.length / all.shape[0];
      const row = (i) => all.subarray(i * size, (i + 1) * size);
      return Array.from({ length: all.shape[0] }, (_, i) => Array.from(run(row(i))));
    })()"""
    return np.array(js(code, packed, networks.array(inputs)))


def just_trained():
    """Train a small decoder for a moment, with each kind of layer that networks may have."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(7 * 7 * 4, activation="relu"),
            layers.Reshape((7, 7, 4)),
            layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2DTranspose(5, 4, strides=2, padding="same", use_bias=False),
            layers.Conv2D(1, 5, padding="same", activation="sigmoid"),
        ]
    )
    model.compile("adam", "mse")
    model.fit(RNG.normal(size=(64, 3)), RNG.random((64, 28, 28, 1)), verbose=0)
    return model


@pytest.mark.parametrize("name", ["ae-2", "vae-2", "vae-100", "vae-50-bernoulli", "just trained"])
def test_a_decoder_draws_what_keras_draws(js, name):
    """200 random vectors, each pixel."""
    if name == "just trained":
        decoder = just_trained()
    else:
        kind, size, *likelihood = name.split("-")
        decoder = pretrained.load("-".join([kind, size, "mnist", *likelihood]))[0].decoder
    z = 1.5 * RNG.normal(size=(200, decoder.input_shape[-1])).astype("float32")
    expected = decoder.predict(z, verbose=0).reshape(200, -1)
    np.testing.assert_allclose(outputs(js, networks.network(decoder), z), expected, atol=1e-4)
    assert expected.std() > 1e-3


@pytest.mark.parametrize("name", ["ae-2", "vae-2", "vae-100"])
def test_an_encoder_finds_the_code_that_keras_finds(js, name):
    """200 random images, some of them of strokes: the mean of the posterior."""
    encoder = pretrained.load(f"{name}-mnist")[0].encoder
    images = RNG.random((200, 28, 28, 1)).astype("float32") ** 4
    expected = encoder.predict(images, verbose=0)
    expected = expected[0] if isinstance(expected, list) else expected
    np.testing.assert_allclose(outputs(js, networks.network(encoder), images), expected, atol=1e-4)


def test_a_conditional_model_is_told_the_label_after_its_input(js):
    """Both halves of lesson 9's: a code or an image, and then the label, in one array."""
    model, one_hot = conditional_of_lesson_9(), np.eye(10, dtype="float32")[np.arange(50) % 10]
    for half, shape in ((model.encoder, (28, 28, 1)), (model.decoder, (8,))):
        given = RNG.normal(size=(50, *shape)).astype("float32")
        expected = half.predict([given, one_hot], verbose=0)
        expected = expected[0] if isinstance(expected, list) else expected.reshape(50, -1)
        joined = np.hstack([given.reshape(50, -1), one_hot])
        found = outputs(js, networks.network(half), joined)
        np.testing.assert_allclose(found, expected, atol=1e-4)
        assert expected.std() > 1e-3


@pytest.mark.parametrize(
    ("side", "kernel", "stride"), list(itertools.product((5, 8), (1, 2, 3, 4), (1, 2, 3)))
)
def test_convolutions_of_any_size_are_those_of_keras(js, side, kernel, stride):
    """With "same", strides, odd and even kernels, one way and the other."""
    keras.utils.set_random_seed(side)
    image = RNG.normal(size=(1, side, side, 2)).astype("float32")
    for kind in layers.Conv2D, layers.Conv2DTranspose:
        layer = kind(3, kernel, strides=stride, padding="same", bias_initializer="normal")
        model = keras.Sequential([keras.Input((side, side, 2)), layer])
        found = outputs(js, networks.network(model), image)
        np.testing.assert_allclose(found, np.asarray(model(image)).reshape(1, -1), atol=1e-5)


def test_the_divergence_is_that_of_scipy_and_of_the_course(js):
    """Closed form, both densities and the integrand."""
    points = np.array(js("Array.from(POINTS)"))
    for mu, log_var in ((0, 0), (1, -1.4), (-3, 1.5), (3, -4), (0.3, 0.7)):
        found = js(
            "(({ kl, q, p, curve }) => [[kl], ...[q, p, curve].map((x) => Array.from(x))])(divergence(a, b))",
            mu,
            log_var,
        )
        q, p = stats.norm(mu, np.exp(log_var / 2)), stats.norm()
        assert found[0][0] == pytest.approx(
            latent.kl_per_dimension([[mu]], [[log_var]])[0], abs=1e-6
        )
        np.testing.assert_allclose(found[1], q.pdf(points), atol=1e-12)
        np.testing.assert_allclose(found[2], p.pdf(points), atol=1e-12)
        np.testing.assert_allclose(
            found[3], q.pdf(points) * (q.logpdf(points) - p.logpdf(points)), atol=1e-10
        )


@pytest.mark.parametrize("walk", ["lerp", "slerp"])
def test_paths_are_those_of_the_course(js, walk):
    """Straight and round, in many dimensions, nearly parallel and nearly opposite."""
    for size, nearness in ((2, 1), (100, 1), (5, 1e-7), (5, -1e-3)):
        start = RNG.normal(size=size)
        end = (
            RNG.normal(size=size)
            if nearness == 1
            else np.sign(nearness) * (start + nearness * RNG.normal(size=size))
        )
        t = np.linspace(0, 1, 7)
        found = js(f"c.map((t) => {walk}(a, b, t))", start, end, t)
        np.testing.assert_allclose(found, getattr(latent, walk)(start, end, t), atol=1e-7)


@pytest.mark.parametrize(
    ("start", "end", "words"), [([1, 2], [-1, -2], "opposite"), ([0, 0], [1, 2], "zero vector")]
)
def test_a_path_that_is_not_defined_is_refused_as_by_the_course(js, start, end, words):
    """The same words from the browser."""
    with pytest.raises(ValueError) as expected:
        latent.slerp(start, end, 0.5)
    told = js(
        "(() => { try { slerp(a, b, 0.5); } catch (error) { return error.message; } })()",
        start,
        end,
    )
    assert words in told and told == str(expected.value)


SETTINGS = list(itertools.product((2, 3, 4), (2, 3, 4), (1, 2, 3), ("valid", "same")))


@pytest.mark.parametrize(("i", "k", "stride", "padding"), SETTINGS)
def test_all_stamps_together_are_keras_layer(js, i, k, stride, padding):
    """Same size, same numbers, each stamp where its corner is; the formula ends with that size."""
    values, kernel = RNG.normal(size=(i, i)), RNG.normal(size=(k, k))
    layer = keras.layers.Conv2DTranspose(1, k, strides=stride, padding=padding, use_bias=False)
    layer.build((None, i, i, 1))
    layer.set_weights([kernel[..., None, None]])
    expected = np.asarray(layer(values[None, ..., None].astype("float32")))[0, ..., 0]
    found, words = js(
        "[stamps(a, b, c, d), sizeInWords(a.length, b.length, c, d)]",
        values,
        kernel,
        stride,
        padding,
    )
    states = np.array(found["states"])
    np.testing.assert_allclose(states[-1], expected, atol=1e-5)
    assert not states[0].any() and len(states) == len(found["corners"]) + 1 == i * i + 1
    assert words.endswith(f"= {len(expected)}")
    a, b = found["corners"][-1]
    added = np.argwhere(states[-1] != states[-2])
    assert (added >= [a, b]).all() and (added < [a + k, b + k]).all()


def test_estimates_of_the_gradient_are_those_of_numpy(js):
    """Mean of f, and its derivatives by finite differences with the same eps."""
    eps, h = RNG.normal(size=12), 1e-5

    def mean(mu, sigma):
        return np.mean((mu + sigma * eps - 3) ** 2)

    loss, by_mu, by_sigma = js("estimates(a, 0.7, 1.3)", eps)
    assert loss == pytest.approx(mean(0.7, 1.3))
    assert by_mu == pytest.approx((mean(0.7 + h, 1.3) - mean(0.7 - h, 1.3)) / (2 * h), rel=1e-6)
    assert by_sigma == pytest.approx((mean(0.7, 1.3 + h) - mean(0.7, 1.3 - h)) / (2 * h), rel=1e-6)


def test_bounds_are_computed_in_logarithms(js):
    """Weights of which each alone would be 0 as a number."""
    log_w = RNG.normal(size=50, scale=4) - 900
    expected = [special.logsumexp(log_w[:k]) - np.log(k) for k in range(1, 51)]
    np.testing.assert_allclose(js("Array.from(runningBound(a))", log_w), expected, atol=1e-9)
    assert js("logSumExp(a)", log_w) == pytest.approx(special.logsumexp(log_w), abs=1e-9)


def test_a_softmax_of_large_numbers_is_that_of_scipy(js):
    """Whatever is added to all of them."""
    for shift in (0, 900, -900):
        logits = RNG.normal(size=10, scale=4) + shift
        np.testing.assert_allclose(js("softmax(a)", logits), special.softmax(logits), atol=1e-12)


def test_normal_draws_are_normal(js):
    """Those of plain sampling: mean and deviation within six standard errors."""
    draws = js("Array.from({ length: 20000 }, normal)")
    assert abs(np.mean(draws)) < 0.04 and abs(np.std(draws) - 1) < 0.03


def test_data_that_were_cut_short_are_noticed(js):
    """Fewer bytes than the shape promises."""
    packed = networks.array(np.ones((3, 4)))
    packed["data"] = packed["data"][:-4]
    told = js("(() => { try { unpack(a); } catch (error) { return error.message; } })()", packed)
    assert "cut short: 44 bytes came for 12 numbers" in told


def test_a_network_that_gives_nan_says_so(js):
    """Rather than to draw a blank."""
    decoder = keras.Sequential([keras.Input((2,)), layers.Dense(784)])
    packed = networks.network(decoder)
    packed[0]["bias"] = networks.array(np.full(784, np.nan))
    told = js(
        "(() => { try { network(unpack(a))([1, 2]); } catch (error) { return error.message; } })()",
        packed,
    )
    assert "NaN" in told and "lower learning rate" in told
    packed[0]["bias"] = networks.array(np.zeros(784))
    told = js(
        "(() => { try { network(unpack(a))([1, NaN]); } catch (error) { return error.message; } })()",
        packed,
    )
    assert "NaN" in told  # of the input, too


def test_a_drawing_is_centred_as_mnist_is(js):
    """The longer side fills 20 pixels, the centre of mass is in the middle, whatever the size and place."""
    angles = np.linspace(0, 2 * np.pi, 60)
    ring = np.stack([0.6 * np.cos(angles), np.sin(angles)], axis=1)
    rows, columns = np.mgrid[:28, :28]
    drawings = (
        [ring],
        [3 + 0.01 * ring],
        [ring, [[0, 1], [0, 1.4]]],
        [[[5, 1], [5, 2]]],
        [[[1, 1], [4, 1.2]]],
    )
    images = [
        np.array(js("Array.from(centred(a))", strokes)).reshape(28, 28) for strokes in drawings
    ]
    for image in images:
        assert 0 <= image.min() and image.max() == pytest.approx(1)
        inked = np.argwhere(image > 0.2)
        assert 19 <= np.ptp(inked, axis=0).max() + 1 <= 21
        for place in (rows, columns):
            assert (image * place).sum() / image.sum() == pytest.approx(14, abs=0.05)
    np.testing.assert_allclose(images[0], images[1], atol=1e-6)
    reach = np.hypot((columns - 14) / 0.6, rows - 14)[images[0] > 0.5]
    assert 5 < reach.min() and reach.max() < 13  # a ring, empty inside


def test_a_drawing_is_as_coarse_as_the_embedded_digits_are(js):
    """A line three pixels thick is averaged to 8 x 8 and enlarged; a ring has as much ink as their zeros."""
    digits = load_digits("digits")
    matrix = networks.array(enlargement(digits.x_test))

    def drawn(strokes):
        image = np.array(js("Array.from(coarse(a, unpack(b)))", strokes, matrix)).reshape(28, 28)
        assert 0 <= image.min() and image.max() <= 1
        return image

    # Half a line is 1.6 pixels thick, with a soft edge of one pixel.
    columns = np.clip(1.6 + 0.5 - np.abs(np.arange(20) + 0.5 - 10), 0, 1)
    cells = columns.repeat(2).reshape(8, 5).mean(axis=1)
    expected = zoom(np.tile(cells, (8, 1)), 2.5, order=3, mode="grid-constant", grid_mode=True)
    bar = drawn([[[7, 1], [7, 9]]])
    np.testing.assert_allclose(bar[9:19, 4:24], expected[5:15].clip(0, 1), atol=0.03)
    assert (
        not np.delete(bar, np.s_[4:24], axis=1).any() and not np.delete(bar, np.s_[4:24], 0).any()
    )
    angles = np.linspace(0, 2 * np.pi, 60)
    ring = drawn([np.stack([0.6 * np.cos(angles), np.sin(angles)], axis=1)])
    ink = digits.x_test[digits.y_test == 0].sum(axis=(1, 2, 3))
    assert ink.min() < ring.sum() < ink.max() and enlargement(ring[None, ..., None]) is not None


@pytest.mark.parametrize("prepared", ["centred(a)", "coarse(a, unpack(b))"])
def test_a_dot_can_be_drawn(js, prepared):
    """A single point has no size to be scaled to."""
    matrix = networks.array(enlargement(load_digits("digits").x_test))
    image = np.array(js(f"Array.from({prepared})", [[[3, 4]]], matrix)).reshape(28, 28)
    assert (
        image[13:15, 13:15].mean() > 0.4 and np.isfinite(image).all() and (image > 0.1).sum() < 70
    )
