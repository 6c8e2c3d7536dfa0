"""The decks in a browser without network: whole, readable from the last row, nothing cut."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import decks
import lab
import matplotlib
import nbformat
import pytest
from pins import ROOT

from vae_course.teaching.carried import render
from vae_course.teaching.deck import slides_of

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NAMES = [path.stem for path in LESSONS]
every_lesson = pytest.mark.parametrize("name", NAMES)
fills = {}
FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
FONTCONFIG = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{0}</dir><cachedir>{0}/cache</cachedir>
<match target="font"><edit name="hintstyle" mode="assign"><const>{1}</const></edit></match>
</fontconfig>
"""
# Machines: which fonts there are and how they are drawn, what the window is like, and how decks are opened.
MACHINES = {
    "a typewriter, a telephone": (
        ["DejaVuSansMono.ttf"],
        "hintfull",
        {"width": 390, "height": 844},
        decks.SLIDES,
    ),
    "serifs, a fine and dark screen, in German": (
        ["DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf"],
        "hintnone",
        {"device_scale_factor": 2, "color_scheme": "dark", "locale": "de-DE"},
        decks.SLIDES,
    ),
    "a font without letters, on paper": (
        ["cmex10.ttf"],
        "hintslight",
        {"device_scale_factor": 1.25, "forced_colors": "active", "timezone_id": "Asia/Tokyo"},
        decks.PRINTED,
    ),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory, browser, tell):
    """Run what `make slides` runs, with the browser of these tests; give the folder and what was printed."""
    folder = tmp_path_factory.mktemp("slides")
    start = time.perf_counter()
    output = subprocess.run(
        [
            sys.executable,
            "-c",
            "from vae_course.cli import main; main()",
            "slides",
            "--out",
            folder,
        ],
        env=os.environ | {"VAE_COURSE_CHROMIUM": lab.find_chromium()},
        capture_output=True,
        text=True,
    )
    tell(f"all decks, PDFs and the index: {time.perf_counter() - start:.0f} s")
    return folder, output


@pytest.fixture(scope="module")
def folder(built):
    """Give a folder with the decks of all lessons."""
    folder, output = built
    assert output.returncode == 0, output.stdout + output.stderr
    return folder


@pytest.fixture(scope="module")
def here(browser, folder):
    """Tell where everything is on the slides of each deck, on this machine."""
    return {name: boxes_of_deck(browser, folder / f"{name}.html") for name in NAMES}


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


def boxes_of_deck(browser, path, looked_at=decks.SLIDES, **machine):
    """Tell where everything is on a deck's slides."""
    query = "?print-pdf" if looked_at == decks.PRINTED else ""
    with decks.opened(browser, path, query=query, **machine) as (page, _):
        decks.wait_for_deck(page, printed=bool(query))
        return page.evaluate(looked_at)


def whole(page, asked):
    """Assert that a page has all it needs: nothing asked for elsewhere, formulas drawn, images loaded."""
    assert not asked
    assert not page.evaluate(decks.RAW)
    assert not page.evaluate(decks.IMAGES)
    # Neither measured in, nor drawn from, the machine's fonts.
    assert not page.locator("mjx-container svg[width$=ex], mjx-container text").count()


@every_lesson
def test_every_slide_and_step_fits_the_screen(browser, folder, here, name):
    """By the arrow keys from the first slide to the last, on a larger screen too; no network is missed."""
    with decks.opened(browser, folder / f"{name}.html") as (page, asked):
        steps = decks.walk(page)
        assert not decks.complaints(steps), "\n".join(decks.complaints(steps))
        slides = {step["id"]: step["fill"] for step in steps}
        assert len(slides) == page.evaluate("Reveal.getTotalSlides()") >= 15
        assert len(steps) > len(slides)  # some have more than one step
        assert max(slides.values()) < 0.905, [step for step in steps if step["fill"] > 0.9]
        whole(page, asked)
        page.keyboard.press("ArrowLeft")
        assert decks.measure(page)["place"] == steps[-2]["place"]
        assert page.locator("mjx-container svg").count() > 5
        assert not page.locator(
            "mjx-container text"
        ).count()  # it would be drawn in the machine's font
        page.set_viewport_size({"width": 1920, "height": 1080})
        assert not decks.moved(here[name], page.evaluate(decks.SLIDES))
        assert decks.measure(page)["found"] == []
    fills[name] = slides


