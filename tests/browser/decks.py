"""Decks and pages in a browser without network, and a tape measure for slides."""

import contextlib
from urllib.parse import urlsplit

LEAST_TEXT = 18  # pixels on the screen
LEAST_FIGURE = 240  # pixels of height on a screen of 720
LOCAL = ("127.0.0.1", "localhost", "[::1]", "::1")

# Everything is measured on the screen, after reveal.js has scaled the slide to it.
MEASURE = """() => {
  const slide = Reveal.getCurrentSlide();
  const frame = slide.getBoundingClientRect();
  const scale = frame.width / slide.offsetWidth;
  const foot = slide.querySelector(".lesson").getBoundingClientRect();
  const end = foot.height ? foot.top : frame.bottom;
  const found = [];
  const say = (what, pixels) => found.push({ what, pixels: Math.ceil(pixels) });
  const short = (element) => element.textContent.trim().replace(/\\s+/g, " ").slice(0, 40);

  const parts = [...slide.querySelectorAll(".part")];
  let used = 0;
  for (const part of parts) {
    for (const element of [part, ...part.querySelectorAll("*")]) {
      if (element.closest("mjx-assistive-mml") || element.closest("svg")?.contains(element.parentElement)) continue;
      const box = element.getBoundingClientRect();
      if (!box.width || !box.height) continue;
      const over = Math.max(box.bottom - end, frame.top - box.top, box.right - frame.right, frame.left - box.left);
      if (over > 1) say(`does not fit: ${element.tagName} "${short(element)}"`, over);
      if (element.tagName === "PRE" && element.scrollWidth > element.clientWidth)
        say(`a line is cut: "${short(element)}"`, (element.scrollWidth - element.clientWidth) * scale);
    }
    const box = part.getBoundingClientRect();
    if (part.classList.contains("figure")) {
      const least = LEAST_FIGURE * scale;
      if (box.height < least) say("the figure is too small", least - box.height);
    } else used = Math.max(used, box.bottom - frame.top);
  }
  const extent = (part) => {
    const boxes = [part, ...part.querySelectorAll("*")].filter((e) => !e.closest("mjx-assistive-mml"))
      .map((e) => e.getBoundingClientRect()).filter((b) => b.width && b.height);
    const most = (side, pick) => pick(...boxes.map((box) => box[side]));
    return { left: most("left", Math.min), right: most("right", Math.max),
             top: most("top", Math.min), bottom: most("bottom", Math.max) };
  };
  const extents = parts.map(extent);
  parts.forEach((one, i) => extents.slice(i + 1).forEach((b) => {
    const a = extents[i];
    const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (wide > 1 && high > 1) say(`covers another part: "${short(one)}"`, Math.min(wide, high));
  }));

  const walk = document.createTreeWalker(document.querySelector(".reveal"), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const node = walk.currentNode, parent = node.parentElement;
    if (!node.textContent.trim() || !parent.getClientRects().length) continue;
    if (parent.closest("aside, script, style, mjx-assistive-mml")) continue;
    if (!slide.contains(parent) && !parent.checkVisibility({ visibilityProperty: true })) continue;
    const size = parseFloat(getComputedStyle(parent).fontSize) * (slide.contains(parent) ? scale : 1);
    if (size < LEAST_TEXT - 0.01) say(`text is too small: "${short(parent)}"`, LEAST_TEXT - size);
  }
  slide.querySelectorAll("mjx-container").forEach((formula) => {
    const size = parseFloat(getComputedStyle(formula).fontSize) * scale;
    if (size < LEAST_TEXT - 0.01) say("a formula is too small", LEAST_TEXT - size);
  });

  const figure = parts.some((part) => part.classList.contains("figure"));
  const below = figure && !slide.classList.contains("beside");
  const full = Math.max(used - (below ? parts.filter((p) => p.classList.contains("figure"))
    .reduce((sum, p) => sum + p.getBoundingClientRect().height, -LEAST_FIGURE * scale) : 0), 0);
  const last = parts.at(-1).classList.contains("figure") && below;
  const { h, v, f } = Reveal.getIndices();
  return {
    title: slide.dataset.title, id: slide.id, place: `${h}/${v}/${f ?? ""}`, found,
    fill: last ? (used + LEAST_FIGURE * scale - frame.top) / (end - frame.top) : full / (end - frame.top),
  };
}""".replace("LEAST_TEXT", str(LEAST_TEXT)).replace("LEAST_FIGURE", str(LEAST_FIGURE))

# Formulas that nobody has drawn, outside of code, where a dollar is a dollar.
RAW = r"""() => {
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), found = [];
  while (walk.nextNode()) {
    const { textContent, parentElement } = walk.currentNode;
    if (parentElement.closest("script, style, pre, code, mjx-container")) continue;
    if (/\$|\\[a-zA-Z([{,]|\\\\/.test(textContent)) found.push(textContent.trim().slice(0, 80));
  }
  return found.concat([...document.querySelectorAll("mjx-merror, [data-mjx-error]")].map((e) => e.outerHTML.slice(0, 200)));
}"""

IMAGES = """() => [...document.images].filter((i) => !i.complete || !i.naturalWidth).map((i) => i.alt || i.src.slice(0, 80))"""


@contextlib.contextmanager
def opened(browser, path, width=1280, height=720):
    """Open a file with every way to the network shut.

    Args:
        browser: Playwright's browser.
        path: Path of an HTML file.
        width: Of the window, in pixels.
        height: Of the window, in pixels.

    Yields:
        The page, and a list to which every address is added that was asked for from elsewhere.
    """
    asked = []
    context = browser.new_context(viewport={"width": width, "height": height}, reduced_motion="reduce")

    def answer(route):
        address = urlsplit(route.request.url)
        if address.scheme == "file" or address.hostname in LOCAL:
            route.continue_()
        else:
            asked.append(route.request.url)
            route.abort()

    context.route("**/*", answer)
    page = context.new_page()
    try:
        page.goto(path.resolve().as_uri())
        yield page, asked
    finally:
        context.close()


def walk(page):
    """Press the right arrow from the first slide to the last, and measure at every step.

    Args:
        page: A page with a deck.

    Returns:
        List of what was measured: dictionaries with `title`, `id`, `place`, `fill` and `found`.
    """
    page.wait_for_selector("html[data-ready]", state="attached")
    steps = [page.evaluate(MEASURE)]
    while True:
        page.keyboard.press("ArrowRight")
        step = page.evaluate(MEASURE)
        if step["place"] == steps[-1]["place"]:
            return steps
        steps.append(step)


def complaints(steps):
    """Return what is wrong with slides, in words: the slide's title, what, and by how many pixels."""
    lines = [
        f"{step['title']}: {fault['what']}, by {fault['pixels']} px"
        for step in steps
        for fault in step["found"]
    ]
    return list(dict.fromkeys(lines))
