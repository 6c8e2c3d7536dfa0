// Formulas first, so that everything has its size; then the slides. Whoever waits for the deck looks at
// data-ready of the page.
Reveal.on("pdf-ready", () => (document.documentElement.dataset.printed = "yes"));
MathJax.startup.promise
  .then(() => MathJax.typesetPromise())
  .then(() => {
    // The speaker's window has no styles of MathJax: there, these would show every formula twice.
    document.querySelectorAll("aside.notes mjx-assistive-mml").forEach((twin) => twin.remove());
    return Reveal.initialize({
      width: 1280,
      height: 720,
      margin: 0,
      minScale: 0.1,
      maxScale: 5,
      center: false,
      display: "flex",
      transition: "none",
      hash: true,
      slideNumber: "c/t",
      controlsTutorial: false,
      pdfMaxPagesPerSlide: 1,
      pdfSeparateFragments: false,
      plugins: [RevealNotes],
    });
  })
  .then(() => (document.documentElement.dataset.ready = "yes"));
