// Run an explorer's module without a page: its controls are plain objects, and what it draws is written down.
function probe(name, state, steps) {
  const controls = {}, changes = {};
  const keep = (label, value, change = () => {}) => {
    changes[label] = change;
    return (controls[label] = { value });
  };
  // A slider stops at its ends.
  const slider = (label, low, high, value) => {
    const control = keep(label, value), range = { low, high };
    return Object.defineProperties(control, {
      value: { get: () => value, set: (number) => { value = Math.min(Math.max(number, range.low), range.high); } },
      max: { set: (number) => { range.high = number; value = Math.min(value, number); } },
    });
  };
  const listed = (label, options, value, change) => keep(label, value, change);
  const ui = { slider, choice: listed, radio: listed, button: () => ({}), redraw() {} };
  const explorer = EXPLORERS[name](unpack(state), ui);
  const canvas = Object.assign(document.createElement("canvas"), { width: 900, height: 900 });
  const theme = { ...readTheme(document.body), ink: "#000000", paper: "#ffffff", blue: "#0072b2", orange: "#d55e00", letters: 1 };
  const found = [];
  // Each step sets controls by name, presses keys ({ keys: [dx, dy] }), or drags ({ grab: [x, y] }).
  for (const { keys, grab, ...settings } of [{}, ...steps]) {
    for (const [label, value] of Object.entries(settings)) {
      controls[label].value = value;
      changes[label]();
    }
    if (keys) explorer.step(...keys);
    if (grab) explorer.grab(...grab);
    for (let i = 0; i < 3; i++) explorer.draw(makePen(canvas.getContext("2d"), theme, 1), false); // some take several frames
    const pen = makePen(canvas.getContext("2d"), theme, 1);
    const seen = { digits: [], words: [], bars: [], lines: [], values: {} };
    const spy = (method, note) => {
      const draw = pen[method];
      pen[method] = (...given) => (note(...given), draw(...given));
    };
    spy("digit", (image) => seen.digits.push(Array.from(image)));
    spy("text", (words) => seen.words.push(String(words)));
    spy("bar", (chart, x, y) => seen.bars.push([x, y]));
    spy("line", (points) => seen.lines.push(points));
    spy("chart", (box, { title }) => seen.words.push(title ?? ""));
    seen.text = explorer.draw(pen, false);
    for (const [label, control] of Object.entries(controls)) seen.values[label] = control.value;
    found.push(seen);
  }
  return found;
}
