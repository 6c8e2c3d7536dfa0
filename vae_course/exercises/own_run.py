"""Check exercise 9's run: a student's own pictures, a VAE trained on them, and an attribute's effect."""

import contextlib
import functools
import hashlib
import itertools

import numpy as np
from scipy.spatial import cKDTree
from sklearn.decomposition import PCA

from vae_course import mnist
from vae_course.checks import check_image_shape, check_images
from vae_course.data import load_digits
from vae_course.exercises.compare import as_array, require_own, result_of
from vae_course.exercises.verdict import NotYet, Verdict, announced, need
from vae_course.latent import LEAST_VARIANCE
from vae_course.models import VAE
from vae_course.pictures import MOST_TESTED

TRAIN, TEST = 180, 20  # fewest pictures
SAME = 0.02  # root mean square difference below which two pictures count as one
COARSE = 8  # pixels of a side, in the comparison with the course's digits
# Distance below which two coarse pictures count as one. From 12 pixels a side on, nine in ten of the course's
# digits come that near to themselves, with 8 a quarter, but of other people's digits only one or two in 100.
ALIKE = 0.05
LOOKED_AT = 1000  # pictures that are compared with the course's digits
RANDOM = 10  # directions that a student's vector is compared with
MOST = 40  # pictures that are changed, because all of them travel to the notebook
FITTED = 2000  # pictures that PCA is fitted to


def _digests(pictures):
    """Return the digest by which `load_pictures` casts lots, for each picture, given as bytes."""
    in_colour = np.broadcast_to(pictures, (*pictures.shape[:3], 3))
    return [hashlib.sha256(np.ascontiguousarray(one)).digest() for one in in_colour]


def _pictures(name, pictures, least, kind):
    pictures = np.asarray(pictures)
    if pictures.dtype.kind not in "uf" or pictures.ndim != 4:
        raise NotYet(f"{name} holds no pictures. Take what `open_run` returns.")
    if pictures.dtype != kind:  # wider numbers than bytes would hide others behind the digests
        raise NotYet(f"{name} has other numbers than `open_run` returns. Leave them as they are.")
    if len(pictures) < least:
        raise NotYet(f"{name} holds {len(pictures)} pictures, but at least {least} are needed.")
    return pictures


