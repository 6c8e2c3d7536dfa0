"""Check whether this machine is ready: `self_check` tells a reader, `check_machine` stops a lesson in time.

Every check names the cure for a problem. None of them imports TensorFlow or Keras.
"""

import contextlib
import importlib.machinery
import importlib.metadata
import itertools
import json
import logging
import os
import platform
import sys
import textwrap
from pathlib import Path
from typing import NamedTuple

from vae_course import pretrained

MAIN = ("tensorflow", "keras", "numpy", "matplotlib", "jupyterlab", "ipywidgets")
# Seconds that each lesson takes with its default parameters, measured on 2 cores.
SECONDS = {0: 26, 1: 45, 2: 21, 3: 30, 4: 22, 5: 45, 6: 30, 7: 45, 8: 60, 9: 60}
OWN_GROUPS, CGROUPS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
LEAST_GIGABYTES = 3  # free: one lesson takes up to 2 GB, JupyterLab and a browser the rest
REINSTALL = (
    "In the course's folder, delete `.venv` and run `make lab` (without make, see the README)."
)
PACKAGES = "tensorflow keras numpy scipy sklearn matplotlib PIL IPython anywidget traitlets".split()
PACKAGES += "psutil packaging joblib pooch requests tqdm".split()
# Where a package and its distribution have different names.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow"}
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
        "packages": _packages,
        "settings": _settings,
        "data set": lambda: _data(dataset),
        "trained models": _trained,
        "free memory": _memory,
        "processor cores": _cores,
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


def _guarded(what, check, *arguments):
    try:
        return list(check(*arguments))
    except Exception as error:  # of any kind, because a self-check that crashes helps nobody
        value = f"could not be checked ({type(error).__name__}: {error})"
        return [Finding(what, value, False, REINSTALL)]


def _packages():
    from packaging.requirements import Requirement

    wanted = [Requirement(line) for line in importlib.metadata.requires("vae-course")]
    wanted = [need for need in wanted if not need.marker or need.marker.evaluate({"extra": ""})]
    found = [row for need in wanted for row in _guarded(need.name, _package, need)]
    shown = [finding for finding in found if finding.what in MAIN or not finding.ok]
    value = f"{len(found) - len(shown)} installed, in suitable versions"
    # pip does not install the course for a Python that does not fit.
    python = Finding("Python", platform.python_version(), True)
    return [python, *shown, Finding("other packages", value, True)]


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
    found = [Finding("settings", what, False, cure) for what, cure in faults()]
    return found or [Finding("settings", "as the course needs them", True)]


def _data(dataset):
    """Judge the places in the order of `load_digits`, which takes the first that has MNIST."""
    from vae_course import data, mnist

    try:
        choice = data.choose(dataset)
    except ValueError as error:
        yield Finding("data set", "unknown", False, str(error))
        return
    for status in mnist.check_mnist() if choice != "digits" else []:
        if status.ok:
            yield Finding("data set", f"MNIST, from: {status.place}", True)
            return
        if status.cure and status.path:
            yield Finding("data set", f"MNIST is damaged, in: {status.place}", False, status.cure)
            return
        if status.cure:
            yield Finding(status.place, "has no MNIST", False, status.cure)
    download = "`make data` or `vae-course data`"
    if choice == "mnist":
        cure = f"Download it while online: {download}."
        yield Finding("data set", "MNIST is not on this machine", False, cure)
    else:
        unless = f", unless MNIST can be downloaded: {download}" if choice == "auto" else ""
        yield Finding("data set", f"embedded digits, inside scikit-learn{unless}", True)


def _trained():
    from vae_course.data import load_heart

    bad = " ".join(_damaged(pretrained.read_card, pretrained.NAMES))
    cure = f"`git checkout vae_course/trained`, or retrain: `python -m vae_course.runs.ship {bad}`."
    value = f"damaged or missing: {bad}" if bad else f"{len(pretrained.NAMES)} shipped, all intact"
    yield Finding("trained models", value, not bad, cure)
    bad = [
        *_damaged(pretrained.table, pretrained.MAKERS),
        *_damaged(pretrained.measured, pretrained.DATASETS, "recipes-"),
        *_damaged(pretrained.beta_sweep, pretrained.DATASETS, "beta-sweep-"),
        *_damaged(lambda _: load_heart(), ["heart"]),
    ]
    if bad:
        cure = "`git checkout vae_course`, or install the course again."
        yield Finding("measurements", f"damaged or missing: {' '.join(bad)}", False, cure)


def _damaged(load, names, prefix=""):
    """Yield the names, with the prefix of their files, of what cannot be loaded."""
    for name in names:
        try:
            load(name)
        except ValueError:
            yield prefix + name


