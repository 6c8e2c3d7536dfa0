"""Each lesson in a real JupyterLab in a real browser: run, dragged by mouse, stepped by keyboard, presented.

One JupyterLab serves all that a process takes, and each lesson is opened and run once.
"""

import json
import os
from urllib.parse import urlsplit

import decks
import lab
import numpy as np
import pytest
from lesson_page import KERNEL, NOTEBOOK, Lab, Lesson
from lessons import SMALL
from PIL import Image
from pins import ROOT
from seen import LIMIT, Seen

from vae_course import latent, pretrained
from vae_course.data import load_digits

LESSONS = sorted(path.stem for path in (ROOT / "notebooks").glob("*.ipynb"))
EXPLORERS = {
    "00_start_here": ["write", "drag"],
    "01_autoencoder_latent_gaps": ["explore"],
    "02_kl_divergence": ["explore"],
    "03_reparameterization": ["explore"],
    "04_transposed_convolution": ["explore"],
    "05_convolutional_vae": ["map"],
    "06_latent_interpolation": ["morph", "own", "traversal"],
    "07_likelihood": ["explorer"],
    "08_rate_distortion": ["explorer"],
    "09_beyond_digits": ["hand"],
}
# Where a slideshow stands: its slide, and how many of that slide's fragments are shown.
PLACE = """() => location.hash + document.querySelectorAll(
  "section.present section.present .fragment.visible").length"""
latencies = {}


def of_lesson(start):
    """Let a test have this lesson, run to its end."""
    (name,) = [name for name in LESSONS if name.startswith(start)]
    return pytest.mark.parametrize("lesson", [name], indirect=True)


@pytest.fixture(scope="module")
def digits():
    """Give the data that the lessons use here."""
    return load_digits(os.environ.get("VAE_COURSE_DATASET", "auto"))


@pytest.fixture(scope="module")
def jupyterlab(browser, digits, tmp_path_factory):
    """Give JupyterLab, open in the browser; lessons are short where only their length would change."""
    with lab.serve(tmp_path_factory.mktemp("lab"), digits, SMALL) as address:
        yield Lab(browser, address)


@pytest.fixture(scope="module", params=LESSONS)
def lesson(request, jupyterlab):
    """Give a lesson, run from top to bottom."""
    lesson = Lesson(jupyterlab, request.param)
    lesson.finished = lesson.run_all()
    yield lesson
    lesson.close()


@pytest.fixture(scope="module")
def model(digits):
    """Give a function that loads the shipped model for these data."""
    suffix = "mnist" if digits.name == "MNIST" else "digits"
    return lambda name: pretrained.load(f"{name}-{suffix}")[0]


@pytest.fixture(scope="module", autouse=True)
def report(tell):
    """Print, at the end, how long the answers took, and keep the numbers."""
    yield
    rows = {
        name: {"n": len(t), "median": np.median(t), "p95": np.percentile(t, 95)}
        for name, t in latencies.items()
        if t
    }
    lines = ["explorer          answers   median     95 %   (ms, from the event to the frame)"]
    for name, row in rows.items():
        lines.append(f"{name:17} {row['n']:7} {row['median']:8.0f} {row['p95']:8.0f}")
    tell(*lines)
    lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # each has some of the lessons
    path = lab.SCREENSHOTS / f"latencies{worker}.json"
    path.write_text(json.dumps(rows, indent=1) + "\n")


@pytest.fixture
def watch(lesson):
    """Give a function that finds the explorer of a cell, and note its latencies when the test is over."""
    watched = []

    def watch(cell):
        watched.append((f"{lesson.name[:2]} {cell}", lesson.explorer(cell)))
        return watched[-1][1]

    yield watch
    for name, seen in watched:
        latencies.setdefault(name, []).extend(seen.times())


def shot(page, name):
    """Keep a picture of what is on the screen, to be looked at."""
    lab.SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=lab.SCREENSHOTS / f"{name}.png")


def test_it_runs_from_top_to_bottom_without_an_error(lesson):
    """No cell fails or warns; the browser's console has no error."""
    for cell in lesson.cells():
        for output in cell.get("outputs", []):
            assert output["output_type"] != "error", output
            assert output.get("name") != "stderr", output
    assert lesson.finished
    assert not lesson.lab.complaints


