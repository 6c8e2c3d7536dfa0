"""The lessons as texts: their outputs, their form and their style; nothing is executed here.

What breaks a lesson for its readers fails. What is a matter of taste warns, so that it is seen in the
summary and holds nobody up.
"""

import ast
import base64
import inspect
import json
import re
import textwrap
import warnings

import nbformat
import pytest
from lessons import (
    assert_figures_are_described,
    assert_one_clean_run,
    code_cells,
    names_in,
    read,
    texts,
)
from pins import ROOT

from vae_course import losses, models
from vae_course.teaching import deck, notebooks
from vae_course.teaching.cited_numbers import recorded

PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
EXERCISES = sorted((ROOT / "notebooks" / "exercises").glob("*.ipynb"))
TAGS = {"parameters", "nbval-check-output", "readme-picture", "show-code", "hide-output"}
TAGS |= {"second-reading"}
METADATA = {"tags", "slideshow", "slide", "slide_lines"}
MOST_WORDS = 60  # on a slide; tables and formulas do not count
MOST_BYTES = 1_200_000
every_lesson = pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)


class StyleWarning(UserWarning):
    """A lesson departs from the style of the others."""


def advise(good, text):
    """Warn that a lesson departs from the style of the others."""
    if not good:
        warnings.warn(text, StyleWarning, stacklevel=2)


def test_there_are_lessons():
    """An empty list of lessons would pass every test below."""
    assert len(PATHS) >= 7


@every_lesson
def test_it_is_a_valid_notebook_without_execution_noise(path):
    """It is valid by its schema, tidy, and small enough to open quickly."""
    nbformat.validate(read(path))
    assert path.stat().st_size < MOST_BYTES
    raw = json.loads(path.read_text(encoding="utf-8"))
    assert set(raw["metadata"]) == {"kernelspec", "language_info", "rise"}
    assert "version" not in raw["metadata"]["language_info"]
    for cell in raw["cells"]:
        assert set(cell["metadata"]) <= METADATA, cell["id"]
        assert set(cell["metadata"].get("tags", [])) <= TAGS, cell["id"]


@every_lesson
def test_outputs_are_those_of_one_clean_run_from_top_to_bottom(path):
    """Executed in order, each cell once; no error, no warning, no path, no widget state."""
    assert_one_clean_run(path)


@every_lesson
def test_outputs_were_made_on_mnist_and_end_with_key_numbers(path):
    """What `vae-course run` prints is recorded once, and was measured on MNIST."""
    assert recorded(read(path))["dataset"] == "MNIST"
    assert len(recorded(read(path))["numbers"]) >= 2


@every_lesson
def test_every_figure_has_alternative_text(path):
    """One figure at most for each cell, described in a sentence; none is drawn without `show`."""
    assert_figures_are_described(path, least=3)


@every_lesson
def test_cells_that_nbval_checks_have_something_to_check(path):
    """A tagged cell without stored output would check nothing; nothing random is tagged."""
    tagged = [c for c in code_cells(path) if "nbval-check-output" in c.metadata.get("tags", [])]
    assert tagged
    for cell in tagged:
        assert cell.outputs, cell.id
        assert not re.search(r"data\.|\.fit\(|evaluate|predict|random", cell.source), cell.id


@every_lesson
def test_it_has_the_form_of_a_lesson(path):
    """It opens with title, aims and minutes, and closes with a recap and references."""
    cells = texts(path)
    assert cells[0].startswith("# ") and "**You will be able to**" in cells[0]
    assert "**You need**" in cells[0] and "**Time:**" in cells[0]
    assert cells[-2].startswith("## Recap") and cells[-1].startswith("## References")
    aims = re.findall(r"^- ", cells[0], re.M)
    advise(3 <= len(aims) <= 5, f"{path.stem}: {len(aims)} aims; 3 to 5 can be remembered")
    recap = re.findall(r"^- ", cells[-2], re.M)
    advise(
        len(recap) >= len(aims), f"{path.stem}: {len(recap)} points of recap for {len(aims)} aims"
    )


@every_lesson
def test_texts_and_cells_are_short(path):
    """A text has at most 150 words, not counting tables, formulas, code and references, a cell 30 lines."""
    for cell in read(path).cells:
        where = f"{path.stem}, cell {cell.id}"
        if cell.cell_type == "code":
            lines = len(list(filter(str.strip, cell.source.splitlines())))
            assert lines <= 30, f"{where}: {lines} lines; split the cell"
        elif not cell.source.startswith("## References"):
            prose = re.sub(
                r"```.*?```|\$\$.*?\$\$|^\|.*?$|<!--.*?-->", "", cell.source, flags=re.M | re.S
            )
            words = len(re.sub(r"\$[^$\n]+\$", "formula", prose).split())
            assert words <= 150, f"{where}: {words} words; split the text"


