"""Build the decks of all lessons, their PDFs, and an index of them."""

import dataclasses
import html
import re
from pathlib import Path

import nbformat

from vae_course.teaching.notebooks import title_of
from vae_course.teaching.slides import exporter


@dataclasses.dataclass
class Deck:
    """What became of one lesson: its deck's file and the titles of its slides, or the error."""

    name: str
    title: str
    minutes: str = ""
    titles: list = dataclasses.field(default_factory=list)
    error: str = ""


def build(paths, folder):
    """Write a deck for each lesson; one that makes none stops no other.

    Args:
        paths: Paths of executed notebooks.
        folder: Where the decks go.

    Returns:
        List of `Deck`.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    return [_build_one(path, folder) for path in paths]


def _build_one(path, folder):
    target = folder / f"{path.stem}.html"
    for old in target, target.with_suffix(".pdf"):
        old.unlink(missing_ok=True)  # what an earlier run left must not pass for this one's
    deck = Deck(path.stem, path.stem)
    try:
        notebook = nbformat.read(path, as_version=4)
        deck.title = title_of(notebook)
        found = re.search(r"\*\*Time:\*\* (\d+ minutes)", notebook.cells[0].source)
        deck.minutes = found.group(1) if found else ""
        page, deck.titles = exporter.html_of(notebook, f"{int(path.stem[:2])} {deck.title}")
    except Exception as error:  # no notebook, no slide metadata, not executed
        known = isinstance(error, (OSError, ValueError))
        deck.error = str(error) if known else f"{type(error).__name__}: {error}"
    else:
        target.write_text(page, encoding="utf-8")
    return deck


def write_index(decks, folder):
    """Write `index.html`: every deck with its PDF, its number of slides, and the keys to know.

    Args:
        decks: List of `Deck`.
        folder: Where the decks are.

    Returns:
        Path of the index.
    """
    folder = Path(folder)
    rows = []
    for deck in decks:
        name, title = html.escape(deck.name), html.escape(deck.title)
        if deck.error:
            rows.append(f"<tr><td>{title}</td><td colspan=3>{html.escape(deck.error)}</td></tr>")
            continue
        printed = (folder / f"{deck.name}.pdf").exists()
        pdf = f'<a href="{name}.pdf">PDF</a>' if printed else "no PDF"
        cells = f"<td>{len(deck.titles)} slides</td><td>{deck.minutes}</td><td>{pdf}</td>"
        rows.append(f'<tr><td><a href="{name}.html">{int(name[:2])} {title}</a></td>{cells}</tr>')
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Variational autoencoders: slides</title>
<style>body{{font:18px/1.5 system-ui,sans-serif;margin:3em auto;max-width:50em;padding:0 1em;color:#1d2733}}
h1,a{{color:#0b5c8e}}td{{padding:.5em 1em;border-top:1px solid #c5d2dc}}table{{border-collapse:collapse}}
kbd{{border:1px solid #c5d2dc;border-radius:4px;padding:0 .4em}}</style></head>
<body><h1>Variational autoencoders: slides</h1>
<table>{"".join(rows)}</table>
<p>Keys: <kbd>&rarr;</kbd> or <kbd>Space</kbd> next, <kbd>&larr;</kbd> back, <kbd>S</kbd> speaker's notes in a
window of their own, <kbd>F</kbd> full screen, <kbd>O</kbd> all slides, <kbd>B</kbd> black,
<kbd>G</kbd> go to a slide. None of it needs a network.</p></body></html>
"""
    path = folder / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def table(decks):
    """Return the decks as a table of text."""
    width = max(len(deck.name) for deck in decks)
    return "\n".join(
        f"{deck.name:{width}}  " + (deck.error and "FAILED" or f"{len(deck.titles)} slides")
        for deck in decks
    )
