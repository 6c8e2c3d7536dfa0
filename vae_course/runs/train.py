"""Train a model in a folder, with a progress bar, a checkpoint after each epoch, and Ctrl-C at any time."""

import contextlib
import dataclasses
import os
import shlex
import signal
import subprocess
import sys
import time

import keras
from tqdm import tqdm

from vae_course import training
from vae_course.atomic import write_atomically, write_rows
from vae_course.runs import files
from vae_course.runs.evaluate import METRICS, evaluate
from vae_course.runs.load import load_weights
from vae_course.runs.settings import OF_MODEL


def train(folder, card, data):
    """Train the model that a card describes, or resume its training, and write the results into a folder.

    Ctrl-C stops the training after the current batch, and a loss that is not finite stops it at once; the
    model is then the one after the last complete epoch.

    Args:
        folder: Path of the run's folder, which is created if it does not exist.
        card: Settings with the keys of `settings.DEFAULTS` or, to resume, what `files.read_card` returned.
        data: What `load_digits` or `load_pictures` returns.

    Returns:
        The new card; its "status" is "complete", "interrupted" or "diverged".

    Raises:
        ValueError: If the folder's model does not match the card, or a file is damaged.
        OSError: If a file cannot be written, or another process is at work in the folder.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with files.lock(folder), _noted_interrupts() as pressed:
        if "status" in card:
            card = {"products": files.PRODUCTS[0]} | card | {"resumed": card["resumed"] + 1}
        elif (folder / "card.json").exists():
            raise FileExistsError(
                f"{folder} now holds another run: choose another folder with --out."
            )
        else:
            card = _first_card(card, data)
        try:
            recipe = training.Recipe(**{k: v for k, v in card["recipe"].items() if k != "name"})
        except TypeError as error:
            raise ValueError(
                f"{folder / 'card.json'} is damaged ({error}). {files.CURE}"
            ) from error
        model, rows = _open(folder, card, recipe, data)
        if "products" not in card:  # a run that is resumed goes on as it began
            card["products"] = training.arithmetic(model, len(data.x_train))
        files.write_json(folder / "card.json", _new_card(card, model, rows, {}, "running"))
        if not (folder / "vae.keras").exists():
            _save(model, folder / "vae.keras")
        scores, status = {}, "complete"
        steps = training.steps_per_epoch(recipe, data)
        options = {"unit": "batch", "ncols": 100, "disable": None}  # None: only on a terminal
        with tqdm(initial=len(rows) * steps, total=recipe.epochs * steps, **options) as bar:
            follow = Follow(folder, model, rows, pressed, bar)
            try:
                if len(rows) < recipe.epochs:
                    options = {"callbacks": [follow], "products": card["products"]}
                    training.fit(model, recipe, data, recipe.epochs, card["seed"], **options)
                bar.write(f"scoring: {files.PASSES} passes over the test images", sys.stderr)
                x_test = training.binarized(model, data.x_test)
                scores = evaluate(model, x_test, files.PASSES, [follow])
            except (KeyboardInterrupt, FloatingPointError) as error:
                status = "diverged" if isinstance(error, FloatingPointError) else "interrupted"
                load_weights(model, folder / "vae.keras")  # undo the unfinished epoch
        for name in ("encoder", "decoder"):
            _save(getattr(model, name), folder / f"{name}.keras")
        if pressed and status == "complete":
            status = "interrupted"
        card = _new_card(card, model, rows, scores, status)
        card["sha256"] = {name: files.sha256(folder / name) for name in files.MODELS}
        files.write_json(folder / "card.json", card)
        return card


def _first_card(settings, data):
    recipe = training.find(settings["recipe"], data.name, len(data.x_train))
    chosen, own = settings | {"epochs": settings["epochs"] or recipe.epochs}, {}
    if digest := getattr(data, "digest", None):
        side, channels = data.x_train.shape[2:]
        noted = data.source, side, channels, digest
        own["pictures"] = dict(zip(files.PICTURES, noted, strict=True))
        on_windows = os.name == "nt"
        quoted = (subprocess.list2cmdline if on_windows else shlex.join)([data.source])
        chosen |= {"dataset": None, "images": quoted, "side": side}
    else:
        chosen["dataset"] = files.DATASETS[data.name]
    options = [f"--{k.replace('_', '-')} {v}" for k, v in chosen.items() if v is not None]
    of_recipe = dataclasses.asdict(recipe) | {"epochs": chosen["epochs"]}
    return {
        **own,
        **{key: settings[key] for key in OF_MODEL},
        "dataset": data.name,
        "recipe": {"name": settings["recipe"], **of_recipe},
        "resumed": 0,
        "command": " ".join(["vae-course train", *options]),
        "passes": files.PASSES,
    }


def _save(model, path):
    with write_atomically(path) as unfinished:
        model.save(unfinished)


@contextlib.contextmanager
def _noted_interrupts():
    """Note Ctrl-C instead of raising it, because it might interrupt TensorFlow or the writing of a file."""
    pressed = []

    def note(number, frame):
        pressed.append(number)
        with contextlib.suppress(OSError):
            os.write(2, b"\nStopping ...\n")  # a signal handler must not call print

    before = signal.signal(signal.SIGINT, note)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _open(folder, card, recipe, data):
    """Return the model of the last checkpoint, or a new one, and the rows of its history."""
    path = folder / "vae.keras"
    settings = {key: card[key] for key in OF_MODEL}
    model = training.build(recipe, data, epochs=recipe.epochs, **settings)
    if not path.exists():
        return model, []
    load_weights(model, path)
    epochs = int(model.optimizer.iterations) / training.steps_per_epoch(recipe, data)
    if epochs % 1 or epochs > recipe.epochs:
        raise ValueError(
            f"{path} is not from this run: it has seen {epochs:g} of {recipe.epochs} epochs. {files.CURE}"
        )
    return model, files.read_history(folder, int(epochs))


def _new_card(card, model, rows, scores, status):
    seconds = round(sum(row["seconds"] for row in rows), 1)
    state = {"status": status, "epochs_done": len(rows), "seconds": seconds}
    return card | state | files.describe(model, scores)


class Follow(keras.callbacks.Callback):
    """Advance a progress bar, stop after the batch in which Ctrl-C was noted, and keep each epoch's model."""

    def __init__(self, folder, trained, rows, pressed, bar):
        super().__init__()
        self.folder, self.trained, self.rows = folder, trained, rows
        self.pressed, self.bar = pressed, bar

    def stop_if_pressed(self, *_, **__):
        """Raise KeyboardInterrupt if Ctrl-C was noted."""
        if self.pressed:
            raise KeyboardInterrupt

    on_train_begin = on_test_begin = on_test_batch_end = stop_if_pressed

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.perf_counter()
        self.before = epoch * self.params["steps"]
        self.bar.set_description(f"epoch {epoch + 1}/{self.params['epochs']}", refresh=False)

    def on_train_batch_end(self, batch, logs=None):
        """Advance to a batch; Keras may have taken several steps since the last one."""
        self.bar.set_postfix(loss=logs["loss"], refresh=False)
        self.bar.update(self.before + batch + 1 - self.bar.n)
        self.stop_if_pressed()

    def on_epoch_end(self, epoch, logs=None):
        """Write the history, then the model, each completely or not at all; tell both losses."""
        seconds = round(time.perf_counter() - self.start, 2)
        names = [prefix + name for prefix in ("", "val_") for name in METRICS if name in logs]
        row = {"epoch": epoch + 1, "seconds": seconds} | {name: logs[name] for name in names}
        self.rows.append(row)
        write_rows(self.folder / "history.csv", self.rows)  # may have one row too many
        _save(self.trained, self.folder / "vae.keras")
        losses = f"loss {logs['loss']:.2f}, val_loss {logs['val_loss']:.2f}"
        self.bar.write(f"{self.bar.desc}{losses}", sys.stderr)