@pytest.mark.parametrize("path", PATHS + EXERCISES, ids=lambda path: path.stem)
def test_logistic_regressions_are_fitted_to_the_end(path):
    """Stopped at the default tolerance, they depend on the number of threads in the third digit."""
    for cell in code_cells(path):
        for node in ast.walk(ast.parse(cell.source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "LogisticRegression":
                options = {k.arg: ast.literal_eval(k.value) for k in node.keywords}
                assert options["tol"] <= 1e-6 and options["max_iter"] >= 2000


@every_lesson
def test_it_has_parameters(path):
    """One tagged cell, which papermill replaces, gives `dataset` and `seed`, among few others, a value."""
    (cell,) = [c for c in code_cells(path) if "parameters" in c.metadata.get("tags", [])]
    names = [node.targets[0].id for node in ast.parse(cell.source).body]
    assert {"dataset", "seed"} <= set(names)
    advise(len(names) <= 8, f"{path.stem}: {len(names)} parameters; 8 can be overlooked")


@every_lesson
def test_its_slides_are_made_for_a_room(path):
    """Each lesson makes a deck; wordy slides, long titles and slides without notes are named."""
    slides = deck.slides_of(read(path))
    assert slides and slides[0].parts[0].source.startswith("# ")
    for slide in slides:
        text = "\n".join(p.source for p in slide.parts if p.kind == "text")
        for not_prose in (r"\$\$.*?\$\$", r"\$[^$]*\$", r"^\|.*$", r"\]\([^)]*\)"):
            text = re.sub(not_prose, " ", text, flags=re.S if "$$" in not_prose else re.M)
        words, where = len(re.findall(r"\w[\w'-]*", text)), f"{path.stem}, slide {slide.title!r}"
        advise(words <= MOST_WORDS, f"{where}: {words} words")
        advise(len(slide.title) <= 50, f"{where}: a long title")
        advise(slide.notes, f"{where}: no notes for the speaker")


@every_lesson
def test_slide_metadata_are_used(path):
    """No text that is never shown, no lines of code that stay hidden."""
    for cell in read(path).cells:
        if cell.metadata["slideshow"]["slide_type"] in ("skip", "notes"):
            assert not {"slide", "slide_lines"} & set(cell.metadata), cell.id
        if "slide_lines" in cell.metadata:
            assert "show-code" in cell.metadata.tags, cell.id
        if cell.cell_type == "markdown":
            assert not {"show-code", "hide-output"} & set(cell.metadata.get("tags", [])), cell.id


@every_lesson
def test_texts_are_finished(path):
    """Formulas are closed, nothing is left to do, and lessons that are named exist."""
    for text in texts(path):
        assert text.count("$") % 2 == 0, text[:60]
        assert "TODO" not in text and "#%%" not in text
        for number in re.findall(r"\blesson (\d)", text, re.I):
            exists = any(p.name.startswith(f"0{number}_") for p in PATHS)
            assert exists, f"lesson {number}: {text[:60]}"


# A model trained for longer, and the package's function in place of the same one just shown.
BETTER = {"autoencoder", "vae", "build_encoder", "build_decoder"}


@every_lesson
def test_each_cell_can_be_run_again(path):
    """Change a number, run again: no cell needs a name to which it or a later cell gives another value."""
    cells = [(c.id, *names_in(compile(c.source, c.id, "exec"))) for c in code_cells(path)]
    for place, (cell, needed, _) in enumerate(cells):
        before = {name for _, _, stored in cells[:place] for name in stored}
        after = {name for _, _, stored in cells[place:] for name in stored}
        assert not (needed & before & after) - BETTER, cell


def test_names_that_a_cell_needs_are_found():
    """Used before it is given a value, or inside a function; not what the cell makes itself."""
    source = "a = b\nc = [d * a for e in f]\ng += 1\ndef h(i):\n    return a + i + j\n"
    needed, stored = names_in(compile(source, "cell", "exec"))
    assert needed == {"b", "d", "f", "g", "j"}
    assert {"a", "c", "g", "h"} <= stored


def body_of(function):
    """Return the code of a function without its decorators, docstring and comments."""
    tree = function if isinstance(function, ast.AST) else None
    if tree is None:
        source = textwrap.dedent(inspect.getsource(inspect.unwrap(function)))
        tree = ast.parse(source).body[0]
    statements = tree.body[1:] if ast.get_docstring(tree) else tree.body
    return ast.unparse(tree.args) + "\n" + "\n".join(ast.unparse(s) for s in statements)


def functions_in(path):
    """Map names, such as "VAE.call", to the functions that a lesson defines."""
    found = {}
    for cell in code_cells(path):
        for node in ast.parse(cell.source).body:
            if isinstance(node, ast.FunctionDef):
                found[node.name] = node
            elif isinstance(node, ast.ClassDef):
                methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
                found |= {f"{node.name}.{method.name}": method for method in methods}
    return found


SHOWN = [
    ("05_convolutional_vae", "squared_error", losses.squared_error),
    ("01_autoencoder_latent_gaps", "Autoencoder.call", models.Autoencoder.call),
    ("01_autoencoder_latent_gaps", "squared_error", losses.squared_error),
]


@pytest.mark.parametrize(
    ("name", "function", "ours"), SHOWN, ids=[f"{n[:2]}-{f}" for n, f, _ in SHOWN]
)
def test_code_that_a_lesson_shows_is_the_packages_code(name, function, ours):
    """What is defined in full once, and imported later, is the same to the letter."""
    shown = functions_in(ROOT / "notebooks" / f"{name}.ipynb")[function]
    assert body_of(shown) == body_of(ours)


def test_the_readmes_picture_is_a_lessons_figure():
    """What the README shows is what the tagged cell has drawn."""
    tagged = [
        c for p in PATHS for c in code_cells(p) if "readme-picture" in c.metadata.get("tags", [])
    ]
    (cell,) = tagged
    (figure,) = [o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})]
    assert notebooks.README_PICTURE.read_bytes() == base64.b64decode(figure)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert notebooks.README_PICTURE.relative_to(ROOT).as_posix() in readme


def test_refresh_would_not_change_what_is_committed(tmp_path):
    """The notebooks have gone through `tidy`."""
    for path in PATHS:
        copy = tmp_path / path.name
        copy.write_bytes(path.read_bytes())
        assert not notebooks.tidy(copy), path.name
