"""What a training shall do: defaults, contradictions, bad numbers and bad folders, told before it starts."""

import re
import tempfile
from pathlib import Path

import pytest
from test_files import CARD
from tiny import tiny_digits

from vae_course.runs import files, settings

NOTHING = dict.fromkeys(settings.DEFAULTS)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """Work in a folder of the test's own, with blobs for data."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(settings, "load_digits", tiny_digits)
    return tmp_path


@pytest.fixture
def run(here):
    """Give the folder of a run that was killed before its first state."""
    folder = here / "run"
    folder.mkdir()
    card = CARD | {"status": "running", "dataset": "embedded digits"}
    files.write_json(folder / "card.json", card)
    return folder


def test_without_options_it_is_the_fast_recipe_in_a_folder_of_its_own():
    """The folder is named after recipe, latent dimensions and data set; it is not made yet."""
    out, chosen, data = settings.choose(None, NOTHING)
    assert out == Path("build/train/fast-100-digits") and not Path("build").exists()
    expected = {"recipe": "fast", "latent_dim": 100, "beta": 1.0, "seed": 1, "epochs": None}
    assert chosen == expected | files.LECTURES | {"dataset": "digits"}
    assert len(data.x_train) == 96


def test_options_are_taken():
    """Zero is a value: a seed of 0, a beta of 0."""
    wanted = {"recipe": "best", "epochs": 2, "latent_dim": 7, "beta": 0.0, "seed": 0}
    out, chosen, _ = settings.choose(None, NOTHING | wanted)
    assert out == Path("build/train/best-7-digits")
    assert chosen == wanted | files.LECTURES | {"dataset": "digits"}


def test_another_likelihood_has_a_folder_of_its_own():
    """Its name ends the folder's."""
    out, chosen, _ = settings.choose(None, NOTHING | {"likelihood": "bernoulli", "draws": 5})
    assert out == Path("build/train/fast-100-digits-bernoulli")
    assert (chosen["likelihood"], chosen["draws"]) == ("bernoulli", 5)
    with pytest.raises(ValueError, match="likelihood='poisson' is unknown"):
        settings.choose(None, NOTHING | {"likelihood": "poisson"})
    with pytest.raises(ValueError, match="draws=5 needs beta=1"):
        settings.choose(None, NOTHING | {"draws": 5, "beta": 2.0})


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", 0),
        ("epochs", -5),
        ("epochs", 10**12),
        ("latent_dim", 0),
        ("latent_dim", 10**8),
        ("beta", -1.0),
        ("beta", float("nan")),
        ("beta", float("inf")),
        ("beta", 1e39),
        ("seed", -1),
        ("seed", 2**32),
    ],
)
def test_numbers_that_make_no_training_are_refused(name, value, monkeypatch):
    """Before data are looked for; the error names value and cure."""
    monkeypatch.setattr(settings, "load_digits", lambda *_: pytest.fail("data were loaded"))
    with pytest.raises(ValueError, match=rf"{name}={re.escape(str(value))} .*use a"):
        settings.choose(None, NOTHING | {name: value})


@pytest.mark.parametrize("side", [0, 30, 32])
def test_a_side_without_pictures_is_refused(side):
    """Whatever it is."""
    with pytest.raises(ValueError, match="--side is for a new run on your own pictures"):
        settings.choose(None, NOTHING, side=side)


@pytest.mark.parametrize(
    "name, value",
    [
        ("epochs", 1),
        ("epochs", 10_000),
        ("latent_dim", 4096),
        ("beta", 0.0),
        ("beta", 3.4e38),
        ("seed", 2**32 - 1),
    ],
)
def test_numbers_at_the_edge_are_taken(name, value):
    """The ends of the ranges belong to them."""
    assert settings.choose(None, NOTHING | {name: value})[1][name] == value


def test_a_folder_that_holds_something_is_left_alone(here):
    """The error names it; what is in it stays."""
    (here / "mine").mkdir()
    (here / "mine" / "thesis.tex").write_text("x")
    with pytest.raises(FileExistsError, match=r"mine is not empty.*--out\.$"):
        settings.choose(here / "mine", NOTHING)
    assert (here / "mine" / "thesis.tex").read_text() == "x"
    assert [path.name for path in here.iterdir()] == ["mine"]


def test_a_folder_that_holds_a_run_can_be_gone_on_with(run):
    """The error says how; an empty folder is taken."""
    with pytest.raises(FileExistsError, match="run is not empty.*--resume"):
        settings.choose(run, NOTHING)
    (run / "card.json").unlink()
    assert settings.choose(run, NOTHING)[0] == run


