"""Make decks self-contained: render them with fonts, MathJax and reveal.js inside."""

import base64
import functools
import importlib.util
import io
import re
from pathlib import Path

from fontTools import subset  # comes with Matplotlib
from nbconvert import HTMLExporter

from vae_course.explorers import front_end
from vae_course.lesson import EXPLORER

TEMPLATES = Path(__file__).with_name("templates")
REVEAL = "_static/revealjs"
# Fonts by their names in style sheets: the package that contains each, and its files in the order of FACES.
# The sans serif falls back on the other font, which has Greek letters, arrows, symbols and boxes.
FONTS = {
    "Course Sans": (
        "sphinx_revealjs",
        f"{REVEAL}/dist/theme/fonts/source-sans-pro/source-sans-pro",
        ("-regular", "-italic", "-semibold", "-semibolditalic"),
    ),
    "Course Mono": (
        "matplotlib",
        "mpl-data/fonts/ttf/DejaVuSansMono",
        ("", "-Oblique", "-Bold", "-BoldOblique"),
    ),
}
FACES = (("400", "normal"), ("400", "italic"), ("500 700", "normal"), ("500 700", "italic"))
# Latin, Greek, punctuation, superscripts, the euro, arrows, mathematics, lines and boxes, ticks and crosses.
CHARACTERS = subset.parse_unicodes("20-17F,370-3FF,2010-209C,20AC,2190-22FF,2500-25FF,2713-2718")


def render(notebook, title, slides):
    """Return a notebook as a deck of slides, in one HTML file.

    The HTML contains everything it needs: nothing is fetched or taken from the machine that shows it. Links
    to lessons become links to their decks.
    """
    exporter = HTMLExporter(
        template_name="deck",
        extra_template_basedirs=[str(TEMPLATES)],
        extra_template_paths=[str(TEMPLATES)],
        exclude_anchor_links=True,
    )
    resources = {"metadata": {"name": title}, "carried": _carried(), "slides": slides}
    resources["live"] = embedder()
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    return re.sub(r'href="(\d\d_\w+)\.ipynb"', r'href="\1.html"', page)


def embedder():
    """Return a function for one page, which puts a live explorer around its still picture.

    It takes an output and the HTML of its picture, and returns HTML.
    """
    stored = set()

    def live(output, still):
        bundle = output.data.get(EXPLORER)
        return front_end.embed(bundle, still, stored) if bundle else still

    return live


@functools.cache
def fonts():
    """Return the style sheet that carries the fonts: Source Sans Pro and DejaVu Sans Mono, cut to size."""
    rules = []
    for family, (package, path, names) in FONTS.items():
        for (weight, style), name in zip(FACES, names, strict=True):
            font = _cut(path_in(package, f"{path}{name}.ttf"))
            rules.append(
                f'@font-face {{font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
                f"src: url(data:font/woff;base64,{base64.b64encode(font).decode()})}}"
            )
    return "\n".join(rules)


def _cut(path):
    options = subset.Options(flavor="woff", hinting=False, layout_features=["kern"])
    # Copyright and licence stay; "Source" is a name that only the whole font may have.
    options.name_IDs = [0, 13, 14]
    options.drop_tables += ["FFTM", "GSUB", "webf"]
    font = subset.load_font(path, options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(unicodes=CHARACTERS)
    subsetter.subset(font)
    subset.save_font(font, file := io.BytesIO(), options)
    return file.getvalue()


@functools.cache
def _carried():
    """Read what decks need from the packages that carry it."""
    scripts = {
        "mathjax": path_in("mathjax", "static/mathjax/es5/tex-svg.js"),
        "reveal": path_in("sphinx_revealjs", f"{REVEAL}/dist/reveal.js"),
        "notes": path_in("sphinx_revealjs", f"{REVEAL}/plugin/notes/notes.js"),
    }
    carried = {name: _inside_html(path.read_text("utf-8")) for name, path in scripts.items()}
    reveal_css = path_in("sphinx_revealjs", f"{REVEAL}/dist/reveal.css").read_text("utf-8")
    return carried | {"fonts": fonts(), "reveal_css": reveal_css}


def path_in(package, path):
    """Find a file inside an installed package, without importing the package."""
    if not (found := importlib.util.find_spec(package)):
        cure = "install the course again as described in its README."
        raise FileNotFoundError(f"The package {package} is missing: {cure}")
    return Path(found.submodule_search_locations[0], path)


def _inside_html(script):
    # An HTML parser would take these for the end of the script or for a nested script. Inside a JavaScript
    # string, the escaped characters mean the same.
    return re.sub(r"<(?=!--|/?script)", r"\\x3C", script, flags=re.IGNORECASE)
