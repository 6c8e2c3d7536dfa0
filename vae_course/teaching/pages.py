"""What readers get to see of executed lessons: pages, an index of them, and a table."""

import copy
import html
import re
import textwrap
from pathlib import Path

from nbconvert import HTMLExporter

from vae_course.teaching import offline


def write_page(notebook, path, title):
    """Write an executed notebook as one HTML page that needs no network; links to lessons lead to pages.

    Args:
        notebook: The executed notebook.
        path: Path of the page.
        title: What the browser's tab shows.
    """
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = to_pages(cell.source)
    exporter = HTMLExporter(
        template_name="page",
        extra_template_basedirs=[str(offline.TEMPLATES)],
        extra_template_paths=[str(offline.TEMPLATES)],
        embed_images=True,
    )
    resources = {"metadata": {"name": title}, "offline": {"mathjax": offline.mathjax()}}
    page, _ = exporter.from_notebook_node(notebook, resources=resources)
    path.write_text(page, encoding="utf-8")


def to_pages(text):
    """Turn the links to lessons in a text into links to the pages, or decks, made of them."""
    return re.sub(r"\]\((\d\d_\w+)\.ipynb\)", r"](\1.html)", text)


def write_index(results, folder):
    """Write `index.html`: every lesson with its page, its seconds, its status and its numbers.

    Args:
        results: List of `Result`.
        folder: Where the pages are.

    Returns:
        Path of the index.
    """
    rows = []
    for r in results:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in r.numbers.items())
        cells = [r.dataset, f"{r.seconds:.0f} s", r.status, r.error or numbers]
        row = "".join(f"<td>{html.escape(cell)}</td>" for cell in cells)
        rows.append(f'<tr><td><a href="{r.name}.html">{html.escape(r.title)}</a></td>{row}</tr>')
    style = "body{font:16px sans-serif;margin:3em auto;max-width:70em}td,th{padding:.5em;text-align:left"
    page = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Variational autoencoders: the course</title>
<style>{style};vertical-align:top;border-top:1px solid #ccc}}table{{border-collapse:collapse}}</style></head>
<body><h1>Variational autoencoders: the course</h1>
<table><tr><th>Lesson</th><th>Data set</th><th>Time</th><th>Status</th><th>Key numbers</th></tr>
{"".join(rows)}</table></body></html>
"""
    path = Path(folder) / "index.html"
    path.write_text(page, encoding="utf-8")
    return path


def table(results):
    """Return the results as a table of text, key numbers below each other where a line is full."""
    width = max(len(r.name) for r in results)
    lines = [f"{'lesson':{width}}  {'data set':15}  seconds  status  key numbers"]
    for r in results:
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in r.numbers.items())
        first, *rest = textwrap.wrap(numbers, 60) or ["-"]
        lines.append(f"{r.name:{width}}  {r.dataset:15}  {r.seconds:7.1f}  {r.status:6}  {first}")
        lines += [" " * (width + 36) + line for line in rest]
    return "\n".join(lines)
