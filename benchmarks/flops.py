"""How many floating-point operations training takes, computed from the shapes of the layers."""

import math

import keras
from keras import layers


def multiply_adds(layer):
    """Return the multiply-adds of one layer for one image; activations and biases are left out.

    Args:
        layer: A built Keras layer. Layers without a kernel count 0.

    Returns:
        Whole number.
    """
    if isinstance(layer, layers.Conv2DTranspose):
        return math.prod(layer.input.shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Conv2D):
        return math.prod(layer.output.shape[1:3]) * math.prod(layer.kernel.shape)
    if isinstance(layer, layers.Dense):
        return math.prod(layer.kernel.shape)
    return 0


def training_flop(*networks):
    """Return the floating-point operations for training on one image.

    A multiply-add is 2; the backward pass takes twice the forward pass (gradients of inputs and of
    weights), so one image takes 3 * 2 * multiply-adds.

    Args:
        *networks: Functional models that every image passes through once.
    """
    flat = [layer for network in networks for layer in network.layers]
    if any(isinstance(layer, keras.Model) for layer in flat):
        raise ValueError("Give the networks themselves, not a model made of them.")
    return 6 * sum(multiply_adds(layer) for layer in flat)
