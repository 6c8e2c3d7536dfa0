// Choose a digit and a hand: a conditional VAE writes this digit, and all ten, in that hand.

import { drawMap, fromMap, isInside, mapBox, stepped } from "./latent_map.js";
import { network, row } from "./network.js";

const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const withArticle = (number) => `${number === 8 ? "an" : "a"} ${number}`;
const percent = (share) => (share > 0.995 ? ">99%" : share < 0.005 ? "<1%" : `${Math.round(100 * share)}%`);

// Return the probabilities of a softmax: how sure a judge is of each digit.
export function softmax(logits) {
  const most = Math.max(...logits);
  const parts = Array.from(logits, (value) => Math.exp(value - most));
  const sum = parts.reduce((total, part) => total + part, 0);
  return parts.map((part) => part / sum);
}

export function Handwriting({ title, names, images, hands, directions, codes, labels, limit, judge, decoder }, ui) {
  const [decode, opinion] = [network(decoder), network(judge)];
  const axes = [row(directions, 0), row(directions, 1)];
  const own = () => row(hands, names.indexOf(hand.value)); // the code of the test image
  const home = () => axes.map((axis) => dot(axis, own()));
  const back = () => { place = home(); };
  const hand = ui.choice("hand", names, names[Math.min(14, names.length - 1)], back); // a 7, if all digits are there
  const digit = ui.slider("digit", 0, 9, 4, 1, String);
  ui.button("back to the image's hand", back);
  let place = home(), map, cells = []; // of the last frame: where the map and the ten digits are

  // Write a digit with the code of the test image, once it is moved along two directions to the place on the map.
  function write(number) {
    const moves = home().map((value, k) => place[k] - value);
    const z = own().map((value, i) => value + moves[0] * axes[0][i] + moves[1] * axes[1][i]);
    const label = Array.from({ length: 10 }, (_, i) => +(i === number));
    return decode(Float32Array.from([...z, ...label]));
  }

  return {
    hint: "Map of hands: click, drag, or use the arrow keys (with Shift: larger steps); below it, click on a digit",

    shape: (narrow) => (narrow ? [380, 850] : [780, 456]),

    draw(pen, narrow) {
      const box = narrow ? { x: 76, y: 34, width: 260, height: 260 } : { x: 54, y: 34, width: 256, height: 256 };
      map = mapBox({ low: [-limit, -limit], high: [limit, limit] }, box);
      const shown = { codes, centres: [], radii: [], names: ["direction 1 of z", "direction 2 of z"] };
      const chart = pen.layer(`map, ${narrow}`, (ground) => drawMap(ground, map, shown, labels, title));
      const [right, up] = stepped(map, place, 0, 0); // a strange hand may be beyond the map
      pen.cross(chart.x(right), chart.y(up));

      const at = names.indexOf(hand.value), chosen = digit.value;
      const original = Float32Array.from(images.subarray(784 * at, 784 * (at + 1)), (value) => value / 255);
      const written = Array.from({ length: 10 }, (_, number) => write(number));
      const sure = written.map((image) => softmax(opinion(image)));
      const where = `(${place.map((value) => value.toFixed(2)).join(", ")})`;
      const moved = home().some((value, k) => value !== place[k]);
      const [best] = sure[chosen].map((_, number) => number).sort((a, b) => sure[chosen][b] - sure[chosen][a]);
      const other = best === chosen ? "" : `, ${percent(sure[chosen][best])} ${withArticle(best)}`;
      const verdict = `${percent(sure[chosen][chosen])} ${withArticle(chosen)}${other}`;

      const [left, top, side] = narrow ? [12, 388, 112] : [342, 96, 150];
      pen.text(hand.value.replace(", ", "\n"), left + side / 2, top - 36);
      pen.digit(original, left, top, side);
      pen.text(`${moved ? "moved to" : "its hand is at"}\n${where}`, left + side / 2, top + side + 18);
      const [x, y, large] = narrow ? [150, 372, 216] : [536, 58, 224];
      pen.text(`${withArticle(chosen)} in this hand`, x + large / 2, y - 16, { size: 14, bold: true });
      pen.digit(written[chosen], x, y, large);
      pen.text(`judge: ${verdict}`, x + large / 2, y + large + 18);

      const size = 70, start = narrow ? 640 : 356;
      cells = written.map((_, number) => {
        const [column, line] = narrow ? [number % 5, Math.floor(number / 5)] : [number, 0];
        return { x: (narrow ? 6 : 22) + column * (size + 4), y: start + line * 116, width: size, height: size };
      });
      cells.forEach((cell, number) => {
        pen.text(number, cell.x + size / 2, cell.y - 11, { bold: number === chosen });
        pen.digit(written[number], cell.x, cell.y, size);
        pen.text(percent(sure[number][number]), cell.x + size / 2, cell.y + size + 13, { size: 12 });
      });
      pen.box(cells[chosen].x, cells[chosen].y, size, size, { edge: pen.theme.orange, line: 3 });
      return `Written: ${withArticle(chosen)} in the hand of ${hand.value}, ${moved ? "moved to" : "at"} ${where}. ` +
        `The judge says: ${verdict}.`;
    },

    // On the map the pointer drags the hand, below it chooses a digit.
    grab(x, y) {
      const onMap = isInside(map, x, y), cellAt = (x, y) => cells.findIndex((cell) => isInside({ box: cell }, x, y));
      if (!onMap && cellAt(x, y) < 0) return undefined;
      const follow = (x, y) => {
        if (onMap) place = fromMap(map, x, y);
        else if (cellAt(x, y) >= 0) digit.value = cellAt(x, y);
      };
      follow(x, y);
      return follow;
    },

    step(dx, dy) {
      place = stepped(map, place, dx, dy);
    },
  };
}
