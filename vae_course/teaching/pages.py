"""Prepare executed lessons as pages of the web site: fold what can wait, and describe the figures."""

import copy
import html
import re

import nbformat

from vae_course.lesson import EXPLORER, MIME_TYPE
from vae_course.teaching.carried import embedder

HEADING = re.compile(r"^#{2,} .*\n?", re.M)
OPEN = '\n<details class="second-reading"><summary>Second reading</summary>\n\n'
CLOSE = "\n\n</details>\n\n"
NO_TEXT = "A figure without a description."
# Cells that set up a lesson: their tags, and what stands in their code.
SET_UP = {"parameters", "injected-parameters"}, ("begin(seed)", "self_check.report(")


def page_of(notebook, links=""):
    """Return a copy of an executed lesson as MyST-NB shows it best, with its explorers live.

    The code that sets up the lesson is folded. So is what is tagged `second-reading`, from below each heading
    to the next one.

    Args:
        notebook: The executed lesson; it is not changed.
        links: HTML to show below the title.

    Returns:
        The notebook.
    """
    page, cells, folded, live = copy.deepcopy(notebook), [], False, embedder()
    # Some programs leave this out, and then code would have no colours.
    page.metadata["language_info"] = {"name": "python", "pygments_lexer": "ipython3"}
    for place, cell in enumerate(page.cells):
        tags = cell.metadata.get("tags", [])
        cell.metadata = {}
        if place == 0:
            title, _, rest = cell.source.partition("\n")
            cell.source = f"{title}\n\n{links}\n\n{rest}"
        if cell.cell_type == "code":
            _prepare_code(cell, tags, live)
        if folded and "second-reading" not in tags:
            cells.append(nbformat.v4.new_markdown_cell(CLOSE))
        if "second-reading" in tags and cell.cell_type == "markdown":
            cell.source = _fold(cell.source, folded)
        elif "second-reading" in tags and not folded:
            cells.append(nbformat.v4.new_markdown_cell(OPEN))
        folded = "second-reading" in tags
        cells.append(cell)
    page.cells = [*cells, nbformat.v4.new_markdown_cell(CLOSE)] if folded else cells
    return page


def _fold(text, folded):
    """Fold a text below each of its headings; if it begins inside of a fold, close that first."""
    before, *_ = HEADING.split(text, maxsplit=1)
    opened = "" if folded or not before.strip() else OPEN

    def fold(heading):
        nonlocal folded
        close, folded = CLOSE if folded else "", True
        return f"{close}{heading.group().rstrip()}\n{OPEN}"

    folded = folded or bool(opened)
    return opened + HEADING.sub(fold, text)


def _prepare_code(cell, tags, live):
    """Hide the code of a cell that sets up the lesson, and give the cell's figure its alternative text."""
    if SET_UP[0] & set(tags) or any(code in cell.source for code in SET_UP[1]):
        cell.metadata["tags"] = ["hide-input"]
    for output in cell.outputs:
        output.get("data", {}).pop(MIME_TYPE, None)  # numbers for machines, shown as a table, too
        if EXPLORER in output.get("data", {}):
            output.data = {"text/html": live(output, _still(output))}
        elif "image/png" in output.get("data", {}):
            about = output.metadata.get("image/png", {})
            cell.metadata["mystnb"] = {"image": {"alt": about.get("alt", NO_TEXT)}}


def _still(output):
    """Return the picture of an explorer as HTML."""
    alt = html.escape(output.metadata.get("image/png", {}).get("alt", NO_TEXT))
    picture = output.data["image/png"].replace("\n", "")
    return f'<img alt="{alt}" src="data:image/png;base64,{picture}">'


def opening_explorer(notebook):
    """Return the first live explorer of a lesson as HTML, or an empty text."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if EXPLORER in output.get("data", {}):
                return embedder()(output, _still(output))
    return ""


def figure_of(notebook):
    """Return the data and metadata of the figure tagged `readme-picture`, or of the first one, or None."""
    figures = [
        (
            output.data["image/png"],
            output.metadata.get("image/png", {}),
            cell.metadata.get("tags", []),
        )
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    figures.sort(key=lambda figure: "readme-picture" not in figure[2])
    return figures[0][:2] if figures else None


def opening_of(notebook):
    """Return the first paragraph below a lesson's title, or an empty text."""
    source = notebook.cells[0].source if notebook.cells else ""
    return source.split("\n\n")[1].strip() if "\n\n" in source else ""
