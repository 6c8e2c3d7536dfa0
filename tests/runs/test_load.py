"""What can be evaluated, and what is refused: nothing that is in a file is ever built or run."""

import io
import itertools
import json
import math
import os
import subprocess
import sys
import tracemalloc
import zipfile
import zlib

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from test_files import CARD

from vae_course import pretrained
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.runs import files, load

CURE = "Use the vae.keras of a folder"


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """Give a model and the path of its file."""
    keras.utils.set_random_seed(3)
    vae = VAE(build_encoder(3), build_decoder(3), beta=0.5)
    path = tmp_path_factory.mktemp("good") / "vae.keras"
    vae.save(path)
    return vae, path


@pytest.fixture
def change(good, tmp_path):
    """Give a function that copies the good file with some members replaced; it returns the copy's path."""

    def change(method=zipfile.ZIP_STORED, **changes):
        path = tmp_path / "vae.keras"
        with zipfile.ZipFile(good[1]) as old, zipfile.ZipFile(path, "w") as new:
            for name in old.namelist():
                edit = changes.pop(name.split(".")[-2], None)
                content, how = old.read(name), method if edit else zipfile.ZIP_STORED
                new.writestr(name, edit(content) if edit else content, how, compresslevel=1)
        assert not changes
        return path

    return change


