// Turn one digit into another along a straight or a curved path, and mix in a third.

import { network, row } from "./network.js";

const FRAMES = 9;
const AT_ONCE = 3; // so many of them are decoded for each picture, because all of them would make a drag wait
const LARGE = 2000; // pixels; of larger pictures, one is decoded

export const lerp = (start, end, t) => start.map((value, i) => (1 - t) * value + t * end[i]);

// Interpolate along the arc: the direction turns evenly while the length changes evenly.
export function slerp(start, end, t) {
  const length = (vector) => Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0));
  const lengths = [length(start), length(end)];
  if (!Math.min(...lengths)) throw new Error("A zero vector has no direction to turn: use lerp there.");
  const [a, b] = [start, end].map((vector, i) => vector.map((value) => value / lengths[i]));
  if (length(lerp(a, b, 0.5)) < 5e-7) throw new Error("The two vectors are opposite: every arc is as short as any other. Use lerp.");
  const angle = 2 * Math.atan2(length(a.map((value, i) => value - b[i])), length(a.map((value, i) => value + b[i])));
  const [first, second] = angle < 1e-9 ? [1 - t, t] : [Math.sin((1 - t) * angle) / Math.sin(angle), Math.sin(t * angle) / Math.sin(angle)];
  const reach = (1 - t) * lengths[0] + t * lengths[1];
  return a.map((value, i) => reach * (first * value + second * b[i]));
}

export function DigitMorph({ names, points, chosen, decoder, look }, ui) {
  const decode = network(decoder);
  const [start, end, third] = ["from", "to", "third"].map((label, i) => ui.choice(label, names, chosen[i]));
  const weight = ui.slider("third, in %", 0, 100, 0, 1, String);
  const path = points.shape[1] > 1 ? ui.radio("path", ["lerp", "slerp"], "lerp") : { value: "lerp" }; // one number cannot turn
  const t = ui.slider("t, in %", 0, 100, 50, 1, String);
  const { rows = 28, columns = 28, channels = 1 } = look;
  const atOnce = rows * columns > LARGE ? 1 : AT_ONCE;
  const strip = Array(FRAMES).fill(new Float32Array(rows * columns * channels));
  let timer, stripOf, behind = 0, next = 0;
  const play = ui.button("play", () => {
    timer = timer ? clearInterval(timer) : setInterval(() => {
      t.value = (t.value + 1) % 101;
      ui.redraw();
    }, 30);
    play.textContent = timer ? "pause" : "play";
  });

  function at(time) {
    const [from, to, other] = [start, end, third].map(({ value }) => row(points, names.indexOf(value)));
    return Float32Array.from(lerp((path.value === "lerp" ? lerp : slerp)(from, to, time), other, weight.value / 100));
  }

  return {
    shape: (narrow) => (narrow ? [380, 410] : [780, 420]),
    close: () => clearInterval(timer),

    draw(pen, narrow) {
      const [time, share, walk] = [t.value / 100, weight.value / 100, path.value];
      const settings = [start.value, end.value, third.value, walk, share].join();
      if (settings !== stripOf) behind = FRAMES;
      stripOf = settings;
      for (let i = 0; i < atOnce && behind; i++, behind--, next = (next + 1) % FRAMES) strip[next] = decode(at(next / (FRAMES - 1)));
      if (behind) ui.redraw();
      const arc = `${(1 - share).toFixed(2)} place on the arc`;
      const straight = `${((1 - share) * (1 - time)).toFixed(2)} from + ${((1 - share) * time).toFixed(2)} to`;
      const head = `t = ${time.toFixed(2)}, ${walk}: ${walk === "lerp" ? straight : arc} + ${share.toFixed(2)} third`;

      const [middle, side, cell] = narrow ? [190, 280, 40] : [390, 252, 76];
      pen.text(head, middle, 16, { size: narrow ? 13 : 15, bold: true });
      pen.digit(decode(at(time)), middle - side / 2, 34, side, look);
      const [left, top] = [middle - (FRAMES / 2) * cell, side + 72];
      pen.text("the path, t from 0 to 1", middle, top - 14);
      strip.forEach((image, i) => pen.digit(image, left + i * cell, top, cell, look));
      pen.box(left + Math.round(time * (FRAMES - 1)) * cell, top, cell, cell, { edge: pen.theme.orange, line: 3 });
      return `Decoded, from the ${start.value} to the ${end.value}, third the ${third.value}; ${head}.`;
    },
  };
}