def test_its_explorers_are_named_fit_the_screen_and_look_well_in_both_themes(lesson):
    """Each control has a name, picture and controls fit 1280 x 720; screenshots to look at."""
    for theme in ("JupyterLab Dark", "JupyterLab Light") if lesson.name in EXPLORERS else ():
        lesson.lab.theme(theme)
        for cell in EXPLORERS[lesson.name]:
            seen = lesson.explorer(cell)
            for control in seen.node.locator("input, select").all():
                assert control.evaluate("(control) => control.labels.length") == 1
            assert len(seen.text().split()) >= 8
            box = seen.node.bounding_box()
            area = lesson.page.locator(".jp-WindowedPanel-outer").bounding_box()
            assert box["y"] >= area["y"] - 1
            assert box["y"] + box["height"] <= area["y"] + area["height"] + 1
            assert box["x"] + box["width"] <= area["x"] + area["width"] + 1
            shot(lesson.page, f"{lesson.name[:2]}_{cell}_{theme.split()[-1].lower()}")


@pytest.mark.parametrize(
    ("lesson", "cell"),
    [(name, cell) for name, cells in EXPLORERS.items() for cell in cells],
    indirect=["lesson"],
)
def test_running_its_cell_again_leaves_one_explorer_that_works(lesson, watch, cell):
    """The old one is gone from the page, the new one answers."""
    lesson.explorer(cell)
    for _ in range(3):
        lesson.run_cell(cell)
    seen = watch(cell)  # refuses more than one
    before = seen.picture()
    if seen.node.get_by_role("slider").count():
        seen.press(seen.node.get_by_role("slider").first, "ArrowRight")
    else:
        seen.press(seen.image, "ArrowLeft")
    assert (seen.picture() != before).any()
    assert not lesson.lab.complaints


def place_and_nearest(seen):
    """Read where the map's cross stands, and how far the nearest code is."""
    z = seen.numbers(r"z = \((-?[\d.]+), (-?[\d.]+)\)")
    digit, distance = seen.numbers(r"nearest code: a (\d), ([\d.]+) away")
    return np.array(z), digit, distance


@pytest.mark.parametrize(
    ("lesson", "cell"),
    [("01_autoencoder_latent_gaps", "explore"), ("05_convolutional_vae", "map")],
    indirect=["lesson"],
)
def test_latent_map(lesson, watch, digits, model, cell):
    """Dragged and stepped: each place has its picture and its nearest code; two models; no stale frames."""
    seen = watch(cell)
    lesson.page.evaluate("() => { window.sent = 0; }")
    start, first = place_and_nearest(seen), seen.picture()
    assert "in gap 1" in seen.text()
    seen.drag([seen.at(0.15 + 0.024 * i, 0.3 + 0.03 * i) for i in range(9)])
    moved = place_and_nearest(seen)
    assert (moved[0] != start[0]).all() and (seen.picture() != first).any()
    if lesson.name.startswith("01"):
        codes = model("ae-2").encoder.predict(digits.x_test, batch_size=500, verbose=0)
        distances = np.linalg.norm(codes - moved[0], axis=1)
        assert distances.min() == pytest.approx(moved[2], abs=0.02)

    seen.press(seen.image, "ArrowRight", 5)
    stepped = place_and_nearest(seen)
    assert stepped[0][0] > moved[0][0] and stepped[0][1] == pytest.approx(moved[0][1])
    seen.press(seen.image, "ArrowUp")
    assert place_and_nearest(seen)[0][1] > stepped[0][1]
    seen.press(seen.image, "Shift+ArrowDown")
    assert place_and_nearest(seen)[0][1] < stepped[0][1]

    path = [seen.at(0.15 + 0.004 * i, 0.3 + 0.004 * i) for i in range(60)]
    seen.drag(path, fast=True)
    x, y = path[-1]
    slow = place_and_nearest(seen)[0]
    seen.after(lambda: seen.page.mouse.click(x, y))
    np.testing.assert_allclose(place_and_nearest(seen)[0], slow)

    before = seen.picture()
    seen.after(seen.button("VAE").check)
    assert seen.text().startswith("VAE: ") and (seen.picture() != before).mean() > 0.02
    seen.press(seen.button("VAE"), "ArrowLeft")
    assert seen.text().startswith("autoencoder: ")
    assert lesson.page.evaluate("() => sent") == 0  # the kernel was asked for nothing


