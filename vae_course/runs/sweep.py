"""Train a grid of models on a Dask cluster, and put their scores into one table: `vae-course sweep` does it.

Each run is one task, which returns its scores and its model. Only this process, the cluster's client, writes
files, so the workers may be machines that share no disk with it. The runs that are complete are never trained
again: whatever was interrupted or killed, the same call goes on with the others. TensorFlow is loaded by the
workers only.
"""

import contextlib
import json
import math
import random
import socket
import sys
import tempfile
import threading
import time
from pathlib import Path
from unittest import mock

import numpy as np
from tqdm import tqdm

from vae_course import data, lesson
from vae_course.atomic import check_writable, write_atomically, write_rows
from vae_course.runs import cluster, files
from vae_course.runs.grid import name_of, runs_of, told, varying
from vae_course.runs.settings import OF_MODEL

SCORES = ("reconstruction", "kl", "loss", "mse", "active_units", "mutual_information")
BYTES = 1_500_000_000  # that a worker needs to train on MNIST
_one_at_a_time = threading.Lock()  # Keras' seeds and noise belong to the whole process


def train_run(run):
    """Train and score one model, in a worker.

    Args:
        run: The settings, with the keys of `settings.DEFAULTS`.

    Returns:
        A row, which is a dictionary with "status", each of `SCORES` (None if the status is "diverged"),
        "seconds" of training and perhaps "reason"; and the bytes of the `.keras` file, or None.

    Raises:
        RuntimeError: If this machine cannot load the data set or TensorFlow.
    """
    with _one_at_a_time:
        lesson.load_tensorflow()
        import keras
        import tensorflow as tf

        with contextlib.suppress(RuntimeError):  # it has already trained, with these settings
            tf.config.threading.set_intra_op_parallelism_threads(1)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        keras.utils.clear_session()
        try:
            digits = data.load_digits(run["dataset"])
        except data.DataNotFoundError as error:
            raise RuntimeError(f"the worker on {socket.gethostname()} lacks it: {error}") from None
        try:
            return _train_and_score(run, digits)
        except FloatingPointError as error:
            row = {"status": "diverged", **dict.fromkeys((*SCORES, "seconds"))}
            return row | {"reason": str(error)}, None


def _train_and_score(run, digits):
    from vae_course import latent, training
    from vae_course.models import VAE
    from vae_course.runs.evaluate import BATCH_SIZE, evaluate

    settings = {key: run[key] for key in ("epochs", *OF_MODEL)}
    start = time.perf_counter()
    with _own_random():
        trained, _ = training.train(run["recipe"], digits, validate=False, **settings)
    seconds = time.perf_counter() - start
    # Without the optimizer, whose state would triple the file.
    of_model = [getattr(trained, key) for key in ("beta", "likelihood", "draws")]
    model = VAE(trained.encoder, trained.decoder, *of_model)
    model.set_weights(trained.get_weights())
    x_test = training.binarized(model, digits.x_test)
    z_mean, z_log_var, _ = model.encoder.predict(x_test, batch_size=BATCH_SIZE, verbose=0)
    try:
        scores = {name: mean for name, (mean, _) in evaluate(model, x_test).items()}
        scores["mutual_information"] = latent.mutual_information(z_mean, z_log_var)
        if not math.isfinite(scores["mutual_information"]):
            raise ValueError("Its mutual information is not finite: use a smaller beta.")
    except ValueError as error:  # not finite
        raise FloatingPointError(str(error)) from error
    row = {"status": "complete", **{name: files.rounded(scores[name]) for name in SCORES}}
    row["active_units"] = int(row["active_units"])
    with tempfile.TemporaryDirectory() as folder:
        model.save(path := Path(folder, "vae.keras"))
        return row | {"seconds": round(seconds, 1)}, path.read_bytes()


def _own_random():
    """Let Keras draw its seeds undisturbed: Dask's threads draw from Python's own generator at any time."""
    own = random.Random()
    return mock.patch.multiple(random, seed=own.seed, randint=own.randint)


