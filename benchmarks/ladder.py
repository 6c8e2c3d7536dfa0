"""Measure what each change buys as the lecture's recipe is changed step by step into the fast one.

Run it with `python -m benchmarks.ladder`, which takes about 35 minutes for MNIST and 5 for the embedded
digits. It writes `vae_course/trained/recipes-mnist.json` and `recipes-digits.json`, which lesson 5 shows.
"""

import dataclasses
import json
import statistics
import time

import click
import keras

from benchmarks.bench import ROOT, describe
from vae_course import training
from vae_course.data import load_digits
from vae_course.runs.evaluate import evaluate
from vae_course.runs.files import rounded

TURNS = 3


def steps(dataset):
    """List the changes as (what changes, recipe, quick), each made on top of those before it.

    Args:
        dataset: Name of the data set.

    Returns:
        List of triples; the first recipe is the lecture's and the last is the fast one, but all have as many
        epochs as the fast one.
    """
    fast = training.find("fast", dataset)
    lecture = dataclasses.replace(training.find("lecture", dataset), epochs=fast.epochs)
    decay = dataclasses.replace(lecture, decay=True)
    adam = dataclasses.replace(fast, batch_size=lecture.batch_size)
    return [
        ("the lecture's recipe", lecture, False),
        ("layers in cells", lecture, True),
        ("a rate that grows, then falls", decay, True),
        ("Adam, at a higher rate", adam, True),
        (f"batches of {fast.batch_size}", fast, True),
    ]


class Clock(keras.callbacks.Callback):
    """Time each epoch from its first step to its last, not counting the scoring after it."""

    def __init__(self):
        super().__init__()
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):  # noqa: D102
        self.start = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):  # noqa: D102
        self.end = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):  # noqa: D102
        self.seconds.append(self.end - self.start)


def train(recipe, data, quick):
    """Train once from scratch; return the recipe, the final scores, and the losses epoch by epoch."""
    model = training.build(recipe, data)
    history = training.fit(model, recipe, data, quick=quick)
    scores = evaluate(model, data.x_test)
    return {
        "recipe": dataclasses.asdict(recipe),
        "test_scores": {name: rounded(mean) for name, (mean, _) in scores.items()},
        "history": {name: [rounded(v) for v in values] for name, values in history.items()},
    }


def time_epochs(data, turns=TURNS):
    """Time epochs of all steps in turns, so that whatever else the machine does affects all alike.

    Args:
        data: What `load_digits` returns.
        turns: Epochs of each step that are timed.

    Returns:
        List of median seconds, in the order of `steps`.
    """
    plans = [
        (training.build(recipe, data), recipe, quick, Clock())
        for _, recipe, quick in steps(data.name)
    ]
    for turn in range(turns):
        for model, recipe, quick, clock in plans:
            # Two epochs, because the first one builds graphs.
            options = {"callbacks": [clock], "quick": quick, "validate": False}
            training.fit(model, recipe, data, epochs=2 * turn + 2, **options)
    return [round(statistics.median(clock.seconds[1::2]), 3) for *_, clock in plans]


def measure(data):
    """Train every step of the ladder, and the lecture's recipe to its end; return what lesson 5 shows."""
    found = []
    for (change, recipe, quick), seconds in zip(steps(data.name), time_epochs(data), strict=True):
        trained = train(recipe, data, quick)
        print(f"{change:32} {trained['test_scores']['loss']:8.3f} {seconds:8.2f} s", flush=True)
        curve = {"val_loss": trained["history"]["val_loss"]}  # the lesson draws nothing else
        found.append({"change": change, "seconds_per_epoch": seconds, **trained, "history": curve})
    lecture = train(training.find("lecture", data.name), data, quick=False)
    return {"dataset": data.name, "machine": describe(), "steps": found, "lecture": lecture}


@click.command()
@click.option("--dataset", type=click.Choice(["mnist", "digits"]), multiple=True)
def main(dataset):
    """Measure the recipes, and write what lesson 5 shows."""
    for name in dataset or ("digits", "mnist"):
        text = json.dumps(measure(load_digits(name)), indent=1, allow_nan=False) + "\n"
        path = ROOT / "vae_course" / "trained" / f"recipes-{name}.json"
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
