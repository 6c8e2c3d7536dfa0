"""Build a student's model from its description, without running any of the student's code."""

import importlib

MODULES = ("keras.layers", "keras.initializers", "keras.regularizers", "keras.constraints", "keras")
CLASSES = {("vae_course.models", "Sampling"), ("keras.src.models.functional", "Functional")}
NEVER = {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}


def build(raw, read):
    """Build a Keras model or VAE from its description.

    Args:
        raw: What `wire.pack` made of a model, or anything else that came instead.
        read: Function that builds a part of it.

    Returns:
        `keras.Model`.

    Raises:
        ValueError: If it is no model, or holds anything but layers of Keras itself and our `Sampling`.
    """
    import keras

    from vae_course.models import VAE

    match raw:
        case {"vae": {"beta": beta, "likelihood": likelihood, "draws": draws}, **parts}:
            return VAE(read(parts["encoder"]), read(parts["decoder"]), beta, likelihood, draws)
        case {"model": dict(config), "weights": list(weights)}:
            check_harmless(config)
            model = keras.saving.deserialize_keras_object(config, safe_mode=True)
            if not isinstance(model, keras.Model):
                raise ValueError("it is no model")
            model.set_weights([read(weight) for weight in weights])
            return model
    raise ValueError("it is of an unknown kind")


def check_harmless(config):
    """Raise a `ValueError` if a configuration names anything but classes of Keras that run no other code."""
    import keras

    if isinstance(config, list):
        for part in config:
            check_harmless(part)
    if not isinstance(config, dict):
        return
    if "class_name" in config:
        name, module = str(config["class_name"]), str(config.get("module"))
        operation = False
        if module.startswith("keras.src.ops."):
            found = getattr(importlib.import_module(module), name, None)
            operation = isinstance(found, type) and issubclass(found, keras.Operation)
        known = operation or (module, name) in CLASSES or module in MODULES and name not in NEVER
        if not known and name not in ("__tuple__", "__keras_tensor__", "__numpy__", "__tensor__"):
            raise ValueError(f"{name} is not a layer of Keras itself")
    for part in config.values():
        check_harmless(part)
