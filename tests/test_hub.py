"""What `make hub` needs is told in a line if it is missing; its files agree with lock and package."""

import asyncio
import importlib.util
import json
import os
import re
import socket
import stat
import subprocess
import sys
import tomllib
import types

import pytest
import yaml
from jupyterhub.auth import Authenticator
from packaging.specifiers import SpecifierSet
from packaging.version import Version
from pins import ROOT, locked
from traitlets.config import Config
from traitlets.utils.importstring import import_item

from vae_course.mnist import user_cache
from vae_course.runs.files import lock

HUB = ROOT / "hub"
NPM = [HUB, ROOT / "tests" / "browser"]
# What values.yaml may set under `singleuser`, and in its parts, by the chart's values.schema.yaml.
SCHEMA = {
    "image": {"name", "tag", "pullPolicy", "pullSecrets"},
    "defaultUrl": None,
    "cpu": {"limit", "guarantee"},
    "memory": {"limit", "guarantee"},
    "storage": {
        *("capacity", "dynamic", "extraLabels", "extraVolumeMounts", "extraVolumes"),
        *("homeMountPath", "static", "type"),
    },
    "lifecycleHooks": {"postStart", "preStop"},
}


@pytest.fixture
def start(monkeypatch, tmp_path):
    """Give hub/start.py, with a place of its own for the proxy."""
    spec = importlib.util.spec_from_file_location("start", HUB / "start.py")
    start = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(start)
    monkeypatch.setattr(start, "PROXY", tmp_path / "proxy")
    return start


def program(folder, name, text):
    """Write a stand-in for a program."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
@pytest.mark.parametrize(
    ("programs", "words"),
    [
        ({}, "needs Node.js: install node and npm"),
        ({"node": "echo v16.3.0"}, "needs Node.js 18 or newer, and .* is v16.3.0"),
        ({"node": "echo v20.1.0"}, "install npm"),
        (
            {"node": "echo v20.1.0", "npm": "echo 'npm error code E' >&2; exit 1"},
            "npm error code E",
        ),
    ],
)
def test_what_the_proxy_needs_is_told(start, programs, words, monkeypatch, tmp_path):
    """In a line that says what to install."""
    for name, text in {"true": "", **programs}.items():
        program(tmp_path / "bin", name, text)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(RuntimeError, match=words):
        start.install_proxy()


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
def test_the_proxy_is_fetched_once(start, monkeypatch, tmp_path):
    """And again only for another lock file."""
    program(tmp_path / "bin", "node", "echo v20.1.0")
    program(tmp_path / "bin", "npm", f"echo called >> {tmp_path}/calls")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    node, script = start.install_proxy()
    assert node == str(tmp_path / "bin" / "node") and script.startswith(str(tmp_path / "proxy"))
    start.install_proxy()
    assert (tmp_path / "calls").read_text() == "called\n"
    (tmp_path / "proxy" / "installed.json").write_text("older")
    start.install_proxy()
    assert (tmp_path / "calls").read_text() == "called\n" * 2


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
def test_a_taken_port_and_a_second_hub_are_told(start, monkeypatch, tmp_path, capsys):
    """Before anything is fetched or released."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(RuntimeError, match=f"port {port} is taken .* PORT=8001"):
            start.run(tmp_path / "hub", port)
    with pytest.raises(RuntimeError, match="port 70000 is .* out of reach"):
        start.run(tmp_path / "hub", 70000)
    with lock(tmp_path / "hub"), pytest.raises(RuntimeError, match="it is running already"):
        start.run(tmp_path / "hub", 0)
    monkeypatch.setattr(
        "sys.argv", ["start.py", "--port", "70000", "--folder", str(tmp_path / "x")]
    )
    with pytest.raises(SystemExit, match="^make hub: port 70000"):
        start.main()
    assert stat.S_IMODE((tmp_path / "hub").stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        *(("ada", True), ("ada.b-c", True), ("a", True), ("ö1", True)),
        *(("a*", False), ("ada b", False), ("ada_", False), ("_ada", False), ("ada\n", False)),
    ],
)
def test_a_name_that_makes_no_folder_is_refused(name, allowed):
    """The whole name is looked at."""
    text = (HUB / "jupyterhub_config.py").read_text(encoding="utf-8")
    (pattern,) = re.findall(r'username_pattern = r"(.*)"', text)
    config = Config({"Authenticator": {"username_pattern": pattern}})
    assert Authenticator(config=config).validate_username(name) == allowed


