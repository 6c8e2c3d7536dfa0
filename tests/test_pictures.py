"""Somebody's own pictures: every format, folders with all that lies in them, arrays, and the split."""

import os
import shutil
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import EpsImagePlugin, Image, UnidentifiedImageError
from shapes import draw_shapes, write_shapes

from vae_course import pictures
from vae_course.pictures import load_pictures


@pytest.fixture
def folder(tmp_path):
    """Give a folder with 60 pictures in two subfolders."""
    return write_shapes(tmp_path / "shapes")


def test_a_folder_becomes_bytes_to_train_on_and_floats_to_test_with(folder):
    """A tenth is tested with; every pixel and label is that of its file; colours, side and name fit."""
    data = load_pictures(folder)
    assert data.x_train.shape == (54, 32, 32, 3) and data.x_train.dtype == np.uint8
    assert data.x_test.shape == (6, 32, 32, 3) and data.x_test.dtype == np.float32
    drawn, labels = draw_shapes()
    wanted = {picture.tobytes(): label for picture, label in zip(drawn, labels, strict=True)}
    tested = np.round(255 * data.x_test).astype("uint8")
    found = [*zip(data.x_train, data.y_train, strict=True), *zip(tested, data.y_test, strict=True)]
    assert {picture.tobytes(): label for picture, label in found} == wanted
    assert (data.name, data.source, data.left_out) == ("your shapes", str(folder), {})


def test_labels_are_the_first_subfolders_in_which_pictures_differ(folder, tmp_path):
    """A folder around all of them, as in a zip file, is none; deeper ones do not count."""
    expected = load_pictures(folder)
    shutil.copytree(folder, tmp_path / "zip" / "all" / "shapes")
    inner = tmp_path / "zip" / "all" / "shapes" / "circles"
    (inner / "large").mkdir()
    (inner / "000.png").rename(inner / "large" / "000.png")
    data = load_pictures(tmp_path / "zip")
    assert sorted(data.y_train) == sorted(expected.y_train)
    assert set(data.y_train) == {"circles", "squares"}


def test_arrays_give_the_same_as_a_folder(folder, tmp_path):
    """In the order of the files: .npy, .npz with labels, floats from 0 to 1, 16 bits."""
    expected = load_pictures(folder)
    images = np.array([np.asarray(Image.open(path)) for path in sorted(folder.rglob("*.png"))])
    kinds = np.array([path.parent.name for path in sorted(folder.rglob("*.png"))])
    np.save(tmp_path / "bytes.npy", images)
    np.savez(tmp_path / "both.npz", x=images, y=kinds)
    np.save(tmp_path / "floats.npy", (images / 255).astype("float32"))
    np.save(tmp_path / "deep.npy", images.astype("uint16") * 257)
    for name in ("bytes.npy", "both.npz", "floats.npy", "deep.npy"):
        data = load_pictures(tmp_path / name)
        np.testing.assert_array_equal(data.x_train, expected.x_train)
        np.testing.assert_array_equal(data.x_test, expected.x_test)
        assert data.digest == expected.digest and data.name == f"your {name[:-4]}"
        if name == "both.npz":
            np.testing.assert_array_equal(data.y_train, expected.y_train)


def test_the_split_follows_the_content_and_not_the_names(folder, tmp_path):
    """Renamed, moved and copied in another order: the same are tested with."""
    expected = load_pictures(folder)
    (tmp_path / "moved").mkdir()
    for number, path in enumerate(sorted(folder.rglob("*.png"), reverse=True)):
        shutil.copy(path, tmp_path / "moved" / f"{number:02}.png")
    data = load_pictures(tmp_path / "moved")
    rows = [sorted(image.tobytes() for image in one.x_test) for one in (expected, data)]
    assert rows[0] == rows[1] and data.digest != expected.digest  # the order is another
    assert set(data.y_train) == {""}


