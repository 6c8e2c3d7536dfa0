"""Check exercise 9: pictures that leak, and PCA as a yardstick. `own_run` checks the run itself."""

import numpy as np

from vae_course.exercises.compare import function_check


def _leaks(train, test, limit):
    """Yield which test pictures leak, by the right function and with each mistake."""
    train, test, pixels = np.float64(train) / 255, np.float64(test), (2, 3, 4)
    d = test[:, None] - train  # (tests, trainings, side, side, channels)
    right = np.sqrt((d**2).mean(axis=pixels))
    undivided = np.sqrt(((test[:, None] - 255 * train) ** 2).mean(axis=pixels))
    smallest = {
        "": right.min(axis=1),
        "the training pictures are bytes from 0 to 255, and the test pictures are not: divide them by 255": (
            undivided.min(axis=1)
        ),
        "you tell which training pictures have a double; tell it of the test pictures": (
            right.min(axis=0)
        ),
        "you compare only pictures with the same number; compare each with all of train": (
            np.diag(right)
        ),
        "the root is missing: this is the mean square": (right**2).min(axis=1),
        "you sum over the pixels; take the mean": np.sqrt((d**2).sum(axis=pixels)).min(axis=1),
        "this is the mean absolute difference; take the root of the mean square": (
            np.abs(d).mean(axis=pixels).min(axis=1)
        ),
    }
    for text, differences in smallest.items():
        yield text, differences < limit
    yield "you tell which test pictures do not leak", right.min(axis=1) >= limit
    yield "this is their number; answer for each test picture", (right.min(axis=1) < limit).sum()
    yield "this is their share; answer for each test picture", (right.min(axis=1) < limit).mean()
    yield "this is the smallest difference itself; compare it with limit", right.min(axis=1)
    red = np.sqrt((d[..., :1] ** 2).mean(axis=pixels)).min(axis=1)
    yield "you look at the first channel alone; take the mean over all of them, too", red < limit


def _draw_pictures(rng, trial):
    """Draw test pictures that differ from a training picture by much, or by little in all or few pixels.

    Those in colour may also have the same red, but other green and blue.
    """
    tests, side, channels = [(6, 4, 1), (8, 4, 3), (10, 6, 1)][trial]
    size = side * side * channels
    while True:
        train = rng.integers(0, 256, (tests + 3, side, side, channels)).astype("u1")
        limit = round(rng.uniform(0.04, 0.06), 3)
        test, near = rng.random((tests, side, side, channels)), rng.permutation(tests + 3)[:tests]
        near[0] = 0  # one pair has the same number
        kinds, place_of = np.arange(5 + (channels > 1)), np.arange(size)
        for place, kind in enumerate(rng.permutation(np.resize(kinds, tests))):
            # The same; near; near but for a few pixels; near if no root is taken; another picture; the same
            # red alone.
            few = place_of < size // 8
            changed, root = [
                (True, 0),
                (True, 0.6),
                (few, 2),
                (True, 2.5),
                (True, 0),
                (place_of % 3 > 0, 2),
            ][kind]
            changed = np.broadcast_to(changed, size)
            little = (limit * root / changed.mean() ** 0.5 * changed).reshape(train.shape[1:])
            if kind != 4:
                known = train[near[place]] / 255
                test[place] = known + np.where(known > 0.5, -little, little)  # still from 0 to 1
        answers = [np.asarray(a).tolist() for _, a in _leaks(train, test, limit)]
        if channels == 1:  # the first is the only one
            answers.pop()
        # Only the mistakes with answers of the same form must differ.
        if all(answers.count(answer) == 1 for answer in answers[:1] + answers[3:8] + answers[11:]):
            return {"train": train, "test": test.astype("float32"), "limit": limit}


@function_check("leaks", _draw_pictures)
def check_leaks(train, test, limit):
    """Check `leaks(train, test, limit)`: for each test picture, whether it is nearly in `train`."""
    yield from _leaks(train, test, limit)


def _draw_flat(rng, trial):
    rows, columns, k = [(6, 4, 1), (12, 7, 2), (20, 9, 3)][trial]
    mixing = rng.normal(size=(columns, columns)) * 0.6 ** np.arange(columns)[:, None]
    offset = rng.uniform(1, 2, columns)
    train, test = (rng.normal(size=(n, columns)) @ mixing + offset for n in (rows, rows - 2))
    return {"train": train.round(2), "test": test.round(2), "k": k}


def _rebuilt(fitted, pictures, k, centre=True):
    """Rebuild pictures from k principal components of others, by their singular vectors."""
    mean = fitted.mean(axis=0) * centre
    directions = np.linalg.svd(fitted - mean, full_matrices=False)[2][:k]
    return mean + (pictures - mean) @ directions.T @ directions


@function_check("pca_error", _draw_flat)
def check_pca_error(train, test, k):
    """Check `pca_error(train, test, k)`: the squared error of new pictures, summed over the pixels."""

    def error(*ways):
        return np.sum((test - _rebuilt(*ways)) ** 2, axis=1).mean()

    right = error(train, test, k)
    yield "", right
    yield "PCA is fitted to the test pictures: it may see only those in train", error(test, test, k)
    both = error(np.concatenate([train, test]), test, k)
    yield "PCA is fitted to all pictures: it may see only those in train", both
    known = np.sum((train - _rebuilt(train, train, k)) ** 2, axis=1).mean()
    yield "this is the error of the training pictures; rebuild those in test", known
    yield "the mean picture is not subtracted", error(train, test, k, False)
    yield "you use k + 1 components", error(train, test, k + 1)
    yield "no component is used: this is the error of the mean picture", error(train, test, 0)
    yield "you take the mean over the pixels instead of the sum", right / test.shape[1]
    yield "you sum over the pictures instead of taking their mean", right * len(test)
    yield "the error is not squared", np.abs(test - _rebuilt(train, test, k)).sum(axis=1).mean()
    yield "you take the root, but the squared error is asked for", np.sqrt(right)
