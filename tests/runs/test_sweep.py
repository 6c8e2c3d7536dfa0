"""Sweeps on Dask clusters: what they leave, and that neither a kill nor Ctrl-C loses or changes a run."""

import asyncio
import contextlib
import csv
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import dask.config
import numpy as np
import psutil
import pytest
from click.testing import CliRunner
from distributed import LocalCluster
from distributed.scheduler import KilledWorker
from tiny import tiny_digits

from vae_course import cli, data, latent, pretrained, training
from vae_course.runs import evaluate, files, grid, load, ship, sweep
from vae_course.runs.settings import DEFAULTS

RECIPE = "dataset: digits\nepochs: 1\nlatent_dim: 2\nbeta: [4, 0.5]\nseed: 7\n"
NAMES = ["beta-0.5", "beta-4"]


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    """Give the path of a recipe of two runs."""
    path = tmp_path_factory.mktemp("recipes") / "two runs.yaml"
    path.write_text(RECIPE)
    return path


def workers_of(process):
    """List the processes that train."""
    return [c for c in process.children(recursive=True) if "spawn_main" in " ".join(c.cmdline())]


@pytest.fixture(scope="module")
def whole(recipe, tmp_path_factory):
    """Give the folder of a sweep by one worker, which is killed as soon as the first run is written."""
    out, killed = tmp_path_factory.mktemp("whole") / "out", []

    def kill():
        while not list(out.glob("runs/*/row.json")) and not closing.is_set():
            time.sleep(0.01)
        for worker in workers_of(psutil.Process()):
            worker.kill()
            killed.append(worker.pid)

    closing = threading.Event()
    thread = threading.Thread(target=kill)
    thread.start()
    try:
        table, troubles = sweep.sweep(grid.read_grid(recipe), out, workers=1)
    finally:
        closing.set()
        thread.join()
    assert len(killed) == 1 and len(table) == 2 and not troubles
    return out


@pytest.fixture
def copy(whole, tmp_path):
    """Give a copy of that folder."""
    return shutil.copytree(whole, tmp_path / "copy")


