"""Trained models that ship with the course, so that no reader has to wait for training.

`python -m vae_course.checkpoints` trains them anew and writes, beside each `.keras` file, a card: data set,
optimizer, epochs, seed, the command, versions, the loss of every epoch and mean scores on the test images.
"""

import hashlib
import json
import math
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path

import keras

from vae_course.data import load_digits
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder

FOLDER = Path(__file__).with_name("trained")

# One recipe for each name. The lecture's own is RMSprop, batches of 64, 50 epochs; the maps take Adam with
# a step that grows during the first epoch and then decays: it settles in fewer epochs.
RECIPES = {
    "ae-2-mnist": {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 128, "epochs": 20},
    "vae-2-mnist": {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 128, "epochs": 20},
    "vae-100-mnist": {
        "optimizer": "rmsprop",
        "learning_rate": 1e-3,
        "batch_size": 64,
        "epochs": 50,
    },
    "ae-2-digits": {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 32, "epochs": 100},
    "vae-2-digits": {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 32, "epochs": 100},
    "vae-100-digits": {"optimizer": "adam", "learning_rate": 2e-3, "batch_size": 32, "epochs": 300},
}
SEED = 1
# A VAE's score depends on the noise it draws: the cards give the mean over so many passes.
PASSES = 20


def build(name):
    """Build the untrained model of a checkpoint, such as "vae-100-mnist".

    Args:
        name: A key of `RECIPES`: kind of model, latent dimensions, data set.

    Returns:
        `Autoencoder` or `VAE`, not compiled.

    Raises:
        ValueError: If there is no checkpoint of that name.
    """
    if name not in RECIPES:
        raise ValueError(f"There is no checkpoint {name!r}: choose one of {', '.join(RECIPES)}.")
    kind, latent_dim, _ = name.split("-")
    model = {"ae": Autoencoder, "vae": VAE}[kind]
    return model(build_encoder(int(latent_dim)), build_decoder(int(latent_dim)))


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
    if epochs is not None and epochs < 1:
        raise ValueError(
            f"epochs={epochs} is no training: give 1 or more, or None for the recipe's."
        )
    keras.utils.set_random_seed(seed)
    model = build(name)
    recipe = RECIPES[name]
    epochs = recipe["epochs"] if epochs is None else epochs
    rate = recipe["learning_rate"]
    if recipe["optimizer"] == "adam":
        # Small steps first: a full one from random weights can switch off every ReLU for good.
        epoch = math.ceil(len(data.x_train) / recipe["batch_size"])
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, max(1, epochs - 1) * epoch, warmup_target=rate, warmup_steps=epoch
        )
    optimizer = keras.optimizers.get(
        {"class_name": recipe["optimizer"], "config": {"learning_rate": rate}}
    )
    model.compile(optimizer=optimizer)
    history = model.fit(
        data.x_train,
        validation_data=data.x_test,
        batch_size=recipe["batch_size"],
        epochs=epochs,
        verbose=verbose,
    )
    return model, history.history


def load(name):
    """Load a shipped model and its card, once the file has the digest that the card gives.

    Args:
        name: A key of `RECIPES`.

    Returns:
        The model, compiled, and its card as a dictionary.

    Raises:
        ValueError: If there is no checkpoint of that name, or its file is damaged.
        FileNotFoundError: If the file or its card is missing.
    """
    if name not in RECIPES:
        raise ValueError(f"There is no checkpoint {name!r}: choose one of {', '.join(RECIPES)}.")
    path, card_path = FOLDER / f"{name}.keras", FOLDER / f"{name}.json"
    cure = f"Train it anew: python -m vae_course.checkpoints {name}"
    for file in (path, card_path):
        if not file.exists():
            raise FileNotFoundError(f"The checkpoint file {file} is missing. {cure}")
    card = json.loads(card_path.read_text())
    if hashlib.sha256(path.read_bytes()).hexdigest() != card["sha256"]:
        raise ValueError(
            f"The checkpoint file {path} is damaged: its digest is not its card's. {cure}"
        )
    model = keras.models.load_model(path)
    model.compile(optimizer=card["recipe"]["optimizer"])
    return model, card


def average_scores(model, images, passes):
    """Evaluate a model several times, each time with fresh noise, and average.

    Args:
        model: A compiled model.
        images: Images as `load_digits` gives them.
        passes: How many times.

    Returns:
        Dictionary from the name of a metric to its mean over the passes.
    """
    runs = [
        model.evaluate(images, batch_size=500, verbose=0, return_dict=True) for _ in range(passes)
    ]
    return {key: sum(run[key] for run in runs) / passes for key in runs[0]}


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
    scores = average_scores(model, data.x_test, PASSES)
    bare = build(name)  # without the optimizer's state, which would triple the file
    bare.set_weights(model.get_weights())
    FOLDER.mkdir(exist_ok=True)
    unfinished = FOLDER / f"{name}.unfinished.keras"
    bare.save(unfinished)
    card = {
        "name": name,
        "dataset": data.name,
        "recipe": {**RECIPES[name], "epochs": len(history["loss"])},
        "seed": seed,
        "command": f"python -m vae_course.checkpoints {name}",
        "versions": {name: version(name) for name in ("keras", "tensorflow", "numpy")},
        "seconds": round(seconds),
        "parameters": bare.count_params(),
        "test_scores": {key: float(f"{value:.6g}") for key, value in scores.items()},
        "history": {key: [float(f"{v:.6g}") for v in values] for key, values in history.items()},
        "sha256": hashlib.sha256(unfinished.read_bytes()).hexdigest(),
    }
    unfinished_card = FOLDER / f"{name}.unfinished.json"
    unfinished_card.write_text(json.dumps(card, indent=1) + "\n")
    os.replace(unfinished, FOLDER / f"{name}.keras")
    os.replace(unfinished_card, FOLDER / f"{name}.json")
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
