// Draw a digit by hand: it is prepared as the data were, encoded, rebuilt, and can be dragged into any other digit.

import { drawMap, fromMap, isInside, mapBox, nearest, stepped } from "./latent_map.js";
import { network } from "./network.js";

const BOX = 20; // pixels that the longer side of a digit fills, of 28
const STROKE = 1.45; // half the width of a line, in such pixels: so there is as much ink as in MNIST
const COARSE_STROKE = 1.6; // and as in the embedded digits
const MINE = "my own drawing";

// Turn strokes, each a list of points [x, y] in any unit, into an image: scaled so that the longer side fills 20
// pixels, and shifted until the centre of mass is in the middle of 28 x 28, as LeCun and others made MNIST.
export function centred(strokes) {
  const lines = scaled(strokes, BOX - 2 * STROKE - 1);
  let [sum, x, y] = [0, 0, 0];
  ink(lines, 14, 14, STROKE).forEach((value, i) => {
    sum += value;
    x += value * ((i % 28) + 0.5);
    y += value * (Math.floor(i / 28) + 0.5);
  });
  return ink(lines, 28.5 - x / sum, 28.5 - y / sum, STROKE); // in MNIST, the middle is the middle of pixel 14
}

// Turn strokes into an image like the embedded digits: the box of 20 x 20 pixels in the middle is averaged to 8 x 8,
// as Alpaydin and Kaynak counted the ink of 4 x 4 in their 32 x 32, and enlarged by the 20 x 8 matrix, a flat array.
export function coarse(strokes, enlargement) {
  const fine = ink(scaled(strokes, BOX - 2 * COARSE_STROKE), 14, 14, COARSE_STROKE);
  const each = (n, value) => Array.from({ length: n }, (_, i) => value(i));
  const sum = (n, value) => each(n, value).reduce((total, term) => total + term, 0);
  const cell = BOX / 8;
  const share = (i, pixel) => Math.max(Math.min(pixel + 1, (i + 1) * cell) - Math.max(pixel, i * cell), 0) / cell;
  const average = each(8, (i) => each(BOX, (pixel) => share(i, pixel)));
  const across = each(BOX, (y) => each(8, (j) => sum(BOX, (x) => fine[28 * (y + 4) + x + 4] * average[j][x])));
  const small = each(8, (i) => each(8, (j) => sum(BOX, (y) => average[i][y] * across[y][j])));
  const wide = small.map((row) => each(BOX, (x) => sum(8, (j) => enlargement[8 * x + j] * row[j])));
  return Float32Array.from({ length: 784 }, (_, i) => {
    const [x, y] = [(i % 28) - 4, Math.floor(i / 28) - 4];
    if (Math.min(x, y) < 0 || Math.max(x, y) >= BOX) return 0;
    return Math.min(Math.max(sum(8, (k) => enlargement[8 * y + k] * wide[k][x]), 0), 1);
  });
}

// Scale strokes until the longer side has a length, with the middle at the origin; a single dot stays a dot.
function scaled(strokes, longer) {
  const [xs, ys] = [0, 1].map((axis) => strokes.flatMap((stroke) => stroke.map((point) => point[axis])));
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const side = Math.max(right - left, bottom - top);
  const scale = longer / Math.max(side, 1e-9);
  const place = side ? ([x, y]) => [(x - (left + right) / 2) * scale, (y - (top + bottom) / 2) * scale] : () => [0, 0];
  return strokes.map((stroke) => stroke.map(place));
}

// Draw lines into 28 x 28 pixels, with their origin at a place: a pixel is dark by how near a line is to its middle.
function ink(lines, originX, originY, halfWidth) {
  const least = new Float32Array(784).fill(Infinity);
  for (const line of lines) {
    line.forEach(([ax, ay], n) => {
      const [bx, by] = line[Math.min(n + 1, line.length - 1)];
      const [dx, dy] = [bx - ax, by - ay];
      const length = dx * dx + dy * dy;
      for (let i = 0; i < 784; i++) {
        const [x, y] = [(i % 28) + 0.5 - originX - ax, Math.floor(i / 28) + 0.5 - originY - ay];
        const along = length ? Math.min(Math.max((x * dx + y * dy) / length, 0), 1) : 0;
        const away = (x - along * dx) ** 2 + (y - along * dy) ** 2;
        if (away < least[i]) least[i] = away;
      }
    });
  }
  return least.map((away) => Math.min(Math.max(halfWidth + 0.5 - Math.sqrt(away), 0), 1));
}