@of_lesson("00")
def test_a_written_digit_lands_among_its_kind_and_is_dragged_into_another(lesson, watch):
    """A ring is a 0 and a stroke is a 1 for the shipped model; the cross leads from one to the other."""
    seen = watch("write")
    seen.choose("start with", "my own drawing")
    pad = [(0.007, 0.1), (0.31, 0.75)]  # as in draw_a_digit.js, shares of its picture

    def on_pad(x, y):
        (left, top), (right, bottom) = pad
        return seen.at(left + x * (right - left), top + y * (bottom - top))

    turns = np.linspace(0, 2 * np.pi, 30)
    seen.drag([on_pad(0.5 + 0.25 * np.cos(t), 0.5 + 0.35 * np.sin(t)) for t in turns])
    assert "nearest to a 0" in seen.text()
    start, before = seen.numbers(r"z = \((-?[\d.]+), (-?[\d.]+)\)"), seen.picture()
    seen.press(seen.image, "Shift+ArrowLeft", 5)
    assert seen.numbers(r"z = \((-?[\d.]+), (-?[\d.]+)\)")[0] < start[0]
    assert (seen.picture() != before).any() and "cross was moved" in seen.text()
    seen.after(seen.node.get_by_role("button", name="clear").click)
    assert "Nothing is drawn yet" in seen.text()
    seen.drag([on_pad(0.5, 0.2 + 0.06 * i) for i in range(11)], fast=True)
    assert "nearest to a 1" in seen.text()


def closed_form(mu, log_var):
    """KL of N(mu, exp(log_var)) to N(0, 1), nats."""
    return 0.5 * (np.exp(log_var) + mu**2 - 1 - log_var)


@of_lesson("02")
def test_kl_explorer(lesson, watch):
    """Both sliders by mouse and by keyboard; the number told is the closed form of where they stand."""
    seen = watch("explore")

    def right():
        nats = seen.numbers(r"= (-?[\d.]+) nats, (-?[\d.]+) bits")
        exact = closed_form(seen.value("mu"), seen.value("log sigma²"))
        np.testing.assert_allclose(nats, [exact, exact / np.log(2)], atol=6e-4)

    pictures = [seen.picture()]
    for name, share in (("mu", 0.2), ("log sigma²", 0.9), ("mu", 0.5)):
        seen.slide(name, share)
        right()
        pictures.append(seen.picture())
    for name in ("mu", "log sigma²"):
        before = seen.value(name)
        seen.press(seen.slider(name), "ArrowRight", 5)
        assert seen.value(name) > before
        right()
        pictures.append(seen.picture())
    for one, other in zip(pictures, pictures[1:], strict=False):
        assert (one != other).any()
    seen.slide("mu", 0.95, steps=50, fast=True)
    right()


@of_lesson("03")
def test_reparameterization_explorer(lesson, watch):
    """The trick links draws and sliders; plain sampling does not, and has no gradient."""
    seen = watch("explore")
    before = seen.picture()
    seen.slide("mu", 0.8)
    assert (seen.picture() != before).any()
    by_mu = seen.numbers(r"gradient: mu ([+-][\d.]+)")[0]
    seen.press(seen.slider("mu"), "ArrowLeft", 5)
    assert seen.numbers(r"gradient: mu ([+-][\d.]+)")[0] <= by_mu  # 2 (mu + sigma mean(eps) - 3)
    seen.slide("sigma", 0.9)
    seen.press(seen.slider("sigma"), "ArrowLeft", 3)
    assert seen.numbers(r"sigma ([\d.]+): the same")[0] == pytest.approx(
        seen.value("sigma"), abs=6e-3
    )
    seen.after(seen.button("plain sampling").check)
    assert "no gradient" in seen.text() and "fresh draws" in seen.text()
    seen.press(seen.slider("mu"), "ArrowLeft")
    first = seen.picture()
    seen.press(seen.slider("mu"), "ArrowRight")
    seen.press(seen.slider("mu"), "ArrowLeft")
    assert (seen.picture() != first).any()  # the same mu, other draws
    seen.press(seen.button("plain sampling"), "ArrowLeft")
    assert "the same 12 eps" in seen.text()