def table_of(out):
    """Read a table without its seconds."""
    with open(out / "table.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def call(*arguments):
    """Call the program in this process; return its exit status, and what it printed to both streams."""
    result = CliRunner().invoke(cli.main, ["sweep", *map(str, arguments)])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_killed_worker_loses_nothing(whole):
    """A table in the order of the betas; for each run a row and a model; no other file."""
    table = table_of(whole)
    assert list(table[0]) == ["beta", *sweep.SCORES] and [row["beta"] for row in table] == [
        "0.5",
        "4",
    ]
    left = {path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file()}
    of_runs = {f"runs/{name}/{file}" for name in NAMES for file in ("row.json", "vae.keras")}
    assert left == {".lock", "sweep.json", "table.csv"} | of_runs
    for row in table:
        loss = float(row["reconstruction"]) + float(row["beta"]) * float(row["kl"])
        assert float(row["loss"]) == pytest.approx(loss, rel=1e-4)


def train_alone(beta):
    """Train and score one model with what every lesson uses, and return its scores."""
    digits = data.load_digits("digits")
    model, _ = training.train("fast", digits, epochs=1, latent_dim=2, beta=beta, seed=7)
    scores = {key: mean for key, (mean, _) in evaluate.evaluate(model, digits.x_test).items()}
    z_mean, z_log_var, _ = model.encoder.predict(digits.x_test, batch_size=500, verbose=0)
    scores["mutual_information"] = latent.mutual_information(z_mean, z_log_var)
    return scores


def test_a_run_is_what_training_and_evaluation_give_alone(whole):
    """Every score is that of this process, where no thread of Dask runs, and of the model in the file."""
    digits = data.load_digits("digits")
    for name, scores in zip(NAMES, map(train_alone, (0.5, 4)), strict=True):
        row = json.loads((whole / "runs" / name / "row.json").read_text())
        for key in sweep.SCORES:
            assert row[key] == pytest.approx(scores[key], rel=1e-4, abs=1e-6), key
        saved = load.load_model(whole / "runs" / name / "vae.keras")
        assert f"beta-{saved.beta:g}" == name
        again = evaluate.evaluate(saved, digits.x_test)
        for key in sweep.SCORES[:-1]:
            assert row[key] == pytest.approx(again[key][0], rel=1e-4), key


def forbid_training(monkeypatch):
    monkeypatch.setattr(sweep.cluster, "connect", lambda *_: pytest.fail("it was trained again"))


def test_a_sweep_that_is_complete_is_not_trained_again(copy, recipe, monkeypatch):
    """Its table is written anew; what a killed process left is removed."""
    forbid_training(monkeypatch)
    table = (copy / "table.csv").read_text()
    (copy / "table.csv").unlink()
    left = copy / "runs" / "beta-4" / "vae.1-2.unfinished.keras"
    left.touch()
    status, out, err = call(recipe, "--out", copy)
    assert status == 0 and f"2 run(s) are in {copy / 'table.csv'}" in out, err
    assert (copy / "table.csv").read_text() == table and not left.exists()


def without_row(folder):
    (folder / "row.json").unlink()


def with_half_a_row(folder):
    (folder / "row.json").write_text('{"settings": {')


def with_half_a_model(folder):
    content = (folder / "vae.keras").read_bytes()
    (folder / "vae.keras").write_bytes(content[:1000])


def of_other_settings(folder):
    row = json.loads((folder / "row.json").read_text())
    row["settings"]["seed"] = 8
    (folder / "row.json").write_text(json.dumps(row))


@pytest.mark.parametrize(
    "damage", [without_row, with_half_a_row, with_half_a_model, of_other_settings, shutil.rmtree]
)
def test_only_what_is_missing_or_damaged_is_trained(whole, copy, recipe, damage, monkeypatch):
    """To the same table."""
    folder = copy / "runs" / "beta-4"
    damage(folder)

    def results(todo, total, scheduler, workers):
        assert list(todo) == ["beta-4"] and total == 2
        row = json.loads((whole / "runs" / "beta-4" / "row.json").read_text())
        model = (whole / "runs" / "beta-4" / "vae.keras").read_bytes()
        yield "beta-4", todo["beta-4"], {k: v for k, v in row.items() if k != "sha256"}, model

    monkeypatch.setattr(sweep, "_results", results)
    status, _, err = call(recipe, "--out", copy)
    assert status == 0 and table_of(copy) == table_of(whole), err
    for name in os.listdir(folder):
        assert (folder / name).read_bytes() == (whole / "runs" / "beta-4" / name).read_bytes()


def test_the_folder_of_another_sweep_is_refused(copy, recipe, monkeypatch, tmp_path):
    """What differs is named; a folder in which a sweep runs is refused, too, and nothing is changed."""
    forbid_training(monkeypatch)
    other = tmp_path / "other.yaml"
    other.write_text(RECIPE.replace("[4,", "[3,"))
    status, _, err = call(other, "--out", copy)
    assert status == 1 and "holds another sweep, with beta [0.5, 4.0] instead of [0.5, 3.0]" in err
    with files.lock(copy):
        status, _, err = call(recipe, "--out", copy)
    assert status == 1 and f"Another process is at work in {copy}" in err
    for content in ("{", "[]", "{}"):
        (copy / "sweep.json").write_text(content)
        status, _, err = call(recipe, "--out", copy)
        assert status == 1 and "sweep.json is damaged" in err and "--out" in err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    status, _, err = call(recipe, "--out", tmp_path / "mine")
    assert status == 1 and "holds other files, such as notes.txt" in err and "--out" in err


def test_a_sweep_that_trained_nothing_leaves_its_folder_to_another(recipe, tmp_path, monkeypatch):
    """So that a mistake in a recipe can be mended before its first run."""
    monkeypatch.setattr(sweep, "_results", lambda *_: (x for x in ()))
    sweep.sweep(grid.read_grid(recipe), tmp_path / "out")
    recipe = tmp_path / "other.yaml"
    recipe.write_text("dataset: digits\nseed: [1, 2, 3]")
    sweep.sweep(grid.read_grid(recipe), tmp_path / "out")
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["seed"] == [1, 2, 3]


def test_a_recipe_with_a_mistake_makes_no_folder(tmp_path):
    """A line tells it, and so a file that is not there, and options that do not go together."""
    path, out = tmp_path / "bad.yaml", tmp_path / "out"
    path.write_text("beta: [1, -1]")
    status, _, err = call(path, "--out", out)
    assert status == 1 and "bad.yaml: beta=-1.0 is out of range: use a number" in err
    assert call(tmp_path / "none.yaml", "--out", out)[0] == 2
    path.write_text(RECIPE)
    status, _, err = call(path, "--out", out, "--scheduler", "tcp://127.0.0.1:1", "--workers", 2)
    assert status == 1 and "--workers 2 is for this machine" in err and not out.exists()


@pytest.fixture(scope="module")
def scheduler():
    """Give the address of a scheduler with one worker in this process, which has two threads."""
    options = {"protocol": "tcp", "threads_per_worker": 2, "dashboard_address": "127.0.0.1:0"}
    with LocalCluster(1, processes=False, **options) as cluster:
        yield cluster.scheduler_address


def test_a_given_cluster_gives_the_same_rows_and_one_that_diverges_is_marked(
    scheduler, tmp_path, monkeypatch
):
    """By two threads that take turns; the run that diverges does not stop the others, nor is it repeated."""
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    path.write_text(RECIPE.replace("[4,", "[4, 1e38,"))
    status, _, err = call(path, "--out", out, "--scheduler", scheduler)
    assert status == 0 and "beta-1e+38: diverged. Training stopped in epoch 1" in err
    *rows, diverged = table_of(out)
    assert set(diverged.values()) == {"1e+38", "nan"}
    assert [row.pop("beta") for row in rows] == ["0.5", "4"]
    with sweep._own_random():  # undisturbed by the cluster's threads
        scores = train_alone(4)
    for key, value in rows[1].items():
        assert float(value) == pytest.approx(scores[key], rel=1e-4, abs=1e-6), key
    assert os.listdir(out / "runs" / "beta-1e+38") == ["row.json"]
    forbid_training(monkeypatch)
    assert call(path, "--out", out)[0] == 0
    with pytest.raises(ValueError, match=r"beta-1e\+38 holds no trained model"):
        sweep.gallery(out, 7)


def test_a_worker_without_the_data_set_says_so(scheduler, tmp_path, monkeypatch):
    """A line for each run that failed, exit status 1, and the table of the others."""
    path, out = tmp_path / "recipe.yaml", tmp_path / "out"
    path.write_text("dataset: [digits, mnist]\nepochs: 1\nlatent_dim: 2")
    load_digits = data.load_digits

    def load(dataset):
        if dataset == "mnist":
            raise data.DataNotFoundError("MNIST cannot be found.\nLooked here and there.")
        return load_digits(dataset)

    monkeypatch.setattr(data, "load_digits", load)
    status, told, err = call(path, "--out", out, "--scheduler", scheduler)
    assert status == 1 and "1 run(s) are in" in told and "1 run(s) failed" in err
    assert "dataset-mnist: the worker on " in err and "MNIST cannot be found." in err
    assert "there" not in err and [row["dataset"] for row in table_of(out)] == ["digits"]


def test_auto_is_what_this_machine_has(scheduler, tmp_path, monkeypatch):
    """Workers get a name, so that all train on the same data."""
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    forbid_training(monkeypatch)
    path = tmp_path / "recipe.yaml"
    path.write_text("dataset: [auto, digits]")
    with pytest.raises(pytest.fail.Exception):
        sweep.sweep(grid.read_grid(path), tmp_path / "out", scheduler)
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["dataset"] == ["digits"]


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:1", "nonsense", "carrier-pigeon://a:1", "tls://127.0.0.1:1", ""]
)
def test_a_scheduler_that_does_not_answer_is_told(address, recipe, tmp_path, monkeypatch):
    """Soon, with its address and the cure."""
    monkeypatch.setattr(sweep.cluster, "PATIENCE", 1)
    start = time.monotonic()
    status, _, err = call(recipe, "--out", tmp_path / "out", "--scheduler", address)
    assert status == 1 and f"No Dask scheduler answers at {address}" in err and "check its" in err
    assert time.monotonic() - start < 10


