"""Clean a copy of a submission: what nbgrader knows of a cell comes from the release, only answers are kept.

So a submission is graded cell by cell, whatever was copied, deleted, renamed or saved by another program.
"""

import ast
import contextlib
import json
import re
import warnings
from pathlib import Path

import nbformat
from nbconvert.preprocessors.sanitize import SanitizeHTML

from vae_course.teaching.notebooks import MOST_FILE_BYTES

# What no answer needs: the course's own functions in a solution, and what changes how cells run, in any cell.
BORROWED = re.compile(r"\b(vae_course|exercises)\b")
HARMLESS = {"begin", "plotting", "record"}  # of what is imported from the package
MOST_PARSED = 200_000  # characters of a cell
TABLES = ("table", "caption", "thead", "tbody", "tr", "th", "td")  # as `record` shows numbers
TAG = re.compile(r"<[a-zA-Z/!?]")
ODD = re.compile(
    r"sys\.modules|ast_node_interactivity|ast_transformers|choices\.json|wire\b.*=|exercises\.\w+ *=[^=]|"
    r"setattr\( *exercises|Verdict|from vae_course\S* import *\*"
)


def read(path):
    """Read the cells of a notebook, however it was saved.

    Args:
        path: Path of the file.

    Returns:
        List of dictionaries with "cell_type", "source", "grade_id", "id" and "attachments".

    Raises:
        ValueError: If it is not a notebook; the message says why.
        OSError: If the file cannot be read.
    """
    path = Path(path)
    if path.is_symlink():
        raise ValueError("it is a link, which is not followed")
    if (size := path.stat().st_size) > MOST_FILE_BYTES:
        raise ValueError(f"it has {size / 1e6:.0f} MB: ask for a copy without outputs")
    try:
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        cells = raw["cells"] if "cells" in raw else raw["worksheets"][0]["cells"]
        return [_cell(cell) for cell in cells]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ValueError(
            f"it is damaged or no notebook ({reason}): ask for another copy"
        ) from error


def _cell(raw):
    source = raw.get("source", raw.get("input", ""))
    metadata = raw.get("metadata") or {}
    mine, kind = metadata.get("nbgrader"), raw.get("cell_type")
    names = [mine.get("grade_id") if isinstance(mine, dict) else None]
    names.append(raw.get("id") or metadata.get("id"))
    grade_id, cell_id = (name if isinstance(name, str) else None for name in names)
    return {
        "cell_type": kind if kind in ("code", "markdown", "raw") else "markdown",
        "source": source if isinstance(source, str) else "".join(source),
        "grade_id": grade_id,
        "id": cell_id,
        "attachments": raw.get("attachments"),
    }


def resemblance(cells, release):
    """Return which part of a release's graded cells, from 0 to 1, are in a submission."""
    ours = {about(cell).get("grade_id") for cell in release.cells} - {None}
    return len(ours & {cell["grade_id"] or cell["id"] for cell in cells}) / len(ours)


def about(cell):
    """Return nbgrader's metadata of a cell, {} if it has none."""
    return cell.metadata.get("nbgrader", {})


def clean(cells, release):
    """Make a notebook of a student's cells that nbgrader can grade.

    Args:
        cells: What `read` returned.
        release: The released notebook, as `nbformat.NotebookNode`.

    Returns:
        A notebook with each of the release's cells once, and the student's other cells between them as
        ordinary ones; and a list of what the instructor should know.
    """
    ours = {_name(cell): cell for cell in release.cells}
    told, places = [], {}
    for place, cell in enumerate(cells):
        name = cell["grade_id"] or cell["id"]
        if name not in ours:
            name = next((n for n, c in ours.items() if _same(c, cell)), None)
        if name is not None:
            places.setdefault(name, []).append(place)
        elif cell["grade_id"]:
            told.append(f"cell {place + 1}, {cell['grade_id']}, is not of this release: not graded")
    chosen = {name: _choose(ours[name], copies, cells, told) for name, copies in places.items()}
    # Programs that keep no ids leave nothing to tell by which of the ordinary cells was deleted.
    by_id = len([c for c in cells if c["id"] in ours]) > len(ours) / 2
    missing = [n for n, c in ours.items() if n not in places and (about(c) or by_id)]
    if lost := [name for name in missing if about(ours[name])]:
        told.append(f"restored, because it was deleted: {', '.join(lost)}")
    names = {place: name for name, place in chosen.items()}
    order, result, after = list(ours), [], {}
    for name in missing:  # goes where it was: after the last one before it that is still there
        before = [n for n in order[: order.index(name)] if n in chosen]
        after.setdefault(before[-1] if before else None, []).append(name)
    result += [_copy(ours[name]) for name in after.get(None, [])]
    for place, cell in enumerate(cells):
        name = names.get(place)
        result.append(_merged(ours[name], cell, cells, places[name]) if name else _own(cell, place))
        result += [_copy(ours[lost]) for lost in after.get(name, []) if name]
    borrowed = _imported(result) - HARMLESS - _offered(release)
    told += [words for cell in result if (words := _suspicious(cell, ours, borrowed))]
    told += _measured_by_model(result)
    notebook = nbformat.v4.new_notebook(cells=result, metadata=release.metadata)
    nbformat.validate(notebook)
    return notebook, told


def is_test(cell):
    """Tell whether a cell is code that earns points."""
    mine = about(cell)
    return bool(cell.cell_type == "code" and mine.get("grade") and not mine.get("solution"))