IMPATIENT = """
import os, pathlib, signal, subprocess, sys, threading, time
sys.path.insert(0, sys.argv[1])
import start
folder, real = pathlib.Path(sys.argv[2]), subprocess.Popen
hub = "import pathlib, signal, sys, time\\nsignal.signal(15, lambda *_: (pathlib.Path('asked').touch(),"
hub += " time.sleep(1), pathlib.Path('ended').touch(), sys.exit()))"
hub += "\\npathlib.Path('up').touch()\\ntime.sleep(60)"
subprocess.Popen = lambda command, **options: real([sys.executable, "-c", hub], **options)
start.wait_until_it_answers = lambda *_: None
start.run = lambda folder, port: start.serve(folder, dict(port=port, student="", instructor=""))

def press():
    for name in ("up", "asked"):
        while not (folder / name).exists():
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=press, daemon=True).start()
sys.argv = ["start.py", "--folder", str(folder)]
start.main()
"""


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
def test_a_second_ctrl_c_leaves_no_process_behind(tmp_path):
    """The hub is given the time that it needs to end its users' servers."""
    command = [sys.executable, "-c", IMPATIENT, str(HUB), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.endswith("The hub has stopped.\n"), done.stderr
    assert (tmp_path / "ended").exists()


def test_passwords_stay_the_same(start, tmp_path):
    """Also after a damaged file, when there are new ones."""
    first = start.passwords(tmp_path)
    assert len(first["student"]) >= 8 and len(first["instructor"]) >= 32
    (tmp_path / "hub.json").write_text(json.dumps(first | {"port": 8000}))
    assert start.passwords(tmp_path) == first
    (tmp_path / "hub.json").write_text("{")
    assert start.passwords(tmp_path) != first


def test_a_role_decides_what_a_server_gets(monkeypatch, tmp_path):
    """Its settings, for nbgrader whether it is a student who hands in or the owner of a course, and MNIST."""
    c = Config()
    monkeypatch.setenv("VAE_COURSE_SETTINGS", "/settings")
    monkeypatch.setenv("VAE_COURSE_DATA", str(tmp_path / "mnist.npz"))
    text = (HUB / "course_config.py").read_text()
    exec(compile(text, "course_config.py", "exec"), {"get_config": lambda: c})
    for admin, role in ((True, "instructors"), (False, "students")):
        user = types.SimpleNamespace(admin=admin)
        spawner = types.SimpleNamespace(user=user, environment={"KEPT": "1"})
        c.Spawner.pre_spawn_hook(spawner)
        assert spawner.environment["KEPT"] == "1" and spawner.environment["VAE_COURSE_ROLE"] == role
        shared = spawner.environment.get("VAE_COURSE_DATA")
        assert shared == (None if admin else str(tmp_path / "mnist.npz"))
        (tmp_path / "mnist.npz").touch()  # for the second of them
        path = spawner.environment["JUPYTER_CONFIG_PATH"]
        assert path == f"/settings/{role}:/settings/config"
        assert (HUB / role / "jupyter_server_config.json").exists()
    text = (HUB / "config" / "nbgrader_config.py").read_text()
    monkeypatch.setenv("VAE_COURSE_EXCHANGE", "/exchange")
    monkeypatch.setenv("JUPYTERHUB_USER", "ada")
    monkeypatch.setenv("HOME", str(tmp_path))
    for role, key, value in (
        ("students", "student_id", "ada"),
        ("instructors", "root", str(tmp_path / "nbgrader")),
    ):
        monkeypatch.setenv("VAE_COURSE_ROLE", role)
        c = Config()
        exec(compile(text, "nbgrader_config.py", "exec"), {"get_config": lambda c=c: c})
        assert c.CourseDirectory == {"course_id": "vae-course", key: value}
        assert c.Exchange.root == "/exchange" and c.Execute.timeout == 180


@pytest.mark.parametrize("folder", NPM, ids=lambda folder: folder.name)
def test_npms_packages_are_pinned_by_hash_without_an_address(folder):
    """`npm ci` installs just these, from whatever registry npm is set up for."""
    wanted = json.loads((folder / "package.json").read_text())["dependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in wanted.values())
    packages = json.loads((folder / "package-lock.json").read_text())["packages"]
    assert packages.pop("")["dependencies"] == wanted
    for name, package in packages.items():
        assert package["integrity"].startswith("sha512-") and "resolved" not in package, name


def test_the_image_has_the_packages_python_and_what_is_copied_exists():
    """And the lock's packages, with their hashes; everything else is kept out of it."""
    text = (HUB / "Dockerfile").read_text()
    (python,) = re.findall(r"^FROM python:(\d+\.\d+)-slim$", text, re.M)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"--python-version {python} " in (ROOT / "Makefile").read_text()
    assert SpecifierSet(project["requires-python"]).contains(python)
    assert "--require-hashes --requirement requirements.lock" in text
    copied = {line.split()[1] for line in text.splitlines() if line.startswith("COPY")}
    ignored, *kept = (HUB / "Dockerfile.dockerignore").read_text().splitlines()
    assert ignored == "*" and {line.removeprefix("!") for line in kept} == copied
    assert all((ROOT / path).is_dir() for path in copied if not path.startswith("build/"))


def test_the_values_are_those_of_the_chart_and_the_package():
    """Its keys are in the schema, the image has the package's version, the volume is at the exchange."""
    values = yaml.safe_load((HUB / "values.yaml").read_text())
    assert set(values) == {"hub", "singleuser"} and set(values["hub"]) == {"config", "extraFiles"}
    single = values["singleuser"]
    for name, value in single.items():
        assert not isinstance(value, dict) or set(value) <= SCHEMA[name], name
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    image = f"{single['image']['name']}:{single['image']['tag']}"
    assert single["image"]["tag"] == project["version"]
    assert f"--tag {image} " in (HUB / "Dockerfile").read_text()
    (mount,) = single["storage"]["extraVolumeMounts"]
    assert f'"{mount["mountPath"]}"' in (HUB / "course_config.py").read_text()


@pytest.mark.skipif(os.name == "nt", reason="JupyterHub does not run on Windows")
def test_nobody_can_log_in_before_somebody_has_chosen_how():
    """With values.yaml as it is, no name and no password opens the hub, and nobody is an instructor."""
    config = Config(yaml.safe_load((HUB / "values.yaml").read_text())["hub"]["config"])
    assert not any(config.Authenticator.values())
    chosen = import_item(config.JupyterHub.authenticator_class)(config=config)
    form = {"username": "instructor", "password": "instructor"}
    assert asyncio.run(chosen.get_authenticated_user(None, form)) is None


def test_all_users_have_one_mnist(monkeypatch, tmp_path):
    """The image has it where course_config.py looks for it, and downloads it to just that place."""
    text = (HUB / "Dockerfile").read_text()
    (place,) = re.findall(r"^ENV VAE_COURSE_DATA=(.+)$", text, re.M)
    assert f'"{place}"' in (HUB / "course_config.py").read_text()
    (cache,) = re.findall(r"^RUN XDG_CACHE_HOME=(\S+) vae-course data$", text, re.M)
    monkeypatch.setenv("XDG_CACHE_HOME", cache)
    assert sys.platform != "linux" or str(user_cache() / "mnist.npz") == place


def test_hub_and_lock_agree_on_jupyterhub():
    """The extra for tests brings the hub that was tried, whose major version a real hub should have."""
    ((version, marker),) = locked()["jupyterhub"]
    assert Version(version).major == 6 and not marker
    assert f"JupyterHub {Version(version).major}" in (ROOT / "TEACHING.md").read_text()
