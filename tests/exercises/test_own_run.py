"""The checks of a run that is handed in: they measure the model themselves, and name what is wrong."""

import keras
import numpy as np
import pytest
from keras import layers
from sandbox import FAKE, put_npz

from vae_course import exercises
from vae_course.data import load_digits
from vae_course.exercises.own_run import share_of_known
from vae_course.models import VAE, Sampling
from vae_course.pictures import load_pictures

SHAPE, SIZE, LATENT = (8, 8, 3), 192, 3
COURSE = np.zeros((2, 28, 28, 1), "float32")


def made(count=240, double=False, seed=0):
    """Make pictures that vary in three directions, a little in all others; or each of them twice, nearly."""
    rng = np.random.default_rng(seed)
    directions = np.linalg.qr(rng.normal(size=(SIZE, LATENT)))[0].T
    pictures = 0.5 + 0.9 * rng.normal(size=(count, LATENT)) @ directions
    pictures = pictures + 0.05 * rng.normal(size=pictures.shape)
    if double:
        pictures = np.concatenate([pictures, pictures + 0.004])
    return np.round(255 * pictures.clip(0, 1)).reshape(-1, *SHAPE).astype("u1"), directions


def loaded(tmp_path, **how):
    """Return what a run's owner hands in: the parts of the tool's own split, and the true directions."""
    images, directions = made(**how)
    np.save(tmp_path / "mine.npy", images)
    data = load_pictures(tmp_path / "mine.npy", 8)
    return data.x_train, data.x_test, directions


def linear(directions, shift=0.5, scale=1.0, offset=0.0):
    """Make a VAE that projects pictures onto some directions, with hardly any noise.

    Args:
        directions: Shape (latent_dim, SIZE).
        shift: Brightness of the picture that it draws for zero, where 0.5 is right.
        scale: Factor of all codes, or one for each dimension, which the decoder undoes unless it is 0.
        offset: Number that the encoder adds to the codes, likewise, and of which the decoder knows nothing.
    """
    directions, image = np.float32(directions), keras.Input(SHAPE)
    scale = scale * np.ones(len(directions), "float32")
    heads = layers.Dense(len(directions)), layers.Dense(len(directions), bias_initializer="zeros")
    flat = layers.Flatten()(image)
    z_mean, z_log_var = (head(flat) for head in heads)
    encoder = keras.Model(image, [z_mean, z_log_var, Sampling()([z_mean, z_log_var])])
    z = keras.Input((len(directions),))
    x_hat = layers.Dense(SIZE)(z)
    decoder = keras.Model(z, layers.Reshape(SHAPE)(x_hat))
    heads[0].set_weights([scale * directions.T, offset - 0.5 * scale * directions.sum(axis=1)])
    heads[1].set_weights([0 * directions.T, np.full(len(directions), -6.0)])
    undone = directions / np.where(scale, scale, 1)[:, None]
    decoder.layers[1].set_weights([undone, np.full(SIZE, shift)])
    return VAE(encoder, decoder)


def told(capsys):
    """Return what was printed, on one line."""
    return " ".join(capsys.readouterr().out.split())


@pytest.fixture
def mine(tmp_path):
    """Give the pictures and the true directions."""
    return loaded(tmp_path)


def test_pictures_as_the_tool_splits_them_are_right(mine):
    """In colour and in grey."""
    train, test, _ = mine
    assert exercises.check_own_pictures(train, test, COURSE)


def test_grey_pictures_are_split_by_the_same_lot(tmp_path):
    """Their digests are those of three equal channels."""
    np.save(tmp_path / "grey.npy", made()[0][..., 0])
    data = load_pictures(tmp_path / "grey.npy", 8)
    assert data.x_train.shape[3] == 1
    assert exercises.check_own_pictures(data.x_train, data.x_test, COURSE)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda a, b: (a[:100], b), "holds 100 pictures, but at least 180"),
        (lambda a, b: (a, b[:10]), "holds 10 pictures, but at least 20"),
        (lambda a, b: (a / 255, b), "Leave them as they are"),
        (lambda a, b: (a, np.float32(a[:30] / 255)), "sets aside by lot"),
        (lambda a, b: (a[20:], np.float32(a[:20] / 255)), "Nobody may choose what is tested"),
        (lambda a, b: (a, np.concatenate([b, b])), "sets aside by lot"),
        (lambda a, b: (a, 2 * b), "my_test"),
        (lambda a, b: (a[:-10], b), "sets aside by lot"),  # PCA would have fewer to learn from
        (lambda a, b: (np.concatenate([a[:-1], a[:1]]), b), "sets aside by lot"),
        (lambda a, b: (a + np.uint16(256), b), "Leave them as they are"),  # same lots, poor PCA
        (lambda a, b: (a[:, :6], b[:, :6]), "side=6"),
        (lambda a, b: (a, None), "open your run"),
        (lambda a, b: ("text", b), "no pictures"),
    ],
    ids=range(13),
)
def test_a_wrong_split_is_named(mine, spoil, words, capsys):
    """Whatever a student does to it, nothing is earned, neither for the pictures nor for the run."""
    parts = spoil(*mine[:2])
    assert not exercises.check_own_pictures(*parts, COURSE)
    assert words in told(capsys)
    assert not exercises.check_own_run(linear(mine[2]), *parts).share


