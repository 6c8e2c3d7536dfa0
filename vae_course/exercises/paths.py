"""Checks of arithmetic with latent vectors: paths, sums and differences, properties."""

import numpy as np

from vae_course.exercises.compare import check_function
from vae_course.exercises.verdict import announced, right, to_do, wrong


def _draw_path(rng, trial):
    d, n = [(2, 3), (4, 5), (7, 4)][trial]
    return {
        "start": rng.uniform(-3, 3, d).round(1),
        "end": rng.uniform(-3, 3, d).round(1),
        "t": rng.uniform(0, 1, n).round(2),
    }


def _lerp(start, end, t):
    return start + t[:, None] * (end - start)


def _slerp(start, end, t):
    a, b = np.linalg.norm(start), np.linalg.norm(end)
    angle = np.arccos(np.clip(start @ end / (a * b), -1, 1))
    t = t[:, None]
    turn = (np.sin((1 - t) * angle) * start / a + np.sin(t * angle) * end / b) / np.sin(angle)
    return turn * ((1 - t) * a + t * b)


def _path_mistakes(start, end, t):
    yield ("start and end are exchanged: at t = 0 the path is at the start",), _lerp(end, start, t)
    yield ("t weighs the end only, and the start stays whole",), start + t[:, None] * end
    yield ("the difference alone is given, without the start",), t[:, None] * (end - start)
    yield ("one row for each t is due: yours are columns",), _lerp(start, end, t).T
    yield ("that is the round path; asked is the straight one",), _slerp(start, end, t)


@announced
def check_interpolate(function):
    """Check `interpolate(start, end, t)`: points on the straight line, one row for each t.

    Args:
        function: The student's function; two vectors `(d,)` and positions `(n,)`.

    Returns:
        A `Verdict`.
    """
    return check_function(function, "interpolate", _draw_path, _lerp, _path_mistakes)


def _slerp_mistakes(start, end, t):
    a, b = np.linalg.norm(start), np.linalg.norm(end)
    column = t[:, None]
    yield ("that is the straight path; asked is the round one",), _lerp(start, end, t)
    yield (
        ("the length stays that of the start; it should go evenly to the end's",),
        (a * _slerp(start / a, end / b, t)),
    )
    yield ("only the direction is given: the length is missing",), _slerp(start / a, end / b, t)
    angle = np.arccos(np.clip(start @ end / (a * b), -1, 1))
    whole = (np.sin((1 - column) * angle) * start + np.sin(column * angle) * end) / np.sin(angle)
    yield ("start and end are turned in full length; turn their directions",), whole
    yield ("start and end are exchanged",), _slerp(end, start, t)
    yield ("the division by sin(theta) is missing",), _slerp(start, end, t) * np.sin(angle)


@announced
def check_slerp(function):
    """Check `slerp(start, end, t)`: the direction turns evenly while the length goes evenly.

    Args:
        function: The student's function; two vectors `(d,)` and positions `(n,)`.

    Returns:
        A `Verdict`.
    """
    return check_function(function, "slerp", _draw_path, _slerp, _slerp_mistakes, tolerance=1e-3)


def _draw_means(rng, trial):
    start, minus, plus = map(int, rng.permutation(4)[:3])
    means = rng.uniform(-3, 3, (4, 2 + trial)).round(1)
    return {"means": means, "start": start, "minus": minus, "plus": plus}


def _arithmetic_mistakes(means, start, minus, plus):
    a, b, c = means[start], means[minus], means[plus]
    yield ("plus and minus are exchanged",), a - c + b
    yield ("nothing is subtracted",), a + c
    yield ("nothing is added",), a - b
    yield ("all three are added",), a + b + c
    yield ("the numbers of the digits are used, in place of their vectors",), start - minus + plus
    yield ("the mean of the three is taken",), (a + b + c) / 3


@announced
def check_arithmetic(function):
    """Check `arithmetic(means, start, minus, plus)`: the vector of start - minus + plus.

    Args:
        function: The student's function; means has shape `(classes, d)`, the others are class numbers.

    Returns:
        A `Verdict`.
    """
    return check_function(
        function,
        "arithmetic",
        _draw_means,
        lambda means, start, minus, plus: means[start] - means[minus] + means[plus],
        _arithmetic_mistakes,
    )


@announced
def check_prediction(prediction):
    """Check that a prediction was made before the test: any digit will do.

    Args:
        prediction: What the student expects, a digit from 0 to 9, or None.

    Returns:
        A `Verdict`.
    """
    if prediction is None:
        return to_do("prediction: write down a digit before you look. Any will do.")
    if isinstance(prediction, bool) or not isinstance(prediction, int | np.integer):
        return wrong(f"prediction = {prediction!r} is no digit: write one from 0 to 9.")
    if not 0 <= prediction <= 9:
        return wrong(f"prediction = {prediction} is no digit: write one from 0 to 9.")
    return right(f"You expect a {prediction}. Now test it.")


def _draw_property(rng, trial):
    n, d = [(12, 2), (30, 3), (60, 5)][trial]
    labels = np.resize(np.arange(3), n)
    rng.shuffle(labels)
    return {
        "z": rng.uniform(-3, 3, (n, d)).round(1),
        "labels": labels,
        "amount": (rng.permutation(n) + 20.0 * labels).round(1),  # classes differ in it, too
    }


def _split(z, amount):
    middle = np.median(amount)
    return z[amount > middle].mean(axis=0) - z[amount <= middle].mean(axis=0)


def _property(z, labels, amount):
    return np.mean([_split(z[labels == c], amount[labels == c]) for c in np.unique(labels)], axis=0)


def _property_mistakes(z, labels, amount):
    true = _property(z, labels, amount)
    classes = [labels == c for c in np.unique(labels)]
    yield ("the split is made over all images: it is due within each class",), _split(z, amount)
    yield ("the sign is wrong: much minus little is due",), -true
    yield ("the sum over the classes is taken, where the mean is due",), true * len(classes)
    overall = np.median(amount)
    halves = [
        z[c & (amount > overall)].mean(axis=0) - z[c & (amount <= overall)].mean(axis=0)
        for c in classes
        if (c & (amount > overall)).any() and (c & (amount <= overall)).any()
    ]
    if halves:
        yield (
            ("the median is that of all images: each class has its own",),
            np.mean(halves, axis=0),
        )
    above = [z[c & (amount > np.median(amount[c]))].mean(axis=0) for c in classes]
    yield ("nothing is subtracted: that is the mean of the upper halves",), np.mean(above, axis=0)


@announced
def check_property_vector(function):
    """Check `property_vector(z, labels, amount)`: much minus little, within each class, then the mean.

    Args:
        function: The student's function; z has shape `(n, d)`, labels and amount `(n,)`.

    Returns:
        A `Verdict`.
    """
    return check_function(
        function, "property_vector", _draw_property, _property, _property_mistakes
    )