def _split(my_train, my_test):
    """Return the pictures to train on, as bytes, and those to test with, once the split is as it should be.

    Raises:
        NotYet: If it is not that of `vae-course train`, or more than a tenth of the test pictures leak.
    """
    train = _pictures("my_train", my_train, TRAIN, "uint8")
    test = _pictures("my_test", my_test, TEST, "float32")
    check_image_shape(train.shape[1:])
    check_images(test, train.shape[1:], "my_test")
    tested = np.round(255 * test).astype("uint8")
    lots = _digests(tested), _digests(train)
    count = len(train) + len(test)
    by_lot = len(test) == min(MOST_TESTED, count // 10) and max(lots[0]) < min(lots[1])
    if not by_lot or len({*lots[0], *lots[1]}) < count:
        raise NotYet(
            "my_test is not the tenth that `vae-course train` sets aside by lot. Nobody may choose what is "
            "tested: take what `open_run` returns."
        )
    if (share := leaking(np.float32(train) / 255, test)) > 0.1:
        raise NotYet(
            f"{share:.0%} of the pictures in my_test are nearly the same as one in my_train, so a score on "
            "them says little about new ones. Keep one of each series, and train again."
        )
    return train, np.float32(tested) / 255


def _some(pictures):
    """Return at most `LOOKED_AT` pictures, from the first to the last."""
    return pictures[np.linspace(0, len(pictures) - 1, min(len(pictures), LOOKED_AT)).astype(int)]


def leaking(train, test):
    """Return the share of test pictures that differ from a training picture by less than `SAME`.

    Args:
        train: Pictures from 0 to 1, float32, shape `(n, side, side, channels)`.
        test: Others of that form, of which 1,000 are compared.
    """
    test = _some(test).reshape(-1, train[0].size)
    nearest = np.full(len(test), np.inf)
    for part in np.array_split(train.reshape(len(train), -1), len(train) // 1000 + 1):
        squares = (part**2).sum(axis=1) - 2 * test @ part.T + (test**2).sum(axis=1)[:, None]
        nearest = np.minimum(nearest, squares.min(axis=1) / test.shape[1])
    return np.mean(nearest < SAME**2)


def _smoothing(side):
    """Return a matrix of shape (COARSE, side) of Gaussian windows along a side, each with the sum 1."""
    places, centres = ((np.arange(n) + 0.5) / n for n in (side, COARSE))
    windows = np.exp(-0.5 * ((centres[:, None] - places) * COARSE / 0.6) ** 2)
    return np.float32(windows / windows.sum(axis=1, keepdims=True))


def _coarse(pictures):
    """Return small grey versions of pictures, with mean 0 and length 1, shape `(n, COARSE, COARSE)`.

    They hardly depend on size or brightness, nor, up to their sign, on the colours of ink and paper: in the
    grey of the picture's main direction in colour space, one colour on another is as good as black on white.
    """
    n, *sides, channels = pictures.shape
    pixels = np.float32(pictures).reshape(n, -1, channels)
    if channels > 1:
        pixels = pixels - pixels.mean(axis=1, keepdims=True)
        pixels = pixels @ np.linalg.eigh(pixels.transpose(0, 2, 1) @ pixels)[1][..., -1:]
    down, across = map(_smoothing, sides)
    coarse = down @ pixels.reshape(n, *sides) @ across.T  # (n, COARSE, COARSE)
    coarse = coarse - coarse.mean(axis=(1, 2), keepdims=True)
    return coarse / np.maximum(np.linalg.norm(coarse, axis=(1, 2), keepdims=True), 1e-6)


def share_of_known(pictures, known):
    """Return the share of pictures that are known ones, in whatever size, colours and orientation.

    Args:
        pictures: Shape `(n, side, side, 1 or 3)`, of which 1,000 are compared.
        known: List of arrays of that form, each with any side.
    """
    return _share_in(_tree(known), pictures)


def _tree(known):
    known = np.concatenate([*map(_coarse, known)]).reshape(-1, COARSE**2)
    return cKDTree(known, compact_nodes=False, balanced_tree=False)


def _share_in(tree, pictures):
    upright = _coarse(_some(pictures))
    alike = np.zeros(len(upright), bool)
    for sign, turns, flip in itertools.product((1, -1), range(4), (1, -1)):
        turned = sign * np.rot90(upright[:, ::flip], turns, axes=(1, 2))
        distances, _ = tree.query(turned.reshape(len(turned), -1), distance_upper_bound=ALIKE)
        alike |= np.isfinite(distances)
    return alike.mean()


@functools.cache
def _mnist(path):
    """Return MNIST's images as bytes, given where they have been found."""
    with contextlib.suppress(mnist.CorruptedDataError):  # of another file, in front of it
        _, arrays = mnist.open_mnist("mnist")
        return [arrays[name][..., None] for name in ("x_train", "x_test")]
    return []


def are_the_courses(several, course_images):
    """Tell whether in one of several arrays more than a tenth of the pictures are digits of the course.

    Args:
        several: List of arrays, each as `share_of_known` takes it.
        course_images: Images of the data set in use. The embedded digits are compared in any case, and MNIST
            if it can be found, because a notebook may choose either.
    """
    embedded = load_digits("digits")
    known = [*course_images, embedded.x_train, embedded.x_test]
    if max(map(len, known)) < 60_000:
        known += next((_mnist(place.path) for place in mnist.check_mnist() if place.ok), [])
    tree = _tree(known)
    return any(_share_in(tree, pictures) > 0.1 for pictures in several)


@announced
def check_own_pictures(my_train, my_test, *course_images):
    """Check a student's own pictures: enough, split by lot, no leak between the parts, and not the course's.

    Args:
        my_train: Bytes, at least 180 pictures, shape `(n, side, side, 1 or 3)`; None if blank.
        my_test: The tenth that `vae-course train` sets aside, from 0 to 1, at least 20; None if blank.
        *course_images: Arrays of the course's images, which do not count as the student's own.
    """
    need("my_train and my_test: open your run in the cell above.", my_train, my_test)
    train, test = _split(my_train, my_test)
    if are_the_courses([train], course_images):
        raise NotYet(
            "These are the course's own digits, in whatever size and colour. Find or draw something else."
        )
    return f"{len(train):,} pictures to train on, and {len(test):,} others to test on."


def no_vae(found):
    """Say what is in the place of a VAE of the course."""
    name = type(found).__name__
    kind = "of a class of your own that is called VAE" if name == "VAE" else f"a {name}"
    return f"my_vae is {kind}, not a VAE from `vae_course.models`."


def _codes(vae, test):
    """Return the posterior means of test pictures, and which dimensions are active; check that both fit.

    An inactive dimension holds its mean for every picture, so a model cannot hide numbers in it.
    """
    if not isinstance(vae, VAE):
        raise NotYet(f"{no_vae(vae)} Take what `open_run` returns.")
    if vae.encoder.input_shape[1:] != test.shape[1:]:
        raise NotYet(
            "my_vae was made for pictures of another size. Open pictures and run together."
        )
    z_mean, _, _ = vae.encoder.predict(test, batch_size=100, verbose=0)
    active = z_mean.var(axis=0, dtype="float64") > LEAST_VARIANCE  # as in `active_units`
    return np.where(active, z_mean, z_mean.mean(axis=0)), active


@announced
def check_own_run(my_vae, my_train, my_test):
    """Check a VAE on a student's pictures: half for beating the mean image, all for beating PCA.

    Both are measured here, on the test pictures. A card or a score that was handed in counts for nothing.

    Args:
        my_vae: The trained VAE, or None if blank.
        my_train: Pictures it was trained on, bytes.
        my_test: Pictures that it has not seen, from 0 to 1.

    Returns:
        A `Verdict`.
    """
    need("my_vae: open your run in the cell above.", my_vae, my_train, my_test)
    train, test = _split(my_train, my_test)
    z_mean, active = _codes(my_vae, test)
    flat_test = test.reshape(len(test), -1)
    flat = np.float32(train[:FITTED].reshape(-1, flat_test.shape[1])) / 255
    x_hat = my_vae.decoder.predict(z_mean, batch_size=100, verbose=0).reshape(flat_test.shape)
    k = min(int(active.sum()), *flat.shape)
    if not np.isfinite(x_hat).all() or not k:
        raise NotYet(
            "The code carries no information: the posterior has collapsed. Lesson 8 has cures. A smaller "
            "--beta is the first to try, and pictures with few pixels need one."
        )
    pca = PCA(k, svd_solver="randomized", random_state=0).fit(flat)
    by_pca = pca.inverse_transform(pca.transform(flat_test))
    error, blind, linear = (
        np.mean(np.sum((flat_test - found) ** 2, axis=1))
        for found in (x_hat, flat.mean(axis=0), by_pca)
    )
    told = (
        f"The error on new pictures is {error:.1f}. The mean picture has {blind:.1f}, and PCA has "
        f"{linear:.1f} with {k} numbers, as many as your VAE uses."
    )
    if not error < 0.9 * blind:
        raise NotYet(
            f"{told} The error should be at least a tenth smaller than that of the mean picture. Try more "
            "epochs, or a smaller --beta."
        )
    if not error < linear:
        return Verdict(
            f"{told} That is half of it: now do better than PCA, by more pictures, more epochs, a smaller "
            "--beta, or fewer latent dimensions.",
            0.5,
        )
    return told


@announced
def check_effect(my_vector, my_measure, my_vae, my_test):
    """Check an attribute vector by its effect on pictures, as the student's own function measures it.

    The function gets changed and unchanged pictures in random order, so it cannot know which is which.
    Dimensions that the VAE does not use are left as they are.

    Args:
        my_vector: Shape `(latent_dim,)`; None if blank.
        my_measure: Function from pictures, from 0 to 1, to one number for each; None if blank.
        my_vae: The student's VAE.
        my_test: Pictures that it has not seen.
    """
    need("my_vector and my_measure: write them in the cell above.", my_vector, my_measure)
    require_own(my_measure, "my_measure")
    need("First open your run in task 3.", my_vae, my_test)
    test = _pictures("my_test", my_test, TEST, "float32")
    z_mean, active = _codes(my_vae, test)
    z = z_mean[:MOST]
    vector = as_array(my_vector, "my_vector").astype("float32")
    if vector.shape != active.shape:
        raise NotYet(f"my_vector has shape {vector.shape}, but a code has {active.shape}.")
    vector *= active
    length, usual = np.linalg.norm(vector), np.sqrt(z_mean.var(axis=0).sum())
    if not length:
        raise NotYet("my_vector is zero in all dimensions that your VAE uses.")
    if length > 2 * usual:
        raise NotYet(
            f"my_vector is {length:.1f} long, and a code is usually {usual:.1f} away from the mean code. So "
            "long a step leads to where no codes are: take at most twice that."
        )
    rng = np.random.default_rng()
    others = active * rng.standard_normal((RANDOM, len(vector)))
    others -= np.outer(others @ vector, vector) / length**2  # at right angles to the vector
    norms = np.linalg.norm(others, axis=1, keepdims=True)
    # A VAE that uses a single dimension has no other direction.
    others *= (active.sum() > 1) * length / np.maximum(norms, 1e-9)
    steps = np.float32([0 * vector, vector, *others])
    decoded = my_vae.decoder.predict((steps[:, None] + z).reshape(-1, len(vector)), verbose=0)
    images = np.concatenate([decoded, test[:MOST]]).round(3)
    order = rng.permutation(len(images))
    shuffled = result_of(my_measure, "my_measure", {"images": images[order]})
    if shuffled.shape != order.shape:
        raise NotYet(
            f"my_measure returns shape {shuffled.shape} for {len(order)} pictures. Return one number each."
        )
    numbers = np.empty(len(order))
    numbers[order] = shuffled
    before, after, *random = numbers[: len(decoded)].reshape(len(steps), -1)
    change, spread = after - before, numbers[len(decoded) :].std()
    if not spread > 1e-6 * np.abs(numbers).max():
        raise NotYet(
            "my_measure says the same of all your pictures. Measure something that varies."
        )
    error = change.std(ddof=1) / np.sqrt(len(change))
    by_chance = max(abs(np.mean(one - before)) for one in random)  # its sign is chance, too
    told = (
        f"On average, my_vector changes what you measure by {change.mean():.3g} ± {error:.2g}, where your "
        f"pictures scatter by {spread:.3g}. Of {RANDOM} random steps of that length, the best changes it by "
        f"{by_chance:.3g}."
    )
    if change.mean() < -3 * error:
        raise NotYet(
            f"{told} The sign is wrong: subtract the mean code of those that have less of it."
        )
    if not (change.mean() > 3 * error and change.mean() > 0.2 * spread):
        raise NotYet(
            f"{told} That is too little. Is the vector made from the training pictures' codes?"
        )
    if change.mean() <= by_chance:
        raise NotYet(
            f"{told} A random step does as much, so the vector says nothing of this attribute."
        )
    return told
