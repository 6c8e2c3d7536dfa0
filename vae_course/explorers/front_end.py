"""Hand explorers over to the browser: their JavaScript as one text, and their HTML for pages."""

import base64
import functools
import hashlib
import html
import json
import re
from pathlib import Path

BROWSER = Path(__file__).with_name("browser")
NOTE = "This is a still picture. In a current browser with JavaScript it answers while you drag."


@functools.cache
def script():
    """Return all JavaScript of the explorers as the text of one module, which needs no bundler.

    The files in `browser/` import from each other by name, so that editors understand them. Here they stand
    in one scope, one after the other, and need no imports and no exports, except that of the last one.
    """
    paths = sorted(BROWSER.glob("*.js"), key=lambda path: (path.stem == "start", path.stem))
    text = "\n".join(path.read_text("utf-8") for path in paths)
    return re.sub(r"^(import .*|export (?!default))", "", text, flags=re.M)


@functools.cache
def style():
    """Return the explorers' style sheet."""
    return (BROWSER / "explorers.css").read_text("utf-8")


def as_json(state):
    """Copy a state in a form that a notebook can keep.

    Args:
        state: Dictionary with arrays packed by `networks.array`.

    Returns:
        The same, with the bytes of its arrays as base64.
    """
    return _changed(state, lambda data: base64.b64encode(data).decode("ascii"))


def embed(bundle, still, stored):
    """Return the HTML of an explorer that needs neither a kernel nor a network.

    Args:
        bundle: What a cell put out under `lesson.EXPLORER`: the module's name and its state.
        still: HTML of the still picture, an `img`. It stays where the explorer cannot run, and on paper.
        stored: A set for each page, empty at first. What the page already has is added to it, so that the
            script and arrays that several explorers share are in the page once.

    Returns:
        A figure as text, complete with styles and scripts.
    """
    parts = []

    def keep(data):
        name = "vae-course-" + hashlib.sha256(data.encode()).hexdigest()[:20]
        if name not in stored:
            stored.add(name)
            parts.append(f'<script type="text/plain" id="{name}">{data}</script>')
        return f"#{name}"

    state = _changed(bundle["state"], keep)
    # In HTML, a "<" in a title could end the script.
    packed = json.dumps({"module": bundle["module"], "state": state}).replace("<", "\\u003c")
    if "script" not in stored:
        stored.add("script")
        parts += [f"<style>{style()}</style>", f'<script type="module">{script()}</script>']
    return (
        f'<figure class="vae-course-still">{still}<figcaption>{html.escape(NOTE)}</figcaption>'
        f'<script type="application/json">{packed}</script></figure>{"".join(parts)}'
    )


def _changed(part, change):
    """Copy dictionaries and lists, with the data of each packed array changed."""
    if isinstance(part, dict):
        return {
            key: change(value) if key == "data" and "dtype" in part else _changed(value, change)
            for key, value in part.items()
        }
    return [_changed(value, change) for value in part] if isinstance(part, list) else part
