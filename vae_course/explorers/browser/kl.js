// The KL divergence of q = N(mu, sigma^2) from the prior: both densities, and the curve whose area it is.

const POINTS = Float64Array.from({ length: 1001 }, (_, i) => -10 + i / 50); // nearly all of q, wherever the sliders stand
const TOPS = [1, 2, 4, 8, 20]; // upper limits of axes, of which the first that fits is taken

// Return the divergence in nats, q and p, and q log(q / p), each at `POINTS`.
export function divergence(mu, logVar) {
  const variance = Math.exp(logVar);
  const logQ = POINTS.map((z) => -0.5 * (Math.log(2 * Math.PI) + logVar + (z - mu) ** 2 / variance));
  const logP = POINTS.map((z) => -0.5 * (Math.log(2 * Math.PI) + z ** 2));
  const q = logQ.map(Math.exp);
  return { kl: 0.5 * (variance + mu ** 2 - 1 - logVar), q, p: logP.map(Math.exp), curve: q.map((density, i) => density * (logQ[i] - logP[i])) };
}

export function KLExplorer(state, ui) {
  const mu = ui.slider("mu", -3, 3, 1);
  const logVar = ui.slider("log sigma²", -4, 1.5, -1.4);

  return {
    shape: (narrow) => (narrow ? [380, 620] : [780, 390]),

    draw(pen, narrow) {
      const { theme } = pen;
      const [m, v] = [mu.value, logVar.value];
      const { kl, q, p, curve } = divergence(m, v);
      const size = narrow ? { width: 318, height: 190 } : { width: 318, height: 250 };
      const top = (values) => TOPS.find((limit) => values.every((value) => value <= limit));
      const above = pen.chart({ x: 50, y: 34, ...size }, {
        x: [-10, 10], y: [0, top(q)], xLabel: "z", yLabel: "density", title: `q = N(${m.toFixed(2)}, ${Math.exp(v / 2).toFixed(2)}²)`,
      });
      pen.line(above.points(POINTS, p), { colour: theme.faint, dash: [6, 4] });
      pen.line(above.points(POINTS, q), { colour: theme.blue, width: 2.5 });
      pen.text("p = N(0, 1), dashed", 58, 44, { size: 12, align: "left", colour: theme.faint });
      pen.text("q", 58, 62, { size: 12, align: "left", colour: theme.blue, bold: true });

      const limit = top(curve);
      const bits = kl / Math.log(2);
      const below = pen.chart(narrow ? { x: 50, y: 304, ...size } : { x: 446, y: 34, ...size }, {
        x: [-10, 10], y: [-0.15 * limit, limit], xLabel: "z", yLabel: "q log(q / p)", title: `area ${kl.toFixed(3)} nats = ${bits.toFixed(3)} bits`,
      });
      for (const [sign, colour] of [[1, theme.blue], [-1, theme.orange]]) {
        const part = curve.map((value) => Math.max(sign * value, 0) * sign);
        pen.shape([[below.x(-10), below.y(0)], ...below.points(POINTS, part), [below.x(10), below.y(0)]], colour, 0.55);
      }
      pen.line(below.points(POINTS, curve), { width: 1 });
      pen.line([[below.x(-10), below.y(0)], [below.x(10), below.y(0)]], { colour: theme.faint, width: 1 });
      const [left, height] = narrow ? [58, 314] : [454, 44];
      pen.text("adds", left, height, { size: 12, align: "left", colour: theme.blue });
      pen.text("takes away", left, height + 18, { size: 12, align: "left", colour: theme.orange });

      const variance = Math.exp(v);
      const numbers = `½ (${variance.toFixed(3)} + ${(m * m).toFixed(3)} − 1 − (${v.toFixed(2)})) = ${kl.toFixed(3)} nats`;
      const formula = "½ (σ² + μ² − 1 − log σ²)";
      if (narrow) pen.text(`${formula}\n= ${numbers}`, 190, 566, { size: 14 });
      else pen.text(`${formula} = ${numbers}`, 390, 362, { size: 16 });
      return `Densities of q, mean ${m.toFixed(2)} and deviation ${Math.sqrt(variance).toFixed(2)}, and of p, N(0, 1). ` +
        `The area under q log(q / p) is ${numbers}, ${bits.toFixed(3)} bits.`;
    },
  };
}
