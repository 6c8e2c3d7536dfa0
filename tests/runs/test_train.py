"""Training in a folder: what it leaves, and that neither Ctrl-C nor a kill can spoil it."""

import csv
import json
import os
import shutil
import signal
import socket
import time
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from click.testing import CliRunner
from tiny import start_program, tiny_digits

from vae_course import cli, training
from vae_course.models import VAE
from vae_course.runs import evaluate, files, load, settings, train

EPOCHS = 3
SETTINGS = settings.DEFAULTS | {"epochs": EPOCHS, "latent_dim": 3, "beta": 0.5, "seed": 4}
OPTIONS = "--epochs 3 --latent-dim 3 --beta 0.5 --seed 4".split()
NOTHING = dict.fromkeys(settings.DEFAULTS)


@pytest.fixture(scope="module", autouse=True)
def passes():
    """Score with two passes instead of ten."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PASSES", 2)
        yield


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Give the folder of a run without incident, and copies of what a kill before each change would leave."""
    root = tmp_path_factory.mktemp("whole")
    folder, copies = root / "a run, très bon", []
    replace = os.replace

    def copy_and_replace(source, target):
        copies.append(root / f"{len(copies) + 1} before {target.name}")
        shutil.copytree(folder, copies[-1])
        replace(source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "replace", copy_and_replace)
        train.train(folder, SETTINGS, tiny_digits())
    return folder, copies


@pytest.fixture
def start(tmp_path):
    """Give a function that starts the same run in another folder; it returns the folder and the card."""

    def start():
        return tmp_path / "run", train.train(tmp_path / "run", SETTINGS, tiny_digits())

    return start


@pytest.fixture(autouse=True)
def blobs(monkeypatch):
    """Let resumed runs find blobs where they look for digits."""
    monkeypatch.setattr(settings, "load_digits", tiny_digits)


def resume(folder):
    """Go on with a run as --resume does."""
    return train.train(*settings.choose(folder, NOTHING, resume=True))


def open_run(folder, card, data):
    """Open the last checkpoint of a run as `train` does."""
    recipe = {key: value for key, value in card["recipe"].items() if key != "name"}
    return train._open(folder, card, training.Recipe(**recipe), data)


def history(folder):
    """Read a history without its seconds."""
    with open(folder / "history.csv", newline="") as file:
        return [{k: v for k, v in row.items() if k != "seconds"} for row in csv.DictReader(file)]


def assert_same_run(folder, other):
    """Compare every bit of two runs' weights, and every digit of their histories."""
    assert_same_weights(*(keras.models.load_model(path / "vae.keras") for path in (folder, other)))
    assert history(folder) == history(other)
    cards = [files.read_card(path) for path in (folder, other)]
    for key in ("status", "epochs_done", "test_scores", "test_spread", "command", "recipe"):
        assert cards[0][key] == cards[1][key], key
    assert sorted(os.listdir(folder)) == sorted(os.listdir(other))


def assert_same_weights(one, other):
    """Compare every bit of two models."""
    for ours, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_leaves_models_history_and_card(whole):
    """Five files and a lock; digests, settings and epochs are right; no path, no host in the card."""
    folder, _ = whole
    expected = [*files.MODELS, "card.json", "history.csv", ".lock"]
    assert sorted(os.listdir(folder)) == sorted(expected)
    card = files.read_card(folder)
    assert (card["status"], card["epochs_done"], card["resumed"]) == ("complete", EPOCHS, 0)
    assert card["recipe"]["name"] == "fast" and card["recipe"]["epochs"] == EPOCHS
    assert (card["dataset"], card["kind"]) == ("embedded digits", "vae")
    assert (card["latent_dim"], card["beta"], card["seed"]) == (3, 0.5, 4)
    assert card["sha256"] == {name: files.sha256(folder / name) for name in files.MODELS}
    text = (folder / "card.json").read_text()
    assert str(folder.parent) not in text and socket.gethostname() not in text
    seconds = sum(float(row["seconds"]) for row in csv.DictReader(open(folder / "history.csv")))
    assert card["seconds"] == pytest.approx(seconds, abs=0.06)


