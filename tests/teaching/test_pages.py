"""Executed lessons as pages: what is folded, described and left out."""

import nbformat

from vae_course.lesson import MIME_TYPE
from vae_course.teaching import pages

SECOND = {"tags": ["second-reading"]}


def notebook(*cells):
    """Make a notebook of cells: texts, or code cells."""
    made = [nbformat.v4.new_markdown_cell(c) if isinstance(c, str) else c for c in cells]
    return nbformat.v4.new_notebook(cells=made)


def second(text):
    """Make a text cell for a second reading."""
    return nbformat.v4.new_markdown_cell(text, metadata=SECOND)


def code(source, *outputs, **metadata):
    """Make a code cell."""
    return nbformat.v4.new_code_cell(source, outputs=list(outputs), metadata=metadata)


def text_of(page):
    """Return all texts of a page, code cells as `CODE`, with markers for the folds."""
    texts = (cell.source if cell.cell_type == "markdown" else "CODE" for cell in page.cells)
    return " ".join(" ".join(texts).replace(pages.OPEN, " [ ").replace(pages.CLOSE, " ] ").split())


def test_a_second_reading_is_folded_below_each_heading():
    """Headings stay outside; the fold is closed before what a first reader goes on with."""
    run = [second("## Two *more*\n\na"), code("2", **SECOND), second("b"), second("## Three\n\nc")]
    page = pages.page_of(notebook("# T", "## One", *run, "## Four"))
    assert text_of(page) == "# T ## One ## Two *more* [ a CODE b ] ## Three [ c ] ## Four"


def test_a_second_reading_may_begin_with_code_end_the_lesson_or_have_small_headings():
    """Every fold that is opened is closed, before a heading of any level, even where a text goes on first."""
    run = [code("1", **SECOND), second("a\n\n### Small\n\nb\n\n## Big\n\nc")]
    assert text_of(pages.page_of(notebook("# T", *run))) == (
        "# T [ CODE a ] ### Small [ b ] ## Big [ c ]"
    )
    assert text_of(pages.page_of(notebook("# T", second("a\n\n## B\n\nc"), "d"))) == (
        "# T [ a ] ## B [ c ] d"
    )


def test_set_up_is_hidden_and_nothing_else():
    """Parameters, also those that a run inserts, and the cell that begins; the rest shows its code."""
    cells = [
        code("dataset = 1", tags=["parameters"]),
        code("dataset = 2", tags=["injected-parameters"]),
        code("from a import begin\n\nbegin(seed)", tags=["show-code"]),
        code("print(1)", tags=["hide-output", "nbval-check-output"]),
    ]
    page = pages.page_of(notebook("# T", *cells))
    tags = [cell.metadata.get("tags") for cell in page.cells[1:]]
    assert tags == [["hide-input"]] * 3 + [None]


def test_figures_get_their_text_numbers_for_machines_go_and_the_lesson_stays():
    """What MyST-NB needs is in the copy only."""
    about = {"image/png": {"alt": "A line.", "width": 3}}
    figure = nbformat.v4.new_output("display_data", {"image/png": "AA=="}, metadata=about)
    numbers = nbformat.v4.new_output(
        "display_data", {MIME_TYPE: {"a": 1}, "text/html": "<table></table>"}
    )
    lesson = notebook("# T\n\nFirst.\n\nSecond.", code("1", figure, numbers))
    before = nbformat.writes(lesson)
    page = pages.page_of(lesson, "<p>links</p>")
    assert nbformat.writes(lesson) == before
    assert page.cells[0].source.startswith("# T\n\n<p>links</p>\n\n")
    assert page.cells[1].metadata.mystnb == {"image": {"alt": "A line."}}
    assert list(page.cells[1].outputs[1].data) == ["text/html"]
    assert pages.opening_of(lesson) == "First."
    assert pages.figure_of(lesson) == ("AA==", about["image/png"])


def test_the_tagged_figure_stands_for_its_lesson():
    """Without one, the first does; without any, none."""
    first, second_ = (
        nbformat.v4.new_output("display_data", {"image/png": data}) for data in ("AA==", "BB==")
    )
    cells = [code("1", first), code("2", second_, tags=["readme-picture"])]
    assert pages.figure_of(notebook(*cells)) == ("BB==", {})
    assert pages.figure_of(notebook(*cells[:1])) == ("AA==", {})
    assert pages.figure_of(notebook("# T")) is None
