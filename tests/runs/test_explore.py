"""A run on somebody's own pictures: trained, stopped, resumed, scored, explored, refused once they change."""

import json
import os
import shutil
import signal

import keras
import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from shapes import write_shapes

from vae_course import cli
from vae_course.data import load_digits
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.pictures import load_pictures
from vae_course.runs import explore, files, train


def call(*arguments):
    """Call the program; return its exit status and all that it printed."""
    result = CliRunner().invoke(cli.main, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Give folders with 200 shapes and with a run on them, and what was printed."""
    root = tmp_path_factory.mktemp("run on shapes")
    write_shapes(root / "my shapes", 200, 16)
    (root / "my shapes" / "notes.txt").write_text("none")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "PASSES", 2)
        status, output = call(*options(root / "my shapes"), "--out", root / "run")
    assert status == 0, output
    return root / "my shapes", root / "run", output


def options(pictures):
    """Return the arguments of a short training."""
    return ["train", "--images", pictures, "--epochs", 4, "--latent-dim", 2, "--seed", 3]


def test_a_training_on_pictures_says_what_it_uses_and_learns(run):
    """How many of which size, and what was left out; the loss falls; no word of the lecture."""
    pictures, folder, output = run
    assert "180 pictures to train on, 20 to test with, 16 x 16 pixels, in colour" in output
    assert "left out: notes.txt is no picture" in output and "lecture" not in output
    assert f'vae-course explore "{folder}"' in output
    losses = [row["val_loss"] for row in files.read_history(folder, 4)]
    assert losses[-1] < 0.8 * losses[0]


def test_a_card_says_which_pictures(run, tmp_path):
    """Place, size, channels and digest; its command makes the same run."""
    pictures, folder, _ = run
    card = files.read_card(folder)
    digest = load_pictures(pictures).digest
    noted = {"source": str(pictures), "side": 16, "channels": 3, "digest": digest}
    assert card["pictures"] == noted and card["dataset"] == "your my shapes"
    assert f"--images '{pictures}' --side 16" in card["command"]
    assert "--dataset" not in card["command"]


def test_a_stopped_training_goes_on_to_the_same_place(run, tmp_path, monkeypatch):
    """Ctrl-C in epoch 3, also resumed where the pictures were moved to: no bit differs."""
    pictures, folder, _ = run
    monkeypatch.setattr(files, "PASSES", 2)
    shown, show = [], train.Follow.on_train_batch_end

    def press(self, batch, logs):
        shown.append(batch)
        if len(self.rows) == 2 and len(shown) > 2:
            signal.raise_signal(signal.SIGINT)
        show(self, batch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(train.Follow, "on_train_batch_end", press)
        status, output = call(*options(pictures), "--out", tmp_path / "run")
    assert status == 130 and "Interrupted after 2 of 4 epochs" in output
    moved = shutil.copytree(pictures, tmp_path / "moved")
    status, output = call("train", "--resume", "--images", moved, "--out", tmp_path / "run")
    assert status == 0, output
    models = [keras.models.load_model(each / "vae.keras") for each in (folder, tmp_path / "run")]
    for ours, theirs in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_run_is_scored_on_its_own_test_pictures(run):
    """The card's scores again; better than the mean picture; there are no expected ranges."""
    pictures, folder, _ = run
    report = json.loads(CliRunner().invoke(cli.main, ["evaluate", str(folder), "--json"]).stdout)
    assert report["images"] == 20 and report["note"] == "none for pictures of your own"
    mean = files.read_card(folder)["test_scores"]["loss"]
    assert report["scores"]["loss"]["mean"] == pytest.approx(mean, rel=0.02)
    data = load_pictures(pictures)
    squares = np.square(data.x_test - (data.x_train / 255).mean(axis=0)).sum(axis=(1, 2, 3)).mean()
    assert report["yardsticks"]["mean_image"] == pytest.approx(squares, rel=1e-4)
    status, output = call("evaluate", folder, "--log-likelihood", 3, "--first", 5)
    assert status == 0 and "by 3 draws for each of 5 images" in output


@pytest.mark.parametrize("command", ["evaluate", "explore", "train"])
def test_other_pictures_are_refused(run, tmp_path, command):
    """One pixel, one picture fewer, or all of them gone: one line says so; --images finds moved ones."""
    pictures, folder, _ = run
    copy = shutil.copytree(pictures, tmp_path / "copy")
    here = shutil.copytree(folder, tmp_path / "run")
    card = json.loads((here / "card.json").read_text())
    card["pictures"]["source"] = str(tmp_path / "gone")
    if command == "train":
        card["status"] = "interrupted"
    files.write_json(here / "card.json", card)
    asked = ["train", "--resume", "--out", here] if command == "train" else [command, here]
    status, output = call(*asked)
    assert status == 1 and f"neither a folder nor a file {tmp_path / 'gone'}" in output
    one = next(copy.rglob("*.png"))
    pixels = np.array(Image.open(one))
    pixels[0, 0, 0] ^= 1
    Image.fromarray(pixels).save(one)
    for _ in range(2):
        status, output = call(*asked, "--images", copy)
        assert status == 1 and "are not those that the run was trained on" in output
        assert "Traceback" not in output
        one.unlink(missing_ok=True)
    if command == "evaluate":
        assert call(*asked, "--images", pictures)[0] == 0


def test_options_that_contradict_each_other_are_refused(run, tmp_path):
    """Two data sets, a side without pictures or for an old run, a place for a run on digits."""
    pictures, folder, _ = run
    for arguments, told in (
        (["--images", pictures, "--dataset", "digits"], "two different data sets"),
        (["--side", "32"], "--side is for a new run on your own pictures"),
        (["--side", "0"], "--side is for a new run on your own pictures"),
        (["--resume", "--side", "16", "--out", folder], "--side is for a new run"),
        (["--images", pictures, "--side", "30"], "side=30 is no multiple of 4"),
        (["--images", tmp_path / "none"], "neither a folder nor a file"),
    ):
        status, output = call("train", *arguments)
        assert status == 1 and told in output
    status, output = call("evaluate", "vae-2-digits", "--images", pictures)
    assert status == 1 and "is not needed, because the model was trained on embedded" in output


def test_a_page_has_the_explorers_that_make_sense(run, tmp_path):
    """By headings: a map only in the plane, a pad only for digits, no traversal without a KL."""
    pictures, folder, _ = run
    digits, shapes = load_digits("digits"), load_pictures(pictures)
    turn, walk = "One dimension at a time", "From one picture to another"
    plane, pad = "The map of all codes", "Draw a digit"
    for kind, size, data, expected in (
        (VAE, 3, shapes, [turn, walk]),
        (VAE, 2, shapes, [plane, turn, walk]),
        (VAE, 2, digits, [pad, plane, turn, walk]),
        (Autoencoder, 3, digits, [walk]),
    ):
        shape = data.x_train.shape[1:]
        model = kind(build_encoder(size, shape), build_decoder(size, shape))
        assert list(explore.explorers_of(model, data)) == expected


def test_a_model_that_tells_nothing_has_a_page_as_well(tmp_path):
    """One dimension has no arc; codes that are all the same, or on a line, have no gaps."""
    digits = load_digits("digits")
    for size, spread in (1, 1), (2, 0), (2, [1, 0]):
        model = VAE(build_encoder(size), build_decoder(size))
        kernel = model.encoder.get_layer("z_mean").kernel
        kernel.assign(kernel.numpy() * spread)
        explore.write_page(tmp_path / "page.html", model, digits, "flat")
        assert (size == 2) == ("The map of all codes" in (tmp_path / "page.html").read_text())


def test_pictures_that_do_not_fit_are_refused(run):
    """Both shapes, and where the right ones are noted."""
    model = VAE(build_encoder(2, (16, 16, 3)), build_decoder(2, (16, 16, 3)))
    told = r"\(28, 28, 1\), but the model takes \(16, 16, 3\).*name the folder of its run"
    with pytest.raises(ValueError, match=told):
        explore.explorers_of(model, load_digits("digits"))


def test_exploring_writes_a_page_and_opens_it(run, monkeypatch):
    """In the run's folder, and in the browser unless that is not wanted; it asks for nothing elsewhere."""
    _, folder, _ = run
    opened = []
    monkeypatch.setattr(cli.webbrowser, "open", opened.append)
    status, output = call("explore", folder, "--no-browser")
    assert status == 0 and output.strip() == f"Open {folder / 'explore.html'}" and not opened
    page = (folder / "explore.html").read_text(encoding="utf-8")
    assert "your my shapes" in page and "http" not in page.replace("http://www.w3.org", "")
    call("explore", folder)
    assert opened == [(folder / "explore.html").as_uri()]
    files.read_card(folder)  # still a run


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_a_pipe_is_not_replaced_by_a_page(tmp_path):
    """One line says which, and what to do."""
    os.mkfifo(tmp_path / "pipe")
    status, output = call("explore", "vae-2-digits", "--out", tmp_path / "pipe", "--no-browser")
    assert status == 1 and (tmp_path / "pipe").is_fifo()
    told = output.splitlines()[-1]
    assert told.startswith(f"Error: {tmp_path / 'pipe'} cannot be") and "another name" in told


def test_a_model_that_the_browser_cannot_run_is_refused(run):
    """By the name of its layer."""
    data = load_pictures(run[0])
    z = keras.Input((3,))
    odd = keras.layers.Dense(768, "tanh", name="odd")(z)
    decoder = keras.Model(z, keras.layers.Reshape((16, 16, 3))(odd))
    with pytest.raises(
        ValueError, match="layer odd has the activation tanh, which explorers cannot"
    ):
        explore.explorers_of(VAE(build_encoder(3, (16, 16, 3)), decoder), data)
