"""What pages and decks need from elsewhere, read from installed packages: nothing is fetched later."""

import importlib.util
import re
from pathlib import Path

TEMPLATES = Path(__file__).with_name("templates")


def _text(package, path):
    """Read a file that a package carries, without importing the package.

    Raises:
        FileNotFoundError: If the package or the file is missing.
    """
    found = importlib.util.find_spec(package)
    file = Path(found.submodule_search_locations[0], path) if found else Path(package, path)
    if not file.is_file():
        raise FileNotFoundError(f"{file} is missing: install the course again, as its README says.")
    return file.read_text(encoding="utf-8")


def _inside_html(script):
    # An HTML parser would take these for the end of the script, or for a script inside it; the same
    # characters, escaped as in every JavaScript string, pass.
    return re.sub(r"<(?=!--|/?script)", r"\\x3C", script, flags=re.IGNORECASE)


def mathjax():
    """Return MathJax as one script: it draws formulas as SVG, from glyphs that it carries."""
    return _inside_html(_text("mathjax", "static/mathjax/es5/tex-svg.js"))


def reveal():
    """Return what a deck runs on: `css`, and the scripts `js` (reveal.js) and `notes` (speaker notes)."""
    folder = "_static/revealjs"
    return {
        "css": _text("sphinx_revealjs", f"{folder}/dist/reveal.css"),
        "js": _inside_html(_text("sphinx_revealjs", f"{folder}/dist/reveal.js")),
        "notes": _inside_html(_text("sphinx_revealjs", f"{folder}/plugin/notes/notes.js")),
    }
