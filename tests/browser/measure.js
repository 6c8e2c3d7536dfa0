// Measures a slide, the one that a deck shows or another one, in pixels of the screen, after reveal.js has
// scaled it.
(leastText, leastFigure, slide = Reveal.getCurrentSlide()) => {
  const frame = slide.getBoundingClientRect();
  const scale = frame.width / slide.offsetWidth;
  const foot = slide.querySelector(".lesson").getBoundingClientRect();
  const end = foot.height ? foot.top : frame.bottom;
  const found = [];
  const say = (what, pixels) => found.push({ what, pixels: Math.ceil(pixels) });
  const named = (element) => element.textContent.trim().replace(/\s+/g, " ").slice(0, 40);
  const sizeOf = (element) => parseFloat(getComputedStyle(element).fontSize);
  const unseen = "aside, script, style, mjx-assistive-mml";

  // The smallest rectangle around all that a part shows: what sticks out of its box counts, too.
  const around = (part) => {
    const boxes = [part, ...part.querySelectorAll("*")]
      .filter((element) => !element.closest(unseen))
      .map((element) => element.getBoundingClientRect())
      .filter((box) => box.width && box.height);
    const most = (pick, side) => pick(...boxes.map((box) => box[side]));
    return {
      left: most(Math.min, "left"),
      right: most(Math.max, "right"),
      top: most(Math.min, "top"),
      bottom: most(Math.max, "bottom"),
    };
  };
  const isFigure = (part) => part.classList.contains("figure");
  const parts = [...slide.querySelectorAll(".part")];
  const boxes = parts.map(around);

  parts.forEach((part, i) => {
    const { left, right, top, bottom } = boxes[i];
    const over = Math.max(bottom - end, frame.top - top, right - frame.right, frame.left - left);
    if (over > 1) say(`"${named(part)}" does not fit`, over);
    boxes.slice(i + 1).forEach((other, j) => {
      const wide = Math.min(right, other.right) - Math.max(left, other.left);
      const high = Math.min(bottom, other.bottom) - Math.max(top, other.top);
      if (wide > 1 && high > 1)
        say(`"${named(part)}" and "${named(parts[i + 1 + j])}" overlap`, Math.min(wide, high));
    });
    if (isFigure(part) && bottom - top < leastFigure * scale)
      say("the figure is too small", leastFigure * scale - (bottom - top));
    part.querySelectorAll("pre").forEach((pre) => {
      const cut = pre.scrollWidth - pre.clientWidth;
      if (cut > 0) say(`a line is cut in "${named(pre)}"`, cut * scale);
    });
    part.querySelectorAll("mjx-container").forEach((formula) => {
      const size = sizeOf(formula) * scale;
      if (size < leastText - 0.01) say("a formula is too small", leastText - size);
    });
  });

  const walk = document.createTreeWalker(document.querySelector(".reveal"), NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const parent = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || parent.closest(unseen)) continue;
    const inside = slide.contains(parent);
    if (!inside && parent.closest("section")) continue; // another slide
    if (!inside && !parent.checkVisibility({ visibilityProperty: true })) continue;
    const size = sizeOf(parent) * (inside ? scale : 1);
    if (size < leastText - 0.01) say(`"${named(parent)}" is too small a text`, leastText - size);
  }

  // How full: down to where the content ends, if a figure below the text has no more than its least height.
  const beside = slide.classList.contains("beside");
  let used = Math.max(...boxes.filter((_, i) => !beside || !isFigure(parts[i])).map((box) => box.bottom));
  if (!beside)
    boxes
      .filter((_, i) => isFigure(parts[i]))
      .forEach((box) => (used -= Math.max(0, box.bottom - box.top - leastFigure * scale)));
  const { h, v, f } = Reveal.getIndices();
  return {
    title: slide.dataset.title,
    id: slide.id,
    place: `${h}/${v}/${f ?? ""}`,
    fill: (used - frame.top) / (end - frame.top),
    found,
  };
}