def test_what_lies_about_is_left_out_by_name(folder):
    """Copies, broken and empty files and other kinds are named; hidden ones are not even seen."""
    expected = load_pictures(folder)
    one = folder / "circles" / "000.png"
    Image.open(one).save(folder / "squares" / "zz copy.bmp")
    (folder / "cut.png").write_bytes(one.read_bytes()[:200])
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "notes.txt").write_text("of no use")
    (folder / "drawing.eps").write_text("%!PS")
    for hidden in (".DS_Store", ".cache/a.png", "__MACOSX/circles/000.png", "circles/._000.png"):
        (folder / hidden).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(one, folder / hidden)
    data = load_pictures(folder)
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(data.x_test, expected.x_test)
    reasons = {name: reason.split(" (")[0] for name, reason in data.left_out.items()}
    assert reasons.pop("squares/zz copy.bmp") == "is the same picture as circles/000.png"
    assert {reasons.pop(name) for name in ("cut.png", "empty.jpg")} == {"cannot be read"}
    no_picture = "is no picture that can be read: use PNG or JPEG"
    assert reasons == {"notes.txt": no_picture, "drawing.eps": no_picture}
    assert data.digest == expected.digest


GREY = np.linspace(0, 255, 32 * 32).round().astype("uint8").reshape(32, 32)
COLOUR = np.stack([GREY, GREY[::-1], GREY.T], axis=-1)
HALF = (
    np.where(np.arange(32) < 16, 255, 0).astype("uint8")[None].repeat(32, 0)
)  # opaque at the left


def read(image, tmp_path, name="a.png", side=32, **options):
    """Write one image beside others, and return what is made of it."""
    if image is not None:
        image.save(tmp_path / name, **options)
    found = pictures._prepared(tmp_path.joinpath, name, side)
    assert not isinstance(found, Exception), found
    return found.astype(int)


@pytest.mark.parametrize(
    ("name", "most"), [("a.png", 0), ("a.tiff", 0), ("a.webp", 12), ("a.jpg", 12), ("a.bmp", 0)]
)
def test_common_formats_are_read(name, most, tmp_path):
    """To the bit, or as well as the format can."""
    smooth = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)
    found = read(Image.fromarray(smooth), tmp_path, name, quality=95)
    assert np.abs(found - smooth).max() <= most


def test_many_bits_are_scaled_and_not_cut_off(tmp_path):
    """16 bits in PNG and TIFF, floats in TIFF, one bit: the same grey as with 8 bits."""
    wanted = GREY[..., None].repeat(3, -1)
    deep = GREY.astype("uint16") * 257
    for image, name in (
        (Image.fromarray(deep), "a.png"),
        (Image.fromarray(deep), "a.tiff"),
        (Image.fromarray((GREY / 255).astype("float32")), "f.tiff"),
    ):
        np.testing.assert_array_equal(read(image, tmp_path, name), wanted)
    black_white = read(Image.fromarray(HALF > 0), tmp_path, "bit.png")
    np.testing.assert_array_equal(black_white[..., 0], HALF)


@pytest.mark.parametrize("value", [-5, 65536])
def test_values_that_16_bits_do_not_hold_are_no_picture(value, tmp_path):
    """They would come back at the other end; the reason names the range."""
    deep = GREY.astype("int32")
    deep[0, 0] = value
    Image.fromarray(deep).save(tmp_path / "a.tiff")
    assert f"{value}" in str(pictures._prepared(tmp_path.joinpath, "a.tiff", 32))


POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n%%EOF\n"
FIELDS = {(3, 60): b"\1\0", (3, 20): b"\0\10", (3, 30): b"\0\10", (3, 120): b"\5"}
FIELDS |= {(8, 10): POSTSCRIPT}
IPTC = b"".join(b"\x1c" + bytes([*tag, 0, len(data)]) + data for tag, data in FIELDS.items())


@pytest.mark.parametrize("content", [POSTSCRIPT, IPTC])
def test_postscript_starts_no_program_whatever_its_name_and_wrapping(
    content, tmp_path, monkeypatch
):
    """It cannot be read, and Ghostscript is not called."""
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *_: pytest.fail("it was called"))
    (tmp_path / "a.png").write_bytes(content)
    found = pictures._prepared(tmp_path.joinpath, "a.png", 32)
    assert isinstance(found, UnidentifiedImageError)


