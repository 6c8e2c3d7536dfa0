"""What each change of the recipe buys: the lecture's recipe, changed step by step into the fast one.

Lesson 5 shows what this writes to `vae_course/trained/recipes-mnist.json` and `recipes-digits.json`:
`python -m benchmarks.ladder`, about 25 minutes for MNIST and 5 for the embedded digits.
"""

import dataclasses
import statistics
import time

import click
import keras

from benchmarks.machine import describe
from vae_course import checkpoints, evaluation, recipes, runs
from vae_course.data import load_digits


def steps(dataset):
    """List the changes, each on top of those before: (what changes, recipe, quick).

    Args:
        dataset: Name of the data set.

    Returns:
        List of triples; the first recipe is the lecture's, the last the fast one, all with its epochs.
    """
    fast = recipes.find("fast", dataset)
    lecture = dataclasses.replace(recipes.find("lecture", dataset), epochs=fast.epochs)
    decay = dataclasses.replace(lecture, decay=True)
    adam = dataclasses.replace(fast, batch_size=lecture.batch_size)
    return [
        ("the lecture's recipe", lecture, False),
        ("the last layer in cells", lecture, True),
        ("a rate that grows, then falls", decay, True),
        ("Adam, at a higher rate", adam, True),
        (f"batches of {fast.batch_size}", fast, True),
    ]


class Clock(keras.callbacks.Callback):
    """Time each epoch, without the scoring at its end."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        """Remember when the last step ended."""
        self.end = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Keep the time from the first step to the last."""
        self.seconds.append(self.end - self.start)


def train(recipe, data, quick):
    """Train once from scratch.

    Args:
        recipe: A `Recipe`.
        data: What `load_digits` returns.
        quick: As in `recipes.fit`.

    Returns:
        Dictionary: recipe, seconds of each epoch, test loss after each epoch, scores at the end.
    """
    clock = Clock()
    model = recipes.build(recipe, data)
    history = recipes.fit(model, recipe, data, callbacks=[clock], quick=quick)
    scores = evaluation.evaluate(model, data.x_test)
    return {
        "recipe": dataclasses.asdict(recipe),
        "seconds_per_epoch": round(statistics.median(clock.seconds[1:]), 3),
        "seconds": round(sum(clock.seconds), 1),
        "test_scores": {name: runs.rounded(mean) for name, (mean, _) in scores.items()},
        "history": {name: [runs.rounded(v) for v in values] for name, values in history.items()},
    }


def measure(dataset):
    """Train every step of the ladder, and the lecture's recipe to its end.

    Args:
        dataset: "mnist" or "digits".

    Returns:
        Dictionary: data set, machine, `lecture`, and `steps`, a list in the order of `steps`.
    """
    data = load_digits(dataset)
    found = {"dataset": data.name, "machine": describe(), "steps": []}
    for change, recipe, quick in steps(data.name):
        print(f"{data.name}: {change}", flush=True)
        found["steps"].append({"change": change, **train(recipe, data, quick)})
        print(
            found["steps"][-1]["test_scores"], found["steps"][-1]["seconds_per_epoch"], flush=True
        )
    print(f"{data.name}: the lecture's recipe to its end", flush=True)
    found["lecture"] = train(recipes.find("lecture", data.name), data, quick=False)
    return found


@click.command()
@click.option("--dataset", type=click.Choice(["mnist", "digits"]), multiple=True)
def main(dataset):
    """Measure, and write what lesson 5 shows."""
    for name in dataset or ("digits", "mnist"):
        runs.write_json(checkpoints.FOLDER / f"recipes-{name}.json", measure(name))


if __name__ == "__main__":
    main()
