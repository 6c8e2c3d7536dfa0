"""The conductor's side: start workers, give them their turns, notice when one dies.

Nothing heavy is imported here: this process must not disturb what it measures.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[1]
# The same for all: no GPU, no start-up messages, Keras on TensorFlow.
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
    "PYTHONUTF8": "1",
}
PATIENCE = 1800.0  # seconds for one answer, the slowest of which is an epoch on a slow machine
PAUSE = 0.3  # seconds between turns: thread pools spin for a while before they sleep


class WorkerError(RuntimeError):
    """A worker died, did not answer in time, or answered nonsense."""


class Worker:
    """A process that measures one thing when told to.

    Args:
        name: What errors call it.
        command: What to run, a list.
        patience: Seconds to wait for any one answer.
        **environment: Additional environment variables.
    """

    def __init__(self, name, command, patience=PATIENCE, **environment):
        self.name, self.patience = name, patience
        self._errors = tempfile.TemporaryFile()
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **ENVIRONMENT, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            encoding="utf-8",
        )
        self._psutil = psutil.Process(self._process.pid)

    def answer(self):
        """Wait for the next answer and return it, a dictionary.

        Raises:
            WorkerError: If the worker ended, did not answer in time, or did not answer in JSON.
        """
        timed_out = threading.Event()
        timer = threading.Timer(self.patience, lambda: (timed_out.set(), self._process.kill()))
        timer.start()
        try:
            line = self._process.stdout.readline()
        finally:
            timer.cancel()
        if timed_out.is_set():
            raise self._error(f"gave no answer within {self.patience:g} seconds")
        if not line:
            raise self._error(f"ended with exit code {self._process.wait()} before its answer")
        try:
            return json.loads(line)
        except json.JSONDecodeError:
            raise self._error(f"answered {line.strip()!r}, which is not JSON") from None

    def turn(self):
        """Let the worker take one turn.

        Returns:
            Its answer; `others_percent` in it is how much of the machine's CPU others used meanwhile.
        """
        self._cpu_percent()
        self._send()
        answer = self.answer()
        return {**answer, "others_percent": self._cpu_percent()}

    def _cpu_percent(self):
        """Return how much of the CPU others have used since the last call of this method."""
        try:
            own = self._psutil.cpu_percent() / psutil.cpu_count()
        except psutil.Error:  # It has ended; what was its own cannot be told any more.
            own = 0.0
        return max(0.0, psutil.cpu_percent() - own)

    def _send(self):
        try:
            self._process.stdin.write("go\n")
            self._process.stdin.flush()
        except OSError:  # It is dead; reading its answer says so, with its reasons.
            pass

    def stop(self):
        """End the process, if it has not ended by itself."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=0.01)
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdout, self._process.stdin, self._errors):
            with contextlib.suppress(OSError):
                stream.close()

    def _error(self, what):
        self._process.kill()
        self._process.wait()
        self._errors.seek(0)
        lines = self._errors.read().decode("utf-8", "replace").splitlines()[-8:]
        said = "\n  ".join(lines or ["nothing"])
        return WorkerError(f"The worker {self.name!r} {what}. Its last words:\n  {said}")


def command_of(module, settings):
    """Return the command that runs a worker of this package with settings."""
    return [sys.executable, "-m", f"benchmarks.{module}", json.dumps(settings)]


def start(crew, name, module, settings, **environment):
    """Start a worker of this package and wait until it is ready.

    Args:
        crew: A `contextlib.ExitStack`, which stops the worker when it closes, whatever happens.
        name: What errors call the worker.
        module: Its module, such as "worker_course".
        settings: What it is to do, a dictionary.
        **environment: Additional environment variables.

    Returns:
        The worker, and what it said when it was ready.
    """
    worker = Worker(name, command_of(module, settings), **environment)
    crew.callback(worker.stop)
    return worker, worker.answer()


def interleave(turns):
    """Spread every contestant's turns evenly over the whole run.

    Args:
        turns: From name to number of turns.

    Returns:
        List of names, in the order of their turns.
    """
    order = [((turn + 0.5) / count, name) for name, count in turns.items() for turn in range(count)]
    return [name for _, name in sorted(order, key=lambda pair: pair[0])]


def conduct(contestants, say=lambda line: None):
    """Run a contest: all workers alive at once, one of them computing at a time.

    Args:
        contestants: From name to `(module, settings, environment)`. How many turns it takes, each worker says
            when it is ready.
        say: Called with a line after every turn.

    Returns:
        From name to what the worker said: when ready; in its turns, a list of dictionaries in `turns`;
        and at its end.

    Raises:
        WorkerError: If a worker fails; the others are stopped, too.
    """
    with contextlib.ExitStack() as crew:
        workers, facts = {}, {}
        for name, (module, settings, environment) in contestants.items():
            workers[name], ready = start(crew, name, module, settings, **environment)
            facts[name] = ready
        left = {name: ready["turns"] for name, ready in facts.items()}
        for ready in facts.values():
            ready["turns"] = []
        for name in interleave(left):
            time.sleep(PAUSE)
            facts[name]["turns"].append(workers[name].turn())
            say(f"{name:12} {facts[name]['turns'][-1]['seconds']:8.3f} s")
            left[name] -= 1
            if not left[name]:
                facts[name].update(workers[name].answer())
                workers[name].stop()
    return facts
