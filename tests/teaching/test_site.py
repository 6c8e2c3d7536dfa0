"""The web site as files: pages, links and folds are whole. `browser/test_web_site.py` has a browser."""

import re
from html.parser import HTMLParser
from pathlib import Path
from unittest import mock
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
from bs4 import BeautifulSoup
from click.testing import CliRunner
from pins import ROOT

from vae_course.cli import main
from vae_course.lesson import EXPLORER
from vae_course.teaching import notebooks, pages, site

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
)
EMPTY = set("area base br col embed hr img input link meta source track wbr".split())


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Build the site of all lessons as they are stored; give its folder and Sphinx' warnings."""
    folder = tmp_path_factory.mktemp("a site")  # a space in its name, as on many machines
    paths = notebooks.find_lessons(ROOT / "notebooks")
    results = [notebooks.stored(path, folder, ROOT / "notebooks") for path in paths]
    index, warnings = site.build(results, folder, ROOT / "notebooks")
    assert index == folder / "index.html"
    return folder, warnings


def parsed(path):
    """Parse a page."""
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


class Nesting(HTMLParser):
    """Complain of elements that are closed in another order than they were opened."""

    def __init__(self):
        super().__init__()
        self.stack, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in EMPTY:
            self.stack.append(tag)

    def handle_endtag(self, tag):
        if tag in EMPTY:
            return
        if tag in ("section", "details", "div") and self.stack[-1:] != [tag]:
            self.wrong.append((tag, self.getpos()))
        while self.stack and self.stack.pop() != tag:
            pass


def test_sphinx_has_nothing_to_complain_of(built):
    """No dead link between lessons, no text that MyST reads otherwise than Jupyter."""
    assert built[1] == []


def test_every_link_and_picture_of_every_page_leads_to_a_file(built):
    """And every anchor to a place in it; nothing is fetched from elsewhere."""
    folder, _ = built
    paths = sorted(folder.glob("*.html"))
    assert {f"{name}.html" for name in NAMES} < {page.name for page in paths}
    anchors = {page: {e["id"] for e in parsed(page).find_all(id=True)} for page in paths}
    for page in paths:
        for element in parsed(page).find_all(["a", "img", "link", "script"]):
            address = element.get("href") or element.get("src") or ""
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                assert element.name == "a", f"{page.name} fetches {address}"
                continue
            target = folder / unquote(parts.path) if parts.path else page
            assert target.exists(), f"{page.name}: {address}"
            if parts.fragment and target in anchors:
                assert unquote(parts.fragment) in anchors[target] | {""}, f"{page.name}: {address}"


@pytest.mark.parametrize("name", NAMES)
def test_folds_are_nested_in_sections(built, name):
    """Browsers mend what is not, each in its own way."""
    reader = Nesting()
    reader.feed((built[0] / f"{name}.html").read_text(encoding="utf-8"))
    assert reader.wrong == []
    page = parsed(built[0] / f"{name}.html")
    for fold in page.select("details.second-reading"):
        assert fold.find_previous(["h2", "h3", "summary"]).name in ("h2", "h3", "summary")
        assert not fold.find(["h1", "h2", "h3"]) and len(fold.text.split()) > 5
    assert len(page.select("details.second-reading")) >= 2


