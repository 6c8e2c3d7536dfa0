"""Check exercise 4: sizes of transposed convolutions, up-sampling, and a decoder that grows by strides."""

import numpy as np
from keras import layers

from vae_course.exercises.compare import function_check
from vae_course.exercises.ex01 import activation_of, built, expect, layers_of, outputs_of
from vae_course.exercises.verdict import NotYet, ToDo, Verdict, announced, is_blank

_WEIGHTS = 3 * 3 * 32 * 16
NUMBERS = {
    "transposed parameters": {
        "": _WEIGHTS + 16,
        "the biases are missing, one for each output channel": _WEIGHTS,
        "there is one bias for each output channel, not for each input channel": _WEIGHTS + 32,
        "each kernel has 3 x 3 weights for each pair of channels": 32 * 16 + 16,
        "a kernel has weights for every input channel": 9 * 16 + 16,
    }
}

_LAYERS = {
    "a": ("Conv2D", 28, {"kernel_size": 3, "padding": "valid"}),
    "b": ("Conv2D", 28, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "c": ("Conv2DTranspose", 7, {"kernel_size": 3, "strides": 2, "padding": "same"}),
    "d": ("Conv2DTranspose", 7, {"kernel_size": 4, "strides": 2, "padding": "valid"}),
}


def _side(kind, side, **options):
    """Return the side of a layer's output, computed by Keras."""
    layer = getattr(layers, kind)(1, **options)
    return layer.compute_output_shape((1, side, side, 1))[1]


@announced
def check_sides(answers):
    """Check the predicted sides of the outputs of four layers, each worth a quarter.

    Args:
        answers: Dictionary from "a", "b", "c", "d" to whole numbers, or None if blank.
    """
    if all(map(is_blank, answers.values())):
        raise ToDo("sides: replace each None with a whole number.")
    words = {}
    for key, (kind, side, options) in _LAYERS.items():
        hints = {
            _side("Conv2D", side, **options): "this is the side after a Conv2D",
            _side("Conv2DTranspose", side, **options): "this is the side after a Conv2DTranspose",
            _side(kind, side, **{**options, "padding": "same"}): 'this is the side with "same"',
            _side(kind, side, **{**options, "padding": "valid"}): 'this is the side with "valid"',
            _side(kind, side, **{**options, "strides": 1}): "this is the side with stride 1",
            _side(kind, side, **options): "right",
            None: "still blank",
        }
        try:
            words[key] = hints.get(answers.get(key), "count again, and write a whole number")
        except TypeError:  # a list, or anything else that is not hashable
            words[key] = "count again, and write a whole number"
    text = "; ".join(f"{key}: {word}" for key, word in words.items()) + "."
    return Verdict(text, sum(word == "right" for word in words.values()) / len(words))


def _draw_size(rng, trial):
    # The kernel fits into the side, so that the usual mistake, a convolution of the same sizes, is possible.
    side, kernel, stride = (int(rng.integers(*ends)) for ends in ((6, 13), (2, 6), (1, 5)))
    padding = ("valid", "same", "valid", str(rng.choice(["valid", "same"])))[trial % 4]
    # Make sure that some kernels are larger and some smaller than the stride.
    if trial % 4 == 0:
        stride = int(rng.integers(1, kernel))
    if trial % 4 == 2:
        kernel, stride = 2, int(rng.integers(3, 5))
    return {"side": side, "kernel": kernel, "stride": stride, "padding": padding}


@function_check("transposed_side", _draw_size, trials=12)
def check_transposed_side(side, kernel, stride, padding):
    """Check `transposed_side(side, kernel, stride, padding)` against Keras' own layer."""
    options = {"kernel_size": kernel, "strides": stride, "padding": padding}
    right = _side("Conv2DTranspose", side, **options)
    yield "", right
    convolved = _side("Conv2D", side, **options)
    yield "this is the size after a convolution, not a transposed one", convolved
    other = {"valid": "same", "same": "valid"}[padding]
    exchanged = _side("Conv2DTranspose", side, **{**options, "padding": other})
    yield f'this is the size with "{other}"', exchanged
    yield 'this is the size with "same", whatever the padding is', side * stride
    valid = padding == "valid"  # for "same", the next two are right
    unfilled = (side - 1) * stride + kernel if valid else right
    yield "a kernel may be smaller than the stride, but Keras pads up to the stride", unfilled
    yield "between n stamps there are n - 1 steps", right + stride if valid else right
    yield "the stride is not used", side - 1 + kernel if valid else side


def _draw_picture(rng, trial):
    return {"picture": rng.uniform(0, 9, [(2, 3), (3, 2), (4, 5)][trial]).round(1)}


@function_check("up_sample", _draw_picture)
def check_up_sample(picture):
    """Check `up_sample(picture)`: each pixel becomes a square of 2 x 2."""
    yield "", picture.repeat(2, axis=0).repeat(2, axis=1)
    zeros = np.zeros([2 * n for n in picture.shape])
    zeros[::2, ::2] = picture
    yield "there are zeros between the pixels instead of copies", zeros
    yield "only the rows are doubled", picture.repeat(2, axis=0)
    yield "only the columns are doubled", picture.repeat(2, axis=1)
    tiled = np.tile(picture, (2, 2))
    yield "the picture is tiled, but each pixel should be doubled in place", tiled
    yield "the result is flat, but it should be a picture twice as high and wide", picture.repeat(4)


@announced
def check_decoder(build):
    """Check `build_decoder(latent_dim)`: images in (0, 1), grown by strides and not by up-sampling."""
    name = "build_decoder"
    rng = np.random.default_rng()
    latent_dim = int(rng.integers(3, 12))
    model = built(build, name, latent_dim, [(latent_dim,), (28, 28, 1)])
    steps = layers_of(model)
    ups = [layer for layer in steps if isinstance(layer, layers.UpSampling2D)]
    dense = [layer for layer in steps if isinstance(layer, layers.Dense)]
    grown = [layer for layer in steps if isinstance(layer, layers.Conv2DTranspose)]
    strided = [layer for layer in grown if tuple(layer.strides) == (2, 2)]
    uneven = [layer.kernel_size for layer in strided if any(n % 2 for n in layer.kernel_size)]
    facts = {
        "the UpSampling2D layers (here pictures grow by strides)": (len(ups), 0),
        "the Conv2DTranspose layers of stride 2 (from 7 to 28 takes two)": (len(strided), 2),
        "the kernels that are not a multiple of the stride (they make checkerboards)": (uneven, []),
        "the units of the Dense layers": ([layer.units for layer in dense], [7 * 7 * 32]),
        "the channels after each stride": ([layer.filters for layer in strided], [16, 1]),
        "the activations before the last layer": (
            [activation_of(layer) for layer in (*dense, *strided[:1])],
            ["relu", "relu"],
        ),
    }
    expect(name, facts)
    pictures = outputs_of(model, name, 50 * rng.standard_normal((64, latent_dim)))
    if pictures.min() < 0 or pictures.max() > 1:
        raise NotYet(
            f"{name}: pixels run from {pictures.min():.2f} to {pictures.max():.2f}, but grey values lie "
            "between 0 and 1. Which activation keeps them there?"
        )
    if np.ptp(pictures, axis=0).max() < 1e-4:
        raise NotYet(f"{name}: every code gives the same picture.")
    return f"{name}: {model.count_params():,} parameters, and pictures between 0 and 1."