def _cores():
    import joblib

    try:
        count = joblib.cpu_count()  # what its affinity and its container leave to this process
    except ValueError:
        limit = f"LOKY_MAX_CPU_COUNT={os.environ.get('LOKY_MAX_CPU_COUNT')!r}"
        yield Finding("processor cores", limit, False, _unset("LOKY_MAX_CPU_COUNT"))
        return
    cure = "All lessons run, but take twice as long. Use at least 2 cores if you can."
    yield Finding("processor cores", str(count), count >= 2, cure)
    minutes = sum(SECONDS.values()) / 60 * (1 if count >= 2 else 2)
    yield Finding(
        "time to run", f"about {minutes:.0f} minutes for all {len(SECONDS)} lessons", True
    )


def _words(folder, *names):
    """Return the words in the first of these files that exists."""
    files = filter(os.path.isfile, (Path(folder, name) for name in names))
    return Path(next(files, os.devnull)).read_text().split()


def free_memory():
    """Return how many bytes this process may still use, given the machine, its containers and ulimit."""
    import psutil

    free = [psutil.virtual_memory().available]
    # Of control groups, version 2 lists its own one as 0::/path; version 1 shows a container's at the root.
    own = next((word[3:] for word in _words("", OWN_GROUPS) if word.startswith("0::")), "/")
    inner = CGROUPS / own.lstrip("/")
    for folder in (CGROUPS / "memory", inner, *inner.parents):
        limit = _words(folder, "memory.max", "memory.limit_in_bytes")
        used = _words(folder, "memory.current", "memory.usage_in_bytes")
        if limit and used and limit != ["max"]:
            words = _words(folder, "memory.stat")
            stat = dict(zip(words[::2], words[1::2], strict=True))
            # The system frees its cache of files as soon as somebody needs the memory.
            files = [int(stat.get(f"{kind}_file", 0)) for kind in ("inactive", "active")]
            free.append(int(limit[0]) - int(used[0]) + sum(files))
    with contextlib.suppress(ImportError):  # Windows has no such limits
        import resource

        taken = psutil.Process().memory_info()
        for kind, used in (resource.RLIMIT_AS, "vms"), (resource.RLIMIT_DATA, "data"):
            if (limit := resource.getrlimit(kind)[0]) != resource.RLIM_INFINITY:
                free.append(limit - getattr(taken, used, 0))  # macOS does not tell the second
    return min(free)


def _memory():
    free = free_memory() / 1e9
    cure = "In JupyterLab: Kernel, Shut Down All Kernels; then close other programs or ask for more memory."
    yield Finding("free memory", f"{free:.1f} GB", free >= LEAST_GIGABYTES, cure)


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
    """Report files and folders that would be imported in the place of a package, or of a part of Python."""
    find = importlib.machinery.PathFinder.find_spec
    for name in PACKAGES:
        if (spec := find(name)) and spec.origin and not _is_own(name, spec.origin):
            yield _hiding(spec, f"the package {name}")
    # What Python searches before its own library: the notebook's folder, and those in PYTHONPATH.
    own = Path(os.__file__).parent, Path(sys.base_prefix, "DLLs")
    own, places = set(map(os.path.realpath, own)), map(os.path.realpath, sys.path)
    first = list(itertools.takewhile(lambda place: place not in own, places))
    for name in sorted(sys.stdlib_module_names - set(sys.builtin_module_names)):
        spec = find(name, first)
        if spec and spec.origin and not importlib.machinery.FrozenImporter.find_spec(name):
            yield _hiding(spec, f"Python's own module {name}")


def _is_own(name, origin):
    """Say whether a package's file is its distribution's, or as far as that is known, a package at all."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        installed = importlib.metadata.distribution(DISTRIBUTIONS.get(name, name))
        file = str(installed.locate_file(f"{name}/__init__.py"))
        # If not, it is in a zip file, or in the folder of somebody who develops it.
        if os.path.exists(file):
            return os.path.realpath(file) == os.path.realpath(origin)
    return Path(origin).stem == "__init__"


def _hiding(spec, what):
    """Return a fault: the file or folder that hides something, and how to fix it."""
    path = Path(spec.origin)
    variable = ", or unset PYTHONPATH" if os.environ.get("PYTHONPATH") else ""
    place = path.parent if path.stem == "__init__" else path
    return f"{place} hides {what}.", f"Rename it{variable}, {AGAIN}"


def _unset(variable):
    in_notebook = f"in a notebook: `import os; del os.environ[{variable!r}]` in a new first cell"
    return f"Unset {variable} ({in_notebook}), {AGAIN}"


def _tensorflow_faults():
    if flags := os.environ.get("TF_XLA_FLAGS", "").strip():
        what = f"TF_XLA_FLAGS={flags!r} changes TensorFlow's random numbers, or stops it."
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
            cure = (
                _unset(variable) if source == f"by {variable}" else f"Remove that setting, {AGAIN}"
            )
            yield what, cure


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