@of_lesson("04")
def test_transposed_convolution_explorer(lesson, watch):
    """Stepped through by mouse and keyboard; sizes as Keras has them for other settings."""
    import keras

    seen = watch("explore")
    seen.press(seen.slider("stamps"), "Home")
    blank = seen.picture()
    seen.press(seen.slider("stamps"), "ArrowRight", 4)
    assert "after 4 of 4 stamps" in seen.text() and (seen.picture() != blank).any()
    seen.slide("stamps", 0.5, steps=1)
    assert "after 2 of 4 stamps" in seen.text()
    for side, kernel, stride, padding in ((3, 3, 2, "valid"), (4, 2, 3, "same"), (4, 4, 1, "same")):
        for name, option in (("input side", side), ("kernel side", kernel), ("stride", stride)):
            if seen.node.get_by_label(name, exact=True).input_value() != str(option):
                seen.choose(name, str(option))
        if not seen.button(padding).is_checked():
            seen.after(seen.button(padding).check)
        layer = keras.layers.Conv2DTranspose(1, kernel, strides=stride, padding=padding)
        assert seen.text().endswith(f"= {layer.compute_output_shape((1, side, side, 1))[1]}.")
    seen.press(seen.slider("stamps"), "Home")
    seen.press(seen.slider("stamps"), "ArrowRight", 16)
    assert "after 16 of 16 stamps" in seen.text()
    seen.slide("stamps", 0.1)
    assert "after 2 of 16 stamps" in seen.text()


@of_lesson("07")
def test_staircase(lesson, watch, digits):
    """Dragged and stepped: bound and sample size are of as many draws as told; images differ."""
    seen = watch("explorer")
    seen.press(seen.slider("step"), "Home")
    k, bound, effective = seen.numbers(
        r"with (\d+) draws the bound is (-[\d.]+) nats, the effective sample size ([\d.]+)"
    )
    assert (k, effective) == (1, 1)
    seen.slide("step", 0.5)
    text = seen.text()
    seen.press(seen.slider("step"), "End")
    k, last, effective = seen.numbers(
        r"with (\d+) draws the bound is (-[\d.]+) nats, the effective sample size ([\d.]+)"
    )
    assert (
        k == 1000 and 1 <= effective <= 1000 and last > bound - 7
    )  # a mean of 1000 is at least w / 1000
    assert seen.text() != text
    before = seen.picture()
    seen.choose("image", f"image 1, a {digits.y_test[1]}")
    assert (seen.picture() != before).any()


@of_lesson("08")
def test_rate_distortion(lesson, watch):
    """By slider, keys and mouse: the rate falls as beta grows, and the numbers told add up."""
    seen = watch("explorer")
    seen.press(seen.slider("beta no."), "Home")

    def told():
        pattern = r"beta = ([\d.e+-]+): rate ([\d.]+) \+ distortion ([\d.]+) = ([\d.]+) nats"
        beta, rate, distortion, loss = seen.numbers(pattern)
        assert loss == pytest.approx(rate + distortion, abs=0.11)
        return beta, rate

    first, before = told(), seen.picture()
    seen.press(seen.slider("beta no."), "ArrowRight", 3)
    second = told()
    assert second[0] > first[0] and second[1] < first[1]
    assert (seen.picture() != before).any()
    seen.press(seen.slider("beta no."), "End")
    last = told()
    assert last[0] > second[0] and last[1] < second[1]
    seen.slide("beta no.", 0.0)
    assert told() == first
    seen.press(seen.slider("beta no."), "End")
    # From the upper left end of the curve to the corner that is nearest to its lower right end.
    seen.drag([seen.at(0.075 + 0.034 * i, 0.1 + 0.08 * i) for i in range(10)])
    assert told() == first and seen.value("beta no.") == 1
    seen.drag([seen.at(0.3 - 0.02 * i, 0.8 - 0.07 * i) for i in range(11)], fast=True)
    dragged = told()
    assert dragged[0] > second[0]
    seen.press(seen.image, "Shift+ArrowDown", 9)
    assert told()[0] < dragged[0]


