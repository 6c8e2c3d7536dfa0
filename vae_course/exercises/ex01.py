"""Check exercise 1: an encoder, the reconstruction error, and the largest gap between codes."""

import keras
import numpy as np
from scipy.spatial import cKDTree

from vae_course.exercises.compare import (
    as_array,
    call,
    combinations,
    function_check,
    require_own,
    result_of,
    shown,
)
from vae_course.exercises.verdict import NotYet, announced, need

_WEIGHTS, _DENSE, _BIASES = 9 * 1 * 16 + 9 * 16 * 32, 7 * 7 * 32 * 2, 16 + 32 + 2
NUMBERS = {
    "encoder parameters": {
        "": _WEIGHTS + _DENSE + _BIASES,
        "the biases are missing, one for each kernel and each neuron": _WEIGHTS + _DENSE,
        "the second convolution has a 3 x 3 kernel for each pair of its 16 and 32 channels": (
            9 * 16 + 9 * 32 + _DENSE + _BIASES
        ),
        "two poolings leave 7 x 7 pixels for the dense layer, not 28 x 28": (
            _WEIGHTS + 28 * 28 * 32 * 2 + _BIASES
        ),
        "after the second pooling there are 7 x 7 pixels, not 14 x 14": (
            _WEIGHTS + 14 * 14 * 32 * 2 + _BIASES
        ),
        "the dense layer is missing": _WEIGHTS + 16 + 32,
    }
}


def expect(name, facts):
    """Raise `NotYet` for the first of the facts, what: (found, right), that is not as it should be."""
    for what, (found, right) in facts.items():
        if found != right:
            raise NotYet(f"{name}: {what} are {found}, but should be {right}.")


def built(build, name, latent_dim, shapes):
    """Return the model that a student's function builds; it must have these shapes and use `latent_dim`."""
    require_own(build, name)
    model, other = (call(build, name, {"latent_dim": n}) for n in (latent_dim, latent_dim + 1))
    if not isinstance(model, keras.Model):
        raise NotYet(
            f"{name} returns a {type(model).__name__}. Does it `return` a keras.Model(inputs, outputs)?"
        )
    if not getattr(model, "inputs", None):
        raise NotYet(f"{name}: the model does not know its input's shape. Start with keras.Input.")
    found, others = ((m.input_shape, m.output_shape) for m in (model, other))
    if found == others:
        raise NotYet(f"{name} builds the same model whatever latent_dim is. Use that argument.")
    ends = f"the shapes of input and output for latent_dim = {latent_dim}"
    expect(name, {ends: (found, tuple((None, *shape) for shape in shapes))})
    return model


def layers_of(model):
    """List the layers of a model, and those of the models in it."""
    nested = (layers_of(x) if isinstance(x, keras.Model) else [x] for x in model.layers)
    return [layer for part in nested for layer in part]


def activation_of(layer):
    """Return the name of a layer's activation, which may be a function or a layer, such as "relu"."""
    activation = getattr(layer, "activation", None)
    if isinstance(activation, keras.layers.Activation):
        return activation_of(activation)
    if isinstance(activation, keras.layers.ReLU):
        changed = activation.max_value or activation.negative_slope or activation.threshold
        return "another ReLU" if changed else "relu"
    if isinstance(activation, keras.layers.Layer):
        return type(activation).__name__.lower()
    return getattr(activation, "__name__", str(activation))


def outputs_of(model, name, x):
    """Return the outputs of a student's model for images or vectors, as an array."""
    return result_of(lambda x: model(x, training=False), name, {"x": x.astype("float32")})


@announced
def check_encoder(build):
    """Check `build_encoder(latent_dim)`: two convolutions, two poolings, and a linear dense layer."""
    name = "build_encoder"
    rng = np.random.default_rng()
    # With this many dimensions, the codes of a right encoder are never all positive by chance.
    latent_dim = int(rng.integers(24, 40))
    model = built(build, name, latent_dim, [(28, 28, 1), (latent_dim,)])
    parts = layers_of(model)
    kernels = [layer for layer in parts if isinstance(layer, keras.layers.Conv2D)]
    poolings = [layer for layer in parts if hasattr(layer, "pool_size")]
    steps = [layer for layer in parts if layer in kernels + poolings]
    paddings = [layer.padding for layer in kernels]
    linear = "the activations of the Conv2D layers (linear ones can do no more than one)"
    facts = {
        "the kernels of the Conv2D layers": ([k.filters for k in kernels], [16, 32]),
        "the sizes of the kernels": ([k.kernel_size for k in kernels], [(3, 3)] * 2),
        'the paddings ("same" keeps the size of an image)': (paddings, ["same"] * 2),
        linear: ([activation_of(layer) for layer in kernels], ["relu"] * 2),
        "the sizes of the poolings": ([pooling.pool_size for pooling in poolings], [(2, 2)] * 2),
        "the steps": (
            ["convolution" if step in kernels else "pooling" for step in steps],
            ["convolution", "pooling"] * 2,
        ),
        f"the parameters for latent_dim = {latent_dim}": (
            model.count_params(),
            160 + 4640 + 7 * 7 * 32 * latent_dim + latent_dim,
        ),
    }
    expect(name, facts)
    x = rng.uniform(-0.5, 0.5, (64, 28, 28, 1))
    codes = outputs_of(model, name, np.concatenate([x, 20 * x]))
    linear = activation_of(parts[-1]) == "linear"
    if not linear or codes.min() >= 0 or np.abs(codes).max() <= 1:
        raise NotYet(
            f"{name}: the code has an activation, which would bend or fold the latent space. A code may be "
            "any number."
        )
    return f"{name}: {model.count_params():,} parameters for latent_dim = {latent_dim}."


