"""What the tests of lessons and of exercises share: reading notebooks, and the style of them all."""

import dis
import inspect
import json
import re

import nbformat

# Parameters with which every lesson is quick where no number is asserted.
SMALL = {
    "draws": 1010,
    "epochs": 1,
    "heart_epochs": 1,
    "images": 10,
    "kernels": 20,
    "most_samples": 1000,
    "painted_epochs": 1,
    "pairs": 20,
    "repeats": 2,
    "samples": 200,
    "steps": 20,
    "train_images": 200,
    "vq_steps": 20,
}


def read(path):
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def code_cells(path):
    """List the code cells of a notebook."""
    return [cell for cell in read(path).cells if cell.cell_type == "code"]


def texts(path):
    """List the markdown cells of a notebook, as text."""
    return [cell.source for cell in read(path).cells if cell.cell_type == "markdown"]


def outputs(path):
    """List all stored outputs of a notebook."""
    return [output for cell in code_cells(path) for output in cell.outputs]


def tags(cell):
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def assert_one_clean_run(path):
    """Executed in order, each cell once; no error, warning, path, address or widget state."""
    cells = code_cells(path)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    for output in outputs(path):
        assert output.output_type != "error"
        assert output.get("name") != "stderr", output.text
        text = json.dumps({k: v for k, v in output.items() if k != "data"})
        text += json.dumps({k: v for k, v in output.get("data", {}).items() if k != "image/png"})
        text = text.replace("</", "")
        assert not re.search(r"(/\w+){3,}|[A-Z]:\\\\|0x[0-9a-f]{6}|widget-view", text), text[:200]


def assert_figures_are_described(path, least):
    """One figure at most for each cell, described in a sentence; none is drawn without `show`."""
    figures = 0
    for cell in code_cells(path):
        pictures = [o for o in cell.outputs if "image/png" in o.get("data", {})]
        assert len(pictures) <= 1, cell.id
        for picture in pictures:
            assert len(picture.metadata["image/png"]["alt"].split()) >= 5, cell.id
            figures += 1
    assert figures >= least


def assert_short_and_finished(path):
    """At most 150 words of text and 30 lines of code; formulas are closed, and nothing is left to do."""
    assert max(len(cell.source.splitlines()) for cell in code_cells(path)) <= 30
    for text in texts(path):
        assert len(text.split()) <= 150, text[:60]
        assert text.count("$") % 2 == 0, text[:60]
        assert "TODO" not in text and "#%%" not in text, text[:60]


def assert_parameters_are_explained(path):
    """One tagged cell, at most eight names, each with a reason beside it, `dataset` and `seed` among them."""
    (cell,) = [c for c in code_cells(path) if "parameters" in tags(c)]
    lines = cell.source.splitlines()
    assert len(lines) <= 8
    assert all(re.fullmatch(r"\w+ = [^#]+  # \S.+", line) for line in lines)
    assert {"dataset", "seed"} <= {line.split()[0] for line in lines}


def names_in(code):
    """Tell which names a cell needs from other cells, and which it gives a value; `code` is compiled."""
    needed, stored = set(), set()
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_NAME":
            stored.add(instruction.argval)
        elif instruction.opname == "LOAD_NAME" and instruction.argval not in stored:
            needed.add(instruction.argval)
    inner = [constant for constant in code.co_consts if inspect.iscode(constant)]
    while inner:  # functions, classes, comprehensions
        code = inner.pop()
        instructions = dis.get_instructions(code)
        needed |= {i.argval for i in instructions if i.opname == "LOAD_GLOBAL"} - stored
        inner += [constant for constant in code.co_consts if inspect.iscode(constant)]
    return needed, stored


def assert_each_cell_can_be_run_again(path, except_for=frozenset()):
    """Change a number, run again: no cell needs a name to which it or a later cell gives another value."""
    cells = [(c.id, *names_in(compile(c.source, c.id, "exec"))) for c in code_cells(path)]
    for place, (cell, needed, _) in enumerate(cells):
        before = {name for _, _, stored in cells[:place] for name in stored}
        after = {name for _, _, stored in cells[place:] for name in stored}
        assert not (needed & before & after) - except_for, cell