def test_settings_of_dask_that_forbid_a_scheduler_are_told(scheduler, recipe, tmp_path):
    """The reason in Dask's words, and in ours where to look."""
    with dask.config.set({"distributed.comm.require-encryption": True}):
        status, _, err = call(recipe, "--out", tmp_path / "out", "--scheduler", scheduler)
    assert status == 1 and "encryption required" in err and "your settings of Dask" in err


OWN_DASK = """
import os
from vae_course.runs import cluster

def ask(name):
    import dask.config
    return dask.config.get(name), [name for name in os.environ if name.startswith("DASK_")]

if __name__ == "__main__":
    with cluster.connect(None, 1, 1, 1) as client:
        future = client.submit(ask, "distributed.comm.require-encryption")
        print(future.result(timeout=60))
    print(sum(name.startswith("DASK_") for name in os.environ))
"""


def test_workers_of_this_machine_do_not_depend_on_the_users_settings_of_dask(tmp_path):
    """Such as those for a cluster at work, or a broken file; afterwards, the environment is as it was."""
    (tmp_path / "program.py").write_text(OWN_DASK)
    (tmp_path / "dask.yaml").write_text("{ half: [")
    settings = {
        "DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true",
        "DASK_DISTRIBUTED__WORKER__PRELOAD": "nosuch",
        "DASK_CONFIG": str(tmp_path / "dask.yaml"),
    }
    command = [sys.executable, tmp_path / "program.py"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True)
    assert done.stdout == "(None, [])\n3\n", done.stderr


