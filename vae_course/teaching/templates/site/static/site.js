// Tell explorers whether the page is dark: the theme has a third value, which follows the system.
const dark = matchMedia("(prefers-color-scheme: dark)");
function tellTheme() {
  const chosen = document.body.dataset.theme;
  document.documentElement.dataset.theme = chosen === "auto" ? (dark.matches ? "dark" : "light") : chosen;
}
tellTheme();
dark.addEventListener("change", tellTheme);
new MutationObserver(tellTheme).observe(document.body, { attributeFilter: ["data-theme"] });

// Let the arrow keys scroll what is wider than the page, such as code and formulas on a phone.
function reachByKeyboard() {
  for (const box of document.querySelectorAll("pre, .table-wrapper, div.math, .cell_output")) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
}
addEventListener("load", reachByKeyboard);
addEventListener("resize", reachByKeyboard);
document.addEventListener("toggle", reachByKeyboard, true);

// Name the two side bars for screen readers.
document.querySelector(".sidebar-drawer")?.setAttribute("aria-label", "Lessons");
document.querySelector(".toc-drawer")?.setAttribute("aria-label", "On this page");

// Who follows a link to a second reading wants to read it.
function openFold() {
  let name = location.hash.slice(1);
  try {
    name = decodeURIComponent(name);
  } catch {} // a link with a stray percent sign
  const target = document.getElementById(name);
  target?.querySelector(":scope > details.second-reading")?.setAttribute("open", "");
}
openFold();
addEventListener("hashchange", openFold);
