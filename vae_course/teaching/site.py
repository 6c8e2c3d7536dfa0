"""Build the web site of the course from executed lessons, with Sphinx and MyST-NB; it needs no network."""

import base64
import io
import os
import re
import shutil
import tempfile
from pathlib import Path
from unittest import mock
from urllib.parse import quote
from warnings import catch_warnings

import jinja2
import markupsafe

from vae_course.teaching import glossary, pages, report, slides
from vae_course.teaching.carried import TEMPLATES, path_in
from vae_course.teaching.lab import blank
from vae_course.teaching.notebooks import read_notebook, write_notebook

SHOWN = ("05", "06")  # lessons whose figures are on the front page, besides the first
TITLE = "Variational autoencoders"
# Of these, Sphinx only warns.
UNWRITTEN = re.compile("error writing file|(cannot|Failed to) copy|No space left", re.I)
SIDEBAR = ("brand", "search", "scroll-start", "navigation", "scroll-end")
SETTINGS = {
    "extensions": ["myst_nb", "sphinx_copybutton"],
    "html_theme": "furo",
    "html_title": TITLE,
    "project": TITLE,
    "smartquotes": False,
    "nb_execution_mode": "off",
    "nb_code_prompt_show": "Show the set-up",
    "nb_code_prompt_hide": "Hide the set-up",
    "myst_enable_extensions": ["dollarmath", "amsmath"],
    "mathjax_path": "tex-svg.js",
    "mathjax3_config": {"options": {"enableMenu": False}},
    "copybutton_selector": "div.cell_input pre, div.highlight-console pre",
    "html_static_path": ["_static", str(TEMPLATES / "site" / "static")],
    "html_css_files": ["site.css"],
    "html_js_files": ["site.js"],
    "html_copy_source": False,
    "html_show_copyright": False,
    "html_show_sphinx": False,
    "html_use_index": False,
    "html_sidebars": {"**": [f"sidebar/{name}.html" for name in SIDEBAR]},
    "html_theme_options": {
        "light_css_variables": {"color-brand-primary": "#0b5c8e", "color-brand-content": "#0b5c8e"},
        "dark_css_variables": {"color-brand-primary": "#7cc4f0", "color-brand-content": "#7cc4f0"},
    },
}


def build(results, folder, lessons):
    """Write a web site that opens by double click: lessons, slides, exercises, numbers and a glossary.

    Args:
        results: List of `Result`. Of those without an executed notebook, only the error is told.
        folder: Path of the site, which holds the executed lessons. Pages that an earlier run left there are
            replaced if this one has them, too.
        lessons: Path of the folder of lessons; their exercises are in its subfolder `exercises`.

    Returns:
        Path of the front page, and a list of warnings: of lessons that no page can be made of, which are then
        failed `results`, and of Sphinx, but not of links to lessons that are left out.

    Raises:
        OSError: If a page cannot be written, as on a full disk. The pages of an earlier run then stay.
        RuntimeError: If Sphinx fails.
    """
    folder, warnings = Path(folder), []
    for name in ("slides", "exercises"):
        (folder / name).mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".building-") as place:
        source, target = Path(place, "source"), Path(place, "target")
        (source / "_static").mkdir(parents=True)
        shutil.copy(path_in("mathjax", "static/mathjax/es5/tex-svg.js"), source / "_static")
        shutil.copy(glossary.SOURCE, source)
        rows = [_add_lesson(result, folder, Path(lessons), source, warnings) for result in results]
        _add_front(rows, folder, source)
        missing = {path.name for path in Path(lessons).glob("*.ipynb")}
        missing -= {path.name for path in source.glob("*.ipynb")}
        for warning in _run_sphinx(source, target):
            if UNWRITTEN.search(warning):
                raise OSError(f"The pages in {folder} stay as they were: {warning}")
            if not any(name in warning for name in missing):
                warnings.append(warning)
        for row in rows:  # an earlier run's page is not this one's
            (folder / f"{row['name']}.html").unlink(missing_ok=True)
        _put(target, folder)
    return folder / "index.html", warnings


def _add_lesson(result, folder, lessons, source, warnings):
    """Add a lesson to the sources, and its deck and exercise to the site; return what to tell about it."""
    row = {"result": result, "name": result.name, "number": int(result.name[:2])}
    row["numbers"] = [(n.replace("_", " "), *others) for n, *others in report.measured(result)]
    try:
        return row | _page(result.name, folder, lessons, source)
    except OSError:
        raise
    except Exception as error:
        # A damaged exercise, or outputs that no page can show.
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        result.status, result.error = "FAILED", result.error or f"no page: {reason}"
        warnings.append(f"FAILED {result.name}\n  no page: {reason}")
        return row


