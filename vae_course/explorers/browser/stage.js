// Put an explorer on the page: its controls, its canvas, one frame for each change, its text, and its errors.

import { unpack } from "./network.js";
import { makePen, readTheme } from "./pen.js";

const WIDEST = 1.2; // how much a drawing may grow beyond its design where only the width limits it
const NARROW = 560; // pixels below which an explorer stands on a telephone

const make = (kind, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(kind), properties);
  element.append(...children);
  return element;
};

// Keys that a control or the picture answers to. In a deck, all others turn the slides and the like.
const USED = { CANVAS: /^Arrow/, INPUT: /^(Arrow.*|Home|End| )$/, SELECT: /^(Arrow.*|Home|End|Enter|.)$/, BUTTON: /^(Enter| )$/ };
const HELD = /^(Tab|Shift|Control|Alt|Meta)$/;

// Start an explorer inside an element. `Explorer(state, ui)` makes its controls by `ui`, and returns
//   shape(narrow): width and height of its drawing in CSS pixels,
//   draw(pen, narrow): draws one frame and returns what it shows in words,
//   grab(x, y), if points can be dragged: returns a function of x and y that follows, or nothing,
//   step(dx, dy), if they can be moved by the arrow keys, and hint, which says so.
// `onLive` is called after the first frame, `onError` with an error that comes before it.
export function stage(parent, Explorer, state, { onLive = () => {}, onError = () => {} } = {}) {
  // For names that must differ. Jupyter loads this module once for each explorer, so only the page can count.
  const number = (document.vaeCourseExplorers = (document.vaeCourseExplorers ?? 0) + 1);
  const named = (label) => `vae-course-${number}-${label.replace(/\W+/g, "-")}`;
  const controls = make("div", { className: "vae-course-controls" });
  const canvas = make("canvas", { className: "vae-course-canvas" });
  const frame = make("div", { className: "vae-course-frame" }, canvas);
  const spoken = make("p", { className: "vae-course-spoken", ariaLive: "polite" });
  const alert = make("p", { className: "vae-course-alert", hidden: true });
  alert.setAttribute("role", "alert");
  const root = make("div", { className: "vae-course-explorer", lang: "en" }, controls, frame, alert, spoken);
  root.dataset.lmSuppressShortcuts = "true"; // JupyterLab's keys would go to another cell
  root.dataset.preventSwipe = ""; // and reveal.js would go to another slide
  parent.append(root);

  let explorer, pen, asked = 0, live = false, grabbed = false, speaking, shape = {};
  const redraw = () => (asked ||= requestAnimationFrame(show));

  function fit() {
    const [width, height] = [frame.clientWidth, frame.clientHeight];
    const narrow = width < NARROW;
    const [designed, tall] = explorer.shape(narrow);
    // In a slide, the height is given as well.
    const scale = root.closest(".vae-course-fit") ? Math.min(width / designed, height / tall) : Math.min(width / designed, WIDEST);
    canvas.style.width = `${designed * scale}px`;
    canvas.style.height = `${tall * scale}px`;
    const shown = canvas.getBoundingClientRect().width / canvas.offsetWidth || 1; // slides are scaled
    const dots = scale * shown * devicePixelRatio;
    const [across, down] = [Math.round(designed * dots), Math.round(tall * dots)];
    if (canvas.width !== across || canvas.height !== down) {
      [canvas.width, canvas.height] = [across, down];
      pen = undefined;
    }
    shape = { width: designed, height: tall, narrow, dots };
  }

  function show() {
    asked = 0;
    if (!frame.clientWidth) return; // not on the screen; drawn once it is
    try {
      fit();
      pen ??= makePen(canvas.getContext("2d"), readTheme(root), shape.dots);
      pen.context.setTransform(shape.dots, 0, 0, shape.dots, 0, 0);
      pen.context.clearRect(0, 0, shape.width, shape.height);
      say(explorer.draw(pen, shape.narrow));
      alert.hidden = true;
    } catch (error) {
      fail(error);
      return;
    }
    if (!live) onLive();
    live = true;
    root.dataset.frames = +(root.dataset.frames ?? 0) + 1;
    if (asked) root.dataset.goingOn = +(root.dataset.goingOn ?? 0) + 1; // it drew a part, and the next frame follows by itself
  }

  function say(text) {
    canvas.setAttribute("aria-label", explorer.hint ? `${explorer.hint}. ${text}` : text);
    root.dataset.text = text;
    clearTimeout(speaking); // a screen reader hears the text once a drag has come to rest
    speaking = setTimeout(() => (spoken.textContent = text), 500);
  }

  function fail(error) {
    console.warn(error);
    alert.textContent = `This did not work. ${error.message}`;
    alert.hidden = false;
    if (!live) onError(error);
  }

  const ui = {
    redraw,

    // A slider for numbers, with its name before it and its value after it.
    slider(label, low, high, value, step = 0.01, words = (number) => number.toFixed(2)) {
      const input = make("input", { type: "range", min: low, max: high, step, value, id: named(label) });
      const output = make("output", { htmlFor: input.id });
      const tell = () => {
        output.textContent = words(+input.value);
        input.setAttribute("aria-valuetext", output.textContent);
      };
      input.addEventListener("input", () => (tell(), redraw()));
      tell();
      controls.append(make("div", { className: "vae-course-control" }, make("label", { htmlFor: input.id }, label), input, output));
      return {
        get value() { return +input.value; },
        set value(number) { input.value = number; tell(); },
        set max(number) { input.max = number; tell(); },
      };
    },

    // A list of which one is chosen.
    choice(label, options, value, onChange = () => {}) {
      const select = make("select", { id: named(label) }, ...options.map((option) => new Option(option, option)));
      select.value = value;
      select.addEventListener("change", () => (onChange(), redraw()));
      controls.append(make("div", { className: "vae-course-control" }, make("label", { htmlFor: select.id }, label), select));
      return { get value() { return select.value; }, set value(option) { select.value = option; } };
    },

    // A row of buttons of which one is pressed.
    radio(label, options, value, onChange = () => {}) {
      const inputs = options.map((option) =>
        make("input", { type: "radio", name: named(label), value: option, checked: option === value }));
      for (const input of inputs) input.addEventListener("change", () => (onChange(), redraw()));
      const labels = inputs.map((input) => make("label", {}, input, make("span", {}, input.value)));
      controls.append(make("fieldset", { className: "vae-course-control" }, make("legend", {}, label), ...labels));
      return { get value() { return inputs.find((input) => input.checked).value; } };
    },

    button(label, onClick) {
      const button = make("button", { type: "button" }, label);
      button.addEventListener("click", () => (onClick(button), redraw()));
      controls.append(make("div", { className: "vae-course-control" }, button));
      return button;
    },
  };

  // A point of the page in the drawing's own pixels, however the page is scaled.
  function place(event) {
    const box = canvas.getBoundingClientRect();
    return [((event.clientX - box.left) / box.width) * shape.width, ((event.clientY - box.top) / box.height) * shape.height];
  }

  function press(event) {
    if (event.button || grabbed) return; // a second finger, or the palm
    const follow = explorer.grab(...place(event));
    if (!follow) return;
    const { pointerId } = event;
    canvas.setPointerCapture(pointerId);
    const move = (event) => {
      if (event.pointerId !== pointerId) return;
      for (const part of event.getCoalescedEvents?.() ?? [event]) follow(...place(part));
      redraw();
    };
    grabbed = true;
    const end = (event) => {
      if (event.pointerId !== pointerId) return;
      grabbed = false;
      canvas.removeEventListener("pointermove", move);
      canvas.removeEventListener("pointerup", end);
      canvas.removeEventListener("pointercancel", end);
    };
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", end);
    canvas.addEventListener("pointercancel", end);
    redraw();
  }

  function key(event) {
    const { target } = event;
    const plain = !event.ctrlKey && !event.altKey && !event.metaKey;
    const used = HELD.test(event.key) || (plain && USED[target.tagName]?.test(event.key));
    // What is used would also turn the slide. In a notebook, any key would move the focus to a cell.
    if (used || !root.closest(".reveal")) event.stopPropagation();
    else if (plain) target.blur(); // while a slider has the focus, reveal.js ignores all keys
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (target !== canvas || !plain || !direction) return;
    event.preventDefault();
    explorer.step(...direction.map((sign) => sign * (event.shiftKey ? 5 : 1)));
    redraw();
  }

  const size = new ResizeObserver(() => show());
  const themes = new MutationObserver(() => ((pen = undefined), redraw()));
  try {
    explorer = Explorer(unpack(state), ui);
    canvas.setAttribute("role", "img");
    if (explorer.grab) {
      Object.assign(canvas, { tabIndex: 0, title: explorer.hint, role: "application" });
      canvas.classList.add("vae-course-choosing");
      canvas.addEventListener("pointerdown", press);
      // A finger that has grabbed something must not scroll the page as well; beside it, it may.
      canvas.addEventListener("touchstart", (event) => grabbed && event.preventDefault(), { passive: false });
    }
    root.addEventListener("keydown", key);
    size.observe(frame);
    addEventListener("resize", redraw); // the browser's zoom changes only how many dots there are
    for (const element of [document.documentElement, document.body])
      themes.observe(element, { attributeFilter: ["class", "data-theme", "theme", "data-jp-theme-light"] });
  } catch (error) {
    fail(error);
  }
  return () => {
    size.disconnect();
    removeEventListener("resize", redraw);
    themes.disconnect();
    clearTimeout(speaking);
    cancelAnimationFrame(asked);
    explorer?.close?.();
    root.remove();
  };
}