def test_the_event_loop_of_the_caller_stays(monkeypatch):
    """Notebooks that are executed later in the same process need it."""
    monkeypatch.setattr(sweep.cluster, "PATIENCE", 1)

    def loops():
        asyncio.set_event_loop(before := asyncio.new_event_loop())
        with contextlib.closing(before), pytest.raises(ConnectionError):
            with sweep.cluster.connect("tcp://127.0.0.1:1", None, 1, 1):
                pass
        return before, asyncio.get_event_loop()

    with ThreadPoolExecutor(1) as pool:  # in a thread of its own, so that the test changes nothing
        before, after = pool.submit(loops).result()
    assert after is before


def test_a_run_whose_worker_is_killed_each_time_has_a_reason():
    """A line with the cure."""
    error = KilledWorker("train_run-1", None, 3)
    assert "killed each time" in sweep._reason(error) and "--workers" in sweep._reason(error)


def test_an_error_without_a_word_has_a_reason():
    """At least its kind."""
    assert sweep._reason(RuntimeError("")).startswith("RuntimeError")


def test_a_score_that_is_not_finite_is_a_divergence(monkeypatch):
    """Whichever it is, so that the others of the sweep go on."""
    monkeypatch.setattr(data, "load_digits", tiny_digits)
    monkeypatch.setattr(latent, "mutual_information", lambda *_: math.nan)
    (run,) = grid.runs_of({key: [value] for key, value in DEFAULTS.items()} | {"epochs": [1]})
    row, model = sweep.train_run(run)
    assert row["status"] == "diverged" and "mutual information" in row["reason"] and model is None


@pytest.mark.parametrize("key", ["status", "settings", "seconds", "reason", *sweep.SCORES])
def test_a_row_that_lacks_something_is_not_taken(key, tmp_path):
    """As if the run had not been trained."""
    row = {"status": "diverged", "settings": {}, "reason": "beta", "seconds": None}
    row |= dict.fromkeys(sweep.SCORES)
    (tmp_path / "row.json").write_text(json.dumps(row))
    assert sweep.read_row(tmp_path, {}) == row
    del row[key]
    (tmp_path / "row.json").write_text(json.dumps(row))
    assert sweep.read_row(tmp_path, {}) is None


def test_a_row_whose_scores_are_no_numbers_is_not_taken(copy):
    """However whole its model is."""
    path = copy / "runs" / "beta-4" / "row.json"
    row = json.loads(path.read_text())
    assert sweep.read_row(path.parent, row["settings"]) == row
    path.write_text(json.dumps(row | {"kl": "small"}))
    assert sweep.read_row(path.parent, row["settings"]) is None


