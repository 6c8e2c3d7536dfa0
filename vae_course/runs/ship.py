"""Train the models and sweeps that the course ships, all or some: `python -m vae_course.runs.ship [NAMES]`.

A sweep, such as beta-sweep-mnist, trains what its recipe in the folder of shipped models says, or what is
missing in `build/sweep/NAME`, and then ships its table and its pictures.
"""

import dataclasses
import shutil
import sys
import time
from pathlib import Path

import numpy as np

from vae_course import pretrained, training
from vae_course.atomic import write_atomically
from vae_course.data import load_digits
from vae_course.runs import files, sweep
from vae_course.runs.evaluate import evaluate
from vae_course.runs.grid import read_grid
from vae_course.runs.likelihood import summary

RECIPES = {2: "map", 50: "best", 100: "best"}  # by latent dimensions
SEED = 1
DRAWS = 1000  # for log p(x)
SWEEPS = ("beta-sweep-mnist", "beta-sweep-digits")


def ship(name, data, epochs=None):
    """Train a model and write it and its card into the package.

    Args:
        name: One of `pretrained.NAMES`.
        data: What `load_digits` returns. Test images are only scored, never trained on.
        epochs: Number of epochs; None for the recipe's number.

    Returns:
        The card, a dictionary.

    Raises:
        ValueError: If there is no checkpoint of that name, or `epochs` is out of range.
    """
    pretrained.check_name(name)
    kind, latent_dim, _, *rest = name.split("-")
    likelihood = {"likelihood": rest[0]} if rest else {}
    recipe = training.find(RECIPES[int(latent_dim)], data.name)
    start = time.perf_counter()
    model, history = training.train(
        recipe, data, kind, int(latent_dim), epochs=epochs, seed=SEED, verbose=2, **likelihood
    )
    seconds = time.perf_counter() - start
    # Without the optimizer, whose state would triple the file.
    bare = type(model)(model.encoder, model.decoder, **likelihood)
    x_test = training.binarized(model, data.x_test)
    path = pretrained.FOLDER / f"{name}.keras"
    pretrained.FOLDER.mkdir(exist_ok=True)
    with write_atomically(path) as unfinished:
        bare.save(unfinished)
    card = {
        "name": name,
        "dataset": data.name,
        "recipe": dataclasses.asdict(recipe) | {"epochs": len(history["loss"])},
        "seed": SEED,
        "command": f"python -m vae_course.runs.ship {name}",
        "seconds": round(seconds, 1),
        **files.describe(bare, evaluate(model, x_test)),
        **({"log_likelihood": summary(bare, x_test, DRAWS)} if likelihood else {}),
        "history": {key: [files.rounded(v) for v in values] for key, values in history.items()},
        "sha256": files.sha256(path),
    }
    files.write_json(path.with_suffix(".json"), card)
    return card


def ship_sweep(name, out=None):
    """Train what is missing of a sweep, and write its table and its pictures into the package.

    Args:
        name: One of `SWEEPS`.
        out: Path of the sweep's folder; None for the one that `vae-course sweep` takes by default.

    Raises:
        RuntimeError: If a run failed or diverged.
    """
    path = pretrained.FOLDER / f"{name}.yaml"
    out = out or Path("build", "sweep", name)
    _, troubles = sweep.sweep(read_grid(path), out)
    if troubles:
        told = "; ".join(f"{run} {reason}" for run, reason in troubles.items())
        raise RuntimeError(f"Nothing is shipped: {told}")
    pictures = sweep.gallery(out, SEED)
    with write_atomically(path.with_suffix(".npz")) as unfinished:
        np.savez_compressed(unfinished, **pictures)
    with write_atomically(path.with_suffix(".csv")) as unfinished:
        shutil.copyfile(out / "table.csv", unfinished)


if __name__ == "__main__":
    for name in sys.argv[1:] or (*pretrained.NAMES, *SWEEPS):
        if name in SWEEPS:
            ship_sweep(name)
            continue
        pretrained.check_name(name)
        card = ship(name, load_digits(name.split("-")[2]))
        print(name, card["test_scores"], flush=True)
