"""What `self_check` finds on a healthy machine and on broken ones, and that it names every cure."""

import importlib.metadata
import json
import shutil
import subprocess
import sys
from types import SimpleNamespace

import joblib
import psutil
import pytest
from pins import ROOT
from sandbox import damaged, put, put_npz

from vae_course import pretrained
from vae_course import self_check as module
from vae_course.data import load_digits
from vae_course.mnist import CorruptedDataError, DataNotFoundError
from vae_course.self_check import Finding, report, self_check

GB = 10**9


def set_memory(monkeypatch, free):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))


def set_cores(monkeypatch, cores):
    monkeypatch.setattr(joblib, "cpu_count", lambda: cores)


def set_groups(monkeypatch, root, mine, files):
    """Let this process be in control groups whose files stand in a folder of the test's own."""
    for name, content in {"mine": mine, **files}.items():
        put((root / name).parent, {(root / name).name: f"{content}\n".encode()})
    monkeypatch.setattr(module, "OWN_GROUPS", root / "mine")
    monkeypatch.setattr(module, "CGROUPS", root)


def set_version(monkeypatch, package, version):
    """Let one package be of another version, or missing if that is None."""
    true_version = importlib.metadata.version

    def pretended(name):
        if name == package and version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version if name == package else true_version(name)

    monkeypatch.setattr(importlib.metadata, "version", pretended)


@pytest.fixture(autouse=True)
def healthy(sandbox, monkeypatch):
    """Give every test a good machine to break: 2 cores, 8 GB free, no container, MNIST in data/."""
    set_cores(monkeypatch, 2)
    set_groups(monkeypatch, sandbox.root / "groups", "0::/", {})
    set_memory(monkeypatch, 8 * GB)
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    return put_npz(sandbox.data)


def wrong(findings):
    """Return what is not ok, by name; each has one line of cure."""
    bad = {finding.what: finding for finding in findings if not finding.ok}
    assert all(finding.cure and "\n" not in finding.cure for finding in bad.values())
    return bad


def only_wrong(what, dataset="auto"):
    """Check the machine: this and nothing else is to be mended."""
    bad = wrong(self_check(dataset))
    assert list(bad) == [what]
    return bad[what]


def value_of(what, dataset="auto"):
    (finding,) = [finding for finding in self_check(dataset) if finding.what == what]
    assert finding.ok
    return finding.value


def test_a_healthy_machine_has_nothing_to_mend(capsys):
    """All is ok, the versions are those installed, and the report says so without an error."""
    findings = self_check()
    assert not wrong(findings)
    values = {finding.what: finding.value for finding in findings}
    for package in "tensorflow keras numpy matplotlib jupyterlab ipywidgets".split():
        assert values[package] == importlib.metadata.version(package)
    assert values["Python"] == sys.version.split()[0]
    assert values["processor cores"] == "2" and values["free memory"] == "8.0 GB"
    report(findings)
    out, err = capsys.readouterr()
    assert out.splitlines()[-1] == "Everything is ready." and not err
    assert all(line.startswith("ok ") for line in out.splitlines()[:-1])


def test_report_puts_the_cure_below_what_is_wrong(capsys):
    """One line for each finding, `ok` or `CURE`, the cure, and how many things there are to mend."""
    good, bad = Finding("a", "1", True, "unneeded"), Finding("long name", "2", False, "Do this.")
    report([good, bad])
    assert capsys.readouterr().out.splitlines() == [
        "ok    a          1",
        "CURE  long name  2",
        "                 -> Do this.",
        "1 thing to fix, see CURE above.",
    ]
    report([bad, bad])
    assert capsys.readouterr().out.splitlines()[-1] == "2 things to fix, see CURE above."


