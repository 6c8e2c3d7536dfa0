"""Figures: what is drawn, on which axes, and with what in words."""

import io

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

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


def test_figures_are_finer_where_that_is_asked_for(monkeypatch):
    """For slides on a large screen; a lesson's own file keeps 80 dots per inch."""
    sizes = {}
    with matplotlib.rc_context():
        for dpi in "", "160":
            monkeypatch.setenv("VAE_COURSE_DPI", dpi)
            plotting.use_course_style()
            fig = plt.figure(figsize=(2, 1))
            fig.subplots()
            data, _ = plotting.bundle(fig, "An empty frame, two by one.")
            plt.close(fig)
            sizes[dpi] = plt.imread(io.BytesIO(data["image/png"])).shape[1]
    assert sizes["160"] == pytest.approx(2 * sizes[""], rel=0.05)
