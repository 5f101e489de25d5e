// The tools of all explorers. Python puts this file into every output, before the explorer's own
// script and a call of `startExplorers`, so each output stands alone.

// The palette of helpers/plots.py, and four more for ten classes.
const COLOURS = ["#3577c5", "#ac6410", "#108662", "#975dbb", "#c94a4f",
  "#71767c", "#1b95ad", "#8d8a14", "#d4579f", "#a5714a"];

// Fill every element marked `name` that is still empty. They are found by the mark rather than by the
// script's place in the page, since Jupyter runs the scripts of an output apart from it.
function startExplorers(name, fill, data) {
  for (const root of document.querySelectorAll(`[data-explorer="${name}"]:not([data-ready])`)) {
    root.dataset.ready = "";
    root.querySelector(".le-still").hidden = true;
    fill(root, data);
  }
}

// Make an element, or one of a drawing, at the end of `parent`.
function element(tag, parent, properties = {}, attributes = {}) {
  const made = Object.assign(document.createElement(tag), properties);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return parent.appendChild(made);
}
function svgElement(tag, parent, attributes = {}, text = "") {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return parent.appendChild(made);
}

// Read what Python's `pack` wrote: bytes (1), whole numbers times a scale (2) or floats (4).
function unpack(text, bytes, scale = 1) {
  const standard = text.replaceAll("-", "+").replaceAll("_", "/");
  const raw = Uint8Array.from(atob(standard), (c) => c.charCodeAt(0));
  if (bytes === 1) return raw;
  if (bytes === 4) return new Float32Array(raw.buffer);
  return Float32Array.from(new Int16Array(raw.buffer), (whole) => whole * scale);
}

const shown = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−");
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const meanSquare = (a, b) => a.reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0) / a.length;

// Read what Python's `sheet` wrote: a promise of images with values from 0 to 1.
async function readSheet({ png, count, columns, height, width }) {
  const sheet = new Image();
  sheet.src = "data:image/png;base64," + png.replaceAll("-", "+").replaceAll("_", "/");
  await sheet.decode();
  const copy = Object.assign(document.createElement("canvas"),
    { width: sheet.naturalWidth, height: sheet.naturalHeight });
  const ink = copy.getContext("2d", { willReadFrequently: true });
  ink.drawImage(sheet, 0, 0);
  return Array.from({ length: count }, (_, i) => {
    const place = [i % columns * width, Math.floor(i / columns) * height, width, height];
    const { data } = ink.getImageData(...place);
    return Float32Array.from({ length: width * height }, (_, j) => data[4 * j] / 255);
  });
}

// Paint values from 0 (black) to 1 (white) on a canvas of as many pixels.
function paintGrey(canvas, values) {
  const pixels = new ImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    pixels.data.fill(Math.round(255 * clamp(value, 0, 1)), 4 * i, 4 * i + 3);
    pixels.data[4 * i + 3] = 255;
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}
// Paint differences: black is none; blue is less (down to −`most`), orange is more.
function paintDifference(canvas, values, most = 0.5) {
  const pixels = new ImageData(canvas.width, canvas.height);
  values.forEach((value, i) => {
    const part = Math.min(Math.abs(value) / most, 1);
    const [red, green, blue] = value < 0 ? [90, 170, 255] : [255, 160, 60];
    pixels.data.set([part * red, part * green, part * blue, 255], 4 * i);
  });
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

// A line that only a screen reader hears, 0.3 seconds after the last of several calls.
function announcer(parent) {
  const line = element("p", parent, { className: "le-live" }, { "aria-live": "polite" });
  let timer;
  return (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => { line.textContent = text; }, 300);
  };
}

// Call `repaint` when the size of `part` or the theme changes. (Drawings in SVG need no such call.)
function repaintFor(part, repaint) {
  new ResizeObserver(repaint).observe(part);
  const watcher = new MutationObserver(repaint);
  for (const page of [document.documentElement, document.body])
    watcher.observe(page, { attributeFilter: ["data-theme", "theme", "class", "data-jp-theme-light"] });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
}

// Return the function that a chain of Dense layers computes: Python's `packed_chain` made its data.
function network({ layers, bytes }) {
  const sigmoid = (x) => 1 / (1 + Math.exp(-x));
  // Abramowitz and Stegun 7.1.26; its error is below 1.5e-7.
  const erf = (x) => {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t +
      0.254829592) * t * Math.exp(-x * x);
    return x < 0 ? tail - 1 : 1 - tail;
  };
  const ACTIVATIONS = {
    linear: (x) => x,
    relu: (x) => Math.max(x, 0),
    leaky_relu: (x) => (x < 0 ? 0.2 * x : x),
    elu: (x) => (x < 0 ? Math.expm1(x) : x),
    selu: (x) => 1.0507009873554805 * (x < 0 ? 1.6732632423543772 * Math.expm1(x) : x),
    gelu: (x) => 0.5 * x * (1 + erf(x * Math.SQRT1_2)),
    gelu_tanh: (x) => 0.5 * x * (1 + Math.tanh(0.7978845608028654 * (x + 0.044715 * x ** 3))),
    silu: (x) => x * sigmoid(x),
    softplus: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
    sigmoid,
    tanh: Math.tanh,
  };
  const chain = layers.map(([inputs, outputs, activation, k, kernel, b, bias]) => ({
    inputs, outputs,
    activation: ACTIVATIONS[activation],
    kernel: unpack(kernel, bytes, k),
    bias: unpack(bias, bytes, b),
  }));
  return (code) => chain.reduce((x, { inputs, outputs, activation, kernel, bias }) => {
    const sums = Float64Array.from(bias);
    for (let i = 0; i < inputs; i++)
      for (let j = 0; j < outputs; j++) sums[j] += x[i] * kernel[i * outputs + j];
    return sums.map(activation);
  }, code);
}
