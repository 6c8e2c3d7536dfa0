"""Make slides for the classroom: for each lesson an HTML deck that needs no network, PDFs, and an index."""

import contextlib
import dataclasses
import html
import os
import re
import shutil
from urllib.parse import quote

from vae_course.atomic import write_text
from vae_course.teaching.carried import fonts, render
from vae_course.teaching.cited_numbers import cite_run
from vae_course.teaching.deck import slides_of
from vae_course.teaching.notebooks import read_notebook, title_of

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
LIVE = '<figure class="vae-course-still">'  # a still picture, which comes alive
STILLS = (
    "Explorers on these slides are still pictures. For live ones, execute the lessons by vae-course run, "
    "then vae-course slides --notebooks build/course."
)
NO_PDF = (
    "no PDF: {}. The HTML decks are complete; for PDFs, {}, or print a deck from your browser after adding "
    "?print-pdf to its address."
)
FLAGS = "--no-sandbox --disable-gpu --disable-dev-shm-usage --disable-background-networking".split()
INDEX = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="only light">
<title>Variational autoencoders: slides</title>
<style>{fonts}
body{{font:18px/1.5 "Course Sans","Course Mono";margin:3em auto;max-width:60em;padding:0 1em;color:#1d2733}}
h1,a{{color:#0b5c8e}}table{{border-collapse:collapse}}
td,th{{padding:.5em 1em;text-align:left;vertical-align:top;border-top:1px solid #c5d2dc}}
kbd{{border:1px solid #c5d2dc;border-radius:4px;padding:0 .4em}}</style></head>
<body><h1>Variational autoencoders: slides</h1>
<table>{rows}</table>
<p>Keys: <kbd>&rarr;</kbd> or <kbd>Space</kbd> next, <kbd>&larr;</kbd> back, <kbd>S</kbd> speaker
notes in their own window, <kbd>F</kbd> full screen, <kbd>O</kbd> all slides, <kbd>B</kbd> black,
<kbd>G</kbd> go to a slide. None of it needs a network.</p></body></html>
"""


@dataclasses.dataclass
class Deck:
    """The deck of one lesson with the titles of its slides, or the error."""

    name: str
    title: str
    minutes: str = ""
    titles: list = dataclasses.field(default_factory=list)
    live: bool = False  # whether explorers work on its slides
    error: str = ""


def build(paths, folder):
    """Write a deck for each executed notebook; one that fails does not stop the others. Return `Deck`s."""
    return [_build_one(path, folder) for path in paths]


def _build_one(path, folder):
    target, deck = folder / f"{path.stem}.html", Deck(path.stem, path.stem)
    try:
        # So that nobody takes an earlier run's files for this one's.
        for old in target, target.with_suffix(".pdf"):
            old.unlink(missing_ok=True)
        notebook = read_notebook(path)
        cite_run(notebook, path)  # a deck cites the numbers of the same run as its figures
        deck.title = title_of(notebook)
        found = re.search(r"\*\*Time:\*\* (\d+ minutes)", notebook.cells[0].source)
        deck.minutes = found.group(1) if found else ""
        slides = slides_of(notebook)
        title = f"{int(path.stem[:2])} {deck.title}"
        text = render(notebook, title, slides)
        write_text(target, text)
        deck.live = LIVE in text
        deck.titles = [slide.title for slide in slides]
    except Exception as error:  # not a notebook, no slide metadata, or not executed
        known = isinstance(error, (OSError, ValueError))
        deck.error = str(error) if known else f"{type(error).__name__}: {error}"
    return deck


def write_pdfs(decks):
    """Print HTML decks to PDFs of the same names; return how many there are, and why others are missing."""
    try:
        from playwright import sync_api
    except ModuleNotFoundError:
        cure = "install it with pip install playwright"
        return NO_PDF.format("Playwright is not installed", cure)
    with sync_api.sync_playwright() as playwright:
        if not (browser := _launch(playwright.chromium, sync_api.Error)):
            if named := os.environ.get("VAE_COURSE_CHROMIUM"):
                cure = "correct VAE_COURSE_CHROMIUM or unset it"
                return NO_PDF.format(f"{named} does not start as a Chromium", cure)
            cure = "install one, or set VAE_COURSE_CHROMIUM to its path"
            return NO_PDF.format("no Chromium, Chrome or Edge was found", cure)
        failed = []
        for deck in decks:
            try:
                _print(browser, deck)
            except (sync_api.Error, OSError) as error:
                failed.append(f"\n  no PDF of {deck.stem}: {str(error).splitlines()[0]}")
        with contextlib.suppress(sync_api.Error):
            browser.close()
    return f"{len(decks) - len(failed)} PDF(s)" + "".join(failed)


def _print(browser, deck):
    """Print one deck, in a tab of its own."""
    page = browser.new_page()
    page.goto(f"{deck.resolve().as_uri()}?print-pdf")
    page.wait_for_selector("html[data-ready][data-printed]", state="attached")
    paper = {"prefer_css_page_size": True, "print_background": True}
    page.pdf(path=deck.with_suffix(".pdf"), **paper)
    page.close()


def _launch(chromium, Error):
    named = os.environ.get("VAE_COURSE_CHROMIUM")
    paths = [named] if named else filter(None, map(shutil.which, BROWSERS))
    # Then what Playwright finds: browsers in their usual places on Windows and macOS, then its own.
    ways = [{"executable_path": path} for path in paths]
    ways += [] if named else [{"channel": "chrome"}, {"channel": "msedge"}, {}]
    for way in ways:
        with contextlib.suppress(Error):
            return chromium.launch(args=FLAGS, **way)
    return None


def write_index(decks, folder):
    """Write `index.html` with each deck, its PDF and number of slides, and the keys; return its path."""
    rows = []
    for deck in decks:
        link, title = quote(deck.name), html.escape(deck.title)
        if deck.error:
            rows.append(f"<tr><td>{title}</td><td colspan=3>{html.escape(deck.error)}</td></tr>")
            continue
        printed = (folder / f"{deck.name}.pdf").exists()
        pdf = f'<a href="{link}.pdf">PDF</a>' if printed else "no PDF"
        cells = f"<td>{len(deck.titles)} slides</td><td>{deck.minutes}</td><td>{pdf}</td>"
        lesson = f'<a href="{link}.html">{int(deck.name[:2])} {title}</a>'
        rows.append(f"<tr><td>{lesson}</td>{cells}</tr>")
    write_text(folder / "index.html", INDEX.format(fonts=fonts(), rows="".join(rows)))
    return folder / "index.html"
