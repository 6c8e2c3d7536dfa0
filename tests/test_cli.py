"""The command line as its user sees it: exit status, messages, no tracebacks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tiny import tiny_digits

from vae_course import cli
from vae_course.cli import main
from vae_course.mnist import check_mnist
from vae_course.runs import files, settings


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
    for command in (
        "run",
        "lab",
        "site",
        "slides",
        "train",
        "sweep",
        "evaluate",
        "explore",
        "data",
        "refresh",
        "tidy",
    ):
        assert command in output.stdout
        assert call(command, "--help")[0] == 0


def start(code, *arguments, **options):
    """Start the program as its script does, after some code; return what came of it."""
    code += "\nfrom vae_course.__main__ import main\nmain()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def test_ctrl_c_while_the_program_loads_shows_no_traceback():
    """Exit status 130, as later."""
    code = """
import signal, sys
class Finder:
    def find_spec(name, *_):
        if name == "numpy":
            signal.raise_signal(signal.SIGINT)
sys.meta_path.insert(0, Finder)
"""
    done = start(code, "data", "--check")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_the_program_has_streams_and_so_have_those_that_it_starts():
    """Where there are none, a file that is opened next must not take the number of standard error."""
    code = """
import subprocess, sys
from vae_course import __main__
__main__.prepare()
assert [sys.stdin.fileno(), sys.stdout.fileno(), sys.stderr.fileno()] == [0, 1, 2]
print("told", file=sys.stderr)
child = "import sys; sys.exit(7 if sys.stdin and sys.stdout and sys.stderr else 1)"
sys.exit(subprocess.run([sys.executable, "-c", child]).returncode)
"""
    script = 'exec "$@" <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", script, "sh", sys.executable, "-c", code]).returncode == 7


def test_warnings_that_the_user_made_errors_stop_nothing(nowhere):
    """They are those of packages, about their own future."""
    code = """
import sys
class Finder:
    def find_spec(name, *_):
        if name == "click":
            import warnings
            warnings.warn("is deprecated", DeprecationWarning)
sys.meta_path.insert(0, Finder)
"""
    done = start(code, "data", "--check", env=os.environ | {"PYTHONWARNINGS": "error"})
    assert done.returncode == 1 and "To download it: vae-course data" in done.stderr
    assert "deprecated" not in done.stderr


def test_a_user_without_a_home_is_told_the_cure(monkeypatch):
    """Jupyter needs one."""
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)
    monkeypatch.setattr(cli, "check_machine", lambda: Path.home())
    status, output = call("run")
    assert status == 1 and "home directory. Set HOME to a folder that you may write to." in output


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
    assert status == 1 and "To download it: vae-course data" in output


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


@pytest.fixture
def blobs(monkeypatch):
    """Train on a few blobs."""
    monkeypatch.setattr(settings, "load_digits", tiny_digits)


def test_train_trains_and_says_what_came_of_it(blobs, tmp_path):
    """Data set, score beside the lecture's, and why they cannot be compared; a second call repeats it."""
    out = tmp_path / "run"
    arguments = ("train", "--epochs", "1", "--latent-dim", "2", "--out", str(out))
    status, output = call(*arguments)
    assert status == 0, output
    card = files.read_card(out)
    for text in (output, call("train", "--resume", "--out", str(out))[1]):
        assert f"score is [{card['test_scores']['loss']:.3f}, " in text
        assert "[28.217, 0.01979] on MNIST" in text
        assert "this run is on embedded digits, latent_dim 2, beta 1." in text
    assert "already complete" in text
    status, output = call(*arguments)
    assert status == 1 and "run is not empty" in output and files.read_card(out) == card


def test_a_likelihood_is_trained_and_estimated(blobs, tmp_path):
    """Black-and-white images, several draws; `evaluate` estimates log p(x), the card has the command."""
    out = tmp_path / "run"
    options = ("--likelihood", "bernoulli", "--draws", "3", "--epochs", "1", "--latent-dim", "2")
    status, output = call("train", *options, "--out", str(out))
    assert status == 0, output
    assert "beta 1, likelihood bernoulli, draws 3." in output
    assert "--likelihood bernoulli --draws 3" in files.read_card(out)["command"]
    status, output = call("train", "--resume", "--draws", "4", "--out", str(out))
    assert status == 1 and "--draws 4 contradicts" in output
    status, output = call("evaluate", str(out), "--log-likelihood", "5", "--first", "7")
    assert status == 0, output
    assert "by 5 draws for each of 7 images" in output
    for wrong, cure in (
        (("--first", "7"), "add --log-likelihood"),
        (
            ("--log-likelihood", "5", "--first", "1"),
            "1 is not in the range x>=2",  # a single image has no standard error
        ),
    ):
        status, output = call("evaluate", str(out), *wrong)
        assert status == 2 and cure in output


