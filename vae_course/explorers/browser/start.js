// Start explorers in Jupyter, by the protocol of anywidget, and in pages.

import { DrawADigit } from "./draw_a_digit.js";
import { Handwriting } from "./handwriting.js";
import { KLExplorer } from "./kl.js";
import { LatentMap } from "./latent_map.js";
import { DigitMorph } from "./morph.js";
import { RateDistortion } from "./rate_distortion.js";
import { ReparameterizationExplorer } from "./reparameterization.js";
import { stage } from "./stage.js";
import { Staircase } from "./staircase.js";
import { TransposedConvolutionExplorer } from "./transposed_convolution.js";
import { LatentTraversal } from "./traversal.js";

const EXPLORERS = {
  DigitMorph, DrawADigit, Handwriting, KLExplorer, LatentMap, LatentTraversal, RateDistortion, ReparameterizationExplorer, Staircase,
  TransposedConvolutionExplorer,
};

// For anywidget: show an explorer in an element, and return what cleans it up.
export function render({ model, el }) {
  return stage(el, EXPLORERS[model.get("module")], model.get("state"));
}

// In a page, each figure is a still picture until its explorer has drawn its first frame.
for (const figure of document.querySelectorAll("figure.vae-course-still")) {
  const note = figure.querySelector("figcaption");
  const printing = new URLSearchParams(location.search).has("print-pdf"); // as reveal.js asks for paper
  if (printing) continue;
  const tell = (error) => {
    close?.();
    note.textContent = `This is a still picture, because the live one failed. ${error.message}`;
    figure.classList.add("vae-course-failed");
  };
  let close;
  try {
    const { module, state } = JSON.parse(figure.querySelector("script").textContent);
    close = stage(figure, EXPLORERS[module], state, {
      onLive: () => figure.classList.add("vae-course-live"),
      onError: (error) => queueMicrotask(() => tell(error)), // `close` is known then
    });
  } catch (error) {
    tell(error);
  }
}

export default { render };
