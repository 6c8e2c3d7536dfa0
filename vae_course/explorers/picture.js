// A picture drawn by the kernel; if `area` is not empty, a point in it can be dragged or moved by keys.
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// Sliders of ipywidgets show their names but hide them from screen readers; the buttons of Play have none.
function nameControls(explorer) {
  for (const slider of explorer.querySelectorAll(".widget-slider")) {
    const handle = slider.querySelector(".noUi-handle");
    const name = slider.querySelector(".widget-label")?.textContent;
    if (handle && name) handle.setAttribute("aria-label", name);
  }
  for (const player of explorer.querySelectorAll(".widget-play")) {
    player.querySelectorAll("button").forEach((button, i) => {
      button.title = ["play or pause", "stop", "repeat"][i];
      button.setAttribute("aria-label", button.title);
    });
  }
}

function render({ model, el }) {
  const image = document.createElement("img");
  image.className = "vae-course-picture";
  image.draggable = false;
  el.appendChild(image);

  let shown = "";
  function show() {
    const next = URL.createObjectURL(new Blob([model.get("png")], { type: "image/png" }));
    image.src = next;
    if (shown) URL.revokeObjectURL(shown);
    shown = next;
  }
  function tell() {
    image.alt = model.get("alt");
  }
  show();
  tell();
  model.on("change:png", show);
  model.on("change:alt", tell);

  // The model waits for the kernel's answer to the last change, and then sends only the newest one.
  function choose(x, y) {
    const [left, top, right, bottom] = model.get("area");
    const inside = (value, low, high) => Math.min(Math.max(value, low), high);
    model.set("place", [inside(x, left, right), inside(y, top, bottom)]);
    model.save_changes();
  }
  function follow(event) {
    const box = image.getBoundingClientRect();
    choose((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  }
  function press(event) {
    const box = image.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width;
    const y = (event.clientY - box.top) / box.height;
    const [left, top, right, bottom] = model.get("area");
    if (x < left || x > right || y < top || y > bottom) return;
    image.setPointerCapture(event.pointerId);
    image.addEventListener("pointermove", follow);
    follow(event);
  }
  function release() {
    image.removeEventListener("pointermove", follow);
  }
  function step(event) {
    const direction = STEPS[event.key];
    if (!direction) return;
    event.preventDefault();
    event.stopPropagation(); // otherwise JupyterLab would go to another cell
    const [left, top, right, bottom] = model.get("area");
    const [x, y] = model.get("place");
    const share = event.shiftKey ? 0.1 : 0.02;
    choose(x + direction[0] * share * (right - left), y + direction[1] * share * (bottom - top));
  }
  if (model.get("area").length) {
    image.classList.add("vae-course-choosing");
    image.tabIndex = 0;
    image.setAttribute("role", "application");
    image.setAttribute("aria-roledescription", model.get("hint"));
    image.title = model.get("hint");
    image.addEventListener("pointerdown", press);
    image.addEventListener("pointerup", release);
    image.addEventListener("pointercancel", release);
    image.addEventListener("keydown", step);
  }
  // The picture is not in the page yet, and some of the controls may follow even later.
  let frame, names;
  function keepNames() {
    const explorer = el.closest(".vae-course-explorer");
    if (!explorer) {
      frame = requestAnimationFrame(keepNames);
      return;
    }
    nameControls(explorer);
    names = new MutationObserver(() => nameControls(explorer));
    names.observe(explorer, { childList: true, subtree: true });
  }
  keepNames();
  return () => {
    cancelAnimationFrame(frame);
    names?.disconnect();
    model.off("change:png", show);
    model.off("change:alt", tell);
    URL.revokeObjectURL(shown);
  };
}

export default { render };
