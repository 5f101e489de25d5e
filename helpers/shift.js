// The shift explorer: a garment to drag, what each network draws of it, and the errors along a row.
function shiftExplorer(root, data) {
  const { most, names, errors } = data, across = 2 * most + 1;
  const { width, height } = data.drawn, garment = data.image;
  const panel = element("div", root, { className: "le-panel" },
    { role: "group", "aria-label": "Shift explorer" });
  const row = element("div", panel, { className: "se-row" });
  const part = (name) => {
    const figure = element("div", row, { className: "se-part" });
    element("p", figure, { textContent: name });
    const field = element("div", figure, { className: "se-field" });
    const canvas = element("canvas", field, { className: "le-pixels", width, height });
    return { field, canvas, text: element("p", figure, { className: "se-error" }) };
  };
  const original = part("drag me");
  original.field.classList.add("se-drag");
  Object.assign(original.field, { tabIndex: 0 });
  for (const [key, value] of Object.entries({
    role: "application", "data-lm-suppress-shortcuts": "true",
    "aria-label": `A garment on a canvas. Arrow keys move it by a pixel, up to ${most} each way; ` +
      "Home takes it back to the middle.",
  })) original.field.setAttribute(key, value);
  original.canvas.setAttribute("aria-hidden", "true");
  const drawings = names.map((name) => part(name));
  drawings.forEach(({ canvas }) => canvas.setAttribute("role", "img"));
  const chart = svgElement("svg", panel, { class: "se-chart", role: "img" });
  element("p", panel, { className: "le-hint", textContent:
    `Drag the garment, or focus it and use the arrow keys (Home: back). The curves are the errors of ` +
    "both networks along the row through the garment’s place. Everything was computed beforehand." });
  const announce = announcer(panel);

  let shift = [0, 0], images = null, picture = null;
  const at = (down, right) => (down + most) * across + right + most;
  const paintPictures = () => {
    const [down, right] = shift;
    if (picture) {
      const whole = new Float32Array(width * height);
      for (let i = 0; i < garment.height; i++)
        whole.set(picture.subarray(i * garment.width, (i + 1) * garment.width),
          (i + down + most) * width + right + most);
      paintGrey(original.canvas, whole);
    }
    if (images) drawings.forEach(({ canvas }, n) =>
      paintGrey(canvas, images[n * across ** 2 + at(down, right)]));
  };

  // The errors along the row -----------------------------------------------------------------------
  const BOTTOM = 34, LEFT = 50, TOP = 8, RIGHT = 12, HEIGHT = 170;
  const highest = 1.08 * Math.max(...errors.flat());
  const paintChart = () => {
    const w = Math.max(chart.clientWidth, 240), [down, right] = shift;
    const x = (k) => LEFT + (w - LEFT - RIGHT) * (k + most) / (2 * most);
    const y = (mse) => TOP + (HEIGHT - TOP - BOTTOM) * (1 - mse / highest);
    chart.replaceChildren();
    chart.setAttribute("viewBox", `0 0 ${w} ${HEIGHT}`);
    const power = 10 ** Math.floor(Math.log10(highest));
    const step = power * ([0.2, 0.5, 1].find((n) => highest / (n * power) < 5) ?? 2);
    for (let value = 0; value < highest; value += step) {
      svgElement("line", chart, { class: "se-grid", x1: LEFT, x2: w - RIGHT, y1: y(value), y2: y(value) });
      svgElement("text", chart, { x: LEFT - 6, y: y(value) + 4, "text-anchor": "end" }, shown(value, 3));
    }
    for (let k = -most; k <= most; k += 2)
      svgElement("text", chart, { x: x(k), y: HEIGHT - BOTTOM + 15, "text-anchor": "middle" }, shown(k, 0));
    svgElement("text", chart, { x: (LEFT + w) / 2, y: HEIGHT - 3, "text-anchor": "middle" },
      "pixels to the right");
    const say = names.map((name, n) => {
      const line = Array.from({ length: across }, (_, i) => errors[n][at(down, i - most)]);
      svgElement("polyline", chart, { class: `se-line se-${n}`,
        points: line.map((value, i) => `${x(i - most)},${y(value)}`).join(" ") });
      svgElement("circle", chart, { class: `se-dot se-${n}`, r: 6, cx: x(right), cy: y(line[right + most]) });
      return `${name} ${shown(Math.min(...line), 4)} to ${shown(Math.max(...line), 4)}`;
    });
    chart.setAttribute("aria-label", `Errors along the row: ${say.join(", ")}.`);
  };

  const choose = (down, right) => {
    shift = [down, right].map((value) => clamp(Math.round(value), -most, most));
    root.dataset.shift = shift.join(" ");
    const place = [["down", "up"], ["right", "left"]].map(([more, less], i) =>
      `${Math.abs(shift[i])} ${shift[i] < 0 ? less : more}`).join(", ");
    original.text.textContent = place;
    const said = drawings.map(({ canvas, text }, n) => {
      const mse = shown(errors[n][at(...shift)], 4);
      text.textContent = `MSE ${mse}`;
      canvas.setAttribute("aria-label", `What the ${names[n]} network draws, MSE ${mse}`);
      return `${names[n]} ${mse}`;
    });
    paintPictures();
    paintChart();
    return `${place}: ${said.join(", ")}`;
  };
  let held = null;  // where the pointer went down, and where the garment was
  original.field.addEventListener("pointerdown", (event) => {
    original.field.setPointerCapture(event.pointerId);
    held = [event.clientY, event.clientX, ...shift];
  });
  original.field.addEventListener("pointermove", (event) => {
    if (!held) return;
    const pixel = original.canvas.clientWidth / width;
    announce(choose(held[2] + (event.clientY - held[0]) / pixel,
      held[3] + (event.clientX - held[1]) / pixel));
  });
  for (const name of ["pointerup", "pointercancel"])
    original.field.addEventListener(name, () => { held = null; });
  original.field.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === "Home") announce(choose(0, 0));
    else if (event.key in move)
      announce(choose(shift[0] + move[event.key][0], shift[1] + move[event.key][1]));
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  choose(0, 0);
  new ResizeObserver(paintChart).observe(chart);
  readSheet(data.image).then(([found]) => { picture = found; paintPictures(); });
  readSheet(data.drawn).then((found) => { images = found; paintPictures(); });
}
