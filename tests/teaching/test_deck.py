"""Lessons as decks: which part of a cell goes where, and what is refused; no browser is needed."""

import base64
import io
import json
import re
from unittest import mock

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from fontTools.ttLib import TTFont
from pins import ROOT

from vae_course.cli import main
from vae_course.teaching import carried, deck
from vae_course.teaching import slides as printed_slides
from vae_course.teaching.slides import build

CODE = "a = 1\n\n\ndef twice(a):\n    return 2 * a"
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
)


def text(source, kind="slide", **metadata):
    """Make a markdown cell of a slide type."""
    return nbformat.v4.new_markdown_cell(
        source, metadata={"slideshow": {"slide_type": kind}, **metadata}
    )


def code(source=CODE, kind="-", printed="", figure=False, **metadata):
    """Make an executed code cell that has printed something, or drawn a pixel."""
    cell = nbformat.v4.new_code_cell(
        source, execution_count=1, metadata={"slideshow": {"slide_type": kind}, **metadata}
    )
    if printed:
        cell.outputs.append(nbformat.v4.new_output("stream", name="stdout", text=printed))
    if figure:
        data = {"image/png": PIXEL, "text/plain": "x"}
        alt = {"image/png": {"alt": 'One grey pixel, "alone".'}}
        cell.outputs.append(nbformat.v4.new_output("display_data", data=data, metadata=alt))
    return cell


def slides(*cells):
    """Sort cells into slides."""
    return deck.slides_of(nbformat.v4.new_notebook(cells=list(cells)))


def shown(slide):
    """List what a slide shows: kind, step and source of each part."""
    return [(part.kind, part.step, part.source) for part in slide.parts]


def test_slide_text_takes_the_place_of_prose_which_goes_into_the_notes():
    """The heading becomes the title; without a slide text, the prose itself is shown."""
    first, second = slides(
        text("## Long\n\nMuch prose.", slide=["## Short", "A statement."]), text("## Two\n\nPlain.")
    )
    assert (first.title, first.notes) == ("Short", ["Much prose."])
    assert shown(first) == [("title", 0, "## Short"), ("text", 0, "A statement.")]
    assert (second.title, second.notes) == ("Two", [])
    assert shown(second)[1] == ("text", 0, "Plain.")


def test_steps_come_from_fragments_and_from_pauses_in_the_text():
    """Cells of type `-` come with what is before them."""
    (slide,) = slides(
        text("x", slide=["## A", "one", "", ". . .", "two"]),
        text("three", "fragment"),
        code(printed="four"),
        text("prose", "-", slide=[]),
    )
    assert [step for _, step, _ in shown(slide)] == [0, 0, 1, 2, 2]
    assert slide.notes == ["x", "prose"]


def test_code_is_hidden_unless_it_is_tagged():
    """What it printed is shown; `slide_lines` chooses lines, which move to the left."""
    (slide,) = slides(text("## A"), code(printed="4\n"))
    assert [kind for kind, _, _ in shown(slide)] == ["title", "output"]
    (slide,) = slides(text("## A"), code(printed="4\n", tags=["show-code", "hide-output"]))
    assert shown(slide)[1] == ("code", 0, "a = 1\n\ndef twice(a):\n    return 2 * a")
    assert "4" in slide.notes[0]
    (slide,) = slides(text("## A"), code(tags=["show-code"], slide_lines=[5, 5]))
    assert shown(slide)[1] == ("code", 0, "return 2 * a")


def test_prints_beside_a_figure_go_into_the_notes():
    """One picture is enough for a slide."""
    (slide,) = slides(text("## A"), code(printed="loss 3", figure=True))
    assert [kind for kind, _, _ in shown(slide)] == ["title", "figure"]
    assert "loss 3" in slide.notes[0]


def test_a_code_cell_may_open_a_slide_with_a_text_of_its_own():
    """Where the notebook has no text between two outputs that need a slide each."""
    _, slide = slides(text("## A"), code(kind="subslide", printed="4", slide=["## B", "Four:"]))
    assert [kind for kind, _, _ in shown(slide)] == ["title", "text", "output"]


