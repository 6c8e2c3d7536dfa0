"""The comparison of classifiers with few labels: its choices, its best forms, and its tables."""

import csv

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.svm import SVC
from tiny import tiny_digits

from benchmarks import few_labels
from vae_course import pretrained


def test_as_many_images_of_each_digit_are_labelled():
    """Different images each time, the same ones for the same seed."""
    labels = np.random.default_rng(0).integers(0, 10, 500)
    first, again, other = (few_labels.choose_labelled(labels, 30, choice) for choice in (0, 0, 1))
    assert np.bincount(labels[first]).tolist() == [3] * 10
    assert len(set(first)) == 30
    assert first.tolist() == again.tolist() != other.tolist()


def test_what_cross_validation_prefers_is_selected():
    """Rings around each other defeat every straight line, so a classifier with curves wins."""
    rng = np.random.default_rng(0)
    angle, labels = rng.uniform(0, 2 * np.pi, 200), np.arange(200) % 2
    radius = 1 + 2 * labels + 0.1 * rng.standard_normal(200)
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    best = few_labels.select(x[:100], labels[:100])
    assert best.best_score_ > 0.95
    assert best.score(x[100:], labels[100:]) > 0.95


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Let the benchmark compare four kinds of vectors on blobs, with hardly any training."""
    makers = {
        "pixels": lambda images: images.reshape(-1, 784),
        "pca-20": lambda images: images.mean(axis=(1, 3)),
        "pca-50": lambda images: images.mean(axis=(2, 3)),
        "vae-100-digits": lambda images: images.mean(axis=(2, 3)),
    }
    monkeypatch.setattr(few_labels, "list_features", lambda dataset: list(makers))
    monkeypatch.setattr(few_labels, "find_features", lambda name, data: makers[name])
    monkeypatch.setattr(few_labels, "load_digits", tiny_digits)
    monkeypatch.setattr(few_labels, "ALL_WAYS", 20)
    monkeypatch.setattr(few_labels, "CLASSIFIERS", [(SVC(), {"C": [1]})])
    for name, value in (("STEPS", 2), ("EPOCHS", 1), ("COPIES", 2), ("CHOICES", 2)):
        monkeypatch.setattr(few_labels, name, value)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    return tmp_path / "few-labels-digits.csv"


def compare(*arguments):
    """Run the command, and return its exit code and what it printed."""
    outcome = CliRunner().invoke(few_labels.main, list(arguments))
    return outcome.exit_code, outcome.output


def test_what_is_missing_is_measured_once(small, monkeypatch):
    """Twelve rows where all ways are compared, seven elsewhere; a second run adds only what was lost."""
    assert compare("digits", "20", "30")[0] == 0
    table = pretrained.table("few-labels-digits")
    counted = [(row["labels"], row["choice"]) for row in table]
    assert counted == [(20, 0)] * 12 + [(20, 1)] * 12 + [(30, 0)] * 7 + [(30, 1)] * 7
    assert len({tuple(list(row.values())[:4]) for row in table}) == len(table)
    assert all(0 <= row["accuracy"] <= 1 for row in table)
    for row in table:
        by_validation = row["method"] == "selected" or row["features"].startswith("pca-")
        assert (row["validation"] is not None) == by_validation
    measured, measure = [], few_labels.measure
    monkeypatch.setattr(
        few_labels, "measure", lambda *args: measured.append(args[3:]) or measure(*args)
    )
    before = small.read_text()
    lost = next(
        line for line in before.splitlines(True) if line.startswith("20,1,pca-50,spreading")
    )
    small.write_text(before.replace(lost, ""))
    assert compare("digits", "20", "30")[0] == 0
    assert measured == [(("pca-50", "spreading"), 20, 1)]
    assert sorted(small.read_text().splitlines(True)) == sorted(before.splitlines(True))


@pytest.mark.parametrize(
    "arguments, words",
    [
        ([], "Missing argument"),
        (["letters"], "'letters' is not one of 'mnist', 'digits'"),
        (["digits", "many"], "'many' is not a valid integer"),
        (["digits", "10"], "10 labels are not 20, 30, 40"),
        (["digits", "20", "25"], "25 labels are not 20, 30, 40"),
        (["digits", "100"], "embedded digits has no more than 90 labels"),
    ],
)
def test_a_bad_argument_is_told_in_one_line(small, arguments, words):
    """Before anything is measured."""
    status, output = compare(*arguments)
    assert status == 2 and words in output and "Traceback" not in output and not small.exists()


def test_labels_spread_to_their_neighbours():
    """Two blobs: the rest of each follows its labels, and cross-validation sees whether they make sense."""
    rng = np.random.default_rng(0)
    labels = np.arange(400) % 2
    x = rng.standard_normal((400, 2)) + 6 * labels[:, None]
    spreading = few_labels.spread(x[:20], labels[:20], x[20:200])
    assert spreading.score(x[200:], labels[200:]) > 0.98
    assert few_labels.validate_spreading(x[:20], labels[:20], x[20:]) == 1
    shuffled = np.tile([0, 0, 1, 1], 5)
    assert few_labels.validate_spreading(x[:20], shuffled, x[20:]) < 0.8


@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_the_shipped_table_is_what_the_benchmark_writes(dataset):
    """Its columns, each way as often as the others, and no way more or less than it compares."""
    table = pretrained.table(f"few-labels-{dataset}")
    with open(pretrained.FOLDER / f"few-labels-{dataset}.csv", newline="") as file:
        assert tuple(next(csv.reader(file))) == few_labels.COLUMNS
    counts = sorted({row["labels"] for row in table})
    assert set(counts) <= set(few_labels.LABELS[dataset]) and few_labels.ALL_WAYS in counts
    for count in counts:
        here = [row for row in table if row["labels"] == count]
        ways = {(row["features"], row["method"]) for row in here}
        choices = {row["choice"] for row in here}
        assert len(here) == len(ways) * len(choices)
        assert ways == set(few_labels.list_ways(few_labels.list_features(dataset), count))
