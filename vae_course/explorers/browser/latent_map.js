// A map of two-dimensional codes: drag the cross, and see the place decoded, and the nearest code.

import { network } from "./network.js";

export function LatentMap({ title, labels, models, names: classes, marks, look }, ui) {
  for (const model of models) model.decode = network(model.decoder);
  const names = models.map((model) => model.name);
  const places = new Map(models.map((model) => [model, [...model.start]]));
  const model = models.length > 1 ? ui.radio("model", names, names[0]) : { value: names[0] };
  const chosen = () => models.find(({ name }) => name === model.value);
  let map; // of the last frame: the chart's box and its limits

  return {
    hint: "Map of codes: click, drag, or use the arrow keys (with Shift: larger steps)",

    shape: (narrow) => (narrow ? [380, 690] : [780, 440]),

    draw(pen, narrow) {
      const { name, codes, decode, centres, radii } = chosen();
      const z = places.get(chosen());
      map = mapBox(chosen(), narrow ? { x: 48, y: 30, width: 320, height: 300 } : { x: 54, y: 34, width: 430, height: 356 });
      const chart = pen.layer(`${name}, ${narrow}`, (ground) => drawMap(ground, map, chosen(), labels, `${name}: ${title}`, marks));

      const near = nearest(codes, z);
      const distance = Math.hypot(codes[2 * near] - z[0], codes[2 * near + 1] - z[1]);
      const [x, y] = [chart.x(z[0]), chart.y(z[1])];
      const there = [chart.x(codes[2 * near]), chart.y(codes[2 * near + 1])];
      pen.inside(map.box, () => {
        pen.line([[x, y], there], { width: 2 });
        pen.dot(...there, 4, pen.theme.classes[labels[near] % 10]);
      });
      pen.cross(x, y);

      const gap = Array.from(radii).findIndex((radius, i) => Math.hypot(centres[2 * i] - z[0], centres[2 * i + 1] - z[1]) < radius);
      const where = `z = (${z[0].toFixed(2)}, ${z[1].toFixed(2)})` +
        (!radii.length ? "" : gap < 0 ? ", in none of the marked gaps" : `, in gap ${gap + 1}`);
      const closest = `nearest code: ${classes ? classes[labels[near]] : `a ${labels[near]}`}, ${distance.toFixed(2)} away`;
      const [left, top] = narrow ? [80, 424] : [528, 116];
      pen.text(`${where}\n${closest}`, left + 112, top - 36, { size: 13 });
      pen.digit(decode(Float32Array.from(z)), left, top, 224, look);
      pen.text("what the decoder draws", left + 112, top + 240);
      return `${name}: ${where}; ${closest}. Its decoded picture.`;
    },

    grab(x, y) {
      if (!isInside(map, x, y)) return undefined;
      const follow = (x, y) => places.set(chosen(), fromMap(map, x, y));
      follow(x, y);
      return follow;
    },

    step(dx, dy) {
      places.set(chosen(), stepped(map, places.get(chosen()), dx, dy));
    },
  };
}

// Widen the limits of a map until a unit is as long in both directions.
export function mapBox({ low, high }, box) {
  const most = Math.min(box.width / (high[0] - low[0]), box.height / (high[1] - low[1]));
  const scale = 0.96 * (Number.isFinite(most) ? most : Math.min(box.width, box.height) / 2); // one point has no range
  const [x, y] = [0, 1].map((axis) => {
    const [middle, half] = [(low[axis] + high[axis]) / 2, [box.width, box.height][axis] / scale / 2];
    return [middle - half, middle + half];
  });
  return { box, x, y };
}

export const isInside = ({ box }, x, y) => x >= box.x && x <= box.x + box.width && y >= box.y && y <= box.y + box.height;

// Return the code at a place of the drawing, kept inside the map.
export function fromMap(map, x, y) {
  const share = (value, start, size) => Math.min(Math.max((value - start) / size, 0), 1);
  const right = share(x, map.box.x, map.box.width), down = share(y, map.box.y, map.box.height);
  return [map.x[0] + right * (map.x[1] - map.x[0]), map.y[1] - down * (map.y[1] - map.y[0])];
}

// Move a code by steps of a fiftieth of the map.
export function stepped(map, z, dx, dy) {
  const inside = (value, [low, high]) => Math.min(Math.max(value, low), high);
  return [
    inside(z[0] + (dx / 50) * (map.x[1] - map.x[0]), map.x),
    inside(z[1] - (dy / 50) * (map.y[1] - map.y[0]), map.y),
  ];
}

// Draw each code as its digit or the mark of its class, and the gaps as red circles with numbers; return the chart.
export function drawMap(pen, map, { codes, centres, radii, names = ["z[0]", "z[1]"] }, labels, title, marks) {
  const chart = pen.chart(map.box, { x: map.x, y: map.y, xLabel: names[0], yLabel: names[1], title });
  const most = Math.min(labels.length, 1000); // more would hide each other
  pen.inside(map.box, () => {
    for (let i = 0; i < most; i++) {
      const [x, y] = [chart.x(codes[2 * i]), chart.y(codes[2 * i + 1])];
      pen.text(marks ? marks[labels[i]] : labels[i], x, y, { size: 9, colour: pen.theme.classes[labels[i] % 10] });
    }
    radii.forEach((radius, i) => {
      const [x, y] = [chart.x(centres[2 * i]), chart.y(centres[2 * i + 1])];
      pen.ring(x, y, chart.x(centres[2 * i] + radius) - x, pen.theme.red);
      pen.text(i + 1, x, y, { colour: pen.theme.red, bold: true });
    });
  });
  return chart;
}

// Return the number of the code that is nearest to a point of the plane.
export function nearest(codes, [x, y]) {
  let best = 0, least = Infinity;
  for (let i = 0; i < codes.length; i += 2) {
    const away = (codes[i] - x) ** 2 + (codes[i + 1] - y) ** 2;
    if (away < least) [best, least] = [i / 2, away];
  }
  return best;
}
