"""Check whether this machine is ready: `self_check` tells a reader, `check_machine` stops a lesson in time.

Every check names the cure for a problem. None of them imports TensorFlow or Keras.
"""

import contextlib
import hashlib
import importlib.machinery
import importlib.metadata
import json
import logging
import os
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import NamedTuple

PYTHONS = ((3, 11), (3, 12), (3, 13))  # as requires-python in pyproject.toml
MAIN = ("tensorflow", "keras", "numpy", "matplotlib", "jupyterlab", "ipywidgets")
TRAINED = Path(__file__).with_name("trained")
# Same as pretrained.NAMES, because importing that module would import Keras.
CHECKPOINTS = "ae-2-mnist vae-2-mnist vae-100-mnist ae-2-digits vae-2-digits vae-100-digits".split()
# Seconds that each lesson takes with its default parameters, measured on 2 cores.
SECONDS = {0: 26, 1: 45, 2: 21, 3: 30, 4: 22, 5: 45, 6: 30}
OWN_GROUPS, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
FILE_CACHE = ("inactive_file", "active_file")
LEAST_GIGABYTES = 3  # free: one lesson takes up to 2 GB, JupyterLab and a browser the rest
REINSTALL = (
    "In the course's folder, run `make clean` and `make lab` (without make, see the README)."
)
PACKAGES = "tensorflow keras numpy scipy sklearn matplotlib PIL IPython".split()
# Keras' defaults, with which the shipped models and the numbers in the lessons were made.
KERAS_SETTINGS = {
    "backend": "tensorflow",
    "floatx": "float32",
    "dtype_policy": "float32",
    "epsilon": 1e-7,
    "image_data_format": "channels_last",
    "nnx_enabled": False,
    "max_epochs": None,
    "max_steps_per_epoch": None,
}
AGAIN = "then start again (in a notebook: restart the kernel)."
VARIABLES = "KERAS_BACKEND KERAS_NNX_ENABLED KERAS_MAX_EPOCHS KERAS_MAX_STEPS_PER_EPOCH".split()


class Finding(NamedTuple):
    """What was checked, what was found, whether that is fine and, if not, how to fix it."""

    what: str
    value: str
    ok: bool
    cure: str = ""


def self_check(dataset="auto"):
    """Check all that the lessons need, without downloading, and without importing TensorFlow or Keras.

    Args:
        dataset: What the lesson will pass to `load_digits`: "auto", "mnist" or "digits".

    Returns:
        List of `Finding`. A check that itself fails is a finding, too.
    """
    checks = {
        "Python": _python,
        "packages": _packages,
        "settings": _settings,
        "data set": partial(_data, dataset),
        "trained models": _trained,
        "processor cores": _cores,
        "free memory": _memory,
        "time to run": _time,
    }
    return [finding for what, check in checks.items() for finding in _guarded(what, check)]


def report(findings):
    """Print findings, one per line, each problem with its cure below it, and a verdict at the end.

    Args:
        findings: List of `Finding`, as `self_check` returns it.
    """
    width = max((len(finding.what) for finding in findings), default=0)
    for what, value, ok, cure in findings:
        print(f"{'ok' if ok else 'CURE':4}  {what:{width}}  {value}")
        if not ok:
            print(f"{'':{width + 6}}  -> {cure}")
    wrong = sum(not finding.ok for finding in findings)
    things = "1 thing" if wrong == 1 else f"{wrong} things"
    print(f"{things} to fix, see CURE above." if wrong else "Everything is ready.")


def _guarded(what, check):
    try:
        return check()
    except Exception as error:  # of any kind, because a self-check that crashes helps nobody
        value = f"could not be checked ({type(error).__name__}: {error})"
        return [Finding(what, value, False, REINSTALL)]


def _python():
    found = ".".join(map(str, sys.version_info[:3]))
    cure = (
        "Install Python 3.11, 3.12 or 3.13, then run `make clean` and `make lab PYTHON=python3.12`."
    )
    return [Finding("Python", found, sys.version_info[:2] in PYTHONS, cure)]


def _packages():
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in importlib.metadata.requires("vae-course")]
    wanted = [need for need in wanted if not need.marker or need.marker.evaluate({"extra": ""})]
    found = [row for need in wanted for row in _guarded(need.name, partial(_package, need))]
    shown = [finding for finding in found if finding.what in MAIN or not finding.ok]
    value = f"{len(found) - len(shown)} installed, of versions that fit"
    return [*shown, Finding("other packages", value, True)]


