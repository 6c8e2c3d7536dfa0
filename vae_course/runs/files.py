"""A training run's folder: a card that says what it is, its history, and files that are never half-written.

`card.json` holds the settings and, in the end, the scores; `history.csv` one row for each epoch; `vae.keras`
is the state, replaced at the end of each epoch. Nothing here needs TensorFlow.
"""

import csv
import hashlib
import json
import math
import os
import platform
from importlib.metadata import version
from pathlib import Path

MODELS = ("vae.keras", "encoder.keras", "decoder.keras")
PASSES = 10  # over the test set, for the mean and the spread of a score
STATUSES = ("running", "interrupted", "complete")
DATASETS = {"MNIST": "mnist", "embedded digits": "digits"}  # name, and what --dataset calls it
CURE = "Start anew in another folder: leave out --resume, and name the folder with --out."


def write_atomically(path, write):
    """Write a file so that whoever looks finds the old one or the new one, never a half.

    Args:
        path: Path of the file.
        write: Function that writes the file whose path it is given.

    Raises:
        OSError: If it cannot be written; an old file is then left as it was.
    """
    path = Path(path)
    unfinished = path.with_name(f"{path.stem}.unfinished{path.suffix}")  # Keras wants its suffix
    try:
        write(unfinished)
        with open(unfinished, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def sha256(path):
    """Return a file's SHA-256 digest, 64 hexadecimal digits."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def make_card(model, dataset, recipe, seed, command, seconds, scores):
    """Describe a trained model, so that a reader can judge it and make it anew.

    Args:
        model: `VAE` or `Autoencoder`.
        dataset: Name of the data set it was trained on, such as "MNIST".
        recipe: Dictionary of the settings of the training.
        seed: Seed of the training.
        command: The command that makes it.
        seconds: How long the training took.
        scores: What `evaluation.evaluate` returned; empty if it was not evaluated.

    Returns:
        Dictionary that JSON can hold.
    """
    beta = getattr(model, "beta", None)
    card = {
        "dataset": dataset,
        "kind": "ae" if beta is None else "vae",
        "latent_dim": model.decoder.input_shape[-1],
        "beta": beta,
        "recipe": dict(recipe),
        "seed": seed,
        "command": command,
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("keras", "tensorflow", "numpy")},
        "seconds": round(seconds, 1),
        "parameters": model.count_params(),
        "test_scores": {name: rounded(mean) for name, (mean, _) in scores.items()},
        "test_spread": {name: rounded(deviation) for name, (_, deviation) in scores.items()},
    }
    return card


def rounded(value):
    """Round to six digits for a card; what is not finite becomes None, for JSON has no word for it."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def write_json(path, content):
    """Write a dictionary as JSON, at once or not at all.

    Args:
        path: Path of the file.
        content: Dictionary that JSON can hold.
    """
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    write_atomically(path, lambda file: file.write_text(text, encoding="utf-8"))


def read_card(folder):
    """Read the card of a run.

    Args:
        folder: Path of the run's folder.

    Returns:
        The card, a dictionary.

    Raises:
        FileNotFoundError: If the folder has no card.
        ValueError: If the card is damaged.
    """
    path = Path(folder) / "card.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no run of `vae-course train`: {path.name} is missing. "
            "Name another folder, or train: leave out --resume."
        )
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        settings = [card["recipe"][key] for key in ("name", "epochs")]
        settings += [
            card[key] for key in ("latent_dim", "beta", "seed", "epochs_done", "resumed", "passes")
        ]
        settings += [card["sha256"][name] for name in MODELS if card["status"] != "running"]
        good = card["status"] in STATUSES and card["dataset"] in DATASETS and None not in settings
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is damaged ({reason}). {CURE}") from error
    if not good:
        raise ValueError(f"{path} is damaged: status, data set or a setting is unknown. {CURE}")
    return card


def check_files(folder, card):
    """Refuse a run whose models are missing or, by its card, not the ones it left.

    Args:
        folder: Path of the run's folder.
        card: Its card.

    Raises:
        FileNotFoundError: If a model is missing.
        ValueError: If a model's digest is not the card's.
    """
    if card["status"] == "running":  # killed: the state is newer than the card
        if (Path(folder) / "history.csv").exists() and not (Path(folder) / "vae.keras").exists():
            raise FileNotFoundError(f"{Path(folder) / 'vae.keras'} is missing. {CURE}")
        return
    for name in MODELS:
        path = Path(folder) / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing. {CURE}")
        if sha256(path) != card["sha256"][name]:
            raise ValueError(f"{path} is damaged: its digest is not its card's. {CURE}")


def write_history(folder, rows):
    """Write a run's history, at once or not at all.

    Args:
        folder: Path of the run's folder.
        rows: List of dictionaries, one for each epoch, all with the same keys.
    """

    def write(path):
        with open(path, "w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0])
            table.writeheader()
            table.writerows(rows)

    write_atomically(Path(folder) / "history.csv", write)


def read_history(folder, epochs):
    """Read the history of a run's first epochs; a row too many is of an epoch that was not finished.

    Args:
        folder: Path of the run's folder.
        epochs: How many epochs its model has seen.

    Returns:
        List of dictionaries from "epoch", "seconds" and metrics to numbers.

    Raises:
        ValueError: If epochs are missing, or the file is damaged.
    """
    path = Path(folder) / "history.csv"
    if epochs == 0:
        return []
    try:
        with open(path, newline="", encoding="utf-8") as file:
            rows = [
                {key: int(value) if key == "epoch" else float(value) for key, value in row.items()}
                for row in csv.DictReader(file)
            ][:epochs]
        found = [row["epoch"] for row in rows]
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is missing or damaged ({error}). {CURE}") from error
    if found != list(range(1, epochs + 1)):
        raise ValueError(
            f"{path} is damaged: it has epochs {found}, but vae.keras has seen {epochs}. {CURE}"
        )
    return rows
