"""A lesson open in JupyterLab, and the explorers in it, as a student meets them.

Nothing here waits for a time to pass: every wait is for a condition, with a limit for when it never comes.
"""

import base64
import io
import re
from pathlib import Path

import lab
import matplotlib
import numpy as np
from PIL import Image

NOTEBOOK = "jupyterapp.shell.currentWidget"
KERNEL = f"{NOTEBOOK}.sessionContext.session.kernel"
LIMIT = 600  # seconds for anything, so that a busy machine does not matter
# What explorers say to the kernel: `waiting` for an answer now, at `most` at a time for one control (a slider
# and the Play button linked to it speak at once), `sent` in all.
LISTEN = f"""() => {{
  const traffic = (window.traffic = {{ waiting: new Map(), most: 0, sent: 0 }});
  {KERNEL}.anyMessage.connect((kernel, {{ msg, direction }}) => {{
    if (direction === "send" && msg.header.msg_type === "comm_msg") {{
      const control = msg.content.comm_id;
      traffic.waiting.set(msg.header.msg_id, control);
      const same = [...traffic.waiting.values()].filter((other) => other === control);
      traffic.most = Math.max(traffic.most, same.length);
      traffic.sent += 1;
    }} else if (msg.header.msg_type === "status" && msg.content.execution_state === "idle") {{
      traffic.waiting.delete(msg.parent_header.msg_id);
    }}
  }});
}}"""
# `times`: from an event in the browser to the frame that shows the first picture after it, milliseconds.
WATCH = """(image) => {
  const seen = (window.seen = { event: 0, timing: false, times: [], pictures: 0, shown: 0 });
  for (const name of ["pointerdown", "pointermove", "keydown", "change"])
    window.addEventListener(name, (e) => { seen.event = e.timeStamp; }, true);
  image.addEventListener("load", () => {
    seen.pictures += 1;
    requestAnimationFrame(() => {
      if (seen.timing) seen.times.push(performance.now() - seen.event);
      seen.timing = false;
      seen.shown += 1;
    });
  });
}"""
# Ends when all is answered and shown: nothing waits for the kernel, its answers have reached the page (they
# come in the order in which they were sent), that made the page ask for nothing more, the picture is drawn.
ANSWERED = f"""async (image) => {{
  const frame = () => new Promise(requestAnimationFrame);
  for (;;) {{
    await frame();
    if (traffic.waiting.size) continue;
    const sent = traffic.sent;
    await {KERNEL}.requestExecute({{ code: "", silent: true, store_history: false }}).done;
    await image.decode().catch(() => {{}});
    await frame();
    const quiet = !traffic.waiting.size && traffic.sent === sent;
    if (quiet && image.complete && seen.shown === seen.pictures) return true;
  }}
}}"""


class Lab:
    """JupyterLab in a tab of its own, with a font that is the same on every machine.

    Args:
        browser: Playwright's browser.
        address: JupyterLab's address.
    """

    def __init__(self, browser, address):
        self.complaints = []
        self.page = browser.new_page(viewport={"width": 1280, "height": 720})
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(f"exception: {error}"))
        self.page.goto(f"{address}/lab?token={lab.TOKEN}", timeout=1000 * LIMIT)
        self.page.wait_for_function("() => window.jupyterapp", timeout=1000 * LIMIT)
        self.evaluate("await jupyterapp.restored")
        self._use_font()

    def _note(self, message):
        # On a busy machine a control of ipywidgets may come after its explorer has gone. It says so here and
        # shows nothing; what an explorer without its model would show, the tests see.
        if message.type == "error" and "widget model not found" not in message.text:
            self.complaints.append(f"console: {message.text}")

    def _use_font(self):
        file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
        data = base64.b64encode(file.read_bytes()).decode()
        names = ("ui-font-family", "content-font-family", "code-font-family")
        rules = " ".join(f"--jp-{name}: Course !important;" for name in names)
        self.page.add_style_tag(
            content=f"@font-face {{ font-family: Course; src: url(data:font/ttf;base64,{data}); }} "
            f":root {{ {rules} }}"
        )
        self.evaluate("await document.fonts.load('13px Course')")

    def evaluate(self, code, argument=None):
        """Run JavaScript, the body of an asynchronous function of `argument`, but not for ever."""
        return self.page.evaluate(
            f"""(argument) => Promise.race([
              (async () => {{ {code} }})(),
              new Promise((_, fail) => setTimeout(() => fail(Error("no end of it")), {1000 * LIMIT})),
            ])""",
            argument,
        )

    def command(self, name, **arguments):
        """Execute one of JupyterLab's commands, as its menus do; return what it says at its end."""
        code = "const result = await jupyterapp.commands.execute(...argument);"
        return self.evaluate(f"{code} return result === true;", [name, arguments])

    def theme(self, name):
        """Change JupyterLab's theme."""
        self.command("apputils:change-theme", theme=name)
        self.page.wait_for_function(
            "(name) => document.body.dataset.jpThemeName === name", arg=name, timeout=1000 * LIMIT
        )


