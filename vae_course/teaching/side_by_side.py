"""Execute several lessons at the same time, each in a process of its own."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection, resource_tracker

from tqdm import tqdm

from vae_course.teaching.notebooks import Result, execute, read_notebook

POSIX = os.name == "posix"
THREADS = "OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"


def execute_all(paths, folder, wanted, workers=1):
    """Execute lessons, and write the executed notebooks; after Ctrl-C, stop all that are running.

    Args:
        paths: List of paths of notebooks, which are begun in this order.
        folder: As in `notebooks.execute`.
        wanted: As in `notebooks.execute`.
        workers: How many lessons run at the same time. Several share the cores, and another number of threads
            changes the order of sums, and so trainings, a little.

    Returns:
        List of `notebooks.Result`, in the order of the paths. Lessons that Ctrl-C kept from being begun are
        left out.
    """
    workers = min(workers, len(paths))
    results = []
    if workers == 1:
        for path in paths:
            results.append(execute(path, folder, wanted))
            if results[-1].status == "interrupted":
                break
        return results
    waiting, running, interrupted = list(paths), {}, False
    with tqdm(total=sum(map(_cells, paths)), ncols=90, unit="cell") as bar:
        while running or (waiting and not interrupted):
            try:
                while waiting and not interrupted and len(running) < workers:
                    _start(waiting.pop(0), folder, wanted, workers, running)
                    bar.set_description(", ".join(path.stem[:2] for path, _ in running.values()))
                for pipe in connection.wait(list(running), timeout=1):
                    path, process = running[pipe]
                    try:
                        told = pipe.recv()
                    except EOFError:  # without a result
                        process.join()
                        error = f"its process ended with exit status {process.exitcode}"
                        told = Result(path.stem, path.stem, error=error, status="FAILED")
                    if isinstance(told, Result):
                        results.append(told)
                        running.pop(pipe)
                        process.join()
                    else:
                        bar.update(told)
            except KeyboardInterrupt:
                interrupted = True
                for _, process in running.values():
                    if POSIX:  # on Windows Ctrl-C reaches them by itself
                        os.kill(process.pid, signal.SIGINT)
    order = [path.stem for path in paths]
    return sorted(results, key=lambda result: order.index(result.name))


def _cells(path):
    try:
        return len(read_notebook(path).cells)
    except (OSError, ValueError):
        return 0  # `execute` will say why


def _start(path, folder, wanted, workers, running):
    """Start a process that tells through a pipe how many cells it has executed, and in the end its result."""
    context = multiprocessing.get_context("spawn")
    pipe, its_end = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(path, folder, wanted, workers, its_end))
    if POSIX:  # Ctrl-C waits until the process can handle it
        resource_tracker.ensure_running()  # its start would undo the next line
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
        running[pipe] = path, process
    finally:
        its_end.close()
        if POSIX:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _run(path, folder, wanted, workers, pipe):
    threads = str(max(1, (os.cpu_count() or 1) // workers))
    os.environ |= {name: os.environ.get(name, threads) for name in THREADS}

    def tell(cells, **_):
        for cell in cells:
            yield cell
            pipe.send(1)

    def stop_with_parent():
        multiprocessing.parent_process().join()
        os.kill(os.getpid(), signal.SIGINT)

    result = Result(path.stem, path.stem, error="stopped before it began", status="interrupted")
    try:
        threading.Thread(target=stop_with_parent, daemon=True).start()
        if POSIX:
            os.setsid()  # out of the terminal's reach, because the parent tells when to stop
            signal.signal(signal.SIGINT, signal.default_int_handler)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        result = execute(path, folder, wanted, bar=tell)
    except KeyboardInterrupt:
        pass
    pipe.send(result)
