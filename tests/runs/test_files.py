"""The folder of a training run: whole files, honest cards, and damage that is named."""

import hashlib
import json
import os
from types import SimpleNamespace

import pytest

from vae_course.atomic import write_rows
from vae_course.runs import files

ROWS = [{"epoch": n, "seconds": 1.5, "loss": 10.1 / n, "val_loss": 11.3 / n} for n in (1, 2, 3)]
CARD = {
    "status": "complete",
    "epochs_done": 3,
    "resumed": 0,
    "passes": 10,
    "seconds": 4.5,
    "dataset": "MNIST",
    "latent_dim": 2,
    "beta": 1.0,
    "seed": 1,
    "recipe": {"name": "fast", "epochs": 3, "learning_rate": 0.006},
    "test_scores": {"loss": 36.5, "mse": 0.04},
    "test_spread": {"loss": 0.1, "mse": 0.001},
    "sha256": {name: hashlib.sha256(name.encode()).hexdigest() for name in files.MODELS},
}


OWN = {"source": "cats", "side": 16, "channels": 3, "digest": "ab"}
GONE = object()


@pytest.fixture
def folder(tmp_path):
    """Give a folder with the card and files that stand for models."""
    files.write_json(tmp_path / "card.json", CARD)
    for name in files.MODELS:
        (tmp_path / name).write_bytes(name.encode())
    write_rows(tmp_path / "history.csv", ROWS)
    return tmp_path


def test_only_one_process_at_a_time_has_a_folder(tmp_path):
    """A second one is refused by name; afterwards the folder is free, and what a kill left is cleaned up."""
    with files.lock(tmp_path):
        (tmp_path / "vae.12-ab.unfinished.keras").touch()
        with pytest.raises(
            BlockingIOError, match=rf"Another process is at work in {tmp_path}.*--out"
        ):
            with files.lock(tmp_path):
                pytest.fail("two have it")
        assert (tmp_path / "vae.12-ab.unfinished.keras").exists()
    with files.lock(tmp_path):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_page_that_another_process_writes_into_the_folder_stays(tmp_path):
    """`vae-course explore` does not lock it."""
    (tmp_path / "explore.12-ab.unfinished.html").touch()
    with files.lock(tmp_path):
        assert (tmp_path / "explore.12-ab.unfinished.html").exists()


@pytest.mark.skipif(os.name == "nt", reason="locks of POSIX")
def test_a_disk_without_locks_is_told(tmp_path, monkeypatch):
    """As over some networks: folder, reason and cure."""

    def fail(*_):
        raise OSError(37, "No locks available")

    monkeypatch.setattr(files.fcntl, "flock", fail)
    with pytest.raises(OSError, match=rf"{tmp_path} cannot be locked \(No locks.*--out"):
        with files.lock(tmp_path):
            pytest.fail("it was locked")


def test_a_digest_is_that_of_the_content(tmp_path):
    """SHA-256 of "abc", from FIPS 180-2, appendix B.1."""
    (tmp_path / "file").write_bytes(b"abc")
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert files.sha256(tmp_path / "file") == expected


@pytest.mark.parametrize("beta, kind", [(0.5, "vae"), (None, "ae")])
def test_a_card_tells_model_versions_and_scores(beta, kind):
    """Means and spread apart, six digits."""
    model = SimpleNamespace(decoder=SimpleNamespace(input_shape=(None, 7)), count_params=lambda: 42)
    if beta is not None:
        model.beta = beta
    scores = {"loss": (28.2170208, 0.0123456789), "mse": (0.0201234567, 0.0)}
    card = files.describe(model, scores)
    assert card["kind"] == kind and card["beta"] == beta
    assert (card["latent_dim"], card["parameters"]) == (7, 42)
    assert set(card["versions"]) == {"python", "keras", "tensorflow", "numpy"}
    assert card["test_scores"] == {"loss": 28.217, "mse": 0.0201235}
    assert card["test_spread"] == {"loss": 0.0123457, "mse": 0.0}
    json.dumps(card, allow_nan=False)