# Ways to turn the differences, (images, pixels), into an error for each image.
PIXELS = {
    "": lambda d: (d**2).sum(axis=1),
    "you take the mean over the pixels instead of the sum": lambda d: (d**2).mean(axis=1),
    "the differences are not squared": lambda d: np.abs(d).sum(axis=1),
    "the reconstruction error should have no factor of 1/2": lambda d: 0.5 * (d**2).sum(axis=1),
    "there is one square root too many": lambda d: np.sqrt((d**2).sum(axis=1)),
}
_BATCH = {
    "": np.asarray,
    "you sum over the batch, but each image needs its own number": np.sum,
    "you take the mean over the batch, but each image needs its own number": np.mean,
}


def draw_images(rng, trial):
    """Draw a small batch of images and their reconstructions."""
    shape = (2, 2, 2, 2, 1) if trial == 0 else (2, 5, 7, 7, 1)
    x, x_hat = rng.uniform(0, 1, shape).round(2).astype("float32")
    return {"x": x, "x_hat": x_hat}


@function_check("reconstruction_error", draw_images)
def check_reconstruction_error(x, x_hat):
    """Check `reconstruction_error(x, x_hat)`: for each image, the sum of squared differences."""
    differences = np.float64(x) - np.float64(x_hat)
    for text, (reduce, gather) in combinations(PIXELS, _BATCH):
        yield text, gather(reduce(differences.reshape(len(x), -1)))
    yield "you do not sum, but each image needs one number", differences**2


def _draw_places(rng, trial):
    places, codes = [(2, 3), (5, 9), (9, 30)][trial]
    return {
        "places": rng.uniform(-3, 3, (places, 2)).round(1),
        "codes": rng.uniform(-3, 3, (codes, 2)).round(1),
    }


@function_check("nearest_distance", _draw_places)
def check_nearest_distance(places, codes):
    """Check `nearest_distance(places, codes)`: how far each place is from its nearest code."""
    d = np.linalg.norm(places[:, None] - codes[None], axis=2)  # (places, codes)
    yield "", d.min(axis=1)
    yield "you take the mean distance to the codes instead of the smallest", d.mean(axis=1)
    yield "you take the distance to the farthest code instead of the nearest", d.max(axis=1)
    yield "the square root is missing, so the distances are squared", d.min(axis=1) ** 2
    yield "you return each code's distance to its nearest place instead of the reverse", d.min(0)
    yield "you return the index of the nearest code instead of its distance", d.argmin(axis=1)
    yield "you return the smallest distance of all, but each place needs its own", d.min()
    yield "you return all distances instead of the smallest for each place", d
    along = np.abs(places[:, None] - codes[None]).sum(axis=2)
    yield "you take the sum along the axes instead of the straight-line distance", along.min(axis=1)


@announced
def check_largest_gap(centre, radius, places, codes):
    """Check the centre and radius of the largest empty circle among given places.

    Args:
        centre: The student's place, shape `(2,)`, or None.
        radius: The student's radius, or None.
        places: All candidate places, shape `(m, 2)`.
        codes: Shape `(n, 2)`.
    """
    need("gap_centre and gap_radius: compute them in the cell above.", centre, radius)
    centre, radius = as_array(centre, "gap_centre"), as_array(radius, "gap_radius")
    if centre.shape != (2,) or radius.shape:
        raise NotYet(
            f"gap_centre has shape {centre.shape} and gap_radius {radius.shape}, but a place has two "
            "numbers, shape (2,), and a distance is one number."
        )
    aside, nearest_place = cKDTree(places).query(centre)
    if aside > 0.002:  # a place may be rounded to three decimals
        raise NotYet(
            f"gap_centre = {shown(centre)} is not one of the given places. Take one from `places` as it is, "
            "without rounding."
        )
    nearest = cKDTree(codes)
    rooms = nearest.query(places)[0]
    room = rooms[nearest_place]
    if not np.isclose(room, radius, rtol=1e-3, atol=1e-3):
        raise NotYet(
            f"The code nearest to gap_centre is {room:.4g} away, but gap_radius is {radius:.4g}."
        )
    if room < 0.999 * rooms.max():
        raise NotYet(f"Another place has more room than your {room:.4g}. Keep looking.")
    return f"The largest gap has a radius of {room:.4g}, and there is no code inside."
