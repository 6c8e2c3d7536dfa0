"""The explorers in a second browser: Firefox, driven over WebDriver BiDi by npm's puppeteer-core."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import lab
import pytest
from front_end import write_page
from toys import toy_explorers

PUPPETEER = lab.NODE_MODULES / "puppeteer-core"


@pytest.fixture(scope="module")
def firefox():
    """Give the paths of node and Firefox, or say what is missing."""
    node, browser = shutil.which("node"), shutil.which("firefox-esr") or shutil.which("firefox")
    if not (node and browser and PUPPETEER.is_dir()):
        wanted = "Firefox, node or puppeteer-core was not found: type `make browsers`."
        if os.environ.get("VAE_COURSE_REQUIRE_BROWSER") == "all":
            pytest.fail(wanted)
        pytest.skip(wanted)
    return node, browser


@pytest.mark.slow
def test_every_explorer_is_live_dragged_and_stepped_in_firefox(firefox, tmp_path):
    """From a file, without network: each starts, follows the mouse and answers to keys."""
    node, browser = firefox
    explorers = toy_explorers()
    write_page(tmp_path / "page.html", *explorers.values())
    script = Path(__file__).with_name("firefox.mjs")
    address = (tmp_path / "page.html").resolve().as_uri()
    command = [node, script, PUPPETEER, browser, address]
    environment = os.environ | {"HOME": str(tmp_path)}
    run = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert run.returncode == 0, run.stdout + run.stderr
    found = json.loads(run.stdout)
    assert set(found) == set(explorers)
    for name, seen in found.items():
        assert "failed" not in seen, (name, seen)
        if name in ("LatentMap", "RateDistortion", "DrawADigit", "Handwriting"):
            assert seen["before"] != seen["dragged"], name
        assert seen["steps"] and all(seen["steps"]), name
