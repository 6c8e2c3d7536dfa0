"""The web site in a browser, opened by double click: whole, live, and usable by everybody, offline."""

import re
from concurrent.futures import ThreadPoolExecutor

import decks
import lab
import nbformat
import pytest
from pins import ROOT

from vae_course.teaching import notebooks, site
from vae_course.teaching.carried import TEMPLATES

NAMES = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
LIVE = "00_a_live_explorer"
PAGES = ["index", LIVE, *NAMES, "numbers", "glossary"]
# How a page is looked at: the colours that the system asks for, and the size of the screen.
WIDE = {"color_scheme": "light", "width": 1440, "height": 900}
PHONE = {"color_scheme": "dark", "width": 390, "height": 844, "has_touch": True}
LOOKS = {"light, wide": WIDE, "dark, phone": PHONE}
# How many pixels of code, printed tables and formulas lie outside the page, where one has to scroll.
OUTSIDE = """() => [...document.querySelectorAll("div.cell pre, .math-wrapper")]
  .map((part) => part.scrollWidth - part.clientWidth)"""
DARK = "() => getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Build a site of all lessons as they are stored, after one with a live explorer; give its folder."""
    root = tmp_path_factory.mktemp("a site")
    (root / "lessons").mkdir()
    code = "from vae_course.explorers import KLExplorer\n\nKLExplorer()"
    cells = [
        nbformat.v4.new_markdown_cell("# A live explorer\n\nMove a slider."),
        nbformat.v4.new_code_cell(code),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), root / "lessons" / f"{LIVE}.ipynb")
    out = root / "site"
    out.mkdir()
    with ThreadPoolExecutor() as other:  # this thread's event loop is the browser's
        executed = other.submit(notebooks.execute, root / "lessons" / f"{LIVE}.ipynb", out, {})
        results = [executed.result()]
    assert results[0].status == "ok", results[0].error
    paths = notebooks.find_lessons(ROOT / "notebooks")
    results += [notebooks.stored(path, out, ROOT / "notebooks") for path in paths]
    site.build(results, out, ROOT / "notebooks")
    lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return out


def drawn(page):
    """Wait until a page is complete: its formulas, its pictures and, if it has one, its explorer."""
    page.wait_for_function(
        "() => !window.MathJax?.startup || MathJax.startup.promise.then(() => true)"
    )
    for figure in page.query_selector_all("figure.vae-course-still"):
        page.wait_for_function("(figure) => figure.matches('.vae-course-live')", arg=figure)


def test_a_link_with_a_stray_percent_sign_breaks_no_script(browser, tmp_path):
    """The script of the pages runs to its end."""
    script = (TEMPLATES / "site" / "static" / "site.js").read_text(encoding="utf-8")
    fold = '<section id="100%"><details class="second-reading">x</details></section>'
    page = f"<!doctype html><title>t</title><body>{fold}<script>{script}</script>"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    with decks.opened(browser, tmp_path / "page.html", query="#100%") as (page, _):
        assert page.locator("details[open]").count() == 1


