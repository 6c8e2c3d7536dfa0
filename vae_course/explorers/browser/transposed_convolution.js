// Step through the input of a transposed convolution: each value stamps the scaled kernel into the output.

// Build up a transposed convolution of a square input and kernel, both lists of rows.
//
// Returns the output after 0, 1, ... stamps, and the corner of each stamp, which may lie outside with "same".
export function stamps(values, kernel, stride, padding) {
  const [i, k] = [values.length, kernel.length];
  const cut = padding === "same" ? Math.max(k - stride, 0) >> 1 : 0;
  const side = padding === "same" ? i * stride : (i - 1) * stride + Math.max(k, stride);
  let now = Array.from({ length: side }, () => Array(side).fill(0));
  const [states, corners] = [[now], []];
  values.forEach((row, a) => row.forEach((value, b) => {
    const [top, left] = [a * stride - cut, b * stride - cut];
    now = now.map((line, y) => line.map((old, x) => old + value * (kernel[y - top]?.[x - left] ?? 0)));
    states.push(now);
    corners.push([top, left]);
  }));
  return { states, corners };
}

// Return the formula for the output's side, with numbers.
export function sizeInWords(i, k, stride, padding) {
  if (padding === "same") return `o = i s = ${i}·${stride} = ${i * stride}`;
  const o = (i - 1) * stride + Math.max(k, stride);
  return `o = (i − 1) s + max(k, s) = (${i} − 1)·${stride} + ${Math.max(k, stride)} = ${o}`;
}

export function TransposedConvolutionExplorer(state, ui) {
  const step = ui.slider("stamps", 0, 4, 2, 1, String);
  const resize = () => { step.max = side.value ** 2; };
  const padding = ui.radio("padding", ["valid", "same"], "valid");
  const side = ui.choice("input side", ["2", "3", "4"], "2", resize);
  const kernelSide = ui.choice("kernel side", ["2", "3", "4"], "3");
  const stride = ui.choice("stride", ["1", "2", "3"], "1");

  return {
    shape: (narrow) => (narrow ? [380, 610] : [780, 390]),

    draw(pen, narrow) {
      const [i, k, s] = [side, kernelSide, stride].map(({ value }) => Number(value));
      const [values, kernel] = [counted(i), counted(k)];
      const { states, corners } = stamps(values, kernel, s, padding.value);
      const size = sizeInWords(i, k, s, padding.value);
      const [done, output] = [step.value, states[step.value]];
      const place = done ? [Math.floor((done - 1) / i), (done - 1) % i] : undefined;
      const value = done ? values[place[0]][place[1]] : 0;
      const largest = Math.max(k * k * i * i, ...states.at(-1).flat());

      const boxes = narrow ? [[20, 40, 150], [210, 40, 150], [20, 240, 320]] : [[10, 50, 180], [216, 50, 180], [440, 40, 310]];
      grid(pen, boxes[0], "input", values, i * i, place, 1);
      grid(pen, boxes[1], done ? `${value} x kernel` : "no stamp yet", kernel.map((row) => row.map((weight) => value * weight)), largest);
      grid(pen, boxes[2], `output, ${output.length} x ${output.length}`, output, largest, corners[done - 1], k);
      pen.text(size, narrow ? 190 : 390, narrow ? 590 : 374, { size: 14 });
      return `Output after ${done} of ${i * i} stamps, the last one ${value} times the kernel; ${size}.`;
    },
  };
}

const counted = (side) => Array.from({ length: side }, (_, a) => Array.from({ length: side }, (_, b) => a * side + b + 1));

// Draw a square of numbers, coloured by value with zeros blank, and a frame around some of them.
function grid(pen, [x, y, width], title, rows, largest, corner, side) {
  const cell = width / rows.length;
  pen.text(title, x + width / 2, y - 16, { size: 14, bold: true });
  rows.forEach((row, a) => row.forEach((value, b) => {
    const at = [x + b * cell, y + a * cell, cell, cell];
    pen.context.globalAlpha = value / (1.8 * largest); // light enough to read the numbers
    pen.box(...at, { colour: pen.theme.blue });
    pen.context.globalAlpha = 1;
    pen.box(...at, { edge: pen.theme.soft });
    if (value) pen.text(value, x + (b + 0.5) * cell, y + (a + 0.5) * cell, { size: Math.min(16, cell / 2.4) });
  }));
  if (corner) pen.box(x + corner[1] * cell, y + corner[0] * cell, side * cell, side * cell, { edge: pen.theme.orange, line: 3 });
}
