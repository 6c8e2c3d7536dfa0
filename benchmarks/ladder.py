"""What each change of the recipe buys: the lecture's recipe, changed step by step into the fast one.

Lesson 5 shows what this writes to `vae_course/trained/recipes-mnist.json` and `recipes-digits.json`:
`python -m benchmarks.ladder`, about 35 minutes for MNIST and 5 for the embedded digits.
"""

import dataclasses
import statistics
import time

import click
import keras

from benchmarks.machine import describe
from vae_course import pretrained, training
from vae_course.data import load_digits
from vae_course.runs import evaluate, files

TURNS = 3


def steps(dataset):
    """List the changes, each on top of those before: (what changes, recipe, quick).

    Args:
        dataset: Name of the data set.

    Returns:
        List of triples; the first recipe is the lecture's, the last the fast one, all with its epochs.
    """
    fast = training.find("fast", dataset)
    lecture = dataclasses.replace(training.find("lecture", dataset), epochs=fast.epochs)
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
        Dictionary: recipe, scores at the end, and the history of losses, epoch by epoch.
    """
    model = training.build(recipe, data)
    history = training.fit(model, recipe, data, quick=quick)
    scores = evaluate.evaluate(model, data.x_test)
    return {
        "recipe": dataclasses.asdict(recipe),
        "test_scores": {name: files.rounded(mean) for name, (mean, _) in scores.items()},
        "history": {name: [files.rounded(v) for v in values] for name, values in history.items()},
    }


def time_epochs(data, turns=TURNS):
    """Time an epoch of each step, in turns, so that whatever else the machine does hits all alike.

    Args:
        data: What `load_digits` returns.
        turns: Epochs of each step that are timed.

    Returns:
        List of median seconds, in the order of `steps`.
    """
    plans = [(recipe, quick) for _, recipe, quick in steps(data.name)]
    models, clocks = [training.build(recipe, data) for recipe, _ in plans], [Clock() for _ in plans]
    for turn in range(turns):
        for model, clock, (recipe, quick) in zip(models, clocks, plans, strict=True):
            # Two epochs: the first one builds graphs.
            options = {"callbacks": [clock], "quick": quick, "validate": False}
            training.fit(model, recipe, data, epochs=2 * turn + 2, **options)
    return [round(statistics.median(clock.seconds[1::2]), 3) for clock in clocks]


def measure(dataset):
    """Train every step of the ladder, and the lecture's recipe to its end.

    Args:
        dataset: "mnist" or "digits".

    Returns:
        Dictionary: data set, `lecture`, and `steps`, a list in the order of `steps`.
    """
    data = load_digits(dataset)
    found = {"dataset": data.name, "steps": []}
    for change, recipe, quick in steps(data.name):
        print(f"{data.name}: {change}", flush=True)
        trained = train(recipe, data, quick)
        curve = {"val_loss": trained["history"]["val_loss"]}  # all that the lesson draws of it
        found["steps"].append({"change": change, **trained, "history": curve})
    print(f"{data.name}: the lecture's recipe to its end", flush=True)
    found["lecture"] = train(training.find("lecture", data.name), data, quick=False)
    return found


@click.command()
@click.option("--dataset", type=click.Choice(["mnist", "digits"]), multiple=True)
@click.option("--times", is_flag=True, help="Only time the epochs anew, and keep all else.")
def main(dataset, times):
    """Measure, and write what lesson 5 shows."""
    for name in dataset or ("digits", "mnist"):
        found = pretrained.measured(name) if times else measure(name)
        for step, seconds in zip(found["steps"], time_epochs(load_digits(name)), strict=True):
            step["seconds_per_epoch"] = seconds
            print(
                f"{step['change']:32} {step['test_scores']['loss']:8.3f} {seconds:8.2f}", flush=True
            )
        found["machine"] = describe()
        files.write_json(pretrained.FOLDER / f"recipes-{name}.json", found)


if __name__ == "__main__":
    main()