@of_lesson("06")
def test_digit_morph(lesson, watch, digits, model):
    """At t = 0 and t = 1 the picture is the decoded end point; play runs; a third is mixed in."""
    vae = model("vae-100")
    codes = vae.encoder.predict(digits.x_test, batch_size=500, verbose=0)[0]
    means = latent.class_means(codes, digits.y_test)
    expected = vae.decoder.predict(means, batch_size=500, verbose=0)[..., 0]  # (10, 28, 28)
    seen = watch("morph")

    def shows(picture, digit):
        # As `DigitMorph` in morph.js draws it: 252 of 780 x 420, in the middle, below its title.
        scale = picture.shape[1] / 780
        top, left, side = (round(scale * length) for length in (34, 264, 252))
        square = Image.fromarray(picture[top : top + side, left : left + side, 0].astype("uint8"))
        small = np.asarray(square.resize((28, 28), Image.BOX)) / 255
        ink = (1 - small) / (1 - 29 / 255)  # ink is not quite black
        return np.abs(ink - expected[digit]).mean() < 0.02

    seen.slide("t, in %", 0.0)
    assert shows(seen.picture(), 3) and not shows(seen.picture(), 7)
    seen.slide("t, in %", 1.0)
    assert shows(seen.picture(), 7) and not shows(seen.picture(), 3)
    seen.choose("to", "mean of the 4s")
    assert shows(seen.picture(), 4)
    seen.press(seen.slider("t, in %"), "ArrowLeft", 5)
    assert seen.numbers(r"t = ([\d.]+), lerp: ([\d.]+) from") == [0.95, 0.05]
    seen.after(seen.button("slerp").check)
    assert "slerp" in seen.text()
    seen.slide("third, in %", 1.0)
    assert shows(seen.picture(), 0)
    seen.slide("third, in %", 0.0)
    seen.choose("from", f"test image {np.flatnonzero(digits.y_test == 2)[0]}, a 2")

    seen.slide("t, in %", 1.0, steps=60, fast=True)
    assert shows(seen.picture(), 4)

    play = seen.node.get_by_role("button")
    wanted = seen.frames() + 5
    play.click()
    seen.page.wait_for_function(
        "([root, wanted]) => root.dataset.frames >= wanted",
        arg=[seen.node.element_handle(), wanted],
        timeout=1000 * LIMIT,
    )
    assert play.inner_text() == "pause"
    play.click()
    seen.settle()


@of_lesson("06")
def test_latent_traversal(lesson, watch, digits, model):
    """The dimension of each rank, moved by the slider: the change told is that of the decoder."""
    vae = model("vae-100")
    z_mean, z_log_var, _ = vae.encoder.predict(digits.x_test, batch_size=500, verbose=0)
    order = np.argsort(-latent.kl_per_dimension(z_mean, z_log_var))
    mean = latent.class_means(z_mean, digits.y_test)[3]
    seen = watch("traversal")

    def right():
        dimension, rank = seen.numbers(r"dimension (\d+), number (\d+) by KL")
        assert (dimension, rank) == (order[int(rank) - 1], seen.value("place by KL"))
        moved = mean.copy()
        moved[int(dimension)] = seen.value("value")
        before, after = vae.decoder.predict(np.array([mean, moved]), batch_size=500, verbose=0)
        change = seen.numbers(r"a pixel changes by ([\d.]+) at most")[0]
        assert change == pytest.approx(np.abs(after - before).max(), abs=0.006)

    right()
    first = seen.picture()
    seen.slide("value", 0.0)
    right()
    assert seen.value("value") == -3 and (seen.picture() != first).any()
    seen.press(seen.slider("place by KL"), "ArrowRight", 3)
    right()
    seen.press(seen.slider("value"), "ArrowRight", 5)
    right()
    seen.slide("place by KL", 1.0)
    assert seen.value("place by KL") == 100
    seen.slide("value", 0.9, steps=50, fast=True)
    right()


