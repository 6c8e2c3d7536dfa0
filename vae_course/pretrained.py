"""Load the trained models that ship with the course, so that no reader has to wait for training.

Each `.keras` file has a card with data set, recipe, seed, command, versions, the loss of every epoch, and the
test scores with their spread. `vae_course.runs.ship` retrains the models.
"""

import hashlib
import json
from pathlib import Path

from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder

FOLDER = Path(__file__).with_name("trained")
# Kind of model, latent dimensions, data set and, if it is not the lecture's, the likelihood.
NAMES = (
    "ae-2-mnist",
    "vae-2-mnist",
    "vae-100-mnist",
    "vae-50-mnist-bernoulli",
    "ae-2-digits",
    "vae-2-digits",
    "vae-100-digits",
    "vae-50-digits-bernoulli",
)


def check_name(name):
    """Raise a `ValueError` that lists `NAMES` for any other name."""
    if name not in NAMES:
        raise ValueError(f"There is no checkpoint {name!r}: choose one of {', '.join(NAMES)}.")


def load(name):
    """Load a shipped model and its card, after comparing the file's digest with the card's.

    Args:
        name: One of `NAMES`, such as "vae-100-mnist".

    Returns:
        The `Autoencoder` or `VAE`, compiled, and its card as a dictionary.

    Raises:
        ValueError: If there is no checkpoint of that name, or its file or card is damaged.
        FileNotFoundError: If the file or its card is missing.
    """
    check_name(name)
    path, card_path = FOLDER / f"{name}.keras", FOLDER / f"{name}.json"
    cure = f"Retrain it: python -m vae_course.runs.ship {name}"
    for file in (path, card_path):
        if not file.exists():
            raise FileNotFoundError(f"The checkpoint file {file} is missing. {cure}")
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        digest, optimizer = card["sha256"], card["recipe"]["optimizer"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The checkpoint's card {card_path} is damaged ({error}). {cure}"
        ) from error
    if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
        raise ValueError(
            f"The checkpoint file {path} is damaged: its digest is not the one on its card. {cure}"
        )
    kind, latent_dim, _, *likelihood = name.split("-")
    networks = build_encoder(int(latent_dim)), build_decoder(int(latent_dim))
    model = VAE(*networks, 1.0, *likelihood) if kind == "vae" else Autoencoder(*networks)
    # Only the weights: a Keras older than the one that saved them could not read the layers' initializers.
    model.load_weights(path)
    model.compile(optimizer=optimizer)
    return model, card


def measured(dataset):
    """Return the measurements of lesson 5 that lead from the lecture's recipe to the fast one.

    Args:
        dataset: "mnist" or "digits".

    Returns:
        What `benchmarks.ladder` wrote: `dataset`, `machine`, `lecture` (that recipe in full: `recipe`,
        `test_scores` and `history`) and `steps`, a list (the same, plus `change` and `seconds_per_epoch`,
        with only `val_loss` in the history).

    Raises:
        FileNotFoundError: If the file is missing.
    """
    path = FOLDER / f"recipes-{dataset}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"The measurements {path} are missing. Make them: python -m benchmarks.ladder --dataset {dataset}"
        )
    return json.loads(path.read_text(encoding="utf-8"))
