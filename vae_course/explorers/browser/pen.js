// Draw on a canvas in the colours of the page's theme: text, lines, digits and charts.

export const CLASS_COLOURS = [
  "#0000FF", "#1E7600", "#F0129C", "#0BB9E0", "#55170F", "#CBA80F", "#DA3AFF", "#420C74", "#18394B", "#ABAD82",
]; // as in plotting.py

// Read the theme from the style sheet; `element` is inside the explorer.
export function readTheme(element) {
  const style = getComputedStyle(element);
  const names = ["ink", "paper", "faint", "soft", "blue", "orange", "green", "red"];
  const theme = Object.fromEntries(names.map((name) => [name, style.getPropertyValue(`--vae-${name}`).trim()]));
  const dark = luminance(theme.paper) < 0.5;
  const letters = element.closest(".vae-course-fit") ? 1.3 : 1; // larger on slides
  return { ...theme, font: style.fontFamily, letters, classes: CLASS_COLOURS.map((hex) => (dark ? mixed(hex, "#FFFFFF", 0.5) : hex)) };
}

const channels = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
const luminance = (hex) => channels(hex).reduce((sum, value) => sum + value / 765, 0);
const mixed = (one, other, share) => {
  const [a, b] = [channels(one), channels(other)];
  return `rgb(${a.map((value, i) => Math.round(value + share * (b[i] - value)))})`;
};

