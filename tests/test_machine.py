"""The same numbers and pictures on every machine; what the course does not support is refused at once."""

import base64
import hashlib
import importlib.metadata
import json
import os
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from click.testing import CliRunner
from nbclient.exceptions import CellExecutionError
from pins import ROOT
from sandbox import put

from vae_course import lesson
from vae_course import self_check as checks
from vae_course.cli import main
from vae_course.self_check import self_check

# What a lesson does, in short: it trains, decodes, and draws text, mathematics and a map.
LESSON = """
from vae_course.lesson import begin, record
begin(3)
import hashlib, keras, matplotlib.pyplot as plt, numpy as np
from vae_course import plotting, pretrained, training
from vae_course.data import Digits, load_digits
data = load_digits("digits")
few = [part[:64].copy() for part in (data.x_train, data.y_train, data.x_test, data.y_test)]
_, history = training.train("fast", Digits(*few, data.name, "a test"), latent_dim=2, epochs=2)
vae, _ = pretrained.load("vae-2-digits")
z = vae.encoder.predict(data.x_test, verbose=0)[0]
fig, (left, right) = plt.subplots(1, 2)
plotting.latent_map(z, data.y_test, left).set_title(r"Schön: $\\mu^2 \\approx -1$")
plotting.loss_curves({"loss": [3, -2]}, ax=right)
"""
SCRIPT = """
png = plotting.bundle(fig, "A map of digits and a curve.")[0]["image/png"]
print(hashlib.sha256(png).hexdigest(), history["loss"][-1], np.random.rand(), z[:1])
"""
CELL = """
plotting.show(fig, "A map of digits and a curve.")
print(history["loss"][-1], np.random.rand(), z[:1])
"""
MATPLOTLIBRC = """
backend: tkagg
text.usetex: True
font.family: monospace
font.size: 30
mathtext.fontset: cm
axes.unicode_minus: False
axes.grid: True
axes.formatter.use_locale: True
savefig.transparent: True
savefig.pad_inches: 2
figure.autolayout: True
image.origin: lower
path.sketch: 1, 100, 2
interactive: True
no.such.key: 1
"""
START_UP = """
import numpy as np, matplotlib.pyplot as plt
plt.style.use("dark_background")
np.set_printoptions(precision=1)
seed, plotting, begin = "mine", "mine", "mine"
"""
IPYTHON_CONFIG = """
c.InlineBackend.rc = {"figure.figsize": (20, 3), "font.size": 30}
c.InlineBackend.figure_formats = {"svg"}
"""


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Give a folder for `keras.json`, to a process that has not loaded Keras yet."""
    for name in (*checks.VARIABLES, "TF_XLA_FLAGS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")  # as `import vae_course` leaves it
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    return tmp_path


def only_fault():
    ((what, cure),) = checks.faults()
    assert "\n" not in what + cure and "start again" in cure
    return what


def python(folder, code, *arguments, **environment):
    """Run code in a process of its own; as a file, because an ASCII command line could not hold it."""
    put(folder, {"program.py": code.encode()})
    command = [sys.executable, folder / "program.py", *arguments]
    env = os.environ | environment
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def test_keras_as_it_comes_is_supported(fresh):
    """With no file, an empty one, a torn one, which Keras passes over, or one that Keras wrote itself."""
    good = {"floatx": "float32", "epsilon": 1e-07, "image_data_format": "channels_last"}
    for content in None, "", '{"floatx": ', "{}", json.dumps(good | {"backend": "jax"}):
        if content is not None:
            (fresh / "keras.json").write_text(content)
        assert checks.faults() == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("floatx", "float16"),
        ("floatx", "bfloat16"),
        ("epsilon", 1),
        ("image_data_format", "channels_first"),
        ("nnx_enabled", True),
    ],
)
def test_settings_in_the_file_of_keras_are_named(name, value, fresh):
    """With their value and the file, even where Keras would not start with them."""
    file = fresh / "keras.json"
    file.write_text(json.dumps({name: value}))
    what = only_fault()
    assert f"{name}={value!r}" in what and f"in {file}" in what
    assert repr(checks.KERAS_SETTINGS[name]) in what


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("KERAS_BACKEND", "jax"),
        ("KERAS_MAX_EPOCHS", "1"),
        ("KERAS_MAX_STEPS_PER_EPOCH", ""),
        ("KERAS_NNX_ENABLED", "1"),
        ("TF_XLA_FLAGS", "--tf_xla_auto_jit=2 --tf_xla_cpu_global_jit"),
        ("TF_XLA_FLAGS", "--no-such-flag"),  # which ends the process at the first training
    ],
)
def test_settings_by_the_environment_are_named(variable, value, fresh, monkeypatch):
    """With the variable, its value and how to unset it in a notebook."""
    monkeypatch.setenv(variable, value)
    assert variable in only_fault() and repr(value) in only_fault()
    assert f"del os.environ[{variable!r}]" in checks.faults()[0][1]


def test_settings_of_this_session_are_named(fresh, monkeypatch):
    """A Keras that is loaded counts for what it does, wherever that comes from."""
    import keras

    monkeypatch.setitem(sys.modules, "keras", keras)
    assert checks.faults() == []
    try:
        keras.config.set_dtype_policy("mixed_float16")
        assert "dtype_policy='mixed_float16', set in this session" in only_fault()
        keras.config.set_dtype_policy("float32")
        keras.config.set_max_epochs(3)
        assert "max_epochs=3, set in this session" in only_fault()
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_max_epochs(None)
    config = {"backend": "jax", "floatx": "float64", "dtype_policy": "float64"}
    stub = SimpleNamespace(**{name: lambda value=value: value for name, value in config.items()})
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(config=stub))
    (fresh / "keras.json").write_text('{"backend": "jax"}')
    (backend, _), (floatx, _) = checks.faults()  # the policy follows floatx
    assert f"in {fresh / 'keras.json'}" in backend and "in this session" in floatx


@pytest.mark.parametrize("home", [None, "~/k", "", "relative"])
def test_the_file_is_the_one_that_keras_reads(home, monkeypatch, tmp_path):
    """By Keras' own code, for every way to say where it is."""
    import keras.src.backend.config as config

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KERAS_HOME", raising=False)
    if home is not None:
        monkeypatch.setenv("KERAS_HOME", home)
    found = runpy.run_path(config.__file__)["_config_path"]
    assert os.path.abspath(checks._keras_file()) == os.path.abspath(found)


