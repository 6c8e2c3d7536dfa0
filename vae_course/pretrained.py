"""Load the trained models and sweeps that ship with the course, so that no reader has to wait for training.

Each `.keras` file has a card with data set, recipe, seed, command, versions, the loss of every epoch, and the
test scores with their spread. `vae_course.runs.ship` retrains the models.
"""

import contextlib
import csv
import hashlib
import json
from pathlib import Path

FOLDER = Path(__file__).with_name("trained")
# Kind of model, latent dimensions, data set and, if it is not the lecture's, the likelihood.
DATASETS = ("mnist", "digits")
NAMES = tuple(
    name.format(data)
    for data in DATASETS
    for name in ("ae-2-{}", "vae-2-{}", "vae-100-{}", "vae-50-{}-bernoulli")
)
# For each table of measurements, the benchmark that makes it.
MAKERS = {
    "likelihood-mnist": "likelihood NETWORK SEED",
    "few-labels-mnist": "few_labels mnist",
    "few-labels-digits": "few_labels digits",
    "own-pictures": "own_pictures",
    "alarm": "beyond_digits alarm",
    "alarm-others": "other_alarms --aeon WHEEL --sktime WHEEL",
    "bias-mnist": "beyond_digits bias-mnist",
    "bias-digits": "beyond_digits bias-digits",
}
TEXTS = {"network", "features", "method", "direction", "series"}


def check_name(name):
    """Check the name of a shipped model.

    Args:
        name: One of `NAMES`.

    Raises:
        ValueError: If it is another.
    """
    if name not in NAMES:
        raise ValueError(f"There is no checkpoint {name!r}: choose one of {', '.join(NAMES)}.")


def read_card(name):
    """Read the card of a shipped model, after comparing the model's file with the digest on it.

    Args:
        name: One of `NAMES`, such as "vae-100-mnist".

    Returns:
        The card, a dictionary.

    Raises:
        ValueError: If there is no checkpoint of that name, or its file or card is missing or damaged.
    """
    check_name(name)
    path = FOLDER / f"{name}.json"
    try:
        card = json.loads(path.read_bytes())
        if {type(card["recipe"]["optimizer"]), type(card["dataset"])} != {str}:
            raise ValueError("its optimizer or data set is no text")
        digest, path = card["sha256"], FOLDER / f"{name}.keras"
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise ValueError("its digest is not the one on its card")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"The checkpoint's file {path} is missing or damaged ({error}). "
            f"Retrain it: python -m vae_course.runs.ship {name}"
        ) from error
    return card


def load(name):
    """Load a shipped model and its card, as `read_card` checks and reads it.

    Args:
        name: One of `NAMES`, such as "vae-100-mnist".

    Returns:
        The `Autoencoder` or `VAE`, compiled, and its card as a dictionary.

    Raises:
        ValueError: If there is no checkpoint of that name, or its file or card is missing or damaged.
    """
    card = read_card(name)
    # Imported here because the self-check reads cards before Keras is loaded.
    from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder

    kind, latent_dim, _, *likelihood = name.split("-")
    networks = build_encoder(int(latent_dim)), build_decoder(int(latent_dim))
    model = VAE(*networks, 1.0, *likelihood) if kind == "vae" else Autoencoder(*networks)
    # Only the weights: a Keras older than the one that saved them could not read the layers' initializers.
    model.load_weights(FOLDER / f"{name}.keras")
    model.compile(optimizer=card["recipe"]["optimizer"])
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
        ValueError: If there are none of that name, or their file is missing or damaged.
    """
    if dataset not in DATASETS:
        raise ValueError(f"dataset={dataset!r} was not measured: choose {' or '.join(DATASETS)}.")
    path = FOLDER / f"recipes-{dataset}.json"
    with _damage_told(path, f"Make it: python -m benchmarks.ladder --dataset {dataset}"):
        found = json.loads(path.read_text(encoding="utf-8"))
        return {key: found[key] for key in ("dataset", "machine", "lecture", "steps")}


def read_rows(path):
    """Read a CSV file with at least one row, each as long as the first line.

    Args:
        path: Path of the file.

    Returns:
        List of dictionaries, one for each row. What is in a column of `TEXTS` is a text, and elsewhere a
        number, or None where nothing was measured.

    Raises:
        ValueError: If there is no row, or one is too short or too long, or has a text for a number.
        OSError: If the file cannot be read.
    """
    with open(path, newline="", encoding="utf-8") as file:
        columns, *rows = list(csv.reader(file)) or [[]]
    if not rows:
        raise ValueError("it has no rows")
    for number, row in enumerate(rows, start=2):
        if len(row) != len(columns):
            raise ValueError(f"line {number} has {len(row)} of {len(columns)} columns")
    return [
        {k: v if k in TEXTS else json.loads(v or "null") for k, v in zip(columns, row, strict=True)}
        for row in rows
    ]


def table(name):
    """Return measurements that take too long for a lesson; the benchmark that makes them says what they are.

    Args:
        name: One of the names in `MAKERS`, such as "few-labels-mnist", which is a CSV file in `FOLDER`.

    Returns:
        List of dictionaries, as `read_rows` makes them.

    Raises:
        ValueError: If there is no table of that name, or its file is missing or damaged.
    """
    if name not in MAKERS:
        raise ValueError(f"There is no table {name!r}: choose one of {', '.join(MAKERS)}.")
    path = FOLDER / f"{name}.csv"
    with _damage_told(path, f"Make it: python -m benchmarks.{MAKERS[name]}"):
        return read_rows(path)


@contextlib.contextmanager
def _damage_told(path, cure):
    """Turn any error into one that names the file and how to make it anew."""
    try:
        yield
    except Exception as error:  # zipfile, NumPy, csv and JSON raise many kinds for a damaged file
        raise ValueError(f"The file {path} is missing or damaged ({error}). {cure}") from error


def beta_sweep(dataset):
    """Load lesson 8's sweep over beta: the scores of every run, and pictures by the models of one seed.

    Args:
        dataset: "mnist" or "digits".

    Returns:
        The runs, a list of dictionaries of numbers: "beta", "seed", the scores on test images
        "reconstruction", "kl", "loss", "mse", "active_units" and "mutual_information" (nats, at most the
        logarithm of the number of test images), and "seconds"; and the pictures, as `runs.sweep.gallery`
        makes them.

    Raises:
        ValueError: If a file is missing or damaged.
    """
    import numpy as np  # not at the top, because the self-check needs this module without it

    path = FOLDER / f"beta-sweep-{dataset}.csv"
    cure = f"Train it: python -m vae_course.runs.ship {path.stem}"
    with _damage_told(f"{path} or its .npz", cure):
        rows = read_rows(path)
        with np.load(path.with_suffix(".npz")) as pictures:
            return rows, dict(pictures)
