"""Checks of sizes: what comes out of convolutions, transposed convolutions and up-samplings."""

import numpy as np

from vae_course.exercises.compare import check_function
from vae_course.exercises.verdict import Verdict, announced, to_do, wrong

LAYERS = {
    "a": ("Conv2D", 28, {"kernel_size": 3, "padding": "valid"}),
    "b": ("Conv2D", 28, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "c": ("Conv2DTranspose", 7, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "d": ("Conv2DTranspose", 7, {"kernel_size": 4, "strides": 2, "padding": "valid"}),
}


def _side(kind, side, **options):
    """Ask Keras for the side of a layer's output."""
    from keras import layers

    layer = getattr(layers, kind)(1, **options)
    return layer.compute_output_shape((1, side, side, 1))[1]


@announced
def check_sides(answers):
    """Check the predicted sides of the outputs of four layers; each counts a quarter.

    Args:
        answers: Dictionary from "a", "b", "c", "d" to whole numbers, or None where blank.

    Returns:
        A `Verdict`.
    """
    if not isinstance(answers, dict) or set(answers) != set(LAYERS):
        return wrong(f"sides is a dictionary with the keys {', '.join(LAYERS)}.")
    if all(value is None for value in answers.values()):
        return to_do("sides: replace each None by a whole number.")
    words, good = [], 0
    for key, (kind, side, options) in LAYERS.items():
        true, given = _side(kind, side, **options), answers[key]
        others = {
            _side("Conv2D", side, **options): "that is the side after a Conv2D",
            _side("Conv2DTranspose", side, **options): "that is the side after a Conv2DTranspose",
            _side(kind, side, **{**options, "padding": "same"}): 'that is the side with "same"',
            _side(kind, side, **{**options, "padding": "valid"}): 'that is the side with "valid"',
            _side(kind, side, **{**options, "strides": 1}): "that is the side with stride 1",
        }
        good += given == true
        hint = others.get(given, "count again") if isinstance(given, int) else "still blank"
        words += [f"{key}: right" if given == true else f"{key}: {hint}"]
    text = "; ".join(words) + "."
    return Verdict("right" if good == 4 else "wrong", text, good / 4)


def _draw_size(rng, trial):
    padding = ("valid", "same", ("valid", "same")[rng.integers(2)])[trial % 3]
    side, kernel, stride = (int(rng.integers(*ends)) for ends in ((3, 12), (2, 6), (1, 5)))
    if trial % 3 == 0 and trial:  # a kernel smaller than the stride shall not be left to chance
        kernel, stride = 2, int(rng.integers(3, 5))
    return {"side": side, "kernel": kernel, "stride": stride, "padding": padding}


def _size_mistakes(side, kernel, stride, padding):
    options = {"kernel_size": kernel, "strides": stride, "padding": padding}
    if padding == "same" or side >= kernel:
        yield (
            ("that is the size after a convolution, not a transposed one",),
            _side("Conv2D", side, **options),
        )
    other = {"valid": "same", "same": "valid"}[padding]
    yield (
        (f'that is the size with "{other}"',),
        _side("Conv2DTranspose", side, **{**options, "padding": other}),
    )
    same = padding == "same"  # there all these are right
    filled = "a kernel smaller than the stride is forgotten: Keras fills up to the stride"
    yield (filled,), side * stride if same else (side - 1) * stride + kernel
    steps = side * stride if same else side * stride + max(kernel, stride)
    yield ("between n stamps there are n - 1 steps",), steps
    yield ("the stride is not used",), side if same else side - 1 + kernel


@announced
def check_transposed_side(function):
    """Check `transposed_side(side, kernel, stride, padding)` against Keras' own layer.

    Args:
        function: The student's function of three whole numbers and "valid" or "same".

    Returns:
        A `Verdict`.
    """
    return check_function(
        function,
        "transposed_side",
        _draw_size,
        lambda side, kernel, stride, padding: _side(
            "Conv2DTranspose", side, kernel_size=kernel, strides=stride, padding=padding
        ),
        _size_mistakes,
        trials=12,
    )


def _draw_picture(rng, trial):
    height, width = [(2, 3), (3, 2), (4, 5)][trial]
    return {"picture": rng.uniform(0, 9, (height, width)).round(1)}


def _up(picture):
    return picture.repeat(2, axis=0).repeat(2, axis=1)


def _up_mistakes(picture):
    zeros = np.zeros([2 * n for n in picture.shape])
    zeros[::2, ::2] = picture
    yield ("zeros stand between the pixels, where their copies are due",), zeros
    yield ("only the rows are doubled",), picture.repeat(2, axis=0)
    yield ("only the columns are doubled",), picture.repeat(2, axis=1)
    yield (
        ("the picture is tiled: each pixel is to be doubled in its place",),
        np.tile(picture, (2, 2)),
    )
    yield ("the result is flat: it should be a picture of twice the sides",), picture.repeat(4)


@announced
def check_up_sample(function):
    """Check `up_sample(picture)`: each pixel becomes a square of 2 x 2.

    Args:
        function: The student's function of an array `(height, width)`.

    Returns:
        A `Verdict`.
    """
    return check_function(function, "up_sample", _draw_picture, _up, _up_mistakes)
