"""One lesson as one HTML file of slides."""

import nbformat
from nbconvert import SlidesExporter

from vae_course.teaching import offline
from vae_course.teaching.pages import to_pages
from vae_course.teaching.slides import deck, layout


def html_of(notebook, title):
    """Turn an executed lesson into a deck.

    Args:
        notebook: The notebook.
        title: What the foot of each slide and the browser's tab show.

    Returns:
        The deck as HTML in which everything is inside, and the titles of its slides.

    Raises:
        DeckError: If the lesson makes no deck; see `deck.slides_of`.
    """
    slides = deck.slides_of(notebook)
    parts = []
    for slide in slides:
        shared = {"id": slide.id, "title": slide.title, "looks": layout.look_of(slide)}
        shared["code_size"] = layout.code_size(slide)
        shared["notes"] = [to_pages(note) for note in slide.notes]
        for place, part in enumerate(slide.parts):
            part.source = to_pages(part.source)
            part.metadata["deck"] |= {"slide": shared, "first": place == 0}
            part.metadata["deck"] |= {"last": place == len(slide.parts) - 1}
        parts += slide.parts
    exporter = SlidesExporter(
        template_name="deck",
        extra_template_basedirs=[str(offline.TEMPLATES)],
        extra_template_paths=[str(offline.TEMPLATES)],
        exclude_anchor_links=True,
    )
    html, _ = exporter.from_notebook_node(
        nbformat.v4.new_notebook(cells=parts, metadata=notebook.metadata),
        resources={
            "metadata": {"name": title},
            "offline": {"mathjax": offline.mathjax(), "reveal": offline.reveal()},
        },
    )
    return html, [slide.title for slide in slides]