def sweep(grid, out, scheduler=None, workers=None):
    """Train the runs of a grid that are not complete yet, and write the table of all.

    Args:
        grid: What `grid.read_grid` returned.
        out: Path of the folder, which is new or holds this sweep. Each run gets `runs/NAME/row.json` and
            `vae.keras`; `table.csv` has a row for each run, with nan for the scores of one that diverged.
        scheduler: Address of a Dask scheduler, such as "tcp://host:8786"; None to start processes here.
        workers: How many processes to start here; None for one for each core, if the memory suffices.

    Returns:
        The rows of the table, and the reasons of runs that failed or diverged, by the run's name.

    Raises:
        ValueError: If the folder holds another sweep.
        OSError: If the folder holds other files, a file cannot be written, another process uses it, or
            the scheduler does not answer.
        RuntimeError: If MNIST is wanted and cannot be had.
    """
    check_writable(out)
    for name in grid["dataset"]:
        if name == "auto" or not scheduler:  # tell at once that there is no MNIST
            found = files.DATASETS[data.load_digits(name).name]
            grid = grid | {"dataset": sorted({found, *grid["dataset"]} - {"auto"})}
    out.mkdir(parents=True, exist_ok=True)
    with files.lock(out):
        _claim(out, grid)
        for left in out.glob("runs/*/*.unfinished.*"):  # left by a killed process
            left.unlink()
        runs = {name_of(grid, run): run for run in runs_of(grid)}
        rows = {name: read_row(out / "runs" / name, run) for name, run in runs.items()}
        todo = {name: runs[name] for name, row in rows.items() if row is None}
        failed = {}
        if todo:
            with contextlib.closing(_results(todo, len(runs), scheduler, workers)) as results:
                for name, run, row, model in results:
                    if isinstance(row, Exception):
                        failed[name] = _reason(row)
                    else:
                        rows[name] = _write(out / "runs" / name, run, row, model)
        table = []
        for name, row in rows.items():
            if row and row["status"] == "diverged":
                failed[name] = f"diverged. {row['reason']}"
            if row:
                settings = {key: told(runs[name][key]) for key in varying(grid)}
                scores = {
                    key: "nan" if row[key] is None else row[key] for key in (*SCORES, "seconds")
                }
                table.append(settings | scores)
        if table:
            write_rows(out / "table.csv", table)
    return table, failed


def _claim(out, grid):
    """Note the sweep in its folder, unless that holds other files or the runs of another sweep."""
    cure = "choose another folder with --out."
    path = out / "sweep.json"
    if path.exists() and any(out.glob("runs/*")):
        try:
            noted = json.loads(path.read_text(encoding="utf-8"))
            differing = [key for key in grid if noted[key] != grid[key]]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged ({error}): {cure}") from error
        for key in differing:
            raise ValueError(
                f"{out} holds another sweep, with {key} {noted[key]} instead of {grid[key]}: {cure}"
            )
    elif others := {path.name for path in out.iterdir()} - {".lock", "sweep.json", "runs"}:
        raise FileExistsError(f"{out} holds other files, such as {min(others)}: {cure}")
    (out / "runs").mkdir(exist_ok=True)
    files.write_json(path, grid)


def read_row(folder, run):
    """Read what a sweep wrote of a run.

    Args:
        folder: Path of the run's folder.
        run: Its settings.

    Returns:
        Its row, a dictionary; or None unless both of its files are whole and its settings are these.
    """
    try:
        row = json.loads((folder / "row.json").read_text(encoding="utf-8"))
        scores = [row[key] for key in (*SCORES, "seconds")]
        if row["status"] == "diverged":
            whole = isinstance(row["reason"], str)
        else:
            whole = {type(score) for score in scores} <= {int, float}
            whole = whole and row["sha256"] == files.sha256(folder / "vae.keras")
        return row if whole and row["settings"] == run else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _write(folder, run, row, model):
    folder.mkdir(exist_ok=True)
    if model:
        with write_atomically(folder / "vae.keras") as unfinished:
            unfinished.write_bytes(model)
        row = row | {"sha256": files.sha256(folder / "vae.keras")}
    row = {"settings": run} | row
    files.write_json(folder / "row.json", row)
    return row