def test_transparent_places_become_white(tmp_path):
    """With an alpha channel, in colour and grey, and with a palette."""
    where = HALF[..., None] > 0
    colour = Image.fromarray(np.concatenate([COLOUR, HALF[..., None]], axis=-1))
    np.testing.assert_array_equal(read(colour, tmp_path), np.where(where, COLOUR, 255))
    grey = Image.fromarray(np.stack([GREY, HALF], axis=-1), mode="LA")
    np.testing.assert_array_equal(read(grey, tmp_path)[..., 0], np.where(where[..., 0], GREY, 255))
    palette = Image.fromarray((HALF == 0).astype("uint8"), mode="P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    found = read(palette, tmp_path, "p.png", transparency=1)
    assert found[0, 0].tolist() == [10, 20, 30] and found[0, -1].tolist() == [255] * 3


def test_a_camera_is_turned_upright_and_inks_become_light(tmp_path):
    """EXIF orientation 6 is a quarter turn; CMYK in TIFF and JPEG."""
    exif = Image.Exif()
    exif[0x0112] = 6
    found = read(Image.fromarray(COLOUR), tmp_path, exif=exif)
    np.testing.assert_array_equal(found, np.rot90(COLOUR, -1))
    inks = Image.new("CMYK", (32, 32), (255, 0, 0, 0))
    for name in ("c.tiff", "c.jpg"):
        assert np.abs(read(inks, tmp_path, name)[0, 0] - [0, 255, 255]).max() <= 3


def test_of_an_animation_the_first_picture_is_used(tmp_path):
    """A GIF that goes from red to blue is red."""
    frames = [Image.new("RGB", (32, 32), colour) for colour in ("red", "blue")]
    found = read(frames[0], tmp_path, "a.gif", save_all=True, append_images=frames[1:])
    assert found[5, 5].tolist() == [255, 0, 0]


def test_the_middle_square_is_resized(tmp_path):
    """A wide picture loses its left and right; a large JPEG is as dark as it was."""
    wide = np.zeros((40, 120, 3), "uint8")
    wide[:, 40:80] = 200
    np.testing.assert_array_equal(read(Image.fromarray(wide), tmp_path, side=40), 200)
    big = Image.fromarray(GREY).resize((1600, 1600))
    assert read(big, tmp_path, "big.jpg", side=16).mean() == pytest.approx(GREY.mean(), abs=2)


def test_the_side_is_that_of_the_pictures_but_64_at_most(tmp_path):
    """30 becomes 28, 5 becomes 8, 100 becomes 64; one that is asked for is taken."""
    for given, expected in ((30, 28), (5, 8), (100, 64)):
        np.save(tmp_path / "a.npy", np.random.default_rng(0).random((25, given, given)))
        assert load_pictures(tmp_path / "a.npy").x_train.shape == (23, expected, expected, 1)
    assert load_pictures(tmp_path / "a.npy", 12).x_test.shape[1:] == (12, 12, 1)


def test_grey_pictures_stay_grey_however_they_are_stored(tmp_path):
    """Saved in colour, they have one channel; a single coloured one gives all of them three."""
    grey = draw_shapes(count=30)[0][..., :1].repeat(3, -1)
    np.save(tmp_path / "a.npy", grey)
    data = load_pictures(tmp_path / "a.npy")
    assert data.x_train.shape == (27, 32, 32, 1) and data.x_train.flags.c_contiguous
    np.save(tmp_path / "a.npy", np.concatenate([grey, COLOUR[None]]))
    assert load_pictures(tmp_path / "a.npy").x_train.shape == (28, 32, 32, 3)


def test_more_than_the_memory_should_hold_lies_in_a_file(folder, monkeypatch):
    """The same pictures, mapped from a file without a name."""
    expected = load_pictures(folder)
    monkeypatch.setattr(pictures, "IN_MEMORY", 1000)
    data = load_pictures(folder)
    assert isinstance(data.x_train, np.memmap) and data.digest == expected.digest
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(data.x_test, expected.x_test)


def test_grey_pictures_stay_in_the_file(tmp_path, monkeypatch):
    """As in memory, and not copied into it."""
    np.save(tmp_path / "a.npy", draw_shapes(count=30)[0][..., 0])
    expected = load_pictures(tmp_path / "a.npy")
    monkeypatch.setattr(pictures, "IN_MEMORY", 1000)
    data = load_pictures(tmp_path / "a.npy")
    assert isinstance(data.x_train, np.memmap) and data.x_train.flags.c_contiguous
    np.testing.assert_array_equal(data.x_train, expected.x_train)
    np.testing.assert_array_equal(data.x_test, expected.x_test)


def test_a_disk_without_room_is_told_before_anything_is_written(folder, monkeypatch):
    """With the bytes, the folder and the cure."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pictures, "IN_MEMORY", 1000)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match=r"184,320 bytes .*\(No space left on device\): set TMPDIR"):
        load_pictures(folder)


@pytest.mark.skipif(os.name == "nt", reason="links need rights on Windows")
def test_folders_that_are_not_entered_are_named(folder, monkeypatch):
    """A link, and one without permission; all others are read."""
    (folder / "more").symlink_to(folder / "circles")
    scandir, closed = os.scandir, str(folder / "squares")

    def scan(path):
        if path == closed:
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)
    data = load_pictures(folder)
    assert data.left_out == {
        "squares": "cannot be opened (Permission denied): check its permissions",
        "more": "is a link to a folder, which is not followed: copy the folder",
    }
    assert len(data.x_train) + len(data.x_test) == 30


@pytest.mark.skipif(sys.platform != "linux", reason="names of any bytes")
def test_names_that_are_not_utf_8_are_shown_with_marks(folder):
    """As labels and among what is left out; their pictures are read."""
    os.rename(folder / "circles", os.fsencode(folder) + b"/caf\xe9")
    broken = os.fsencode(folder) + b"/\xe9t\xe9.png"
    with open(broken, "wb"):
        pass
    data = load_pictures(folder)
    assert set(data.y_train) == {"caf\ufffd", "squares"} and len(data.x_train) == 54
    assert list(data.left_out) == ["\ufffdt\ufffd.png"]


@pytest.mark.parametrize(
    ("arrays", "told"),
    [
        (
            {"a": np.zeros((30, 3, 8, 8))},
            r"has the shape \(30, 3, 8, 8\): save \(n, height, width\)",
        ),
        ({"a": np.zeros(30)}, "holds 0 arrays of pictures"),
        ({"a": np.zeros((30, 8, 8)), "b": np.ones((30, 8, 8))}, "2 arrays of pictures.*keep one"),
        ({"a": np.zeros((30, 8, 8))}, "1 different picture.*row 1 is the same picture as row 0"),
        ({"a": np.full((30, 8, 8), 7.0)}, "0 different.*numbers are neither bytes nor from 0 to 1"),
        ({"a": np.full((30, 8, 8), np.nan)}, "0 different.*neither bytes nor"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(arrays, told, tmp_path):
    """With the shape or the reason."""
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=told):
        load_pictures(tmp_path / "a.npz")


LARGE = np.broadcast_to(np.uint8(0), (2**26,))
HEADER = np.lib.format.magic(2, 0) + (2**26).to_bytes(4, "little") + bytes(2**26)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        (LARGE.reshape(2**12, 2**7, 2**7), "2 arrays of pictures"),
        (HEADER, "no .npy or .npz file of pictures"),
        (LARGE, None),
    ],
)
def test_an_array_that_is_not_used_is_not_read(other, told, tmp_path):
    """64 MB of zeros, or a header as large, in a small file: hardly any memory is taken."""
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {"y": np.arange(60), "x": draw_shapes()[0], "z": other}.items():
            with archive.open(f"{name}.npy", "w") as member:
                if isinstance(array, bytes):
                    member.write(array)
                else:
                    np.lib.format.write_array(member, array)
    assert (tmp_path / "a.npz").stat().st_size < 1_000_000
    tracemalloc.start()
    try:
        if told:
            with pytest.raises(ValueError, match=told):
                load_pictures(tmp_path / "a.npz")
        else:
            assert len(load_pictures(tmp_path / "a.npz").x_train) == 54
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_places_without_pictures_are_refused_in_one_line(tmp_path):
    """Nothing there, an empty folder, one of broken files only, a damaged file, a side that is none."""
    with pytest.raises(FileNotFoundError, match=f"neither a folder nor a file {tmp_path}/no"):
        load_pictures(tmp_path / "no")
    with pytest.raises(ValueError, match="holds 0 different.*but 20 are needed.$"):
        load_pictures(tmp_path)
    for number in range(30):
        (tmp_path / f"{number}.png").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"holds 0 .*Left out: 0\.png cannot be read .* \.\.\.\.$"):
        load_pictures(tmp_path)
    (tmp_path / "a.npz").write_bytes(b"PK nothing")
    with pytest.raises(ValueError, match=r"a\.npz is no \.npy or \.npz file"):
        load_pictures(tmp_path / "a.npz")
    for side, told in ((30, "no multiple of 4: use 28 or 32"), (4, "from 8 to 128"), (132, "128")):
        with pytest.raises(ValueError, match=f"side={side} is .*{told}"):
            load_pictures(tmp_path, side)