@pytest.mark.parametrize("name", NAMES)
def test_a_lesson_has_its_figures_described_and_links_to_slides_notebook_and_exercise(built, name):
    """Every figure of the notebook is on the page, with the same text."""
    page = parsed(built[0] / f"{name}.html")
    cells = notebooks.read_notebook(ROOT / "notebooks" / f"{name}.ipynb").cells
    outputs = [
        o for cell in cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    shown = [image["alt"] for image in page.select("article .cell_output img")]
    assert shown == [output.metadata["image/png"]["alt"] for output in outputs]
    links = {link.text: link["href"] for link in page.select(".lesson-links a")}
    wanted = {"Slides": f"slides/{name}.html", "Notebook": f"{name}.ipynb"}
    if name[:2] != "00":
        wanted["Exercise"] = f"exercises/ex{name}.ipynb"
    assert links == wanted
    assert "Show the set-up" in page.text and "<!--" not in page.select_one("article").text


def test_the_front_page_has_every_lesson_with_its_minutes(built):
    """And a picture at its top, with the picture's own text; names are spelled as in the lessons."""
    page = parsed(built[0] / "index.html")
    lessons = page.select(".lesson")
    assert [lesson.find("a")["href"] for lesson in lessons] == [f"{name}.html" for name in NAMES]
    for lesson in lessons:
        assert re.fullmatch(r"\d\d minutes", lesson.select_one(".minutes").text)
        assert len(lesson.text.split()) > 15
    first = notebooks.read_notebook(ROOT / "notebooks" / f"{NAMES[0]}.ipynb")
    assert page.select_one("article img")["alt"] == pages.figure_of(first)[1]["alt"]
    titles = [entry.text for entry in page.select(".sidebar-tree a")]
    assert "5 The convolutional variational autoencoder" in titles
    assert "&#" not in page.text


def test_the_numbers_page_has_every_number_beside_what_is_expected(built):
    """As many rows as the lessons recorded; none differs, since nothing was run anew."""
    page = parsed(built[0] / "numbers.html")
    kept = notebooks.cited_numbers.read(ROOT / "notebooks")
    rows = [row.find_all(["th", "td"]) for row in page.select("tbody tr")]
    assert len(rows) == sum(len(numbers["MNIST"]) for numbers in kept.values())
    assert all(measured.text == expected.text for _, measured, expected in rows)
    assert f"0 of {len(rows)} numbers differ." in page.text


def test_exercises_have_no_solutions(built):
    """They are for students."""
    exercises = sorted((built[0] / "exercises").iterdir())
    assert len(exercises) == len(NAMES) - 1
    for path in exercises:
        text = path.read_text(encoding="utf-8")
        assert "SOLUTION" not in text and "HIDDEN" not in text and "YOUR CODE HERE" in text


def test_the_front_page_says_how_to_install_only_what_lies_beside_it(tmp_path):
    """In an environment of its own, as in the README."""
    _, arguments = small_site(tmp_path)
    assert "pip install" not in parsed(site.build(*arguments)[0]).text
    (tmp_path / "out" / "vae_course-9-py3-none-any.whl").touch()
    text = parsed(site.build(*arguments)[0]).text
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for line in ("python3 -m venv course", "course/bin/vae-course lab", "py -3.12 -m venv course"):
        assert line in text and line in readme
    assert "course/bin/pip install vae_course-9-py3-none-any.whl" in text


def test_a_lesson_that_cannot_be_read_is_told_and_stops_no_other(tmp_path):
    """Its old page goes, and the front page says why."""
    folder, out = tmp_path / "notebooks", tmp_path / "out"
    folder.mkdir()
    out.mkdir()
    (folder / "00_torn.ipynb").write_text("{", encoding="utf-8")
    good = (ROOT / "notebooks" / f"{NAMES[4]}.ipynb").read_bytes()
    (folder / f"{NAMES[4]}.ipynb").write_bytes(good)
    (out / "00_torn.html").write_text("old", encoding="utf-8")
    (out / "vae_course-0.1.0-py3-none-any.whl").touch()
    arguments = ["site", "--notebooks", str(folder), "--out", str(out)]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and "FAILED 00_torn\n" in result.output
    assert "1 lesson(s) in" in result.output
    page = parsed(out / "index.html")
    assert "00_torn.ipynb is not a valid notebook" in page.select_one(".lesson .wrong").text
    assert page.find("a", href="vae_course-0.1.0-py3-none-any.whl")
    assert "1 of 2 lessons did not run to their end" in page.text
    assert page.select_one(".start a")["href"] == f"{NAMES[4]}.html"
    assert not (out / "00_torn.html").exists() and (out / f"{NAMES[4]}.html").exists()
    assert not [path for path in Path(out).iterdir() if path.name.startswith(".")]


def small_site(tmp_path, output=None, exercise=None, name="00_small"):
    """Write a lesson with an output and an exercise; give its result, and the arguments of `site.build`."""
    lessons, out = tmp_path / "lessons", tmp_path / "out"
    (lessons / "exercises").mkdir(parents=True)
    out.mkdir()
    cells = [nbformat.v4.new_markdown_cell("# Small\n\n[Next](07_likelihood.ipynb)")]
    if output:
        code = nbformat.v4.new_code_cell("1", execution_count=1)
        code.outputs = [nbformat.v4.new_output("display_data", output)]
        cells.append(code)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lessons / f"{name}.ipynb")
    if exercise:
        (lessons / "exercises" / f"ex{name}.ipynb").write_text(exercise)
    result = notebooks.stored(lessons / f"{name}.ipynb", out, lessons)
    return result, ([result], out, lessons)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({"output": {EXPLORER: {"module": "KLExplorer", "state": {}}}}, "image/png"),
        ({"exercise": "{"}, "ex00_small.ipynb is not a valid notebook"),
    ],
)
def test_a_lesson_that_no_page_can_be_made_of_stops_no_other(tmp_path, odd, words):
    """The front page and the warnings say why."""
    result, arguments = small_site(tmp_path, **odd)
    index, warnings = site.build(*arguments)
    assert result.status == "FAILED" and words in result.error
    assert [line for line in warnings if words in line]
    assert words in parsed(index).select_one(".lesson .wrong").text


