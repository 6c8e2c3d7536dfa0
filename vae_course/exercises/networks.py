"""Checks of networks: shapes, parameters, ranges, what may not be in them."""

import numpy as np

from vae_course.exercises.compare import Problem, as_array, blank, call, fresh
from vae_course.exercises.verdict import announced, right, wrong


def _build(build, name, latent_dim):
    """Call a student's builder; return the model, or raise `Problem`."""
    import keras

    model = call(build, name, {"latent_dim": latent_dim})
    if model is None:
        raise Problem("It gives back None: is a `return` missing?")
    if not isinstance(model, keras.Model):
        raise Problem(f"It gives back a {type(model).__name__}, not a keras.Model.")
    return model


def _through(model, x):
    """Run a model on images or vectors, in the way of `call`."""
    return as_array(call(lambda x: model(x, training=False), model.name, {"x": x}))


@announced
def check_encoder(build):
    """Check `build_encoder(latent_dim)`: two convolutions, two poolings, one dense layer without activation.

    Args:
        build: The student's function, from a number of latent dimensions to a keras.Model.

    Returns:
        A `Verdict`.
    """
    name = "build_encoder"
    if (verdict := blank(build, name)) is not None:
        return verdict
    rng = fresh()
    latent_dim = int(rng.integers(3, 12))
    try:
        model = _build(build, name, latent_dim)
        if len(model.outputs) != 1:
            raise Problem(f"It has {len(model.outputs)} outputs: one is due, the code.")
        if tuple(model.input_shape) != (None, 28, 28, 1):
            raise Problem(f"Its input has shape {model.input_shape}, expected (None, 28, 28, 1).")
        other = _build(build, name, latent_dim + 1)
        found = [m.output_shape[-1] for m in (model, other)]
        if found[0] == found[1]:
            raise Problem(
                f"The code has {found[0]} numbers whatever latent_dim is: use the argument."
            )
        if tuple(model.output_shape) != (None, latent_dim):
            raise Problem(
                f"Its output has shape {model.output_shape}, expected (None, {latent_dim})."
            )
        _look_at_encoder(model, latent_dim)
        x = rng.uniform(0, 1, (64, 28, 28, 1)).astype("float32")
        codes = np.concatenate([_through(model, scale * (x - 0.5)) for scale in (1, 20)])
    except Problem as problem:
        return wrong(f"{name}, with latent_dim = {latent_dim}: {problem}")
    if codes.min() >= 0 or np.abs(codes).max() <= 1:
        return wrong(
            f"{name}: the code has an activation. It would bend or fold the latent space: a code may be "
            "any number."
        )
    return right(f"{name}: {model.count_params():,} parameters for latent_dim = {latent_dim}.")


def _look_at_encoder(model, latent_dim):
    kinds = [type(layer).__name__ for layer in model.layers]
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2D"]
    if len(convolutions) != 2:
        raise Problem(f"It has {len(convolutions)} Conv2D layers, two are due.")
    for layer, filters in zip(convolutions, (16, 32), strict=True):
        if layer.filters != filters or tuple(layer.kernel_size) != (3, 3):
            raise Problem(
                f"A convolution has {layer.filters} kernels of {layer.kernel_size[0]} x "
                f"{layer.kernel_size[1]}; expected are {filters} of 3 x 3."
            )
        if layer.padding != "same":
            raise Problem('A convolution shrinks its picture: padding="same" keeps the size.')
        if layer.activation.__name__ != "relu":
            raise Problem("A convolution is without relu: two linear layers are as good as one.")
    pooled = [tuple(layer.pool_size) for layer in model.layers if "Pooling" in type(layer).__name__]
    if pooled != [(2, 2), (2, 2)]:
        raise Problem(f"It has {len(pooled)} poolings of 2 x 2; after each convolution one is due.")
    due = 160 + 4640 + 7 * 7 * 32 * latent_dim + latent_dim
    if model.count_params() != due:
        raise Problem(
            f"It has {model.count_params():,} parameters, expected {due:,}. Its layers: {', '.join(kinds)}."
        )


@announced
def check_decoder(build):
    """Check `build_decoder(latent_dim)`: pictures in (0, 1), grown by strides and not by up-sampling.

    Args:
        build: The student's function, from a number of latent dimensions to a keras.Model.

    Returns:
        A `Verdict`.
    """
    name = "build_decoder"
    if (verdict := blank(build, name)) is not None:
        return verdict
    rng = fresh()
    latent_dim = int(rng.integers(3, 12))
    try:
        model = _build(build, name, latent_dim)
        if _build(build, name, latent_dim + 1).input_shape == model.input_shape:
            raise Problem(
                f"It takes codes of shape {model.input_shape[1:]} whatever latent_dim is: use the argument."
            )
        if tuple(model.input_shape) != (None, latent_dim):
            raise Problem(
                f"Its input has shape {model.input_shape}, expected (None, {latent_dim})."
            )
        if tuple(model.output_shape) != (None, 28, 28, 1):
            raise Problem(f"Its output has shape {model.output_shape}, expected (None, 28, 28, 1).")
        kinds = [type(layer).__name__ for layer in model.layers]
        if "UpSampling2D" in kinds:
            raise Problem(
                "It holds an UpSampling2D: here the strides are to make the picture grow."
            )
        strided = [
            layer
            for layer in model.layers
            if type(layer).__name__ == "Conv2DTranspose" and tuple(layer.strides) == (2, 2)
        ]
        if len(strided) != 2:
            raise Problem(
                f"It has {len(strided)} Conv2DTranspose layers of stride 2; from 7 to 28 two are due."
            )
        if any(layer.kernel_size[0] % 2 for layer in strided):
            raise Problem(
                "A kernel's size is no multiple of the stride: uneven coverage, and so checkerboards."
            )
        z = rng.standard_normal((64, latent_dim)).astype("float32")
        pictures = _through(model, 50 * z)
    except Problem as problem:
        return wrong(f"{name}, with latent_dim = {latent_dim}: {problem}")
    if pictures.min() < 0 or pictures.max() > 1:
        return wrong(
            f"{name}: pixels run from {pictures.min():.2f} to {pictures.max():.2f}, but grey values lie "
            "between 0 and 1: which activation keeps them there?"
        )
    if np.ptp(pictures, axis=0).max() < 1e-4:
        return wrong(f"{name}: every code gives the same picture.")
    return right(f"{name}: {model.count_params():,} parameters, pictures between 0 and 1.")
