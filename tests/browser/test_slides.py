"""The decks and the pages in a browser without network: whole, readable from the last row, nothing cut."""

import json
import os
import re
import subprocess
import sys
import time

import decks
import lab
import nbformat
import pytest
from pins import ROOT

from vae_course.teaching import notebooks
from vae_course.teaching.pages import write_page
from vae_course.teaching.slides import build, exporter

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in LESSONS]
SCREENS = [(1280, 720), (1920, 1080)]
every_lesson = pytest.mark.parametrize("name", NAMES)
fills = {}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Give a folder with the decks of all lessons."""
    folder = tmp_path_factory.mktemp("slides")
    assert not [deck.error for deck in build.build(LESSONS, folder) if deck.error]
    return folder


@pytest.fixture(scope="module", autouse=True)
def report(tell):
    """Keep, at the end, how many slides there are and how full, and print the fullest."""
    yield
    rows = {
        name: {"slides": len(found), "fill": max(found.values())} for name, found in fills.items()
    }
    tell(
        *(
            f"{name:30} {row['slides']:3} slides, the fullest {row['fill']:.0%}"
            for name, row in rows.items()
        )
    )
    lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    (lab.SCREENSHOTS / "slides.json").write_text(json.dumps(rows, indent=1) + "\n")


def whole(page, asked):
    """Assert that a page has all it needs: nothing asked for elsewhere, formulas drawn, images loaded."""
    assert not asked
    assert not page.evaluate(decks.RAW)
    assert not page.evaluate(decks.IMAGES)


@every_lesson
@pytest.mark.parametrize("screen", SCREENS, ids=lambda s: f"{s[0]}x{s[1]}")
def test_every_slide_and_step_fits_the_screen(browser, folder, name, screen):
    """By the arrow keys from the first slide to the last, on two screens; no network is there or missed."""
    with decks.opened(browser, folder / f"{name}.html", *screen) as (page, asked):
        steps = decks.walk(page)
        assert not decks.complaints(steps), "\n".join(decks.complaints(steps))
        slides = {step["id"]: step["fill"] for step in steps}
        assert len(slides) == page.evaluate("Reveal.getTotalSlides()") >= 15
        assert len(steps) > len(slides)  # some have more than one step
        whole(page, asked)
        page.keyboard.press("ArrowLeft")
        assert decks.measure(page)["place"] == steps[-2]["place"]
        assert page.locator("mjx-container svg").count() > 5
    fills[name] = slides


@every_lesson
def test_every_slide_fits_its_page_of_the_pdf(browser, folder, name):
    """With all of its steps shown: a page is as large as a slide."""
    with decks.opened(browser, folder / f"{name}.html", query="?print-pdf") as (page, asked):
        found = decks.printed(page)
        assert len(found) == len(page.query_selector_all(".pdf-page")) >= 15
        assert not decks.complaints(found), "\n".join(decks.complaints(found))
        whole(page, asked)


def test_a_slide_that_is_too_long_fails_with_its_title_and_by_how_many_pixels(browser, tmp_path):
    """The tape measure sees what it is there to see: text, formulas and code that do not fit."""
    texts = {
        "Far too long": "\n\n".join(["One more paragraph of the same."] * 30),
        "Too wide": "```\n" + "x" * 150 + "\n```",
        "Too small": '<span style="font-size: 12px">Who reads this?</span>',
        "Just right": "A short text.",
    }
    cells = [
        nbformat.v4.new_markdown_cell(
            f"## {title}\n\n{text}", metadata={"slideshow": {"slide_type": "slide"}}
        )
        for title, text in texts.items()
    ]
    page, _ = exporter.html_of(nbformat.v4.new_notebook(cells=cells), "A test")
    (tmp_path / "deck.html").write_text(page, encoding="utf-8")
    with decks.opened(browser, tmp_path / "deck.html") as (page, _):
        found = decks.complaints(decks.walk(page))
    assert re.search(r'Far too long: ".*" does not fit, by (\d{3,}) px', found[0])
    assert any(re.search(r"Too wide: a line is cut in .*, by \d{3} px", line) for line in found)
    assert any(line.startswith("Too small: ") and line.endswith("by 6 px") for line in found)
    assert not any(line.startswith("Just right") for line in found)


def test_requests_formulas_and_images_that_fail_are_noticed(browser, tmp_path):
    """The other three checks can fail, too."""
    broken = (
        '<p>$x$</p><img src="gone.png" alt="gone"><script src="https://example.org/a.js"></script>'
    )
    (tmp_path / "page.html").write_text(broken, encoding="utf-8")
    with decks.opened(browser, tmp_path / "page.html") as (page, asked):
        assert asked == ["https://example.org/a.js"]
        assert page.evaluate(decks.RAW) == ["$x$"]
        assert page.evaluate(decks.IMAGES) == ["gone"]


def test_s_opens_the_speakers_notes(browser, folder):
    """A window of its own with the lesson's prose, its formulas drawn, following the slides."""
    with decks.opened(browser, folder / f"{NAMES[1]}.html") as (page, asked):
        page.wait_for_selector("html[data-ready]", state="attached")
        page.keyboard.press("ArrowRight")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        notes = popup.value.locator(".speaker-controls-notes .value")
        notes.get_by_text("learning is unsupervised").wait_for()
        page.evaluate("Reveal.slide(4)")
        notes.get_by_text("The loss is the reconstruction error").wait_for()
        assert notes.locator("mjx-container svg").count() and "$" not in notes.inner_text()
        assert not asked


def test_the_command_builds_all_decks_their_pdfs_and_an_index(browser, tmp_path, tell):
    """What `make slides` runs, with the browser of these tests; a PDF has a page for each slide."""
    environment = os.environ | {"VAE_COURSE_CHROMIUM": lab.find_chromium()}
    start = time.perf_counter()
    command = [sys.executable, "-c", "from vae_course.cli import main; main()"]
    output = subprocess.run(
        [*command, "slides", "--out", str(tmp_path)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert output.returncode == 0, output.stdout + output.stderr
    tell(f"all decks, PDFs and the index: {time.perf_counter() - start:.0f} s")
    index = (tmp_path / "index.html").read_text(encoding="utf-8")
    for name in NAMES:
        slides = (tmp_path / f"{name}.html").read_text(encoding="utf-8").count('data-title="')
        pages = re.findall(rb"/Type\s*/Page\b", (tmp_path / f"{name}.pdf").read_bytes())
        assert len(pages) == slides
        assert f'href="{name}.html"' in index and f'href="{name}.pdf"' in index
    with decks.opened(browser, tmp_path / "index.html") as (_, asked):
        assert not asked


@every_lesson
def test_lesson_pages_need_no_network(browser, tmp_path, name):
    """The pages of `make run`: formulas drawn, figures there, nothing asked for elsewhere."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    write_page(notebook, tmp_path / "page.html", notebooks.title_of(notebook))
    with decks.opened(browser, tmp_path / "page.html") as (page, asked):
        page.wait_for_function("() => MathJax.startup.promise.then(() => true)")
        whole(page, asked)
        assert page.locator("mjx-container svg").count() > 3