def test_a_page_that_sphinx_could_not_write_is_put_over_no_other(tmp_path, monkeypatch):
    """It only warns on a full disk; other warnings are passed on; what stops it is told in one line."""
    from sphinx import errors
    from sphinx.builders import html

    _, arguments = small_site(tmp_path)
    (tmp_path / "lessons" / "07_likelihood.ipynb").touch()
    index, warnings = site.build(*arguments)
    assert warnings == []  # the link leads to a lesson that is left out
    (tmp_path / "lessons" / "07_likelihood.ipynb").unlink()
    assert "07_likelihood" in site.build(*arguments)[1][0]
    (tmp_path / "lessons" / "numbers.json").write_text("{}")
    result = CliRunner().invoke(
        main, ["site", "--notebooks", str(tmp_path / "lessons"), "--out", str(tmp_path / "out")]
    )
    assert result.exit_code == 0 and "07_likelihood" in result.stderr
    kept = [index, index.with_name("00_small.html")]
    before = [path.read_bytes() for path in kept]

    write_text = Path.write_text

    def write_half(path, text, *others, **options):
        write_text(path, text[:9] if "target" in path.parts else text, *others, **options)
        if "target" in path.parts:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", write_half)
        with pytest.raises(OSError, match="stay as they were.*No space left"):
            site.build(*arguments)
    assert [path.read_bytes() for path in kept] == before
    for fault, told in (errors.SphinxError("a fault"), "a fault"), (KeyError("x"), "KeyError: 'x'"):
        raises = mock.Mock(side_effect=fault)
        monkeypatch.setattr(html.StandaloneHTMLBuilder, "prepare_writing", raises)
        with pytest.raises(RuntimeError, match=f"Sphinx could not make the pages: {told}"):
            site.build(*arguments)


def test_signs_of_html_and_markdown_in_titles_and_texts_stay_as_they_are(tmp_path):
    """On the front page, in the navigation, and in a picture's text."""
    title, alt = 'Bayes\' "rule" & x < 5', 'A line "up" that is < 5 & long.\nAnd *more*.'
    figure = nbformat.v4.new_output(
        "display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": alt}}
    )
    cells = [
        nbformat.v4.new_markdown_cell(f"# {title}\n\nText."),
        nbformat.v4.new_code_cell("1", outputs=[figure], execution_count=1),
    ]
    lessons, out = tmp_path / "lessons", tmp_path / "out"
    lessons.mkdir()
    out.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lessons / "00_signs.ipynb")
    _, warnings = site.build(
        [notebooks.stored(lessons / "00_signs.ipynb", out, lessons)], out, lessons
    )
    assert warnings == []
    page = parsed(out / "index.html")
    assert page.select_one("article img")["alt"] == alt.replace("\n", " ")
    assert page.select_one(".lesson a").text == f"0 {title}"
    assert f"0 {title}" in [link.text for link in page.select(".sidebar-tree a")]
    assert parsed(out / "numbers.html").find("h2").find(string=True) == f"0 {title}"
