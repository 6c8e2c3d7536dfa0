"""Carry a student's answers from the kernel that runs a submission to the process that judges them.

In that kernel, `reply` answers requests: it shows a value, calls a function, or takes a verdict. What it
sends is plain JSON, in which functions and Keras models are only described, so that reading it runs no code.
"""

import base64
import json
import zlib

import numpy as np

from vae_course.exercises.compare import call, is_empty, package_of
from vae_course.exercises.verdict import NotYet, Verdict

MIME_TYPE = "application/vnd.vae-course.wire+json"
MOST_BYTES = 500_000_000  # of one array
_kept = []  # the functions that were shown, in their order


def pack(value):
    """Describe a value by JSON.

    Args:
        value: Number, text, list, dictionary, array, tensor, random generator, function, Keras model or VAE.
            Of anything else, only the type is told.

    Returns:
        What `json.dumps` takes and `unpack` reads.
    """
    if value is None or isinstance(value, bool | str) or type(value) in (int, float):
        return value
    if value is Ellipsis:
        return {"ellipsis": True}
    if isinstance(value, list | tuple):
        return {"tuple" if isinstance(value, tuple) else "list": [*map(pack, value)]}
    if isinstance(value, dict):
        return {"dict": [[pack(key), pack(each)] for key, each in value.items()]}
    if isinstance(value, np.random.Generator):
        return {"rng": int(value.integers(2**62))}  # another one at each call
    if model := _model(value):
        return model
    if callable(value):
        _kept.append(value)
        about = {"empty": is_empty(value), "package": package_of(value)}
        return {"function": len(_kept) - 1, "name": str(getattr(value, "__name__", "")), **about}
    try:
        array = np.asarray(value)
    except Exception:  # whatever a student's object does
        array = np.array(None)
    if array.dtype.kind in "biuf" and array.dtype.itemsize <= 8:
        array = np.ascontiguousarray(array)
        data = base64.b64encode(zlib.compress(array.tobytes(), 1)).decode()
        return {"array": array.dtype.str, "shape": list(np.shape(value)), "data": data}
    return {"other": type(value).__name__}


def _model(value):
    """Describe a Keras model by its configuration and weights, a VAE by its two models, or return None."""
    if not hasattr(value, "get_weights") or not hasattr(value, "layers"):
        return None
    import keras

    from vae_course.models import VAE

    if not isinstance(value, keras.Model):
        return None
    if isinstance(value, VAE):
        parts = {name: pack(getattr(value, name)) for name in ("encoder", "decoder")}
        numbers = {"beta": float(value.beta), "draws": int(value.draws)}
        return {"vae": {**numbers, "likelihood": str(value.likelihood)}, **parts}
    if not isinstance(value, keras.Sequential) and not getattr(value, "inputs", None):
        return {"other": type(value).__name__}  # a class of the student's own cannot be built
    try:
        config = json.loads(json.dumps(keras.saving.serialize_keras_object(value)))
    except Exception as error:
        config = {"class_name": f"{type(value).__name__} ({type(error).__name__})"}
    return {"model": config, "weights": [*map(pack, value.get_weights())]}


def unpack(raw, special=None):
    """Build what `pack` has described.

    Args:
        raw: What came, which may be anything that JSON can hold.
        special: Function that builds functions, models and others from their descriptions.

    Returns:
        The value.

    Raises:
        ValueError: If it is not what `pack` makes.
    """
    if raw is None or isinstance(raw, bool | str | int | float):
        return raw
    match raw:
        case {"ellipsis": True}:
            return ...
        case {"list": list(items)}:
            return [unpack(item, special) for item in items]
        case {"tuple": list(items)}:
            return tuple(unpack(item, special) for item in items)
        case {"dict": list(items)}:
            return {unpack(key): unpack(each, special) for key, each in items}
        case {"rng": int(seed)}:
            return np.random.default_rng(seed)
        case {"array": str(kind), "shape": list(shape), "data": str(data)}:
            return _array(np.dtype(kind), shape, data)
    if special is None or not isinstance(raw, dict):
        raise ValueError(f"This is no value: {str(raw)[:80]}")
    return special(raw)


def _array(kind, shape, data):
    size = kind.itemsize * int(np.prod([int(n) for n in shape], dtype=object))
    if kind.kind not in "biuf" or not 0 <= size <= MOST_BYTES or min(shape, default=0) < 0:
        raise ValueError(
            f"An array of {size / 1e6:g} MB is too large: {MOST_BYTES / 1e6:g} at most."
        )
    raw = zlib.decompressobj().decompress(base64.b64decode(data), size + 1)
    array = np.frombuffer(raw, kind).reshape(shape).copy()
    return array if shape else array[()]


def reply(request):
    """Answer a request of the judge, in the kernel that runs a submission.

    Args:
        request: JSON text of a dictionary: "show" with a name; or "call" with the number of a function,
            "name", "inputs" and "gradients"; or "set" with a name and the "text" and "share" of a verdict.
    """
    from IPython import get_ipython
    from IPython.display import display

    request, names = json.loads(request), get_ipython().user_ns
    answer = {}
    match request:
        case {"show": name}:
            answer = {"value": pack(names[name])} if name in names else {"missing": name}
        case {"call": number, "name": name, "inputs": inputs, "gradients": gradients}:
            try:
                answer["value"] = pack(call(_kept[number], name, unpack(inputs), gradients))
            except NotYet as problem:
                answer["not yet"] = str(problem)
        case {"set": name, "text": text, "share": share}:
            names[name] = Verdict(text, share)
    display({MIME_TYPE: answer}, raw=True)
