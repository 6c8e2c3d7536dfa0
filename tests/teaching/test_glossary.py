"""The glossary: each term once on a page, only in running text, with its meaning."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup
from pins import ROOT

from vae_course.teaching import glossary, site
from vae_course.teaching.notebooks import Result, write_notebook

TEXT = """# The decoder

A decoder and another decoder, `encoder`, $ELBO$, [prior](https://example.org), **KL divergences**.

## Encoder

An *encoder* with Posteriors. A decoderless word, Bayes' rule.
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Build a site of one lesson; give its page and the page of the glossary."""
    folder = tmp_path_factory.mktemp("site")
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(TEXT)])
    write_notebook(lesson, folder / "00_first.ipynb")
    site.build([Result("00_first", "The decoder")], folder, folder)
    names = ("00_first.html", "glossary.html")
    return [BeautifulSoup((folder / n).read_text(encoding="utf-8"), "html.parser") for n in names]


def test_the_first_occurrence_in_running_text_is_explained(page):
    """Not in headings, code, formulas and links, not twice, not inside of words; plurals and cases count."""
    terms = page[0].select("article a.term")
    assert [term.text for term in terms] == [
        "decoder",
        "KL divergences",
        "encoder",
        "Posteriors",
        "Bayes' rule",
    ]
    assert terms[0]["data-meaning"] == "The half of an autoencoder that turns a code into an image."
    assert "A decoder and another decoder, encoder" in page[0].text


def test_links_lead_to_the_term(page):
    """Every anchor exists, and the glossary does not explain itself."""
    for term in page[0].select("a.term"):
        anchor = term["href"].removeprefix("glossary.html#")
        assert term.text.lower().rstrip("s") in page[1].find(id=anchor).text.lower()
    assert not page[1].select("a.term")


def test_the_glossary_is_in_order_and_every_term_is_used():
    """Alphabetical; what no lesson says needs no explanation."""
    terms = list(glossary.read())
    heads = re.findall(r"\n\n(\S.*)\n", glossary.SOURCE.read_text(encoding="utf-8"))[2:]
    assert heads == sorted(heads, key=str.lower) and len(heads) > 30
    paths = (ROOT / "notebooks").glob("*.ipynb")
    lessons = " ".join(path.read_text(encoding="utf-8").lower() for path in paths)
    assert [term for term in terms if term.split(" (")[0] not in lessons] == []