export function DrawADigit(state, ui) {
  const { title, labels, examples, codes, enlargement } = state;
  const prepared = () => (enlargement ? coarse(strokes, enlargement) : centred(strokes));
  const [encode, decode] = [network(state.encoder), network(state.decoder)];
  const names = examples.map(({ name }) => name);
  let strokes = [], stale = false, moved = false, image, z, map, pad; // stale: drawn on since the image was made

  const take = (pixels) => {
    image = Float32Array.from(pixels, (value) => value / 255);
    z = Array.from(encode(image));
    moved = false;
  };
  const example = ui.choice("start with", [MINE, ...names], names[0], () => {
    strokes = [];
    if (example.value !== MINE) take(examples[names.indexOf(example.value)].pixels);
    else [image, z, moved] = [new Float32Array(784), undefined, false];
  });
  ui.button("clear", () => {
    strokes = [];
    example.value = MINE;
    [image, z, moved] = [new Float32Array(784), undefined, false];
  });
  take(examples[0].pixels);

  return {
    hint: "Draw with the mouse or a finger on the left; on the map, drag the cross or use the arrow keys (with Shift: larger steps)",

    shape: (narrow) => (narrow ? [380, 770] : [860, 400]),

    draw(pen, narrow) {
      const { theme } = pen;
      if (stale) take(prepared().map((value) => 255 * value)); // once for each frame
      stale = false;
      pad = narrow ? { x: 6, y: 34, width: 224, height: 224 } : { x: 6, y: 40, width: 260, height: 260 };
      const box = narrow ? { x: 48, y: 420, width: 322, height: 300 } : { x: 486, y: 40, width: 360, height: 300 };
      map = mapBox(state, box);
      const empty = { x: pad.x + pad.width / 2, y: pad.y + pad.height / 2 };
      pen.box(pad.x, pad.y, pad.width, pad.height, { colour: theme.paper, edge: theme.faint, line: 2 });
      pen.text("draw a digit here", empty.x, pad.y - 16, { size: 14, bold: true });
      if (!strokes.length && z && example.value !== MINE) pen.digit(image, pad.x, pad.y, pad.width);
      if (!strokes.length && example.value === MINE) pen.text("with the mouse or a finger", empty.x, empty.y, { colour: theme.faint });
      pen.inside(pad, () => {
        for (const stroke of strokes) {
          const points = stroke.map(([x, y]) => [pad.x + x * pad.width, pad.y + y * pad.height]);
          pen.line([...points, points.at(-1).map((value) => value + 0.01)], { width: pad.width / 14, round: true });
        }
      });

      const chart = pen.layer(`map, ${narrow}`, (ground) => drawMap(ground, map, { codes, centres: [], radii: [] }, labels, title));
      const [x, y, side] = narrow ? [256, 48, 100] : [300, 52, 112];
      const below = narrow ? 184 : 206;
      pen.text("the network sees", x + side / 2, y - 14);
      pen.digit(image, x, y, side);
      pen.text(moved ? "draws at the cross" : "and rebuilds", x + side / 2, below - 14);
      if (!z) {
        pen.digit(image, x, below, side);
        return "Nothing is drawn yet. Draw a digit on the left, or choose one to start with.";
      }
      const picture = decode(Float32Array.from(z));
      pen.digit(picture, x, below, side);
      const [right, up] = stepped(map, z, 0, 0); // a strange drawing's code may be beyond the map
      pen.cross(chart.x(right), chart.y(up));
      const near = nearest(codes, z);
      const where = `z = (${z[0].toFixed(2)}, ${z[1].toFixed(2)}), nearest to a ${labels[near]}`;
      if (narrow) pen.text(where, 190, 312);
      else pen.text(where, 136, 330, { size: 14 });
      if (!narrow) pen.text("Drag the cross on the map into another digit.", 210, 366, { colour: theme.faint });
      else pen.text("Drag the cross into another digit.", 190, 340, { colour: theme.faint });
      const change = picture.reduce((sum, value, i) => sum + (value - image[i]) ** 2, 0);
      const rebuilt = moved ? "The cross was moved, and its place is decoded." : `Its reconstruction differs by a squared error of ${change.toFixed(1)}.`;
      return `${strokes.length ? "Your drawing" : `The test image, ${example.value}`}: ${where}. ${rebuilt}`;
    },

    // On the pad the pointer draws, on the map it drags the cross.
    grab(x, y) {
      if (isInside({ box: pad }, x, y)) {
        example.value = MINE;
        const stroke = [];
        strokes.push(stroke);
        const follow = (x, y) => {
          const point = [(x - pad.x) / pad.width, (y - pad.y) / pad.height].map((share) => Math.min(Math.max(share, 0), 1));
          const last = stroke.at(-1);
          if (last && Math.hypot(point[0] - last[0], point[1] - last[1]) < 0.012) return; // shorter than a pixel
          stroke.push(point);
          stale = true;
        };
        follow(x, y);
        return follow;
      }
      if (!z || !isInside(map, x, y)) return undefined;
      moved = true;
      const follow = (x, y) => { z = fromMap(map, x, y); };
      follow(x, y);
      return follow;
    },

    step(dx, dy) {
      if (!z) return;
      moved = true;
      z = stepped(map, z, dx, dy);
    },
  };
}
