"""Choose and check the settings of a training run, before TensorFlow takes seconds to load."""

from pathlib import Path

from vae_course.atomic import check_writable
from vae_course.data import load_digits
from vae_course.runs import files

DEFAULTS = {
    "recipe": "fast",
    "dataset": "auto",
    "epochs": None,
    "latent_dim": 100,
    "beta": 1.0,
    "likelihood": "gaussian",
    "draws": 1,
    "seed": 1,
}
OF_MODEL = ("latent_dim", "beta", "likelihood", "draws", "seed")


def new_run(out, wanted):
    """Choose the settings of a new run.

    Args:
        out: Path of its folder; None for `build/train/<recipe>-<latent_dim>-<data set>`, and
            the likelihood if it is not the lecture's.
        wanted: Dictionary with the keys of `DEFAULTS`; None means the default.

    Returns:
        Path of the folder, the settings, and the data.

    Raises:
        ValueError: If a setting is out of range, or `load_digits` raises it.
        OSError: If the folder is not empty or cannot be written to, or the data are missing.
    """
    settings = _with_defaults(wanted)
    files.check_settings(settings)
    if out is not None:  # before a download
        _check_free(out)
    data = load_digits(settings["dataset"])
    out = out or _default_folder(settings, data)
    _check_free(out)
    return out, settings | {"dataset": files.DATASETS[data.name]}, data


def old_run(out, wanted):
    """Choose how to resume a run.

    Args:
        out: As in `new_run`.
        wanted: As in `new_run`; values other than None must agree with the run's card.

    Returns:
        Path of the folder, the card, and the data, which is None if the run is complete.

    Raises:
        ValueError: If a setting contradicts the card, a file of the run is damaged, or the run diverged.
        OSError: If a file of the run or the data is missing, or the folder cannot be written to.
    """
    if out is None:
        settings = _with_defaults(wanted)
        out = _default_folder(settings, load_digits(settings["dataset"]))
    card = files.read_card(out)
    _check_agreement(out / "card.json", card, wanted)
    if card["status"] == "diverged":
        raise ValueError(
            f"The run in {out} diverged in epoch {card['epochs_done'] + 1}, and would do so again. "
            "Start a new one without --resume, with a smaller --beta and another --out."
        )
    if card["status"] == "complete":
        return out, card, None
    check_writable(out)
    return out, card, load_digits(files.DATASETS[card["dataset"]])


def _with_defaults(wanted):
    return DEFAULTS | {key: value for key, value in wanted.items() if value is not None}


def _default_folder(settings, data):
    name = f"{settings['recipe']}-{settings['latent_dim']}-{files.DATASETS[data.name]}"
    if settings["likelihood"] != "gaussian":
        name += f"-{settings['likelihood']}"
    return Path("build", "train", name)


def _check_agreement(path, card, wanted):
    settings = {key: card[key] for key in OF_MODEL} | {
        "recipe": card["recipe"]["name"],
        "epochs": card["recipe"]["epochs"],
        "dataset": files.DATASETS[card["dataset"]],
    }
    for name, value in wanted.items():
        if value not in (None, "auto", settings[name]):
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} {value} contradicts {path}, which says {settings[name]}: leave {option} out to "
                "resume that run, or start a new one without --resume and with another --out."
            )


def _check_free(folder):
    """Raise an error if a folder is not empty or cannot be written to, and leave nothing behind."""
    if folder.is_dir() and any(folder.iterdir()):
        go_on = ", or resume the run in it with --resume" * (folder / "card.json").exists()
        raise FileExistsError(
            f"{folder} is not empty, and nothing is overwritten: choose another with --out{go_on}."
        )
    check_writable(folder)
