"""One browser for each module of tests; without Chromium they are skipped, or fail where it is required."""

import os

import lab
import pytest
from playwright.sync_api import sync_playwright


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items):
    """Let all tests of a lesson in JupyterLab follow each other, so that it is opened and run once."""
    lessons = {
        item: item.callspec.params["lesson"]
        for item in items
        if "lesson" in getattr(item, "fixturenames", ()) and hasattr(item, "callspec")
    }
    in_order = iter(sorted(lessons, key=lessons.get))
    items[:] = [next(in_order) if item in lessons else item for item in items]


@pytest.fixture(scope="module")
def browser():
    """Give a headless Chromium."""
    path = lab.find_chromium()
    if path is None:
        wanted = "Chromium was not found: install it, or name it with VAE_COURSE_CHROMIUM."
        if os.environ.get("VAE_COURSE_REQUIRE_BROWSER"):
            pytest.fail(wanted)
        pytest.skip(wanted)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=lab.FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tell(request):
    """Give a function that prints to the terminal, whether pytest captures what tests print or not."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(*lines):
        with capture.global_and_fixture_disabled():
            print("", *lines, sep="\n")

    return tell


@pytest.fixture(scope="module")
def axe():
    """Give the text of axe-core, or say that it is missing."""
    path = lab.NODE_MODULES / "axe-core" / "axe.min.js"
    if not path.exists():
        wanted = "axe-core was not found: type `make browsers`."
        if os.environ.get("VAE_COURSE_REQUIRE_BROWSER") == "all":
            pytest.fail(wanted)
        pytest.skip(wanted)
    return path.read_text(encoding="utf-8")
