// The sheared code: points in their plane with the two arrows of a linear decoder, and beside them the
// codes: for these arrows the ones with the smallest error.
function shearedCode(root, data) {
  const flat = unpack(data.points, 4), { mean, plane, plain, penalised } = data;
  const dot = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
  const points = Array.from({ length: flat.length / 3 }, (_, i) => [...flat.subarray(3 * i, 3 * i + 3)]);
  const scores = points.map((p) => plane.map((axis) => dot(axis, p.map((v, j) => v - mean[j]))));
  const LIMIT = 1.2 * Math.max(1, ...scores.flat().map(Math.abs));

  // What the arrows say -----------------------------------------------------------------------------
  let arrows, seed = 0, withAxes = false;
  const onOneLine = () => {
    const [[a, b], [c, d]] = arrows, lengths = arrows.map(([u, v]) => Math.hypot(u, v));
    return Math.min(...lengths) < 0.03 || Math.abs(a * d - b * c) < 0.02 * lengths[0] * lengths[1];
  };
  // The pseudo-inverse of the arrows: it makes of scores the codes with the smallest error.
  const inverse = () => {
    const [[a, b], [c, d]] = arrows;
    if (!onOneLine()) {
      const det = a * d - b * c;
      return [[d / det, -b / det], [-c / det, a / det]];
    }
    const [u, v] = Math.hypot(a, b) > Math.hypot(c, d) ? [a, b] : [c, d];
    const unit = [u, v].map((value) => value / (Math.hypot(u, v) || 1));
    const along = arrows.map((arrow) => dot(arrow, unit)), square = dot(along, along) || 1;
    return unit.map((value) => along.map((part) => value * part / square));
  };
  const times = ([x, y], [[a, b], [c, d]]) => [x * a + y * c, x * b + y * d];
  const error = (codes) => {
    const parts = codes.map((code, i) => {
      const inPlane = times(code, arrows);
      const drawn = mean.map((m, j) => m + dot(inPlane, [plane[0][j], plane[1][j]]));
      return meanSquare(points[i], drawn);
    });
    return parts.reduce((sum, value) => sum + value, 0) / parts.length;
  };
  // The two directions in which a cloud varies, as unit vectors, and its spread along them.
  const principal = (cloud) => {
    const middle = [0, 1].map((j) => cloud.reduce((sum, p) => sum + p[j], 0) / cloud.length);
    const cov = (i, j) => cloud.reduce((sum, p) => sum + (p[i] - middle[i]) * (p[j] - middle[j]), 0) / cloud.length;
    const [a, b, d] = [cov(0, 0), cov(0, 1), cov(1, 1)], angle = Math.atan2(2 * b, a - d) / 2;
    return [angle, angle + Math.PI / 2].map((t) => {
      const unit = [Math.cos(t), Math.sin(t)];
      return { unit, spread: Math.sqrt(a * unit[0] ** 2 + 2 * b * unit[0] * unit[1] + d * unit[1] ** 2) };
    });
  };

  // The page's elements -------------------------------------------------------------------------------
  const panel = element("div", root, { className: "le-panel" },
    { role: "group", "aria-label": "Sheared code" });
  const plot = (title, label) => {
    const part = element("div", panel, { className: "sc-part" });
    element("p", part, { textContent: title });
    const box = element("div", part, { className: "sc-plot" });
    return { box, svg: svgElement("svg", box, { viewBox: "-100 -100 200 200", role: "img", "aria-label": label }) };
  };
  const left = plot("The points in their plane, and the decoder’s two arrows",
    `${points.length} points in their principal plane`);
  const right = plot("Their codes: how much of each arrow", `The codes of the ${points.length} points`);
  const summary = element("p", panel, { className: "sc-summary" });
  const tools = element("div", panel, { className: "le-row" });
  const button = (text, act) => {
    const made = element("button", tools, { type: "button", textContent: text });
    made.addEventListener("click", () => { act(made); update(); });
    return made;
  };
  const set = (pair) => { arrows = pair.map((arrow) => [...arrow]); };
  button("Next seed", () => { seed = (seed + 1) % plain.length; set(plain[seed]); });
  button("With L2 penalty", () => set(penalised[seed]));
  button("PCA’s axes", () => set([[1, 0], [0, 1]]));
  button("PCA of the codes", (made) => {
    withAxes = !withAxes;
    made.setAttribute("aria-pressed", withAxes);
  }).setAttribute("aria-pressed", "false");
  element("p", panel, { className: "le-hint", textContent:
    "Drag the tip of an arrow, or focus it and use the arrow keys (Shift: larger steps). The first panel’s grid " +
    "is that of the second, as the decoder draws it. Each point has one colour in both." });
  const announce = announcer(panel);

  const handles = ["First", "Second"].map((name, i) => {
    const handle = element("div", left.box, { className: `sc-handle sc-${i}`, tabIndex: 0 },
      { role: "application", "data-lm-suppress-shortcuts": "true" });
    const move = (x, y) => {
      arrows[i] = [clamp(x, -LIMIT, LIMIT), clamp(y, -LIMIT, LIMIT)];
      update();
    };
    handle.addEventListener("pointerdown", (event) => handle.setPointerCapture(event.pointerId));
    handle.addEventListener("pointermove", (event) => {
      if (!handle.hasPointerCapture(event.pointerId)) return;
      const box = left.box.getBoundingClientRect();
      move(LIMIT * (2 * (event.clientX - box.left) / box.width - 1),
        LIMIT * (1 - 2 * (event.clientY - box.top) / box.height));
    });
    handle.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.25 : 0.05;
      const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key];
      if (!way || event.ctrlKey || event.altKey || event.metaKey) return;
      move(arrows[i][0] + way[0] * step, arrows[i][1] + way[1] * step);
      event.preventDefault();
      event.stopPropagation();
    });
    return { handle, name };
  });

  // The drawing -----------------------------------------------------------------------------------------
  const mix = (part) => `color-mix(in srgb, ${COLOURS[2]} ${Math.round(100 * part)}%, ${COLOURS[3]})`;
  const [least, most] = [Math.min, Math.max].map((f) => f(...scores.map(([x]) => x)));
  const hue = scores.map(([x]) => mix((x - least) / (most - least)));
  const draw = (svg, limit, cloud, pair, axes) => {
    svg.replaceChildren();
    const at = ([x, y]) => [100 * x / limit, -100 * y / limit];
    const line = (from, to, kind) => {
      const [[x1, y1], [x2, y2]] = [at(from), at(to)];
      svgElement("line", svg, { class: kind, x1, y1, x2, y2 });
    };
    for (let n = -12; n <= 12; n++) {  // the lattice: whole numbers of each arrow
      line(times([n, -12], pair), times([n, 12], pair), n ? "sc-grid" : "sc-axis");
      line(times([-12, n], pair), times([12, n], pair), n ? "sc-grid" : "sc-axis");
    }
    cloud.forEach((point, i) => {
      const [cx, cy] = at(point);
      svgElement("circle", svg, { cx, cy, r: 2.4, fill: hue[i] });
    });
    for (const [from, to, kind] of axes) line(from, to, kind);
    pair.forEach((arrow, i) => line([0, 0], arrow, `sc-arrow sc-${i}`));
  };
  const update = () => {
    const matrix = inverse(), codes = scores.map((score) => times(score, matrix)), mse = error(codes);
    const limit = Math.max(1.3, ...codes.flat().map((value) => 1.1 * Math.abs(value)));
    const found = principal(codes), axesLeft = [], axesRight = [];
    let text = onOneLine()
      ? `Both arrows lie on one line, so one number is left: MSE ${shown(mse, 5)}. `
      : `MSE ${shown(mse, 5)}; PCA’s is ${shown(data.pcaMse, 5)}. `;
    if (withAxes) {
      const ends = ({ unit, spread }, length = 2) => unit.map((value) => length * spread * value);
      for (const one of found) {
        const end = ends(one), back = end.map((value) => -value);
        axesRight.push([back, end, "sc-found"]);
        axesLeft.push([times(back, arrows), times(end, arrows), "sc-found"]);
      }
      for (const end of [[LIMIT, 0], [0, LIMIT]])
        axesLeft.push([end.map((value) => -value), end, "sc-true"]);
      const tilts = found.map(({ unit }, i) => {
        const drawn = times(unit, arrows), length = Math.hypot(...drawn) || 1;
        return Math.acos(Math.min(1, Math.abs(drawn[i]) / length)) * 180 / Math.PI;
      });
      text += `PCA of the codes, drawn by the decoder: up to ${shown(Math.max(...tilts), 0)}° from the ` +
        "principal axes (dotted).";
    }
    draw(left.svg, LIMIT, scores, arrows, axesLeft);
    draw(right.svg, limit, codes, [[1, 0], [0, 1]], axesRight);
    handles.forEach(({ handle, name }, i) => {
      const [x, y] = arrows[i];
      handle.style.left = `${50 + 50 * x / LIMIT}%`;
      handle.style.top = `${50 - 50 * y / LIMIT}%`;
      handle.setAttribute("aria-label", `${name} arrow, its tip at (${shown(x)}, ${shown(y)}). ` +
        "Arrow keys move it, with Shift in larger steps.");
    });
    root.dataset.arrows = arrows.flat().join(" ");
    root.dataset.mse = mse;
    summary.textContent = text;
    announce(`Arrows (${arrows.map((a) => a.map((v) => shown(v)).join(", ")).join(") and (")}). ${text}`);
  };
  set(plain[0]);
  update();
}