@pytest.mark.parametrize(
    "option", [("--epochs", "0"), ("--latent-dim", "0"), ("--beta", "nan"), ("--seed", "-1")]
)
def test_train_refuses_numbers_that_make_no_training(option, tmp_path):
    """Exit status 1, the value and the cure; no folder is made."""
    status, output = call("train", *option, "--out", str(tmp_path / "run"))
    assert status == 1 and f"={option[1]} " in output and "use a" in output
    assert not (tmp_path / "run").exists()


def test_train_refuses_before_it_loads_tensorflow(tmp_path):
    """A folder that is not empty, a card that contradicts: told within a second or two, not ten."""
    (tmp_path / "notes.txt").touch()
    code = (
        "import sys; from vae_course.cli import main\n"
        "try: main(['train', '--dataset', 'digits', '--out', sys.argv[1], *sys.argv[2:]])\n"
        "except SystemExit as end: print(end.code, {'tensorflow', 'keras'} & set(sys.modules))"
    )
    for option, told in ((), "is not empty"), (("--resume",), "holds no run"):
        command = [sys.executable, "-c", code, str(tmp_path), *option]
        result = subprocess.run(command, capture_output=True, text=True, check=True)
        assert result.stdout == "1 set()\n" and told in result.stderr
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_train_interrupted_before_it_begins_has_changed_nothing(monkeypatch, tmp_path):
    """Ctrl-C while data are looked for: exit status 130 as ever."""

    def interrupted(dataset):
        raise KeyboardInterrupt

    monkeypatch.setattr(settings, "load_digits", interrupted)
    status, output = call("train", "--out", str(tmp_path / "run"))
    assert status == 130 and "half-written" in output and not os.listdir(tmp_path)


def test_evaluate_takes_the_data_set_from_the_card_and_judges():
    """The name of a shipped model is enough: spread, range, verdict, yardstick."""
    status, output = call("evaluate", "vae-2-digits")
    assert status == 0, output
    assert "vae-2-digits: VAE, latent_dim 2, beta 1" in output
    assert "scored on the 297 test images of embedded digits" in output
    (row,) = [line.split() for line in output.splitlines() if line.startswith("loss")]
    assert float(row[2]) > 0 and row[-1] == "within"
    assert "active units" in output and "mean training image" in output


def test_evaluate_as_json_prints_one_object_and_the_same_at_every_call(monkeypatch, nowhere):
    """What is said about missing data goes to standard error; another data set than the card's is scored."""
    arguments = ["evaluate", "ae-2-mnist", "--dataset", "auto", "--json"]
    runs = [CliRunner().invoke(main, arguments) for _ in range(2)]
    assert [run.exit_code for run in runs] == [0, 0]
    assert runs[0].stdout == runs[1].stdout
    report = json.loads(runs[0].stdout)
    assert "embedded digits of scikit-learn instead" in runs[0].stderr
    assert (report["model"], report["kind"]) == ("ae-2-mnist", "ae")
    assert (report["dataset"], report["trained_on"]) == ("embedded digits", "MNIST")
    assert report["note"] == "no range measured for a model trained on MNIST"
    assert report["scores"]["reconstruction"]["mean"] > 0 and "kl" not in report["scores"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--out", ""),
        ("run", "--notebooks", ""),
        ("lab", ""),
        ("slides", "--out", " "),
        ("train", "--images", ""),
        ("train", "--out", ""),
        ("sweep", ""),
        ("evaluate", ""),
        ("evaluate", "vae-2-digits", "--images", ""),
        ("explore", "vae-2-digits", "--images", ""),
        ("explore", "vae-2-digits", "--out", ""),
        ("grade", ""),
        ("tidy", ""),
    ],
    ids=" ".join,
)
def test_an_empty_path_is_refused(arguments, monkeypatch, tmp_path):
    """It comes from a variable that is not set, and would mean the present folder, or nothing at all."""
    monkeypatch.chdir(tmp_path)
    status, output = call(*arguments)
    (told,) = [line for line in output.splitlines() if line.startswith("Error: ")]
    assert status == 2 and "it is empty: name a file or folder, or leave it out." in told
    option = [name for name in arguments if name.startswith("--")]
    assert not option or f"'{option[0]}'" in told
    assert not os.listdir(tmp_path)


def test_evaluate_takes_pictures_or_a_data_set(tmp_path):
    """Not both, because they are two different data sets."""
    status, output = call("evaluate", "vae-2-digits", "--dataset", "digits", "--images", "mine")
    assert status == 2 and "name two different data sets: leave one out" in output


@pytest.mark.parametrize("content", [None, b"no model"])
def test_evaluate_refuses_what_is_no_model(tmp_path, content):
    """Exit status 1, the file, the cure, no traceback."""
    path = tmp_path / "model.keras"
    if content:
        path.write_bytes(content)
    status, output = call("evaluate", str(path))
    assert status == 1 and str(path) in output.replace("\n", "") and "use " in output.lower()
    assert "Traceback" not in output
