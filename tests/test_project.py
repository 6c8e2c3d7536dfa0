"""The project's files: pins that agree, a lock for every machine, nothing that belongs to one machine."""

import json
import re
import subprocess
import sys

import pytest
import yaml
from packaging.markers import Marker
from packaging.version import Version
from pins import ROOT, environment, locked, wanted

MACHINES = [
    {
        "python_version": p[:4],
        "python_full_version": p,
        "sys_platform": s,
        "platform_system": n,
        "os_name": o,
    }
    for p in ("3.11.7", "3.12.4", "3.13.1")
    for s, n, o in [
        ("linux", "Linux", "posix"),
        ("darwin", "Darwin", "posix"),
        ("win32", "Windows", "nt"),
    ]
]


def tracked(*patterns):
    """List the files that are, or would be, in the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns]
    output = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if output.returncode:
        pytest.skip("not a git checkout: clone the repository to run this test")
    return [ROOT / line for line in output.stdout.splitlines() if (ROOT / line).is_file()]


def pinned_on(machine, name):
    """List the versions of a package that the lock gives a machine."""
    rows = locked().get(name, [])
    return [Version(v) for v, marker in rows if not marker or Marker(marker).evaluate(machine)]


@pytest.mark.parametrize(
    "machine", MACHINES, ids=lambda m: f"{m['sys_platform']}-{m['python_version']}"
)
def test_every_machine_gets_one_version_of_every_package_within_its_range(machine):
    """Lock and pyproject.toml agree for Linux, macOS and Windows, Python 3.11 to 3.13."""
    for name, requirement in wanted().items():
        versions = pinned_on(machine, name)
        assert len(versions) == 1, f"{name}: {versions}"
        assert requirement.specifier.contains(versions[0]), f"{name} {versions[0]}"


def test_every_package_has_a_lowest_version():
    """`make DEPS=lowest` tests with it; without one, it would take the first that was ever published."""
    assert not [str(need) for need in wanted().values() if ">=" not in str(need.specifier)]


def test_environment_yml_is_what_pyproject_and_lock_say():
    """`make lock` writes it; nobody edits it by hand."""
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment()
    pip = yaml.safe_load(environment())["dependencies"][-1]["pip"]
    assert pip[-1] == "-e ." and len(pip) > len(wanted())


def test_environment_yml_and_pyproject_allow_the_same_python():
    """conda and pip take the same interpreters."""
    python = next(d for d in yaml.safe_load(environment())["dependencies"] if "python" in d)
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert f'requires-python = "{python.removeprefix("python")}"' in text


def test_every_pin_has_hashes():
    """pip's --require-hashes would refuse the lock otherwise, on some machine or other."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    entries = re.split(r"\n(?=[\w.-]+==)", text)
    assert len(entries) > 100
    assert all("--hash=sha256:" in entry for entry in entries)


def test_no_file_names_a_package_index_or_a_path_of_one_machine():
    """What is committed works anywhere."""
    words = [
        "--index" + "-url",
        "--extra-index",
        "--find" + "-links",
        "file:" + "///",
        "simple/",
        "/" + "root/",
    ]
    words += ["/" + "home/", "/" + "Users/", "/" + "work/", "/" + "opt/"]
    for path in tracked():
        if path.suffix in (".keras", ".npz", ".png") or path.name == "test_project.py":
            continue
        text = path.read_text(encoding="utf-8")
        for known in (
            "/" + "opt/tljh/",
            "/" + "home/jovyan",
        ):  # the same on every hub of their kind
            text = text.replace(known, "")
        assert not (found := [word for word in words if word in text]), f"{path}: {found}"


def test_no_data_set_is_committed():
    """MNIST is fetched, never stored; nor is what was built, but for a sweep's pictures and one heart."""
    names = [path.relative_to(ROOT).as_posix() for path in tracked()]
    names = [n for n in names if not re.fullmatch("vae_course/trained/beta-sweep-[a-z]+.npz", n)]
    names.remove("vae_course/heart.npz")  # data/README.md says whose, and its licence
    assert [n for n in names if n.startswith("data/")] == ["data/README.md", "data/registry.txt"]
    assert not [n for n in names if n.endswith((".npz", ".gz", "-ubyte")) or n.startswith("build/")]


def test_the_workflow_is_valid():
    """Against the schema that check-jsonschema carries: no network is needed."""
    files = [str(path) for path in (ROOT / ".github" / "workflows").glob("*.yml")]
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.github-workflows",
    ]
    output = subprocess.run([*command, *files], capture_output=True, text=True)
    assert files and output.returncode == 0, output.stdout + output.stderr


def test_the_workflow_calls_only_targets_that_exist():
    """CI runs what a reader runs."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for file in (*(ROOT / ".github" / "workflows").glob("*.yml"), ROOT / ".ci" / "run"):
        for line in re.findall(r"\bmake ([a-z][^\n]*)", file.read_text(encoding="utf-8")):
            called = [word for word in line.split() if re.fullmatch("[a-z-]+", word)]
            if "choco" not in line and "--no-progress" not in line:
                assert set(called) <= targets, line


def test_every_target_is_in_the_help():
    """`make help` hides nothing."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = set(re.search(r"^\.PHONY: (.*)$", makefile, re.M).group(1).split())
    assert phony == set(re.findall(r"^([a-z-]+):.*## ", makefile, re.M))


def test_the_readme_lists_every_lesson():
    """Its table, and the map in lesson 0, have a row for each, with link and reading time."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
    tables = [(readme, "notebooks/", lessons)]
    tables.append((lessons[0].read_text(encoding="utf-8"), "", lessons[1:]))
    for text, folder, rows in tables:
        for lesson in rows:
            first = json.loads(lesson.read_text(encoding="utf-8"))["cells"][0]["source"]
            minutes = re.search(r"\*\*Time:\*\* (\d+) minutes", "".join(first)).group(1)
            row = re.search(rf"\| \[{lesson.name[1]} .*?\]\({folder}{lesson.name}\).*", text)
            assert row, f"{lesson.name} has no row in the table of README.md or of lesson 0"
            assert f"| {minutes} " in row.group(), lesson.name
