"""Find and open what `vae-course evaluate` is given: a file, a run's folder, or a shipped model's name."""

import zipfile
from pathlib import Path

import keras

from vae_course import pretrained
from vae_course.models import VAE, Autoencoder
from vae_course.runs import files

SHAPE = (None, 28, 28, 1)


def open_model(name):
    """Open a model, and its card if it has one.

    Args:
        name: Path of a `.keras` file, path of a folder that `vae-course train` wrote, or name of a shipped
            model, such as "vae-100-mnist".

    Returns:
        `VAE` or `Autoencoder`, and a card or None.

    Raises:
        FileNotFoundError: If there is no such thing, or a file of it is missing.
        ValueError: If it is no model of digits, or a file is damaged.
    """
    path = Path(name)
    if path.is_dir():
        card = files.read_card(path)
        files.check_files(path, card)
        return load_keras(path / "vae.keras"), card
    if path.exists():
        return load_keras(path), None
    if str(name) in pretrained.RECIPES:
        return pretrained.load(str(name))
    raise FileNotFoundError(
        f"There is no file or folder {name}, nor a shipped model of that name: give a .keras file, a folder "
        f"that `vae-course train` wrote, or one of {', '.join(pretrained.RECIPES)}."
    )


def load_keras(path, with_optimizer=False):
    """Load a `VAE` or an `Autoencoder` of digits from a file, without running any code that is in it.

    Args:
        path: Path of a `.keras` file.
        with_optimizer: Whether to load it compiled, ready to be trained on.

    Returns:
        The model.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or holds something else.
    """
    cure = "Give the vae.keras of a folder that `vae-course train` wrote, or train a model anew."
    if not Path(path).exists():
        raise FileNotFoundError(f"{path} is missing. {cure}")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no .keras file, or a damaged one. {cure}")
    try:
        model = keras.models.load_model(path, compile=with_optimizer, safe_mode=True)
    except Exception as error:  # whatever a damaged or foreign file makes of Keras
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise ValueError(f"{path} cannot be loaded: {reason} {cure}") from error
    if not isinstance(model, VAE | Autoencoder):
        raise ValueError(
            f"{path} holds {model.name!r}, a {type(model).__name__}, but no VAE or Autoencoder. {cure}"
        )
    shapes = (model.encoder.input_shape, model.decoder.output_shape)
    if shapes != (SHAPE, SHAPE):
        raise ValueError(
            f"{path} is for images of shape {shapes[0][1:]} to {shapes[1][1:]}, but the digits have "
            f"{SHAPE[1:]}. {cure}"
        )
    return model
