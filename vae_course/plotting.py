"""Figures of the course: functions take arrays and an `ax`, draw on it, and return it."""

import io
import os
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from matplotlib.collections import PatchCollection
from PIL import Image

# Ten colours as far apart as can be on white, for all readers: at least 48 in CIELAB (delta E 1976), 24 for
# the colour-blind (simulated after Machado and others, 2009). The maps also draw each point as its digit.
CLASS_COLOURS = (
    "#0000FF", "#1E7600", "#F0129C", "#0BB9E0", "#55170F",
    "#CBA80F", "#DA3AFF", "#420C74", "#18394B", "#ABAD82",
)  # fmt: skip
SCREEN_DPI = 80  # pixels for an inch of a figure, as a page shows it

MOST_POINTS = 1000  # on a map: more would hide each other


def use_course_style():
    """Give all figures of a lesson the same look, whatever this machine or its user prefers.

    Figures have twice as many dots as a page shows pixels, so that they are crisp on a high-resolution
    screen; the environment variable `VAE_COURSE_DPI` asks for another number of dots per inch.

    Raises:
        ValueError: If `VAE_COURSE_DPI` is not a whole number from 20 to 1000.
    """
    wanted = os.environ.get("VAE_COURSE_DPI") or str(2 * SCREEN_DPI)
    if not (wanted.isdecimal() and 20 <= int(wanted) <= 1000):
        raise ValueError(
            f"VAE_COURSE_DPI={wanted!r} is not a resolution: set it to dots per inch from 20 to 1000, "
            "such as 240, or unset it."
        )
    _use_a_backend_without_windows()
    _use_fonts_of_matplotlib()
    matplotlib.rcdefaults()  # neither a matplotlibrc nor a start-up file counts; the backend stays
    plt.rcParams.update(
        {
            "figure.figsize": (7, 4.2),
            "figure.dpi": SCREEN_DPI,
            "savefig.dpi": int(wanted),
            "figure.constrained_layout.use": True,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": plt.cycler(
                color=["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#555555"]
            ),
            "axes.titlesize": "medium",
            "font.size": 11,
            "font.sans-serif": ["DejaVu Sans"],
            "image.cmap": "gray_r",
            "legend.frameon": False,
        }
    )


def _use_a_backend_without_windows():
    """Keep a notebook's backend, but replace one that opens windows: `show` needs none."""
    name = (matplotlib.get_backend(auto_select=False) or "agg").lower()
    if not any(kind in name for kind in ("inline", "ipympl", "widget", "nbagg", "notebook")):
        name = "agg"
    plt.switch_backend(
        name
    )  # now, so that its own settings (InlineBackend.rc) do not come after ours


def _use_fonts_of_matplotlib():
    """Find the fonts that Matplotlib carries first: a cached list may have others of the same name."""
    fonts, folder = font_manager.fontManager, Path(matplotlib.get_data_path(), "fonts", "ttf")
    others = [font for font in fonts.ttflist if Path(font.fname).parent != folder]
    fonts.ttflist = []
    for path in sorted(folder.glob("*.ttf")):
        fonts.addfont(path)
    fonts.ttflist += others


def bundle(fig, alt):
    """Turn a figure into what a notebook displays, together with a text for readers who cannot see it.

    Args:
        fig: Matplotlib figure.
        alt: What there is to see, in a sentence or two.

    Returns:
        The data by MIME type, and their metadata.

    Raises:
        ValueError: If the text is too short to tell anything.
    """
    if len(alt.split()) < 5:
        raise ValueError(f"alt={alt!r} tells too little: say in a sentence what there is to see.")
    rendered, packed = io.BytesIO(), io.BytesIO()
    fig.savefig(rendered, format="png", bbox_inches="tight")
    # A palette of 256 colours keeps a lesson's file small. Maximum coverage leaves no colour out, not even
    # that of one small mark, which the default, the median cut, would give up for more greys.
    picture = Image.open(rendered).convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE)
    picture.save(packed, "PNG", optimize=True)
    data = {"image/png": packed.getvalue(), "text/plain": alt}
    dpi = plt.rcParams["savefig.dpi"]
    width = round(picture.width * SCREEN_DPI / (fig.dpi if dpi == "figure" else dpi))  # on a page
    return data, {"image/png": {"alt": alt, "width": width}}


