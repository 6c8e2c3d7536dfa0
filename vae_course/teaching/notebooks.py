"""Execute the lessons with papermill, and keep their notebooks clean."""

import base64
import dataclasses
import os
import shutil
import tempfile
import time
from pathlib import Path

import nbformat
import nbstripout
import papermill
from nbconvert.preprocessors import CoalesceStreamsPreprocessor
from traitlets.config import Config

from vae_course.lesson import recorded
from vae_course.teaching.pages import write_page

ROOT = Path(__file__).resolve().parents[2]
README_PICTURE = ROOT / ".github" / "latent_maps.png"
# Execution noise: who ran a cell when, and what a slider was last set to. None of it teaches anything.
NOISE = (
    "metadata.papermill metadata.widgets metadata.signature metadata.language_info.version "
    "cell.metadata.papermill cell.metadata.execution cell.metadata.ExecuteTime"
).split()


@dataclasses.dataclass
class Result:
    """What became of one lesson: where it stands, how long it took, its key numbers or its error."""

    name: str
    title: str
    dataset: str = "-"
    seconds: float = 0.0
    numbers: dict = dataclasses.field(default_factory=dict)
    error: str = ""

    @property
    def status(self):
        """Return "ok" or "FAILED"."""
        return "FAILED" if self.error else "ok"


def read_notebook(path):
    """Read a notebook, and mend what some programs leave out when they save one.

    Args:
        path: Path of the notebook.

    Returns:
        The notebook, of nbformat 4.5: each cell has an id, and widgets have a state or are left out.

    Raises:
        ValueError: If the file is no notebook.
    """
    try:
        notebook = nbformat.read(path, as_version=4)
    except (ValueError, AttributeError, nbformat.ValidationError) as error:
        raise ValueError(
            f"{path} is not a notebook: {error}. Save it again in JupyterLab."
        ) from error
    notebook.nbformat_minor = 5
    for cell in notebook.cells:
        cell.setdefault("id", nbformat.v4.new_raw_cell().id)
    widgets = notebook.metadata.get("widgets", {})
    if not all("state" in kind for kind in widgets.values()):
        del notebook.metadata["widgets"]
    return notebook


def find_lessons(folder, names=(), exercises=False):
    """List the notebooks of a folder, in the order of the course.

    Args:
        folder: Path of the folder.
        names: Beginnings of file names, such as "01", to choose some; none for all.
        exercises: Whether to add the notebooks of its folder `exercises`, "ex01" and so on.

    Returns:
        List of paths.

    Raises:
        FileNotFoundError: If there is no such notebook.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    if not paths:
        raise FileNotFoundError(
            f"There is no lesson (NN_name.ipynb) in {folder}: name its folder with --notebooks."
        )
    if exercises:
        paths += sorted(folder.glob("exercises/ex[0-9][0-9]_*.ipynb"))
    for name in names:
        if not any(path.stem.startswith(name) for path in paths):
            known = ", ".join(path.stem for path in paths)
            raise FileNotFoundError(f"There is no lesson {name!r} in {folder}: it holds {known}.")
    return [path for path in paths if not names or path.stem.startswith(tuple(names))]


def title_of(notebook):
    """Return the text of a notebook's first heading."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("# "):
            return cell.source.splitlines()[0].removeprefix("# ")
    return "Untitled"


def known_parameters(path, wanted):
    """Keep those values that a lesson has a parameter for.

    Args:
        path: Path of the notebook.
        wanted: Dictionary from parameter to value.

    Returns:
        Dictionary, a part of `wanted`.
    """
    known = papermill.inspect_notebook(str(path))
    return {name: value for name, value in wanted.items() if name in known}


def _papermill(path, target, parameters):
    """Execute a notebook in its own folder, with a progress bar and an encrypted kernel connection.

    The kernel does not watch file descriptors 1 and 2: the thread that does may find its event loop closed
    when the kernel ends, and then prints a traceback (ipython/ipykernel issue 1155). What C++ libraries
    write there goes to the terminal; what Python prints is in the notebook as ever.
    """
    papermill.execute_notebook(
        path,
        target,
        parameters,
        cwd=path.parent,
        kernel_name="python3",
        progress_bar={"desc": path.stem, "ncols": 90},
        config=Config(
            {
                "KernelManager": {"transport_encryption": "auto"},
                "NotebookClient": {"extra_arguments": ["--IPKernelApp.capture_fd_output=False"]},
            }
        ),
    )


def execute(path, folder, wanted):
    """Execute one lesson and write it, executed, with a page of it.

    Args:
        path: Path of the notebook.
        folder: Where the executed notebook and the page go.
        wanted: Values of parameters; those that the lesson does not have are left out.

    Returns:
        A `Result`. A lesson that fails is written with its traceback, and its error is in the result.
    """
    target = Path(folder) / path.name
    result = Result(path.stem, path.stem)
    target.unlink(missing_ok=True)  # what an earlier run left must not pass for this one's
    start = time.perf_counter()
    try:
        parameters = known_parameters(path, wanted)
        _papermill(path, target, parameters)
    except papermill.PapermillExecutionError as error:
        number = error.cell_index + (
            0 if parameters else 1
        )  # papermill put a cell of its own in front
        code = error.source.strip().splitlines()[0]
        result.error = f"cell {number} ({code}): {error.ename}: {error.evalue}"
    except Exception as error:  # the kernel died, the disk is full, the file is no notebook
        result.error = f"{type(error).__name__}: {error}"
    result.seconds = time.perf_counter() - start
    if target.exists():
        notebook = nbformat.read(target, as_version=4)
        result.title = title_of(notebook)
        found = recorded(notebook) or {}
        result.dataset, result.numbers = found.get("dataset", "-"), found.get("numbers", {})
        write_page(notebook, target.with_suffix(".html"), result.title)
    return result


def tidy(path):
    """Remove the execution noise from a notebook, and keep its outputs.

    Args:
        path: Path of the notebook. It is replaced at once, or left as it was.

    Returns:
        True if there was something to remove.
    """
    before = Path(path).read_text(encoding="utf-8")
    notebook = nbstripout.strip_output(
        nbformat.reads(before, as_version=4),
        keep_output=True,
        keep_count=True,
        keep_id=True,
        extra_keys=NOISE,
    )
    # A print that came in two pieces is one output.
    notebook, _ = CoalesceStreamsPreprocessor().preprocess(notebook, {})
    after = nbformat.writes(notebook) + "\n"
    if after == before:
        return False
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=Path(path).parent, suffix=".tmp", delete=False, newline="\n"
    ) as file:
        file.write(after)
    shutil.copymode(path, file.name)
    os.replace(file.name, path)
    return True


def refresh(path):
    """Execute a lesson with its default parameters, and store its clean outputs in it.

    Args:
        path: Path of the notebook. If a cell fails, the notebook is left as it was. The figure of a cell
            tagged `readme-picture` becomes the README's picture, too.

    Raises:
        papermill.PapermillExecutionError: If a cell fails.
    """
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        target = Path(folder) / path.name
        _papermill(path, target, {})
        tidy(target)
        _store_readme_picture(nbformat.read(target, as_version=4))
        os.replace(target, path)


def _store_readme_picture(notebook):
    for cell in notebook.cells:
        if "readme-picture" in cell.metadata.get("tags", []):
            (picture,) = [
                o.data["image/png"] for o in cell.outputs if "image/png" in o.get("data", {})
            ]
            README_PICTURE.write_bytes(base64.b64decode(picture))
