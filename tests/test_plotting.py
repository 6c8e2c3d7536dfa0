"""Figures: what is drawn, on which axes, and with what in words."""

import dataclasses
import io
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib import font_manager
from PIL import Image

from vae_course import plotting


@pytest.fixture
def ax():
    """Give fresh axes, and close them."""
    fig, ax = plt.subplots()
    yield ax
    plt.close(fig)


def test_tile_puts_images_row_by_row_and_leaves_the_rest_white():
    """Five 2 x 2 images in three columns: the sixth place is empty."""
    images = np.arange(1, 6)[:, None, None] * np.ones((5, 2, 2))
    expected = np.repeat(np.repeat([[1, 2, 3], [4, 5, 0]], 2, axis=0), 2, axis=1)
    np.testing.assert_array_equal(plotting.tile(images, 3), expected)
    np.testing.assert_array_equal(plotting.tile(images[..., None], 3), expected)


def test_image_grid_is_one_picture_on_a_fixed_grey_scale(ax):
    """One imshow, 0 white and 1 black whatever the values, labels in the middle of their rows."""
    images = np.full((6, 28, 28, 1), 0.5)
    assert plotting.image_grid(images, 3, ax, row_labels=["a", "b"], column_labels="xyz") is ax
    (picture,) = ax.images
    assert picture.get_clim() == (0, 1)
    assert picture.get_array().shape == (56, 84)
    np.testing.assert_array_equal(ax.get_yticks(), [14, 42])
    assert [t.get_text() for t in ax.get_xticklabels()] == ["x", "y", "z"]


def test_pictures_in_colour_and_in_light_are_shown_as_they_are(ax):
    """Three channels keep their place; places without a picture are white; white is 1, not ink."""
    images = np.arange(36).reshape(3, 2, 2, 3) / 36
    tiled = plotting.tile(images, 2, blank=1)
    np.testing.assert_array_equal(tiled[2:, :2], images[2])
    np.testing.assert_array_equal(tiled[2:, 2:], 1)
    plotting.image_grid(images, 2, ax)
    plotting.image_grid(images[..., :1], 2, ax, light=True)
    colour, light = ax.images
    np.testing.assert_array_equal(colour.get_array(), tiled)
    assert light.get_cmap()(1.0)[:3] == (1, 1, 1) and light.get_array()[-1, -1] == 1


def test_named_classes_have_letters_on_a_map(ax):
    """In the order of their names; one class alone has points."""
    labels = np.array(["cat", "ant", "cat"])
    assert plotting.class_marks(labels) == {"ant": "A", "cat": "B"}
    assert plotting.class_marks(np.array(["", ""])) == {"": "•"}
    plotting.latent_map([[0, 1], [2, 3], [4, 5]], labels, ax)
    assert [drawn.get_label() for drawn in ax.collections] == ["ant", "cat"]
    np.testing.assert_array_equal(ax.collections[1].get_offsets(), [[0, 1], [4, 5]])


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.arange(27).astype(str), "27 names, but there are 26 letters: join classes"),
        (np.arange(12), "2 numbers that are no digits from 0 to 9, such as 10: pass names"),
        (np.array([-1, 3]), "such as -1"),
    ],
)
def test_classes_without_a_mark_are_refused(labels, told, ax):
    """With how many there are and what to do."""
    with pytest.raises(ValueError, match=told):
        plotting.latent_map(np.zeros((len(labels), 2)), labels, ax)


def test_number_grid_leaves_zeros_blank_or_hatches_them_as_padding(ax):
    """Each other number is written where it stands in the matrix."""
    written = {(1, 0): "2", (0, 1): "0.5"}  # (x, y)
    assert plotting.number_grid([[0, 2], [0.5, 0]], ax) is ax
    assert {text.get_position(): text.get_text() for text in ax.texts} == written
    assert not ax.patches
    ax.clear()
    plotting.number_grid([[0, 2], [0.5, 0]], ax, padding=True)
    written |= {(0, 0): "0", (1, 1): "0"}
    assert {text.get_position(): text.get_text() for text in ax.texts} == written
    assert [(patch.get_x(), patch.get_y()) for patch in ax.patches] == [(-0.5, -0.5), (0.5, 0.5)]


def test_latent_map_draws_each_class_with_its_own_marker_and_colour(ax):
    """Ten digits, ten colours; the points are where the data is."""
    z = np.random.default_rng(0).normal(size=(50, 2))
    labels = np.arange(50) % 10
    assert plotting.latent_map(z, labels, ax) is ax
    assert len(ax.collections) == 10
    colours = {tuple(c.get_facecolor()[0]) for c in ax.collections}
    assert len(colours) == 10
    np.testing.assert_allclose(ax.collections[3].get_offsets(), z[labels == 3])
    shapes = {c.get_paths()[0].vertices.tobytes() for c in ax.collections}
    assert len(shapes) == 10


def test_latent_map_limits_the_number_of_points(ax):
    """Of very many points, only the first are drawn."""
    plotting.latent_map(np.zeros((100, 2)), np.zeros(100, int), ax, most=30)
    assert len(ax.collections[0].get_offsets()) == 30


def test_circles_have_their_places_and_sizes_in_data_units(ax):
    """Two circles, numbered."""
    plotting.circles([[1, 2], [3, 4]], [0.5, 1.5], ax)
    (collection,) = ax.collections
    extents = [path.get_extents() for path in collection.get_paths()]
    np.testing.assert_allclose([e.width for e in extents], [1, 3], rtol=1e-3)
    np.testing.assert_allclose([(e.x0 + e.x1) / 2 for e in extents], [1, 3])
    assert [t.get_text() for t in ax.texts] == ["1", "2"]


