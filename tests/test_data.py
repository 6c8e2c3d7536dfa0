import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pooch
import pytest
from mirrors import digests_of, idx_files, mirror, npz_bytes, site, stand_in, wait_until

import vae_course
from vae_course import data, mnist_download, mnist_files
from vae_course.data import (
    CorruptedDataError,
    DataNotFoundError,
    check_mnist,
    fetch_mnist,
    load_digits,
)

ROOT = Path(__file__).resolve().parents[1]
FAKE = stand_in()
REAL_FOLDER = os.environ.get("VAE_COURSE_DATA")
needs_mnist = pytest.mark.skipif(
    not REAL_FOLDER, reason="set VAE_COURSE_DATA to a folder with mnist.npz"
)


class Sandbox:
    """The four places where MNIST may be, all empty, in a folder of the test's own."""

    def __init__(self, root, monkeypatch):
        self.root, self.monkeypatch = root, monkeypatch
        self.yours, self.data = root / "yours", root / "data"
        self.cache, self.keras = root / "cache", root / "keras" / "datasets"
        self.data.mkdir()
        monkeypatch.setenv("KERAS_HOME", str(root / "keras"))
        self.move_to(self.data, self.cache)

    def move_to(self, repository, cache):
        for module in (mnist_files, mnist_download):
            self.monkeypatch.setattr(module, "repository_data", lambda: repository)
            self.monkeypatch.setattr(module, "user_cache", lambda: cache)

    def use(self, folder):
        self.monkeypatch.setenv("VAE_COURSE_DATA", str(folder))

    def mirrors(self, *addresses):
        self.monkeypatch.setenv("VAE_COURSE_MIRRORS", " ".join(addresses))