@of_lesson("09")
def test_handwriting(lesson, watch, digits):
    """By mouse and keys: place and digit are those told; back at the image's hand, all is as before."""
    seen = watch("hand")
    lesson.page.evaluate("() => { window.sent = 0; }")

    def told():
        pattern = r"an? (\d) in the hand of test image (\d+), a (\d), .*\((-?[\d.]+), (-?[\d.]+)\)"
        digit, number, label, *place = seen.numbers(pattern)
        assert digit == seen.value("digit") and label == digits.y_test[int(number)]
        return digit, np.array(place)

    first, (digit, home) = seen.picture(), told()
    seen.drag([seen.at(0.12 + 0.02 * i, 0.3 + 0.02 * i) for i in range(9)])
    _, dragged = told()
    assert "moved to" in seen.text() and (seen.picture() != first).any()
    seen.press(seen.image, "ArrowRight", 3)
    seen.press(seen.image, "Shift+ArrowDown")
    _, stepped = told()
    assert stepped[0] > dragged[0] and stepped[1] < dragged[1]
    seen.after(lambda: seen.page.mouse.click(*seen.at(0.08, 0.86)))  # the first of the ten digits
    assert told()[0] == 0
    seen.press(seen.slider("digit"), "ArrowRight", int(digit))
    seen.after(seen.node.get_by_role("button").click)
    np.testing.assert_array_equal(told()[1], home)
    assert (seen.picture() == first).all()

    path = [seen.at(0.1 + 0.004 * i, 0.2 + 0.006 * i) for i in range(60)]
    seen.choose("hand", f"test image {np.flatnonzero(digits.y_test == 2)[1]}, a 2")
    seen.drag(path, fast=True)
    _, fast = told()
    seen.after(lambda: seen.page.mouse.click(*path[-1]))
    np.testing.assert_array_equal(told()[1], fast)
    assert lesson.page.evaluate("() => sent") == 0  # the kernel was asked for nothing


@pytest.fixture
def live(lesson):
    """Give the slideshow of a lesson, opened by jupyterlab-rise on the slide of its explorer."""
    lesson.explorer("explore")  # selects its cell: the slideshow starts there
    lesson.lab.command("docmanager:save")
    asked = []
    lesson.page.context.on("request", lambda request: asked.append(request.url))
    with lesson.page.expect_popup() as popup:
        lesson.page.evaluate("() => void jupyterapp.commands.execute('RISE:slideshow')")
    page = popup.value
    page.set_viewport_size({"width": 1280, "height": 720})
    page.locator("section.present .vae-course-explorer[data-frames]").wait_for(timeout=1000 * LIMIT)
    yield page, asked
    page.close()


@of_lesson("02")
def test_presented_live_the_explorer_answers_and_the_keys_move_through_the_slides(live):
    """The explorer on its slide is dragged; then from the first slide on; nothing is fetched."""
    page, asked = live
    seen = Seen(page.locator("section.present .vae-course-explorer"))
    seen.slide("mu", 0.8)
    assert 1.5 < seen.value("mu") < 2.5
    assert seen.numbers("q, mean ([0-9.]+) and") == [seen.value("mu")]
    shot(page, "rise_explorer_dragged")

    page.mouse.click(1200, 40)  # from the slider back to the slides
    page.keyboard.press("Home")
    page.wait_for_url("**#/slide-0-0**")
    titles = []
    for number in range(4):
        while f"slide-{number}-0" not in page.url:  # the fragments of the slide before come first
            place = page.evaluate(PLACE)
            page.keyboard.press("ArrowRight")
            page.wait_for_function(f"(place) => ({PLACE})() !== place", arg=place)
        heading = page.locator("section.present section.present :is(h1, h2)").first
        titles.append(heading.inner_text().rstrip("¶"))
        shot(page, f"rise_slide_{number}")
    assert titles == [
        "The KL divergence and the evidence lower bound",
        "Surprise and code length",
        "The KL divergence",
        "Never negative",
    ]
    text = page.locator("section.present section.present p").first
    size = float(text.evaluate("(p) => parseFloat(getComputedStyle(p).fontSize)"))
    assert size >= decks.LEAST_TEXT
    assert page.locator("section mjx-container").count()
    hosts = {urlsplit(url).hostname for url in asked if url.startswith(("http", "ws"))}
    assert hosts <= set(decks.LOCAL), hosts


@of_lesson("02")
def test_it_answers_while_the_kernel_is_busy_and_after_it_has_died(lesson):
    """By the mouse, as if nothing had happened; this ends the kernel, so it comes last."""
    seen = lesson.explorer("explore")
    lesson.page.evaluate(
        f"() => void {KERNEL}.requestExecute({{ code: 'import time; time.sleep(9999)' }})"
    )
    for state, change in (("busy", ""), ("dead", f"await {NOTEBOOK}.sessionContext.shutdown();")):
        lesson.lab.evaluate(change)
        before = len(seen.times())
        for share in (0.1, 0.9):
            seen.slide("mu", share)
            exact = closed_form(seen.value("mu"), seen.value("log sigma²"))
            assert seen.numbers(r"= (-?[\d.]+) nats")[0] == pytest.approx(exact, abs=6e-4)
        latencies[f"02 kernel {state}"] = seen.times()[before:]
