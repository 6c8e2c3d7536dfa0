"""The command line as its user sees it: exit status, messages, no tracebacks."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from vae_course.cli import main
from vae_course.data import check_mnist


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """Let no place hold MNIST, and no mirror be asked."""
    monkeypatch.setenv("VAE_COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("VAE_COURSE_MIRRORS", "")
    monkeypatch.delenv("VAE_COURSE_DATASET", raising=False)
    if any(status.ok for status in check_mnist()):
        pytest.skip("the folder data/ holds MNIST: move it away to test its absence")
    return tmp_path


def call(*arguments):
    """Call the program; return its exit status and all that it printed."""
    result = CliRunner().invoke(main, arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.exit_code, result.output


def test_every_command_explains_itself():
    """--help works, names the commands, and loads no TensorFlow."""
    code = (
        "import sys; from vae_course.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('tensorflow' in sys.modules)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert output.stdout.strip().endswith("False")
    for command in ("run", "data", "refresh", "tidy"):
        assert command in output.stdout
        assert call(command, "--help")[0] == 0


def test_data_says_where_mnist_is():
    """Found, not fetched, where it is at hand; --check calls it good."""
    if not any(status.ok for status in check_mnist()):
        pytest.skip("MNIST is not here: fetch it with `vae-course data`")
    status, output = call("data")
    assert status == 0 and "MNIST is at" in output
    expected = 0 if all(status.ok for status in check_mnist() if status.path) else 1
    status, output = call("data", "--check")
    assert status == expected and "good" in output


def test_data_without_mnist_and_network_ends_with_places_and_cure(nowhere):
    """Exit status 1, every place, the cure, and no traceback."""
    status, output = call("data")
    assert status == 1
    assert str(nowhere) in output and "set VAE_COURSE_DATA" in output and "Traceback" not in output


def test_check_without_mnist_says_so(nowhere):
    """Nothing found is not good: the status is 1, and the cure is named."""
    status, output = call("data", "--check")
    assert status == 1 and "Fetch it: vae-course data" in output


def test_check_names_a_bad_file_and_leaves_it(nowhere):
    """Exit status 1, the file is still there."""
    bad = nowhere / "mnist.npz"
    bad.write_text("<html>not found</html>")
    status, output = call("data", "--check")
    assert status == 1 and str(bad) in output
    assert bad.exists()


def test_run_on_mnist_that_cannot_be_had_is_refused_before_any_lesson(nowhere):
    """`--dataset mnist` never falls back."""
    out = nowhere / "out"
    status, output = call("run", "--dataset", "mnist", "--out", str(out))
    assert status == 1 and "set VAE_COURSE_DATA" in output and not out.exists()


@pytest.mark.parametrize("option", [("--dataset", "cifar"), ("--profile", "slow")])
def test_run_refuses_what_it_does_not_know(option):
    """The error names the choices."""
    status, output = call("run", *option)
    assert status == 2 and ("'mnist'" in output or "'quick'" in output)


def test_run_takes_the_data_set_from_the_environment(nowhere, monkeypatch):
    """As make passes it: a wrong value is refused by name."""
    monkeypatch.setenv("VAE_COURSE_DATASET", "nonsense")
    status, output = call("run")
    assert status == 2 and "nonsense" in output


def test_maintenance_of_what_is_no_lesson_is_refused(tmp_path):
    """A lesson that does not exist, a file that is no notebook: a message, not a traceback."""
    status, output = call("refresh", "77")
    assert status == 1 and "There is no lesson '77'" in output
    broken = tmp_path / "broken.ipynb"
    broken.write_text('{"cells": [')
    status, output = call("tidy", str(broken))
    assert status == 1 and "JSON" in output
    assert broken.read_text() == '{"cells": ['