def show(fig, alt):
    """Display a figure in the notebook together with a text for readers who cannot see it.

    Args:
        fig: Matplotlib figure; it is closed, so that the notebook shows it once.
        alt: What there is to see, in a sentence or two.

    Raises:
        ValueError: If the text is too short to tell anything.
    """
    from IPython.display import display

    data, metadata = bundle(fig, alt)
    plt.close(fig)
    display(data, raw=True, metadata=metadata)


def tile(images, columns, blank=0):
    """Put images side by side, row by row, into one array.

    Args:
        images: Shape `(n, height, width)`, perhaps with 1 or 3 channels, n of 1 or more.
        columns: Images in a row.
        blank: Value of places without an image; 0 is white if ink is 1.

    Returns:
        Array of shape `(rows * height, columns * width)`, and 3 channels if the images have them.
    """
    height, width, *channels = np.asarray(images).shape[1:]
    channels = [] if channels == [1] else channels
    rows = -(-len(images) // columns)
    places = np.full((rows * columns, height, width, *channels), float(blank))
    places[: len(images)] = np.reshape(images, (-1, height, width, *channels))
    places = places.reshape(rows, columns, height, width, *channels)
    return places.swapaxes(1, 2).reshape(rows * height, columns * width, *channels)


def image_grid(images, columns, ax=None, row_labels=(), column_labels=(), light=False):
    """Draw images as one grid, in grey or colour.

    Args:
        images: Shape `(n, height, width)`, perhaps with 1 or 3 channels, values in [0, 1].
        columns: Images in a row.
        ax: Where to draw; None for the current axes.
        row_labels: A text for each row, at its left.
        column_labels: A text for each column, above it.
        light: Whether 1 is white, as in photographs, and not black ink.

    Returns:
        The axes.
    """
    ax = ax or plt.gca()
    height, width = np.asarray(images).shape[1:3]
    light = light or np.shape(images)[3:] == (3,)
    ax.imshow(tile(images, columns, blank=light), "gray" if light else None, vmin=0, vmax=1)
    ax.set_yticks((np.arange(len(row_labels)) + 0.5) * height, row_labels)
    ax.set_xticks((np.arange(len(column_labels)) + 0.5) * width, column_labels)
    ax.tick_params(length=0, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    return ax


def show_images(images, columns, alt, title="", row_labels=(), column_labels=(), light=False):
    """Display images as one grid, in a figure of the right size.

    Args:
        images: As in `image_grid`.
        columns: Images in a row.
        alt: What there is to see, in a sentence or two.
        title: Title above the grid.
        row_labels: A text for each row, at its left.
        column_labels: A text for each column, above it.
        light: As in `image_grid`.

    Raises:
        ValueError: If the text is too short to tell anything.
    """
    rows = -(-len(images) // columns)
    margin = 0.2 + 0.1 * max(map(len, map(str, row_labels)), default=0)
    side = min(0.55, (8.5 - margin) / columns)  # inches for one image
    lines = max((str(label).count("\n") + 1 for label in column_labels), default=0)
    height = side * rows + 0.1 + 0.25 * lines + 0.3 * bool(title)
    fig, ax = plt.subplots(figsize=(side * columns + margin, height))
    image_grid(images, columns, ax, row_labels, column_labels, light)
    ax.set_title(title)
    show(fig, alt)


def number_grid(values, ax=None, padding=False, largest=None):
    """Draw a matrix as squares with their numbers; zeros stay blank, or are hatched where they are padding.

    Args:
        values: Shape `(rows, columns)`, not negative.
        ax: Where to draw; None for the current axes.
        padding: Whether zeros are padding, which is written and hatched in green.
        largest: Value of the darkest square; None for the largest that there is.

    Returns:
        The axes.
    """
    ax, values = ax or plt.gca(), np.asarray(values)
    ax.imshow(values, cmap="Blues", vmin=0, vmax=1.8 * (largest or values.max()))
    size = 9 if values.shape[1] <= 14 else 7
    for (row, column), value in np.ndenumerate(values):
        if value or padding:
            ax.text(column, row, f"{value:g}", ha="center", va="center", size=size)
        if padding and not value:
            square = plt.Rectangle((column - 0.5, row - 0.5), 1, 1, hatch="///", lw=0)
            ax.add_patch(square).set(facecolor="#E3F4DE", edgecolor="#A6D59B")
    rows, columns = values.shape
    ax.set(xticks=np.arange(columns + 1) - 0.5, yticks=np.arange(rows + 1) - 0.5)
    ax.tick_params(length=0, labelbottom=False, labelleft=False)
    ax.grid(color="#999999", linewidth=0.5)
    return ax


def class_marks(labels):
    """Give each class what its points look like on a map: a digit is itself, a name gets a letter.

    Args:
        labels: Digits, or at most 26 names, of any shape.

    Returns:
        Dictionary from each class, sorted, to a text of one character; a point if there is only one name.

    Raises:
        ValueError: If there are more names, or numbers that are no digits.
    """
    classes = np.unique(labels)
    if classes.dtype.kind != "U":
        if bad := [number for number in classes if number not in range(10)]:
            raise ValueError(
                f"labels has {len(bad)} numbers that are no digits from 0 to 9, such as {bad[0]}: pass "
                "names, as by labels.astype(str)."
            )
        return {digit: str(digit) for digit in classes}
    if len(classes) > 26:
        raise ValueError(
            f'labels has {len(classes)} names, but there are 26 letters: join classes, or pass "" for all.'
        )
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: len(classes)] if len(classes) > 1 else "•"
    return dict(zip(classes.tolist(), letters, strict=True))


def latent_map(z, labels, ax=None, most=MOST_POINTS):
    """Draw latent vectors in the plane, each as the digit that it belongs to, or the letter of its class.

    Args:
        z: Shape `(n, 2)`.
        labels: Digits 0 to 9, or names of classes, shape `(n,)`.
        ax: Where to draw; None for the current axes.
        most: Draw at most so many points, the first ones, so that they stay readable.

    Returns:
        The axes.

    Raises:
        ValueError: As in `class_marks`.
    """
    ax = ax or plt.gca()
    marks = class_marks(labels)
    z, labels = np.asarray(z)[:most], np.asarray(labels)[:most]
    for number, (name, mark) in enumerate(marks.items()):
        mine = z[labels == name]
        colour = CLASS_COLOURS[int(mark) if mark.isdecimal() else number % 10]
        ax.scatter(*mine.T, marker=f"${mark}$", color=colour, s=30, linewidths=0, label=str(name))
    ax.set(xlabel="z[0]", ylabel="z[1]", aspect="equal")
    return ax


def circles(centres, radii, ax=None):
    """Draw red circles with their numbers, 1 for the first.

    Args:
        centres: Shape `(n, 2)`.
        radii: Shape `(n,)`, in units of the axes.
        ax: Where to draw; None for the current axes.

    Returns:
        The axes.
    """
    ax = ax or plt.gca()
    patches = [plt.Circle(centre, radius) for centre, radius in zip(centres, radii, strict=True)]
    ax.add_collection(PatchCollection(patches, facecolor="none", edgecolor="red", linewidth=2))
    for number, centre in enumerate(centres, start=1):
        ax.annotate(str(number), centre, color="red", ha="center", va="center", weight="bold")
    return ax


def loss_curves(history, names=("loss",), ax=None):
    """Draw losses by epoch, solid on training data and dashed on held-out data.

    Args:
        history: Dictionary from metric to values, one for each epoch, as `History.history` of Keras.
        names: Which metrics to draw; `val_...` of the same name is drawn where it is there.
        ax: Where to draw; None for the current axes.

    Returns:
        The axes.
    """
    ax = ax or plt.gca()
    for name in names:
        epochs = np.arange(1, len(history[name]) + 1)
        options = {"markersize": 4 if len(epochs) <= 60 else 0}  # more markers would hide the curve
        (line,) = ax.plot(epochs, history[name], "o-", label=f"{name}, training", **options)
        if f"val_{name}" in history:
            options["color"] = line.get_color()
            ax.plot(epochs, history[f"val_{name}"], "s--", label=f"{name}, test", **options)
    ax.set(xlabel="epoch", ylabel="per image")
    ax.xaxis.get_major_locator().set_params(integer=True)
    ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))  # beside the curves, never on them
    return ax
