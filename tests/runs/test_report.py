"""What is printed: the lecture's score beside ours, and what cannot be compared said so."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from vae_course.runs import report

OWN = {"source": "/a", "side": 64, "channels": 3, "digest": "0" * 64}
CARD = {
    "status": "complete",
    "epochs_done": 14,
    "dataset": "MNIST",
    "latent_dim": 100,
    "beta": 1.0,
    "seconds": 412.3,
    "passes": 10,
    "recipe": {"name": "fast", "epochs": 14},
    "test_scores": {"loss": 28.1234, "mse": 0.0201234},
    "test_spread": {"loss": 0.0321, "mse": 0.0000456},
}
SCORE = {"mean": 28.1234, "spread": 0.03, "expected": (26.9, 28.6), "verdict": "within"}
REPORT = {
    "dataset": "MNIST",
    "images": 10000,
    "trained_on": "MNIST",
    "kind": "vae",
    "latent_dim": 100,
    "beta": 1.0,
    "passes": 10,
    "scores": {
        "loss": SCORE,
        "reconstruction": SCORE | {"mean": 16.4, "expected": (14.5, 16), "verdict": "worse"},
        "mse": SCORE | {"mean": 0.0201234, "spread": 0.0000456, "expected": (0.0185, 0.0223)},
        "active_units": {"mean": 2.0, "spread": 0.0, "expected": (2, 2), "verdict": "within"},
    },
    "note": "",
    "yardsticks": {"mean_image": 52.8964},
}


def test_a_score_stands_beside_the_lectures():
    """[loss, mse] as the lecture prints it, on a named data set; nothing warns where all is equal."""
    text = report.of_training(CARD, Path("out"))
    assert "score is [28.123, 0.02012], the mean of 10 passes over the test set of MNIST" in text
    assert "+- [0.032, 0.00005]" in text
    assert "[28.217, 0.01979] on MNIST, latent_dim 100, beta 1, after 50 epochs" in text
    assert "cannot be compared" not in text


@pytest.mark.parametrize(
    "change, told",
    [
        ({"dataset": "embedded digits"}, "embedded digits, latent_dim 100, beta 1."),
        ({"latent_dim": 2}, "MNIST, latent_dim 2, beta 1."),
        ({"beta": 0.5}, "MNIST, latent_dim 100, beta 0.5."),
        ({"likelihood": "bernoulli"}, "MNIST, latent_dim 100, beta 1, likelihood bernoulli."),
        ({"draws": 5}, "MNIST, latent_dim 100, beta 1, draws 5."),
    ],
)
def test_what_cannot_be_compared_is_said_to_be(change, told):
    """Another data set, latent_dim, beta or likelihood."""
    text = report.of_training(CARD | change, Path("out"))
    assert f"These two cannot be compared: this run is on {told}" in text


states = pytest.mark.parametrize(
    "done, state", [(0, "the untrained model"), (3, "the model after epoch 3")]
)


@states
def test_an_interrupted_run_says_what_there_is_and_how_to_go_on(done, state):
    """No score, but a command."""
    card = CARD | {"status": "interrupted", "epochs_done": done, "test_scores": {}}
    text = report.of_training(card, Path("my run"))
    assert f"Interrupted after {done} of 14 epochs" in text
    assert f"{Path('my run', 'vae.keras')} is {state}" in text
    assert 'vae-course train --resume --out "my run"' in text and "score" not in text


@states
def test_a_run_that_diverged_says_when_and_why_and_what_is_left(done, state):
    """The epoch, beta and the learning rate, and the cure."""
    recipe = CARD["recipe"] | {"learning_rate": 0.006}
    card = CARD | {"status": "diverged", "epochs_done": done, "beta": 1e38, "recipe": recipe}
    text = report.of_training(card, Path("out"))
    assert f"Stopped in epoch {done + 1} of 14" in text and "beta=1e+38" in text and "0.006" in text
    assert f"{Path('out', 'vae.keras')} is {state}" in text and "smaller --beta" in text


def test_scores_are_set_in_a_table():
    """Mean, spread, range and verdict in a row; one value for a range without width."""
    text = report.of_scores(REPORT)
    rows = [" ".join(line.split()) for line in text.splitlines()]
    assert "loss 28.123 0.030 26.9 to 28.6 within" in rows
    assert "reconstruction 16.400 0.030 14.5 to 16 worse" in rows
    assert "MSE 0.02012 0.00005 0.0185 to 0.0223 within" in rows
    assert "active units 2 0 2 within" in rows
    assert "trained on MNIST, scored on the 10,000 test images of MNIST" in rows
    assert "over 10 sampling seeds" in text and "costs 52.896 (KL 0): this is better" in text


def test_without_a_range_the_yardstick_is_left():
    """The reason is told; a loss above the yardstick is called so."""
    scores = {"loss": SCORE | {"mean": 60.0, "expected": None, "verdict": None}}
    note = {"note": "no range measured for latent_dim=7", "trained_on": None}
    text = report.of_scores(REPORT | note | {"scores": scores})
    assert "no range measured for latent_dim=7" in text and "trained on" not in text
    assert "60.000" in text and "this is NOT better" in text and "None" not in text


def test_an_autoencoder_has_two_rows():
    """Its loss is its reconstruction; there is no beta, no spread over seeds."""
    names = ("loss", "reconstruction", "mse")
    scores = {name: REPORT["scores"][name] for name in names}
    change = {"kind": "ae", "beta": None, "passes": 1, "scores": scores}
    text = report.of_scores(REPORT | change)
    starts = [line[:21] for line in text.splitlines()]
    assert "reconstruction = loss" in starts and not any(s.startswith("loss") for s in starts)
    assert "beta" not in text and "seeds" not in text and "KL (nats)" not in text


def test_the_estimate_of_log_p_is_told_with_its_error_draws_and_images():
    """Only where it was asked for."""
    assert "log p(x)" not in report.of_scores(REPORT | {"log_likelihood": None})
    estimate = {"draws": 5000, "images": 10000, "mean": -86.123, "standard_error": 0.231}
    estimate["median_effective_sample_size"] = 31.44
    text = report.of_scores(REPORT | {"log_likelihood": estimate})
    assert "log p(x): -86.12 nats, standard error 0.23, by 5,000 draws for each of 10,000" in text
    assert "median effective sample size 31.4" in text


def test_a_run_on_pictures_of_ones_own_is_not_held_against_the_lecture():
    """Its own score, and how to look around; no word of another data set."""
    text = report.of_training(CARD | {"dataset": "your cats", "pictures": OWN}, Path("run"))
    assert "over the test set of your cats" in text and "lecture" not in text
    assert text.endswith('To look around in it: vae-course explore "run"')


def test_pictures_that_were_left_out_are_named_up_to_a_number():
    """Size, colour and counts first; of many that are left out, twenty."""
    left_out = {f"{number}.png": "is broken" for number in range(25)}
    x_train, x_test = np.zeros((1200, 64, 64, 1), "uint8"), np.zeros((133, 64, 64, 1))
    first, *others = report.of_pictures(
        SimpleNamespace(x_train=x_train, x_test=x_test, left_out=left_out)
    ).splitlines()
    assert first == "1,200 pictures to train on, 133 to test with, 64 x 64 pixels, in grey"
    assert others[0] == "left out: 0.png is broken" and len(others) == 21
    assert others[-1] == "left out: 5 more"
