"""Explain the course's terms where they first occur on a page of the site."""

import html
import re

from docutils import nodes

from vae_course.teaching.carried import TEMPLATES

SOURCE = TEMPLATES / "site" / "glossary.md"
# Where a term stays as it is.
LEFT_ALONE = (
    nodes.reference,
    nodes.literal,
    nodes.literal_block,
    nodes.math,
    nodes.math_block,
    nodes.title,
    nodes.raw,
    nodes.caption,
)


def read():
    """Read the glossary: a dictionary from each term, in lower case, to its meaning."""
    block, terms, meanings = SOURCE.read_text(encoding="utf-8").split("```")[1], [], {}
    for line in block.splitlines()[1:]:
        if line.startswith("  "):
            meanings |= {term.lower(): line.strip() for term in terms}
            terms = []
        elif line:
            terms.append(line.strip())
    return meanings


def explain(app, doctree, page):
    """Link the first occurrence of each term on a page to the glossary, with its meaning for a hover.

    Args:
        app: The Sphinx application, which has read the glossary.
        doctree: The page, which is changed.
        page: Name of the page.
    """
    if page == "glossary":
        return
    meanings, seen = read(), set()
    found = app.env.get_domain("std").objects.items()
    places = {term.lower(): place[1] for (kind, term), place in found if kind == "term"}
    longest_first = sorted(meanings, key=len, reverse=True)
    pattern = re.compile(rf"\b({'|'.join(map(re.escape, longest_first))})s?\b", re.I)
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(node, LEFT_ALONE) for node in _above(text)):
            continue
        pieces, end = [], 0
        for found in pattern.finditer(text):
            term = found.group(1).lower()
            meaning = meanings[term]
            if meaning in seen:
                continue
            seen.add(meaning)
            link = (
                f'<a class="term" href="glossary.html#{places[term]}" '
                f'data-meaning="{html.escape(meaning)}">{found.group()}</a>'
            )
            pieces += [nodes.Text(text[end : found.start()]), nodes.raw("", link, format="html")]
            end = found.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def _above(node):
    while node := node.parent:
        yield node
