"""What `load_digits` gives, and how it chooses."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from mirrors import mirror, site
from sandbox import FAKE, assert_is_fake, assert_well_formed, put, put_npz, run_python

from benchmarks.heart import read_beats, read_signal
from vae_course import data, mnist
from vae_course.data import DataNotFoundError, enlargement, load_digits, load_heart

pytestmark = pytest.mark.usefixtures("sandbox")
ROOT = Path(__file__).resolve().parents[1]
REAL_FOLDER = os.environ.get("VAE_COURSE_DATA")
needs_mnist = pytest.mark.skipif(
    not REAL_FOLDER, reason="set VAE_COURSE_DATA to a folder with mnist.npz"
)


def test_mnist_is_well_formed(sandbox):
    """MNIST comes as float32 in [0, 1] and int64, of the documented shapes, and cannot be changed."""
    path = put_npz(sandbox.data)
    digits = load_digits()
    assert_is_fake(digits)
    assert_well_formed(digits)
    assert digits.source == str(path)
    with pytest.raises(AttributeError):
        digits.name = "other"


def test_embedded_digits_are_well_formed():
    """The embedded digits have MNIST's form: 1,500 and 297 images, the digit in the middle 20 x 20."""
    digits = load_digits("digits")
    assert_well_formed(digits)
    assert (digits.name, digits.source) == ("embedded digits", "scikit-learn")
    assert (len(digits.y_train), len(digits.y_test)) == (1500, 297)
    frame = np.ones((28, 28), bool)
    frame[4:24, 4:24] = False
    assert not digits.x_train[:, frame].any() and not digits.x_test[:, frame].any()


def test_embedded_digits_look_like_their_originals():
    """Each resized image has, quarter by quarter, the brightness of the 8 x 8 original."""
    from sklearn import datasets

    original = datasets.load_digits()
    digits = load_digits("digits")
    images = np.concatenate([digits.x_train, digits.x_test])[:, 4:24, 4:24, 0]
    quarters = images.reshape(-1, 4, 5, 4, 5).mean((2, 4))
    expected = original.images.reshape(-1, 4, 2, 4, 2).mean((2, 4)) / 16
    assert np.abs(quarters - expected).max() < 0.2
    assert np.abs(quarters - expected).mean() < 0.03
    np.testing.assert_array_equal(np.append(digits.y_train, digits.y_test), original.target)


def test_who_sees_images_knows_whether_they_were_enlarged_from_8_x_8():
    """The matrix does to the originals what was done to them; a thin line is no enlargement."""
    from sklearn import datasets

    images = load_digits("digits").x_test
    matrix = enlargement(images)
    original = datasets.load_digits().images[1500:] / 16
    box = (matrix @ original @ matrix.T).clip(0, 1)
    np.testing.assert_allclose(images[:, 4:24, 4:24, 0], box, atol=1e-6)
    assert all(enlargement(image[None]) is not None for image in images)
    assert enlargement(np.eye(28)[None, ..., None]) is None


def test_embedded_digits_are_split_evenly():
    """Every digit has its fair share, a tenth give or take 2 %, of the training and the test images."""
    digits = load_digits("digits")
    for labels in (digits.y_train, digits.y_test):
        assert np.abs(np.bincount(labels, minlength=10) / len(labels) - 0.1).max() < 0.02


@needs_mnist
def test_the_real_mnist_is_accepted(sandbox, monkeypatch):
    """Real MNIST passes the digests: 60,000 and 10,000 images, the first ones a 5 and a 7."""
    monkeypatch.undo()
    monkeypatch.setenv("VAE_COURSE_DATA", REAL_FOLDER)
    digits = load_digits("mnist")
    assert_well_formed(digits)
    assert (len(digits.y_train), len(digits.y_test)) == (60_000, 10_000)
    assert (digits.y_train[0], digits.y_test[0]) == (5, 7)
    assert digits.x_train.mean() == pytest.approx(0.1307, abs=1e-4)  # as published everywhere
    assert not any(enlargement(image[None]) is not None for image in digits.x_test)