def _package(need):
    cure = f'In a new cell: `%pip install "{need.name}{need.specifier}"`, then restart the kernel.'
    try:
        version = importlib.metadata.version(need.name)
    except importlib.metadata.PackageNotFoundError:
        return [Finding(need.name, "is not installed", False, cure)]
    if need.specifier.contains(version, prereleases=True):
        return [Finding(need.name, version, True)]
    return [Finding(need.name, f"{version}, but the course needs {need.specifier}", False, cure)]


def _settings():
    if found := faults():
        return [Finding("settings", what, False, cure) for what, cure in found]
    return [Finding("settings", "as the course needs them", True)]


def _data(dataset):
    from vae_course import data, mnist

    try:
        choice = data.choose(dataset)
    except ValueError as error:
        return [Finding("data set", "unknown", False, str(error))]
    if choice == "digits":
        return [Finding("data set", "embedded digits, inside scikit-learn", True)]
    return _mnist(choice, mnist.check_mnist())


def _mnist(choice, places):
    """Judge the places in the order of `load_digits`, which takes the first that has MNIST."""
    empty = []
    for place, path, _, ok in places:
        if ok:
            return [*empty, Finding("data set", f"MNIST, from: {place}", True)]
        if path and place != "Keras cache":  # Keras repairs its own file
            return [*empty, _damaged(place)]
        if not path and place == "VAE_COURSE_DATA":
            cure = "Set VAE_COURSE_DATA to the folder that holds mnist.npz, or unset it."
            empty = [Finding("VAE_COURSE_DATA", "has no MNIST", False, cure)]
    if choice == "mnist":
        cure = "Download it while online: `make data` or `vae-course data`."
        return [*empty, Finding("data set", "MNIST is not on this machine", False, cure)]
    value = "embedded digits, unless MNIST can be downloaded: `make data` or `vae-course data`"
    return [*empty, Finding("data set", value, True)]


def _damaged(place):
    cure = "Delete it, or run `vae-course data`, which downloads a good one."
    if place == "VAE_COURSE_DATA":
        cure = "Replace or delete it, or set VAE_COURSE_DATA to another folder."
    return Finding("data set", f"MNIST is damaged, in: {place}", False, cure)


def _trained():
    bad = " ".join(name for name in CHECKPOINTS if not _is_whole(name))
    cure = f"`git checkout vae_course/trained`, or retrain: `python -m vae_course.runs.ship {bad}`."
    value = f"damaged or missing: {bad}" if bad else f"{len(CHECKPOINTS)} shipped, all whole"
    return [Finding("trained models", value, not bad, cure)]


def _is_whole(name):
    try:
        card = json.loads((TRAINED / f"{name}.json").read_text(encoding="utf-8"))
        model = (TRAINED / f"{name}.keras").read_bytes()
        return hashlib.sha256(model).hexdigest() == card["sha256"]
    except (OSError, ValueError, KeyError):
        return False


def _groups(controller):
    """List the folders with the limits of this process's container, innermost first; Linux only."""
    folders = []
    for line in OWN_GROUPS.read_text().splitlines() if OWN_GROUPS.exists() else []:
        _, controllers, group = line.split(":", 2)
        if not controllers or controller in controllers.split(
            ","
        ):  # version 2 of control groups, or 1
            root = CGROUPS / controller if controllers else CGROUPS
            inner = root / group.lstrip("/")
            folders += [folder for folder in (inner, *inner.parents) if folder.is_relative_to(root)]
    return folders


def _read(folder, *names):
    """Return the words in the first of these files that exists."""
    for name in names:
        with contextlib.suppress(OSError):
            return (folder / name).read_text().split()
    return []


def _count_cores():
    mine = getattr(
        os, "sched_getaffinity", None
    )  # what this process may use, if the system says so
    counts = [len(mine(0)) if mine else os.cpu_count() or 1]
    for folder in _groups("cpu"):
        quota = _read(folder, "cpu.max") or (
            _read(folder, "cpu.cfs_quota_us") + _read(folder, "cpu.cfs_period_us")
        )
        if len(quota) == 2 and quota[0] not in ("max", "-1"):
            counts.append(int(quota[0]) / int(quota[1]))
    return min(counts)


def _cores():
    cure = "All lessons run, but take twice as long. Use at least 2 cores if you can."
    return [Finding("processor cores", f"{(count := _count_cores()):.3g}", count >= 2, cure)]


def free_memory():
    """Return how many bytes this process may still use, given the machine, its containers and ulimit."""
    import psutil

    free = [psutil.virtual_memory().available]
    for folder in _groups("memory"):
        limit = _read(folder, "memory.max", "memory.limit_in_bytes")
        if limit and limit != ["max"]:
            used = _read(folder, "memory.current", "memory.usage_in_bytes")
            words = _read(folder, "memory.stat")
            stat = dict(zip(words[::2], map(int, words[1::2]), strict=True))
            # The system frees its cache of files as soon as somebody needs the memory.
            files = [stat.get(f"total_{name}", stat.get(name, 0)) for name in FILE_CACHE]
            free.append(int(limit[0]) - int(used[0]) + sum(files))
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            free.append(limit - psutil.Process().memory_info().vms)
    return min(free)