@every_lesson
def test_every_slide_fits_its_page_of_the_pdf(browser, folder, here, name):
    """With all of its steps shown: a page is as large as a slide, and looks the same."""
    with decks.opened(browser, folder / f"{name}.html", query="?print-pdf") as (page, asked):
        found = decks.printed(page)
        assert len(found) == len(page.query_selector_all(".pdf-page")) >= 15
        assert not decks.complaints(found), "\n".join(decks.complaints(found))
        assert not decks.moved(here[name], page.evaluate(decks.PRINTED))
        assert not page.evaluate(decks.TORN)
        whole(page, asked)


@pytest.mark.parametrize("machine", MACHINES)
def test_decks_look_the_same_on_every_machine(browser, folder, here, tmp_path, machine):
    """The same lines and boxes, whatever fonts there are: decks bring their own."""
    fonts, hinting, window, looked_at = MACHINES[machine]
    for font in fonts:
        shutil.copy(FONTS / font, tmp_path)
    config = tmp_path / "fonts.conf"
    config.write_text(FONTCONFIG.format(tmp_path, hinting))
    other = browser.browser_type.launch(
        executable_path=lab.find_chromium(),
        args=lab.FLAGS,
        env=os.environ | {"FONTCONFIG_FILE": str(config), "LC_ALL": "C", "TZ": "Asia/Tokyo"},
    )
    try:
        for name in NAMES:
            there = boxes_of_deck(other, folder / f"{name}.html", looked_at, **window)
            assert not decks.moved(here[name], there), name
    finally:
        other.close()


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
    notebook = nbformat.v4.new_notebook(cells=cells)
    page = render(notebook, "A test", slides_of(notebook))
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


def test_s_opens_the_speakers_notes(browser, folder, here):
    """A window of its own with the lesson's prose, its formulas drawn, following the slides."""
    with decks.opened(browser, folder / f"{NAMES[1]}.html") as (page, asked):
        decks.wait_for_deck(page)
        page.keyboard.press("ArrowRight")
        with page.expect_popup() as popup:
            page.keyboard.press("s")
        notes = popup.value.locator(".speaker-controls-notes .value")
        notes.get_by_text("Training never uses their labels").wait_for()
        page.evaluate("Reveal.slide(4)")
        notes.get_by_text("The loss is the reconstruction error").wait_for()
        assert notes.locator("mjx-container svg").count() and "$" not in notes.inner_text()
        boxes = f"() => ({decks.BOXES})(Reveal.getCurrentSlide())"
        for frame in popup.value.frames[1:]:  # this step and the next, as the room sees them
            frame.wait_for_function("() => window.Reveal?.getIndices?.().h === 4")
            assert not decks.moved(here[NAMES[1]][4:5], [frame.evaluate(boxes)])
        assert not asked


def test_the_command_builds_all_decks_their_pdfs_and_an_index(browser, folder):
    """A PDF has a page for each slide, and the index names them all."""
    index = (folder / "index.html").read_text(encoding="utf-8")
    for name in NAMES:
        slides = (folder / f"{name}.html").read_text(encoding="utf-8").count('data-title="')
        pages = re.findall(rb"/Type\s*/Page\b", (folder / f"{name}.pdf").read_bytes())
        assert len(pages) == slides
        assert f'href="{name}.html"' in index and f'href="{name}.pdf"' in index
    with decks.opened(browser, folder / "index.html") as (_, asked):
        assert not asked
