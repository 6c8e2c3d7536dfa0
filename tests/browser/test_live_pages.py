"""Explorers in pages and decks opened from a file, with every request blocked and no kernel anywhere."""

import contextlib
import re

import decks
import lab
import nbformat
import numpy as np
import pytest
from front_end import STILL, bundle_of, write_page
from seen import Seen
from toys import NAMES as TOYS
from toys import toy_explorer, toy_explorers

from vae_course.explorers import front_end
from vae_course.explorers.networks import array
from vae_course.lesson import EXPLORER
from vae_course.teaching.carried import render
from vae_course.teaching.deck import slides_of

NAMES = sorted(TOYS)
PHONE = {
    "width": 390,
    "height": 844,
    "has_touch": True,
    "is_mobile": True,
    "device_scale_factor": 3,
}
LIVE = "figure.vae-course-live > .vae-course-explorer[data-frames]"


@pytest.fixture(scope="module")
def page_file(tmp_path_factory):
    """Give a page with every explorer."""
    path = tmp_path_factory.mktemp("pages") / "page.html"
    write_page(path, *toy_explorers().values())
    return path


@pytest.fixture(scope="module")
def deck_file(tmp_path_factory):
    """Give a deck with a slide for every explorer, made from a notebook as a lesson's is."""
    png = STILL.partition("base64,")[2].rstrip('">')
    cells = []
    for name, explorer in toy_explorers().items():
        text = nbformat.v4.new_markdown_cell(f"## {name}\n\nDrag it.")
        data = {"image/png": png, "text/plain": name, EXPLORER: bundle_of(explorer)}
        code = nbformat.v4.new_code_cell(name, execution_count=1)
        code.outputs = [nbformat.v4.new_output("display_data", data)]
        text.metadata["slideshow"], code.metadata["slideshow"] = (
            {"slide_type": "slide"},
            {"slide_type": "-"},
        )
        cells += [text, code]
    notebook = nbformat.v4.new_notebook(cells=cells)
    path = tmp_path_factory.mktemp("decks") / "deck.html"
    path.write_text(render(notebook, "Toys", slides_of(notebook)), encoding="utf-8")
    return path


def explorers(page):
    """Return the explorers of a page by name, once all are live."""
    page.wait_for_function(
        f"(n) => document.querySelectorAll('{LIVE}').length === n", arg=len(NAMES)
    )
    return dict(zip(TOYS, page.locator(LIVE).all(), strict=True))


def move_everything(seen):
    """Drag and step each control and the picture: each time another frame, and the text tells it."""
    for slider in seen.node.get_by_role("slider").all():
        before = seen.text()
        name = slider.evaluate("(slider) => slider.labels[0].textContent")
        low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
        seen.slide(name, 0.9 if seen.value(name) < (low + high) / 2 else 0.1)
        assert seen.text() != before
        before = seen.value(name)
        seen.press(slider, "ArrowLeft" if before > (low + high) / 2 else "ArrowRight")
        assert seen.value(name) != before
    for button in seen.node.get_by_role("radio", checked=False).all():
        before = seen.text()
        seen.after(lambda button=button: button.check())
        assert seen.text() != before
    for box in seen.node.locator("select").all():
        before = seen.text()
        seen.after(lambda box=box: box.select_option(index=-1 + box.locator("option").count()))
        # A third digit of weight 0 changes nothing, nor does a larger kernel where "same" cuts it.
        assert seen.text() != before or "third" in before or "o = i s" in before
    if seen.image.get_attribute("tabindex") == "0":
        before = seen.text(), seen.picture()
        seen.drag([seen.at(0.12 + 0.02 * i, 0.2 + 0.04 * i) for i in range(8)])
        assert seen.text() != before[0] and (seen.picture() != before[1]).any()
        before = seen.text()
        seen.press(seen.image, "ArrowLeft")
        assert seen.text() != before
    assert not seen.node.get_by_role("alert").is_visible()


@pytest.mark.parametrize("name", NAMES)
def test_in_a_page_it_is_dragged_and_stepped(browser, page_file, name):
    """The still has gone, each control answers, and nothing is asked for elsewhere."""
    with decks.opened(browser, page_file) as (page, asked):
        node = explorers(page)[name]
        assert not page.locator("figure > img, figcaption").filter(visible=True).count()
        move_everything(Seen(node))
        assert not asked