def test_loss_curves_are_solid_for_training_and_dashed_for_test(ax):
    """Epochs count from 1; a metric without held-out values has one line."""
    history = {"loss": [3, 2], "val_loss": [4, 3], "kl": [1, 1]}
    plotting.loss_curves(history, ["loss", "kl"], ax)
    styles = [(line.get_label(), line.get_linestyle()) for line in ax.lines]
    assert styles == [("loss, training", "-"), ("loss, test", "--"), ("kl, training", "-")]
    np.testing.assert_array_equal(ax.lines[0].get_xdata(), [1, 2])


def test_show_gives_the_picture_its_alternative_text(execute):
    """One picture, the text where nbconvert looks for it, and no second copy of the figure."""
    notebook = execute(
        "import matplotlib.pyplot as plt\nfrom vae_course import plotting",
        "fig, ax = plt.subplots()\nplotting.show(fig, 'A line that goes up and up.')",
    )
    (output,) = notebook.cells[1].outputs
    assert output.data["image/png"]
    assert output.metadata["image/png"]["alt"] == "A line that goes up and up."


def test_show_refuses_a_text_that_tells_nothing():
    """The error names the text."""
    with pytest.raises(ValueError, match="alt='plot'"):
        plotting.show(plt.figure(), "plot")
    plt.close("all")


@pytest.fixture
def rc():
    """Undo what a test changes in Matplotlib."""
    fonts, backend = font_manager.fontManager.ttflist, matplotlib.get_backend()
    with matplotlib.rc_context():
        yield matplotlib.rcParams
    font_manager.fontManager.ttflist = fonts
    plt.switch_backend(backend)


def pixels():
    """Draw a figure as a lesson does, and return its pixels."""
    fig = plt.figure(figsize=(2, 1))
    fig.subplots().set_title(r"$\sigma^2$ is −1")
    data, _ = plotting.bundle(fig, "An empty frame, two by one.")
    plt.close(fig)
    return plt.imread(io.BytesIO(data["image/png"]))


def test_figures_are_finer_where_that_is_asked_for(monkeypatch, rc):
    """Two inches of a figure take 160 pixels of a page, with two dots for each, or as many as asked for."""
    sizes = {}
    for dpi in "", "80", "320":
        monkeypatch.setenv("VAE_COURSE_DPI", dpi)
        plotting.use_course_style()
        sizes[dpi] = pixels().shape[1]
        fig = plt.figure(figsize=(2, 1))
        fig.subplots()
        width = plotting.bundle(fig, "An empty frame, two by one.")[1]["image/png"]["width"]
        assert width == pytest.approx(160, abs=20)
        plt.close(fig)
    assert sizes["80"] == pytest.approx(160, abs=20)
    assert sizes[""] == pytest.approx(2 * sizes["80"], rel=0.05)
    assert sizes["320"] == pytest.approx(2 * sizes[""], rel=0.05)
    for dpi in "fine", "0", "-80", "80.5", "99999":
        monkeypatch.setenv("VAE_COURSE_DPI", dpi)
        with pytest.raises(ValueError, match=f"VAE_COURSE_DPI='{dpi}'"):
            plotting.use_course_style()


def test_what_a_reader_prefers_does_not_change_the_figures(rc):
    """A style, single settings, and fonts of the same name: the pixels stay the same."""
    plotting.use_course_style()
    expected = pixels()
    plt.style.use("dark_background")
    rc.update({"text.usetex": True, "font.size": 30, "savefig.transparent": True})
    fonts = font_manager.fontManager
    serif = next(font for font in fonts.ttflist if Path(font.fname).name == "DejaVuSerif.ttf")
    fonts.ttflist = [dataclasses.replace(serif, name="DejaVu Sans")]
    fonts._findfont_cached.cache_clear()  # as in a new process
    plotting.use_course_style()
    np.testing.assert_array_equal(pixels(), expected)
    carried = Path(matplotlib.get_data_path(), "fonts", "ttf")
    assert Path(font_manager.findfont("DejaVu Sans")).parent == carried


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ("module://matplotlib_inline.backend_inline", True),
        ("inline", True),
        ("nbagg", True),
        ("tkagg", False),
        ("qtagg", False),
        ("svg", False),
    ],
)
def test_only_a_notebooks_own_backend_is_kept(found, kept, rc):
    """One that opens windows would need a display, and a toolkit that the course does not install."""
    dict.__setitem__(
        rc, "backend", found
    )  # as MPLBACKEND or a matplotlibrc sets it, not loaded yet
    plotting.use_course_style()
    assert matplotlib.get_backend().lower() == (found if kept else "agg")


def test_a_small_mark_keeps_its_colour_among_many_greys():
    """No pixel differs visibly from what Matplotlib has drawn."""
    fig, ax = plt.subplots(figsize=(4, 3))
    ax.imshow(np.random.default_rng(0).random((40, 40)), cmap="gray")
    ax.plot(20, 20, "*", color="#009E73", markersize=9)
    data, _ = plotting.bundle(fig, "a green star among pixels of all greys")
    drawn = io.BytesIO()
    fig.savefig(drawn, format="png", bbox_inches="tight")
    plt.close(fig)
    one, other = (
        np.asarray(Image.open(file).convert("RGB"), int)
        for file in (drawn, io.BytesIO(data["image/png"]))
    )
    assert np.abs(one - other).max() < 24
