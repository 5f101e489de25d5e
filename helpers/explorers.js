// The explorers' pages: what a reader's browser runs. Python puts this file into every output, with a
// call of one of its functions after it, so each output stands alone.

// The latent explorer: draws a map of codes and decodes the point that the reader chooses.
// `name` marks its elements. They are found by it rather than by the script's place in the page,
// since Jupyter runs the scripts of an output apart from it.
function latentExplorer(name, data) {
  const unpack = (text, bytes, scale = 1) => {
    const standard = text.replaceAll("-", "+").replaceAll("_", "/");
    const raw = Uint8Array.from(atob(standard), (c) => c.charCodeAt(0));
    if (bytes === 1) return raw;
    if (bytes === 4) return new Float32Array(raw.buffer);
    return Float32Array.from(new Int16Array(raw.buffer), (whole) => whole * scale);
  };
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
  const network = data.layers.map(([inputs, outputs, activation, k, kernel, b, bias]) => ({
    inputs, outputs,
    activation: ACTIVATIONS[activation],
    kernel: unpack(kernel, data.bytes, k),
    bias: unpack(bias, data.bytes, b),
  }));
  const decode = (code) => network.reduce((x, { inputs, outputs, activation, kernel, bias }) => {
    const sums = Float64Array.from(bias);
    for (let i = 0; i < inputs; i++)
      for (let j = 0; j < outputs; j++) sums[j] += x[i] * kernel[i * outputs + j];
    return sums.map(activation);
  }, code);

  const codes = unpack(data.codes, 4), labels = unpack(data.labels, 1);
  const { low, high } = data, range = [high[0] - low[0], high[1] - low[1]];
  const COLOURS = ["#3a81d6", "#d07a16", "#149a72", "#a767cf", "#dc5257",
    "#7b8087", "#1b95ad", "#8d8a14", "#d4579f", "#a5714a"];
  const colour = (label) => COLOURS[label % COLOURS.length];
  // A class has a shape as well as a colour.
  const mark = (ink, label, x, y, r) => {
    ink.fillStyle = colour(label);
    ink.beginPath();
    if (label % 4 === 0) ink.arc(x, y, r, 0, 7);
    else if (label % 4 === 1) ink.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    else if (label % 4 === 2) {
      ink.moveTo(x, y - 1.2 * r); ink.lineTo(x + 1.2 * r, y + r); ink.lineTo(x - 1.2 * r, y + r);
    } else {
      ink.moveTo(x, y - 1.3 * r); ink.lineTo(x + 1.3 * r, y);
      ink.lineTo(x, y + 1.3 * r); ink.lineTo(x - 1.3 * r, y);
    }
    ink.fill();
  };
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const middles = data.names.map((_, label) => [0, 1].map((axis) =>
    median([...labels.keys()].filter((i) => labels[i] === label).map((i) => codes[2 * i + axis]))));
  const ticks = (axis) => {
    const rough = range[axis] / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * [1, 2, 5, 10].find((n) => n * power >= rough);
    const found = [];
    for (let n = Math.ceil(low[axis] / step); n * step <= high[axis]; n++) found.push(n * step);
    return found.map((value) => [value, shown(value, Math.max(0, -Math.floor(Math.log10(step))))]);
  };
  const shown = (value, digits = 2) => value.toFixed(digits).replace(/^-(?=.*[1-9])/, "−");
  const element = (tag, parent, properties = {}, attributes = {}) => {
    const made = Object.assign(document.createElement(tag), properties);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return parent.appendChild(made);
  };

  const start = (root) => {
    root.dataset.ready = "";
    root.querySelector(".le-still").hidden = true;
    const panel = element("div", root, { className: "le-panel" },
      { role: "group", "aria-label": "Latent explorer" });
    const map = element("div", panel, { className: "le-map", tabIndex: 0 }, {
      role: "application",
      "aria-label": `Map of ${labels.length} codes in ${data.names.length} classes. ` +
        "Arrow keys move the point that is decoded, with Shift in larger steps; Home takes it back.",
      "data-lm-suppress-shortcuts": "true",
    });
    const canvas = element("canvas", map, {}, { "aria-hidden": "true" });
    const side = element("div", panel, { className: "le-side" });
    const image = element("canvas", side,
      { className: "le-image", width: data.width, height: data.height },
      { role: "img", "aria-label": "The decoded image" });
    const text = element("p", side, {}, { "aria-hidden": "true" });
    const live = element("p", side, { className: "le-live" }, { "aria-live": "polite" });
    const legend = element("div", panel, { className: "le-legend" },
      { role: "group", "aria-label": "Show one class alone" });
    element("p", panel, { className: "le-hint", textContent:
      "Move over the map, drag, or focus it and use the arrow keys " +
      "(with Shift: larger steps; Home: back). A class’s button shows it alone." });

    let code, only = null, timer;
    const backdrop = document.createElement("canvas");
    const frame = () => ({ left: 40, top: 6, right: canvas.clientWidth - 8,
      bottom: canvas.clientHeight - 38 });
    const place = (x, y, { left, top, right, bottom } = frame()) => [
      left + (right - left) * (x - low[0]) / range[0],
      bottom - (bottom - top) * (y - low[1]) / range[1]];

    const paintMap = () => {  // all but the cross, which moves
      const scale = window.devicePixelRatio || 1;
      const [width, height] = [canvas.clientWidth, canvas.clientHeight];
      if (!width) return;
      for (const c of [canvas, backdrop]) { c.width = width * scale; c.height = height * scale; }
      const ink = backdrop.getContext("2d"), style = getComputedStyle(root);
      const fg = style.getPropertyValue("--fg"), bg = style.getPropertyValue("--bg");
      const { left, top, right, bottom } = frame();
      ink.scale(scale, scale);
      ink.font = "12px system-ui, sans-serif";
      ink.fillStyle = fg;
      ink.strokeStyle = "rgba(123,128,135,.25)";
      ink.textBaseline = "middle";
      for (const [value, label] of ticks(0)) {
        const [x] = place(value, 0);
        ink.textAlign = "center";
        ink.fillText(label, x, bottom + 11);
        ink.strokeRect(x, top, 0, bottom - top);
      }
      for (const [value, label] of ticks(1)) {
        const [, y] = place(0, value);
        ink.textAlign = "right";
        ink.fillText(label, left - 5, y);
        ink.strokeRect(left, y, right - left, 0);
      }
      ink.textAlign = "center";
      ink.fillText(data.axes[0] + " →", (left + right) / 2, bottom + 29);
      ink.save();
      ink.translate(8, (top + bottom) / 2);
      ink.rotate(-Math.PI / 2);
      ink.fillText(data.axes[1] + " →", 0, 0);
      ink.restore();
      ink.save();
      ink.rect(left, top, right - left, bottom - top);
      ink.clip();
      for (let i = 0; i < labels.length; i++) {
        ink.globalAlpha = only === null ? 0.75 : labels[i] === only ? 0.95 : 0.1;
        mark(ink, labels[i], ...place(codes[2 * i], codes[2 * i + 1]), width < 480 ? 2 : 2.6);
      }
      ink.restore();
      if (width < 480) return;
      const taken = [];  // names at the classes' medians, moved apart where they would overlap
      ink.font = "600 12px system-ui, sans-serif";
      data.names.forEach((label, i) => {
        if (middles[i][0] === undefined || (only !== null && only !== i)) return;
        const [x, middle] = place(...middles[i]), half = ink.measureText(label).width / 2 + 4;
        const y = [0, 18, -18, 36, -36, 54, -54].map((shift) => middle + shift).find((y) =>
          !taken.some((t) => Math.abs(t.y - y) < 17 && Math.abs(t.x - x) < t.half + half)) ?? middle;
        taken.push({ x, y, half });
        ink.globalAlpha = 0.85;
        ink.fillStyle = bg;
        ink.fillRect(x - half, y - 8, 2 * half, 16);
        ink.globalAlpha = 1;
        ink.fillStyle = fg;
        ink.fillText(label, x, y + 1);
      });
    };
    const paintCross = () => {
      if (!backdrop.width) return;
      const scale = window.devicePixelRatio || 1, ink = canvas.getContext("2d");
      const { left, top, right, bottom } = frame(), [x, y] = place(...code);
      const style = getComputedStyle(root);
      ink.setTransform(1, 0, 0, 1, 0, 0);
      ink.clearRect(0, 0, canvas.width, canvas.height);
      ink.drawImage(backdrop, 0, 0);
      ink.scale(scale, scale);
      for (const [width, paint] of [[3, "--bg"], [1.2, "--fg"]]) {
        ink.strokeStyle = style.getPropertyValue(paint);
        ink.lineWidth = width;
        ink.beginPath();
        ink.moveTo(x, top); ink.lineTo(x, y - 9); ink.moveTo(x, y + 9); ink.lineTo(x, bottom);
        ink.moveTo(left, y); ink.lineTo(x - 9, y); ink.moveTo(x + 9, y); ink.lineTo(right, y);
        ink.moveTo(x + 9, y); ink.arc(x, y, 9, 0, 7);
        ink.stroke();
      }
    };
    const nearest = () => {
      let best = 0, least = Infinity;
      for (let i = 0; i < labels.length; i++) {
        const d = Math.hypot(codes[2 * i] - code[0], codes[2 * i + 1] - code[1]);
        if (d < least) [best, least] = [i, d];
      }
      return `nearest code: ${data.names[labels[best]]}, ${shown(least)} away`;
    };
    const choose = (x, y) => {
      code = [Math.min(Math.max(x, low[0]), high[0]), Math.min(Math.max(y, low[1]), high[1])];
      root.dataset.code = code.join(" ");
      const pixels = new ImageData(data.width, data.height);
      decode(code).forEach((value, i) => {
        pixels.data.fill(Math.round(255 * Math.min(Math.max(value, 0), 1)), 4 * i, 4 * i + 3);
        pixels.data[4 * i + 3] = 255;
      });
      image.getContext("2d").putImageData(pixels, 0, 0);
      text.textContent = `code (${shown(code[0])}, ${shown(code[1])})\n${nearest()}`;
      clearTimeout(timer);  // a screen reader hears where the point comes to rest
      timer = setTimeout(() => { live.textContent = text.textContent; }, 300);
      paintCross();
    };

    const follow = (event) => {
      const box = canvas.getBoundingClientRect(), { left, top, right, bottom } = frame();
      choose(low[0] + range[0] * (event.clientX - box.left - left) / (right - left),
        low[1] + range[1] * (bottom - event.clientY + box.top) / (bottom - top));
    };
    map.addEventListener("pointerdown", (event) => {
      map.setPointerCapture(event.pointerId);
      follow(event);
    });
    map.addEventListener("pointermove", follow);
    map.addEventListener("keydown", (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
      if (event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.key === "Home") choose(...data.start);
      else if (event.key in move) {
        const [x, y] = move[event.key];
        choose(code[0] + x * step * range[0], code[1] + y * step * range[1]);
      } else return;
      event.preventDefault();
      event.stopPropagation();
    });
    const repaint = () => { paintMap(); paintCross(); };
    data.names.forEach((label, i) => {
      const button = element("button", legend, { type: "button" }, { "aria-pressed": "false" });
      const swatch = element("canvas", button, { width: 24, height: 24 }, { "aria-hidden": "true" });
      mark(swatch.getContext("2d"), i, 12, 12, 8);
      element("span", button, { textContent: label });
      button.addEventListener("click", () => {
        only = only === i ? null : i;
        [...legend.children].forEach((b, j) => b.setAttribute("aria-pressed", only === j));
        repaint();
      });
    });
    choose(...data.start);
    clearTimeout(timer);  // nobody has moved yet
    new ResizeObserver(repaint).observe(map);
    const watcher = new MutationObserver(repaint);
    for (const page of [document.documentElement, document.body])
      watcher.observe(page, { attributeFilter: ["data-theme", "theme", "class", "data-jp-theme-light"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", repaint);
  };
  document.querySelectorAll(`[data-explorer="${name}"]:not([data-ready])`).forEach(start);
}
