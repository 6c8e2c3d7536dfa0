"""Read, execute and clean the notebooks of the course."""

import base64
import dataclasses
import json
import logging
import re
import time
import warnings
from pathlib import Path

import nbformat
import papermill
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from tqdm import tqdm

from vae_course.atomic import write_atomically, write_text
from vae_course.lesson import EXPLORER
from vae_course.teaching import cited_numbers
from vae_course.teaching.kernel import CellError, run_cells

ROOT = Path(__file__).resolve().parents[2]
LESSONS = ROOT / "notebooks"
README_PICTURE = ROOT / ".github" / "latent_maps.png"
MOST_FILE_BYTES = 100_000_000  # of a notebook; the largest lesson has 0.5 MB
# Metadata about the execution, and what Colab adds; none of it teaches anything.
NOISE = (
    "accelerator colab collapsed execution ExecuteTime executionInfo gpuType id orig_nbformat_minor "
    "outputId papermill scrolled signature widgets"
).split()


@dataclasses.dataclass
class Result:
    """The result of running one lesson: its status, its seconds, and its error or what it measured.

    `numbers` maps names to a value and a scatter, `expected` holds their values when the lesson was written.
    """

    name: str
    title: str
    dataset: str = "-"
    seconds: float = 0.0
    numbers: dict = dataclasses.field(default_factory=dict)
    expected: dict = dataclasses.field(default_factory=dict)
    error: str = ""
    status: str = "ok"  # or "FAILED" or "interrupted"


def find_lessons(folder, names=(), exercises=False):
    """List the notebooks of a folder in the order of the course.

    Args:
        folder: Path of the folder.
        names: Names of lessons or their beginnings, such as "01"; empty for all.
        exercises: Whether to add the notebooks in its subfolder `exercises`, "ex01" and so on.

    Returns:
        List of paths.

    Raises:
        FileNotFoundError: If there is no such notebook.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise FileNotFoundError(
            f"There is no lesson (NN_name.ipynb) in {folder}: choose the folder with --notebooks."
        )
    if exercises:
        paths += sorted(folder.glob("exercises/ex[0-9][0-9]_*.ipynb"))
    chosen = set() if names else set(paths)
    for name in names:
        stem = Path(name).name.removesuffix(".ipynb")
        found = {path for path in paths if stem and path.stem.startswith(stem)}
        if not found:
            known = ", ".join(path.stem for path in paths)
            raise FileNotFoundError(f"There is no lesson {name!r} in {folder}: it holds {known}.")
        chosen |= found
    return sorted(chosen, key=paths.index)


def read_notebook(path):
    """Read a notebook saved by any program, and convert it to format 4.5.

    Cells without an id of their own get one, and the saved state of widgets is dropped because only the
    program that saved it can show it.

    Args:
        path: Path of the file.

    Returns:
        `nbformat.NotebookNode`.

    Raises:
        ValueError: If the file is not a notebook of format 4; the message names it and says why.
        OSError: If the file cannot be read.
    """
    path = Path(path)
    try:
        if (size := path.stat().st_size) > MOST_FILE_BYTES:
            raise ValueError(f"it has {size / 1e6:.0f} MB: clear its outputs")
        raw = json.loads(path.read_text(encoding="utf-8-sig"))
        if raw["nbformat"] != 4:
            raise ValueError(f"it has format {raw['nbformat']} instead of 4")
        raw["metadata"].pop("widgets", None)
        with warnings.catch_warnings(action="ignore"):  # of two cells with the same id, or none
            notebook = nbformat.v4.upgrade(nbformat.v4.to_notebook(raw))
            nbformat.validate(notebook, relax_add_props=True)
    except OSError:
        raise
    except Exception as error:  # JSON and nbformat raise many kinds for a damaged file
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        cure = "Take a complete copy, or save it again in JupyterLab."
        raise ValueError(f"{path} is not a valid notebook ({reason}). {cure}") from error
    return notebook


def title_of(notebook):
    """Return the text of a notebook's first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0].removeprefix("# ")
    return "Untitled"


def _with_parameters(notebook, wanted):
    """Let papermill add a cell with the wanted values, as far as the notebook has parameters for them."""
    # papermill requires both.
    notebook.metadata.setdefault("language_info", {"name": "python"})
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata.setdefault("kernelspec", kernel)
    known = papermill.inspect_notebook(notebook)
    values = {name: value for name, value in wanted.items() if name in known}
    options = {"prepare_only": True, "kernel_name": "python3", "language": "python"}
    return _tidied(papermill.execute_notebook(notebook, None, values, **options))


