"""Measure what a lesson takes from a hub: `python -m benchmarks.kernels [LESSON ...] [--together 8]`.

Each lesson runs to its end in a kernel of its own with one thread, alone, or as many times at once as asked
for. Memory that kernels share, which is mostly TensorFlow's code, counts once: to what each has for itself we
add the largest shared part of one of them, so kernels elsewhere on the machine change nothing. We look
twice a second. Seconds of a core do not depend on what else the machine does, but minutes do.
"""

import argparse
import os
import threading
import time
from pathlib import Path

import nbformat
import psutil
from nbclient import NotebookClient

from vae_course.teaching.kernel import KERNEL_OPTIONS, THREADS, own_jupyter

LESSONS = Path(__file__).resolve().parents[1] / "notebooks"
GB = 1e9


def run(path, seconds):
    """Run a lesson, and add the seconds of a core that its kernel took to a list."""
    notebook = nbformat.read(path, 4)
    resources = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(notebook, timeout=3600, resources=resources, **KERNEL_OPTIONS)

    def note(**_):
        times = psutil.Process(client.km.provisioner.pid).cpu_times()
        seconds[client] = times.user + times.system

    client.on_cell_executed = note
    client.execute()


def memory():
    """Return the memory in bytes of all kernels that this process has started, with shared parts once."""
    own, shared = 0, 0
    for process in psutil.Process().children(recursive=True):
        try:
            full = process.memory_full_info()
        except psutil.Error:  # it has just ended
            continue
        own += full.uss
        shared = max(shared, full.rss - full.uss)
    return own + shared


def measure(path, together):
    """Run a lesson this many times at once; return bytes at the peak, seconds of a core, and wall seconds."""
    seconds, peak, start = {}, 0, time.perf_counter()
    threads = [threading.Thread(target=run, args=(path, seconds)) for _ in range(together)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        peak = max(peak, memory())
        time.sleep(0.5)
    assert len(seconds) == together, "a lesson did not run to its end"
    return peak, sum(seconds.values()), time.perf_counter() - start


def main():
    """Print a line for each lesson."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lessons", nargs="*", help="01, 05 ...")
    parser.add_argument("--together", type=int, default=1)
    options = parser.parse_args()
    os.environ |= dict.fromkeys(THREADS, "1")
    print("lesson                           kernels  GB at peak  s of a core  s on the wall")
    with own_jupyter():
        for path in sorted(LESSONS.glob("[0-9][0-9]_*.ipynb")):
            if not options.lessons or path.stem[:2] in options.lessons:
                peak, core, wall = measure(path, options.together)
                numbers = f"{options.together:7}  {peak / GB:10.2f}  {core:11.0f}  {wall:13.0f}"
                print(f"{path.stem:32} {numbers}", flush=True)


if __name__ == "__main__":
    main()
