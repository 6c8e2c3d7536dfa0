// Drag every explorer of a page in Firefox, over WebDriver BiDi; prints what each told before and after, as JSON.
// node firefox.mjs PUPPETEER FIREFOX PAGE: the folder of puppeteer-core, the browser's path, the page's address.
import { createRequire } from "node:module";

const [puppeteerFolder, executablePath, address] = process.argv.slice(2);
const puppeteer = createRequire(import.meta.url)(puppeteerFolder);
const browser = await puppeteer.launch({
  browser: "firefox",
  executablePath,
  headless: true,
  extraPrefsFirefox: { "network.proxy.type": 1, "network.proxy.http": "127.0.0.1", "network.proxy.http_port": 9 }, // no network
});
try {
  const page = await browser.newPage();
  await page.setViewport({ width: 1280, height: 900 });
  await page.goto(address);
  const all = "figure.vae-course-still";
  await page.waitForFunction((all) => {
    const figures = [...document.querySelectorAll(all)];
    return figures.every((figure) => figure.matches(".vae-course-live, .vae-course-failed"));
  }, {}, all);
  const found = {};
  for (const figure of await page.$$(all)) {
    const [name, failed] = await figure.evaluate((figure) => [
      JSON.parse(figure.querySelector("script").textContent).module,
      figure.matches(".vae-course-failed") && figure.querySelector("figcaption").textContent,
    ]);
    const told = () => figure.$eval(".vae-course-explorer", (root) => root.dataset.text);
    const drawn = () => figure.$eval("canvas", (canvas) => canvas.toDataURL().length + canvas.toDataURL().slice(-200));
    const settled = () => page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    if (failed) {
      found[name] = { failed };
      continue;
    }
    await figure.evaluate((figure) => figure.scrollIntoView());
    const before = await told();
    const canvas = await figure.$("canvas");
    if (await canvas.evaluate((canvas) => canvas.tabIndex === 0)) {
      const box = await canvas.boundingBox();
      const at = (share) => [box.x + (0.1 + 0.2 * share) * box.width, box.y + (0.2 + 0.4 * share) * box.height];
      await page.mouse.move(...at(0));
      await page.mouse.down();
      for (let i = 1; i <= 8; i++) await page.mouse.move(...at(i / 8));
      await page.mouse.up();
    }
    await settled();
    const dragged = await told();
    const steps = [];
    for (const control of await figure.$$("input[type=range], canvas[tabindex]")) {
      const picture = await drawn();
      await control.focus();
      await page.keyboard.press((await control.evaluate(({ value, min }) => value && value === min)) ? "ArrowRight" : "ArrowLeft");
      await settled();
      steps.push((await drawn()) !== picture);
    }
    found[name] = { before, dragged, steps };
  }
  console.log(JSON.stringify(found));
} finally {
  await browser.close();
}