def _tree_of(cell):
    """Return the parsed code of a cell, which is empty if it is a text, far too long, or no Python."""
    if cell.cell_type == "code" and len(cell.source) < MOST_PARSED:
        errors = SyntaxError, ValueError, RecursionError, MemoryError
        with contextlib.suppress(*errors), warnings.catch_warnings(action="ignore"):
            return ast.parse(without_magics(cell.source))
    return ast.parse("")


def without_magics(source):
    """Return code without IPython's magic lines."""
    return "\n".join("" if line.startswith(("%", "!")) else line for line in source.splitlines())


def _imported(cells):
    """Return the names that code cells import from the package, under whatever name."""
    names = set()
    for node in (node for cell in cells for node in ast.walk(_tree_of(cell))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "vae_course":
            names |= {alias.asname or alias.name for alias in node.names}
        if isinstance(node, ast.Import):
            ours = [alias for alias in node.names if alias.name.split(".")[0] == "vae_course"]
            names |= {alias.asname for alias in ours if alias.asname}
    return names


def _offered(release):
    """Return the names that a release imports from the package and whose use its texts propose."""
    text = "\n".join(cell.source for cell in release.cells if cell.cell_type == "markdown")
    return {name for name in _imported(release.cells) if f"`{name}`" in text}


def _names_in(node):
    return {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}


def _free_names(node):
    """Return the names that a value depends on, without those that a function gives a value itself."""
    own = set()
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        for part in ast.walk(node):
            own |= {part.arg} if isinstance(part, ast.arg) else set()
            stored = isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            own |= {part.id} if stored else set()
    return _names_in(node) - own


def _definitions(nodes):
    """Yield each name that statements outside of functions define, and the node of its value."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name, node
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                parts = getattr(target, "elts", [target]), getattr(node.value, "elts", [node.value])
                if len(parts[0]) != len(parts[1]):
                    parts = [target], [node.value]
                for one, value in zip(*parts, strict=True):
                    yield from ((name, value) for name in _names_in(one))
        elif isinstance(node, ast.stmt | ast.ExceptHandler):  # such as `if`, but no long expression
            yield from _definitions(ast.iter_child_nodes(node))


def _measured_by_model(cells):
    """Return a note if `my_measure` of exercise 9 uses the model, or what was computed with it."""
    given = {}  # from a name to all names that it depends on
    for cell in cells:
        for name, value in _definitions(ast.iter_child_nodes(_tree_of(cell))):
            given.setdefault(name, set()).update(_free_names(value))
    reached, new = set(), {"my_measure"}
    while new:
        reached |= new
        new = set().union(*(given.get(name, ()) for name in new)) - reached
    if "my_vae" in reached:
        return ["look at `my_measure`, which uses my_vae: a measure looks at pictures alone"]
    return []


def _suspicious(cell, ours, borrowed):
    """Return what a person should look at in a cell, or ""; `borrowed` are names from the package."""
    if cell.cell_type != "code" or about(cell).get("locked"):
        return ""
    if found := ODD.search(cell.source):
        return f"look at cell {_name(cell)}, which contains {found[0]!r}"
    if about(cell).get("solution") and not BORROWED.search(ours[_name(cell)].source):
        if found := BORROWED.search(cell.source):
            return f"look at cell {_name(cell)}, whose answer uses {found[0]!r}"
        if names := sorted(_names_in(_tree_of(cell)) & borrowed):
            return f"look at cell {_name(cell)}, whose answer uses {names[0]!r} of vae_course"
    return ""


def _name(cell):
    return about(cell).get("grade_id") or cell.id


def _same(cell, student):
    """Tell whether a student's cell without names has the text of one of ours."""
    locked = about(cell).get("locked", True)
    return bool(locked and cell.source.strip() and cell.source.strip() == student["source"].strip())


def _choose(ours, copies, cells, told):
    """Return which of several copies of a cell is the one: the last, when all that it tests has run."""
    if len(copies) > 1 and about(ours):
        told.append(f"{_name(ours)} is there {len(copies)} times: the last one is graded")
    same_kind = [place for place in copies if cells[place]["cell_type"] == ours.cell_type]
    return (same_kind or copies)[-1]


def _merged(ours, cell, cells, copies):
    """Return one of our cells with a student's answer, or as it was if it is locked."""
    new = _copy(ours)
    if not about(ours).get("locked"):
        new.source = cell["source"]
    if ours.cell_type == "markdown":
        texts = dict.fromkeys(cells[place]["source"] for place in copies)
        if about(ours).get("solution"):  # a person reads all of them
            written = [t for t in texts if t.strip() and t.strip() != ours.source.strip()]
            new.source = "\n\n".join(written) or ours.source
        if isinstance(cell["attachments"], dict):
            new.attachments = cell["attachments"]
    return new


def _copy(cell):
    new = nbformat.from_dict(json.loads(json.dumps(cell)))
    if cell.cell_type == "code":
        new.outputs, new.execution_count = [], None
    return new


def _own(cell, place):
    make = getattr(nbformat.v4, f"new_{cell['cell_type']}_cell")
    new = make(cell["source"], id=f"own-{place + 1}")
    if cell["cell_type"] != "code" and isinstance(cell["attachments"], dict):
        new.attachments = cell["attachments"]
    return new


def remove_scripts(notebook):
    """Remove what would run in the browser of a person who reads a notebook.

    Args:
        notebook: The executed notebook, whose outputs and texts of the student's are changed in place.
    """
    sanitizer = SanitizeHTML()
    sanitizer.tags = [*sanitizer.tags, *TABLES]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = sanitizer.sanitize_code_outputs(cell.outputs)
        elif TAG.search(cell.source) and not about(cell).get("locked"):
            cell.source = sanitizer.sanitize_html_tags(cell.source)