@pytest.mark.parametrize("name", NAMES)
def test_on_a_phone_it_fits_and_answers_to_a_finger(browser, page_file, name):
    """No wider than the screen, its controls as high as a fingertip, text not smaller than 11 pixels."""
    with decks.opened(browser, page_file, **PHONE) as (page, _):
        seen = Seen(explorers(page)[name])
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        seen.node.scroll_into_view_if_needed()
        for control in seen.node.locator("select, button, input[type=range]").all():
            assert control.bounding_box()["height"] >= 27
        if seen.image.get_attribute("tabindex") == "0":
            before = seen.text()
            x, y = seen.at(0.4, 0.12)
            seen.after(lambda: page.touchscreen.tap(x, y))
            assert seen.text() != before
            before, scrolled = seen.text(), page.evaluate("scrollY")
            finger = page.context.new_cdp_session(page)
            for kind, share in (("Start", 0), ("Move", 0.05), ("Move", 0.1), ("End", None)):
                points = (
                    []
                    if share is None
                    else [dict(zip("xy", seen.at(0.4, 0.12 + share), strict=True))]
                )
                finger.send(
                    "Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points}
                )
            seen.settle()
            assert seen.text() != before and page.evaluate("scrollY") == scrolled


@pytest.mark.parametrize("name", NAMES)
def test_on_a_slide_it_is_dragged_and_its_keys_do_not_turn_the_slide(browser, deck_file, name):
    """Scaled as slides are, to fill what the text leaves; on a larger screen as well."""
    with decks.opened(browser, deck_file, width=1600, height=900) as (page, asked):
        decks.wait_for_deck(page)
        page.evaluate("(i) => Reveal.slide(i)", TOYS.index(name))
        node = page.locator(f"section.present {LIVE}")
        node.wait_for()
        place = page.evaluate("Reveal.getIndices().h")
        seen = Seen(node)
        move_everything(seen)
        assert page.evaluate("Reveal.getIndices().h") == place and not asked
        canvas, slide = seen.image.bounding_box(), page.locator("section.present").bounding_box()
        assert (
            canvas["x"] >= slide["x"]
            and canvas["y"] + canvas["height"] <= slide["y"] + slide["height"]
        )
        assert canvas["width"] * canvas["height"] > 0.2 * slide["width"] * slide["height"]
        ratio = seen.image.evaluate("(c) => c.width / c.getBoundingClientRect().width")
        assert ratio == pytest.approx(1, abs=0.02)  # sharp on the scaled slide
        page.keyboard.press("Escape")


def test_paper_shows_the_stills(browser, page_file, deck_file):
    """Of a page that is live, and of a deck as it is printed."""
    with decks.opened(browser, page_file) as (page, _):
        explorers(page)
        page.emulate_media(media="print")
        assert page.locator("figure > img").filter(visible=True).count() == len(NAMES)
        assert not page.locator(".vae-course-explorer, figcaption").filter(visible=True).count()
    with decks.opened(browser, deck_file, query="?print-pdf") as (page, _):
        decks.wait_for_deck(page, printed=True)
        page.emulate_media(media="print")
        assert page.locator(".pdf-page figure > img").filter(visible=True).count() == len(NAMES)
        assert not page.locator(".vae-course-explorer, figcaption").filter(visible=True).count()


@contextlib.contextmanager
def damaged(browser, folder, change=lambda text: text, spoil=lambda state: state, **machine):
    """Open a page with one map after damage to its HTML or to its state."""
    explorer = toy_explorer("LatentMap")
    state = explorer._state()
    explorer._state = lambda: spoil(state)
    write_page(folder / "damaged.html", explorer, change=change)
    with decks.opened(browser, folder / "damaged.html", **machine) as (page, _):
        yield page


def nan_weights(state):
    """Make the decoder draw NaN."""
    state["models"][0]["decoder"][0]["bias"] = array(np.full(784, np.nan))
    return state


def of_the_future(state):
    """Give the decoder a layer that this page does not know."""
    state["models"][0]["decoder"][0]["kind"] = "attention"
    return state


def shorter(page):
    """Cut the first characters off each array of a page."""
    return re.sub(r'(id="vae-course-\w+">)[^<]{8}', r"\1", page)


