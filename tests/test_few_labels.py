"""The comparison of classifiers with few labels: its choices, its best forms, and its tables."""

import csv

import numpy as np
import pytest
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
    """Let the benchmark compare two kinds of vectors on blobs, with hardly any training."""
    makers = {
        "pixels": lambda images: images.reshape(-1, 784),
        "vae-100-digits": lambda images: images.mean(axis=(2, 3)),
    }
    monkeypatch.setattr(few_labels, "feature_makers", lambda dataset, data: makers)
    monkeypatch.setattr(few_labels, "load_digits", tiny_digits)
    monkeypatch.setattr(few_labels, "ALL_WAYS", 20)
    monkeypatch.setattr(few_labels, "CLASSIFIERS", [(SVC(), {"C": [1]})])
    for name, value in (("STEPS", 2), ("EPOCHS", 1), ("COPIES", 2), ("CHOICES", 2)):
        monkeypatch.setattr(few_labels, name, value)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    return tmp_path / "few-labels-digits.csv"


def test_every_way_is_measured_once(small, monkeypatch):
    """Eight rows where all ways are compared, four elsewhere; a second run adds none."""
    few_labels.main("digits", "20", "30")
    table = pretrained.table("few-labels-digits")
    counted = [(row["labels"], row["choice"]) for row in table]
    assert counted == [(20, 0)] * 8 + [(20, 1)] * 8 + [(30, 0)] * 4 + [(30, 1)] * 4
    assert len({tuple(list(row.values())[:4]) for row in table}) == len(table)
    assert all(0 <= row["accuracy"] <= 1 for row in table)
    assert all((row["validation"] is None) == (row["method"] != "selected") for row in table)
    monkeypatch.setattr(few_labels, "measure", lambda *args: pytest.fail("measured again"))
    before = small.read_bytes()
    few_labels.main("digits", "20", "30")
    assert small.read_bytes() == before


@pytest.mark.parametrize("dataset", ["mnist", "digits"])
def test_the_shipped_table_is_what_the_benchmark_writes(dataset):
    """Its columns, its features, each way as often as the others, and all ways with 100."""
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
        assert len(ways) == (12 if count == few_labels.ALL_WAYS else 6)