@pytest.fixture(autouse=True)
def sandbox(monkeypatch, tmp_path):
    for name in ("VAE_COURSE_DATA", "VAE_COURSE_DATASET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("VAE_COURSE_MIRRORS", "")
    monkeypatch.setattr(mnist_files, "DIGESTS", digests_of(FAKE))
    monkeypatch.setattr(mnist_download, "_gave_up", set())
    return Sandbox(tmp_path, monkeypatch)


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def put_npz(folder, arrays=FAKE):
    put(folder, {"mnist.npz": npz_bytes(arrays)})
    return folder / "mnist.npz"


def damaged(array_name):
    arrays = {name: array.copy() for name, array in FAKE.items()}
    arrays[array_name].flat[0] ^= 1
    return arrays


def assert_is_fake(digits):
    assert digits.name == "MNIST"
    np.testing.assert_array_equal(digits.x_train[..., 0], FAKE["x_train"] / np.float32(255))
    np.testing.assert_array_equal(digits.x_test[..., 0], FAKE["x_test"] / np.float32(255))
    np.testing.assert_array_equal(digits.y_train, FAKE["y_train"])
    np.testing.assert_array_equal(digits.y_test, FAKE["y_test"])


def assert_well_formed(digits):
    for images, labels in ((digits.x_train, digits.y_train), (digits.x_test, digits.y_test)):
        assert images.shape == (len(labels), 28, 28, 1)
        assert images.dtype == np.float32 and labels.dtype == np.int64
        assert images.min() == 0 and images.max() == 1
        assert images.flags.c_contiguous
        for array in (images, labels):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


# What comes out


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


def registry():
    lines = (ROOT / "data" / "registry.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split() for line in lines if line and not line.startswith("#"))


def test_registry_and_module_agree(monkeypatch):
    """data/registry.txt, data/README.md and the module have the same digests and mirrors."""
    monkeypatch.undo()
    listed = registry()
    page = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    for name, digest in mnist_files.DIGESTS.items():
        assert listed[f"mnist.npz/{name}"] == digest
        assert f"`{digest}`" in page
    assert {f"{name}.gz" for name in mnist_files.IDX_NAMES.values()} < set(listed)
    assert all(f"<{url}>" in page for url in mnist_download.MIRRORS)


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


@pytest.mark.parametrize("dataset", ["auto", "mnist"])
def test_places_are_taken_in_order(sandbox, dataset):
    """First VAE_COURSE_DATA, then data/, the user's cache, Keras' cache, and a download last."""
    order = [sandbox.yours, sandbox.data, sandbox.cache, sandbox.keras]
    for folder in order:
        put_npz(folder)
    sandbox.use(sandbox.yours)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        for folder in order:
            assert load_digits(dataset).source == str(folder / "mnist.npz")
            assert server.requests == []
            (folder / "mnist.npz").unlink()
        assert load_digits(dataset).source == str(sandbox.data / "mnist.npz")
        assert server.requests


def test_a_file_can_be_named(sandbox):
    """VAE_COURSE_DATA may name the .npz file itself, by any name."""
    path = put_npz(sandbox.yours).rename(sandbox.yours / "digits-of-our-class.npz")
    sandbox.use(path)
    assert load_digits().source == str(path)


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("dotted", [False, True])
def test_idx_files_are_read(sandbox, zipped, dotted):
    """The four original files are as good as one .npz, gzipped or not, with a dash or a dot."""
    put(sandbox.yours, idx_files(FAKE, zipped, dotted))
    sandbox.use(sandbox.yours)
    digits = load_digits()
    assert_is_fake(digits)
    assert digits.source == str(sandbox.yours)


def test_repository_and_cache_are_found(tmp_path, monkeypatch):
    """A clone has its own data/; an installed package has only the user's cache."""
    monkeypatch.undo()
    clone = copy_package(tmp_path / "clone")
    (clone / "pyproject.toml").touch()
    installed = copy_package(tmp_path / "site-packages")
    code = (
        "from vae_course import mnist_files as m; print(m.repository_data()); print(m.user_cache())"
    )
    assert run_python(code, clone).splitlines()[0] == str(clone / "data")
    none, cache = run_python(code, installed).splitlines()
    assert none == "None" and "vae-course" in cache


# Files that are bad


@pytest.mark.parametrize("array_name", list(FAKE))
@pytest.mark.parametrize("place", ["yours", "data", "cache"])
def test_a_wrong_array_is_named(sandbox, place, array_name):
    """A file with one wrong byte raises, even under "auto": file, array and cure; the file stays."""
    path = put_npz(getattr(sandbox, place), damaged(array_name))
    if place == "yours":
        sandbox.use(sandbox.yours)
    with pytest.raises(CorruptedDataError) as caught:
        load_digits()
    assert str(path) in str(caught.value)
    assert f"array {array_name} differs" in str(caught.value)
    assert ("VAE_COURSE_DATA" if place == "yours" else "vae-course data") in str(caught.value)
    assert path.is_file()


@pytest.mark.parametrize("content", [b"", b"<html>Log in</html>", npz_bytes(FAKE)[:90_000]])
def test_an_unreadable_file_is_named(sandbox, content):
    """An empty file, a web page and half a file raise, with the file and without talk of pickles."""
    put(sandbox.data, {"mnist.npz": content})
    with pytest.raises(CorruptedDataError, match="cannot be read") as caught:
        load_digits()
    assert str(sandbox.data / "mnist.npz") in str(caught.value)
    assert "pickle" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\x1f\x8b broken", b"\0\0\x08\x03\0\0", b"\0\0\x0d\x01"])
def test_an_unreadable_idx_file_is_named(sandbox, content):
    """A broken file among the four is named, whatever is broken about it."""
    files = idx_files(FAKE) | {"t10k-images-idx3-ubyte": content}
    put(sandbox.data, files)
    with pytest.raises(CorruptedDataError, match="t10k-images-idx3-ubyte cannot be read"):
        load_digits()


def test_pickles_are_not_opened(sandbox):
    """An array of Python objects, which could run code, is refused."""
    put_npz(sandbox.data, FAKE | {"x_train": np.array([{}], dtype=object)})
    with pytest.raises(CorruptedDataError, match="allow_pickle=False"):
        load_digits()


def test_broken_keras_cache_is_skipped(sandbox, capsys):
    """A broken file of Keras is passed over in one line, and the search goes on."""
    put(sandbox.keras, {"mnist.npz": b"broken"})
    assert load_digits().name == "embedded digits"
    skipped, fallback = capsys.readouterr().out.splitlines()
    assert str(sandbox.keras / "mnist.npz") in skipped
    assert "embedded digits" in fallback


@pytest.mark.parametrize("exists", [False, True])
def test_missing_data_folder_is_told(sandbox, capsys, exists):
    """VAE_COURSE_DATA without MNIST: one line with folder and what was wanted, and the search goes on."""
    if exists:
        sandbox.yours.mkdir()
    sandbox.use(sandbox.yours)
    put_npz(sandbox.data)
    assert_is_fake(load_digits())
    (line,) = capsys.readouterr().out.splitlines()
    assert all(word in line for word in ("VAE_COURSE_DATA", str(sandbox.yours), "mnist.npz", "IDX"))


def test_error_names_every_place_and_mirror(sandbox):
    """ "mnist" without MNIST raises: each place, each mirror with its fault, and the cure."""
    sandbox.use(sandbox.yours)
    with mirror(site(FAKE), fault=404) as lost, mirror(site(FAKE), fault="html") as portal:
        sandbox.mirrors(lost.npz, portal.base, "http://127.0.0.1:9/mnist.npz")
        with pytest.raises(DataNotFoundError) as caught:
            load_digits("mnist")
    message = str(caught.value)
    for folder in (sandbox.yours, sandbox.data, sandbox.cache, sandbox.keras):
        assert str(folder) in message
    assert f"{lost.npz}: 404" in message
    assert f"{portal.base}: " in message and "DOCTYPE" in message
    assert "http://127.0.0.1:9/mnist.npz: " in message and "efused" in message
    assert "vae-course data" in message


def test_every_place_can_be_checked(sandbox):
    """check_mnist reports good, broken and missing files of every place, and raises for none."""
    sandbox.use(sandbox.yours)
    good = put_npz(sandbox.yours)
    bad = put_npz(sandbox.data, damaged("y_test"))
    put(sandbox.cache, idx_files(FAKE, zipped=True))
    yours, repository, cache, keras = check_mnist()
    assert (yours.path, yours.ok) == (good, True)
    assert (repository.path, repository.ok) == (bad, False) and "y_test" in repository.message
    assert (cache.path, cache.ok) == (sandbox.cache, True)
    assert (keras.path, keras.ok) == (None, False) and "does not exist" in keras.message


# Downloads


def only_file_in(folder):
    (file,) = folder.iterdir()
    return file


@pytest.mark.parametrize("form", ["npz", "base"])
def test_a_download_is_kept(sandbox, monkeypatch, capsys, caplog, form):
    """A download, in either form, ends as one mnist.npz; the next call asks no mirror.

    It shows a progress bar, and spares the reader pooch's advice to programmers.
    """
    monkeypatch.setattr(pooch.get_logger(), "handlers", [caplog.handler])
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(getattr(server, form))
        assert_is_fake(load_digits())
        assert "%" in capsys.readouterr().err
        assert not caplog.records
        n_requests = len(server.requests)
        assert_is_fake(load_digits())
    assert len(server.requests) == n_requests
    assert only_file_in(sandbox.data).name == "mnist.npz"
    if os.name == "posix":
        assert (sandbox.data / "mnist.npz").stat().st_mode & 0o444 == 0o444


FAULTS = ["html", "garbage", "truncated", "stalled", 404, 503, "silent"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("form", ["npz", "base"])
def test_a_bad_mirror_is_passed_over(sandbox, monkeypatch, fault, form):
    """Whatever a mirror does wrong, nothing of it is kept, and the next one is taken."""
    monkeypatch.setattr(mnist_download, "PROBE_SECONDS", 0.5)
    monkeypatch.setattr(mnist_download, "SILENCE_SECONDS", 0.5)
    with mirror(site(FAKE), fault) as bad, mirror(site(FAKE)) as good:
        sandbox.mirrors(getattr(bad, form), good.npz)
        assert_is_fake(load_digits())
    assert bad.requests
    assert only_file_in(sandbox.data).name == "mnist.npz"


@pytest.mark.parametrize("fault", ["html", "garbage", "truncated", 404])
def test_without_a_good_mirror_the_embedded_digits_step_in(sandbox, capsys, fault):
    """ "auto" with bad mirrors only: the embedded digits, one line with the cure, and no file left."""
    with mirror(site(FAKE), fault) as bad:
        sandbox.mirrors(bad.npz, bad.base)
        assert load_digits().name == "embedded digits"
    (line,) = capsys.readouterr().out.splitlines()
    assert all(word in line for word in ("embedded digits", "vae-course data", "VAE_COURSE_DATA"))
    assert list(sandbox.data.iterdir()) == []


def test_another_data_set_is_refused(sandbox):
    """A mirror that sends sound files of other digits is refused, by the name of the array."""
    with mirror(site(stand_in(seed=1))) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="array x_train differs"):
            fetch_mnist()
    assert list(sandbox.data.iterdir()) == []


def test_a_file_without_end_is_cut_off(sandbox, monkeypatch):
    """A mirror cannot fill the disk: what is much larger than MNIST is cut off."""
    monkeypatch.setattr(mnist_download, "MOST_BYTES", 100_000)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="more than"):
            fetch_mnist()


def test_empty_list_of_mirrors_means_no_download(sandbox):
    """VAE_COURSE_MIRRORS set but empty switches downloads off, and the error says so."""
    sandbox.mirrors()
    with pytest.raises(DataNotFoundError, match="VAE_COURSE_MIRRORS"):
        load_digits("mnist")


def test_failure_is_remembered(sandbox):
    """ "auto" asks the mirrors once in a process; "mnist", or a change of mirrors, asks again."""
    with mirror(site(FAKE), fault=503) as bad, mirror(site(FAKE)) as good:
        sandbox.mirrors(bad.npz)
        for _ in range(3):
            assert load_digits().name == "embedded digits"
        assert len(bad.requests) == 1
        with pytest.raises(DataNotFoundError):
            load_digits("mnist")
        assert len(bad.requests) == 2
        sandbox.mirrors(good.npz)
        assert load_digits().name == "MNIST"


def test_fetching_replaces_a_corrupted_download(sandbox, capsys):
    """fetch_mnist, the cure that errors name, puts a good file where a broken one was in data/."""
    put(sandbox.data, {"mnist.npz": b"broken"})
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert fetch_mnist() == sandbox.data / "mnist.npz"
    assert_is_fake(load_digits())


# Networks that are slow, or worse


def seconds_until_embedded(capsys):
    start = time.monotonic()
    assert load_digits().name == "embedded digits"
    assert len(capsys.readouterr().out.splitlines()) == 1
    return time.monotonic() - start


def test_a_black_hole_costs_less_than_15_seconds(sandbox, capsys):
    """Mirrors that accept and never answer: the embedded digits come within 15 s."""
    with socket.create_server(("127.0.0.1", 0), backlog=8) as hole:
        base = f"http://127.0.0.1:{hole.getsockname()[1]}/"
        sandbox.mirrors(base + "mnist.npz", base, base + "other/")
        assert seconds_until_embedded(capsys) < 15


def test_a_hanging_name_server_costs_less_than_15_seconds(sandbox, capsys, monkeypatch):
    """Names that are neither resolved nor refused: the embedded digits come within 15 s."""
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **kwargs: time.sleep(30))
    sandbox.mirrors("http://mnist.invalid/mnist.npz", "http://other.invalid/")
    assert seconds_until_embedded(capsys) < 15


