"""Sort the parts of a lesson's cells into slides, following the cells' metadata.

A cell's `slideshow.slide_type` says where it goes, as everywhere in Jupyter. Its metadata may hold `slide`,
lines of Markdown for the audience. They replace a text cell, which then goes into the speaker notes, or come
before the output of a code cell. A line `. . .` among them waits for a key.

A code cell shows its figure or, if there is none, what it printed. A cell tagged `show-code` also shows its
code, or only the lines from first to last given in `slide_lines`. Printed output goes into the notes if the
cell has a figure or is tagged `hide-output`.
"""

import dataclasses
import re
import textwrap
from typing import NamedTuple

from vae_course.teaching.cited_numbers import slide_lines

TYPES = ("slide", "subslide", "fragment", "skip", "notes", "-")
MOST_CODE_LINES = 15
STEP = ". . ."  # as in Pandoc's slides


class Part(NamedTuple):
    """A part of a slide: title, text, code, output or figure; it appears at a step, 0 from the start."""

    kind: str
    step: int
    source: str = ""
    outputs: list = ()


@dataclasses.dataclass
class Slide:
    """One slide: its parts, and the speaker notes."""

    id: str
    title: str = ""
    parts: list = dataclasses.field(default_factory=list)
    notes: list = dataclasses.field(default_factory=list)
    steps: int = 0


def slides_of(notebook):
    """Sort a lesson's cells into slides.

    Args:
        notebook: An executed notebook with slide metadata; it is not changed.

    Returns:
        List of `Slide`.

    Raises:
        ValueError: If slide metadata are missing or wrong, a cell was not executed or failed, or a slide has
            no title or too much code.
    """
    slides = []
    # The cell that papermill inserts is not part of the lesson and does not count.
    cells = [c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])]
    for number, cell in enumerate(cells, start=1):
        where = f"cell {number} ({cell.get('id', 'without id')})"
        kind = _type_of(cell, where)
        if kind == "skip":
            continue
        if kind in ("slide", "subslide"):
            slides.append(Slide(cell.id))
        elif not slides:
            raise ValueError(f'{where} comes before the first slide: give it the type "slide".')
        slide = slides[-1]
        if kind == "notes":
            slide.notes.append(cell.source)
        elif cell.cell_type == "markdown":
            _add_text(slide, cell, kind)
        elif cell.cell_type == "code":
            _add_code(slide, cell, kind, where)
        if not slide.title:
            raise ValueError(
                f"{where} opens a slide without a title: begin its text with ## Title."
            )
    if not slides:
        raise ValueError('No cell opens a slide: give one the slide type "slide".')
    return slides


def _type_of(cell, where):
    kind = cell.metadata.get("slideshow", {}).get("slide_type")
    if kind is None:
        raise ValueError(
            f"{where} has no slide type: choose one under Slide Type in JupyterLab's Notebook Tools."
        )
    if kind not in TYPES:
        raise ValueError(
            f"{where} has the slide type {kind!r}: it must be one of {', '.join(TYPES)}."
        )
    if cell.cell_type == "code":
        if cell.source.strip() and cell.execution_count is None:
            raise ValueError(f"{where} was not executed: run the lesson from top to bottom first.")
        for output in cell.outputs:
            if output.output_type == "error":
                raise ValueError(
                    f"{where} ended in {output.ename}: fix it, and run the lesson again."
                )
    return kind


def _add_text(slide, cell, kind):
    lines = slide_lines(cell) if "slide" in cell.metadata else None
    prose = re.sub(r"\A#+ .*\n*", "", cell.source)
    if lines is not None and prose.strip():
        slide.notes.append(prose)
    _add_pieces(slide, kind, cell.source if lines is None else "\n".join(lines))


def _add_pieces(slide, kind, text):
    for place, piece in enumerate(re.split(rf"^{re.escape(STEP)}$", text, flags=re.M)):
        heading = re.match(r"\s*(#+) (.*)\n?", piece)
        if heading and not slide.title:
            slide.title = heading.group(2).strip()
            slide.parts.append(Part("title", 0, heading.group().strip()))
            piece = piece[heading.end() :]
        if piece.strip():
            if place or kind == "fragment":
                slide.steps += 1
            slide.parts.append(Part("text", slide.steps, piece.strip()))


def _add_code(slide, cell, kind, where):
    tags = cell.metadata.get("tags", [])
    if "slide" in cell.metadata:
        _add_pieces(slide, kind, "\n".join(slide_lines(cell)))
        kind = "-"  # its output appears with its text
    figures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
    prints = [o for o in cell.outputs if o.output_type == "stream" and o.text.strip()]
    prints_shown = prints and not figures and "hide-output" not in tags
    if prints and not prints_shown:
        printed = "".join(o.text for o in prints).rstrip()
        slide.notes.append(f"It printed:\n\n```\n{printed}\n```")
    if kind == "fragment" and ("show-code" in tags or figures or prints_shown):
        slide.steps += 1
    if "show-code" in tags:
        slide.parts.append(Part("code", slide.steps, _lines_shown(cell, where)))
    if figures:
        slide.parts.append(Part("figure", slide.steps, outputs=figures[:1]))
    elif prints_shown:
        slide.parts.append(Part("output", slide.steps, outputs=prints))


def _lines_shown(cell, where):
    lines = cell.source.splitlines()
    first, last = cell.metadata.get("slide_lines", (1, len(lines)))
    if not 1 <= first <= last <= len(lines):
        raise ValueError(
            f"{where} has {len(lines)} lines, but slide_lines says {first} to {last}: correct slide_lines."
        )
    lines = lines[first - 1 : last]
    if len(lines) > MOST_CODE_LINES:
        raise ValueError(
            f"{where} shows {len(lines)} lines of code, but at most {MOST_CODE_LINES} are readable: "
            'choose the ones that matter in its metadata, such as "slide_lines": [3, 12].'
        )
    # Slides have no room for two blank lines.
    return textwrap.dedent("\n".join(lines)).replace("\n\n\n", "\n\n")
