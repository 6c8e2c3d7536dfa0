"""Four empty places where MNIST may be, for tests, and a stand-in to put there."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from mirrors import digests_of, npz_bytes, stand_in

import vae_course
from vae_course import mnist

FAKE = stand_in()


class Sandbox:
    """The four places where MNIST may be, all empty, in a folder of the test's own."""

    def __init__(self, root, monkeypatch):
        self.root, self.monkeypatch = root, monkeypatch
        self.yours, self.data = root / "yours", root / "data"
        self.cache, self.keras = root / "cache", root / "keras" / "datasets"
        self.data.mkdir()
        monkeypatch.setenv("KERAS_HOME", str(root / "keras"))
        self.move_to(self.data, self.cache)

    def move_to(self, repository, cache):
        self.monkeypatch.setattr(mnist, "repository_data", lambda: repository)
        self.monkeypatch.setattr(mnist, "user_cache", lambda: cache)

    def use(self, folder):
        self.monkeypatch.setenv("VAE_COURSE_DATA", str(folder))

    def mirrors(self, *addresses):
        self.monkeypatch.setenv("VAE_COURSE_MIRRORS", " ".join(addresses))


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


def put_npz(folder, arrays=FAKE):
    put(folder, {"mnist.npz": npz_bytes(arrays)})
    return folder / "mnist.npz"


def damaged(array_name):
    arrays = {name: array.copy() for name, array in FAKE.items()}
    arrays[array_name].flat[0] ^= 1
    return arrays


def assert_is_fake(digits):
    assert digits.name == "MNIST"
    np.testing.assert_array_equal(digits.x_train[..., 0], FAKE["x_train"] / np.float32(255))
    np.testing.assert_array_equal(digits.x_test[..., 0], FAKE["x_test"] / np.float32(255))
    np.testing.assert_array_equal(digits.y_train, FAKE["y_train"])
    np.testing.assert_array_equal(digits.y_test, FAKE["y_test"])


def assert_well_formed(digits):
    for images, labels in ((digits.x_train, digits.y_train), (digits.x_test, digits.y_test)):
        assert images.shape == (len(labels), 28, 28, 1)
        assert images.dtype == np.float32 and labels.dtype == np.int64
        assert images.min() == 0 and images.max() == 1
        assert images.flags.c_contiguous
        for array in (images, labels):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0


def only_file_in(folder):
    (file,) = folder.iterdir()
    return file


def copy_package(root):
    shutil.copytree(
        Path(vae_course.__file__).parent,
        root / "vae_course",
        ignore=shutil.ignore_patterns("__pycache__", "trained"),
    )
    return root


def start_python(code, cwd, **options):
    prelude = f"from vae_course import mnist; mnist.DIGESTS = {json.dumps(digests_of(FAKE))}\n"
    environment = os.environ | {
        "PYTHONPATH": str(cwd),
        "OMP_NUM_THREADS": "1",
        "XDG_CACHE_HOME": str(cwd / "cache"),
    }
    return subprocess.Popen(
        [sys.executable, "-c", prelude + code],
        cwd=cwd,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def output_of(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out


def run_python(code, cwd, **options):
    return output_of(start_python(code, cwd, **options))
