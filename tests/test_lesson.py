"""What lessons do first and last: a quiet start, and seeds."""

import os
import subprocess
import sys

import pytest

from vae_course import lesson


def test_importing_the_package_loads_no_tensorflow():
    """`import vae_course` is quick: neither TensorFlow nor Keras nor Matplotlib comes with it."""
    code = "import vae_course, sys; print({'tensorflow', 'keras', 'matplotlib'} & set(sys.modules))"
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip() == "set()"


def test_begin_loads_tensorflow_without_a_word_and_sets_the_seed():
    """Two starts draw the same numbers; only the import is silenced: what comes later is heard."""
    code = (
        "from vae_course.lesson import begin; begin(3); import keras, numpy as np, os;"
        "print(np.random.rand(), float(keras.random.normal(()))); os.write(2, b'heard')"
    )
    runs = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert runs[0].stderr == "heard"
    assert runs[0].stdout == runs[1].stdout != ""


def test_linear_algebra_has_one_thread_wherever_it_is_loaded():
    """NumPy's library is loaded before `begin` here, SciPy's after it; this holds whatever a user has set."""
    code = (
        "import numpy; from vae_course.lesson import begin; begin(3); import sklearn, scipy.linalg;"
        "from threadpoolctl import threadpool_info;"
        "print({i['num_threads'] for i in threadpool_info() if i['user_api'] == 'blas'})"
    )
    command, options = [sys.executable, "-c", code], {"capture_output": True, "text": True}
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    assert subprocess.run(command, env=environment, check=True, **options).stdout.strip() == "{1}"


def test_a_process_without_standard_error_starts_as_well(monkeypatch):
    """A program without a console has none."""
    monkeypatch.setattr(sys, "stderr", None)
    with lesson._silent_stderr():
        pass

    def closed(descriptor):
        raise OSError("Bad file descriptor")

    monkeypatch.setattr(os, "dup", closed)
    with lesson._silent_stderr():
        pass


@pytest.mark.parametrize("value", ["True", "False", "0.5"])
def test_a_text_is_no_measurement(value):
    """Nor is it a claim, whatever it says."""
    with pytest.raises(ValueError, match=f"beats_pca=.*'{value}'.* is not a finite number"):
        lesson.record("MNIST", beats_pca=value)
