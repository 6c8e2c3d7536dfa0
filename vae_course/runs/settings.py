"""Choose and check the settings and the data of a training run, before TensorFlow takes seconds to load."""

import functools
from pathlib import Path

from vae_course.atomic import check_writable
from vae_course.data import load_digits
from vae_course.pictures import load_pictures
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


def data_of(card, place=None):
    """Load the data that a run was trained on.

    Args:
        card: Its card.
        place: Where its pictures are now, if they were moved; None for where they were.

    Returns:
        `Digits` or `Pictures`.

    Raises:
        ValueError: If the pictures are no longer the same, or the run had none.
        OSError: If the data are missing.
    """
    noted = card.get("pictures")
    if not noted:
        if place and not card:
            raise ValueError(
                f"{place} cannot be used, because the model's file does not say how pictures are prepared: "
                "name the folder of its run instead of the file."
            )
        if place:
            raise ValueError(
                f"{place} is not needed, because the model was trained on {card['dataset']}: leave it out."
            )
        return load_digits(files.DATASETS[card["dataset"]])
    data = load_pictures(place or noted["source"], noted["side"])
    if data.digest != noted["digest"]:
        raise ValueError(
            f"The pictures in {data.source} are not those that the run was trained on: some are new, missing "
            "or changed, or another version of Pillow reads them differently. Put the old ones back, or "
            "train a new model."
        )
    return data


def choose(out, wanted, resume=False, images=None, side=None):
    """Choose the settings of a new run, or resume the run in a folder.

    Args:
        out: Path of the folder; None for `build/train/<recipe>-<latent_dim>-<data set>`, and the likelihood
            if it is not the lecture's.
        wanted: Dictionary with the keys of `DEFAULTS`; None means the default or, to resume, the card's
            value, with which all others must agree.
        resume: Whether to resume.
        images: Path of somebody's own pictures; None for digits.
        side: As in `load_pictures`.

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
    if images and wanted["dataset"]:
        raise ValueError("--images and --dataset name two different data sets: leave one out.")
    if side is not None and (resume or not images):
        raise ValueError(
            "--side is for a new run on your own pictures: add --images, or leave it out."
        )

    @functools.cache  # the name of the folder may need the data, too
    def load():
        return load_pictures(images, side) if images else load_digits(settings["dataset"])

    if out is None:
        trained_on = Path(images).absolute().stem if images else files.DATASETS[load().name]
        name = f"{settings['recipe']}-{settings['latent_dim']}-{trained_on}"
        if settings["likelihood"] != "gaussian":
            name += f"-{settings['likelihood']}"
        out = Path("build", "train", name)
    if resume:
        card = files.read_card(out)
        _check_agreement(out, card, wanted)
        if card["status"] == "complete":
            return out, card, None
        check_writable(out)
        return out, card, data_of(card, images)
    held = [path.name for path in out.iterdir()] if out.is_dir() else []
    if any(name != ".lock" and ".unfinished." not in name for name in held):  # of a failed start
        go_on = ", or resume the run in it with --resume" * (out / "card.json").exists()
        raise FileExistsError(
            f"{out} is not empty, and nothing is overwritten: choose another with --out{go_on}."
        )
    check_writable(out)
    data = load()
    return out, settings | {"dataset": files.DATASETS.get(data.name, data.name)}, data


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
        "dataset": files.DATASETS.get(card["dataset"], card["dataset"]),
    }
    for name, value in wanted.items():
        if value not in (None, "auto", settings[name]):
            option = "--" + name.replace("_", "-")
            raise ValueError(
                f"{option} {value} contradicts {folder / 'card.json'}, which says {settings[name]}: leave "
                f"{option} out to resume that run, or start a new one, without --resume in another --out."
            )
