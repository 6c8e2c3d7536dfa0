"""Where MNIST is looked for, which files are taken, and what is said of bad ones."""

import numpy as np
import pytest
from mirrors import idx_files, mirror, npz_bytes, site
from sandbox import FAKE, assert_is_fake, copy_package, damaged, put, put_npz, run_python

from vae_course.data import (
    CorruptedDataError,
    DataNotFoundError,
    check_mnist,
    load_digits,
)

pytestmark = pytest.mark.usefixtures("sandbox")


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
