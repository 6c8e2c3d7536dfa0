"""Shipped models: whole, held to their cards, and refused when damaged."""

import dataclasses
import io
import json
import shutil
import subprocess
import sys
import warnings

import keras
import numpy as np
import pytest
from tiny import tiny_digits

from vae_course import pretrained, training
from vae_course.data import load_digits
from vae_course.mnist import check_mnist
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.runs import evaluate, ship

NAMES = pretrained.NAMES


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let checkpoints live in a folder of the test's own."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path / "trained")
    return tmp_path / "trained"


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_is_what_its_name_and_card_say(name):
    """Kind, latent dimensions, data set, recipe, parameters and one loss for each epoch."""
    model, card = pretrained.load(name)
    kind, latent_dim, dataset, *likelihood = name.split("-")
    assert type(model) is {"ae": Autoencoder, "vae": VAE}[kind]
    if kind == "vae":
        assert (
            model.likelihood
            == (likelihood or ["gaussian"])[0]
            == card.get("likelihood", "gaussian")
        )
    assert model.decoder.input_shape == (None, int(latent_dim))
    assert card["dataset"] == {"mnist": "MNIST", "digits": "embedded digits"}[dataset]
    recipe = training.find(ship.RECIPES[int(latent_dim)], card["dataset"])
    assert card["recipe"] == dataclasses.asdict(recipe)
    assert card["parameters"] == model.count_params()
    assert len(card["history"]["val_loss"]) == card["recipe"]["epochs"]
    assert card["command"] == f"python -m vae_course.runs.ship {name}"


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_model_scores_what_its_card_says(name):
    """Evaluated anew, with the same noise; on MNIST with two passes, which take seconds, not ten."""
    dataset = name.split("-")[2]
    if dataset == "mnist" and not any(status.ok for status in check_mnist()):
        pytest.skip("MNIST is not here: fetch it with `vae-course data`")
    model, card = pretrained.load(name)
    passes, tolerance = (2, 4e-3) if dataset == "mnist" else (10, 2e-3)
    x_test = training.binarized(model, load_digits(dataset).x_test)
    scores = evaluate.evaluate(model, x_test, passes)
    assert scores.keys() == card["test_scores"].keys() == card["test_spread"].keys()
    for key, (mean, _) in scores.items():
        most = {"abs": 1} if key == "active_units" else {"rel": tolerance}
        assert mean == pytest.approx(card["test_scores"][key], **most), key


def test_the_shipped_files_stay_small():
    """All of them together: at most 8 MB."""
    files = list(pretrained.FOLDER.iterdir())
    measured = {f"recipes-{dataset}.json" for dataset in ("mnist", "digits")}
    names = {f"{name}.{kind}" for name in NAMES for kind in ("keras", "json")}
    sweeps = {
        f"beta-sweep-{dataset}.{k}"
        for dataset in ("mnist", "digits")
        for k in ("csv", "npz", "yaml")
    }
    tables = {
        f"{start}-{dataset}.csv"
        for start in ("few-labels", "bias")
        for dataset in ("mnist", "digits")
    }
    tables |= {"alarm.csv", "alarm-others.csv", "likelihood-mnist.csv", "own-pictures.csv"}
    assert {file.name for file in files} == names | measured | sweeps | tables
    assert sum(file.stat().st_size for file in files) <= 8_000_000


def test_training_saving_and_loading_lead_to_the_same_model(folder):
    """What `ship` writes, `load` verifies and gives back, ready to be evaluated."""
    data = tiny_digits()
    written = ship.ship("vae-2-digits", data, epochs=2)
    with warnings.catch_warnings(action="error"):  # as of an optimizer's state that was left behind
        loaded, card = pretrained.load("vae-2-digits")
    assert card == written
    assert card["seed"] == 1 and card["recipe"]["epochs"] == 2 and card["seconds"] > 0
    model, history = training.train("map", data, latent_dim=2, epochs=2)
    for ours, theirs in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert card["history"]["val_loss"] == pytest.approx(history["val_loss"], rel=1e-5)
    loss = loaded.evaluate(data.x_test, verbose=0, return_dict=True)["loss"]
    assert loss == pytest.approx(card["test_scores"]["loss"], rel=0.05)
    assert sorted(p.name for p in folder.iterdir()) == ["vae-2-digits.json", "vae-2-digits.keras"]


