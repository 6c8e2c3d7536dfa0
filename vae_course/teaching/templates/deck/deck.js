// A script that waits for the deck looks at the page's data-ready and, for printing, at data-printed.
const FULL = 0.9; // the share of a slide's height that its content may fill, which leaves some white space
const LEAST_FIGURE = 240; // a figure's least height in pixels, as in the style sheet
const LIVE = 1.5; // how many times as wide as high explorers are, with their controls
const TEXT = [34, 30, 27, 25]; // sizes in pixels that can be read from the last row
const CODE = [26, 24, 22, 20, 18];

// List the possible layouts of a slide, which are sizes of text and code with the figure below or beside the text.
function layouts(slide) {
  const count = (parts) => slide.querySelectorAll(`.part${parts}`).length;
  const codes = count(" pre") ? CODE : CODE.slice(-1);
  const narrow = count(".figure") === 1 && count(".text") && !count(" :is(pre, table)");
  const places = narrow ? ["below", "beside"] : ["below"];
  return TEXT.flatMap((text) => codes.flatMap((code) => places.map((place) => ({ text, code, place }))));
}

function lay(slide, { text, code, place }) {
  slide.style.setProperty("--text-size", `${text}px`);
  slide.style.setProperty("--code-size", `${code}px`);
  slide.classList.toggle("beside", place === "beside");
}

// Measure how full a slide is (more than 1 if something overflows) and how wide its figure is.
function measure(slide) {
  const frame = slide.getBoundingClientRect();
  const foot = slide.querySelector(".lesson").getBoundingClientRect();
  const parts = [...slide.querySelectorAll(".part:not(.figure)")];
  const figures = [...slide.querySelectorAll(".figure")];
  const beside = slide.classList.contains("beside");
  const boxes = (beside ? parts : parts.concat(figures)).map((part) => part.getBoundingClientRect());
  let used = Math.max(...boxes.map((box) => box.bottom)) - frame.top;
  let width = 1;
  for (const figure of figures) {
    const box = figure.getBoundingClientRect();
    const image = figure.querySelector("img");
    const shape = figure.querySelector(".vae-course-still") ? LIVE : image.naturalWidth / image.naturalHeight;
    width = Math.min(box.width, box.height * shape);
    if (!beside) used -= box.height - LEAST_FIGURE; // a figure fills the remaining space
    else if (boxes[0].bottom > box.top) used = Infinity; // the title overlaps it
  }
  const wide = ({ scrollWidth, clientWidth }) => scrollWidth > clientWidth;
  if (parts.some((part) => wide(part) || [...part.querySelectorAll("pre")].some(wide))) used = Infinity;
  return { full: used / ((foot.height ? foot.top : frame.bottom) - frame.top), width };
}

// Of the layouts that fit, choose the one with the largest product of text, code and figure sizes.
function layOut(slides) {
  const ways = slides.map(layouts);
  const best = ways.map((list) => ({ ...list.at(-1), size: 0, full: Infinity }));
  for (let i = 0; i < Math.max(...ways.map((list) => list.length)); i++) {
    const tried = slides.map((slide, s) => [slide, ways[s][i], s]).filter(([, way]) => way);
    tried.forEach(([slide, way]) => lay(slide, way)); // all of them first, so that the browser lays the page out only once
    for (const [slide, way, s] of tried) {
      const { full, width } = measure(slide);
      const size = full <= FULL ? way.text * way.code * width : 0;
      const better = size > best[s].size || (!best[s].size && full < best[s].full);
      if (better) best[s] = { ...way, size, full };
    }
  }
  slides.forEach((slide, s) => lay(slide, best[s]));
}

Reveal.on("pdf-ready", () => (document.documentElement.dataset.printed = "yes"));
Promise.allSettled([
  MathJax.startup.promise, // formulas are drawn
  new Promise((done) => addEventListener("load", done)), // images are there
  ...[...document.fonts].map((font) => font.load()),
])
  .then(() => {
    // The speaker window lacks MathJax's styles, so these would show every formula twice there.
    document.querySelectorAll("aside.notes mjx-assistive-mml").forEach((twin) => twin.remove());
    document.documentElement.classList.add("measuring");
    layOut([...document.querySelectorAll(".slides section")]);
    document.documentElement.classList.remove("measuring");
    return Reveal.initialize({
      width: 1280,
      height: 720,
      margin: 0,
      minScale: 0.1,
      maxScale: 5,
      scrollActivationWidth: 0,
      center: false,
      display: "flex",
      transition: "none",
      backgroundTransition: "none",
      hash: true,
      slideNumber: "c/t",
      controlsTutorial: false,
      pdfMaxPagesPerSlide: 1,
      pdfSeparateFragments: false,
      plugins: [RevealNotes],
    });
  })
  .then(() => (document.documentElement.dataset.ready = "yes"));
