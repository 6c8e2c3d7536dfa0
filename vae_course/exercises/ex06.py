"""Check exercise 6: paths between latent vectors, sums and differences, and a property as a vector."""

import math

import numpy as np

from vae_course.exercises.compare import function_check
from vae_course.exercises.verdict import NotYet, announced, need
from vae_course.latent import lerp, slerp

NUMBERS = {
    "length half-way": {
        "": 3.0 / math.sqrt(2.0),
        "this would be the length on the curved path": 3.0,
        "this is the length of the sum; half of it is the mid-point": 3.0 * math.sqrt(2.0),
        "this is half a side; add the two as vectors": 1.5,
        "the square root is missing, so this is the squared length": 4.5,
    }
}


def _draw_path(rng, trial):
    d, n = [(2, 3), (4, 5), (7, 4)][trial]
    while True:
        start, end = rng.uniform(-3, 3, (2, d)).round(1)
        lengths = np.linalg.norm(start) * np.linalg.norm(end)
        # A curved path needs vectors that are neither 0 nor parallel; at a right angle, sin(theta) is 1.
        if lengths > 0.5 and 0.2 < abs(start @ end) / lengths < 0.95:
            return {"start": start, "end": end, "t": rng.uniform(0, 1, n).round(2)}


@function_check("interpolate", _draw_path)
def check_interpolate(start, end, t):
    """Check `interpolate(start, end, t)`: points on the straight line, one row for each t."""
    right = lerp(start, end, t)
    yield "", right
    yield "start and end are swapped; at t = 0 the path is at the start", lerp(end, start, t)
    yield "t scales only the end, while all of the start stays", start + t[:, None] * end
    yield "you return the difference alone, without the start", right - start
    yield "each t needs one row, but yours are columns", right.T
    yield "this is the curved path instead of the straight one", slerp(start, end, t)


@function_check("slerp", _draw_path, tolerance=1e-3)
def check_slerp(start, end, t):
    """Check `slerp(start, end, t)`: direction and length change at constant rates."""
    right = slerp(start, end, t)
    yield "", right
    yield "this is the straight path instead of the round one", lerp(start, end, t)
    a, b = np.linalg.norm(start), np.linalg.norm(end)
    directions = slerp(start / a, end / b, t)
    constant = "the length stays that of the start; it should change evenly to that of the end"
    yield constant, a * directions
    yield "this is only the direction; the length is missing", directions
    angle = np.arccos(start @ end / (a * b))
    full = np.sin([(1 - t) * angle, t * angle]).T / np.sin(angle) @ [start, end]
    yield "you rotate the vectors at full length; rotate only their directions", full
    yield "start and end are swapped", slerp(end, start, t)
    yield "the division by sin(theta) is missing", right * np.sin(angle)


def _draw_means(rng, trial):
    start, minus, plus = map(int, rng.permutation(4)[:3])
    means = rng.uniform(-3, 3, (4, 2 + trial)).round(1)
    return {"means": means, "start": start, "minus": minus, "plus": plus}


@function_check("arithmetic", _draw_means)
def check_arithmetic(means, start, minus, plus):
    """Check `arithmetic(means, start, minus, plus)`: the vector of start - minus + plus."""
    a, b, c = means[start], means[minus], means[plus]
    yield "", a - b + c
    yield "plus and minus are swapped", a - c + b
    yield "nothing is subtracted", a + c
    yield "nothing is added", a - b
    yield "all three are added", a + b + c
    yield "you use the numbers of the digits instead of their vectors", start - minus + plus
    yield "you take the mean of the three", (a + b + c) / 3


@announced
def check_prediction(prediction):
    """Check that the student made a prediction before the test; any digit will do.

    Args:
        prediction: What the student expects, a digit from 0 to 9, or None.
    """
    need("prediction: write down a digit before you look. Any digit will do.", prediction)
    if prediction not in range(10):
        raise NotYet(f"prediction = {prediction!r} is not a digit. Write one from 0 to 9.")
    return f"You expect a {prediction}. Now test it."


def _draw_property(rng, trial):
    """Draw all ten labels, in classes of odd and different sizes, whose medians are images of theirs."""
    sizes = rng.permutation([(3, 5, 7), (3, 7, 11), (5, 9, 13)][trial] * 3 + (5,))
    labels, d = np.repeat(np.arange(10), sizes), 2 + trial
    n = len(labels)
    while True:
        rng.shuffle(labels)
        amount = (rng.permutation(n) + 2.0 * labels).round(1)  # the classes differ in it, too
        middle = np.median(amount)
        # Otherwise a class would have no images above the median of all.
        if all((own := amount[labels == c]).min() <= middle < own.max() for c in range(10)):
            return {"z": rng.uniform(-3, 3, (n, d)).round(1), "labels": labels, "amount": amount}


def _split(z, amount, middle=None):
    upper = amount > (np.median(amount) if middle is None else middle)
    return z[upper].mean(axis=0) - z[~upper].mean(axis=0)


@function_check("property_vector", _draw_property)
def check_property_vector(z, labels, amount):
    """Check `property_vector(z, labels, amount)`: high minus low within each class, then the mean."""
    classes = [labels == label for label in np.unique(labels)]
    differences = [_split(z[c], amount[c]) for c in classes]
    right = np.mean(differences, axis=0)
    yield "", right
    yield "you split all images at once, but each class has its own halves", _split(z, amount)
    yield "the sign is wrong; subtract the lower half from the upper", -right
    at_least = [amount[c] >= np.median(amount[c]) for c in classes]
    shifted = [z[c][u].mean(0) - z[c][~u].mean(0) for c, u in zip(classes, at_least, strict=True)]
    yield "an image at the median belongs to the lower half", np.mean(shifted, axis=0)
    yield "you take the sum over the classes instead of the mean", right * len(classes)
    above = [amount[c] > np.median(amount[c]) for c in classes]
    upper = [z[c][u].mean(axis=0) for c, u in zip(classes, above, strict=True)]
    yield "nothing is subtracted; this is the mean of the upper halves", np.mean(upper, axis=0)
    common = np.mean([_split(z[c], amount[c], np.median(amount)) for c in classes], axis=0)
    yield "you use the median of all images, but each class has its own", common
    sorted_out = list(zip(classes, above, strict=True))
    upper, lower = (np.concatenate([z[c][u == up] for c, u in sorted_out]) for up in (True, False))
    equal = "so large classes count more; each class has its own difference, and all count the same"
    yield (
        f"you put the halves of all classes together, {equal}",
        upper.mean(axis=0) - lower.mean(axis=0),
    )
    weighted = np.average(differences, axis=0, weights=[c.sum() for c in classes])
    yield f"you weigh the differences by the sizes of the classes, {equal}", weighted
