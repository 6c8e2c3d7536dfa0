// Move one dimension of a code, chosen by its rank in KL, and see what changes in the picture.

import { network, row } from "./network.js";

export function LatentTraversal({ names, points, first, decoder, kl, order, look }, ui) {
  const decode = network(decoder);
  const start = ui.choice("image", names, first);
  const rank = ui.slider("place by KL", 1, kl.length, 1, 1, String);
  const value = ui.slider("value", -3, 3, 3, 0.05);
  const changed = look.channels === 3 ? "change of colour:\ngrey is none" : `${look.light ? "light" : "ink"}: orange more,\nblue less`;
  const most = Math.max(...kl);

  return {
    shape: (narrow) => (narrow ? [380, 470] : [780, 300]),

    draw(pen, narrow) {
      const dimension = order[rank.value - 1];
      const z = Float32Array.from(row(points, names.indexOf(start.value)));
      const old = z[dimension];
      const before = decode(z);
      z[dimension] = value.value;
      const after = decode(z);
      const change = after.map((ink, i) => ink - before[i]);
      const nats = kl[dimension];

      const box = narrow ? { x: 48, y: 34, width: 322, height: 200 } : { x: 48, y: 44, width: 230, height: 190 };
      const bars = pen.layer(`bars, ${narrow}`, (ground) => {
        const chart = ground.chart(box, { x: [0.5, kl.length + 0.5], y: [0, 1.1 * most], xLabel: "dimension, by KL", yLabel: "nats per image" });
        order.forEach((number, i) => ground.bar(chart, i + 1, kl[number], ground.theme.soft));
        return chart;
      });
      pen.bar(bars, rank.value, nats, pen.theme.blue);
      const [x, y] = [bars.x(rank.value), bars.y(nats) - 3];
      pen.shape([[x, y], [x - 6, y - 10], [x + 6, y - 10]], pen.theme.blue);
      pen.text(`z[${dimension}]: ${nats.toFixed(2)} nats`, box.x + box.width / 2, box.y - 14, { size: 14, bold: true });

      const [left, top, side, gap] = narrow ? [6, 340, 116, 126] : [300, 64, 150, 160];
      const heads = [`as it was\nz[${dimension}] = ${signed2(old)}`, `moved to\nz[${dimension}] = ${signed2(value.value)}`, changed];
      [before, after, change].forEach((image, i) => {
        pen.text(heads[i], left + i * gap + side / 2, top - (narrow ? 28 : 36), { size: narrow ? 12 : 13 });
        pen.digit(image, left + i * gap, top, side, { ...look, change: i === 2 });
      });
      const largest = change.reduce((most, ink) => Math.max(most, Math.abs(ink)), 0);
      return `The ${start.value} with dimension ${dimension}, number ${rank.value} by KL with ${nats.toFixed(2)} nats, ` +
        `set from ${signed2(old)} to ${signed2(value.value)}: a pixel changes by ${largest.toFixed(2)} at most.`;
    },
  };
}

const signed2 = (value) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(2)}`;