def test_a_cards_command_makes_the_run(whole, tmp_path):
    """Its words are options that lead to the same settings."""
    from vae_course.cli import train as command_line

    command = files.read_card(whole[0])["command"].split()
    assert command[:2] == ["vae-course", "train"]
    wanted = command_line.make_context("train", command[2:]).params
    assert wanted.pop("out") is None and wanted.pop("resume") is False
    _, chosen, _ = settings.choose(tmp_path, wanted)
    assert chosen == SETTINGS | {"dataset": "digits"}


def test_a_history_has_a_row_for_each_epoch_with_every_part_of_the_loss(whole):
    """On training and test images, in the order of a table; the parts make the loss."""
    rows = list(csv.DictReader(open(whole[0] / "history.csv")))
    metrics = ["loss", "reconstruction", "kl", "mse"]
    names = ["epoch", "seconds", *metrics, *(f"val_{name}" for name in metrics)]
    assert list(rows[0]) == names and [row["epoch"] for row in rows] == ["1", "2", "3"]
    for row in rows:
        row = {key: float(value) for key, value in row.items()}
        loss = row["val_reconstruction"] + 0.5 * row["val_kl"]
        assert row["val_loss"] == pytest.approx(loss, rel=1e-4)


def test_the_three_models_load_and_are_one(whole):
    """Encoder and decoder have the VAE's weights; the VAE has an optimizer to go on with."""
    folder, _ = whole
    vae, encoder, decoder = (keras.models.load_model(folder / name) for name in files.MODELS)
    assert type(vae) is VAE and vae.beta == 0.5
    assert int(vae.optimizer.iterations) == EPOCHS * 3  # 96 blobs in batches of 32
    for ours, theirs in ((vae.encoder, encoder), (vae.decoder, decoder)):
        assert_same_weights(ours, theirs)


def test_a_run_trains_what_the_recipe_alone_would(whole):
    """Without folder, bar and callbacks, the same settings lead to the same bits and the same history."""
    settings = {key: SETTINGS[key] for key in ("latent_dim", "beta", "epochs", "seed")}
    assert files.read_card(whole[0])["products"] == "float32"  # because there are few images
    model, losses = training.train("fast", tiny_digits(), **settings)
    assert_same_weights(model, keras.models.load_model(whole[0] / "vae.keras"))
    assert [row["val_loss"] for row in files.read_history(whole[0], EPOCHS)] == losses["val_loss"]


def test_a_cards_scores_are_those_of_the_saved_model(whole):
    """Evaluated anew, to the six digits of the card."""
    card = files.read_card(whole[0])
    vae = keras.models.load_model(whole[0] / "vae.keras")
    scores = evaluate.evaluate(vae, tiny_digits().x_test, card["passes"])
    for name, (mean, deviation) in scores.items():
        assert card["test_scores"][name] == pytest.approx(mean, rel=1e-5), name
        assert card["test_spread"][name] == pytest.approx(deviation, rel=1e-4), name