@pytest.mark.parametrize("content", [b"[1]", b'{"floatx": null}', None])
def test_a_file_that_keras_cannot_use_is_named(content, fresh):
    """Keras itself would end in a traceback."""
    if content:
        put(fresh, {"keras.json": content})
    else:
        (fresh / "keras.json").mkdir()
    assert str(fresh / "keras.json") in only_fault()


@pytest.mark.parametrize(
    ("name", "hidden"),
    [
        ("keras.py", "the package keras"),
        ("keras/__init__.py", "the package keras"),
        ("scipy/__init__.py", "the package scipy"),
        ("PIL/__init__.py", "the package PIL"),
        ("requests.py", "the package requests"),
        ("calendar.py", "Python's own module calendar"),
        ("types.py", "Python's own module types"),
        ("enum/__init__.py", "Python's own module enum"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_what_hides_a_package_or_a_part_of_python_is_named(
    name, hidden, zipped, fresh, monkeypatch
):
    """A file or a folder, beside the notebook or in a zip file, is imported in the place of Keras."""
    place = fresh / "all.zip" if zipped else fresh
    for file in (name, "other.py", "os.py", "time.py", "my keras/__init__.py"):
        if zipped:
            with zipfile.ZipFile(place, "a") as archive:
                archive.writestr(file, "")
        else:
            put((fresh / file).parent, {Path(file).name: b""})
    monkeypatch.syspath_prepend(place)
    assert only_fault() == f"{place / name.removesuffix('/__init__.py')} hides {hidden}."
    monkeypatch.setenv("PYTHONPATH", str(place))
    assert "unset PYTHONPATH" in checks.faults()[0][1]


def test_folders_that_hide_nothing_are_no_fault(fresh, monkeypatch):
    """Without `__init__.py`, Python prefers its own and the installed ones."""
    for name in ("keras", "scipy", "calendar", "json"):
        put(fresh / name, {"notes.txt": b""})
    monkeypatch.syspath_prepend(fresh)
    monkeypatch.syspath_prepend(
        Path(importlib.metadata.distribution("keras").locate_file(""))
    )  # as on a cluster, by PYTHONPATH
    assert checks.faults() == []


def test_a_package_that_is_developed_elsewhere_is_no_fault(fresh, monkeypatch):
    """Its distribution does not say where its files are; only a single file cannot be it."""
    put(fresh / "keras", {"__init__.py": b""})
    monkeypatch.syspath_prepend(fresh)
    developed = SimpleNamespace(locate_file=lambda file: fresh / "nowhere" / file)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: developed)
    assert checks.faults() == []
    (fresh / "keras" / "__init__.py").unlink()
    put(fresh, {"keras.py": b""})
    importlib.invalidate_caches()
    assert only_fault() == f"{fresh / 'keras.py'} hides the package keras."


def test_a_hidden_package_stops_a_lesson_at_its_start(tmp_path):
    """In a process of its own, whose first place to search is the folder of the file."""
    put(tmp_path / "scipy", {"__init__.py": b""})
    put(tmp_path, {"calendar.py": b""})
    result = python(tmp_path, "from vae_course.lesson import begin\nbegin(1)")
    told = result.stderr.splitlines()[-2:]
    for line, hidden in zip(told, ("scipy", "calendar.py"), strict=True):
        assert f"{tmp_path / hidden} hides" in line and "Rename it" in line


def test_a_matplotlib_that_does_not_start_is_named(fresh, tmp_path):
    """A backend that does not exist, a file that is not text."""
    put(tmp_path, {"matplotlibrc": b"font.size: \xff"})
    code = "from vae_course import self_check; print(self_check.faults())"
    for odd in {"MPLBACKEND": "nonsense"}, {"MATPLOTLIBRC": str(tmp_path)}:
        result = python(tmp_path, code, **odd)
        assert "Matplotlib does not start" in result.stdout and not result.stderr
        assert "MPLBACKEND" in result.stdout and "matplotlibrc" in result.stdout


def test_a_date_of_builds_that_is_none_stops_no_package(tmp_path):
    """NumPy would take it for a number as soon as SciPy is imported."""
    done = python(tmp_path, "import vae_course, numpy.f2py", SOURCE_DATE_EPOCH="yesterday")
    assert done.returncode == 0, done.stderr


COMMANDS = {
    "train": ["--out", "{}/run"],
    "evaluate": ["vae-2-digits"],
    "run": ["--out", "{}/out", "--dataset", "digits"],
    "refresh": [],
    "grade": ["{}", "--out", "{}/out"],
}


def test_lesson_commands_and_self_check_refuse_alike(fresh, execute):
    """The same words everywhere, no traceback, and nothing was begun."""
    (fresh / "keras.json").write_text('{"floatx": "float16"}')
    message = " ".join(checks.faults()[0])
    with pytest.raises(checks.UnsupportedMachineError) as refused:
        lesson.begin(1)
    assert str(refused.value) == message
    for command, arguments in COMMANDS.items():
        arguments = [argument.format(fresh) for argument in arguments]
        result = CliRunner().invoke(main, [command, *arguments])
        assert result.exit_code == 1 and result.output.strip() == f"Error: {message}"
    assert os.listdir(fresh) == ["keras.json"]
    (finding,) = [finding for finding in self_check("digits") if not finding.ok]
    assert f"{finding.value} {finding.cure}" == message
    with pytest.raises(CellExecutionError) as failed:
        execute("from vae_course.lesson import begin\n\nbegin(1)")
    assert str(failed.value).strip().endswith(f"UnsupportedMachineError: {message}")
    assert "lesson.py" not in str(failed.value)


def test_nothing_else_of_the_machine_or_its_user_counts(monkeypatch, tmp_path):
    """The same losses, numbers and pixels in a plain process, and in a kernel where all else is odd."""
    plain = python(tmp_path, LESSON + SCRIPT)
    assert plain.returncode == 0 and not plain.stderr, plain.stderr
    home = tmp_path / "a höme"
    put(home / ".keras", {"keras.json": b'{"backend": "jax"}'})
    put(home / ".config" / "matplotlib", {"matplotlibrc": MATPLOTLIBRC.encode()})
    put(home / ".ipython/profile_default/startup", {"00.py": START_UP.encode()})
    put(home / ".ipython/profile_default", {"ipython_config.py": IPYTHON_CONFIG.encode()})
    spec = {"argv": ["false"], "display_name": "Another", "language": "python"}
    put(home / ".local/share/jupyter/kernels/python3", {"kernel.json": json.dumps(spec).encode()})
    odd = {
        "HOME": str(home),
        "KERAS_BACKEND": "",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONOPTIMIZE": "2",
        "PYTHONHASHSEED": "7",
        "SOURCE_DATE_EPOCH": "yesterday",
        "TZ": "Asia/Tokyo",
        "TF_NUM_INTRAOP_THREADS": "1",
        "JUPYTER_PREFER_ENV_PATH": "0",
        "TMPDIR": "/nowhere",
    }
    for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "MPLCONFIGDIR", "IPYTHONDIR", "MATPLOTLIBRC"):
        monkeypatch.delenv(name, raising=False)
    cells = [nbformat.v4.new_code_cell(source) for source in (LESSON, CELL)]
    lessons = tmp_path / "my lessons"
    lessons.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), lessons / "07_probe.ipynb")
    arguments = ["run", "--dataset", "digits", "--notebooks", lessons, "--out", tmp_path]
    ran = python(tmp_path, "from vae_course.cli import main; main()", *arguments, **odd)
    assert ran.returncode == 0, ran.stderr
    picture, printed = nbformat.read(tmp_path / "07_probe.ipynb", 4).cells[1].outputs
    digest = hashlib.sha256(base64.b64decode(picture.data["image/png"])).hexdigest()
    assert f"{digest} {printed.text}" == plain.stdout