def test_loading_needs_nothing_that_trains_scores_or_saves(tmp_path):
    """A fresh process loads a shipped model, and a file of the reader's own, with the models alone."""
    vae = VAE(build_encoder(2), build_decoder(2), beta=0.5)
    vae.save(tmp_path / "vae.keras")
    code = (
        "import sys, keras\nfrom vae_course import pretrained\n"
        "pretrained.load('ae-2-digits')\nloaded = keras.models.load_model(sys.argv[1])\n"
        "print(type(loaded).__name__, loaded.beta, *sorted(m for m in sys.modules if 'vae_course' in m))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "vae.keras")]
    words = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    modules = {"vae_course"} | {
        f"vae_course.{m}" for m in ("pretrained", "models", "losses", "checks")
    }
    assert words[:2] == ["VAE", "0.5"] and set(words[2:]) == modules


@pytest.mark.parametrize("name", ["ae-2-digits.json", "ae-2-digits.keras"])
def test_a_missing_file_is_named_with_the_command_that_rebuilds_it(name, folder):
    """An installation that lost a file tells how to get it back."""
    shutil.copytree(pretrained.Path(pretrained.__file__).with_name("trained"), folder)
    (folder / name).unlink()
    with pytest.raises(
        ValueError, match=rf"{name} is missing.*python -m vae_course\.runs\.ship ae-2"
    ):
        pretrained.load("ae-2-digits")


def test_a_damaged_file_is_refused_before_it_is_read(folder, monkeypatch):
    """One byte changed: the digest differs, and Keras never sees the file."""
    shutil.copytree(pretrained.Path(pretrained.__file__).with_name("trained"), folder)
    path = folder / "ae-2-digits.keras"
    content = bytearray(path.read_bytes())
    content[5000] ^= 1
    path.write_bytes(content)
    monkeypatch.setattr(keras.models, "load_model", lambda path: pytest.fail("it was read"))
    with pytest.raises(ValueError, match=r"ae-2-digits\.keras is .*damaged.*Retrain it"):
        pretrained.load("ae-2-digits")


@pytest.mark.parametrize("content", ["", "{}", "[]", {"recipe": {}}, {"dataset": 1}])
def test_a_damaged_card_is_refused(content, folder):
    """Not JSON, or JSON without a digest, or without what is read of it later."""
    shutil.copytree(pretrained.Path(pretrained.__file__).with_name("trained"), folder)
    if isinstance(content, dict):
        content = json.dumps(json.loads((folder / "ae-2-digits.json").read_text()) | content)
    (folder / "ae-2-digits.json").write_text(content)
    with pytest.raises(ValueError, match=r"ae-2-digits\.json is .*damaged.*Retrain it"):
        pretrained.load("ae-2-digits")


@pytest.mark.parametrize("call", [pretrained.load, lambda name: ship.ship(name, None)])
def test_an_unknown_name_is_refused(call):
    """The error names those that exist."""
    with pytest.raises(ValueError, match="vae-7-mnist.*vae-100-mnist"):
        call("vae-7-mnist")


@pytest.mark.parametrize("content", [None, "", "[]", '{"steps": []}'])
def test_measurements_that_are_missing_or_damaged_are_named_with_their_command(content, folder):
    """As for a model."""
    folder.mkdir()
    if content is not None:
        (folder / "recipes-mnist.json").write_text(content)
    with pytest.raises(ValueError, match=r"recipes-mnist\.json.*damaged.*benchmarks\.ladder"):
        pretrained.measured("mnist")
    with pytest.raises(ValueError, match="'fashion' was not measured: choose mnist or digits"):
        pretrained.measured("fashion")


def test_a_sweep_that_is_missing_or_damaged_is_told_with_the_cure(tmp_path, monkeypatch):
    """A file that is not there, an empty table, half a table, half an archive."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    path = tmp_path / "beta-sweep-mnist.csv"
    np.savez(whole := io.BytesIO(), beta=1)
    for table, pictures in (
        (None, None),
        ("beta,seed\n", whole.getvalue()),
        ("beta,seed\n1", b""),
        ("beta,seed\n1,2", b"PK half"),
    ):
        if table:
            path.write_text(table)
            path.with_suffix(".npz").write_bytes(pictures)
        with pytest.raises(ValueError, match=r"beta-sweep-mnist\.csv.*ship beta-sweep-mnist"):
            pretrained.beta_sweep("mnist")


TABLES = {
    "alarm": "beyond_digits alarm",
    "alarm-others": "other_alarms --aeon WHEEL --sktime WHEEL",
    "bias-digits": "beyond_digits bias-digits",
    "few-labels-mnist": "few_labels mnist",
    "own-pictures": "own_pictures",
    "likelihood-mnist": "likelihood NETWORK SEED",
}
DAMAGED = {
    None: "No such file",
    "": "it has no rows",
    "method,found\n": "it has no rows",
    "method,found\nPCA,many\n": "Expecting value",
    "method,found\nPCA,1\nPCA\n": "line 3 has 1 of 2 columns",
    "method,found\nPCA,1,2\n": "line 2 has 3 of 2 columns",
}


@pytest.mark.parametrize("name", TABLES)
def test_a_table_that_is_missing_or_damaged_is_told_with_the_cure(name, tmp_path, monkeypatch):
    """No file, an empty one, a cell that is no number, a row that is too short or too long."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    for table, why in DAMAGED.items():
        if table is not None:
            (tmp_path / f"{name}.csv").write_text(table)
        told = rf"{name}\.csv is missing or damaged \(.*{why}.*benchmarks\.{TABLES[name]}$"
        with pytest.raises(ValueError, match=told):
            pretrained.table(name)


@pytest.mark.parametrize("name", ["alarms", "few-labels", "beta-sweep-mnist", "../alarm"])
def test_an_unknown_table_is_refused(name):
    """The error names those that exist."""
    with pytest.raises(ValueError, match=rf"no table '{name}'.*few-labels-mnist.*alarm-others"):
        pretrained.table(name)


def test_every_shipped_table_can_be_read_and_has_the_line_ends_of_the_others():
    """As it was written, not as one system or the other ends its lines."""
    for path in pretrained.FOLDER.glob("*.csv"):
        assert b"\r" not in path.read_bytes(), path.name
        assert pretrained.read_rows(path)


def test_a_table_has_numbers_texts_and_gaps(tmp_path, monkeypatch):
    """As its columns say, also where a text looks like a number."""
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    (tmp_path / "alarm.csv").write_text("method,found,delay\n12,0.5,\nPCA,3,1\n")
    first, second = pretrained.table("alarm")
    assert first == {"method": "12", "found": 0.5, "delay": None}
    assert second == {"method": "PCA", "found": 3, "delay": 1}


def test_the_alarms_add_up():
    """Each method has all premature beats in its three thirds, and finds no more than there are."""
    rows = pretrained.table("alarm")
    methods = {row["method"] for row in rows}
    assert {"VAE, error", "VAE, -log p(x)", "nearest window"} < methods
    for method in methods:
        runs = [row for row in rows if row["method"] == method]
        assert len(runs) == (9 if "VAE" in method else 3)
        assert sum(row["beats"] for row in runs) == 114 * len(runs) / 3
        assert all(row["found"] <= row["beats"] and row["false"] >= 0 for row in runs)
        assert sum(row["hours"] for row in runs) == pytest.approx(0.5 * len(runs) / 3, rel=0.01)


def test_the_alarms_on_other_series_add_up():
    """Every method on every series, errors where there are seeds, and shares that fit the counts."""
    rows = pretrained.table("alarm-others")
    anomalies = {"InternalBleeding16": 1, "mitdb": 1, "ecg-diff-count-3": 3}
    assert {row["series"]: row["anomalies"] for row in rows} == anomalies
    for row in rows:
        assert row["seeds"] == (3 if "VAE" in row["method"] else 1)
        assert (row["false_error"] is None) == (row["seeds"] == 1)
        assert row["found"] <= row["anomalies"] and row["false"] >= 0 and 0 <= row["ringing"] <= 1
        assert (row["delay"] is None) == (row["found"] == 0)
        if row["seeds"] == 1 and row["true"] + row["false"]:
            share = row["true"] / (row["true"] + row["false"])
            assert row["precision"] == pytest.approx(share, abs=1e-4)
    methods = {name: [r["method"] for r in rows if r["series"] == name] for name in anomalies}
    assert {len(set(names)) for names in methods.values()} == {9, 10}  # one z-score is too long


@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_the_biases_are_possible(dataset):
    """Five seeds for each direction, redness from -2 to 2, and shares from 0 to 1."""
    rows = pretrained.table(f"bias-{dataset}")
    assert len({row["direction"] for row in rows}) == 3 and len(rows) == 15
    assert all(abs(row["shift"]) <= 2 and 0 <= row["becomes"] <= 1 for row in rows)


def test_the_likelihoods_have_their_seeds_and_the_papers_protocol():
    """Three seeds of the networks that are held against the papers, 5,000 draws, all test images."""
    rows = pretrained.table("likelihood-mnist")
    seeds = [(row["network"], row["seed"]) for row in rows]
    several = [(name, seed) for name in ("lecture", "wide") for seed in (1, 2, 3)]
    assert sorted(seeds) == sorted([*several, ("short", 1), ("weighted", 1)])
    assert {(row["draws"], row["images"]) for row in rows} == {(5000, 10_000)}
