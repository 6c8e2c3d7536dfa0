"""Run the cells of notebooks in a kernel of the same Python, with limits on time and output."""

import asyncio
import contextlib
import os
import sys
import sysconfig
import tempfile
import textwrap
from pathlib import Path
from unittest import mock

from ipykernel.kernelspec import write_kernel_spec
from jupyter_core.utils import ensure_event_loop, run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tqdm import tqdm

from vae_course.self_check import free_memory

MOST_OUTPUT = 20_000_000  # characters that one cell may print or show
CELL_SECONDS = 7200  # that one cell may take; in lesson 5, the recipe "best" takes an hour
# Environment variables that limit the threads of a kernel's libraries.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
)
# Arguments of a Python that becomes a kernel. A file beside the notebook can be imported there, but even one
# with the name types.py hides no module of Python or of a package.
KERNEL = [
    "-P",
    "-c",
    "import sys; sys.path.append(''); "
    "from ipykernel.kernelapp import launch_new_instance; launch_new_instance()",
    "-f",
]
# The user's own settings, which could change or stop a kernel.
NOT_OURS = "PYTHONSTARTUP PYTHONWARNINGS PYTHONINSPECT MPLBACKEND JUPYTER_CONFIG_PATH"
# How kernels are started and stopped, for lessons and for grading; a busy machine needs long timeouts.
KERNEL_OPTIONS = {
    # The kernel does not watch file descriptors 1 and 2, because the thread that does so may print a
    # traceback when it ends (ipython/ipykernel issue 1155). Output of C++ libraries goes to the terminal.
    "extra_arguments": [
        "--HistoryManager.hist_file=:memory:",
        "--IPKernelApp.capture_fd_output=False",
    ],
    "startup_timeout": 300,
    "iopub_timeout": 60,  # for outputs that arrive after their cell has ended
    "raise_on_iopub_timeout": True,
    "shutdown_kernel": "immediate",
}


class CellError(RuntimeError):
    """A cell or its kernel failed; the message names the cell and the reason."""


@contextlib.contextmanager
def own_jupyter(spec=None):
    """Start kernels with the same Python, whatever the user's settings for Jupyter and IPython are.

    Kernel specs, configuration and startup files in the user's folders may be broken or made for another
    Python, so a temporary folder replaces all of them.

    Args:
        spec: Function from the folder of the kernels' connection files to entries of their specification.
    """
    # The name of a socket may have about 100 bytes, so a long TMPDIR is not used.
    long = len(os.fsencode(tempfile.gettempdir())) > 60
    parent = "/tmp" if os.name == "posix" and long else None
    options = {"prefix": "vae-course-", "dir": parent, "ignore_cleanup_errors": True}
    with tempfile.TemporaryDirectory(**options) as folder, mock.patch.dict(os.environ):
        (runtime := Path(folder, "run")).mkdir()
        own = {"argv": [sys.executable, *KERNEL, "{connection_file}"]}
        own |= spec(runtime) if spec else {}
        write_kernel_spec(Path(folder, "kernels", "python3"), own)
        for name in NOT_OURS.split():
            os.environ.pop(name, None)
        for kind in ("PATH", "DATA_DIR", "CONFIG_DIR"):
            os.environ[f"JUPYTER_{kind}"] = folder
        os.environ["JUPYTER_RUNTIME_DIR"] = str(runtime)
        os.environ["IPYTHONDIR"] = folder
        # After pip install --user, the course's packages are the user's own.
        if Path(sysconfig.get_path("purelib"), "ipykernel").is_dir():
            os.environ["PYTHONNOUSERSITE"] = "1"
            paths = os.environ.pop("PYTHONPATH", "").split(os.pathsep)
            kept = [os.path.abspath(p) for p in paths if p and Path(p, "vae_course").is_dir()]
            if kept:  # the course itself is found there
                os.environ["PYTHONPATH"] = os.pathsep.join(kept)
        yield


