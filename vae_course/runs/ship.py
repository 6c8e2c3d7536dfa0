"""Train the models that ship with the course, all or some: `python -m vae_course.runs.ship [NAMES]`."""

import dataclasses
import sys
import time

from vae_course import pretrained, training
from vae_course.atomic import write_atomically
from vae_course.data import load_digits
from vae_course.runs import files
from vae_course.runs.evaluate import evaluate
from vae_course.runs.likelihood import summary

RECIPES = {2: "map", 50: "best", 100: "best"}  # by latent dimensions
SEED = 1
DRAWS = 1000  # for log p(x)


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


if __name__ == "__main__":
    for name in sys.argv[1:] or pretrained.NAMES:
        pretrained.check_name(name)
        card = ship(name, load_digits(name.split("-")[2]))
        print(name, card["test_scores"], flush=True)