def test_a_failed_start_does_not_block_its_own_folder(here):
    """What it leaves is a lock and half a file."""
    (here / ".lock").touch()
    (here / "card.12-ab.unfinished.json").touch()
    assert settings.choose(here, NOTHING)[0] == here


@pytest.mark.parametrize("card, told", [({}, "name the folder of its run"), (CARD, "leave it out")])
def test_pictures_that_no_card_describes_are_refused(card, told):
    """Of a file alone, the cure is its folder."""
    with pytest.raises(ValueError, match=told):
        settings.data_of(card, "cats")


def test_a_run_that_diverged_is_not_gone_on_with(run):
    """It would diverge again: the epoch and the cure are named."""
    card = files.read_card(run)
    for name in files.MODELS:
        (run / name).write_bytes(name.encode())
    files.write_json(run / "card.json", card | {"status": "diverged", "epochs_done": 2})
    with pytest.raises(ValueError, match="diverged in epoch 3.*smaller --beta"):
        settings.choose(run, NOTHING, resume=True)


def test_the_default_folder_is_looked_at_as_well():
    """A second run of the same name does not overwrite the first."""
    folder = Path("build/train/fast-100-digits")
    folder.mkdir(parents=True)
    (folder / "vae.keras").touch()
    with pytest.raises(FileExistsError, match="fast-100-digits is not empty"):
        settings.choose(None, NOTHING)


@pytest.mark.parametrize("below", [(), ("sub",), ("sub", "deeper")])
def test_a_file_in_the_way_is_refused(here, below, monkeypatch):
    """Neither the file nor a path below it can be a folder; data are not looked for."""
    (here / "file").write_text("x")
    monkeypatch.setattr(settings, "load_digits", lambda *_: pytest.fail("data were loaded"))
    with pytest.raises(OSError, match="Nothing can be written to .*file.*another folder"):
        settings.choose(here.joinpath("file", *below), NOTHING)
    assert (here / "file").read_text() == "x"


def test_a_folder_that_cannot_be_written_is_refused(here, run, monkeypatch):
    """For a new run as for an old one, with the system's reason."""

    def refuse(dir):
        raise PermissionError(13, "Permission denied", str(dir))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match=r"new \(Permission denied\)"):
        settings.choose(here / "new", NOTHING)
    with pytest.raises(OSError, match=r"run \(Permission denied\)"):
        settings.choose(run, NOTHING, resume=True)


def test_an_old_run_goes_on_by_its_card(run, monkeypatch):
    """No option is needed; those that say the same, and a data set "auto", are no contradiction."""
    monkeypatch.setenv("VAE_COURSE_DATASET", "mnist")  # no option: the card wins
    out, card, data = settings.choose(run, NOTHING, resume=True)
    assert out == run and card["latent_dim"] == 2 and data.name == "embedded digits"
    same = {"recipe": "fast", "epochs": 3, "latent_dim": 2, "beta": 1.0, "seed": 1}
    settings.choose(run, same | {"dataset": "digits"}, resume=True)
    settings.choose(run, same | {"dataset": "auto"}, resume=True)


def test_an_old_run_is_found_by_the_options_of_a_new_one(run):
    """Without --out, the default folder of those options."""
    folder = Path("build/train/fast-2-digits")
    folder.parent.mkdir(parents=True)
    run.rename(folder)
    assert settings.choose(None, NOTHING | {"latent_dim": 2}, resume=True)[0] == folder


@pytest.mark.parametrize(
    "name, value, told",
    [
        ("recipe", "best", "--recipe best .*says fast"),
        ("dataset", "mnist", "--dataset mnist .*says digits"),
        ("epochs", 4, "--epochs 4 .*says 3"),
        ("latent_dim", 3, "--latent-dim 3 .*says 2"),
        ("beta", 0.0, r"--beta 0\.0 .*says 1\.0"),
        ("seed", 0, "--seed 0 .*says 1"),
    ],
)
def test_an_option_that_contradicts_the_card_is_refused(run, name, value, told):
    """Both values are named."""
    with pytest.raises(ValueError, match=told):
        settings.choose(run, NOTHING | {name: value}, resume=True)


def test_a_complete_run_needs_no_data(run, monkeypatch):
    """But its files have to be those of the card."""
    card = files.read_card(run) | {"status": "complete"}
    files.write_json(run / "card.json", card)
    monkeypatch.setattr(settings, "load_digits", lambda *_: pytest.fail("data were loaded"))
    with pytest.raises(FileNotFoundError, match=r"vae\.keras is missing"):
        settings.choose(run, NOTHING, resume=True)
    for name in files.MODELS:
        (run / name).write_bytes(name.encode())
    assert settings.choose(run, NOTHING, resume=True) == (run, card, None)