class Lesson:
    """A lesson open in JupyterLab.

    Args:
        lab: `Lab`.
        name: File name of the lesson, without its ending.
    """

    def __init__(self, lab, name):
        self.lab, self.page, self.name = lab, lab.page, name
        lab.complaints.clear()
        lab.command("docmanager:open", path=f"{name}.ipynb")
        # The indicator says "idle" before there is a kernel, and what is run then is never run.
        lab.evaluate(
            f"await {NOTEBOOK}.context.ready; await {NOTEBOOK}.revealed;"
            f"await {NOTEBOOK}.sessionContext.ready; await {KERNEL}.info;"
        )
        self.page.evaluate(LISTEN)

    def run_all(self):
        """Run the lesson from top to bottom; tell whether it came to its end."""
        return self.lab.command("notebook:run-all-cells")

    def cells(self):
        """Return the notebook's cells as they would be saved now."""
        return self.page.evaluate(f"() => {NOTEBOOK}.content.model.toJSON()")["cells"]

    def execute(self, code):
        """Run code in the lesson's kernel, behind the student's back."""
        self.lab.evaluate(f"await {KERNEL}.requestExecute({{ code: argument }}).done", code)

    def run_cell(self, cell):
        """Run one cell again, once its explorer is in the page: ipywidgets complains if it goes earlier."""
        self.explorer(cell)
        assert self.lab.command("notebook:run-cell")

    def _select(self, cell):
        self.lab.evaluate(
            f"""const notebook = {NOTEBOOK}.content;
            const index = notebook.widgets.findIndex((c) => c.model.id === argument);
            notebook.activeCellIndex = index;
            await notebook.scrollToItem(index, "start");""",
            cell,
        )

    def explorer(self, cell):
        """Bring the explorer of a cell into view, and return it."""
        self._select(cell)
        nodes = self.page.locator(".jp-Cell.jp-mod-active .vae-course-explorer")
        self.page.wait_for_function(
            """() => {
              const found = document.querySelectorAll(".jp-Cell.jp-mod-active .vae-course-explorer");
              return found.length === 1 && found[0].querySelector("img")?.naturalWidth;
            }""",
            timeout=1000 * LIMIT,
        )
        nodes.evaluate("(node) => node.scrollIntoView({ block: 'start' })")
        nodes.element_handle().wait_for_element_state("stable", timeout=1000 * LIMIT)
        return Seen(self.page, nodes)

    def close(self):
        """End the kernel, which frees its memory, and close the notebook."""
        self.lab.evaluate(
            f"""await {NOTEBOOK}.sessionContext.shutdown();
            {NOTEBOOK}.context.model.dirty = false;  // else a question whether to save it
            {NOTEBOOK}.close();"""
        )


class Seen:
    """An explorer on a page where `LISTEN` was evaluated."""

    def __init__(self, page, node):
        self.page, self.node = page, node
        self.image = node.locator("img.vae-course-picture")
        self.image.evaluate(WATCH)
        self.settle()

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

    def pictures(self):
        """Return how many pictures have come so far."""
        return self.page.evaluate("() => seen.pictures")

    def times(self):
        """Return the latencies so far, see `WATCH`."""
        return self.page.evaluate("() => seen.times")

    def settle(self):
        """Wait until everything done so far is answered and shown."""
        image = self.image.element_handle()
        self.page.wait_for_function(ANSWERED, arg=image, timeout=1000 * LIMIT)

    def after(self, act):
        """Act, and wait for the picture that answers it; one act at a time, and timed."""
        self.page.evaluate("() => { seen.timing = true; }")
        act()
        self.settle()

    def drag(self, path, fast=False):
        """Press the mouse at the first point of a path, move along it, release.

        Args:
            path: Points in the page, pixels.
            fast: Do not wait for the picture after each move. The explorer must not let requests queue up:
                it asks for the next picture only when it has the last one.
        """
        mouse = self.page.mouse
        mouse.move(*path[0])
        mouse.down()
        self.settle()  # where a press alone is answered
        self.page.evaluate("() => { traffic.most = 0; }")
        for point in path[1:]:
            if fast:
                mouse.move(*point)
            else:
                self.after(lambda point=point: mouse.move(*point))
        mouse.up()
        self.settle()
        most = self.page.evaluate("() => traffic.most")
        assert most == 1, f"{most} questions at a time"

    def slide(self, name, share, steps=12, fast=False):
        """Drag a slider by the mouse to a share of its track, 0 is its left end."""
        slider = self.slider(name)
        track = slider.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
        handle = slider.bounding_box()
        x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
        goal = track["x"] + share * track["width"]
        self.drag([(x + (goal - x) * i / steps, y) for i in range(steps + 1)], fast)

    def press(self, target, key, times=1):
        """Focus something, and press a key on it, each time waiting for the picture."""
        target.focus()
        for _ in range(times):
            self.after(lambda: self.page.keyboard.press(key))

    def at(self, x, y):
        """Return the point in the page of a place in the picture, both as shares of its size."""
        box = self.image.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]
