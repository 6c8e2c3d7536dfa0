"""A lesson open in JupyterLab, and the explorers in it, as a student meets them."""

import base64
import io
import re

import lab
import numpy as np
from PIL import Image

NOTEBOOK = "jupyterapp.shell.currentWidget"
IDLE = f"() => window.jupyterapp && {NOTEBOOK}?.sessionContext?.session?.kernel?.status === 'idle'"
# `times`: from an event in the browser to the frame that shows the picture which answers it, milliseconds;
# `late`: pictures since the last event.
WATCH = """(image) => {
  const seen = { event: 0, timing: false, times: [], pictures: 0, shown: 0, late: 0 };
  window.seen = seen;
  for (const name of ["pointerdown", "pointermove", "keydown", "change"])
    window.addEventListener(name, (e) => { seen.event = e.timeStamp; seen.late = 0; }, true);
  image.addEventListener("load", () => {
    seen.pictures += 1;
    seen.late += 1;
    requestAnimationFrame(() => {
      if (seen.timing) seen.times.push(performance.now() - seen.event);
      seen.timing = false;
      seen.shown += 1;
    });
  });
}"""


class Lesson:
    """A lesson in a tab of its own.

    Args:
        browser: Playwright's browser.
        address: JupyterLab's address.
        name: File name of the lesson, without its ending.
    """

    def __init__(self, browser, address, name):
        self.name, self.complaints = name, []
        self.page = browser.new_page(viewport={"width": 1280, "height": 720})
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.goto(f"{address}/lab/workspaces/{name}/tree/{name}.ipynb?token={lab.TOKEN}")
        # The indicator says "idle" before there is a kernel, and what is run then is never run.
        self.page.wait_for_function(IDLE, timeout=90_000)

    def _note(self, message):
        if message.type == "error":
            self.complaints.append(f"console: {message.text}")

    def run_all(self):
        """Run the lesson from top to bottom by the menu, and wait for its end."""
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()
        self.page.wait_for_function(
            f"""() => {NOTEBOOK}.content.widgets.filter((c) => c.model.type === "code").every(
                (c) => c.model.executionState === "idle" && c.model.executionCount)""",
            timeout=240_000,
        )
        self.page.wait_for_function(IDLE)

    def cells(self):
        """Return the notebook's cells as they would be saved now."""
        return self.page.evaluate(f"() => {NOTEBOOK}.content.model.toJSON()")["cells"]

    def execute(self, code):
        """Run code in the lesson's kernel, behind the student's back."""
        self.page.evaluate(
            f"(code) => {NOTEBOOK}.sessionContext.session.kernel.requestExecute({{code}}).done",
            code,
        )

    def run_cell(self, cell):
        """Run one cell again."""
        self._select(cell)
        self.page.evaluate("() => jupyterapp.commands.execute('notebook:run-cell')")
        self.page.wait_for_function(IDLE)

    def theme(self, name):
        """Change JupyterLab's theme."""
        self.page.evaluate(
            "(theme) => jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        self.page.wait_for_timeout(1000)  # styles are fetched

    def _select(self, cell):
        self.page.evaluate(
            f"""async (id) => {{
              const notebook = {NOTEBOOK}.content;
              const index = notebook.widgets.findIndex((c) => c.model.id === id);
              notebook.activeCellIndex = index;
              await notebook.scrollToItem(index, "start");
            }}""",
            cell,
        )

    def explorer(self, cell):
        """Bring the explorer of a cell into view, and return it."""
        self._select(cell)
        node = self.page.locator(".jp-Cell:has(.jp-mod-active), .jp-Cell.jp-mod-active")
        node = node.locator(".vae-course-explorer")
        node.wait_for(timeout=30_000)
        node.evaluate("(node) => node.scrollIntoView({ block: 'start' })")
        return Seen(self.page, node)

    def close(self):
        """End the kernel, close the tab."""
        self.page.evaluate(f"() => {NOTEBOOK}.sessionContext.shutdown()")
        self.page.close()


class Seen:
    """An explorer on a page."""

    def __init__(self, page, node):
        self.page, self.node = page, node
        self.image = node.locator("img.vae-course-picture")
        self.image.evaluate(WATCH)

    def picture(self):
        """Return the picture as the browser has it, an array `(height, width, 3)` of whole numbers."""
        encoded = self.image.evaluate(
            """async (image) => {
              const bytes = new Uint8Array(await (await fetch(image.src)).arrayBuffer());
              return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(""));
            }"""
        )
        png = io.BytesIO(base64.b64decode(encoded))
        return np.asarray(Image.open(png).convert("RGB")).astype(int)

    def text(self):
        """Return the picture's text."""
        return self.image.get_attribute("alt")

    def numbers(self, pattern):
        """Return the numbers that a pattern with groups finds in the text."""
        found = re.search(pattern, self.text())
        assert found, f"{pattern!r} not in {self.text()!r}"
        return [float(group) for group in found.groups()]

    def slider(self, name):
        """Find a slider by the name that a screen reader would say."""
        return self.node.get_by_role("slider", name=name, exact=True)

    def value(self, name):
        """Return where a slider stands."""
        return float(self.slider(name).get_attribute("aria-valuetext"))

    def button(self, name):
        """Find a button by its text."""
        return self.node.get_by_role("button", name=name, exact=True)

    def choose(self, name, option):
        """Choose from a drop-down list, found by its label."""
        self.after(lambda: self.node.get_by_label(name, exact=True).select_option(option))

    def seen(self):
        """Return what was counted so far, see `WATCH`."""
        return self.page.evaluate("() => window.seen")

    def after(self, act):
        """Act, and wait for the picture that answers it; one act at a time, and timed."""
        before = self.page.evaluate(
            "() => { window.seen.timing = true; return window.seen.shown; }"
        )
        act()
        self.page.wait_for_function(f"() => window.seen.shown > {before}", timeout=10_000)

    def settle(self):
        """Wait until no more pictures come."""
        while True:
            before = self.seen()["pictures"]
            self.page.wait_for_timeout(500)
            if self.seen()["pictures"] == before:
                return

    def kept_up(self):
        """Tell, after many fast moves, whether no pictures of earlier places had queued up.

        When the last event came, one picture was on its way into the page, and one was being drawn; the third
        is that of the last place. A queue would hold one for each move.
        """
        return self.seen()["late"] <= 3

    def drag(self, path, fast=False):
        """Press the mouse at the first point of a path, move along it, release.

        Args:
            path: Points in the page, pixels.
            fast: Do not wait for the picture after each move.
        """
        mouse = self.page.mouse
        mouse.move(*path[0])
        mouse.down()
        self.settle()  # where a press alone is answered
        for point in path[1:]:
            if fast:
                mouse.move(*point)
            else:
                self.after(lambda point=point: mouse.move(*point))
        mouse.up()

    def slide(self, name, share, steps=12, fast=False):
        """Drag a slider by the mouse to a share of its track, 0 is its left end."""
        handle, track = self.slider(name).bounding_box(), self._track(name)
        x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
        goal = track["x"] + share * track["width"]
        self.drag([(x + (goal - x) * i / steps, y) for i in range(steps + 1)], fast)

    def _track(self, name):
        return (
            self.slider(name)
            .locator("xpath=ancestor::*[contains(@class, 'noUi-base')]")
            .bounding_box()
        )

    def press(self, target, key, times=1):
        """Focus something, and press a key on it, each time waiting for the picture."""
        target.focus()
        for _ in range(times):
            self.after(lambda: self.page.keyboard.press(key))

    def at(self, x, y):
        """Return the point in the page of a place in the picture, both as shares of its size."""
        box = self.image.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]
