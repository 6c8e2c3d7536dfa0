"""Decks and pages in a browser without network, and a tape measure for slides."""

import contextlib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

LEAST_TEXT = 18  # pixels on the screen
LEAST_FIGURE = 240  # pixels of height on a screen of 720
LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")

MEASURE = Path(__file__).with_name("measure.js").read_text(encoding="utf-8")
# Formulas that nobody has drawn, outside of code, where a dollar is a dollar.
RAW = r"""() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) {
    const { textContent, parentElement } = walk.currentNode;
    if (parentElement.closest("script, style, pre, code, mjx-container")) continue;
    if (/\$|\\[a-zA-Z([{,]|\\\\/.test(textContent)) found.push(textContent.trim().slice(0, 80));
  }
  const wrong = [...document.querySelectorAll("mjx-merror, [data-mjx-error]")];
  return found.concat(wrong.map((e) => e.outerHTML.slice(0, 200)));
}"""

# Where everything is, in pixels of a slide of 1280 x 720: each text with a box for every one of
# its lines, each formula and picture.
BOXES = """(root) => {
  const { left, top, width } = root.getBoundingClientRect();
  const scale = root.offsetWidth / width, found = [];
  const walk = document.createTreeWalker(root, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_ELEMENT);
  while (walk.nextNode()) {
    const node = walk.currentNode, text = node.nodeType === Node.TEXT_NODE;
    if ((text ? node.parentElement : node).closest("aside, script, style, mjx-assistive-mml")) continue;
    if (text ? !node.data.trim() : !node.matches("pre, table, img, mjx-container > svg, .part")) continue;
    const range = document.createRange();
    if (text) range.selectNodeContents(node);
    const boxes = [...(text ? range : node).getClientRects()]
      .map((b) => [b.left - left, b.top - top, b.width, b.height].map((pixels) => pixels * scale));
    found.push([text ? node.data.trim().slice(0, 40) : node.localName, boxes]);
  }
  return found;
}"""
SLIDES = f"""() => [...Array(Reveal.getTotalSlides()).keys()].map((i) => {{
  Reveal.slide(i);
  return ({BOXES})(Reveal.getCurrentSlide());
}})"""
PRINTED = f"() => [...document.querySelectorAll('.pdf-page section')].map({BOXES})"

# Commas and the like that stand at the start of a line, away from the formula that they follow.
TORN = """() => [...document.querySelectorAll(".part mjx-container")].filter((formula) => {
  const after = formula.nextSibling, range = document.createRange();
  if (!/^[,.;:!?)]/.test(after?.data ?? "")) return false;
  range.setStart(after, 0);
  range.setEnd(after, 1);
  return range.getBoundingClientRect().left < formula.getBoundingClientRect().right - 1;
}).map((formula) => formula.parentElement.textContent)"""

IMAGES = """() => [...document.images]
  .filter((image) => !image.complete || !image.naturalWidth)
  .map((image) => image.alt || image.src.slice(0, 80))"""


@contextlib.contextmanager
def opened(browser, path, width=1280, height=720, query="", **machine):
    """Open a file with every way to the network shut.

    Args:
        browser: Playwright's browser.
        path: Path of an HTML file.
        width: Of the window, in pixels.
        height: Of the window, in pixels.
        query: What follows the file's address, such as "?print-pdf".
        machine: More of what Playwright's contexts can have, such as `device_scale_factor`.

    Yields:
        The page, and a list to which every address is added that was asked for from elsewhere.
    """
    asked = []
    machine = {"reduced_motion": "reduce"} | machine
    context = browser.new_context(viewport={"width": width, "height": height}, **machine)

    def answer(route):
        address = urlsplit(route.request.url)
        if address.scheme == "file" or address.hostname in LOCAL:
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    context.set_default_timeout(120_000)  # a busy machine may be slow, and is right all the same
    context.route("**/*", answer)
    page = context.new_page()
    try:
        page.goto(path.resolve().as_uri() + query)
        yield page, asked
    finally:
        context.close()


def wait_for_deck(page, printed=False):
    """Wait until the slides have been laid out, for the screen or for paper."""
    page.wait_for_selector("html[data-ready]" + "[data-printed]" * printed, state="attached")


def measure(page):
    """Measure the slide that a deck shows: a dictionary as in `walk`."""
    return page.evaluate(f"({MEASURE})({LEAST_TEXT}, {LEAST_FIGURE})")


def walk(page):
    """Press the right arrow from the first slide to the last, and measure at every step.

    Args:
        page: A page with a deck.

    Returns:
        List of what was measured: dictionaries with `title`, `id`, `place`, `fill` and `found`.
    """
    wait_for_deck(page)
    steps = [measure(page)]
    while True:
        page.keyboard.press("ArrowRight")
        step = measure(page)
        if step["place"] == steps[-1]["place"]:
            return steps
        steps.append(step)


def moved(expected, found):
    """Tell what is not where it was expected, by more than a pixel, or broken into other lines.

    Args:
        expected: What `SLIDES` or `PRINTED` found.
        found: The same, found elsewhere.

    Returns:
        List of texts: the slide's number, what, and both places.
    """
    complaints = []
    for number, (one, other) in enumerate(zip(expected, found, strict=True), start=1):
        assert [name for name, _ in one] == [name for name, _ in other]
        for (name, boxes), (_, others) in zip(one, other, strict=True):
            same = len(boxes) == len(others) and np.allclose(boxes, others, rtol=0, atol=1)
            if not same:
                complaints.append(f"slide {number}, {name!r}: {boxes} became {others}")
    return complaints


def printed(page):
    """Measure all slides of a deck that is laid out for paper, as `walk` does for those on the screen."""
    wait_for_deck(page, printed=True)
    page.emulate_media(media="print")
    slides = "[...document.querySelectorAll('.pdf-page section')]"
    every = f"{slides}.map((slide) => ({MEASURE})({LEAST_TEXT}, {LEAST_FIGURE}, slide))"
    return page.evaluate(f"() => {every}")


def complaints(steps):
    """Return what is wrong with slides, in words: the slide's title, what, and by how many pixels."""
    lines = [
        f"{step['title']}: {fault['what']}, by {fault['pixels']} px"
        for step in steps
        for fault in step["found"]
    ]
    return list(dict.fromkeys(lines))
