"""Read and write a training run's folder: a card, a history, and models that are never half-written.

`card.json` holds the settings and, at the end, the scores; `history.csv` has one row for each epoch;
`vae.keras` is the checkpoint, replaced at the end of each epoch. Nothing here needs TensorFlow.
"""

import contextlib
import csv
import hashlib
import json
import os
import platform
from importlib.metadata import version
from itertools import product
from pathlib import Path

from vae_course import checks
from vae_course.atomic import write_text

if os.name == "nt":
    import msvcrt
else:
    import fcntl

MODELS = ("vae.keras", "encoder.keras", "decoder.keras")
LECTURES = {"likelihood": "gaussian", "draws": 1}  # what older cards do not say
PASSES = 10  # over the test set, for the mean and the spread of a score
STATUSES = ("running", "interrupted", "diverged", "complete")
PRODUCTS = ("float32", "bfloat16")  # older cards, which do not say, mean the first
DATASETS = {"MNIST": "mnist", "embedded digits": "digits"}  # name: value of --dataset
PICTURES = ("source", "side", "channels", "digest")  # what a card says of somebody's own
CURE = "Start again in another folder: leave out --resume, and choose the folder with --out."


@contextlib.contextmanager
def lock(folder):
    """Lock a run's folder for this process; the system releases the lock when the process ends.

    Args:
        folder: Path of the folder, which must exist.

    Yields:
        Nothing, once what a killed process left half-written is deleted.

    Raises:
        BlockingIOError: If another process is at work in the folder.
        OSError: If it is on a disk that knows no locks.
    """
    with open(folder / ".lock", "ab") as file:
        try:
            if os.name == "nt":
                msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError) as error:
            raise BlockingIOError(
                f"Another process is at work in {folder}: wait until it ends, or choose another folder "
                "with --out."
            ) from error
        except OSError as error:
            raise OSError(
                f"{folder} cannot be locked ({error.strerror}), as on some network disks: choose a folder on "
                "another disk with --out."
            ) from error
        for left in folder.glob("*.unfinished.*"):
            if left.suffix in (".json", ".csv", ".keras"):  # `vae-course explore` may write a page
                left.unlink()
        yield


def sha256(path):
    """Compute a file's SHA-256 digest.

    Args:
        path: Path of the file.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: If the file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def describe(model, scores):
    """Return what a card says about any trained model, so that a reader can judge and reproduce it.

    Args:
        model: `VAE` or `Autoencoder`.
        scores: What `runs.evaluate.evaluate` returned; empty if the model was not evaluated.

    Returns:
        JSON-serializable dictionary.
    """
    beta = getattr(model, "beta", None)
    return {
        "kind": "ae" if beta is None else "vae",
        "latent_dim": model.decoder.input_shape[-1],
        "beta": beta,
        **{key: getattr(model, key) for key in ("likelihood", "draws") if hasattr(model, key)},
        "versions": {"python": platform.python_version()}
        | {name: version(name) for name in ("keras", "tensorflow", "numpy")},
        "parameters": model.count_params(),
        "test_scores": {name: rounded(mean) for name, (mean, _) in scores.items()},
        "test_spread": {name: rounded(deviation) for name, (_, deviation) in scores.items()},
    }


def rounded(value):
    """Round to six digits, for a card.

    Args:
        value: A number.

    Returns:
        A float.
    """
    return float(f"{value:.6g}")


def write_json(path, content):
    """Write a dictionary as JSON, completely or not at all.

    Args:
        path: Path of the file, in an existing folder.
        content: The dictionary, without NaN or infinity.

    Raises:
        ValueError: If a number is not finite.
        OSError: If the file cannot be written.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False) + "\n")


def check_settings(settings):
    """Check the settings of a run.

    Args:
        settings: Dictionary with "epochs", which may be None, "latent_dim", "beta", "likelihood", "draws" and
            "seed".

    Raises:
        ValueError: If one of them is out of range.
    """
    if settings["epochs"] is not None:
        checks.check_epochs(settings["epochs"])
    checks.check_latent_dim(settings["latent_dim"])
    checks.check_beta(settings["beta"])
    checks.check_likelihood(*(settings[key] for key in ("likelihood", "draws", "beta")))
    checks.check_seed(settings["seed"])


def read_card(folder):
    """Read the card of a run, and check that its models are there and are the card's.

    Args:
        folder: Path of the run's folder.

    Returns:
        The card, a dictionary.

    Raises:
        FileNotFoundError: If the folder has no card, or a model is missing.
        ValueError: If the card is damaged, or a model's digest is not the one on the card.
    """
    folder = Path(folder)
    path, history = folder / "card.json", folder / "history.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"{folder} holds no run of `vae-course train`: {path.name} is missing. "
            "Choose another folder, or leave out --resume to start a run."
        )
    try:
        card = LECTURES | json.loads(path.read_text(encoding="utf-8"))
        check_settings(card | {"epochs": card["recipe"]["epochs"]})
        numbers = [card[key] for key in ("epochs_done", "resumed", "passes", "seconds")]
        numbers.append(card["recipe"]["learning_rate"])
        texts = [card["dataset"], card["recipe"]["name"]]
        if card["status"] == "complete":
            parts = product((card["test_scores"], card["test_spread"]), ("loss", "mse"))
            numbers += [scores[name] for scores, name in parts]
        if "pictures" in card:
            source, side, channels, digest = (card["pictures"][key] for key in PICTURES)
            numbers, texts = [*numbers, side, channels], [*texts, source, digest]
        known = card["status"] in STATUSES and card.get("products", PRODUCTS[0]) in PRODUCTS
        known = known and ("pictures" in card or card["dataset"] in DATASETS)
        whole = {type(number) for number in numbers} <= {int, float}
        if not (known and whole and {type(text) for text in texts} == {str}):
            raise ValueError("its status, data set or a setting is unknown")
        if card["status"] == "running":  # killed, so the checkpoint is newer than the card
            digests = {"vae.keras": None} if history.exists() else {}
        else:
            digests = {name: card["sha256"][name] for name in MODELS}
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise ValueError(f"{path} is damaged ({reason}). {CURE}") from error
    for name, digest in digests.items():
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder / name} is missing. {CURE}")
        if digest and sha256(folder / name) != digest:
            raise ValueError(
                f"{folder / name} is damaged: its digest is not the one on its card. {CURE}"
            )
    return card


def read_history(folder, epochs):
    """Read the history of a run's first epochs; an extra row belongs to an unfinished epoch.

    Args:
        folder: Path of the run's folder.
        epochs: Number of epochs that its model has seen.

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
            rows = [{k: json.loads(v) for k, v in row.items()} for row in csv.DictReader(file)]
        if [row["epoch"] for row in rows[:epochs]] != list(range(1, epochs + 1)):
            raise ValueError(f"it lacks some of the {epochs} epochs that vae.keras has seen")
    except (OSError, csv.Error, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is missing or damaged ({error}). {CURE}") from error
    return rows[:epochs]
