"""What can be evaluated, and what is refused: nothing that is in a file is ever run."""

import keras
import pytest
from keras import layers
from test_files import CARD

from vae_course import pretrained
from vae_course.models import VAE, Autoencoder, build_decoder, build_encoder
from vae_course.runs import files, opening

CURE = "Give the vae.keras of a folder"


@pytest.fixture
def file(vae, tmp_path):
    """Give the path of a good model."""
    vae.save(tmp_path / "vae.keras")
    return tmp_path / "vae.keras"


def test_a_file_a_folder_and_a_shipped_name_are_opened(file, vae):
    """Kind and card: a bare file has none; a folder of a run has its own."""
    model, card = opening.open_model(str(file))
    assert type(model) is VAE and card is None
    for name in files.MODELS[1:]:
        getattr(vae, name.removesuffix(".keras")).save(file.parent / name)
    digests = {name: files.sha256(file.parent / name) for name in files.MODELS}
    files.write_json(file.parent / "card.json", CARD | {"sha256": digests})
    model, card = opening.open_model(file.parent)
    assert type(model) is VAE and card["dataset"] == "MNIST"
    model, card = opening.open_model("ae-2-digits")
    assert type(model) is Autoencoder and card["dataset"] == "embedded digits"


def test_a_folder_with_a_model_that_is_not_its_cards_is_refused(file):
    """The digest differs, or the card is missing."""
    with pytest.raises(FileNotFoundError, match="holds no run"):
        opening.open_model(file.parent)
    files.write_json(file.parent / "card.json", CARD)
    with pytest.raises(ValueError, match=r"vae\.keras is damaged: its digest"):
        opening.open_model(file.parent)


def test_what_is_not_there_is_told_with_what_there_is():
    """The shipped names are listed."""
    with pytest.raises(FileNotFoundError, match="vae-7-mnist.*vae-100-mnist"):
        opening.open_model("vae-7-mnist")
    assert "vae-100-mnist" in pretrained.RECIPES


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_part_of_a_model_is_refused(vae, tmp_path, part):
    """The error names the file, what it holds, and the cure."""
    path = tmp_path / f"{part}.keras"
    getattr(vae, part).save(path)
    with pytest.raises(ValueError, match=rf"{part}\.keras holds '{part}'.*no VAE.*{CURE}"):
        opening.load_keras(path)


def test_a_model_of_images_of_another_shape_is_refused(tmp_path):
    """Both shapes are named."""
    image = keras.Input((8, 8, 1))
    code = layers.Dense(2)(layers.Flatten()(image))
    z = keras.Input((2,))
    decoder = keras.Model(z, layers.Reshape((8, 8, 1))(layers.Dense(64)(z)))
    Autoencoder(keras.Model(image, code), decoder).save(tmp_path / "small.keras")
    with pytest.raises(ValueError, match=r"\(8, 8, 1\).*\(28, 28, 1\)"):
        opening.load_keras(tmp_path / "small.keras")


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04 half a zip"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    """Whatever its name says."""
    (tmp_path / "vae.keras").write_bytes(content)
    with pytest.raises(ValueError, match=rf"vae\.keras is no \.keras file.*{CURE}"):
        opening.load_keras(tmp_path / "vae.keras")


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_corrupt_file_is_refused(file, part):
    """A hundred bytes overwritten: the error names the file, in one line."""
    content = bytearray(file.read_bytes())
    place = int(part * len(content))
    content[place : place + 100] = b"x" * 100
    file.write_bytes(content)
    with pytest.raises(ValueError, match=rf"vae\.keras (cannot be loaded|is no).*{CURE}") as error:
        opening.load_keras(file)
    assert "\n" not in str(error.value)


def test_code_in_a_file_is_not_run(tmp_path):
    """A Lambda layer that would write a file: refused, and nothing is written."""
    marker = str(tmp_path / "marker")
    z = keras.Input((2,))
    trap = layers.Lambda(lambda x, path=marker: (open(path, "w").close(), x)[1])
    decoder = keras.Model(z, build_decoder(2)(trap(z)))
    Autoencoder(build_encoder(2), decoder).save(tmp_path / "trap.keras")
    (tmp_path / "marker").unlink()
    with pytest.raises(ValueError, match=r"trap\.keras cannot be loaded.*[Ll]ambda"):
        opening.load_keras(tmp_path / "trap.keras")
    assert not (tmp_path / "marker").exists()
