"""A lesson presented live: jupyterlab-rise opens it from JupyterLab, and its explorer works on the slide."""

from urllib.parse import urlsplit

import decks
import lab
import pytest
from lesson_page import Lesson, Seen

NAME, CELL = "02_kl_divergence", "explore"


@pytest.fixture(scope="module")
def live(browser, tmp_path_factory):
    """Give the slideshow of a lesson that was run, opened on the slide of its explorer."""
    with lab.serve(tmp_path_factory.mktemp("rise")) as address:
        lesson = Lesson(browser, address, NAME)
        lesson.run_all()
        lesson.explorer(CELL)  # selects its cell: the slideshow starts there
        lesson.page.evaluate("async () => await jupyterapp.commands.execute('docmanager:save')")
        asked = []
        lesson.page.context.on("request", lambda request: asked.append(request.url))
        with lesson.page.expect_popup() as popup:
            lesson.page.evaluate("() => void jupyterapp.commands.execute('RISE:slideshow')")
        page = popup.value
        page.set_viewport_size({"width": 1280, "height": 720})
        page.locator("section.present .vae-course-explorer img").wait_for(timeout=60_000)
        page.wait_for_timeout(1000)  # slides are put in place
        yield page, asked
        lesson.close()


def shot(page, name):
    """Keep a picture of the slide, to be looked at."""
    lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=lab.SCREENSHOTS / f"rise_{name}.png")


def test_the_explorer_on_the_slide_answers_a_drag(live):
    """The kernel that ran the lesson in JupyterLab draws the new picture."""
    page, _ = live
    seen = Seen(page, page.locator(".vae-course-explorer"))
    shot(page, "explorer")
    (before,) = seen.numbers(r"q, mean (\S+) and")
    seen.slide("mu", 0.8)
    seen.settle()
    (after,) = seen.numbers(r"q, mean (\S+) and")
    assert before == 1 and 1.5 < after < 2.5
    shot(page, "explorer_dragged")


def test_the_keys_move_through_the_slides_and_nothing_is_fetched_from_elsewhere(live):
    """From the first slide three slides on; formulas are drawn, texts large."""
    page, asked = live
    page.mouse.click(1200, 40)  # from the slider back to the slides
    page.keyboard.press("Home")
    page.wait_for_url("**#/slide-0-0**")
    titles = []
    for number in range(4):
        for _ in range(10):  # the slide's fragments come first
            if f"slide-{number}-0" in page.url:
                break
            page.keyboard.press("ArrowRight")
            page.wait_for_timeout(200)
        heading = page.locator("section.present section.present :is(h1, h2)").first
        titles.append(heading.inner_text().rstrip("¶"))
        shot(page, f"slide_{number}")
    assert titles == [
        "The KL divergence and the evidence lower bound",
        "Surprise",
        "Code length",
        "The KL divergence",
    ]
    text = page.locator("section.present section.present p").first
    assert (
        float(text.evaluate("(p) => parseFloat(getComputedStyle(p).fontSize)")) >= decks.LEAST_TEXT
    )
    assert page.locator("section mjx-container").count()
    hosts = {urlsplit(url).hostname for url in asked if url.startswith(("http", "ws"))}
    assert hosts <= set(decks.LOCAL), hosts