def _page(name, folder, lessons, source):
    """Add a lesson's page, deck and exercise; return what the front page tells about them."""
    row = {}
    executed = folder / f"{name}.ipynb"
    if not executed.exists():
        return row
    notebook = read_notebook(executed)
    (deck,) = slides.build([executed], folder / "slides")
    row["slides"] = "" if deck.error else f"slides/{name}.html"
    for exercise in sorted(lessons.glob(f"exercises/ex{name[:2]}_*.ipynb")):
        write_notebook(blank(read_notebook(exercise)), folder / "exercises" / exercise.name)
        row["exercise"] = f"exercises/{exercise.name}"
    row["text"], row["minutes"] = pages.opening_of(notebook), deck.minutes
    if figure := pages.figure_of(notebook):
        row["picture"] = f"{name}.png"
        row["alt"] = " ".join(figure[1].get("alt", pages.NO_TEXT).split())
        (source / row["picture"]).write_bytes(base64.b64decode(figure[0]))
    if explorer := pages.opening_explorer(notebook):
        row["live"] = f"{name}.html"
        (source / row["live"]).write_text(explorer, encoding="utf-8")
    row["page"], row["chosen"] = f"{name}.html", name[:2] in SHOWN
    row["links"] = _links(name, row)
    write_notebook(pages.page_of(notebook, row["links"]), source / f"{name}.ipynb")
    return row


def _add_front(rows, folder, source):
    """Add the front page and the page of numbers to the sources."""
    loader = jinja2.FileSystemLoader(TEMPLATES / "site")
    templates = jinja2.Environment(loader=loader, trim_blocks=True, autoescape=True)
    differing = [differs for row in rows for *_, differs in row["numbers"]]
    context = {
        "title": TITLE,
        "rows": rows,
        "start": next((row for row in rows if "page" in row), None),
        "failed": sum(row["result"].status != "ok" for row in rows),
        "wrong": sum(differing),
        "count": len(differing),
        # Who publishes the site may put the wheel beside it.
        "wheel": next((path.name for path in sorted(folder.glob("*.whl"))), ""),
    }
    for name in ("index.md", "numbers.md"):
        text = templates.get_template(f"{name}.j2").render(context)
        (source / name).write_text(text, encoding="utf-8")


def _links(name, row):
    kinds = {"Slides": row["slides"], "Notebook": f"{name}.ipynb"}
    kinds["Exercise"] = row.get("exercise")
    links = [
        f'<a href="{quote(path)}"{" download" if path.endswith(".ipynb") else ""}>{kind}</a>'
        for kind, path in kinds.items()
        if path
    ]
    return markupsafe.Markup(f'<p class="lesson-links">{" ".join(links)}</p>')


def _run_sphinx(source, target):
    """Let Sphinx turn the sources into pages, whatever the user's settings are. Return its warnings."""
    from sphinx.application import Sphinx
    from sphinx.errors import SphinxError
    from sphinx.util.console import strip_escape_sequences
    from sphinx.util.docutils import docutils_namespace, patch_docutils

    told, doctrees = io.StringIO(), source.with_name("doctrees")
    with mock.patch.dict(os.environ, DOCUTILSCONFIG=""), catch_warnings(action="ignore"):
        try:
            with patch_docutils(), docutils_namespace():
                app = Sphinx(source, None, target, doctrees, "html", SETTINGS, None, told)
                app.connect("doctree-resolved", glossary.explain)
                app.connect("html-page-context", _name_buttons)
                app.build()
        except OSError:
            raise
        except Exception as error:  # of any kind, because its extensions raise their own
            kind = "" if isinstance(error, SphinxError) else f"{type(error).__name__}: "
            raise RuntimeError(f"Sphinx could not make the pages: {kind}{error}") from error
    return strip_escape_sequences(told.getvalue()).splitlines()


def _name_buttons(app, page, template, context, doctree):
    """Let screen readers read what the buttons that hide code say, and not another text."""
    if "body" in context:
        context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")


def _put(target, folder):
    """Move the files of a site into their folder, each of them completely or not at all."""
    for path in sorted(target.rglob("*")):
        place = folder / path.relative_to(target)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif path.name != ".buildinfo":
            os.replace(path, place)
