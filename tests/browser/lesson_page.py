"""A lesson open in JupyterLab, with the explorers in it."""

import base64
from pathlib import Path

import lab
import matplotlib
from seen import LIMIT, Seen

NOTEBOOK = "jupyterapp.shell.currentWidget"
KERNEL = f"{NOTEBOOK}.sessionContext.session.kernel"
# How many messages explorers send to the kernel, once they are there.
LISTEN = f"""() => {{
  window.sent = 0;
  {KERNEL}.anyMessage.connect((kernel, {{ msg, direction }}) => {{
    if (direction === "send" && msg.header.msg_type === "comm_msg") window.sent += 1;
  }});
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
              return found.length === 1 && found[0].dataset.frames;
            }""",
            timeout=1000 * LIMIT,
        )
        nodes.element_handle().wait_for_element_state("stable", timeout=1000 * LIMIT)
        return Seen(nodes)

    def close(self):
        """End the kernel, which frees its memory, and close the notebook."""
        self.lab.evaluate(
            f"""await {NOTEBOOK}.sessionContext.shutdown();
            {NOTEBOOK}.context.model.dirty = false;  // else a question whether to save it
            {NOTEBOOK}.close();"""
        )