def test_a_card_is_read_as_it_was_written(folder):
    """And the files that it names are accepted; an older card means the lecture's likelihood."""
    assert files.read_card(folder) == CARD | {"likelihood": "gaussian", "draws": 1}


def test_a_folder_without_a_card_is_no_run(tmp_path):
    """The error names the folder and what to do."""
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path} holds no run.*leave out --resume"):
        files.read_card(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"status": "asleep"},
        {"dataset": "CIFAR"},
        {"dataset": ["MNIST"]},
        {"seed": None},
        {"seed": "one"},
        {"beta": -1},
        {"latent_dim": 10**8},
        {"recipe": "fast"},
        {"recipe": {"name": "fast"}},
        {"recipe": CARD["recipe"] | {"learning_rate": "small"}},
        {"sha256": {}},
        {"resumed": "once"},
        {"epochs_done": [3]},
        {"seconds": True},
        {"test_scores": {"loss": 36.5}},
        {"test_spread": None},
        {"products": "float8"},
        {"dataset": None, "pictures": OWN},
        {"pictures": OWN | {"side": "16"}},
        *({key: GONE} for key in CARD),
    ],
)
def test_a_damaged_card_is_refused(folder, change):
    """The error names the file and how to start anew."""
    card = {key: value for key, value in (CARD | change).items() if value is not GONE}
    files.write_json(folder / "card.json", card)
    with pytest.raises(ValueError, match=r"card\.json is damaged.*--out"):
        files.read_card(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", '"card"', "{}", "\x00"])
def test_a_card_that_is_no_card_is_refused(folder, text):
    """Half a file, or something else."""
    (folder / "card.json").write_text(text)
    with pytest.raises(ValueError, match=r"card\.json is damaged"):
        files.read_card(folder)


@pytest.mark.parametrize("name", files.MODELS)
@pytest.mark.parametrize("status", ["complete", "interrupted"])
def test_a_model_that_is_missing_or_another_is_refused(folder, name, status):
    """One byte changed, or no file: its name is told."""
    files.write_json(folder / "card.json", CARD | {"status": status})
    (folder / name).write_bytes(b"Vae.keras")
    with pytest.raises(ValueError, match=rf"{name} is damaged: its digest"):
        files.read_card(folder)
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"{name} is missing"):
        files.read_card(folder)


def test_a_killed_run_needs_its_model_only_once_an_epoch_is_over(folder):
    """Killed before the first state was written, it starts from nothing; later, a loss is told."""
    files.write_json(folder / "card.json", CARD | {"status": "running"})
    (folder / "encoder.keras").unlink()
    files.read_card(folder)
    (folder / "vae.keras").unlink()
    with pytest.raises(FileNotFoundError, match=r"vae\.keras is missing"):
        files.read_card(folder)
    (folder / "history.csv").unlink()
    files.read_card(folder)


def test_a_history_is_read_to_the_last_digit(folder):
    """Numbers survive the way through text; a row too many is cut."""
    assert files.read_history(folder, 3) == ROWS
    assert files.read_history(folder, 2) == ROWS[:2]
    assert files.read_history(folder, 0) == []


@pytest.mark.parametrize(
    "text",
    ["", "epoch,loss\n1,2\n", "epoch,loss\n1,a\n2,3\n", "a,b\n1,2\n3,4\n", "epoch,loss\n1,2\n\x00"],
)
def test_a_history_that_lacks_epochs_or_numbers_is_refused(folder, text):
    """The error names the file."""
    (folder / "history.csv").write_text(text)
    with pytest.raises(ValueError, match=r"history\.csv is (missing or )?damaged.*--out"):
        files.read_history(folder, 2)


def test_a_missing_history_is_refused(folder):
    """It cannot be made anew."""
    (folder / "history.csv").unlink()
    with pytest.raises(ValueError, match=r"history\.csv is missing"):
        files.read_history(folder, 1)