def test_a_hanging_name_does_not_hold_up_the_next_mirror(sandbox, monkeypatch):
    """A mirror whose name is never resolved costs 4 s, and the next one is taken."""
    resolve = socket.getaddrinfo

    def hang(host, *args, **kwargs):
        return time.sleep(30) if host == "mnist.invalid" else resolve(host, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors("http://mnist.invalid/mnist.npz", server.npz)
        start = time.monotonic()
        assert_is_fake(load_digits())
    assert time.monotonic() - start < 8


def is_idle(server):
    sent = server.sent
    time.sleep(0.3)
    return server.sent == sent


def test_a_trickle_costs_less_than_15_seconds(sandbox, capsys):
    """A mirror that goes on and on at 8 kB/s: the embedded digits come within 15 s."""
    with mirror(site(FAKE), rate=8000) as server:
        sandbox.mirrors(server.npz, server.base)
        assert seconds_until_embedded(capsys) < 15
        assert server.sent > mnist_download.PROBE_BYTES
        assert wait_until(lambda: is_idle(server)), "the abandoned download goes on"
    assert list(sandbox.data.iterdir()) == []


def test_a_slow_but_steady_line_is_enough(sandbox, monkeypatch):
    """At 1 Mbit/s MNIST takes several spells of patience, and arrives. (Scaled down here.)"""
    monkeypatch.setattr(data, "AUTO_PATIENCE", data.AUTO_PATIENCE / 25)
    monkeypatch.setattr(mnist_download, "LEAST_BYTES", mnist_download.LEAST_BYTES / 62.5)
    with mirror(site(FAKE), rate=50_000) as server:
        sandbox.mirrors(server.npz)
        start = time.monotonic()
        assert_is_fake(load_digits())
    assert time.monotonic() - start > 3 * data.AUTO_PATIENCE


# Several processes, kills, disks

LOAD = "from vae_course.data import load_digits; d = load_digits(); print(d.name, *d.y_train)"
EXPECTED = " ".join(["MNIST", *map(str, FAKE["y_train"])])


def copy_package(root):
    shutil.copytree(
        Path(vae_course.__file__).parent,
        root / "vae_course",
        ignore=shutil.ignore_patterns("__pycache__", "trained"),
    )
    return root


@pytest.fixture
def clone(tmp_path):
    """A repository of its own, for tests that start other processes."""
    root = copy_package(tmp_path / "clone")
    (root / "pyproject.toml").touch()
    (root / "data").mkdir()
    return root


def start_python(code, cwd, **options):
    prelude = (
        "from vae_course import mnist_files; "
        f"mnist_files.DIGESTS = {json.dumps(digests_of(FAKE))}\n"
    )
    environment = os.environ | {
        "PYTHONPATH": str(cwd),
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(cwd / "cache"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output_of(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def run_python(code, cwd, **options):
    return output_of(start_python(code, cwd, **options))


def test_two_notebooks_download_at_once(sandbox, clone):
    """Both end with good digits, and nothing but a whole file is ever seen under its name."""
    target, halves, done = clone / "data" / "mnist.npz", [], threading.Event()

    def watch():
        while not done.wait(0.01):
            if target.exists():
                try:
                    mnist_files.read_files([target])
                except CorruptedDataError as error:
                    halves.append(error)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with mirror(site(FAKE), rate=200_000) as server:
            sandbox.mirrors(server.npz)
            processes = [start_python(LOAD, clone) for _ in range(2)]
            outputs = [output_of(process).strip() for process in processes]
    finally:
        done.set()
        watcher.join()
    assert outputs == [EXPECTED] * 2
    assert (
        server.requests.count("mnist.npz") == 4
    )  # each one asked and then downloaded: a real race
    assert not halves
    assert only_file_in(clone / "data") == target


def test_a_kill_in_the_middle_leaves_no_half_file(sandbox, clone):
    """After a kill half-way there is no mnist.npz, and the next call downloads a good one."""
    with mirror(site(FAKE), rate=100_000) as server:
        sandbox.mirrors(server.npz)
        process = start_python(LOAD, clone)
        assert wait_until(lambda: server.sent > 100_000, seconds=30)
        process.kill()
        process.communicate()
        leftover = only_file_in(clone / "data")
        assert leftover.name.startswith(".mnist-")
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert run_python(LOAD, clone).strip() == EXPECTED
    assert {path.name for path in (clone / "data").iterdir()} == {leftover.name, "mnist.npz"}


def test_leftovers_of_kills_are_removed(sandbox):
    """A download removes what killed ones left, once it is older than a day, and nothing else."""
    old, young, yours = (sandbox.data / name for name in (".mnist-old", ".mnist-young", "yours"))
    for folder in (old, young, yours):
        folder.mkdir()
        (folder / "half").touch()
    two_days_ago = time.time() - 2 * 86_400
    for folder in (old, yours):
        os.utime(folder, (two_days_ago, two_days_ago))
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        fetch_mnist()
    assert not old.exists() and young.exists() and yours.exists()


def test_an_interrupt_stops_the_download(sandbox, clone):
    """Ctrl-C in the middle of a slow download is heard at once and leaves nothing behind."""
    if os.name == "nt":
        pytest.skip("run on Linux or macOS: Windows cannot send an interrupt to one process")
    with mirror(site(FAKE), rate=100_000) as server:
        sandbox.mirrors(server.npz)
        process = start_python(LOAD, clone)
        assert wait_until(lambda: server.sent > 100_000, seconds=30)
        process.send_signal(2)
        start = time.monotonic()
        _, err = process.communicate(timeout=30)
    assert "KeyboardInterrupt" in err
    assert time.monotonic() - start < 2
    assert list((clone / "data").iterdir()) == []


@pytest.mark.parametrize("repository", ["file/data", "missing", None])
def test_unwritable_data_folder_falls_back_to_the_cache(sandbox, tmp_path, repository):
    """Where data/ is not there, or cannot be written to, the download goes to the user's cache."""
    (tmp_path / "file").touch()  # a folder inside a file: even root cannot write to that
    sandbox.move_to(repository and tmp_path / repository, sandbox.cache)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert load_digits("mnist").source == str(sandbox.cache / "mnist.npz")


def test_a_quicker_process_on_windows_does_no_harm(sandbox, monkeypatch):
    """Where a file in use cannot be replaced, a good one is as good; without one, the cache is taken."""

    def refuse(source, target):
        if Path(target).parent == sandbox.data:
            raise PermissionError(13, "in use")
        shutil.move(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        assert mnist_download.download(60)[0].parent == sandbox.cache
        put_npz(sandbox.data)
        assert mnist_download.download(60)[0].parent == sandbox.data


def test_nowhere_to_write_is_told(sandbox, tmp_path, capsys):
    """Where no folder can be written to, the error, or the one line of "auto", names them."""
    (tmp_path / "file").touch()
    folders = (tmp_path / "file" / "data", tmp_path / "file" / "cache")
    sandbox.move_to(*folders)
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        with pytest.raises(DataNotFoundError, match="cannot write to") as caught:
            load_digits("mnist")
        mnist_download._gave_up.clear()
        assert load_digits().name == "embedded digits"
    (line,) = capsys.readouterr().out.splitlines()
    assert all(str(folder) in text for folder in folders for text in (str(caught.value), line))


def test_a_full_quota_is_told(sandbox, clone):
    """A disk that takes only part of the file: the error names the folder, and nothing is left there."""
    resource = pytest.importorskip(
        "resource", reason="run on Linux or macOS: needs a file-size limit"
    )
    code = "from vae_course.data import fetch_mnist; fetch_mnist()"
    with mirror(site(FAKE)) as server:
        sandbox.mirrors(server.npz)
        process = start_python(
            code, clone, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (99_999,) * 2)
        )
        _, err = process.communicate(timeout=60)
    assert "DataNotFoundError" in err and "cannot write to" in err
    assert str(clone / "data") in err and "File too large" in err
    assert list((clone / "data").iterdir()) == []


def test_a_full_disk_falls_back_to_the_cache(sandbox, tmp_path):
    """A disk that fills up during the download leaves nothing there, and the cache is taken."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("run as root on Linux: needs to mount a tiny disk")
    try:
        sandbox.move_to(disk, sandbox.cache)
        with mirror(site(FAKE)) as server:
            sandbox.mirrors(server.npz)
            assert fetch_mnist() == sandbox.cache / "mnist.npz"
        assert list(disk.iterdir()) == []
        shutil.rmtree(sandbox.cache)
        sandbox.move_to(disk, disk)
        with mirror(site(FAKE)) as server:
            sandbox.mirrors(server.npz)
            with pytest.raises(DataNotFoundError, match="No space left") as caught:
                fetch_mnist()
        assert str(disk) in str(caught.value)
    finally:
        subprocess.run(["umount", str(disk)], check=True)
