// Keep the same draws for every mu and sigma, and see what that does for the gradient of the mean of f(z) = (z - 3)^2.

const TARGET = 3;
const [TRICK, PLAIN] = ["z = mu + sigma * eps", "plain sampling"];

// Estimate the mean of f and its derivatives by mu and by sigma from draws eps.
export function estimates(eps, mu, sigma) {
  const mean = (value) => eps.reduce((sum, e) => sum + value(mu + sigma * e - TARGET, e), 0) / eps.length;
  return [mean((away) => away ** 2), mean((away) => 2 * away), mean((away, e) => 2 * away * e)];
}

const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

export function ReparameterizationExplorer({ eps }, ui) {
  const mu = ui.slider("mu", -1, 5, 0.5);
  const sigma = ui.slider("sigma", 0.1, 2.5, 1);
  const kind = ui.radio("draws", [TRICK, PLAIN], TRICK);
  let fresh, drawnFor; // plain sampling draws anew whenever a control moves

  return {
    shape: (narrow) => (narrow ? [380, 690] : [780, 380]),

    draw(pen, narrow) {
      const { theme } = pen;
      const [m, s, linked] = [mu.value, sigma.value, kind.value === TRICK];
      const settings = `${m} ${s} ${linked}`;
      if (settings !== drawnFor) [fresh, drawnFor] = [eps.map(normal), settings];
      const draws = linked ? eps : fresh;
      const [loss, byMu, bySigma] = estimates(draws, m, s);
      const size = { width: 310, height: narrow ? 240 : 270 };

      const exact = (m - TARGET) ** 2 + s ** 2;
      const left = pen.chart({ x: 50, y: 40, ...size }, {
        x: [-5, 8], y: [-0.35, 1.35], xLabel: "z", yTicks: [], title: `mean of (z − 3)²: ${loss.toFixed(2)}, exactly ${exact.toFixed(2)}`,
      });
      pen.text("eps", 28, left.y(1));
      pen.text("z", 28, left.y(0));
      pen.line([[left.x(TARGET), 40], [left.x(TARGET), 40 + size.height]], { colour: theme.faint, dash: [2, 4] });
      pen.text("best z", left.x(TARGET), left.y(-0.27), { size: 12, colour: theme.faint });
      pen.inside(left.box, () => {
        for (const e of linked ? draws : []) pen.line([[left.x(e), left.y(1)], [left.x(m + s * e), left.y(0)]], { colour: theme.faint, width: 1 });
        for (const e of linked ? draws : []) pen.dot(left.x(e), left.y(1), 5, theme.blue);
        for (const e of draws) pen.box(left.x(m + s * e) - 4.5, left.y(0) - 4.5, 9, 9, { colour: theme.orange, edge: theme.paper });
      });

      const gradient = `gradient: mu ${signed(byMu)}, sigma ${signed(bySigma)}`;
      const box = narrow ? { x: 50, y: 400, ...size } : { x: 446, y: 40, ...size };
      const right = pen.chart(box, { x: [-1, 5], y: [0.1, 2.5], xLabel: "mu", yLabel: "sigma", title: linked ? gradient : "gradient: none, the draws hide it" });
      if (linked) pen.text("star: downhill", box.x + 12, box.y + 12, { size: 12, align: "left", colour: theme.blue });
      pen.inside(right.box, () => {
        for (const level of [0.1, 0.5, 1, 2, 4, 6, 9, 13, 18]) {
          const turns = Array.from({ length: 91 }, (_, i) => (i * Math.PI) / 90);
          const radius = Math.sqrt(level);
          pen.line(turns.map((turn) => [right.x(TARGET + radius * Math.cos(turn)), right.y(radius * Math.sin(turn))]), { colour: theme.soft });
          if (level >= 0.5 && level < 18) pen.text(level, right.x(TARGET - radius * 0.94), right.y(radius * 0.34), { size: 11, colour: theme.faint });
        }
        const downhill = [right.x(m - 0.15 * byMu), right.y(s - 0.15 * bySigma)];
        if (linked) pen.line([[right.x(m), right.y(s)], downhill], { colour: theme.blue, width: 3 });
        if (linked) pen.star(...downhill, 10, theme.blue);
        pen.dot(right.x(m), right.y(s), 6, theme.ink);
      });
      const how = linked ? `the same ${eps.length} eps; ${gradient}; star: downhill` : `${eps.length} fresh draws; no gradient`;
      return `Samples for mu ${m.toFixed(2)} and sigma ${s.toFixed(2)}: ${how}. Mean of f ${loss.toFixed(2)}.`;
    },
  };
}

const signed = (value) => `${value < 0 ? "-" : "+"}${Math.abs(value).toFixed(1)}`;