@pytest.mark.parametrize("look", LOOKS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_whole_and_shuts_nobody_out(browser, folder, axe, name, look):
    """No request leaves it, formulas and pictures are there, nothing is too wide, and axe is content."""
    with decks.opened(browser, folder / f"{name}.html", **LOOKS[look]) as (page, asked):
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.reload()
        drawn(page)
        page.evaluate("() => document.querySelectorAll('img').forEach((i) => i.scrollIntoView())")
        page.wait_for_function(f"() => !({decks.IMAGES})().length")
        assert not page.evaluate(decks.RAW)
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0
        page.evaluate("() => scrollTo(0, 0)")
        page.screenshot(path=lab.SCREENSHOTS / f"site {name}, {look}.png")
        page.evaluate("() => document.querySelectorAll('details').forEach((d) => (d.open = true))")
        if look == "light, wide" and name in NAMES:
            # Hardly anything is to be scrolled: lines of the full length in a second reading lose two words.
            assert max(page.evaluate(OUTSIDE)) <= 40
        page.evaluate(axe)
        found = page.evaluate("axe.run({ preload: false }).then((result) => result.violations)")
        serious = [fault for fault in found if fault["impact"] in ("serious", "critical")]
        told = [(f["id"], f["help"], [n["html"][:200] for n in f["nodes"][:3]]) for f in serious]
        assert not told
        assert not asked and not errors


def test_search_finds_a_lesson_from_a_file(browser, folder):
    """By the keyboard, from any page; the result opens at its place, also in a second reading."""
    with decks.opened(browser, folder / f"{NAMES[3]}.html", **WIDE) as (page, asked):
        page.locator("input.sidebar-search").press_sequentially("bound of a trained")
        page.keyboard.press("Enter")
        page.wait_for_url("**/search.html*")
        result = page.locator("#search-results a", has_text="The bound of a trained VAE").first
        result.click()
        page.wait_for_url(re.compile(rf"{NAMES[2]}\.html.*the-bound-of-a-trained-vae"))
        assert page.locator("#the-bound-of-a-trained-vae > details").evaluate("(fold) => fold.open")
        assert page.locator("details.second-reading:not([open])").count()
        assert not asked


@pytest.mark.parametrize("look", LOOKS)
def test_a_term_shows_its_meaning_without_leaving_the_page(browser, folder, look):
    """For the mouse and for the keyboard; the meaning stays on the screen."""
    after = "(term) => getComputedStyle(term, '::after').content"
    with decks.opened(browser, folder / f"{NAMES[1]}.html", **LOOKS[look]) as (page, _):
        drawn(page)
        term = page.locator("article a.term").first
        assert term.evaluate(after) == "none"
        term.hover()
        assert term.get_attribute("data-meaning") in term.evaluate(after)
        page.screenshot(path=lab.SCREENSHOTS / f"site, a term, {look}.png")
        page.mouse.move(0, 0)
        assert term.evaluate(after) == "none"
        page.locator(".lesson-links a").last.focus()
        page.keyboard.press("Tab")
        assert page.evaluate("() => document.activeElement.className") == "term"
        assert term.get_attribute("data-meaning") in term.evaluate(after)
        assert page.evaluate("() => document.documentElement.scrollWidth - innerWidth") <= 0


def test_dark_and_light_can_be_chosen_and_explorers_follow(browser, folder):
    """Whatever the system asks for; the choice holds on the next page."""
    with decks.opened(browser, folder / "index.html", **WIDE) as (page, _):
        drawn(page)
        light = page.evaluate(DARK)
        for _ in range(3):
            page.locator(".theme-toggle:visible").first.click()
            if page.evaluate("() => document.body.dataset.theme") == "dark":
                break
        assert page.evaluate(DARK) != light
        assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
        page.goto((folder / f"{NAMES[0]}.html").as_uri())
        assert page.evaluate(DARK) != light


def test_the_front_page_has_a_live_explorer(browser, folder):
    """A slider moved by the keyboard draws another frame, without a kernel and without a network."""
    with decks.opened(browser, folder / "index.html", **PHONE) as (page, asked):
        drawn(page)
        explorer = page.locator(".vae-course-explorer")
        before = explorer.get_attribute("data-text")
        explorer.locator("input[type=range]").first.press("ArrowRight")
        page.wait_for_function(
            "(text) => document.querySelector('.vae-course-explorer').dataset.text !== text",
            arg=before,
        )
        assert not explorer.locator("[role=alert]").is_visible() and not asked


def test_second_readings_and_set_up_open_by_the_keyboard(browser, folder):
    """They are closed at first; code has a button that copies it."""
    with decks.opened(browser, folder / f"{NAMES[1]}.html", **WIDE) as (page, _):
        for folded in ("details.second-reading", "details.hide"):
            fold = page.locator(folded).first
            assert not fold.evaluate("(fold) => fold.open")
            fold.locator("summary").press("Enter")
            assert fold.evaluate("(fold) => fold.open")
        assert page.locator("article button.copybtn").count() > 5


def test_without_javascript_there_is_a_still_picture_and_text(browser, folder):
    """Nothing is blank."""
    with decks.opened(browser, folder / "index.html", java_script_enabled=False) as (page, asked):
        assert page.locator("figure.vae-course-still img").is_visible()
        assert page.get_by_text("Start with lesson 0").is_visible() and not asked
