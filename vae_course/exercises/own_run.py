"""Check exercise 9's run: a student's own pictures, a VAE trained on them, and an attribute's effect."""

import hashlib

import numpy as np
from sklearn.decomposition import PCA

from vae_course.checks import check_images
from vae_course.exercises.compare import as_array, require_own, result_of
from vae_course.exercises.verdict import NotYet, Verdict, announced, need
from vae_course.latent import active_units
from vae_course.models import VAE

TRAIN, TEST = 180, 20  # fewest pictures
SAME = 0.02  # root mean square difference below which two pictures count as one
RANDOM = 10  # directions that a student's vector is compared with
MOST = 40  # pictures that are changed, because all of them travel to the notebook
FITTED = 2000  # pictures that PCA is fitted to


def _digests(pictures):
    """Return the digest by which `load_pictures` casts lots, for each picture."""
    pictures = np.round(np.float64(pictures) * (1 if pictures.dtype == np.uint8 else 255))
    in_colour = np.broadcast_to(pictures.astype("u1"), (*pictures.shape[:3], 3))
    return [hashlib.sha256(np.ascontiguousarray(one)).digest() for one in in_colour]


def _pictures(name, pictures, least, kind):
    pictures = np.asarray(pictures)
    if pictures.dtype.kind not in "uf" or pictures.ndim != 4:
        raise NotYet(f"{name} holds no pictures. Take what `open_run` returns.")
    if pictures.dtype.kind != kind:
        raise NotYet(f"{name} has other numbers than `open_run` returns. Leave them as they are.")
    if len(pictures) < least:
        raise NotYet(f"{name} holds {len(pictures)} pictures, but at least {least} are needed.")
    return pictures


@announced
def check_own_pictures(my_train, my_test, course_images):
    """Check a student's own pictures: enough, not the course's, split by lot, and no leak between the parts.

    Args:
        my_train: Bytes, at least 180 pictures, shape `(n, side, side, 1 or 3)`; None if blank.
        my_test: The tenth that `vae-course train` sets aside, from 0 to 1, at least 20; None if blank.
        course_images: The course's training images, which do not count as the student's own.
    """
    need("my_train and my_test: open your run in the cell above.", my_train, my_test)
    train, test = (
        _pictures("my_train", my_train, TRAIN, "u"),
        _pictures("my_test", my_test, TEST, "f"),
    )
    check_images(test, train.shape[1:], "my_test")
    lots = [_digests(part) for part in (train, test)]
    if set(lots[0]) & set(lots[1]) or max(lots[1]) > min(lots[0]) or len(set(lots[1])) < len(test):
        raise NotYet(
            "my_test is not the tenth that `vae-course train` sets aside by lot. Nobody may choose what is "
            "tested: take what `open_run` returns."
        )
    if test.shape[1:] == course_images.shape[1:]:
        ours = set(_digests(course_images))
        if len(ours & set(lots[0])) > 0.1 * len(train):
            raise NotYet("These are the course's own digits. Find or draw something else.")
    flat = np.float32(train.reshape(len(train), -1)) / 255
    nearest = [np.min(np.mean((flat - one.ravel()) ** 2, axis=1)) for one in np.float32(test)]
    leaking = np.mean(np.sqrt(nearest) < SAME)
    if leaking > 0.1:
        raise NotYet(
            f"{leaking:.0%} of the pictures in my_test are nearly the same as one in my_train, so a score on "
            "them says little about new ones. Keep one of each series, and train again."
        )
    return f"{len(train):,} pictures to train on, and {len(test):,} others to test on."


def _codes(vae, my_test):
    """Return a student's test pictures and their posterior means, once the VAE is known to suit them."""
    test = np.float32(my_test)
    if not isinstance(vae, VAE):
        raise NotYet(f"my_vae is a {type(vae).__name__}, not a VAE. Take what `open_run` returns.")
    if vae.encoder.input_shape[1:] != test.shape[1:]:
        raise NotYet(
            "my_vae was made for pictures of another size. Open pictures and run together."
        )
    z_mean, z_log_var, _ = vae.encoder.predict(test, batch_size=100, verbose=0)
    return test, z_mean, z_log_var


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
    test, z_mean, _ = _codes(my_vae, my_test)
    flat_test = test.reshape(len(test), -1)
    train = np.asarray(my_train)[:FITTED]
    flat = np.float32(train.reshape(len(train), -1)) / 255
    x_hat = my_vae.decoder.predict(z_mean, batch_size=100, verbose=0).reshape(flat_test.shape)
    k = min(active_units(z_mean), len(flat), flat.shape[1])
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

    Args:
        my_vector: Shape `(latent_dim,)`; None if blank.
        my_measure: Function from pictures, from 0 to 1, to one number for each.
        my_vae: The student's VAE.
        my_test: Pictures that it has not seen.
    """
    need("my_vector and my_measure: write them in the cell above.", my_vector)
    require_own(my_measure, "my_measure")
    need("First open your run in task 3.", my_vae, my_test)
    test, z_mean, _ = _codes(my_vae, my_test)
    vector, z = as_array(my_vector, "my_vector").astype("float32"), z_mean[:MOST]
    if vector.shape != z[0].shape:
        raise NotYet(f"my_vector has shape {vector.shape}, but a code has {z[0].shape}.")
    length, usual = np.linalg.norm(vector), np.sqrt(np.mean(np.sum(z_mean**2, axis=1)))
    if length > 2 * usual:
        raise NotYet(
            f"my_vector is {length:.1f} long, and a code {usual:.1f}. So long a step leads to where no codes "
            "are: take at most twice the length of a code."
        )
    rng = np.random.default_rng()
    others = rng.standard_normal((RANDOM, len(vector))).astype("float32")
    others *= length / np.linalg.norm(others, axis=1, keepdims=True)
    steps = np.concatenate([[np.zeros_like(vector), vector], others])
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
    error = change.std(ddof=1) / np.sqrt(len(change))
    by_chance = max(np.mean(one - before) for one in random)
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