def test_it_imports_neither_tensorflow_nor_keras():
    """It can run, and does, before TensorFlow is loaded; the module itself needs no package at all."""
    code = (
        "import sys; from vae_course import self_check; "
        "print({'numpy', 'packaging', 'psutil', 'pooch'} & set(sys.modules)); "
        "self_check.self_check('digits'); print({'tensorflow', 'keras'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert output.stdout.split() == ["set()", "set()"]


@pytest.mark.parametrize("package", ["keras", "scipy"])
def test_a_missing_package_is_named(package, monkeypatch):
    """Be it one of those listed or one of the others; the cure installs just this one."""
    set_version(monkeypatch, package, None)
    finding = only_wrong(package)
    assert finding.value == "is not installed" and f'%pip install "{package}' in finding.cure


@pytest.mark.parametrize(
    ("package", "version"), [("tensorflow", "2.15.1"), ("numpy", "1.26.4"), ("click", "99.0")]
)
def test_a_package_of_a_wrong_version_is_named(package, version, monkeypatch):
    """Too old or too new, with both the version and the range."""
    set_version(monkeypatch, package, version)
    finding = only_wrong(package)
    assert finding.value.startswith(f"{version}, but the course needs ")
    assert f'%pip install "{package}' in finding.cure and "restart" in finding.cure


def test_a_package_whose_version_cannot_be_read_is_named(monkeypatch):
    """A half-removed package is one finding, and the others are still checked."""
    true_version = importlib.metadata.version

    def broken(name):
        return {}["Version"] if name == "keras" else true_version(name)

    monkeypatch.setattr(importlib.metadata, "version", broken)
    finding = only_wrong("keras")
    assert finding.value.startswith("could not be checked (KeyError") and "make lab" in finding.cure
    assert "tensorflow" in {finding.what for finding in self_check()}


def test_a_course_that_is_not_installed_is_named(monkeypatch):
    """Without its metadata nobody knows what it requires."""

    def not_installed(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "requires", not_installed)
    assert "make lab" in only_wrong("packages").cure


def test_tools_for_tests_are_not_asked_for(monkeypatch):
    """What only the extra `test` requires may be missing."""
    set_version(monkeypatch, "nbval", None)
    assert not wrong(self_check())


def test_what_lessons_refuse_at_their_start_is_named(monkeypatch):
    """In the same words; each fault is one thing to mend."""
    assert value_of("settings") == "as the course needs them"
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setenv("KERAS_MAX_EPOCHS", "1")
    found = [finding for finding in self_check() if not finding.ok]
    assert [(finding.value, finding.cure) for finding in found] == module.faults()
    assert "'jax'" in found[0].value and "'1'" in found[1].value


@pytest.mark.parametrize("dataset", ["auto", "mnist"])
def test_mnist_is_found_where_load_digits_finds_it(dataset, sandbox, healthy):
    """The first place wins, and it is named without its path."""
    assert value_of("data set", dataset) == "MNIST, from: data/"
    assert load_digits(dataset).source == str(healthy)
    put_npz(sandbox.yours)
    sandbox.use(sandbox.yours)
    assert value_of("data set", dataset) == "MNIST, from: VAE_COURSE_DATA"
    assert load_digits(dataset).source == str(sandbox.yours / "mnist.npz")


@pytest.mark.parametrize("place", ["yours", "data", "cache"])
def test_damaged_mnist_is_named_with_its_place(place, sandbox, healthy):
    """Where `load_digits` refuses a file, so does the check, without the path of this machine."""
    healthy.unlink()
    put_npz(getattr(sandbox, place), damaged("x_test"))
    sandbox.use(sandbox.yours) if place == "yours" else None
    name = {"yours": "VAE_COURSE_DATA", "data": "data/", "cache": "user cache"}[place]
    for dataset in "auto", "mnist":
        with pytest.raises(CorruptedDataError) as refused:
            load_digits(dataset)
        finding = only_wrong("data set", dataset)
        assert finding.value == f"MNIST is damaged, in: {name}"
        assert str(refused.value).endswith(finding.cure)
        assert str(sandbox.root) not in finding.value + finding.cure
    assert value_of("data set", "digits").startswith("embedded digits")


def test_kerass_own_damaged_file_is_passed_over(sandbox, healthy):
    """As `load_digits` does: Keras repairs it by itself."""
    healthy.unlink()
    put_npz(sandbox.keras, damaged("x_test"))
    assert value_of("data set", "auto").startswith("embedded digits")


def test_missing_mnist_is_wrong_only_for_who_asked_for_it(healthy):
    """ "auto" goes on with the embedded digits, and both say how to get MNIST."""
    healthy.unlink()
    with pytest.raises(DataNotFoundError):
        load_digits("mnist")
    assert "make data" in only_wrong("data set", "mnist").cure
    assert load_digits("auto").name == "embedded digits"
    value = value_of("data set", "auto")
    assert value.startswith("embedded digits") and "vae-course data" in value


def test_a_folder_of_yours_without_mnist_is_named(sandbox):
    """VAE_COURSE_DATA that names the wrong folder is a slip, even if MNIST is found elsewhere."""
    sandbox.use(sandbox.root / "nowhere")
    assert "VAE_COURSE_DATA" in only_wrong("VAE_COURSE_DATA").cure
    assert value_of("data set") == "MNIST, from: data/"


def test_the_data_set_is_the_one_that_was_asked_for(monkeypatch):
    """By the parameter, or for "auto" by VAE_COURSE_DATASET; a wrong name is refused with the choices."""
    assert value_of("data set", "digits").startswith("embedded digits")
    monkeypatch.setenv("VAE_COURSE_DATASET", "digits")
    assert value_of("data set", "auto").startswith("embedded digits")
    assert "set it to one of auto, mnist, digits" in only_wrong("data set", "fashion").cure
    monkeypatch.setenv("VAE_COURSE_DATASET", "fashion")
    assert "set it to one of auto, mnist, digits" in only_wrong("data set", "auto").cure


@pytest.mark.parametrize("harm", ["bit", "model", "card", "digest"])
def test_a_damaged_model_is_named(harm, monkeypatch, tmp_path):
    """One flipped bit, no model, a torn card, a card without a digest: named, with its command."""
    folder = shutil.copytree(pretrained.FOLDER, tmp_path / "trained")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    model, card = folder / "vae-2-digits.keras", folder / "vae-2-digits.json"
    if harm == "bit":
        content = bytearray(model.read_bytes())
        content[len(content) // 2] ^= 1
        model.write_bytes(content)
    elif harm == "model":
        model.unlink()
    else:
        card.write_text("{" if harm == "card" else json.dumps({"name": "vae-2-digits"}))
    finding = only_wrong("trained models")
    assert finding.value == "damaged or missing: vae-2-digits"
    assert "python -m vae_course.runs.ship vae-2-digits" in finding.cure


def test_damaged_measurements_are_named(monkeypatch, tmp_path):
    """Tables, recipes, sweeps and the recording that lessons load."""
    folder = shutil.copytree(pretrained.FOLDER, tmp_path / "trained")
    monkeypatch.setattr(pretrained, "FOLDER", folder)
    monkeypatch.setattr("vae_course.data.HEART", tmp_path / "heart.npz")
    (folder / "alarm.csv").unlink()
    for name in ("recipes-mnist.json", "beta-sweep-digits.npz"):
        (folder / name).write_bytes((folder / name).read_bytes()[:5000])
    finding = only_wrong("measurements")
    assert finding.value == "damaged or missing: alarm recipes-mnist beta-sweep-digits heart"
    assert "git checkout vae_course" in finding.cure


def test_one_core_is_named_and_doubles_the_time(monkeypatch):
    """It still runs; the minutes are those of the table of seconds, twice."""
    minutes = int(value_of("time to run").split()[1])
    assert minutes == round(sum(module.SECONDS.values()) / 60)
    set_cores(monkeypatch, 1)
    finding = only_wrong("processor cores")
    assert finding.value == "1" and "twice" in finding.cure
    doubled = int(value_of("time to run").split()[1])
    assert doubled == round(2 * sum(module.SECONDS.values()) / 60)


def test_a_limit_of_cores_that_is_no_number_is_named(monkeypatch):
    """With its value, and how to unset it."""
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "many")
    monkeypatch.setattr(joblib, "cpu_count", lambda: int("many"))
    finding = only_wrong("processor cores")
    assert finding.value == "LOKY_MAX_CPU_COUNT='many'" and "Unset LOKY" in finding.cure


def test_there_is_a_time_for_each_lesson():
    """Each notebook has its seconds in the table."""
    numbers = {int(path.name[:2]) for path in (ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb")}
    assert numbers <= set(module.SECONDS), "add the new lesson to SECONDS in self_check.py"


def test_little_memory_is_named(monkeypatch):
    """Under 3 GB free: say how much, and what to close."""
    set_memory(monkeypatch, int(2.9 * GB))
    finding = only_wrong("free memory")
    assert finding.value == "2.9 GB" and "Shut Down All Kernels" in finding.cure
    set_memory(monkeypatch, 3 * GB)
    assert not wrong(self_check())


V1 = "4:memory:/docker/x\n1:name=systemd:/docker/x"


@pytest.mark.parametrize(
    ("mine", "files", "free"),
    [
        (
            "0::/hub/me",  # version 2: of 3 GB, 2 are used, a half of them for files that can be read again
            {
                "hub/me/memory.max": 3 * GB,
                "hub/me/memory.current": 2 * GB,
                "hub/me/memory.stat": f"anon 9\ninactive_file {GB // 4}\nactive_file {GB // 4}",
                "hub/memory.max": "max",
            },
            "1.5 GB",
        ),
        (
            "0::/hub/me",  # the limit stands in a group further out
            {"hub/memory.max": GB, "hub/memory.current": 0, "hub/me/memory.max": "max"},
            "1.0 GB",
        ),
        (
            V1,  # version 1, in a container that does not see the path that /proc names
            {
                "memory/memory.limit_in_bytes": 2 * GB,
                "memory/memory.usage_in_bytes": GB,
                "memory/memory.stat": f"rss 7\ninactive_file {GB // 2}",
            },
            "1.5 GB",
        ),
    ],
)
def test_a_container_limits_the_memory(mine, files, free, sandbox, monkeypatch):
    """What it may still use counts, not what the machine has."""
    set_groups(monkeypatch, sandbox.root / "container", mine, files)
    finding = only_wrong("free memory")
    assert finding.value == free and "ask for more" in finding.cure


def test_a_container_without_limits_changes_nothing(sandbox, monkeypatch):
    """Each version has its own way to write that; a limit above what the machine has is none."""
    files = {"memory/memory.limit_in_bytes": 2**63 - 4096, "memory/memory.usage_in_bytes": GB}
    files |= {"memory.max": "max", "memory.current": GB}
    files["me/memory.max"] = GB  # without the file that says how much of it is used
    set_groups(monkeypatch, sandbox.root / "container", f"{V1}\n0::/me", files)
    assert value_of("free memory") == "8.0 GB"


@pytest.mark.parametrize("limited", ["RLIMIT_AS", "RLIMIT_DATA"])
def test_a_limit_of_the_process_counts(limited, monkeypatch):
    """`ulimit -v` counts what the process has mapped already, too, and `ulimit -d` its data."""
    resource = pytest.importorskip("resource")
    taken = {"RLIMIT_AS": "vms", "RLIMIT_DATA": "data"}
    mapped = SimpleNamespace(**{"vms": 9 * GB, "data": 9 * GB, taken[limited]: GB})
    process = SimpleNamespace(memory_info=lambda: mapped)
    monkeypatch.setattr(psutil, "Process", lambda: process)
    limits = {getattr(resource, limited): (3 * GB, 4 * GB)}
    none = resource.RLIM_INFINITY, resource.RLIM_INFINITY
    monkeypatch.setattr(resource, "getrlimit", lambda which: limits.get(which, none))
    assert only_wrong("free memory").value == "2.0 GB"


CHECKS = ["_packages", "_settings", "_data", "_trained", "_cores", "_memory"]


@pytest.mark.parametrize("check", CHECKS)
def test_a_check_that_fails_is_a_finding(check, monkeypatch):
    """Whatever goes wrong in one check, the others speak, and the broken one says what happened."""

    def broken(*args):
        raise RuntimeError("the moon is full")

    monkeypatch.setattr(module, check, broken)
    (finding,) = wrong(self_check()).values()
    assert "RuntimeError: the moon is full" in finding.value and "make lab" in finding.cure
