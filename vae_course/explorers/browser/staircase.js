// Climb the importance-weighted bound draw by draw, and see which draws hold the weight.

import { network, row } from "./network.js";

const BARS = 12; // heaviest weights that are shown

// Return the log of the sum of exponentials of numbers.
export function logSumExp(values) {
  const most = values.reduce((a, b) => Math.max(a, b), -Infinity);
  return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
}

// Return the running bound after each draw: the log of the mean weight so far.
export function runningBound(logWeights) {
  let sum = -Infinity;
  return Float64Array.from(logWeights, (value, i) => {
    const most = Math.max(sum, value);
    sum = most + Math.log(Math.exp(sum - most) + Math.exp(value - most));
    return sum - Math.log(i + 1);
  });
}

export function Staircase({ images, steps, decoder }, ui) {
  const decode = network(decoder);
  for (const image of images) image.bound = runningBound(image.logWeights);
  const names = images.map(({ name }) => name);
  const name = ui.choice("image", names, names[0]);
  const step = ui.slider("step", 1, steps.length, 21, 1, (number) => `K = ${steps[number - 1]}`);

  return {
    shape: (narrow) => (narrow ? [380, 760] : [780, 320]),

    draw(pen, narrow) {
      const { theme } = pen;
      const image = images[names.indexOf(name.value)];
      const { bound, logWeights } = image;
      const k = steps[step.value - 1];
      const whole = logSumExp(logWeights.subarray(0, k));
      const shares = Float64Array.from(logWeights.subarray(0, k), (value) => Math.exp(value - whole)).sort().reverse();
      const effective = 1 / shares.reduce((sum, share) => sum + share * share, 0);
      // The heaviest draw so far is the last of those that were heavier than all before them.
      const best = image.records.findLastIndex((draw) => draw < k);
      const heaviest = decode(Float32Array.from(row(image.codes, best)));

      const places = narrow
        ? { digit: [30, 40, 140], heavy: [210, 40, 140], stairs: { x: 56, y: 230, width: 310, height: 190 }, bars: { x: 56, y: 510, width: 310, height: 190 } }
        : { digit: [6, 60, 130], heavy: [644, 60, 130], stairs: { x: 200, y: 40, width: 210, height: 220 }, bars: { x: 470, y: 40, width: 150, height: 220 } };
      const shown = [Math.min(...bound) - 1, Math.max(...bound) + 1];
      const stairs = pen.layer(`${name.value}, ${narrow}`, (ground) => {
        const chart = ground.chart(places.stairs, { x: [0.9, 1.1 * bound.length], y: shown, logX: true, xTicks: [1, 10, 100, 1000], xLabel: "draws K", yLabel: "nats" });
        const corners = Array.from(bound, (value, i) => [[chart.x(i + 1), chart.y(value)], [chart.x(i + 2), chart.y(value)]]);
        ground.inside(places.stairs, () => ground.line(corners.flat(), { colour: theme.blue }));
        return chart;
      });
      pen.dot(stairs.x(k), stairs.y(bound[k - 1]), 6, theme.orange);
      const bars = pen.chart(places.bars, { x: [0.4, BARS + 0.6], y: [0, 1], xLabel: "heaviest draws", yLabel: "share of the weight", xTicks: [1, 4, 8, 12] });
      for (let i = 0; i < Math.min(k, BARS); i++) pen.bar(bars, i + 1, shares[i], theme.blue);

      const percent = `${Math.round(100 * shares[0])}%`;
      const over = ({ x, y, width }, words) => pen.text(words, x + width / 2, y - 16, { size: 14, bold: true });
      over(places.stairs, `K = ${k}: bound ${bound[k - 1].toFixed(2)}`);
      over(places.bars, `effective ${effective.toFixed(1)} of ${k}`);
      for (const [[x, y, side], picture, words] of [[places.digit, image.pixels, "the image"], [places.heavy, heaviest, `heaviest: ${percent}`]]) {
        pen.digit(picture, x, y, side);
        pen.text(words, x + side / 2, y - 16, { size: 14, bold: true });
      }
      return `${name.value}: with ${k} draws the bound is ${bound[k - 1].toFixed(2)} nats, the effective sample ` +
        `size ${effective.toFixed(1)}, and the heaviest draw holds ${percent} of the weight.`;
    },
  };
}
