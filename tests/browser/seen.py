"""An explorer as a student meets it, on any page: seen, dragged by the mouse, stepped by keys, and timed.

Nothing here waits for a time to pass: every wait is for a condition, with a limit for when it never comes.
"""

import base64
import io
import re

import numpy as np
from PIL import Image

LIMIT = 600  # seconds for anything, so that a busy machine does not matter
# `times`: from an event to when the browser is done with the first frame after it, milliseconds.
WATCH = """(root) => {
  if (root.seen) return;
  const seen = (root.seen = { event: 0, timing: false, times: [] });
  for (const name of ["pointerdown", "pointermove", "keydown", "input", "change"])
    window.addEventListener(name, (e) => { seen.event = e.timeStamp; }, true);
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => {
    if (seen.timing) seen.times.push(performance.now() - seen.event);
    seen.timing = false;
  };
  new MutationObserver(() => port2.postMessage(0)).observe(root, { attributeFilter: ["data-frames"] });
}"""
# Ends when a frame has been drawn, all that was asked for is drawn, and its time is noted.
SETTLED = """([root, limit]) => new Promise((done, fail) => {
  let before;
  setTimeout(() => fail(Error(`no frame after ${root.dataset.frames}`)), limit);
  const look = () => {
    const frames = root.dataset.frames;
    if (frames && frames === before && !root.seen.timing) return done(true);
    before = frames;
    requestAnimationFrame(() => setTimeout(look));
  };
  look();
})"""


class Seen:
    """An explorer on a page.

    Args:
        node: Locator of its element with the class `vae-course-explorer`.
    """

    def __init__(self, node):
        self.page, self.node = node.page, node
        self.image = node.locator("canvas")
        node.evaluate("(root) => root.scrollIntoView({ block: 'start' })")
        node.evaluate(WATCH)
        self.settle()

    def picture(self):
        """Return what is drawn, an array `(height, width, 3)` of whole numbers."""
        address = self.image.evaluate("(canvas) => canvas.toDataURL()")
        png = io.BytesIO(base64.b64decode(address.partition(",")[2]))
        return np.asarray(Image.open(png).convert("RGBA")).astype(int)

    def text(self):
        """Return what the picture shows in words."""
        return self.node.get_attribute("data-text")

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
        return float(self.slider(name).input_value())

    def button(self, name):
        """Find one of several buttons of which one is pressed, by its text."""
        return self.node.get_by_role("radio", name=name, exact=True)

    def choose(self, name, option):
        """Choose from a drop-down list, found by its label."""
        self.after(lambda: self.node.get_by_label(name, exact=True).select_option(option))

    def frames(self):
        """Return how many frames have been drawn so far."""
        return int(self.node.get_attribute("data-frames"))

    def answers(self):
        """Return how many frames answered something that was done, not those that only went on drawing."""
        return self.frames() - int(self.node.get_attribute("data-going-on") or 0)

    def times(self):
        """Return the latencies so far, see `WATCH`."""
        return self.node.evaluate("(root) => root.seen.times")

    def settle(self):
        """Wait until everything done so far is drawn."""
        root = self.node.element_handle()
        self.page.evaluate(SETTLED, [root, 1000 * LIMIT])

    def after(self, act):
        """Act, and wait for the frame that shows it; one act at a time, and timed."""
        self.node.evaluate("(root) => { root.seen.timing = true; }")
        act()
        self.settle()

    def drag(self, path, fast=False):
        """Press the mouse at the first point of a path, move along it, release.

        Args:
            path: Points in the page, pixels.
            fast: Do not wait for the frame after each move. Frames must not queue up behind the mouse.
        """
        mouse = self.page.mouse
        mouse.move(*path[0])
        mouse.down()
        self.settle()
        before = self.answers()
        for point in path[1:]:
            if fast:
                mouse.move(*point)
            else:
                self.after(lambda point=point: mouse.move(*point))
        mouse.up()
        self.settle()
        assert 1 <= self.answers() - before <= len(path) + 1

    def slide(self, name, share, steps=6, fast=False):
        """Drag a slider by the mouse to a share of its track, 0 is its left end."""
        slider = self.slider(name)
        box, half = slider.bounding_box(), 8  # of the handle's width, which stays inside the track
        low, high, unit = (float(slider.get_attribute(end)) for end in ("min", "max", "step"))

        def place(share):
            return box["x"] + half + share * (box["width"] - 2 * half)

        start, goal = place((self.value(name) - low) / (high - low)), place(share)
        y = box["y"] + box["height"] / 2
        step = (goal - start) / steps
        # A step that is too small for the slider would wait for a frame that never comes.
        least = 1.01 * unit / (high - low) * (box["width"] - 2 * half)
        self.drag([(start + step * i, y) for i in range(steps + 1)], fast or abs(step) < least)

    def press(self, target, key, times=1):
        """Focus something, and press a key on it, each time waiting for the frame."""
        target.focus()
        for _ in range(times):
            self.after(lambda: self.page.keyboard.press(key))

    def at(self, x, y):
        """Return the point in the page of a place in the picture, both as shares of its size."""
        box = self.image.bounding_box()
        return box["x"] + x * box["width"], box["y"] + y * box["height"]