def _memory():
    free = free_memory() / 1e9
    cure = "In JupyterLab: Kernel, Shut Down All Kernels; then close other programs or ask for more memory."
    return [Finding("free memory", f"{free:.1f} GB", free >= LEAST_GIGABYTES, cure)]


def _time():
    minutes = sum(SECONDS.values()) / 60 * (1 if _count_cores() >= 2 else 2)
    value = f"about {minutes:.0f} minutes for all {len(SECONDS)} lessons"
    return [Finding("time to run", value, True)]


class UnsupportedMachineError(ValueError):
    """Something on this machine would stop the course or change its numbers."""

    def _render_traceback_(self):
        """Return the lines that a notebook shows, without a traceback."""
        return [f"{type(self).__name__}: {self}"]


def check_machine():
    """Raise an error on a machine on which the course would stop half-way or give different numbers.

    Raises:
        UnsupportedMachineError: If there are `faults`.
    """
    if found := faults():
        raise UnsupportedMachineError("\n".join(f"{what} {cure}" for what, cure in found))


def faults():
    """List what would stop the course or change its numbers, without importing TensorFlow or Keras.

    Returns:
        List of pairs of one line each: what is wrong and where, and how to fix it.
    """
    others = _keras_faults, _tensorflow_faults, _matplotlib_faults
    return list(_hidden_packages()) or [fault for find in others for fault in find()]


def _hidden_packages():
    for name in PACKAGES:
        spec = importlib.machinery.PathFinder.find_spec(name)
        if spec and spec.origin and Path(spec.origin).stem != "__init__":
            yield f"{spec.origin} hides the package {name}.", f"Rename it, {AGAIN}"


def _unset(variable):
    in_notebook = f"in a notebook: `import os; del os.environ[{variable!r}]` in a new first cell"
    return f"Unset {variable} ({in_notebook}), {AGAIN}"


def _tensorflow_faults():
    if "auto_jit" in (flags := os.environ.get("TF_XLA_FLAGS", "")):
        what = f"TF_XLA_FLAGS={flags!r} makes TensorFlow compile its random numbers, which changes them."
        yield what, _unset("TF_XLA_FLAGS")


def _matplotlib_faults():
    # Its warnings are about its cache, and about settings that the course does not use.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        import matplotlib  # noqa: F401
    except Exception as error:
        reason = textwrap.shorten(str(error), 120, placeholder=" ...")
        cure = "Unset MPLBACKEND, and fix or delete your file matplotlibrc"
        yield f"Matplotlib does not start ({reason}).", f"{cure}, {AGAIN}"


def _keras_faults():
    """Report different settings and do not override them, because whoever chose them should know."""
    file = _keras_file()
    try:
        stored = json.loads(file.read_bytes()) if os.path.exists(file) else {}
    except ValueError:
        stored = {}  # Keras also ignores a file that is not JSON.
    except OSError as error:
        stored = error.strerror
    if not isinstance(stored, dict) or None in stored.values():
        yield f"Keras cannot use its file {file}: {stored}.", f"Delete it, {AGAIN}"
        return
    for name, wanted in KERAS_SETTINGS.items():
        variable = f"KERAS_{name.upper()}"
        told = {
            "in this session": _in_session(name),
            f"by {variable}": os.environ.get(variable) if variable in VARIABLES else None,
            f"in {file}": stored.get(name),
        }
        told = {where: value for where, value in told.items() if value is not None}
        value = next(iter(told.values()), wanted)  # the first place with a value wins
        follows_floatx = name == "dtype_policy" and value == _in_session("floatx")
        if value not in (wanted, str(wanted).lower()) and not follows_floatx:
            source = [where for where in told if told[where] == value][-1]
            what = f"Keras has {name}={value!r}, set {source}, but the course needs {wanted!r}."
            by_variable = source == f"by {variable}"
            yield what, _unset(variable) if by_variable else f"Remove that setting, {AGAIN}"


def _keras_file():
    """Return where Keras reads its settings from, following its own rules."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    return Path(os.path.expanduser(os.path.join(folder, "keras.json")))


def _in_session(name):
    """Return a setting of Keras if it is already loaded, or None."""
    config = getattr(sys.modules.get("keras"), "config", None)
    value = getattr(config, name, lambda: None)()
    return getattr(value, "name", value)  # of a dtype policy