def test_skipped_cells_and_papermills_own_are_left_out():
    """Cells of type `notes` are for the speaker."""
    (slide,) = slides(
        nbformat.v4.new_code_cell("a = 1", metadata={"tags": ["injected-parameters"]}),
        text("## A"),
        text("to be skipped", "skip"),
        text("for the speaker", "notes"),
    )
    assert len(slide.parts) == 1 and slide.notes == ["for the speaker"]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ([nbformat.v4.new_markdown_cell("# A")], "has no slide type: choose one"),
        ([text("# A", "slid")], "has the slide type 'slid': it must be one of slide"),
        ([text("# A", "fragment")], 'comes before the first slide: give it the type "slide"'),
        ([text("no heading")], "opens a slide without a title: begin its text with"),
        ([text("# A", "skip")], "No cell opens a slide"),
        ([text("# A"), nbformat.v4.new_code_cell("a", metadata=text("").metadata)], "not executed"),
        ([text("# A"), code("\n".join("a" * 16), tags=["show-code"])], "shows 16 lines of code"),
        (
            [text("# A"), code(tags=["show-code"], slide_lines=[3, 9])],
            "has 5 lines, but slide_lines",
        ),
    ],
)
def test_what_makes_no_deck_is_refused_with_the_cell_and_the_cure(cells, words):
    """The cell is named by its number and its id."""
    with pytest.raises(ValueError, match=words) as error:
        slides(*cells)
    where = f"cell {len(cells)} ({cells[-1].id})"
    assert where in str(error.value) or "No cell" in words


def test_a_cell_that_failed_is_refused():
    """A traceback is no slide."""
    cell = code()
    cell.outputs.append(nbformat.v4.new_output("error", ename="ValueError", evalue="x"))
    with pytest.raises(ValueError, match="cell 2 .* ended in ValueError"):
        slides(text("# A"), cell)


def test_the_deck_shows_parts_with_their_steps_and_alternative_texts():
    """Links to lessons lead to their decks, notes are asides, quotes in a figure's text break nothing."""
    cells = [
        text("## A & B\n\nSee [lesson 5](05_convolutional_vae.ipynb)."),
        text("Long.", "fragment", slide=["Short."]),
        code(figure=True, printed="<b>4</b>"),
    ]
    notebook = nbformat.v4.new_notebook()
    html = carried.render(notebook, "The lesson", slides(*cells))
    (section,) = BeautifulSoup(html, "html.parser").select("section")
    assert section["data-title"] == "A & B"
    assert section.find("a")["href"] == "05_convolutional_vae.html"
    assert section.find("img")["alt"] == 'One grey pixel, "alone".'
    assert [p.get("data-fragment-index") for p in section.select(".part")] == [None, None, "0", "0"]
    assert "Long." in section.find("aside").text and "<b>4</b>" in section.find("aside").text
    assert section.select_one(".lesson").text == "The lesson"


def test_decks_carry_every_character_that_the_lessons_use():
    """In each face, so that bold and italic are real, with signs that teachers are likely to add."""
    used = set("αβμσΣΩ′″²½×·±−–—“”…≤≥≈≠∞∈∑∏∫√∂∇→←↔⇒─│┌┐└┘├┤█▏░●■äéßłšø€")
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        used |= set(json.dumps(json.loads(path.read_text("utf-8")), ensure_ascii=False))
    mono, sans = [], []
    for face in re.findall(r"@font-face {.*?}", carried.fonts()):
        data = re.search(r"base64,(.*?)\)", face).group(1)
        characters = set(map(chr, TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap()))
        (sans if "Course Sans" in face else mono).append(characters)
    assert len(mono) == len(sans) == 4
    for characters in mono:
        assert sorted(used - characters) == []
    for characters in sans:
        assert sorted({c for c in used if c < "\u0180"} - characters) == []


def test_scripts_inside_a_deck_cannot_end_it():
    """The characters that an HTML parser would act on are escaped, as in any JavaScript string."""
    script = carried._inside_html("a = '<script></SCRIPT><!-- -->'; b < c")
    assert script == r"a = '\x3Cscript>\x3C/SCRIPT>\x3C!-- -->'; b < c"
    for text_ in carried._carried().values():
        assert "</script" not in text_.lower()