FAULTS = {
    "arrays cut short": ({"change": shorter}, "cut short"),
    "arrays that are gone": (
        {"change": lambda page: page.replace(' id="vae-', ' id="')},
        "cut short",
    ),
    "NaN": ({"spoil": nan_weights}, "NaN"),
    "an unknown layer": ({"spoil": of_the_future}, "failed"),
    "a page cut short": ({"change": lambda page: page.replace('{"module"', '{"modu', 1)}, "failed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_damaged_leaves_the_still_and_says_why(browser, tmp_path, fault):
    """Never a blank."""
    how, words = FAULTS[fault]
    with damaged(browser, tmp_path, **how) as page:
        page.locator("figure.vae-course-failed").wait_for()
        assert words in page.locator("figcaption").inner_text()
        assert page.locator("figure > img").is_visible()
        assert not page.locator(".vae-course-explorer").count()


@pytest.mark.parametrize(
    ("change", "machine"),
    [
        (lambda text: text, {"java_script_enabled": False}),
        (
            lambda text: text.replace('<script type="module">', '<script type="of a later time">'),
            {},
        ),
    ],
    ids=["JavaScript off", "a browser that does not know modules"],
)
def test_where_nothing_runs_the_still_stays_with_a_word(browser, tmp_path, change, machine):
    """It says what it is, and what is needed."""
    with damaged(browser, tmp_path, change, **machine) as page:
        assert page.locator("figure > img").is_visible()
        assert "still picture" in page.locator("figcaption").inner_text()


def test_no_graphics_card_is_needed(browser, tmp_path):
    """Without WebGL and WebGPU, which nothing here uses."""
    off = "<script>HTMLCanvasElement.prototype.getContext = ((get) => function (kind, ...more) {"
    off += "return kind === '2d' ? get.call(this, kind, ...more) : null; })"
    off += "(HTMLCanvasElement.prototype.getContext); delete Navigator.prototype.gpu;</script>"
    with damaged(browser, tmp_path, lambda text: text.replace("<body>", f"<body>{off}")) as page:
        page.locator(LIVE).wait_for()


def test_a_window_resized_while_dragging_keeps_the_place_under_the_mouse(browser, page_file):
    """The drawing changes to the telephone's and back; the drag goes on where the mouse is."""
    with decks.opened(browser, page_file) as (page, _):
        seen = Seen(explorers(page)["LatentMap"])
        page.mouse.move(*seen.at(0.3, 0.3))
        page.mouse.down()
        page.set_viewport_size({"width": 420, "height": 800})
        seen.settle()
        page.mouse.move(*seen.at(0.5, 0.2))
        seen.settle()
        narrow = seen.numbers(r"z = \((-?[\d.]+), (-?[\d.]+)\)")
        page.set_viewport_size({"width": 1280, "height": 720})
        seen.settle()
        assert seen.numbers(r"z = \((-?[\d.]+), (-?[\d.]+)\)") == narrow
        x, y = seen.at(0.4, 0.4)
        page.mouse.move(x, y)
        page.mouse.up()
        seen.settle()
        dragged = seen.text()
        page.mouse.click(x, y)
        seen.settle()
        assert seen.text() == dragged != ""


# Jupyter loads the module once for each explorer.
LOAD_TWICE = """async ([script, { module, state }]) => {
  for (let i = 0; i < 2; i++) {
    const address = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    const { default: loaded } = await import(address);
    loaded.render({ model: { get: (name) => ({ module, state })[name] }, el: document.body });
  }
}"""


def test_two_copies_of_the_module_in_one_page_share_no_names(browser, tmp_path):
    """A button pressed in one explorer stays pressed in the other, and each label leads to its own."""
    (tmp_path / "page.html").write_text("<!doctype html><title>t</title><body>")
    with decks.opened(browser, tmp_path / "page.html") as (page, _):
        for name in ("LatentMap", "ReparameterizationExplorer"):
            page.evaluate(LOAD_TWICE, [front_end.script(), bundle_of(toy_explorer(name))])
        first, second, *_ = map(Seen, page.locator(".vae-course-explorer[data-frames]").all())
        second.button("VAE").check()
        assert first.button("autoencoder").is_checked() and second.button("VAE").is_checked()
        before = first.text()
        first.press(first.image, "ArrowLeft")
        assert first.text() != before and not first.node.get_by_role("alert").is_visible()
        ids = page.evaluate("[...document.querySelectorAll('[id]')].map((e) => e.id)")
        assert len(ids) == len(set(ids)) >= 4 and not re.search(r"\s|[^\w-]", "".join(ids))


def test_a_second_finger_does_not_disturb_the_first(browser, page_file):
    """It neither draws nor ends the stroke."""
    with decks.opened(browser, page_file, **PHONE) as (page, _):
        seen = Seen(explorers(page)["LatentMap"])
        finger = page.context.new_cdp_session(page)

        def touch(kind, *places):
            points = [
                {"id": number, **dict(zip("xy", seen.at(*place), strict=True))}
                for number, place in enumerate(places)
            ]
            finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            seen.settle()
            return seen.numbers(r"z = \((-?[\d.]+), (-?[\d.]+)\)")

        alone = touch("touchStart", (0.4, 0.2))
        assert touch("touchStart", (0.4, 0.2), (0.7, 0.4)) == alone
        assert touch("touchMove", (0.4, 0.2), (0.6, 0.3)) == alone
        touch("touchEnd", (0.4, 0.2))
        assert touch("touchMove", (0.5, 0.25)) != alone


def test_in_a_deck_keys_that_the_explorer_does_not_use_are_the_decks(browser, deck_file):
    """Those of a presenter's remote among them; with Alt or Ctrl, the arrows are the browser's."""
    with decks.opened(browser, deck_file) as (page, _):
        decks.wait_for_deck(page)
        place = TOYS.index("LatentMap")
        for name in ("canvas", "input"):
            page.evaluate("(i) => Reveal.slide(i)", place)
            seen = Seen(page.locator(f"section.present {LIVE}"))
            seen.node.locator(name).first.focus()
            page.keyboard.press("PageDown")
            assert page.evaluate("Reveal.getIndices().h") == place + 1
            page.evaluate("(i) => Reveal.slide(i)", place)
            seen.node.locator(name).first.focus()
            page.keyboard.press("Escape")
            assert page.evaluate("Reveal.isOverview()")
            page.evaluate("Reveal.toggleOverview(false)")
        before = seen.text()
        seen.image.focus()
        page.evaluate(
            "() => addEventListener('keydown', (e) => (window.kept = e.defaultPrevented))"
        )
        page.keyboard.press("Control+ArrowLeft")
        seen.settle()
        assert seen.text() == before and page.evaluate("window.kept") is False


def test_the_picture_stays_sharp_when_the_browser_zooms(browser, page_file):
    """The window is as wide as before, but has more dots."""
    with decks.opened(browser, page_file) as (page, _):
        seen = Seen(explorers(page)["KLExplorer"])
        before = seen.picture().shape
        zoom = "Object.defineProperty(window, 'devicePixelRatio', { value: 2 })"
        seen.after(lambda: page.evaluate(f"{zoom}; dispatchEvent(new Event('resize'))"))
        assert seen.picture().shape == (2 * before[0], 2 * before[1], 4)


def test_a_later_fault_is_told_and_the_next_frame_works(browser, page_file):
    """A curved path between opposite points; with the straight one, all is well again."""
    with decks.opened(browser, page_file) as (page, _):
        seen = Seen(explorers(page)["DigitMorph"])
        fault = "() => { throw Error('Not a path.'); }"
        page.evaluate(f"() => {{ window.norm = Math.atan2; Math.atan2 = {fault}; }}")
        seen.button("slerp").check()
        seen.node.get_by_role("alert").wait_for()
        assert "Not a path." in seen.node.get_by_role("alert").inner_text()
        page.evaluate("() => { Math.atan2 = window.norm; }")
        seen.after(lambda: seen.button("lerp").check())
        assert not seen.node.get_by_role("alert").is_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_axe_finds_no_fault(browser, page_file, axe, tmp_path, theme, width):
    """Names, roles, contrast and the like, in both themes, wide and narrow."""
    text = page_file.read_text(encoding="utf-8").replace("<html", f'<html data-theme="{theme}"', 1)
    paper = "#ffffff" if theme == "light" else "#16202b"
    text = text.replace("<body>", f'<body style="background: {paper}; color: gray">')
    (tmp_path / "page.html").write_text(text, encoding="utf-8")
    with decks.opened(browser, tmp_path / "page.html", width=width) as (page, _):
        explorers(page)
        page.evaluate(axe)
        found = page.evaluate("axe.run('main').then((result) => result.violations)")
        faults = [(one["id"], one["impact"], one["nodes"][0]["html"]) for one in found]
        assert not [fault for fault in faults if "<h1>" not in fault[2]]


def test_screenshots_to_be_looked_at(browser, page_file, tmp_path):
    """Light and dark, wide and narrow: each has its colours."""
    lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for theme in ("light", "dark"):
        text = page_file.read_text(encoding="utf-8").replace(
            "<html", f'<html data-theme="{theme}"', 1
        )
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        for width in (1280, 390):
            with decks.opened(browser, tmp_path / "page.html", width=width) as (page, _):
                for name, node in explorers(page).items():
                    node.screenshot(path=lab.SCREENSHOTS / f"page_{name}_{theme}_{width}.png")
                    paper = node.evaluate("(root) => getComputedStyle(root).backgroundColor")
                    assert (paper == "rgb(255, 255, 255)") == (theme == "light")