// Make a pen for a canvas context in which one unit of the design is so many dots.
export function makePen(context, theme, dots) {
  const layers = new Map();
  const small = document.createElement("canvas"); // one digit, a pixel for each of its numbers
  const pixels = small.getContext("2d", { willReadFrequently: true });
  const [ink, paper, blue, orange] = [theme.ink, theme.paper, theme.blue, theme.orange].map(channels);
  const pen = {
    context, theme,

    // Draw what does not move once, under a name, and from then on only copy its pixels.
    layer(name, paint) {
      if (!layers.has(name)) {
        const { width, height } = context.canvas;
        const canvas = Object.assign(document.createElement("canvas"), { width, height });
        const own = canvas.getContext("2d");
        own.scale(dots, dots);
        layers.set(name, { canvas, found: paint(makePen(own, theme, dots)) });
      }
      const { canvas, found } = layers.get(name);
      context.save();
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.drawImage(canvas, 0, 0);
      context.restore();
      return found;
    },

    text(words, x, y, { size = 13, colour = theme.ink, align = "center", bold = false } = {}) {
      context.font = `${bold ? "600 " : ""}${size * theme.letters}px ${theme.font}`;
      context.fillStyle = colour;
      context.textAlign = align;
      context.textBaseline = "middle";
      String(words).split("\n").forEach((line, i) => context.fillText(line, x, y + i * size * theme.letters * 1.35));
    },

    line(points, { colour = theme.ink, width = 1.5, dash = [], round = false } = {}) {
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      context.setLineDash(dash);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.lineJoin = context.lineCap = round ? "round" : "butt";
      context.stroke();
      context.setLineDash([]);
    },

    shape(points, colour, alpha = 1) {
      context.beginPath();
      for (const [x, y] of points) context.lineTo(x, y);
      context.globalAlpha = alpha;
      context.fillStyle = colour;
      context.fill();
      context.globalAlpha = 1;
    },

    box(x, y, width, height, { colour, edge, line = 1 }) {
      if (colour) context.fillStyle = colour;
      if (colour) context.fillRect(x, y, width, height);
      if (!edge) return;
      context.strokeStyle = edge;
      context.lineWidth = line;
      context.strokeRect(x, y, width, height);
    },

    dot(x, y, radius, colour, edge = theme.paper) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.fillStyle = colour;
      context.fill();
      context.strokeStyle = edge;
      context.lineWidth = 1.5;
      context.stroke();
    },

    // A ring without filling, in a colour.
    ring(x, y, radius, colour, width = 2) {
      context.beginPath();
      context.arc(x, y, radius, 0, 2 * Math.PI);
      context.strokeStyle = colour;
      context.lineWidth = width;
      context.stroke();
    },

    star(x, y, radius, colour) {
      const points = Array.from({ length: 10 }, (_, i) => {
        const [turn, reach] = [(i * Math.PI) / 5 - Math.PI / 2, i % 2 ? radius / 2.6 : radius];
        return [x + reach * Math.cos(turn), y + reach * Math.sin(turn)];
      });
      pen.shape(points, colour);
      pen.line([...points, points[0]], { colour: theme.paper, width: 1 });
    },

    // The place that is chosen: a cross that can be seen on any ground.
    cross(x, y) {
      for (const [colour, width, reach] of [[theme.paper, 8, 9.5], [theme.ink, 4, 8]]) {
        pen.line([[x - reach, y], [x + reach, y]], { colour, width });
        pen.line([[x, y - reach], [x, y + reach]], { colour, width });
      }
    },

    // Draw an image of numbers from 0, paper, to 1, ink; or, if it is a change, from -1, blue, to 1, orange. With
    // `light`, or in colour, 0 is black and 1 is white, and where nothing of a colour changes it is grey.
    digit(image, x, y, side, { change = false, rows = 28, columns = 28, channels = 1, light = false } = {}) {
      if (small.width !== columns || small.height !== rows) [small.width, small.height] = [columns, rows];
      const data = pixels.createImageData(columns, rows);
      if (channels === 3 || (light && !change)) shine(image, data.data, channels, change);
      else for (let i = 0; i < rows * columns; i++) {
        const share = Math.min(Math.abs(image[i]), 1);
        const full = !change ? ink : image[i] > 0 ? orange : blue;
        for (let c = 0; c < 3; c++) data.data[4 * i + c] = paper[c] + share * (full[c] - paper[c]);
        data.data[4 * i + 3] = 255;
      }
      pixels.putImageData(data, 0, 0);
      context.imageSmoothingEnabled = false;
      context.drawImage(small, x, y, side, (side * rows) / columns);
      pen.box(x, y, side, (side * rows) / columns, { edge: theme.soft });
    },

    // Run a function that draws, and cut off what reaches beyond a box.
    inside({ x, y, width, height }, paint) {
      context.save();
      context.beginPath();
      context.rect(x, y, width, height);
      context.clip();
      paint();
      context.restore();
    },

    // Draw one bar of a chart, as wide as one unit.
    bar(chart, x, y, colour) {
      const [left, right, top, bottom] = [chart.x(x - 0.5), chart.x(x + 0.5), chart.y(y), chart.y(0)];
      pen.box(left, top, Math.max(right - left - 0.5, 1), bottom - top, { colour });
    },

    // Draw axes in a box { x, y, width, height } and return functions from data to pixels and back.
    chart(box, { x, y, xLabel = "", yLabel = "", title = "", logX = false, xTicks = ticks(x, box.width / 60), yTicks = ticks(y, box.height / 45) }) {
      const bend = logX ? Math.log10 : (value) => value;
      const [low, high] = x.map(bend);
      const toX = (value) => box.x + ((bend(value) - low) / (high - low)) * box.width;
      const toY = (value) => box.y + box.height - ((value - y[0]) / (y[1] - y[0])) * box.height;
      const bottom = box.y + box.height;
      for (const value of xTicks) {
        pen.line([[toX(value), bottom], [toX(value), bottom + 4]], { colour: theme.soft, width: 1 });
        pen.text(short(value), toX(value), bottom + 14, { size: 12 });
      }
      for (const value of yTicks) {
        pen.line([[box.x - 4, toY(value)], [box.x, toY(value)]], { colour: theme.soft, width: 1 });
        pen.text(short(value), box.x - 8, toY(value), { size: 12, align: "right" });
      }
      pen.line([[box.x, box.y], [box.x, bottom], [box.x + box.width, bottom]], { colour: theme.ink, width: 1 });
      pen.text(xLabel, box.x + box.width / 2, bottom + 32);
      pen.text(title, box.x + box.width / 2, box.y - 14, { size: 14, bold: true });
      context.save();
      context.translate(box.x - 42, box.y + box.height / 2);
      context.rotate(-Math.PI / 2);
      pen.text(yLabel, 0, 0);
      context.restore();
      return {
        box, x: toX, y: toY,
        points: (xs, ys) => Array.from(xs, (value, i) => [toX(value), toY(ys[i])]),
      };
    },
  };
  return pen;
}

// Fill the bytes of a canvas with an image in colour, or in grey where 1 is white.
function shine(image, bytes, channels, change) {
  for (let i = 0, at = 0; at < bytes.length; i += channels, at += 4) {
    for (let c = 0; c < 3; c++) {
      const value = image[i + (channels === 3 ? c : 0)];
      bytes[at + c] = 255 * (change ? 0.5 + value / 2 : value); // clamped by the array
    }
    bytes[at + 3] = 255;
  }
}

const short = (value) => String(+value.toPrecision(6)).replace("-", "−");

// Return round numbers inside a range, about so many.
export function ticks([low, high], count) {
  const raw = (high - low) / Math.max(count, 1);
  const unit = 10 ** Math.floor(Math.log10(raw));
  const step = unit * [1, 2, 5, 10].find((factor) => factor * unit >= raw * 0.999);
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) found.push(i * step);
  return found;
}
