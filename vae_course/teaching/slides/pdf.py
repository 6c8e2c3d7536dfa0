"""PDFs of decks, printed by a browser that is already on this machine."""

import os
import shutil
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
)
CURE = (
    "no PDF: {what}. The HTML decks are complete; for PDFs, {cure}, or print a deck from your browser "
    "after adding ?print-pdf to its address."
)


class NoBrowser(Exception):
    """There is nothing to print with; the message says what is missing, and the cure."""


def write_pdfs(decks):
    """Print decks, each to a file of the same name that ends with .pdf.

    Args:
        decks: Paths of HTML decks.

    Returns:
        Paths of the PDFs.

    Raises:
        NoBrowser: If Playwright or a browser is missing.
    """
    try:
        from playwright import sync_api
    except ModuleNotFoundError:
        raise NoBrowser(
            CURE.format(
                what="Playwright is not installed", cure="install it with pip install playwright"
            )
        ) from None
    with sync_api.sync_playwright() as playwright:
        browser = _launch(playwright.chromium, sync_api.Error)
        try:
            page = browser.new_page()
            return [_print(page, Path(deck)) for deck in decks]
        finally:
            browser.close()


def _launch(chromium, Error):
    named = os.environ.get("VAE_COURSE_CHROMIUM")
    paths = [named] if named else [path for path in map(shutil.which, NAMES) if path]
    # What Playwright finds by itself: browsers in their usual places on Windows and macOS, then its own.
    ways = [{"executable_path": path} for path in paths]
    ways += [] if named else [{"channel": "chrome"}, {"channel": "msedge"}, {}]
    for way in ways:
        try:
            return chromium.launch(args=list(FLAGS), **way)
        except Error:
            continue
    raise NoBrowser(
        CURE.format(
            what="no Chromium, Chrome or Edge was found",
            cure="install one, or name it in VAE_COURSE_CHROMIUM",
        )
    )


def _print(page, deck):
    page.goto(f"{deck.resolve().as_uri()}?print-pdf")
    page.wait_for_selector("html[data-ready][data-printed]", state="attached")
    target = deck.with_suffix(".pdf")
    page.pdf(path=target, prefer_css_page_size=True, print_background=True)
    return target
