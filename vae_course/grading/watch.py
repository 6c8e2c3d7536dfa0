"""Watch a cage, and end it when its processes together use more than they may."""

import contextlib
import subprocess
import threading
import time

import psutil

from vae_course.grading.cage import name_of


class Watch:
    """End a cage, with everything in it, that exceeds what its processes may use together.

    Args:
        process: The cage's first process, a number.
        kind: One of `cage.KINDS`.
        folder: Path of the folder of its sockets, the only place outside the cage where it can write.
        limits: Dictionary with the keys of `cage.LIMITS`.
        deadline: When it has to end, in seconds of `time.monotonic`.
    """

    def __init__(self, process, kind, folder, limits, deadline):
        self.why, self._kind, self._folder, self._limits = "", kind, folder, limits
        self._process, self._deadline = psutil.Process(process), deadline
        self._over = threading.Event()
        threading.Thread(target=self._look, daemon=True).start()

    def _look(self):
        while not self._over.wait(0.2):
            with contextlib.suppress(psutil.Error, OSError):
                if why := self._exceeded():
                    self.why = f"it was stopped because {why}"
                    self.end()

    def _exceeded(self):
        limits, memory = self._limits, 0
        family = self._process.children(recursive=True)
        for process in family:
            with contextlib.suppress(psutil.Error):
                memory += process.memory_info().rss
        if memory > limits["memory"]:
            return f"it used more than {limits['memory'] / 1e9:g} GB of memory"
        if len(family) > limits["processes"]:
            return f"it had more than {limits['processes']} processes"
        if sum(path.lstat().st_size for path in self._folder.rglob("*")) > 1_000_000:
            return "it wrote where only its sockets belong"
        if time.monotonic() > self._deadline:
            return f"{limits['seconds']} seconds for the notebook were over"
        return ""

    def end(self):
        """Stop watching, and end the cage."""
        self._over.set()
        if self._kind in ("docker", "podman"):
            subprocess.run([self._kind, "kill", name_of(self._folder)], capture_output=True)
        with contextlib.suppress(psutil.Error):
            self._process.kill()