@pytest.fixture
def lessons(tmp_path):
    """Give a folder of three lessons: a good one, one without slide types, one that was not executed."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    good = [text("# Good"), code(printed="4")]
    plain = [nbformat.v4.new_markdown_cell("# Plain", id="plain-text")]
    asleep = [text("# Asleep"), nbformat.v4.new_code_cell("1", metadata=good[0].metadata, id="one")]
    for name, cells in ("00_good", good), ("01_plain", plain), ("02_asleep", asleep):
        nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / f"{name}.ipynb")
    (folder / "03_torn.ipynb").write_text("{", encoding="utf-8")
    return folder


def test_broken_lessons_are_named_and_the_other_decks_are_built(lessons, tmp_path, monkeypatch):
    """Non-zero exit; old files of a broken lesson are gone; without a browser, one line tells the cure."""
    monkeypatch.setenv("VAE_COURSE_CHROMIUM", str(tmp_path / "no-browser"))
    out = tmp_path / "out"
    out.mkdir()
    (out / "01_plain.html").write_text("old")
    result = CliRunner().invoke(main, ["slides", "--notebooks", str(lessons), "--out", str(out)])
    assert result.exit_code == 1
    assert sorted(path.name for path in out.iterdir()) == ["00_good.html", "index.html"]
    assert "FAILED 01_plain\n  cell 1 (plain-text) has no slide type" in result.output
    assert "FAILED 02_asleep\n  cell 2 (one) was not executed" in result.output
    assert "FAILED 03_torn" in result.output
    (line,) = [line for line in result.output.splitlines() if "no PDF" in line]
    assert f"{tmp_path / 'no-browser'} does not start" in line and "VAE_COURSE_CHROMIUM" in line
    index = (out / "index.html").read_text(encoding="utf-8")
    assert 'href="00_good.html"' in index and "not executed" in index


def test_a_deck_that_cannot_be_printed_or_replaced_stops_no_other(lessons, tmp_path, monkeypatch):
    """It is told, and the index is there, with links that lead to the files."""
    sync_api = pytest.importorskip("playwright.sync_api")
    out = tmp_path / "out"
    (out / "02_asleep.pdf").mkdir(parents=True)  # as one that a viewer on Windows holds open
    good = (lessons / "00_good.ipynb").read_text(encoding="utf-8")
    (lessons / "04_50% #1.ipynb").write_text(good, encoding="utf-8")

    def give_up(browser, path):
        if path.stem == "00_good":
            raise sync_api.Error("Page crashed\nCall log: ...")
        path.with_suffix(".pdf").touch()

    monkeypatch.setattr(printed_slides, "_launch", lambda *_: mock.Mock())
    monkeypatch.setattr(printed_slides, "_print", give_up)
    result = CliRunner().invoke(main, ["slides", "--notebooks", str(lessons), "--out", str(out)])
    assert "1 PDF(s)\n  no PDF of 00_good: Page crashed\n" in result.output
    assert "FAILED 02_asleep" in result.output and "Traceback" not in result.output
    index = BeautifulSoup((out / "index.html").read_text(encoding="utf-8"), "html.parser")
    links = [link["href"] for link in index.find_all("a")]
    assert links == ["00_good.html", "04_50%25%20%231.html", "04_50%25%20%231.pdf"]


def test_a_notebook_saved_by_another_program_makes_a_deck(tmp_path):
    """Colab's has no ids of cells, and widgets without a state."""
    notebook = nbformat.v4.new_notebook(cells=[text("# A\n\nSome words."), code(printed="4")])
    notebook.metadata.widgets = {"application/vnd.jupyter.widget-state+json": {"abc": {}}}
    notebook.nbformat_minor = 0
    for cell in notebook.cells:
        del cell["id"]
    path = tmp_path / "00_colab.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    (deck_,) = build([path], tmp_path)
    assert deck_.error == "" and deck_.titles == ["A"]
    html = (tmp_path / "00_colab.html").read_text(encoding="utf-8")
    ids = [section["id"] for section in BeautifulSoup(html, "html.parser").select("section")]
    assert len(ids) == 1 and ids[0]
    assert "Some words." in html
