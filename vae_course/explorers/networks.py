"""Pack Keras models and arrays for the browser, where `browser/network.js` runs them."""

import operator

import numpy as np

ACTIVATIONS = ("linear", "relu", "sigmoid")


def array(values, dtype="float32"):
    """Pack an array as its type, its shape and its bytes, little-endian.

    Args:
        values: Numbers of any shape.
        dtype: "float32", "int32" or "uint8".

    Returns:
        Dictionary with `dtype`, `shape` and `data`, which the browser turns into a typed array.
    """
    values = np.ascontiguousarray(values, np.dtype(dtype).newbyteorder("<"))
    return {"dtype": dtype, "shape": list(values.shape), "data": values.tobytes()}


def network(model, output=0):
    """Pack a model as a list of layers, each with its weights as they are now.

    Args:
        model: Keras model that is built, with layers that follow each other: Dense, Conv2D and
            Conv2DTranspose with padding "same", UpSampling2D, MaxPooling2D, Flatten and Reshape, with no
            activation, relu or sigmoid. Several inputs, such as a code and a label, must be concatenated
            before anything else, and the browser gives them as one array.
        output: Which of several outputs to compute.

    Returns:
        List of dictionaries for `network` in `browser/network.js`. Flatten, Reshape and Concatenate are left
        out, because they do not move any number.

    Raises:
        ValueError: If the model has a layer that the browser cannot compute.
    """
    import keras

    path = keras.Model(model.inputs, model.outputs[output])
    packed, last = [], path.inputs[0]
    for layer in path.layers:
        kind = type(layer).__name__
        if kind == "InputLayer":
            continue
        if kind == "Concatenate" and not packed:
            joined = [last, *path.inputs[1:]]
            ranks = {len(part.shape) for part in joined}
            follows = ranks == {2} and len(layer.input) == len(joined)
            follows = follows and all(map(operator.is_, layer.input, joined))
        else:
            follows = layer.input is last
        if not follows:
            raise _refusal(layer, "does not follow the layer before it")
        last = layer.output
        if kind not in ("Flatten", "Reshape", "Concatenate"):
            packed.append(_layer(layer, kind))
    if not packed:
        raise ValueError(f"{model.name} has no layer that computes anything: pass a trained model.")
    return packed


def _layer(layer, kind):
    """Pack one layer, or raise a `ValueError`."""
    sides = {"input": list(layer.input.shape[1:]), "output": list(layer.output.shape[1:])}
    if kind == "Dense" and len(sides["input"]) == 1:
        return {"kind": "dense", **sides, **_weights(layer, layer.kernel)}
    if kind in ("Conv2D", "Conv2DTranspose"):
        return _convolution(layer, transposed=kind == "Conv2DTranspose", sides=sides)
    if kind in ("UpSampling2D", "MaxPooling2D"):
        up = kind == "UpSampling2D"
        factor, other = layer.size if up else layer.pool_size
        nearest = layer.interpolation == "nearest" if up else layer.strides == layer.pool_size
        plain = nearest and (up or layer.padding == "valid")
        if factor != other or not plain or layer.data_format != "channels_last":
            raise _refusal(layer, "has other settings than the course's models")
        return {"kind": "upsampling" if up else "pooling", "factor": int(factor), **sides}
    raise _refusal(layer, f"is of the type {kind}")


def _convolution(layer, transposed, sides):
    stride, other = layer.strides
    settings = layer.padding, layer.data_format, *layer.dilation_rate, getattr(layer, "groups", 1)
    if stride != other or settings != ("same", "channels_last", 1, 1, 1):
        raise _refusal(layer, "has other settings than the course's models")
    kernel = np.asarray(layer.kernel)
    if transposed:
        kernel = kernel.swapaxes(2, 3)  # (rows, columns, given, made), as for a convolution
    packed = {"kind": "convolution", "stride": int(stride), "transposed": transposed, **sides}
    return packed | _weights(layer, kernel)


def _weights(layer, kernel):
    activation = getattr(layer.activation, "__name__", type(layer.activation).__name__)
    if activation not in ACTIVATIONS:
        raise _refusal(layer, f"has the activation {activation}")
    bias = layer.bias if layer.use_bias else np.zeros(layer.output.shape[-1])
    return {"weights": array(kernel), "bias": array(bias), "activation": activation}


def _refusal(layer, what):
    return ValueError(
        f"The layer {layer.name} {what}, which explorers cannot compute in the browser: use layers of the "
        f"kinds in build_decoder and build_encoder, with the activations {', '.join(ACTIVATIONS)}."
    )
