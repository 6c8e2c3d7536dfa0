// Run the course's networks on one image or code. Images are height x width x channels, as in Keras.
//
// This is our own code because a library would be no faster and is 400 times as large. In headless Chromium without
// GPU, from a file, on a busy machine with 2 cores, the 100-dimensional decoder took 0.9 ms (median of 200 codes).
// TensorFlow.js 4.22 took 2.0 ms on its CPU back end (1.5 MB) and 0.9 ms on its WebAssembly back end (2 MB).
// All agree to 1e-6. `python -m benchmarks.explorers` measures ours again.

// Turn what Python packed into typed arrays with a shape. Numbers are little-endian, as base64 or as binary data.
export function unpack(packed) {
  if (Array.isArray(packed)) return packed.map(unpack);
  if (!packed || typeof packed !== "object") return packed;
  if (!("dtype" in packed)) return Object.fromEntries(Object.entries(packed).map(([key, part]) => [key, unpack(part)]));
  const { dtype, shape, data } = packed;
  const Numbers = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array }[dtype];
  const bytes = toBytes(data);
  const count = shape.reduce((product, side) => product * side, 1);
  if (bytes.length !== count * Numbers.BYTES_PER_ELEMENT)
    throw new Error(`Its data were cut short: ${bytes.length} bytes came for ${count} numbers. Run the cell again.`);
  return Object.assign(new Numbers(bytes.buffer), { shape });
}

function toBytes(data) {
  if (typeof data !== "string") return new Uint8Array(data.buffer ?? data, data.byteOffset ?? 0, data.byteLength).slice();
  // In a page, arrays are kept once, and a sign names the element with the text.
  const text = data.startsWith("#") ? (document.querySelector(data)?.textContent ?? "") : data;
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

// Return row i of a packed matrix, as plain numbers.
export const row = (matrix, i) => Array.from(matrix.subarray(i * matrix.shape[1], (i + 1) * matrix.shape[1]));

// Return a function from one input, a flat array, to a new array with the network's output.
export function network(layers) {
  for (const layer of layers) layer.result = new Float32Array(layer.output.reduce((product, side) => product * side, 1));
  return (input) => {
    let values = input;
    for (const layer of layers) {
      LAYERS[layer.kind](values, layer, layer.result);
      ACTIVATIONS[layer.activation]?.(layer.result);
      values = layer.result;
    }
    if (!values.every(Number.isFinite)) throw new Error("The network's output is not a number (NaN). Train it again with a lower learning rate.");
    return values.slice();
  };
}

const ACTIVATIONS = {
  relu(values) {
    for (let i = 0; i < values.length; i++) if (values[i] < 0) values[i] = 0;
  },
  sigmoid(values) {
    for (let i = 0; i < values.length; i++) values[i] = 1 / (1 + Math.exp(-values[i]));
  },
};

const LAYERS = {
  dense(x, { weights, bias }, out) {
    out.set(bias);
    const width = out.length;
    for (let i = 0, w = 0; i < x.length; i++, w += width) {
      const value = x[i];
      if (value !== 0) for (let j = 0; j < width; j++) out[j] += value * weights[w + j];
    }
  },

  // A convolution and a transposed one visit the same pairs of pixels, in opposite directions: pixel (ys, xs) on the
  // small side meets pixel (ys * stride + p - top, xs * stride + q - left) on the big side through weight (p, q).
  convolution(x, { weights, bias, stride, transposed, input, output }, out) {
    const [rows, columns, given, made] = weights.shape;
    const [small, big] = transposed ? [input, output] : [output, input];
    const cut = (axis, side) => Math.max((small[axis] - 1) * stride + side - big[axis], 0) >> 1;
    const top = cut(0, rows), left = cut(1, columns);
    for (let i = 0; i < out.length; i++) out[i] = bias[i % made];
    for (let ys = 0; ys < small[0]; ys++) {
      for (let p = 0; p < rows; p++) {
        const yb = ys * stride + p - top;
        if (yb < 0 || yb >= big[0]) continue;
        for (let xs = 0; xs < small[1]; xs++) {
          for (let q = 0; q < columns; q++) {
            const xb = xs * stride + q - left;
            if (xb < 0 || xb >= big[1]) continue;
            const s = ys * small[1] + xs, b = yb * big[1] + xb;
            const from = (transposed ? s : b) * given, to = (transposed ? b : s) * made;
            let w = (p * columns + q) * given * made;
            for (let i = from; i < from + given; i++, w += made) {
              const value = x[i]; // often 0 after a relu
              if (value !== 0) for (let j = 0; j < made; j++) out[to + j] += value * weights[w + j];
            }
          }
        }
      }
    }
  },

  // Copy each pixel into a square of `factor` x `factor`.
  upsampling(x, { factor, input, output }, out) {
    const [, width, channels] = output;
    for (let y = 0, o = 0; y < output[0]; y++)
      for (let column = 0; column < width; column++) {
        const from = (Math.floor(y / factor) * input[1] + Math.floor(column / factor)) * channels;
        for (let c = 0; c < channels; c++) out[o++] = x[from + c];
      }
  },

  // Keep the largest number of each square of `factor` x `factor`.
  pooling(x, { factor, input, output }, out) {
    const [height, width, channels] = output;
    out.fill(-Infinity);
    for (let y = 0; y < height * factor; y++)
      for (let column = 0; column < width * factor; column++) {
        const from = (y * input[1] + column) * channels;
        const to = (Math.floor(y / factor) * width + Math.floor(column / factor)) * channels;
        for (let c = 0; c < channels; c++) if (!(x[from + c] <= out[to + c])) out[to + c] = x[from + c];
      }
  },
};
