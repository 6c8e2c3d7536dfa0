"""The explorers' JavaScript in a browser without network: its functions, and pages made of it."""

import base64
import json
from pathlib import Path

import numpy as np

from vae_course.explorers import front_end

PROBE = Path(__file__).with_name("probe.js").read_text(encoding="utf-8")
STILL = (
    '<img alt="The still picture of this explorer." width="600" height="300" src="data:image/png;base64,'
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==">'
)


class Functions:
    """All functions of the front end in one page, opened from a file with every request blocked.

    Args:
        browser: Playwright's browser.
        folder: Where the page goes.
    """

    def __init__(self, browser, folder):
        path = folder / "functions.html"
        code = front_end.script().replace("export default { render };", "")
        path.write_text(f"<!doctype html><title>t</title><body><script>{code}{PROBE}</script>")
        self.page = browser.new_page()
        self.page.goto(path.resolve().as_uri())

    def __call__(self, code, *arguments):
        """Evaluate JavaScript with the arguments a, b, c ...; arrays are lists there."""
        names = ", ".join("abcdef"[: len(arguments)])
        return self.page.evaluate(
            f"([{names}]) => {code}", json.loads(json.dumps(arguments, default=plain))
        )

    def probe(self, explorer, *steps):
        """Draw an explorer as it starts and after each step; see `probe.js`."""
        bundle = bundle_of(explorer)
        found = self("probe(a, b, c)", bundle["module"], bundle["state"], steps)
        for seen in found:
            seen["digits"] = np.array(seen["digits"]).reshape(-1, 28, 28)
        return found


def plain(value):
    """Turn what JSON does not know into lists, numbers and base64."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    return value.tolist()


def bundle_of(explorer):
    """Return what a cell with an explorer puts out for pages."""
    return explorer.bundle()


def write_page(path, *explorers, change=lambda text: text):
    """Write a page of live explorers around still pictures, as `teaching.pages` makes them.

    Args:
        path: Of the page.
        explorers: What the page shows.
        change: What to do to the HTML before it is written, for example to damage it.
    """
    stored = set()
    figures = [front_end.embed(bundle_of(one), STILL, stored) for one in explorers]
    head = '<!doctype html><html lang="en"><meta charset="utf-8"><title>Explorers</title>'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    path.write_text(
        change(f"{head}<body><main><h1>Explorers</h1>{''.join(figures)}</main>"), encoding="utf-8"
    )
