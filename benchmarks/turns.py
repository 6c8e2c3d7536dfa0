"""The worker's side: train inside one `fit`, but one epoch only whenever the conductor says so.

A worker says it is ready, then answers each line on its standard input with one line of JSON on its
standard output. While it waits it computes nothing, so several workers can take turns on an idle machine.
"""

import json
import os
import sys
import time

import psutil


class Turns:
    """A worker's line to the conductor.

    Whatever libraries print goes to standard error from here on: standard output carries only answers.
    """

    def __init__(self):
        sys.stdout.flush()
        self._answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self._start = time.perf_counter()
        self._waited = 0.0
        self._turn_start = None
        self.seconds = []

    def say(self, **facts):
        """Send one answer."""
        print(json.dumps(facts), file=self._answers, flush=True)

    def begin(self, **facts):
        """Wait for this worker's turn; the first time, say before that it is ready, with these facts."""
        start = time.perf_counter()
        if not self.seconds:
            self.say(ready=True, **facts)
        if not sys.stdin.readline():
            sys.exit("The conductor has gone.")
        self._turn_start = time.perf_counter()
        self._waited += self._turn_start - start

    def end(self, **facts):
        """Stop the clock of this turn and answer with its seconds and these facts."""
        self.seconds.append(time.perf_counter() - self._turn_start)
        start = time.perf_counter()
        self.say(seconds=self.seconds[-1], **facts)
        self._waited += time.perf_counter() - start

    def done(self, **facts):
        """Say that all turns are over: with memory and these facts."""
        self.say(done=True, peak_mb=peak_megabytes(), **facts)

    def start_clock(self):
        """Count `wall_seconds` from here: after imports and loading, before the network is built."""
        self._start, self._waited = time.perf_counter(), 0.0

    def wall_seconds(self):
        """Return the seconds since `start_clock` in which this worker did not wait for its turn."""
        return time.perf_counter() - self._start - self._waited


def callback(base, turns):
    """Make a Keras callback that takes turns.

    Args:
        base: `keras.callbacks.Callback`, or that of legacy Keras.
        turns: The worker's `Turns`.

    Returns:
        A callback: each epoch waits for its turn and answers with its seconds and its mean loss.
    """

    class TakeTurns(base):
        def on_epoch_begin(self, epoch, logs=None):
            parameters = int(self.model.count_params())
            turns.begin(turns=self.params["epochs"], parameters=parameters)

        def on_epoch_end(self, epoch, logs=None):
            turns.end(loss=float(logs["loss"]))

    return TakeTurns()


def settings():
    """Return the worker's settings, which the conductor gives as JSON on the command line."""
    return json.loads(sys.argv[1])


def peak_megabytes():
    """Return the most memory that this process has held so far, in MB (RSS)."""
    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):  # Windows
        return info.peak_wset / 1e6
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
