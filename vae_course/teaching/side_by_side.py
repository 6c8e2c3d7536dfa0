"""Execute several lessons at the same time, each in a process of its own."""

import multiprocessing
import os
import signal
import threading
from multiprocessing import connection, resource_tracker

import joblib
from tqdm import tqdm

from vae_course.self_check import free_memory
from vae_course.teaching.kernel import THREADS
from vae_course.teaching.notebooks import Result, execute

POSIX = os.name == "posix"
BYTES = 3_000_000_000  # that a lesson needs at most, with the process that executes it


def execute_all(paths, folder, wanted, workers=None):
    """Execute lessons, and write the executed notebooks; after Ctrl-C, stop all that are running.

    Args:
        paths: List of paths of notebooks. Side by side, the last is begun first, because later lessons take
            longer, and a long one at the end would leave the other cores idle.
        folder: As in `notebooks.execute`.
        wanted: As in `notebooks.execute`.
        workers: How many lessons run at the same time and share the cores; None for one for each core, if
            the memory suffices.

    Returns:
        List of `notebooks.Result`, in the order of the paths. Lessons that Ctrl-C kept from being begun are
        left out.
    """
    able = max(1, min(_cores(), free_memory() // BYTES))
    workers = min(workers or able, len(paths))
    if workers == 1:
        return _one_after_the_other(paths, folder, wanted)
    waiting, running, results = list(paths), {}, {}
    ctrl_c = threading.Event()  # set by the signal, and looked at where nothing can be lost
    before = signal.signal(signal.SIGINT, lambda *_: ctrl_c.set())
    try:
        with tqdm(total=len(paths), ncols=90, unit="lesson") as bar:
            while waiting or running:
                while waiting and len(running) < workers and not ctrl_c.is_set():
                    path = waiting.pop()
                    pipe, process = _start(path, folder, wanted, workers)
                    running[pipe] = path, process
                    bar.set_description(", ".join(path.stem[:2] for path, _ in running.values()))
                if ctrl_c.is_set():
                    ctrl_c.clear()
                    waiting.clear()
                    for _, process in running.values():
                        _interrupt(process)
                for pipe in connection.wait(list(running), timeout=0.2):
                    path, process = running.pop(pipe)
                    results[path] = _result(path, pipe, process)
                    bar.update()
    finally:
        signal.signal(signal.SIGINT, before)
        for _, process in running.values():  # after an error here
            process.terminate()
    return [results[path] for path in paths if path in results]


def _cores():
    try:
        return joblib.cpu_count()
    except ValueError as error:
        value = os.environ.get("LOKY_MAX_CPU_COUNT")
        cure = "set it to a number of cores, or unset it."
        raise ValueError(f"LOKY_MAX_CPU_COUNT is {value!r}: {cure}") from error


def _one_after_the_other(paths, folder, wanted):
    results = []
    for path in paths:
        results.append(execute(path, folder, wanted))
        if results[-1].status == "interrupted":
            break
    return results


def _start(path, folder, wanted, workers):
    """Start a process, and return the pipe through which its result comes."""
    context = multiprocessing.get_context("spawn")
    pipe, its_end = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(path, folder, wanted, workers, its_end))
    if POSIX:  # Ctrl-C waits until the process can handle it
        resource_tracker.ensure_running()  # its start would undo the next line
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        process.start()
    finally:
        its_end.close()
        if POSIX:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    return pipe, process


def _interrupt(process):
    if POSIX:  # on Windows Ctrl-C reaches it by itself
        os.kill(process.pid, signal.SIGINT)


def _result(path, pipe, process):
    try:
        result = pipe.recv()
    except EOFError:
        result = None
    process.join()
    error = f"its process ended with exit status {process.exitcode}"
    return result or Result(path.stem, path.stem, error=error, status="FAILED")


def _run(path, folder, wanted, workers, pipe):
    """Execute one lesson in a process of its own, and send the result."""
    threads = str(max(1, _cores() // workers))
    os.environ |= {name: os.environ.get(name, threads) for name in THREADS}

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
        result = execute(path, folder, wanted, bar=lambda cells, **_: cells)
    except KeyboardInterrupt:
        pass
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the result is sent whatever comes now
    pipe.send(result)
