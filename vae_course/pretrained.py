"""Trained models that ship with the course, so that no reader has to wait for training.

`python -m vae_course.pretrained` trains them anew and writes, beside each `.keras` file, a card: data set,
recipe, seed, the command, versions, the loss of every epoch, scores on the test images and their spread.
"""

import dataclasses
import json
import sys
import time
from pathlib import Path

from vae_course import training
from vae_course.data import load_digits
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.runs import files
from vae_course.runs.evaluate import evaluate

FOLDER = Path(__file__).with_name("trained")

# The small maps settle sooner than the lecture's 100 dimensions.
_MAP = training.Recipe("adam", 2e-3, 128, 20, decay=True)
_DIGITS_MAP = dataclasses.replace(_MAP, batch_size=32, epochs=100)
RECIPES = {
    "ae-2-mnist": _MAP,
    "vae-2-mnist": _MAP,
    "vae-100-mnist": training.RECIPES["best"],
    "ae-2-digits": _DIGITS_MAP,
    "vae-2-digits": _DIGITS_MAP,
    "vae-100-digits": training.DIGITS["best"],
}
SEED = 1


def _parts(name):
    """Take a checkpoint's name apart: kind of model, latent dimensions, data set."""
    if name not in RECIPES:
        raise ValueError(f"There is no checkpoint {name!r}: choose one of {', '.join(RECIPES)}.")
    kind, latent_dim, dataset = name.split("-")
    return kind, int(latent_dim), dataset


def build(name):
    """Build the untrained model of a checkpoint, such as "vae-100-mnist".

    Args:
        name: A key of `RECIPES`: kind of model, latent dimensions, data set.

    Returns:
        `Autoencoder` or `VAE`, not compiled.

    Raises:
        ValueError: If there is no checkpoint of that name.
    """
    kind, latent_dim, _ = _parts(name)
    model = {"ae": Autoencoder, "vae": VAE}[kind]
    return model(build_encoder(latent_dim), build_decoder(latent_dim))


def train(name, data, epochs=None, seed=SEED, verbose=2):
    """Train the model of a checkpoint from scratch, by its recipe.

    Args:
        name: A key of `RECIPES`.
        data: What `load_digits` returns. Test images are only scored, never trained on.
        epochs: How often every training image is seen; None for the recipe's number.
        seed: Seed of the weights, the order of the images and the noise.
        verbose: As in `keras.Model.fit`.

    Returns:
        The trained model, compiled, and its history: a dictionary from metric to a list, one value an epoch.

    Raises:
        ValueError: If there is no checkpoint of that name, or `epochs` is less than 1.
    """
    kind, latent_dim, _ = _parts(name)
    return training.train(
        RECIPES[name], data, kind, latent_dim, epochs=epochs, seed=seed, verbose=verbose
    )


def load(name):
    """Load a shipped model and its card, once the file has the digest that the card gives.

    Args:
        name: A key of `RECIPES`.

    Returns:
        The model, compiled, and its card as a dictionary.

    Raises:
        ValueError: If there is no checkpoint of that name, or its file or card is damaged.
        FileNotFoundError: If the file or its card is missing.
    """
    _parts(name)
    path, card_path = FOLDER / f"{name}.keras", FOLDER / f"{name}.json"
    cure = f"Train it anew: python -m vae_course.pretrained {name}"
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
    if files.sha256(path) != digest:
        raise ValueError(
            f"The checkpoint file {path} is damaged: its digest is not its card's. {cure}"
        )
    # The weights alone: a Keras older than the one that saved them could not read how layers were initialized.
    model = build(name)
    model.load_weights(path)
    model.compile(optimizer=optimizer)
    return model, card


def measured(dataset):
    """Return what was measured when the lecture's recipe was turned into the fast one, for lesson 5.

    Args:
        dataset: "mnist" or "digits".

    Returns:
        What `benchmarks.ladder` wrote: `dataset`, `machine`, `lecture` (that recipe to its end: `recipe`,
        `test_scores` and `history`) and `steps`, a list (the same, with `change` and
        `seconds_per_epoch`, and of the history `val_loss` alone).

    Raises:
        FileNotFoundError: If the file is missing.
    """
    path = FOLDER / f"recipes-{dataset}.json"
    if not path.exists():
        raise FileNotFoundError(
            f"The measurements {path} are missing. Make them: python -m benchmarks.ladder --dataset {dataset}"
        )
    return json.loads(path.read_text(encoding="utf-8"))


def save(name, model, history, data, seed, seconds):
    """Write a trained model and its card into the package, each at once or not at all.

    Args:
        name: A key of `RECIPES`.
        model: The trained model.
        history: What `train` returned.
        data: The data it was trained on.
        seed: The seed it was trained with.
        seconds: How long training took.

    Returns:
        The card, a dictionary.
    """
    bare = build(name)  # without the optimizer's state, which would triple the file
    bare.set_weights(model.get_weights())
    recipe = dataclasses.replace(RECIPES[name], epochs=len(history["loss"]))
    command = f"python -m vae_course.pretrained {name}"
    scores = evaluate(model, data.x_test)
    path = FOLDER / f"{name}.keras"
    FOLDER.mkdir(exist_ok=True)
    files.write_atomically(path, bare.save)
    what = (data.name, dataclasses.asdict(recipe), seed, command, seconds, scores)
    card = {
        "name": name,
        **files.make_card(bare, *what),
        "history": {key: [files.rounded(v) for v in values] for key, values in history.items()},
        "sha256": files.sha256(path),
    }
    files.write_json(path.with_suffix(".json"), card)
    return card


def main(names):
    """Train and write the named checkpoints, or all of them."""
    for name in names or RECIPES:
        data = load_digits(name.split("-")[-1])
        start = time.perf_counter()
        model, history = train(name, data)
        card = save(name, model, history, data, SEED, time.perf_counter() - start)
        print(name, card["test_scores"], flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