def test_series_of_nearly_equal_pictures_leak(tmp_path, capsys):
    """Although no two of them are the same."""
    train, test, _ = loaded(tmp_path, double=True)
    assert not exercises.check_own_pictures(train, test, COURSE)
    assert "nearly the same as one in my_train" in told(capsys)
    assert not exercises.check_own_run(linear(np.eye(3, SIZE)), train, test).share
    assert "nearly the same as one in my_train" in told(capsys)


@pytest.mark.parametrize("place", [0, 1], ids=["to train on", "to test on"])
def test_the_courses_digits_are_not_ones_own(place, tmp_path, capsys):
    """Even if they come through the tool, and whichever part of the course's data they are."""
    digits = made()[0][..., :1]
    np.save(tmp_path / "digits.npy", digits)
    data = load_pictures(tmp_path / "digits.npy", 8)
    parts = [COURSE, COURSE]
    parts[place] = np.float32(digits / 255)
    assert not exercises.check_own_pictures(data.x_train, data.x_test, *parts)
    assert "the course's own digits" in told(capsys)


def coloured(images):
    """Draw each image in an ink of its own on yellow paper."""
    share = np.linspace(0, 1, len(images)).reshape(-1, 1, 1, 1)
    darker = np.concatenate([0.9 * share, 0.9 - 0.6 * share, 0.3 + 0 * share], axis=3)
    return np.array([1, 0.9, 0.3]) - images * darker


DISGUISES = {
    "plain": lambda images: images,
    "negative": lambda images: 1 - images,
    "pale": lambda images: 0.2 + 0.5 * images,
    "mirrored": lambda images: images[:, :, ::-1],
    "turned": lambda images: np.rot90(images, axes=(1, 2)),
    "coloured": coloured,
}


@pytest.mark.parametrize("name", DISGUISES)
def test_the_courses_digits_are_known_in_every_disguise(name, tmp_path, capsys):
    """In another size, negative, pale, in any colours, mirrored or turned; those of scikit-learn always."""
    images = DISGUISES[name](np.float64(load_digits("digits").x_train[:240]))
    np.save(tmp_path / "digits.npy", np.round(255 * images).astype("u1"))
    for side in (12, 16, 32):
        data = load_pictures(tmp_path / "digits.npy", side)
        assert not exercises.check_own_pictures(data.x_train, data.x_test, COURSE)
        assert "the course's own digits" in told(capsys)


def test_other_handwriting_is_ones_own():
    """Digits of other people are hardly ever as near, although the format is the same."""
    digits = load_digits("digits")
    assert share_of_known(digits.x_test, [digits.x_train]) < 0.05


def test_pictures_from_first_to_last_are_compared():
    """It is of no use to put a thousand others in front of the course's digits."""
    digits = load_digits("digits")
    noise = np.random.default_rng(0).random((1100, 28, 28, 1))
    pictures = np.concatenate([noise, digits.x_train[:1100]])
    assert 0.4 < share_of_known(pictures, [digits.x_train]) < 0.6


def test_mnist_is_known_while_the_embedded_digits_are_in_use(sandbox, tmp_path, capsys):
    """A notebook may choose them, and MNIST does not become its own thereby."""
    np.save(tmp_path / "mine.npy", FAKE["x_train"])
    data, digits = load_pictures(tmp_path / "mine.npy", 28), load_digits("digits")
    in_use = digits.x_train, digits.x_test
    in_grey = np.float32(FAKE["x_train"][..., None]) / 255
    for found in (False, True):
        if found:
            put_npz(sandbox.data)
        for verdict in (
            exercises.check_own_pictures(data.x_train, data.x_test, *in_use),
            exercises.check_own_images(in_grey[:240], in_grey[240:], *in_use),
        ):
            assert verdict.share == (not found)
    assert told(capsys).count("the course's own digits") == 2


class OwnVAE(keras.Model):
    """A class of a student's own, which knows nothing of likelihoods."""


def test_a_vae_of_another_class_is_named(mine, capsys):
    """Also if it has the same name."""
    train, test, _ = mine
    for name, words in (("VAE", "of a class of your own that is called VAE"), ("Mine", "a Mine")):
        vae = type(name, (OwnVAE,), {})()
        assert not exercises.check_own_run(vae, train, test)
        assert f"my_vae is {words}, not a VAE from" in told(capsys)