def test_ctrl_c_ends_it_soon_and_keeps_what_is_done(whole, recipe, tmp_path):
    """A real signal to the whole group, as a terminal sends it; nothing is left running, nothing is noise."""
    out = tmp_path / "out"
    (out / "runs").mkdir(parents=True)
    for name in ("runs/beta-4", "sweep.json"):
        copy = shutil.copytree if (whole / name).is_dir() else shutil.copyfile
        copy(whole / name, out / name)
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    program += "from vae_course import cli; cli.main()"
    command = [sys.executable, "-c", program, "sweep", str(recipe), "--out", str(out)]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, start_new_session=True, **options)
    told = process.stderr.readline()
    assert "1 of 2 runs to train, on 1 worker(s)" in told
    workers = workers_of(psutil.Process(process.pid))
    start = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130 and time.monotonic() - start < 20, err
    assert "the same command goes on with the others" in err and "Traceback" not in err
    assert workers and not psutil.wait_procs(workers, timeout=10)[1]
    assert sorted(os.listdir(out / "runs")) == ["beta-4"] and not (out / "table.csv").exists()


def test_a_gallery_shows_the_same_digits_by_every_model(whole):
    """Pictures recomputed from the files; eight digits, in order, and bars that sum to the KL."""
    pictures = sweep.gallery(whole, 7)
    shapes = {name: (array.shape, str(array.dtype)) for name, array in pictures.items()}
    assert shapes == {
        "beta": ((2,), "float64"),
        "originals": ((8, 28, 28), "uint8"),
        "reconstructions": ((2, 8, 28, 28), "uint8"),
        "samples": ((2, 8, 28, 28), "uint8"),
        "kl_per_dimension": ((2, 2), "float32"),
    }
    assert list(pictures["beta"]) == [0.5, 4]
    digits = data.load_digits("digits")
    for number, picture in enumerate(pictures["originals"]):
        equal = (np.round(255 * digits.x_test[..., 0]) == picture).all(axis=(1, 2))
        assert number in digits.y_test[equal]
    for row, name, kl in zip(table_of(whole), NAMES, pictures["kl_per_dimension"], strict=True):
        assert kl.sum() == pytest.approx(float(row["kl"]), rel=1e-4)
        model = load.load_model(whole / "runs" / name / "vae.keras")
        z_mean, _, _ = model.encoder(pictures["originals"][..., None] / np.float32(255))
        again = 255 * np.asarray(model.decoder(z_mean))[..., 0]
        shown = pictures["reconstructions"][NAMES.index(name)]
        np.testing.assert_allclose(again, shown, atol=1)
        z = np.random.default_rng(7).normal(size=(8, 2)).astype("float32")
        drawn = 255 * np.asarray(model.decoder(z))[..., 0]
        np.testing.assert_allclose(drawn, pictures["samples"][NAMES.index(name)], atol=1)
    with pytest.raises(ValueError, match="holds no sweep over beta alone with seed 1"):
        sweep.gallery(whole, 1)


def test_a_sweep_is_shipped_as_its_table_and_its_pictures(whole, recipe, tmp_path, monkeypatch):
    """Trained by the recipe beside them; `pretrained` reads them, and a run that failed ships nothing."""
    forbid_training(monkeypatch)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    monkeypatch.setattr(ship, "SEED", 7)
    shutil.copy(recipe, tmp_path / "beta-sweep-digits.yaml")
    ship.ship_sweep("beta-sweep-digits", whole)
    rows, pictures = pretrained.beta_sweep("digits")
    assert [{k: str(v) for k, v in row.items() if k != "seconds"} for row in rows] == [
        {k: str(json.loads(v)) for k, v in row.items()} for row in table_of(whole)
    ]
    for name, array in sweep.gallery(whole, 7).items():
        np.testing.assert_array_equal(pictures[name], array)
    shipped = (tmp_path / "beta-sweep-digits.csv").read_bytes()
    monkeypatch.setattr(sweep, "sweep", lambda *_: ([], {"beta-4": "killed"}))
    with pytest.raises(RuntimeError, match="Nothing is shipped: beta-4 killed"):
        ship.ship_sweep("beta-sweep-digits", whole)
    assert (tmp_path / "beta-sweep-digits.csv").read_bytes() == shipped


@pytest.mark.parametrize("name", ship.SWEEPS)
def test_the_shipped_recipes_are_grids_of_ten_betas_and_three_seeds(name):
    """Each names its data set, so that no other is taken."""
    found = grid.read_grid(pretrained.FOLDER / f"{name}.yaml")
    assert grid.varying(found) == ["beta", "seed"] and len(grid.runs_of(found)) == 30
    assert found["dataset"] == [name.split("-")[-1]] and ship.SEED in found["seed"]