def _results(todo, total, scheduler, workers):
    """Yield each run as soon as a worker has finished it: name, settings, row or exception, and model."""
    with cluster.connect(scheduler, workers, len(todo), BYTES) as client:
        from distributed import as_completed  # only now that its settings are read

        futures = {client.submit(train_run, run, pure=False): name for name, run in todo.items()}
        count = len(client.nthreads())
        where = f"{count} worker(s)" if count else "workers that are still to come"
        options = {"unit": "run", "ncols": 100, "disable": None}  # None: only on a terminal
        with tqdm(initial=total - len(todo), total=total, **options) as bar:
            bar.write(f"{len(todo)} of {total} runs to train, on {where}", sys.stderr)
            for future in as_completed(futures, loop=client.loop):
                name = futures.pop(future)
                if future.cancelled():
                    raise ConnectionError("The scheduler is gone. The same command goes on later.")
                error = future.exception()
                row, model = (error, None) if error else future.result()
                yield name, todo[name], row, model
                bar.update()
                news = "failed" if error else row["status"]
                if news == "complete":
                    news = "reconstruction {reconstruction}, KL {kl}, {seconds} s".format(**row)
                bar.write(f"{name}: {news}; {len(futures)} left", sys.stderr)


def _reason(error):
    """Say in one line why a run failed."""
    if type(error).__name__ == "KilledWorker":
        return "its worker was killed each time, perhaps for lack of memory: use fewer --workers."
    kind = "" if type(error) is RuntimeError and str(error) else f"{type(error).__name__}: "
    return f"{kind}{error}".splitlines()[0]


def gallery(out, seed):
    """Draw what the models of a finished sweep over beta make of the same digits, and of the same noise.

    Args:
        out: Path of the sweep's folder; in it, only beta and perhaps the seed vary.
        seed: Which of its seeds.

    Returns:
        Dictionary of arrays, with b betas in rising order: "beta" `(b,)`; uint8 images "originals"
        `(8, 28, 28)`, the first test image of each digit from 0 to 7, "reconstructions" `(b, 8, 28, 28)` from
        their posterior means, and "samples" `(b, 8, 28, 28)` from the prior, of the same eight codes; and
        "kl_per_dimension" `(b, latent_dim)`, float32, nats, mean over the test images.

    Raises:
        ValueError: If other settings vary, or a run of this seed is missing or diverged.
        OSError: If a file is missing.
    """
    from vae_course import latent
    from vae_course.runs.load import load_model

    grid = json.loads((out / "sweep.json").read_text(encoding="utf-8"))
    if not set(varying(grid)) <= {"beta", "seed"} or seed not in grid["seed"]:
        raise ValueError(f"{out} holds no sweep over beta alone with seed {seed}: choose another.")
    digits = data.load_digits(*grid["dataset"])
    chosen = [np.flatnonzero(digits.y_test == digit)[0] for digit in range(8)]
    codes = np.random.default_rng(seed).normal(size=(8, *grid["latent_dim"])).astype("float32")
    pictures = {"reconstructions": [], "samples": [], "kl_per_dimension": []}
    for run in runs_of(grid | {"seed": [seed]}):
        folder = out / "runs" / name_of(grid, run)
        row = read_row(folder, run)
        if not row or row["status"] != "complete":
            raise ValueError(f"{folder} holds no trained model: run the sweep again.")
        model = load_model(folder / "vae.keras")
        z_mean, z_log_var, _ = model.encoder.predict(digits.x_test, batch_size=500, verbose=0)
        pictures["reconstructions"].append(_grey(model.decoder(z_mean[chosen])))
        pictures["samples"].append(_grey(model.decoder(codes)))
        pictures["kl_per_dimension"].append(latent.kl_per_dimension(z_mean, z_log_var))
    pictures = {name: np.stack(arrays) for name, arrays in pictures.items()}
    pictures["kl_per_dimension"] = pictures["kl_per_dimension"].astype("float32")
    return {"beta": np.array(grid["beta"]), "originals": _grey(digits.x_test[chosen])} | pictures


def _grey(images):
    return np.round(255 * np.asarray(images)[..., 0]).astype("uint8")