def execute(path, folder, wanted, bar=tqdm):
    """Execute one lesson, and write the executed notebook.

    Args:
        path: Path of the notebook.
        folder: Path of an existing folder, where the executed notebook goes.
        wanted: Values of parameters; those that the lesson does not have are ignored.
        bar: As in `run_cells`.

    Returns:
        A `Result`. A lesson that fails or is interrupted is written as far as it got, with its error in the
        result.
    """
    target = Path(folder, path.name)
    result, start = Result(path.stem, path.stem), time.perf_counter()
    try:
        target.unlink(missing_ok=True)  # so that nobody takes an earlier run's for this one's
        notebook = read_notebook(path)
        result.title = title_of(notebook)
        notebook = _with_parameters(notebook, wanted)
        cited_numbers.read(path.parent)  # if it is damaged, that is told before anything runs
        try:
            run_cells(notebook, path.parent, path.stem, bar)
        finally:
            _keep(notebook, path, target, result)
    except KeyboardInterrupt:
        # The task that it hit may keep it, and would show a traceback when it is deleted.
        logging.getLogger("asyncio").setLevel(logging.CRITICAL)
        result.status, result.error = "interrupted", "stopped before the end; run it again"
    except Exception as error:  # of any kind, so that the other lessons still run
        known = isinstance(error, (CellError, OSError, ValueError))
        result.error = str(error) if known else f"{type(error).__name__}: {error}"
        result.status = "FAILED"
    result.seconds = time.perf_counter() - start
    return result


def stored(path, folder, home):
    """Write a lesson as it was last executed to a folder.

    Args:
        path: Path of the notebook.
        folder: Path of an existing folder.
        home: Path of the folder of lessons with the expected numbers.

    Returns:
        A `Result`, as from `execute`.
    """
    target, result = Path(folder, path.name), Result(path.stem, path.stem)
    try:
        target.unlink(missing_ok=True)
        notebook = read_notebook(path)
        result.title = title_of(notebook)
        _keep(notebook, Path(home, path.name), target, result)
    except (OSError, ValueError) as error:
        result.status, result.error = "FAILED", str(error)
    return result


def _keep(notebook, path, target, result):
    """Write an executed lesson, whose texts cite its own numbers, and put these into its result."""
    try:
        run = cited_numbers.cite_run(notebook, path)
        result.dataset, result.numbers, result.expected = run
    finally:
        write_notebook(notebook, target)


def write_notebook(notebook, path):
    """Write a notebook to a path, completely or not at all."""
    write_text(path, nbformat.writes(notebook) + "\n")


def tidy(path):
    """Remove the execution noise from a notebook, and keep its outputs.

    Args:
        path: Path of the notebook, which is replaced atomically or not changed at all.

    Returns:
        True if there was something to remove.
    """
    before, notebook = Path(path).read_bytes(), _tidied(read_notebook(path))
    if before == (nbformat.writes(notebook) + "\n").encode():
        return False
    write_notebook(notebook, path)
    return True


def _tidied(notebook):
    for metadata in [notebook.metadata, *(cell.metadata for cell in notebook.cells)]:
        for name in NOISE:
            metadata.pop(name, None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    for output in (o for cell in notebook.cells for o in cell.get("outputs", [])):
        # Weights of networks, which would make a lesson's file several times as large.
        output.get("data", {}).pop(EXPLORER, None)
    # Text printed in two pieces becomes one output.
    return CoalesceStreamsPreprocessor().preprocess(notebook, {})[0]


def refresh(path):
    """Execute a lesson with its default parameters, and store its clean outputs and what it records.

    The notebook gets the outputs on MNIST. A lesson, but not an exercise, is then executed on the embedded
    digits as well, only for its numbers.

    Args:
        path: Path of the notebook, which does not change if a cell fails. Of the course's own lessons, the
            figure of a cell tagged `readme-picture` also becomes the README's picture.

    Raises:
        CellError: If a cell fails.
    """
    notebook, found = read_notebook(path), []
    cited_numbers.read(path.parent)
    try:
        run_cells(notebook, path.parent, path.stem)
        if re.match(r"\d\d_", path.name):
            on_digits = _with_parameters(read_notebook(path), {"dataset": "digits"})
            run_cells(on_digits, path.parent, f"{path.stem}, digits")
            found = filter(None, map(cited_numbers.recorded, (notebook, on_digits)))
    except RuntimeError as error:
        raise CellError(f"{path} is unchanged: {error}") from error
    write_notebook(_tidied(notebook), path)
    for numbers in found:
        cited_numbers.keep(path.parent, path.stem, numbers)
    for cell in notebook.cells if path.resolve().parent == LESSONS else ():
        if "readme-picture" in cell.metadata.get("tags", []):
            (picture,) = [
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            ]
            with write_atomically(README_PICTURE) as unfinished:
                unfinished.write_bytes(base64.b64decode(picture))


def cite(folder):
    """Update the numbers that lessons, and the guides beside the course's own, cite of what was recorded."""
    numbers = cited_numbers.read(folder)
    for path in find_lessons(folder):
        notebook = read_notebook(path)
        cited_numbers.cite_notebook(notebook, numbers, path.stem, "MNIST")
        write_notebook(notebook, path)
    guides = ("README.md", "TEACHING.md") if Path(folder).resolve() == LESSONS else ()
    for name in guides:
        if (path := LESSONS.parent / name).exists():
            write_text(path, cited_numbers.cite(path.read_text(encoding="utf-8"), numbers))
