// Go along the curve of distortion against rate, and see what a VAE rebuilds and draws at each beta.

import { isInside } from "./latent_map.js";

const SIDE = 4; // pictures in a row

export function RateDistortion(state, ui) {
  const { betas, means, runs, lecture, bars, units, seeds, start, originals, reconstructions, samples } = state;
  const number = ui.slider("beta no.", 1, betas.length, start + 1, 1, (value) => `beta = ${+betas[value - 1].toPrecision(6)}`);
  const point = (matrix, i) => [matrix[2 * i], matrix[2 * i + 1]];
  const all = [...runs, ...(lecture ?? [])];
  const limits = [0, 1].map((axis) => widened(all.filter((_, i) => i % 2 === axis)));
  const most = Math.max(...bars);
  let curve;

  // Copy pictures of one kind, from 0 to 1; beta is the number of the beta, or 0 where all betas share them.
  const picture = (pictures, beta, i) => Float32Array.from(pictures.subarray((8 * beta + i) * 784, (8 * beta + i + 1) * 784), (value) => value / 255);
  const choose = (x, y) => {
    const away = Array.from(betas, (_, i) => Math.hypot(curve.x(point(means, i)[0]) - x, curve.y(point(means, i)[1]) - y));
    number.value = away.indexOf(Math.min(...away)) + 1;
  };

  return {
    hint: "Curve: click, drag, or use the arrow keys (with Shift: larger steps)",

    shape: (narrow) => (narrow ? [380, 1010] : [820, 400]),

    draw(pen, narrow) {
      const { theme } = pen;
      const chosen = number.value - 1;
      const [rate, distortion] = point(means, chosen);
      const box = narrow ? { x: 50, y: 34, width: 320, height: 280 } : { x: 50, y: 34, width: 270, height: 310 };
      curve = pen.layer(`curve, ${narrow}`, (ground) => {
        const chart = ground.chart(box, { x: limits[0], y: limits[1], xLabel: "rate: KL, nats", yLabel: "distortion, nats" });
        const path = Array.from(betas, (_, i) => [chart.x(point(means, i)[0]), chart.y(point(means, i)[1])]);
        ground.line(path, { colour: theme.blue });
        for (let i = 0; i < runs.length / 2; i++) ground.dot(chart.x(point(runs, i)[0]), chart.y(point(runs, i)[1]), 3, theme.faint);
        const names = [["one run", theme.faint], ["mean of the seeds", theme.blue], ["equal loss at beta = 1", theme.orange]];
        if (lecture) names.push(["the lecture's model", theme.green]);
        names.forEach(([words, colour], i) => ground.text(words, box.x + box.width - 4, box.y + 10 + 17 * i, { size: 12, colour, align: "right" }));
        return chart;
      });
      pen.inside(box, () => pen.line(limits[0].map((x) => [curve.x(x), curve.y(rate + distortion - x)]), { colour: theme.orange, dash: [7, 4] }));
      pen.dot(curve.x(rate), curve.y(distortion), 7, theme.orange);
      if (lecture) pen.star(curve.x(lecture[0]), curve.y(lecture[1]), 10, theme.green); // on top, since it is close to beta = 1

      const [left, top, cell] = narrow ? [100, 400, 60] : [402, 34, 46];
      const rows = [["original", originals, 0, 0], ["rebuilt", reconstructions, chosen, 0], ["original", originals, 0, SIDE], ["rebuilt", reconstructions, chosen, SIDE], ["sample", samples, chosen, 0], ["sample", samples, chosen, SIDE]];
      rows.forEach(([words, pictures, beta, first], line) => {
        pen.text(words, left - 6, top + (line + 0.5) * cell, { size: 12, align: "right" });
        for (let i = 0; i < SIDE; i++) pen.digit(picture(pictures, beta, first + i), left + i * cell, top + line * cell, cell);
      });

      const dimensions = bars.shape[1];
      const mine = bars.subarray(chosen * dimensions, (chosen + 1) * dimensions);
      const axes = narrow ? { x: 50, y: 800, width: 320, height: 150 } : { x: 650, y: 34, width: 140, height: 276 };
      const chart = pen.chart(axes, { x: [0.5, dimensions + 0.5], y: [0, 1.05 * most + 0.01], xLabel: "dimensions, by KL", yLabel: "KL, nats" });
      mine.forEach((nats, i) => pen.bar(chart, i + 1, nats, theme.blue));

      const sum = `rate ${rate.toFixed(1)} + distortion ${distortion.toFixed(1)} = ${(rate + distortion).toFixed(1)}`;
      const beta = `beta = ${+betas[chosen].toPrecision(6)}`;
      const active = `active units: ${units[chosen]} of ${dimensions}`;
      const heads = [[sum, box.x + box.width / 2, box.y], [beta, left + 2 * cell, top], [active, axes.x + axes.width / 2 - (narrow ? 0 : 20), axes.y]];
      for (const [words, x, y] of heads) pen.text(words, x, y - 16, { size: 13, bold: true });
      return `${beta}: ${sum} nats, mean of ${seeds[chosen]} seeds; ${active}, and the largest KL of a dimension is ` +
        `${mine[0].toFixed(2)} nats. Beside the curve, four and four test images, each above its reconstruction, and eight samples.`;
    },

    grab(x, y) {
      const { box } = curve;
      if (!isInside({ box }, x, y)) return undefined;
      choose(x, y);
      return choose;
    },

    // To the right and down along the curve, rates are higher and betas are smaller.
    step(dx, dy) {
      number.value -= dx + dy;
    },
  };
}

function widened(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const margin = 0.05 * (high - low) || 1; // one point has no range
  return [low - margin, high + margin];
}
