"""What a training shall do, settled and checked before TensorFlow takes its seconds."""

import math
import tempfile
from pathlib import Path

from vae_course.data import load_digits
from vae_course.runs import files

DEFAULTS = {
    "recipe": "fast",
    "dataset": "auto",
    "epochs": None,
    "latent_dim": 100,
    "beta": 1.0,
    "seed": 1,
}


def new_run(out, wanted):
    """Settle a new run.

    Args:
        out: Path of the folder it shall have; None for `build/train/<recipe>-<latent_dim>-<data set>`.
        wanted: Dictionary with the keys of `DEFAULTS`; None is for the default.

    Returns:
        Path of the folder, the settings, and the data.

    Raises:
        ValueError: If a setting makes no training, or `load_digits` refuses.
        OSError: If the folder is not empty or cannot be written, or there is no such data.
    """
    settings = DEFAULTS | {key: value for key, value in wanted.items() if value is not None}
    check_numbers(settings)
    if out is not None:
        check_free(out)
    data = load_digits(settings["dataset"])
    settings["dataset"] = files.DATASETS[data.name]
    out = Path(default_folder(settings) if out is None else out)
    check_free(out)
    return out, settings, data


def old_run(out, wanted):
    """Settle how to go on with a run.

    Args:
        out: As in `new_run`.
        wanted: As in `new_run`; what is not None must be what the run's card says.

    Returns:
        Path of the folder, the card, and the data: None if the run is complete.

    Raises:
        ValueError: If a setting contradicts the card, or a file of the run is damaged.
        OSError: If a file of the run, or the data, is missing, or the folder cannot be written.
    """
    if out is None:
        settings = DEFAULTS | {key: value for key, value in wanted.items() if value is not None}
        dataset = files.DATASETS[load_digits(settings["dataset"]).name]
        out = default_folder(settings | {"dataset": dataset})
    card = files.read_card(out)
    check_agreement(Path(out) / "card.json", settings_of(card), wanted)
    files.check_files(out, card)
    if card["status"] == "complete":
        return Path(out), card, None
    check_writable(Path(out))
    return Path(out), card, load_digits(files.DATASETS[card["dataset"]])


def default_folder(settings):
    """Name the folder of a run whose user named none."""
    name = f"{settings['recipe']}-{settings['latent_dim']}-{settings['dataset']}"
    return Path("build", "train", name)


def settings_of(card):
    """Return the settings that a card tells, with the keys of `DEFAULTS`."""
    settings = {key: card[key] for key in ("latent_dim", "beta", "seed")}
    recipe, dataset = card["recipe"], files.DATASETS[card["dataset"]]
    return settings | {"recipe": recipe["name"], "epochs": recipe["epochs"], "dataset": dataset}


def check_agreement(path, settings, wanted):
    """Refuse options that contradict the card of the run to go on with.

    Args:
        path: Path of the card.
        settings: What the card says, with the keys of `DEFAULTS`.
        wanted: What the user said; None, and a data set "auto", contradict nothing.

    Raises:
        ValueError: If they differ, or the card's own settings make no training.
    """
    try:
        check_numbers(settings)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged ({error}). {files.CURE}") from error
    for name, value in wanted.items():
        if value not in (None, "auto", settings[name]):
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} {value} contradicts {path}, which says {settings[name]}: leave {option} out to "
                "go on with that run, or start another one: without --resume, in another --out."
            )


def check_numbers(settings):
    """Refuse numbers that make no training.

    Args:
        settings: Dictionary with the keys of `DEFAULTS`.

    Raises:
        ValueError: If a number is out of its range; the error names it and the range.
    """
    epochs, latent_dim, beta, seed = (
        settings[name] for name in ("epochs", "latent_dim", "beta", "seed")
    )
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs={epochs} is no training: give 1 or more.")
    if latent_dim < 1:
        raise ValueError(
            f"latent_dim={latent_dim} makes no code: give 1 or more, as the lecture's 100."
        )
    if not 0 <= beta < math.inf:
        raise ValueError(f"beta={beta} is no weight of the KL term: give a number of 0 or more.")
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed={seed} is out of range: give a whole number from 0 to {2**32 - 1}.")


def check_free(folder):
    """Refuse a folder that holds something, or that cannot be written; nothing is left behind.

    Args:
        folder: Path of a folder, which need not exist.

    Raises:
        OSError: If a run cannot start there.
    """
    folder = Path(folder)
    if folder.is_dir() and any(folder.iterdir()):
        go_on = ", or go on with the run in it: --resume" * (folder / "card.json").exists()
        raise FileExistsError(
            f"{folder} is not empty, and nothing in it is overwritten: name another with --out{go_on}."
        )
    check_writable(folder)


def check_writable(folder):
    """Refuse a folder in which no file can be made.

    Args:
        folder: Path of a folder; if there is none, the one it would be made in is tried.

    Raises:
        OSError: If no file can be made.
    """
    place = Path(folder)
    try:
        while not place.exists():
            place = place.parent
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        raise OSError(
            f"Nothing can be written to {folder} ({error.strerror}): name another folder with --out."
        ) from error