class BoundedClient(NotebookClient):
    """A client that limits what a cell prints, leaves no kernel behind, and says why a cell failed."""

    spec = None  # for `own_jupyter`

    def create_kernel_manager(self):
        """Create a manager that talks to its kernel through files where it can.

        Jupyter looks for free ports before the kernel starts, so any other program may take one of them
        first. Windows has no such files.
        """
        manager = super().create_kernel_manager()
        if os.name == "posix":
            manager.transport = "ipc"
            manager.connection_file = str(Path(os.environ["JUPYTER_RUNTIME_DIR"], "kernel.json"))
        else:
            manager.transport_encryption = "auto"
        return manager

    def room(self, cell_index):
        """Return how many characters a cell may print or show."""
        return MOST_OUTPUT

    def reset_execution_trackers(self):
        """Forget what earlier cells printed."""
        super().reset_execution_trackers()
        self.printed = {}

    def output(self, outs, msg, display_id, cell_index):
        """Keep an output, or stop waiting for a cell that floods the notebook."""
        self.printed[cell_index] = self.printed.get(cell_index, 0) + len(str(msg["content"]))
        if self.printed[cell_index] > self.room(cell_index):
            self.task_poll_for_reply.cancel()
            return None
        return super().output(outs, msg, display_id, cell_index)

    def execute_cell(self, cell, cell_index, **options):
        """Execute one cell; raise a `CellError` if it fails."""
        try:
            return super().execute_cell(cell, cell_index, **options)
        except CellExecutionError as error:
            reason = f"{error.ename}: {error.evalue}"
            if "Memory" in error.ename or error.ename == "ResourceExhaustedError":
                reason = f"{textwrap.shorten(reason, 200)} {_memory_advice()}"
        except CellTimeoutError as error:
            reason = f"it was stopped because it had not finished after {self.timeout} seconds"
            if "IOPub" in str(error):
                reason = f"it ended, but its output had not come after {self.iopub_timeout} seconds"
        except DeadKernelError:
            status = run_sync(self.km.provisioner.poll)()
            reason = f"its kernel ended with exit status {status}"  # a negative one is a signal
            if self.printed.get(cell_index, 0) > (most := self.room(cell_index)):
                reason = f"it was stopped because it printed or showed more than {most / 1e6:g} MB"
            elif status == -9:
                reason = f"its kernel was killed, probably for lack of memory. {_memory_advice()}"
        cells = self.nb.cells[: cell_index + 1]  # not counting the one that papermill adds
        number = sum("injected-parameters" not in c.metadata.get("tags", []) for c in cells)
        code = cell.source.strip().splitlines()[0]
        raise CellError(f"cell {number} ({code}): {textwrap.shorten(reason, 400)}")

    @contextlib.contextmanager
    def setup_kernel(self, **options):
        """Start a kernel, and stop it even if Ctrl-C comes while it starts."""
        try:
            with own_jupyter(self.spec), super().setup_kernel(**options):
                try:
                    yield
                finally:  # nobody needs its answers after a failure or Ctrl-C
                    loop = ensure_event_loop()
                    waiting = asyncio.all_tasks(loop)
                    for task in waiting:
                        task.cancel()
                    loop.run_until_complete(asyncio.gather(*waiting, return_exceptions=True))
        finally:
            if self.km is not None:
                self._cleanup_kernel()


def _memory_advice():
    return f"{free_memory() / 1e9:.1f} GB are free: close other programs, and run one lesson at a time."


def run_cells(notebook, folder, name, bar=tqdm):
    """Execute the cells of a notebook in place, with a progress bar.

    Args:
        notebook: The notebook. If a cell fails, its outputs and those of the cells before it are kept.
        folder: Path of the kernel's working directory.
        name: Name of the notebook in the progress bar.
        bar: Function that takes a list and options of `tqdm`, and yields what is in the list.

    Raises:
        CellError: If a cell fails.
        RuntimeError: If the kernel does not start.
    """
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    options = {"timeout": CELL_SECONDS, "record_timing": False, **KERNEL_OPTIONS}
    client = BoundedClient(notebook, kernel_name="python3", **options)
    with client.setup_kernel(cwd=str(folder)):
        for index, cell in enumerate(bar(notebook.cells, desc=name, ncols=90, unit="cell")):
            client.execute_cell(cell, index)
