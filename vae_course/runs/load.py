"""Load a model for `vae-course evaluate` from a file, a run's folder, or a shipped model's name."""

import io
import json
import math
import warnings
import zipfile
from pathlib import Path

import h5py
import keras

from vae_course import pretrained
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.runs import files

MOST_BYTES = 300_000_000  # of a file: 4,096 latent dimensions with Adam's state need less
# What defines a layer, apart from its weights.
LAYER_SETTINGS = (
    "activation batch_shape filters interpolation kernel_size padding pool_size size strides target_shape "
    "units use_bias"
).split()
CURE = "Use the vae.keras of a folder that `vae-course train` wrote, or train a new model."


def open_model(name):
    """Open a model, and its card if it has one.

    Args:
        name: Path of a `.keras` file, path of a folder that `vae-course train` wrote, or name of a shipped
            model, such as "vae-100-mnist".

    Returns:
        `VAE` or `Autoencoder`, and a card or None.

    Raises:
        FileNotFoundError: If there is no such model, or one of its files is missing.
        ValueError: If it is not a model of the course, or a file is damaged.
    """
    path, name = Path(name), str(name)
    if name and path.is_dir():
        card = files.read_card(path)
        return load_model(path / "vae.keras"), card
    if path.is_file():
        return load_model(path), None
    if name in pretrained.NAMES:
        return pretrained.load(name)
    raise FileNotFoundError(
        f"There is no file or folder {name!r}, nor a shipped model of that name: use a .keras file, a "
        f"folder that `vae-course train` wrote, or one of {', '.join(pretrained.NAMES)}."
    )


def load_model(path):
    """Load a `VAE` or an `Autoencoder` with the course's networks.

    Nothing in the file is built or run; only its weights are read, into a new model.

    Args:
        path: Path of a `.keras` file.

    Returns:
        The model, not compiled.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or holds something else.
    """
    found = _read_description(path)
    kind, settings = found["class"], [found[key] for key in ("beta", "likelihood", "draws")]
    if kind not in ("vae_course>VAE", "vae_course>Autoencoder"):
        raise _refused(path, f"holds a {kind}, not a VAE or Autoencoder of the course")
    try:
        latent_dim = found["layer 0 of the decoder"]["batch_shape"][-1]
        shape = found["layer 0 of the encoder"]["batch_shape"][1:]
        networks = build_encoder(latent_dim, shape), build_decoder(latent_dim, shape)
        model = VAE(*networks, *settings) if kind == "vae_course>VAE" else Autoencoder(*networks)
    except (ValueError, LookupError, TypeError) as error:
        raise _refused(path, f"cannot be loaded ({error})") from error
    load_weights(model, path)
    return model


def load_weights(model, path):
    """Load a model's weights and, if it is compiled, its optimizer's state from a file of the same model.

    Args:
        model: `VAE` or `Autoencoder`; it is changed in place.
        path: As in `load_model`.

    Raises:
        FileNotFoundError: As in `load_model`.
        ValueError: As in `load_model`.
    """
    found = _read_description(path)
    wanted = _describe(json.loads(json.dumps(keras.saving.serialize_keras_object(model))))
    for part in wanted | found:
        if found.get(part) != wanted.get(part):
            difference = f"its {part} is {found.get(part)} where {wanted.get(part)} is expected"
            raise _refused(path, f"holds another model: {difference}")
    try:
        _check_arrays(path)
        with warnings.catch_warnings(action="error"):  # such as a missing optimizer state
            model.load_weights(path)
    except Exception as error:  # HDF5 and Keras raise many kinds for a damaged file
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise _refused(path, f"cannot be loaded ({reason})") from error


def _check_arrays(path):
    """Check that every array lies in the file in full, so that none takes more memory than the file has.

    Keras reads an array before it compares the shapes, and lets one that is compressed take 4 GB.
    """
    with zipfile.ZipFile(path) as archive:
        content = archive.read("model.weights.h5")

    def fault(name, link):  # returned, because h5py loses what is raised in here
        found = weights[name] if isinstance(link, h5py.HardLink) else link
        if isinstance(found, h5py.Group):
            return None
        if not isinstance(found, h5py.Dataset):
            return f"its part {name} is a {type(found).__name__}"
        size, stored = math.prod(found.shape) * found.dtype.itemsize, found.id.get_storage_size()
        in_full = not (found.chunks or found.external) and size <= stored <= len(content)
        if in_full and found.dtype.kind in "fiu":
            return None
        return f"its array {name}, {found.shape} of {found.dtype}, is not stored in full, as Keras stores it"

    with h5py.File(io.BytesIO(content)) as weights:
        if told := weights.visititems_links(fault):
            raise ValueError(told)


def _refused(path, reason):
    return ValueError(f"{path} {reason}. {CURE}")


def _read_description(path):
    """Describe the model in a file, whose members are stored as they are."""
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} is missing. {CURE}")
    try:
        if (size := Path(path).stat().st_size) > MOST_BYTES:
            raise ValueError(f"it has {size:,} bytes, the course's have at most {MOST_BYTES:,}")
        with zipfile.ZipFile(path) as archive:
            if (declared := sum(member.file_size for member in archive.infolist())) > size:
                raise ValueError(f"its members declare {declared:,} bytes, more than the file has")
            return _describe(json.loads(archive.read("config.json")))
    except Exception as error:  # zipfile and JSON raise many kinds for a damaged file
        raise _refused(path, f"is not a model of the course, or it is damaged ({error})") from error


def _describe(config):
    """List what two models must have in common so that the weights of one fit the other."""
    settings = files.LECTURES | config["config"]
    found = {key: settings.get(key) for key in ("beta", "likelihood", "draws")}
    found["class"] = config["registered_name"]
    for network in ("encoder", "decoder"):
        layers = config["config"].get(network, {}).get("config", {}).get("layers", [])
        for number, layer in enumerate(layers):
            settings = {k: layer["config"][k] for k in LAYER_SETTINGS if k in layer["config"]}
            found[f"layer {number} of the {network}"] = {"class": layer["class_name"], **settings}
    return found
