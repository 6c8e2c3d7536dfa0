"""Measure how fast the explorers answer in a page and in a deck: `python -m benchmarks.explorers`.

Each explorer of the course, with the shipped models and an untrained one of lesson 9, is opened from a file
in headless Chromium with every request blocked, and a key is pressed or the mouse is moved a few dozen times.
The time is from the event to when the browser is done with the next frame. `tests/browser/test_jupyterlab.py`
prints the same for JupyterLab, with its kernel idle, busy and dead.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "tests"), str(ROOT / "tests" / "browser")]

import decks  # noqa: E402
import lab  # noqa: E402
from front_end import STILL, Functions, bundle_of, write_page  # noqa: E402
from seen import Seen  # noqa: E402
from toys import conditional_of_lesson_9, make_judge  # noqa: E402

from vae_course import explorers, latent, lesson, pretrained  # noqa: E402
from vae_course.data import load_digits  # noqa: E402
from vae_course.explorers import front_end, networks  # noqa: E402
from vae_course.teaching.carried import render  # noqa: E402
from vae_course.teaching.deck import slides_of  # noqa: E402

LIVE = "figure.vae-course-live > .vae-course-explorer"
INFERENCE = """([layers, codes]) => {
  const run = network(unpack(layers));
  return codes.map((z) => {
    const start = performance.now();
    run(z);
    return performance.now() - start;
  });
}"""


def course_explorers():
    """Return the course's explorers, by name, with the shipped models and 2,000 test images."""
    data = load_digits()
    kind = "mnist" if data.name == "MNIST" else "digits"
    images, labels = data.x_test[:2000], data.y_test[:2000]
    plane, wide, coins = (
        pretrained.load(name.format(kind))[0]
        for name in ("vae-2-{}", "vae-100-{}", "vae-50-{}-bernoulli")
    )
    codes, _, _ = plane.encoder.predict(images, verbose=0)
    means, log_vars, _ = wide.encoder.predict(images, verbose=0)
    black_white = (images[:10] > 0.5).astype("float32")
    kl = latent.kl_per_dimension(means, log_vars)
    found = [
        explorers.LatentMap({"VAE": (plane.decoder, codes)}, labels, data.name),
        explorers.KLExplorer(),
        explorers.ReparameterizationExplorer(1),
        explorers.TransposedConvolutionExplorer(),
        explorers.DigitMorph(wide.decoder, means, labels),
        explorers.LatentTraversal(wide.decoder, means, labels, kl),
        explorers.Staircase(coins, black_white, labels[:10]),
        explorers.RateDistortion(*pretrained.beta_sweep(kind)),
        explorers.DrawADigit(plane, images, labels, data.name),
        explorers.Handwriting(conditional_of_lesson_9(), images, labels, data.name, make_judge()),
    ]
    return {type(one).__name__: one for one in found}, wide.decoder


def write_deck(path, shown):
    """Write a deck with one slide for each explorer."""
    cells = []
    for name, explorer in shown.items():
        text = nbformat.v4.new_markdown_cell(f"## {name}")
        data = {
            "image/png": STILL.partition("base64,")[2].rstrip('">'),
            lesson.EXPLORER: bundle_of(explorer),
        }
        code = nbformat.v4.new_code_cell(name, execution_count=1)
        code.outputs = [nbformat.v4.new_output("display_data", data)]
        for cell, kind in ((text, "slide"), (code, "-")):
            cell.metadata["slideshow"] = {"slide_type": kind}
        cells += [text, code]
    notebook = nbformat.v4.new_notebook(cells=cells)
    path.write_text(render(notebook, "Explorers", slides_of(notebook)), "utf-8")


def answer(seen):
    """Step and drag an explorer a few dozen times."""
    for slider in seen.node.get_by_role("slider").all():
        low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
        for _ in range(12):
            middle = float(slider.input_value()) > (low + high) / 2
            seen.press(slider, "PageDown" if middle else "PageUp")
    if seen.image.get_attribute("tabindex") == "0":
        seen.drag([seen.at(0.08 + 0.006 * i, 0.25 + 0.01 * i) for i in range(25)])
        for _ in range(12):
            seen.press(seen.image, "ArrowLeft")
            seen.press(seen.image, "ArrowRight")


def measure(browser, path, names, deck=False):
    """Return the times of each explorer in a page or deck, and when the last one was first drawn."""
    times = {}
    with decks.opened(browser, path) as (page, _):
        if deck:
            decks.wait_for_deck(page)
        else:
            page.wait_for_function(
                f"(n) => document.querySelectorAll('{LIVE}').length === n", arg=len(names)
            )
            first = page.evaluate("performance.now()")
        for number, name in enumerate(names):
            if deck:
                page.evaluate("(i) => Reveal.slide(i)", number)
            nodes = page.locator(f"section.present {LIVE}" if deck else LIVE)
            node = nodes.first if deck else nodes.nth(number)
            node.wait_for()
            seen = Seen(node)
            answer(seen)
            times[name] = seen.times()
    return times, None if deck else first


def main():
    """Measure and print the tables."""
    shown, decoder = course_explorers()
    folder = Path(tempfile.mkdtemp(prefix="vae-course-"))
    write_page(folder / "page.html", *shown.values())
    write_deck(folder / "deck.html", shown)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=lab.find_chromium(), args=lab.FLAGS)
        page, first = measure(browser, folder / "page.html", shown)
        deck, _ = measure(browser, folder / "deck.html", shown, deck=True)
        codes = np.random.default_rng(0).normal(size=(200, decoder.input_shape[-1])).tolist()
        runs = Functions(browser, folder).page.evaluate(
            INFERENCE, [front_end.as_json(networks.network(decoder)), codes]
        )
    print(f"{'':30} {'page':>17} {'deck':>17}   ms, median and 95 % of answers")
    for name in shown:
        cells = [
            f"{np.median(t[name]):6.0f} {np.percentile(t[name], 95):5.0f} ({len(t[name]):3})"
            for t in (page, deck)
        ]
        print(f"{name:30} {cells[0]:>17} {cells[1]:>17}")
    print(
        f"first pictures of all {len(shown)} explorers on one page: {first:.0f} ms after its start"
    )
    print(f"decoder, 100 numbers: {np.median(runs):.1f} ms, 95 % {np.percentile(runs, 95):.1f} ms")


if __name__ == "__main__":
    main()
