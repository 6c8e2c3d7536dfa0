"""The cage as it is asked for: what is in it, and what is said where there is none."""

import re
import shutil
import sys
from pathlib import Path

import pytest
from small import HAS_CAGE

from vae_course.grading import cage

linux = pytest.mark.skipif(sys.platform != "linux", reason="cages are for Linux")


@linux
@pytest.mark.parametrize("kind", ["docker", "podman"])
def test_a_container_gets_the_same_places_and_limits(kind, tmp_path, monkeypatch):
    """No network, nothing that can be written but the submission's own memory disk and the sockets."""
    monkeypatch.setenv("SECRET", "1")
    spec = cage.kernel_spec(kind, tmp_path / "given", cage.LIMITS, tmp_path)
    line = spec["argv"]
    assert line[:3] == [kind, "run", "--rm"] and "debian:stable-slim" in line
    assert {"--network=none", "--read-only", "--cap-drop=ALL", "--memory=6000000000"} <= set(line)
    volumes = [part for part in line if part.startswith("--volume=")]
    assert [v for v in volumes if not v.endswith(":ro")] == [f"--volume={tmp_path}:{tmp_path}"]
    assert f"--volume={tmp_path / 'given'}:/submission-given:ro" in volumes
    assert f"--tmpfs={cage.PACKAGE / 'exercises'}" in line
    assert not [part for part in line if "SECRET" in part or "choices.json" in part]


@pytest.mark.parametrize("name", cage.OPEN.values())
def test_no_answer_is_in_the_cage(name):
    """The modules that a submission can read neither hold the right numbers nor import what does."""
    text = (cage.PACKAGE / "exercises" / name).read_text(encoding="utf-8")
    assert "NUMBERS" not in text
    assert not re.search(
        r"import .*(answers|ex\d\d)|(answers|ex\d\d) import|open\(|read_text", text
    )


@linux
@pytest.mark.parametrize("kind", [None, "bubblewrap", "docker"])
def test_where_there_is_no_cage_that_is_said(kind, monkeypatch):
    """With what to install; only trust lets the code run, and only if no kind was asked for."""
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(RuntimeError, match="no cage .*apt install bubblewrap.*--trust-students"):
        cage.choose(kind)
    if kind is None:
        assert cage.choose(kind, trust=True) == "none"
    else:
        with pytest.raises(RuntimeError, match="no cage"):
            cage.choose(kind, trust=True)


def test_no_cage_needs_trust():
    """Even where it is asked for."""
    assert cage.choose("none", trust=True) == "none"
    with pytest.raises(RuntimeError, match="with all of your rights"):
        cage.choose("none")


@pytest.mark.skipif(not HAS_CAGE, reason="needs bubblewrap on Linux")
def test_bubblewrap_is_the_cage_where_it_works():
    """Even with trust."""
    assert shutil.which("bwrap")
    assert cage.choose() == cage.choose(trust=True) == "bubblewrap"
    assert Path("/usr").exists()
