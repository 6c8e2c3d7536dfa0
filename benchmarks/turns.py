"""Let measuring processes take turns, so that all are alive at once but only one of them computes.

Whatever else the machine does then affects all of them alike. Nothing heavy is imported here, because the
conducting process must not disturb what it measures.
"""

import contextlib
import importlib
import multiprocessing
import os
import sys
import time

import psutil

# The same for all: no GPU, no start-up messages, Keras on TensorFlow.
ENVIRONMENT = {
    "CUDA_VISIBLE_DEVICES": "-1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "KERAS_BACKEND": "tensorflow",
}
PATIENCE = 1800.0  # seconds for one answer, the slowest of which is an epoch on a slow machine
PAUSE = 0.3  # seconds between turns, because thread pools spin for a while before they sleep


class WorkerError(RuntimeError):
    """A worker died or did not answer in time."""


class Turns:
    """Connect a worker to the conductor."""

    def __init__(self, line):
        self.line, self.seconds = line, []
        self.start_clock()

    def start_clock(self):
        """Count `wall_seconds` from here, after imports and loading but before the network is built."""
        self.start = time.perf_counter()

    def begin(self, **facts):
        """Wait for this worker's turn; the first time, report before waiting that it is ready, with facts."""
        if not self.seconds:
            self.built = time.perf_counter() - self.start
            self.line.send(facts)
        self.line.recv()
        self.turn_start = time.perf_counter()

    def end(self, **facts):
        """Stop the clock of this turn and answer with its seconds and these facts."""
        self.seconds.append(time.perf_counter() - self.turn_start)
        self.line.send({"seconds": self.seconds[-1], **facts})

    def done(self, score=lambda: None):
        """Report the end of all turns, with their time, the memory used, and what `score()` returns."""
        train = sum(self.seconds)
        # What it does between two turns does not count, because somebody else's turn slows it down.
        facts = {"train_seconds": train, "wall_seconds": self.built + train, "score": score()}
        self.line.send({**facts, "peak_mb": peak_megabytes()})

    def callback(self, base):
        """Make a callback that takes each epoch as a turn, given the callback class of the right Keras."""

        class TakeTurns(base):
            def on_epoch_begin(callback, epoch, logs=None):
                parameters = int(callback.model.count_params())
                self.begin(turns=callback.params["epochs"], parameters=parameters)

            def on_epoch_end(callback, epoch, logs=None):
                self.end(loss=float(logs["loss"]))

        return TakeTurns()


def peak_megabytes():
    """Return the most memory that this process has held so far, in MB (RSS)."""
    if sys.platform == "win32":
        return psutil.Process().memory_info().peak_wset / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def _work(line, module, function, settings, environment):
    os.environ.update(ENVIRONMENT | environment)
    getattr(importlib.import_module(module), function)(Turns(line), **settings)


class _Worker:
    def __init__(self, name, module, function, settings, environment=None):
        self.name = name
        spawn = multiprocessing.get_context("spawn")
        self.line, theirs = spawn.Pipe()
        arguments = (theirs, module, function, settings, environment or {})
        self.process = spawn.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()  # so that its death is noticed
        self.usage = psutil.Process(self.process.pid)

    def answer(self):
        try:
            if self.line.poll(PATIENCE):
                return self.line.recv()
        except (EOFError, ConnectionError):
            raise WorkerError(f"The worker {self.name!r} died; its last words are above.") from None
        raise WorkerError(f"The worker {self.name!r} gave no answer within {PATIENCE:g} seconds.")

    def turn(self):
        self.percent_of_others()
        with contextlib.suppress(OSError):  # if it has died, its answer says so
            self.line.send("go")
        return {**self.answer(), "others_percent": self.percent_of_others()}

    def percent_of_others(self):
        """Return how much of the CPU other processes have used since the last call, in percent."""
        own = 0.0
        with contextlib.suppress(psutil.Error):  # it may have ended
            own = self.usage.cpu_percent() / psutil.cpu_count()
        return max(0.0, psutil.cpu_percent() - own)

    def stop(self):
        self.process.kill()
        self.process.join()


def interleave(turns):
    """Spread the turns of each contestant evenly over the whole run.

    Args:
        turns: Dictionary from name to number of turns.

    Returns:
        List of names, in the order of their turns.
    """
    order = [((turn + 0.5) / count, name) for name, count in turns.items() for turn in range(count)]
    return [name for _, name in sorted(order, key=lambda pair: pair[0])]


def conduct(contestants, say=lambda line: None):
    """Run a contest.

    Args:
        contestants: Dictionary from name to (module, function, settings) and perhaps environment variables.
            The function gets a `Turns` and the settings, and says itself how many turns it takes.
        say: Called with a line after every turn.

    Returns:
        Dictionary from name to what the worker reported when it was ready, in its turns (a list of
        dictionaries under `turns`), and at its end.

    Raises:
        WorkerError: If a worker fails, in which case the others are stopped, too.
    """
    with contextlib.ExitStack() as crew:
        workers, facts = {}, {}
        for name, about in contestants.items():
            workers[name] = _Worker(name, *about)
            crew.callback(workers[name].stop)
            facts[name] = workers[name].answer()
        order = interleave({name: ready["turns"] for name, ready in facts.items()})
        for ready in facts.values():
            ready["turns"] = []
        for i, name in enumerate(order):
            time.sleep(PAUSE)
            facts[name]["turns"].append(workers[name].turn())
            say(f"{name:12} {facts[name]['turns'][-1]['seconds']:8.3f} s")
            if name not in order[i + 1 :]:
                facts[name].update(workers[name].answer())
    return facts
