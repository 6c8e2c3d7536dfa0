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
RECIPES = ("lecture", "fast", "best", "map")  # of `training`, which takes seconds to load
OF_MODEL = ("latent_dim", "beta", "likelihood", "draws", "seed")


def choose(out, wanted, resume=False):
    """Choose the settings of a new run, or resume the run in a folder.

    Args:
        out: Path of the folder; None for `build/train/<recipe>-<latent_dim>-<data set>`, and the likelihood
            if it is not the lecture's.
        wanted: Dictionary with the keys of `DEFAULTS`; None means the default or, to resume, the card's
            value, with which all others must agree.
        resume: Whether to resume.

    Returns:
        Path of the folder, the settings or the card, and the data, which is None if the run is complete.

    Raises:
        ValueError: If a setting is out of range or contradicts the card, `load_digits` raises it, a file of
            the run is damaged, or the run diverged.
        OSError: If the folder of a new run is not empty, the folder cannot be written to, or a file of the
            run or the data are missing.
    """
    settings = DEFAULTS | {key: value for key, value in wanted.items() if value is not None}
    files.check_settings(settings)
    data = None
    if out is None:
        data = load_digits(settings["dataset"])
        name = f"{settings['recipe']}-{settings['latent_dim']}-{files.DATASETS[data.name]}"
        if settings["likelihood"] != "gaussian":
            name += f"-{settings['likelihood']}"
        out = Path("build", "train", name)
    if resume:
        card = files.read_card(out)
        _check_agreement(out, card, wanted)
        if card["status"] == "complete":
            return out, card, None
        check_writable(out)
        return out, card, load_digits(files.DATASETS[card["dataset"]])
    if out.is_dir() and any(out.iterdir()):
        go_on = ", or resume the run in it with --resume" * (out / "card.json").exists()
        raise FileExistsError(
            f"{out} is not empty, and nothing is overwritten: choose another with --out{go_on}."
        )
    check_writable(out)
    data = data or load_digits(settings["dataset"])
    return out, settings | {"dataset": files.DATASETS[data.name]}, data


def _check_agreement(folder, card, wanted):
    """Raise an error if a run would diverge again, or if options contradict its card."""
    if card["status"] == "diverged":
        raise ValueError(
            f"The run in {folder} diverged in epoch {card['epochs_done'] + 1}, and would do so again. "
            "Start a new one without --resume, with a smaller --beta and another --out."
        )
    settings = card | {
        "recipe": card["recipe"]["name"],
        "epochs": card["recipe"]["epochs"],
        "dataset": files.DATASETS[card["dataset"]],
    }
    for name, value in wanted.items():
        if value not in (None, "auto", settings[name]):
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} {value} contradicts {folder / 'card.json'}, which says {settings[name]}: leave "
                f"{option} out to resume that run, or start a new one, without --resume in another --out."
            )