def registry():
    lines = (ROOT / "data" / "registry.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def test_registry_and_module_agree(monkeypatch):
    """data/registry.txt, data/README.md and the module have the same digests and mirrors."""
    monkeypatch.undo()
    listed = registry()
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name, digest in mnist.DIGESTS.items():
        assert listed[f"mnist.npz/{name}"] == digest
        assert f"`{digest}`" in page
    assert {f"{name}.gz" for name in mnist.IDX_NAMES.values()} < set(listed)
    assert all(f"<{url}>" in page for url in mnist.MIRRORS)


def test_importing_is_light():
    """Loading data imports neither TensorFlow nor Keras."""
    code = (
        "import sys; from vae_course.data import load_digits; load_digits('digits'); "
        "print([name for name in ('tensorflow', 'keras') if name in sys.modules])"
    )
    assert run_python(code, cwd=ROOT).strip() == "[]"


# Which one is taken


def test_unknown_data_set_is_refused():
    """A wrong name raises, with the name and the choices."""
    with pytest.raises(ValueError, match="'fashion'.*auto, mnist, digits"):
        load_digits("fashion")


def test_environment_says_what_auto_means(sandbox, monkeypatch):
    """VAE_COURSE_DATASET rules "auto" and only "auto"; empty is as good as unset."""
    put_npz(sandbox.data)
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    assert load_digits().name == "embedded digits"
    assert load_digits("mnist").name == "MNIST"
    monkeypatch.setenv("VAE_COURSE_DATASET", "")
    assert load_digits().name == "MNIST"
    shutil.rmtree(sandbox.data)
    monkeypatch.setenv("VAE_COURSE_DATASET", "mnist")
    with pytest.raises(DataNotFoundError):
        load_digits()


def test_wrong_environment_is_refused(monkeypatch):
    """A wrong VAE_COURSE_DATASET raises, with the variable, its value and the choices."""
    monkeypatch.setenv("VAE_COURSE_DATASET", "MNIST")
    with pytest.raises(ValueError, match="VAE_COURSE_DATASET is 'MNIST'.*auto, mnist, digits"):
        load_digits()


def test_digits_never_look_for_mnist(sandbox):
    """ "digits" asks no mirror, and does not mind a broken MNIST."""
    put(sandbox.data, {"mnist.npz": b"broken"})
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert load_digits("digits").name == "embedded digits"
    assert server.requests == []


def test_the_heart_has_its_beats_where_the_labels_are():
    """At each label the signal is steep, and a premature beat comes sooner than the beats around it."""
    heart = load_heart()
    assert heart.millivolts.shape == (1800 * heart.rate, 2)
    assert heart.millivolts.dtype == np.float32
    assert (len(heart.beats), heart.ventricular.sum()) == (2278, 114)
    steep = abs(np.diff(heart.millivolts[:, 0]))
    there = [steep[max(0, b - 12) : b + 12].max() for b in heart.beats]
    assert np.median(there) > 10 * np.median(steep)
    gaps = np.diff(heart.beats) / heart.rate
    assert 0.3 < gaps.min() and gaps.max() < 2.5  # seconds from beat to beat
    assert np.median(gaps[heart.ventricular[1:]]) < 0.8 * np.median(gaps)


def test_a_damaged_heart_is_named_with_the_cure(tmp_path, monkeypatch):
    """Half an archive, or none."""
    monkeypatch.setattr(data, "HEART", tmp_path / "heart.npz")
    for content in None, b"PK half":
        if content:
            (tmp_path / "heart.npz").write_bytes(content)
        with pytest.raises(ValueError, match=r"heart\.npz.*Install the course again"):
            load_heart()


def test_a_record_is_unpacked_from_twelve_bits():
    """Three bytes hold two numbers: 0x123 and -1, by hand."""
    assert read_signal(bytes([0x23, 0xF1, 0xFF])).tolist() == [[0x123, -1]]


def test_beats_are_read_with_long_pauses():
    """A normal beat at 5, a pause of 65,541 samples, a ventricular beat 3 later, and the end."""
    words = [1 << 10 | 5, 59 << 10, 1, 5, 5 << 10 | 3, 0]
    time, code = read_beats(np.array(words, "<u2").tobytes())
    assert (time.tolist(), code.tolist()) == ([5, 5 + 65541 + 3], [1, 5])
    with pytest.raises(ValueError, match="Code 14"):
        read_beats(np.array([14 << 10 | 5, 0], "<u2").tobytes())