def test_a_file_a_folder_and_a_shipped_name_are_opened(good, tmp_path):
    """Kind and card: a bare file has none; a folder of a run has its own. Weights are the file's."""
    vae, path = good
    model, card = load.open_model(str(path))
    assert type(model) is VAE and model.beta == 0.5 and card is None
    for ours, theirs in zip(model.get_weights(), vae.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    for name, part in zip(files.MODELS, (vae, vae.encoder, vae.decoder), strict=True):
        part.save(tmp_path / name)
    digests = {name: files.sha256(tmp_path / name) for name in files.MODELS}
    files.write_json(tmp_path / "card.json", CARD | {"sha256": digests})
    model, card = load.open_model(tmp_path)
    assert type(model) is VAE and card["dataset"] == "MNIST"
    model, card = load.open_model("ae-2-digits")
    assert type(model) is Autoencoder and card["dataset"] == "embedded digits"
    shipped = load.load_model(pretrained.FOLDER / "ae-2-digits.keras")
    for ours, theirs in zip(shipped.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_folder_with_a_model_that_is_not_its_cards_is_refused(change):
    """The digest differs, or the card is missing."""
    path = change()
    with pytest.raises(FileNotFoundError, match="holds no run"):
        load.open_model(path.parent)
    files.write_json(path.parent / "card.json", CARD)
    with pytest.raises(ValueError, match=r"vae\.keras is damaged: its digest"):
        load.open_model(path.parent)


@pytest.mark.parametrize("name", ["vae-7-mnist", "", "no/such/file.keras", "a pipe"])
def test_what_is_not_there_is_told_with_what_there_is(name, tmp_path, monkeypatch):
    """The shipped names are listed; a pipe, which nobody writes to, is not waited for."""
    monkeypatch.chdir(tmp_path)
    if hasattr(os, "mkfifo"):
        os.mkfifo("a pipe")
    with pytest.raises(FileNotFoundError, match=f"no file or folder '{name}'.*vae-100-mnist"):
        load.open_model(name)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_part_of_a_model_is_refused(good, tmp_path, part):
    """The error names the file, what it holds, and the cure."""
    path = tmp_path / f"{part}.keras"
    getattr(good[0], part).save(path)
    with pytest.raises(ValueError, match=rf"{part}\.keras holds a Functional.*not a VAE.*{CURE}"):
        load.load_model(path)


def test_a_model_of_images_of_another_shape_is_loaded(tmp_path):
    """In colour; its networks are built for that shape, and have its weights."""
    shape = 16, 24, 3
    vae = VAE(build_encoder(3, shape), build_decoder(3, shape))
    vae.save(tmp_path / "colour.keras")
    loaded = load.load_model(tmp_path / "colour.keras")
    assert loaded.encoder.input_shape == loaded.decoder.output_shape == (None, *shape)
    for ours, theirs in zip(loaded.get_weights(), vae.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    "old, new, told",
    [
        ('"activation": "relu"', '"activation": "tanh"', "relu"),
        ('"filters": 16', '"filters": 1000000', "'filters': 1000000"),
        ("[null, 3]", "[null, 1000000000]", "latent_dim=1000000000"),
        ("[null, 28, 28, 1]", "[null, 28, 30, 1]", "side=30 is no multiple of 4"),
        ("[null, 28, 28, 1]", "[null, 4000, 4000, 1]", "side=4000 is out of range"),
        ('"beta": 0.5', '"beta": NaN', "beta=nan"),
        ("vae_course>VAE", "vae_course>Sampling", "holds a vae_course>Sampling"),
        ("vae_course>VAE", "vae_course>Autoencoder", "holds another model"),
        ('"decoder"', '"decorator"', ""),
        ("{", "[" * 100_000, "not a model of the course"),
    ],
)
def test_a_changed_description_is_refused_before_anything_is_built(change, old, new, told):
    """Another function, sizes for which no memory would do, another class, and what is no description."""

    def edit(config):
        assert old in config.decode()
        return config.decode().replace(old, new).encode()

    path = change(config=edit)
    with pytest.raises(ValueError, match=rf"vae\.keras.*{told}.*{CURE}") as error:
        load.load_model(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("member", ["config", "weights", "metadata"])
def test_a_bomb_is_refused_by_its_declared_size(change, member):
    """200 MB of zeros in a file of less than 2 MB: refused, and hardly any memory is taken."""
    path = change(zipfile.ZIP_DEFLATED, **{member: lambda content: bytes(200_000_000)})
    assert path.stat().st_size < 2_000_000
    assert_refused_in_little_memory(path, "declare 200,.* more than the file has")


def assert_refused_in_little_memory(path, told):
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=rf"{told}.*{CURE}"):
            load.load_model(path)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_a_large_directory_of_members_is_not_read(good, tmp_path):
    """A sparse file of 1 GB that declares most of itself to be the zip's directory."""
    path = tmp_path / "vae.keras"
    end = b"PK\5\6" + bytes(8) + (1_000_000_000).to_bytes(4, "little") + bytes(6)
    with open(path, "wb") as file:
        file.truncate(1_000_000_000)
        file.seek(0, 2)
        file.write(end)
    assert_refused_in_little_memory(path, "it has 1,000,000,022 bytes")


def compressed(weights, name):
    chunk = (1024, 1024)
    options = {"chunks": chunk, "compression": "gzip"}
    array = weights.create_dataset(name, (2**13, 2**14), "f4", **options)
    block = zlib.compress(bytes(4 * math.prod(chunk)), 9)
    for corner in itertools.product(*map(range, array.shape, [0, 0], chunk)):
        array.id.write_direct_chunk(corner, block)


def never_written(weights, name):
    weights.create_dataset(name, (2**13, 2**14), "f4", fillvalue=0)


def in_pieces(weights, name):
    weights.create_dataset(name, (3, 3, 32, 32), "f4", chunks=(3, 3, 32, 16))[:] = 0


def external(weights, name):
    external = [("secret", 0, h5py.h5f.UNLIMITED)]
    weights.create_dataset(name, (3, 3, 32, 32), "f4", external=external)


def virtual(weights, name):
    layout = h5py.VirtualLayout((3, 3, 32, 32), "f4")
    layout[:] = h5py.VirtualSource("secret", "a", (3, 3, 32, 32))
    weights.create_virtual_dataset(name, layout)


def texts(weights, name):
    weights.create_dataset(name, (9,), h5py.string_dtype())[:] = "long"


def a_type(weights, name):
    weights[name] = np.dtype("f4")


def a_soft_link(weights, name):
    weights[name] = h5py.SoftLink("/encoder/layers/conv2d/vars/0")


def an_external_link(weights, name):
    weights[name] = h5py.ExternalLink("secret", "a")


PLACE = "decoder/layers/conv2d_transpose/vars/0"
# Load a file in a process of its own, and say why it is refused and how much memory that took.
LOAD = """
import resource, sys
from vae_course.runs import load
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    load.load_model(sys.argv[1])
except ValueError as error:
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, error)
"""


def with_array(change, put, place=PLACE):
    """Copy the good file with another array in one place; return the copy's path."""

    def edit(content):
        file = io.BytesIO(content)
        with h5py.File(file, "a") as weights:
            if place in weights:
                del weights[place]
            put(weights, place)
        return file.getvalue()

    return change(weights=edit)


ODD = [compressed, never_written, in_pieces, external, virtual, texts, a_type]
ODD += [a_soft_link, an_external_link]


@pytest.mark.parametrize("place", [PLACE, "of/no/use"])
@pytest.mark.parametrize("put", ODD)
def test_an_array_that_is_not_in_the_file_in_full_is_refused(change, put, place):
    """Compressed, elsewhere, or of another kind: named before Keras reads it, with the cure."""
    path = with_array(change, put, place)
    with pytest.raises(ValueError, match=rf"cannot be loaded \(its (array|part) {place}.*{CURE}"):
        load.load_model(path)


def test_an_array_of_another_shape_is_refused(change):
    """By Keras, which says what does not fit."""
    path = with_array(change, lambda weights, place: weights.update({place: np.zeros(7, "f4")}))
    with pytest.raises(ValueError, match=rf"cannot be loaded \(.*{CURE}"):
        load.load_model(path)


@pytest.mark.skipif(os.name == "nt", reason="Windows does not tell a process's peak")
@pytest.mark.parametrize("put", [compressed, never_written])
def test_a_bomb_inside_of_hdf5_takes_no_memory(change, put):
    """HDF5 has compression of its own: 500 MB of zeros in a file of less than 1 MB."""
    path = with_array(change, put)
    assert path.stat().st_size < 1_000_000
    command = [sys.executable, "-c", LOAD, path]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    kilobytes, reason = result.stdout.split(maxsplit=1)
    assert int(kilobytes) < 200_000
    assert f"its array {PLACE}, (8192, 16384) of float32, is not" in reason and CURE in reason


def test_a_link_in_the_file_is_not_followed(change, tmp_path):
    """What is there is the text of a path, and no model."""
    path = change()
    (tmp_path / "secret.json").write_text(json.dumps({"class_name": "secret"}))
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("config.json")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, str(tmp_path / "secret.json"))
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", "")
    with pytest.raises(ValueError, match=rf"not a model of the course.*{CURE}") as error:
        load.load_model(path)
    assert "class_name" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    """Whatever its name says."""
    (tmp_path / "vae.keras").write_bytes(content)
    with pytest.raises(ValueError, match=rf"vae\.keras is not a model of the course.*{CURE}"):
        load.load_model(tmp_path / "vae.keras")


@pytest.mark.parametrize("part", [0.001, 0.3, 0.6, 0.9])
def test_a_corrupt_file_is_refused(change, part):
    """A hundred bytes overwritten: the error names the file, in one line."""
    path = change()
    content = bytearray(path.read_bytes())
    place = int(part * len(content))
    content[place : place + 100] = b"x" * 100
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"vae\.keras (cannot be loaded|is no).*{CURE}") as error:
        load.load_model(path)
    assert "\n" not in str(error.value)


def test_code_in_a_file_is_not_run(tmp_path):
    """A Lambda layer that would write a file: refused, and nothing is written."""
    marker = str(tmp_path / "marker")
    z = keras.Input((2,))
    trap = layers.Lambda(lambda x, path=marker: (open(path, "w").close(), x)[1])
    decoder = keras.Model(z, build_decoder(2)(trap(z)))
    Autoencoder(build_encoder(2), decoder).save(tmp_path / "trap.keras")
    (tmp_path / "marker").unlink()
    with pytest.raises(ValueError, match=r"trap\.keras holds another model.*Lambda"):
        load.load_model(tmp_path / "trap.keras")
    assert not (tmp_path / "marker").exists()
