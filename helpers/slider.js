// The bottleneck slider: a field of ten garments for each size of the code, and the curves of the error.
function bottleneckSlider(root, data) {
  const { sizes, names, errors, pcaErrors } = data;
  const means = errors.map((seeds) => seeds.reduce((sum, v) => sum + v, 0) / seeds.length);
  const panel = element("div", root, { className: "le-panel" },
    { role: "group", "aria-label": "Bottleneck slider" });

  const label = element("label", panel, { className: "bs-slider" });
  const count = element("span", label);
  const field = element("input", label, { type: "range", min: 0, max: sizes.length - 1 },
    { "aria-label": "Numbers in the code" });
  field.value = Math.max(0, sizes.indexOf(10));
  const ends = element("span", panel, { className: "bs-ends" }, { "aria-hidden": "true" });
  for (const size of sizes) element("span", ends, { textContent: size });

  const { width, height } = data.images;
  const row = (name) => {
    const part = element("div", panel, { className: "bs-row" });
    const text = element("p", part, { textContent: name });
    const canvas = element("canvas", part,
      { className: "le-pixels", width: width * names.length, height }, { role: "img" });
    return { text, canvas };
  };
  const rows = {
    original: row("original"), pca: row("PCA"), pcaError: row("its error"),
    network: row("autoencoder"), networkError: row("its error"),
  };
  const summary = element("p", panel, { className: "bs-summary" });
  const chart = svgElement("svg", panel, { class: "bs-chart", role: "img" });
  element("p", panel, { className: "le-hint", textContent:
    "Drag the slider, use the arrow keys on it, or point at the curve. An error is what is missing: orange " +
    "where the drawing is too dark, blue where it is too bright. PCA’s pictures are made in this chapter; the " +
    `autoencoder’s come from a study that trained ${errors[0].length} networks ${data.network} for each size k, ` +
    "and show the first. The curves are errors of all validation images, ticks are single networks." });
  const announce = announcer(panel);

  // The rows of pictures --------------------------------------------------------------------------
  let images = null;
  const one = Object.assign(document.createElement("canvas"), { width, height });
  const paintRow = ({ canvas }, paint, say) => {
    canvas.setAttribute("aria-label", say);
    if (!images) return;
    names.forEach((_, i) => { paint(i); canvas.getContext("2d").drawImage(one, i * width, 0); });
  };
  const paintPictures = (chosen) => {
    const n = names.length, list = names.join(", ");
    const drawn = (block, i) => images[n * (1 + block * sizes.length + chosen) + i];
    const missing = (block, i) => images[i].map((value, j) => value - drawn(block, i)[j]);
    paintRow(rows.original, (i) => paintGrey(one, images[i]), `One image of each class: ${list}`);
    for (const [block, name, picture, error] of
      [[0, "PCA", rows.pca, rows.pcaError], [1, "the autoencoder", rows.network, rows.networkError]]) {
      const through = `through ${sizes[chosen]} numbers`;
      paintRow(picture, (i) => paintGrey(one, drawn(block, i)), `The same, drawn by ${name} ${through}`);
      paintRow(error, (i) => paintDifference(one, missing(block, i)), `What ${name} misses ${through}`);
    }
  };

  // The curves --------------------------------------------------------------------------------------
  const BOTTOM = 34, LEFT = 46, TOP = 8, RIGHT = 12, HEIGHT = 210;
  const most = 1.08 * Math.max(...pcaErrors);
  const x = (k, w) => LEFT + (w - LEFT - RIGHT) * k / Math.max(...sizes);
  const y = (mse) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - mse / most);
  const paintChart = (chosen) => {
    const w = Math.max(chart.clientWidth, 260);
    chart.replaceChildren();
    chart.setAttribute("viewBox", `0 0 ${w} ${HEIGHT}`);
    chart.setAttribute("aria-label", "Validation error against the size of the code. PCA falls from " +
      `${shown(pcaErrors[0], 4)} to ${shown(pcaErrors.at(-1), 4)}, the autoencoder from ` +
      `${shown(means[0], 4)} to ${shown(means.at(-1), 4)}.`);
    for (const value of [0, 0.01, 0.02, 0.03, 0.04].filter((v) => v < most)) {
      svgElement("line", chart, { class: "bs-grid", x1: LEFT, x2: w - RIGHT, y1: y(value), y2: y(value) });
      svgElement("text", chart, { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, shown(value));
    }
    for (const k of [2, 10, 20, 30, 40, 50].filter((k) => k <= Math.max(...sizes)))
      svgElement("text", chart, { x: x(k, w), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, k);
    svgElement("text", chart, { x: (LEFT + w) / 2, y: HEIGHT - 3, "text-anchor": "middle" },
      "numbers in the code");
    const line = (values, name) => svgElement("polyline", chart, { class: name, points:
      values.map((value, i) => `${x(sizes[i], w)},${y(value)}`).join(" ") });
    line(pcaErrors, "bs-pca");
    line(means, "bs-network");
    errors.forEach((seeds, i) => seeds.forEach((value) => svgElement("line", chart, { class: "bs-network",
      x1: x(sizes[i], w) - 4, x2: x(sizes[i], w) + 4, y1: y(value), y2: y(value) })));
    const middle = sizes.length >> 1, at = x(sizes[middle], w) + 8;
    svgElement("text", chart, { x: at, y: y(pcaErrors[middle]) - 8 }, "PCA");
    svgElement("text", chart, { x: at, y: y(means[middle]) + 22 }, "autoencoder");
    svgElement("line", chart, { class: "bs-here", x1: x(sizes[chosen], w), x2: x(sizes[chosen], w),
      y1: y(pcaErrors[chosen]), y2: y(means[chosen]) });
    for (const [values, name] of [[pcaErrors, "bs-pca"], [means, "bs-network"]])
      svgElement("circle", chart, { class: `${name} bs-dot`, r: 6,
        cx: x(sizes[chosen], w), cy: y(values[chosen]) });
  };

  const choose = () => {
    const chosen = Number(field.value), k = sizes[chosen];
    const less = 100 * (1 - means[chosen] / pcaErrors[chosen]);
    root.dataset.size = k;
    count.textContent = `${k} numbers`;
    field.setAttribute("aria-valuetext", `${k} numbers`);
    rows.pca.text.textContent = `PCA, ${k}`;
    rows.network.text.textContent = `autoencoder, ${k}`;
    summary.textContent = `With ${k} numbers: PCA ${shown(pcaErrors[chosen], 4)}, autoencoder ` +
      `${shown(means[chosen], 4)} (${shown(Math.min(...errors[chosen]), 4)} to ` +
      `${shown(Math.max(...errors[chosen]), 4)}), ${shown(Math.abs(less), 0)} % ${less < 0 ? "more" : "less"}.`;
    paintPictures(chosen);
    paintChart(chosen);
  };
  field.addEventListener("input", () => { choose(); announce(summary.textContent); });
  const point = (event) => {
    const box = chart.getBoundingClientRect(), away = sizes.map((k) =>
      Math.abs(x(k, box.width) - (event.clientX - box.left)));
    field.value = away.indexOf(Math.min(...away));
    choose();
  };
  chart.addEventListener("pointerdown", (event) => {
    chart.setPointerCapture(event.pointerId);
    point(event);
  });
  chart.addEventListener("pointermove", (event) => {
    if (event.pointerType === "mouse" || event.buttons) point(event);
  });
  choose();
  new ResizeObserver(choose).observe(chart);
  readSheet(data.images).then((found) => { images = found; choose(); });
}
