"""How a slide is laid out: estimates that choose between large and small; the tests measure what comes of it.

A slide is 1280 x 720 pixels. Its title takes the upper 110, its foot the lower 56.
"""

import base64
import re
import struct

ROOM = 540  # pixels of height below the title
COLUMN = 430  # pixels of width of a text beside a figure
FIGURE = (720, 556)  # the most that a figure beside a text gets
FULL = 1160  # pixels of width of a slide's content
LINE = 40  # pixels of height of a line of text


def look_of(slide):
    """Choose the classes of a slide in the style sheet.

    Args:
        slide: A `Slide`.

    Returns:
        List of names: `opening`; `beside` or `below`, where the figure is; `dense` or `roomy`, the size of
        the text.
    """
    looks = ["opening"] if slide.parts[0].source.startswith("# ") else []
    words, formulas, rows = _weigh(slide)
    if figures := [part for part in slide.parts if _kind(part) == "figure"]:
        looks.append("beside" if _fits_beside(slide, figures) else "below")
        return looks + ["dense"] * (words + 10 * formulas > 50)
    weight = words + 14 * formulas + 8 * rows + 6 * len(_lines(slide))
    if weight <= 65:
        looks.append("roomy")
    elif weight > 110:
        looks.append("dense")
    return looks


def code_size(slide):
    """Choose a size for code and what it printed, in pixels, 18 to 26: as large as fits, roughly."""
    lines = _lines(slide)
    if not lines:
        return 20
    words, formulas, rows = _weigh(slide)
    blocks = sum(_kind(part) in ("code", "output") for part in slide.parts)
    height = ROOM - 4.5 * words - 80 * formulas - LINE * rows - 45 * blocks
    fits = (FULL - LINE) / (0.61 * max(map(len, lines))), height / (1.4 * len(lines))
    return max(18, min(26, *map(int, fits)))


def _fits_beside(slide, figures):
    """Tell whether a figure beside the text gets larger than below it."""
    if len(figures) != 1 or _lines(slide):
        return False
    width, height = struct.unpack(
        ">II", base64.b64decode(figures[0].outputs[0].data["image/png"])[16:24]
    )
    words, formulas, rows = _weigh(slide)
    if rows or not words:
        return False
    paragraphs = sum(part.source.count("\n\n") + 1 for part in slide.parts if _kind(part) == "text")
    text = LINE * (words / 12 + 0.6 * paragraphs + 2 * formulas)
    in_column = LINE * (words / 4 + 2 * formulas + 1)
    below = min(FULL, (ROOM - text) * width / height)
    beside = min(FIGURE[0], FIGURE[1] * width / height)
    return in_column <= ROOM and beside > below


def _kind(part):
    return part.metadata["deck"]["kind"]


def _weigh(slide):
    """Count the words, displayed formulas and rows of tables in a slide's texts."""
    text = "\n".join(part.source for part in slide.parts if _kind(part) == "text")
    text, formulas = re.subn(r"\$\$.*?\$\$", " ", text, flags=re.S)
    text, rows = re.subn(r"^\|.*$", " ", text, flags=re.M)
    text = re.sub(r"\$[^$]*\$", "formula", re.sub(r"\]\([^)]*\)", "]", text))
    return len(text.split()), formulas, rows


def _lines(slide):
    """List the lines of code and of what it printed."""
    texts = [part.source for part in slide.parts if _kind(part) == "code"]
    texts += [o.text for part in slide.parts if _kind(part) == "output" for o in part.outputs]
    return [line for text in texts for line in text.splitlines()]
