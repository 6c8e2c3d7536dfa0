"""Order what pytest runs, here and in `notebooks`, and give the helpers that several test modules use."""

import functools
import itertools
import os
import re
import signal
import tempfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from jupyter_client.manager import KernelManager
from mirrors import digests_of
from nbclient import NotebookClient
from sandbox import FAKE, Sandbox
from traitlets.config import Config
from xdist.scheduler import LoadScopeScheduling

from vae_course import mnist
from vae_course.teaching import cited_numbers
from vae_course.teaching.kernel import KERNEL_OPTIONS

# What a shell starts in the background ignores Ctrl-C, and so would all that these tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)
# What `make check` leaves out: browsers, gradings, trainings, other machines, and all lessons but one.
SLOW = (
    "browser/",
    "exercises/test_checks",
    "explorers/test_explorer.py",
    "runs/test_evaluate",
    "runs/test_explore",
    "runs/test_likelihood",
    "runs/test_sweep",
    "runs/test_train",
    "exercises/test_points",
    "grading/test_attacks",
    "grading/test_grade",
    "teaching/test_release",
    "teaching/test_running",
    "teaching/test_site",
    "test_benchmarks",
    "test_cli.py::test_a_likelihood_is_trained",
    "test_cli.py::test_train_trains",
    "test_few_labels",
    "test_lessons",
    "test_machine",
    "test_makefile",
    "test_mnist",
    "test_models.py::test_the_variance_learns",
    "test_pretrained",
    "test_training",
    "test_wheel",
)
RUN_LESSONS = "test_jupyterlab.py", "test_lessons.py"
ONE_LESSON = re.compile(r"test_lessons\.py::.*\[04_transposed_convolution\b")
# What comes first, as it takes longest, so that in the end no process is left alone with a long file.
FIRST = "browser/test_jupyterlab", ".ipynb", "test_lessons", "grading/", "browser/", "exercises/"


def pytest_collection_modifyitems(items):
    """Mark what takes long, and let it come first; with STRICT=1, let nbval compare numbers, too."""
    for item in items:
        if hasattr(item, "test_outputs") and os.environ.get("VAE_COURSE_STRICT"):
            item.runtest = functools.partial(run_strictly, item)
        if any(name in item.nodeid for name in SLOW) and not ONE_LESSON.search(item.nodeid):
            item.add_marker(pytest.mark.slow)
    files = {item: item.nodeid.split("::")[0] for item in items}
    items.sort(key=lambda item: [name in files[item] for name in FIRST], reverse=True)


def run_strictly(cell):
    """Let nbval execute a notebook's cell, and fail if a number that it records is not as expected."""
    type(cell).runtest(cell)
    run = cited_numbers.recorded(nbformat.from_dict({"cells": [{"outputs": cell.test_outputs}]}))
    if run:
        lesson = cited_numbers.read(cell.path.parent).get(cell.path.stem, {})
        expected = lesson.get(run["dataset"], {})
        differing = cited_numbers.differences(expected, run["numbers"])
        assert not differing, [(name, expected[name], run["numbers"][name]) for name in differing]


class Portions(LoadScopeScheduling):
    """Give a process a file or a notebook at a time, but of tests that run lessons, only those of one lesson.

    Marks for groups would say the same, but pytest-xdist 3.8 does not find them in pytest 9.2.
    """

    def _split_scope(self, nodeid):
        file = nodeid.split("::")[0]
        lesson = re.search(r"\[(\w+)", nodeid) if file.endswith(RUN_LESSONS) else None
        return f"{file} {lesson[1]}" if lesson else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Replace pytest-xdist's own schedulers."""
    return Portions(config, log)


@pytest.fixture(scope="session")
def file_sockets():
    """Give options of a kernel manager that needs no port: another program may take one that was free."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        number = itertools.count()
        yield lambda: {
            "transport": "ipc",
            "connection_file": str(Path(folder, f"{next(number)}.json")),
        }


@pytest.fixture(scope="session", autouse=True)
def nbval_kernels(file_sockets):
    """Start nbval's kernels like that."""
    with pytest.MonkeyPatch.context() as patch:
        manager = "nbval.kernel.KernelManager"
        patch.setattr(manager, lambda **names: KernelManager(**file_sockets(), **names))
        yield


@pytest.fixture(scope="session")
def execute(file_sockets):
    """Give a function that executes sources as the cells of a notebook in a fresh kernel."""

    def execute(*sources):
        cells = [nbformat.v4.new_code_cell(source) for source in sources]
        notebook = nbformat.v4.new_notebook(cells=cells)
        options = {"timeout": 120, "kernel_name": "python3", **KERNEL_OPTIONS}
        config = Config({"KernelManager": file_sockets()})
        return NotebookClient(notebook, config=config, **options).execute()

    return execute


@pytest.fixture
def sandbox(monkeypatch, tmp_path):
    """Let MNIST be the stand-in, every place for it empty, and no mirror be asked."""
    course = ("VAE_COURSE_DATA", "VAE_COURSE_DATASET")
    network = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
    for name in (*course, *network, *map(str.lower, network)):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("VAE_COURSE_MIRRORS", "")
    monkeypatch.setattr(mnist, "DIGESTS", digests_of(FAKE))
    monkeypatch.setattr(mnist, "_gave_up", set())
    return Sandbox(tmp_path, monkeypatch)


@pytest.fixture(scope="session")
def images():
    """Give 96 smooth blobs as images: enough to be trained on within seconds."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:28, :28]
    centres = rng.uniform(8, 20, (96, 2, 1, 1))
    blobs = np.exp(-((x - centres[:, 0]) ** 2 + (y - centres[:, 1]) ** 2) / 20)
    return blobs[..., None].astype("float32")


@pytest.fixture
def vae():
    """Give a compiled VAE with a small latent space."""
    import keras

    from vae_course.models import VAE, build_decoder, build_encoder

    keras.utils.set_random_seed(0)
    vae = VAE(build_encoder(3), build_decoder(3))
    vae.compile(optimizer="rmsprop")
    return vae