def test_a_kill_at_any_moment_leaves_the_last_whole_epoch(whole):
    """Before each change of a file: the state is whole, and the history goes exactly as far."""
    folder, copies = whole
    names = [copy.name.split()[-1] for copy in copies]
    epochs = ["history.csv", "vae.keras"] * EPOCHS
    assert names == [
        "card.json",
        "vae.keras",
        *epochs,
        "encoder.keras",
        "decoder.keras",
        "card.json",
    ]
    rows = files.read_history(folder, EPOCHS)
    for number, copy in enumerate(copies[1:], 1):
        _, card, data = settings.choose(copy, NOTHING, resume=True)
        assert card["status"] == "running"
        model, found = open_run(copy, card, data)
        epoch = min(max(0, (number - 2) // 2), EPOCHS)
        assert found == rows[:epoch], copy.name
        assert int(model.optimizer.iterations) == 3 * epoch, copy.name


def test_before_its_card_a_run_is_nothing(whole):
    """Killed that early, it is told to start; what is there is no model yet."""
    first = whole[1][0]
    with pytest.raises(FileNotFoundError, match="holds no run"):
        settings.choose(first, NOTHING, resume=True)
    lock, card = sorted(os.listdir(first))
    assert lock == ".lock" and card.startswith("card.") and card.endswith(".unfinished.json")


@pytest.mark.parametrize("number", [2, 6, 11])
def test_a_killed_run_goes_on_to_the_same_place(whole, number, tmp_path):
    """Killed before the first state, with a row too many, or before its last card: no bit differs."""
    folder, copies = whole
    shutil.copytree(copies[number - 1], tmp_path / "run")
    card = resume(tmp_path / "run")
    assert card["resumed"] == 1
    assert_same_run(tmp_path / "run", folder)


@pytest.mark.parametrize("noted", [True, False])
def test_a_run_keeps_its_kind_of_numbers_on_another_processor(whole, noted, tmp_path, monkeypatch):
    """As its card says, or float32 where an older card does not; so the end is the same."""
    folder = shutil.copytree(whole[1][5], tmp_path / "run")
    card = files.read_card(folder)
    assert card["products"] == "float32"
    if not noted:
        del card["products"]
        files.write_json(folder / "card.json", card)
    monkeypatch.setattr(training, "arithmetic", lambda *_: "bfloat16")
    assert resume(folder)["products"] == "float32"
    assert_same_run(folder, whole[0])


@pytest.mark.parametrize("system, command", [("posix", "'my cats'"), ("nt", '"my cats"')])
def test_a_command_quotes_as_its_shell_reads(system, command, monkeypatch):
    """Double quotes for Windows."""
    data = SimpleNamespace(
        digest="ab", source="my cats", name="your cats", x_train=np.zeros((96, 16, 16, 3))
    )
    monkeypatch.setattr(train, "os", SimpleNamespace(name=system))
    card = train._first_card(settings.DEFAULTS, data)
    assert f"--images {command} --side 16" in card["command"]


def press_before_file(monkeypatch, number):
    """Press Ctrl-C in the middle of writing the file of that number."""
    calls, fsync = [], os.fsync

    def press(file):
        calls.append(file)
        if len(calls) == number:
            signal.raise_signal(signal.SIGINT)
        fsync(file)

    monkeypatch.setattr(os, "fsync", press)


def test_ctrl_c_before_the_first_epoch_leaves_the_untrained_model(start, whole, monkeypatch):
    """Pressed while it is saved; the card says so, and a second press changes nothing."""
    for_good = signal.getsignal(signal.SIGINT)
    press_before_file(monkeypatch, 2)
    write_json = files.write_json
    monkeypatch.setattr(
        files, "write_json", lambda *a: (signal.raise_signal(signal.SIGINT), write_json(*a))
    )
    folder, card = start()
    assert signal.getsignal(signal.SIGINT) is for_good
    assert (card["status"], card["epochs_done"], card["test_scores"]) == ("interrupted", 0, {})
    assert card == files.read_card(folder) and not (folder / "history.csv").exists()
    vae = keras.models.load_model(folder / "vae.keras")
    assert_same_weights(vae, keras.models.load_model(whole[1][2] / "vae.keras"))


def test_ctrl_c_in_an_epoch_leaves_the_model_before_it(start, whole, monkeypatch):
    """Encoder and decoder are those of the last whole epoch, too."""
    shown, show = [], train.Follow.on_train_batch_end

    def press(self, batch, logs):
        shown.append(batch)
        if len(shown) == 5:  # the second of epoch 2
            signal.raise_signal(signal.SIGINT)
        show(self, batch, logs)

    monkeypatch.setattr(train.Follow, "on_train_batch_end", press)
    folder, card = start()
    assert len(shown) <= 6
    assert (card["status"], card["epochs_done"]) == ("interrupted", 1)
    assert history(folder) == history(whole[0])[:1]
    assert card == files.read_card(folder)
    vae, encoder, _ = (keras.models.load_model(folder / name) for name in files.MODELS)
    assert int(vae.optimizer.iterations) == 3
    np.testing.assert_array_equal(vae.encoder.get_weights()[0], encoder.get_weights()[0])


@pytest.mark.parametrize("moment", ["scoring", "saving"])
def test_ctrl_c_after_the_last_epoch_leaves_all_of_it(whole, tmp_path, moment, monkeypatch):
    """While it is scored, or its encoder saved: nothing is trained again."""
    monkeypatch.setattr(training, "fit", lambda *_: pytest.fail("it was trained again"))
    folder = tmp_path / "run"
    shutil.copytree(whole[1][2 + 2 * EPOCHS], folder)  # killed before its encoder was saved
    with monkeypatch.context() as patch:
        if moment == "saving":
            press_before_file(patch, 2)
        else:
            evaluate = train.evaluate
            press = lambda *a: (signal.raise_signal(signal.SIGINT), evaluate(*a))[1]  # noqa: E731
            patch.setattr(train, "evaluate", press)
        card = resume(folder)
    assert (card["status"], card["epochs_done"]) == ("interrupted", EPOCHS)
    assert bool(card["test_scores"]) == (moment == "saving")
    resume(folder)
    assert_same_run(folder, whole[0])


def test_processes_that_were_stopped_go_on_to_the_same_place(whole, tmp_path):
    """Real signals to real processes, resumed by others: no bit differs, and nothing is noise."""
    folders = {signal.SIGINT: tmp_path / "interrupted", signal.SIGKILL: tmp_path / "killed"}
    at_work = {
        n: start_program("train", *OPTIONS, "--out", folders[n], "--slowly") for n in folders
    }
    waiting = dict(at_work)
    while waiting:
        time.sleep(0.05)
        for number, process in list(waiting.items()):
            if (folders[number] / "history.csv").exists() or process.poll() is not None:
                waiting.pop(number).send_signal(number)
    (out, err), _ = (process.communicate(timeout=60) for process in at_work.values())
    assert [process.returncode for process in at_work.values()] == [130, -signal.SIGKILL], err
    done = len(history(folders[signal.SIGINT]))
    assert 1 <= done < EPOCHS
    assert f"Interrupted after {done} of 3 epochs" in out
    assert f"model after epoch {done}" in out and "vae-course train --resume" in out
    assert all(line.startswith(("epoch ", "Stopping")) for line in err.split("\n") if line)
    for folder in folders.values():
        status, out, err = call("train", "--resume", "--out", folder)
        assert status == 0 and "score is [" in out, err
        assert all(line.startswith(("epoch ", "scoring: 2 passes")) for line in err.splitlines())
        assert_same_run(folder, whole[0])


def call(*arguments):
    """Call the program in this process; return its exit status, and what it printed to both streams."""
    result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def test_a_loss_that_is_not_finite_stops_the_training_at_once(whole, tmp_path):
    """In its first step: exit status 1, the epoch and the reason; the untrained model is left, and usable."""
    folder = tmp_path / "run"
    status, _, err = call("train", *OPTIONS, "--beta", "1e38", "--out", folder)
    assert status == 1 and "Stopped in epoch 1 of 3" in err and "beta=1e+38" in err
    assert "untrained model" in err and "smaller --beta" in err and "Traceback" not in err
    card = files.read_card(folder)
    assert (card["status"], card["epochs_done"], card["test_scores"]) == ("diverged", 0, {})
    model, _ = load.open_model(folder)
    evaluate.evaluate(model, tiny_digits().x_test, passes=2)
    assert_same_weights(model.encoder, load.load_model(whole[1][2] / "vae.keras").encoder)
    status, _, err = call("train", "--resume", "--out", folder)
    assert status == 1 and "diverged in epoch 1" in err


def test_weights_that_are_spoiled_by_the_last_step_of_an_epoch_are_not_saved(start, monkeypatch):
    """No loss of a batch has shown it yet: the model after the epoch before is kept."""

    def spoil(self, batch, logs=None):
        if self.trained.optimizer.iterations == 6:  # the last step of epoch 2
            bias = self.trained.decoder.layers[-1].bias
            bias.assign(np.full(bias.shape, np.nan))

    monkeypatch.setattr(train.Follow, "on_train_batch_end", spoil)
    folder, card = start()
    assert (card["status"], card["epochs_done"]) == ("diverged", 1)
    model, _ = load.open_model(folder)
    assert all(np.isfinite(weights).all() for weights in model.get_weights())
    assert len(history(folder)) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX can limit the size of a file")
def test_a_full_disk_leaves_the_last_state(whole, tmp_path, monkeypatch):
    """A limit on the size of files stands for it: exit status 1, one message; later, the run goes on."""
    import resource

    limits, begin = resource.getrlimit(resource.RLIMIT_FSIZE), train.Follow.on_epoch_begin

    def fill_disk(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == 1:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

    monkeypatch.setattr(train.Follow, "on_epoch_begin", fill_disk)
    folder = tmp_path / "run"
    try:
        status, _, err = call("train", *OPTIONS, "--out", folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 1 and "vae.keras cannot be written" in err and "Free some disk space" in err
    assert "Traceback" not in err and not list(folder.glob("*unfinished*"))
    assert int(keras.models.load_model(folder / "vae.keras").optimizer.iterations) == 3
    _, card, _ = settings.choose(folder, NOTHING, resume=True)  # it can be gone on with
    assert card["status"] == "running" and history(folder)[:1] == history(whole[0])[:1]


def test_a_folder_in_which_another_process_trains_is_refused(whole, tmp_path):
    """To go on with its run, and to start one there that passed the first look at the folder."""
    folder = tmp_path / "run"
    shutil.copytree(whole[1][4], folder)
    content = (folder / "vae.keras").read_bytes()
    with files.lock(folder):
        status, _, err = call("train", "--resume", "--out", folder)
    assert status == 1 and f"Another process is at work in {folder}" in err
    with pytest.raises(FileExistsError, match="now holds another run.*--out"):
        train.train(folder, SETTINGS, tiny_digits())
    assert (folder / "vae.keras").read_bytes() == content


@pytest.mark.parametrize(
    "error", [MemoryError(), tf.errors.ResourceExhaustedError(None, None, "OOM when allocating")]
)
def test_too_little_memory_is_told_in_one_line(error, tmp_path, monkeypatch):
    """Exit status 1 and the cure, for Python's own error and TensorFlow's."""

    def fail(*args, **options):
        raise error

    monkeypatch.setattr(training, "build", fail)
    status, _, err = call("train", *OPTIONS, "--out", tmp_path / "run")
    assert status == 1 and "not enough memory" in err and "smaller" in err and "OOM" not in err


def test_a_model_of_another_run_is_not_gone_on_with(whole, tmp_path):
    """Another latent_dim, beta or data set, more epochs than planned, no optimizer: refused by name."""
    folder = tmp_path / "run"
    shutil.copytree(whole[1][-1], folder)
    card, data = files.read_card(folder), tiny_digits()
    more = tiny_digits()
    object.__setattr__(more, "x_train", more.x_train[:80].repeat(2, axis=0))  # 5 steps an epoch
    fewer = card | {"recipe": card["recipe"] | {"epochs": 2}}
    for bad_card, bad_data, told in (
        (card | {"latent_dim": 4}, data, "holds another model.* 3.*4"),
        (card | {"beta": 0.25}, data, "holds another model: its beta is 0.5 where 0.25"),
        (card, more, "is not from this run"),
        (fewer, data, "is not from this run: it has seen 3 of 2 epochs"),
    ):
        with pytest.raises(ValueError, match=rf"vae\.keras {told}"):
            train.train(folder, bad_card, bad_data)
    vae = keras.models.load_model(folder / "vae.keras")
    bare = VAE(vae.encoder, vae.decoder, vae.beta)
    bare.save(folder / "vae.keras")
    with pytest.raises(ValueError, match=r"vae\.keras cannot be loaded .*optimizer"):
        train.train(folder, card, data)


def test_a_recipe_of_another_version_is_refused(whole, tmp_path):
    """A setting that is not known is named."""
    card = files.read_card(whole[0])
    with pytest.raises(ValueError, match=r"card\.json.*'momentum'"):
        train.train(tmp_path, card | {"recipe": card["recipe"] | {"momentum": 1}}, tiny_digits())


def test_a_damaged_state_is_refused(whole, tmp_path):
    """Half a file where the model should be: its name is told, and the file is left."""
    folder = tmp_path / "run"
    shutil.copytree(whole[1][-1], folder)
    content = (folder / "vae.keras").read_bytes()
    (folder / "vae.keras").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"vae\.keras is not a model of the course"):
        resume(folder)
    assert json.loads((folder / "card.json").read_text())["status"] == "running"
    assert (folder / "vae.keras").stat().st_size == len(content) // 2
