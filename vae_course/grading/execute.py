"""Execute one submission: its cells in a kernel in a cage, its test cells by the judge outside."""

import asyncio
import contextlib
import os
import subprocess
import tempfile
import textwrap
import threading
import time
from pathlib import Path

import nbformat
import zmq

from vae_course import lesson
from vae_course.grading import cage
from vae_course.grading.clean import about, is_test
from vae_course.grading.watch import Watch
from vae_course.teaching.kernel import KERNEL_OPTIONS, BoundedClient, CellError

RESTARTS = 3  # of the kernel of one submission, each time without the cell that ended it
SOON = 15  # seconds after which an interrupted kernel must answer
MOST_MESSAGE = 400_000_000  # bytes; a larger message never enters this process
_one_at_a_time = threading.Lock()  # environment and standard output belong to the whole process
OVER = "not executed: the time for this notebook was over, or its kernel ended too often"


class _Client(BoundedClient):
    """Executes a submission in a cage, and lets the judge ask its kernel."""

    def __init__(self, notebook, task, given, deadline):
        self.kind, self.limits, self.deadline = task["cage"], task["limits"], deadline
        self.given, self.watch, self.asking = given, None, False
        super().__init__(
            notebook,
            kernel_name="python3",
            allow_errors=True,
            interrupt_on_timeout=True,
            error_on_timeout={"ename": "CellTimeoutError", "evalue": "", "traceback": []},
            timeout_func=lambda cell: max(1, int(min(self.limits["cell"], self._left()))),
            store_widget_state=False,
            record_timing=False,
            **KERNEL_OPTIONS,
        )
        if self.kind != "none":
            self.spec = self._cage

    def _left(self):
        return self.deadline - time.monotonic()

    def _cage(self, folder):
        self.folder = folder
        return cage.kernel_spec(self.kind, self.given, self.limits, folder)

    def create_kernel_manager(self):
        """Create a manager whose sockets take only messages of a bounded size."""
        manager = super().create_kernel_manager()
        manager.context.setsockopt(zmq.MAXMSGSIZE, MOST_MESSAGE)
        manager.context.setsockopt(zmq.RCVHWM, 200)
        return manager

    def room(self, cell_index):
        """Return how many characters a cell may still print or show."""
        others = sum(n for place, n in self.printed.items() if place != cell_index)
        return self.limits["answer" if self.asking else "output"] - (0 if self.asking else others)

    @contextlib.contextmanager
    def running(self):
        """Start the kernel, and watch it until the end of the block."""
        nowhere = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with self.setup_kernel(cwd=str(self.given), **nowhere), contextlib.ExitStack() as stack:
            if self.kind != "none":
                process = self.km.provisioner.pid
                self.watch = Watch(process, self.kind, self.folder, self.limits, self.deadline)
                stack.callback(self.watch.end)
            yield

    def execute_cell(self, cell, cell_index, **options):
        """Execute one cell; raise a `CellError` if it ended its kernel or does not end."""
        self.late = ""
        try:
            super().execute_cell(cell, cell_index, **options)
        except CellError as error:
            if why := (self.watch and self.watch.why) or self.late:
                where = str(error).partition("): ")[0]
                raise CellError(f"{where}): {why}") from None
            raise
        finally:
            if self.late:
                self._alarm.cancel()
        if self.late:
            cell.outputs.append(_error("CellTimeoutError", self.late))

    async def _async_handle_timeout(self, timeout, cell=None):
        """Interrupt a cell, and give up its kernel if that does not care."""
        self.late = f"it was stopped because it had not finished after {timeout} seconds"
        self._alarm = asyncio.get_running_loop().call_later(SOON, self.task_poll_for_reply.cancel)
        return await super()._async_handle_timeout(timeout, cell)

    def ask(self, code, cell_index):
        """Run a line of code for the judge, in place of a test cell; return its outputs."""
        kept, probe = self.nb.cells[cell_index], nbformat.v4.new_code_cell(code)
        self.asking, before = True, self.printed.pop(cell_index, 0)
        try:
            self.execute_cell(probe, cell_index, store_history=False)
        finally:
            self.asking, self.printed[cell_index] = False, before
            self.nb.cells[cell_index] = kept
        return probe.outputs


def execute(task):
    """Execute a submission, in a worker.

    Args:
        task: Dictionary with "notebook", JSON text of the cleaned submission; "exercise", that of the
            exercise with solutions; "files", from paths relative to the notebook to bytes; "dataset";
            "cage", one of `cage.KINDS`; and "limits".

    Returns:
        Dictionary with "notebook", the executed one as JSON text, in which each test cell has an output of
        the judge; "told", a list of what went wrong; and "reading", the names of test cells that need a
        person.
    """
    notebook, told, reading, broken = nbformat.reads(task["notebook"], 4), [], set(), set()
    for cell in filter(is_test, notebook.cells):
        # nbgrader would give full points for a test without an output.
        cell.outputs = [_error("NotJudged", OVER)]
    temporary = tempfile.TemporaryDirectory(prefix="vae-course-", ignore_cleanup_errors=True)
    with _one_at_a_time, temporary as folder:
        deadline = time.monotonic() + task["limits"]["seconds"]
        os.environ["VAE_COURSE_DATASET"] = task["dataset"]
        given = Path(folder, "given")
        given.mkdir(mode=0o755)
        for name, content in task["files"].items():
            (given / name).parent.mkdir(parents=True, exist_ok=True)
            (given / name).write_bytes(content)
        Path(folder).chmod(0o755)
        while len(broken) <= RESTARTS:
            client = _Client(notebook, task, given, deadline)
            place = _execute_cells(client, notebook, task, told, reading, broken)
            if place is None:
                break
            broken.add(place)
    return {"notebook": nbformat.writes(notebook), "told": told, "reading": sorted(reading)}


def _execute_cells(client, notebook, task, told, reading, broken):
    """Execute all cells but the broken ones; return the place of one that ended the kernel, or None."""
    lesson.load_tensorflow()  # which the judge needs, without its messages
    from vae_course.grading.judge import Judge

    place = 0
    judge = Judge(task["exercise"], lambda code: client.ask(code, place))
    try:
        with client.running():
            for place, cell in enumerate(notebook.cells):
                if place in broken:
                    continue
                if client._left() < 1:
                    told.append(f"from cell {place + 1} on, it was {OVER}")
                    break
                if is_test(cell):
                    name = cell.metadata.nbgrader.grade_id
                    outputs, to_read = judge.judge(name)
                    notebook.cells[place].outputs = outputs
                    reading |= {name} if to_read else set()
                else:
                    client.execute_cell(cell, place)
                    if client.late:
                        told.append(f"cell {place + 1}: {client.late}")
                    elif about(cell).get("solution") and (why := _raised(cell)):
                        told.append(f"cell {about(cell).grade_id} raised {why}")
    except CellError as error:
        told.append(str(error))
        notebook.cells[place].outputs = [_error("CellError", str(error))]
        return place
    return None


def _raised(cell):
    """Return the error that a cell has raised, in a line, or ""."""
    errors = [o for o in cell.get("outputs", ()) if o.output_type == "error"]
    words = "".join(f"{o.ename}: {o.evalue}" for o in errors[:1])
    return textwrap.shorten("".join(c if c.isprintable() else " " for c in words), 200)


def _error(name, text):
    lines = textwrap.wrap(text, 100)
    return nbformat.v4.new_output("error", ename=name, evalue=text, traceback=lines)