def test_a_run_earns_what_the_model_is_worth(mine, capsys):
    """All for the true directions, half for those seen in few pictures, nothing for a copy of the mean."""
    train, test, directions = mine
    few = train[:12].reshape(12, -1) / 255
    poor = np.linalg.svd(few - few.mean(axis=0), full_matrices=False)[2][:LATENT]
    for vae, share, words in (
        (linear(directions), 1, "The error on new pictures is"),
        (linear(poor), 0.5, "now do better than PCA"),
        (linear(directions, shift=0.9), 0, "smaller than that of the mean picture"),
        (linear(directions, scale=0.0), 0, "the posterior has collapsed"),
        (keras.Sequential(), 0, "not a VAE"),
    ):
        found = exercises.check_own_run(vae, train, test)
        text = told(capsys)
        assert found.share == share and words in text, text


def test_numbers_hidden_in_inactive_dimensions_do_not_count(mine, capsys):
    """A VAE that uses three numbers, and shows one of them, is measured with that one."""
    train, test, directions = mine
    exercises.check_own_run(linear(directions, scale=np.array([1, 0.05, 0.05])), train, test)
    new = test.reshape(len(test), -1) - 0.5
    z = new @ directions.T
    z[:, 1:] = z[:, 1:].mean(axis=0)
    error = np.mean(np.sum((new - z @ directions) ** 2, axis=1))
    text = told(capsys)
    assert f"The error on new pictures is {error:.1f}." in text and "with 1 numbers" in text


def test_the_errors_that_are_told_are_those_of_the_test_pictures(mine, capsys):
    """By NumPy alone."""
    train, test, directions = mine
    exercises.check_own_run(linear(directions), train, test)
    flat, new = train.reshape(len(train), -1) / 255, test.reshape(len(test), -1)
    left = new - 0.5 - (new - 0.5) @ directions.T @ directions
    _, basis = np.linalg.eigh(np.cov(flat.T))
    others = (new - flat.mean(axis=0)) @ basis[:, :-LATENT]
    error, blind, linear_error = (
        np.mean(np.sum(e**2, axis=1)) for e in (left, new - flat.mean(axis=0), others)
    )
    text = told(capsys)
    for number in (error, blind, linear_error):
        assert f"{number:.1f}" in text, text


def test_an_effect_is_measured_on_pictures_in_random_order(mine, capsys):
    """A vector that raises the attribute is right; others are told what they do."""
    train, test, directions = mine
    vae = linear(directions)
    vector = np.array([1.0, 0, 0])

    def along(images):
        return (images.reshape(len(images), -1) - 0.5) @ directions[0]

    assert exercises.check_effect(vector, along, vae, test), told(capsys)
    for one, measure, words in (
        (-vector, along, "The sign is wrong"),
        (vector[[1, 0, 2]], along, "That is too little"),
        (9 * vector, along, "So long a step"),
        (vector[:2], along, "has shape (2,), but a code has (3,)"),
        (vector, lambda images: np.ones(len(images)), "says the same of all your pictures"),
        (vector, lambda images: np.arange(len(images)), ""),
        (vector, lambda images: 1.0, "Return one number each"),
        (None, along, "write them in the cell above"),
    ):
        found = exercises.check_effect(one, measure, vae, test)
        assert not found and words in told(capsys)
    assert not exercises.check_effect(vector, along, None, test)
    assert "open your run in task 3" in told(capsys)


def test_a_measure_that_knows_what_a_decoder_drew_earns_nothing(mine, capsys):
    """It says the same of all own pictures, so any change would be more than their scatter."""
    train, test, directions = mine

    def drawn(images):
        bytes_of = 255 * images.reshape(len(images), -1)
        off = (
            np.abs(bytes_of - bytes_of.round()).max(axis=1) > 0.2
        )  # after rounding to three digits
        return np.where(off, images.reshape(len(images), -1) @ directions[0], 0)

    assert not exercises.check_effect([1.0, 0, 0], drawn, linear(directions), test)
    assert "says the same of all your pictures" in told(capsys)


def test_other_directions_are_at_right_angles(mine, capsys):
    """A vector 40 degrees away from the attribute does more than any of them, one at 70 degrees less."""
    _, test, directions = mine
    vae = linear(directions)

    def along(images):
        return (images.reshape(len(images), -1) - 0.5) @ directions[0]

    for _ in range(3):
        for degrees, right in ((40, True), (70, False)):
            angle = np.radians(degrees)
            vector = np.array([np.cos(angle), np.sin(angle), 0])
            assert exercises.check_effect(vector, along, vae, test).share == right, told(capsys)
    assert "A random step does as much" in told(capsys)
    one = linear(directions[:1])  # there is no other direction
    assert exercises.check_effect([1.0], along, one, test), told(capsys)


def test_inactive_dimensions_have_no_effect_and_lengthen_no_step(mine, capsys):
    """A decoder may draw anything for them, and an encoder may put a large number there."""
    _, test, directions = mine

    def along(images):
        return (images.reshape(len(images), -1) - 0.5) @ directions[0]

    hidden = linear(directions, scale=np.array([0.01, 1, 1]), offset=np.array([0, 50.0, 0]))
    for vector, words in (([1.0, 0, 0], "is zero in all dimensions"), ([0, 9.0, 0], "So long a")):
        assert not exercises.check_effect(vector, along, hidden, test)
        assert words in told(capsys)
