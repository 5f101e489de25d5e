// The latent explorer: a map of codes that decodes the point which the reader chooses, and a strip of
// images on the line between two pinned points.
function latentExplorer(root, data) {
  const FRAMES = 9;
  const decode = network(data.network);
  const codes = unpack(data.codes, 4), labels = unpack(data.labels, 1);
  const { low, high } = data, range = [high[0] - low[0], high[1] - low[1]];
  // A class has a shape as well as a colour, and similar colours have different shapes.
  const mark = (ink, label, x, y, r) => {
    const shape = (label + (label > 7)) % 4;
    ink.fillStyle = COLOURS[label % COLOURS.length];
    ink.beginPath();
    if (shape === 0) ink.arc(x, y, r, 0, 7);
    else if (shape === 1) ink.rect(x - 0.9 * r, y - 0.9 * r, 1.8 * r, 1.8 * r);
    else if (shape === 2) {
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

  // The page's elements ---------------------------------------------------------------------------
  const panel = element("div", root, { className: "le-panel" },
    { role: "group", "aria-label": data.title });
  element("p", panel, { className: "le-title", textContent: data.title });
  const map = element("div", panel, { className: "le-map", tabIndex: 0 }, {
    role: "application",
    "aria-label": `Map of ${labels.length} codes in ${data.names.length} classes. ` +
      "Arrow keys move the point that is decoded, with Shift in larger steps; Home takes it back; " +
      "the keys A and B pin the ends of the strip below.",
    "data-lm-suppress-shortcuts": "true",
  });
  const canvas = element("canvas", map, {}, { "aria-hidden": "true" });
  const side = element("div", panel, { className: "le-side" });
  const picture = (parent, className, label) => element("canvas", parent,
    { className: `le-pixels ${className}`, width: data.width, height: data.height },
    { role: "img", "aria-label": label });
  const decodedPart = element("div", side), realPart = element("div", side, { hidden: !data.real });
  const image = picture(decodedPart, "le-image", "The decoded image");
  const decodedText = element("p", decodedPart, {}, { "aria-hidden": "true" });
  const real = picture(realPart, "le-real", "The nearest real image");
  const realText = element("p", realPart, {}, { "aria-hidden": "true" });
  const tools = element("div", panel, { className: "le-row le-tools" });
  const toggle = (name) => {
    const button = element("button", tools, { type: "button", textContent: name },
      { "aria-pressed": "true" });
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", button.getAttribute("aria-pressed") !== "true");
      repaint();
    });
    return () => button.getAttribute("aria-pressed") === "true";
  };
  const showImages = toggle("Images"), showDots = toggle("Dots");
  ["A", "B"].forEach((letter, i) => {
    const button = element("button", tools, { type: "button", textContent: `Pin ${letter} here` });
    button.addEventListener("click", () => pin(i, code));
  });
  const strip = element("div", panel, { className: "le-strip" },
    { role: "group", "aria-label": "From A to B" });
  const frames = Array.from({ length: FRAMES }, (_, i) =>
    picture(strip, "le-frame", `Image ${i + 1} of ${FRAMES} from A to B`));
  const changes = Array.from({ length: FRAMES }, (_, i) => (i
    ? picture(strip, "le-change", `What changes from image ${i} to ${i + 1}`)
    : element("span", strip)));
  const stripText = element("p", strip);
  const legend = element("div", panel, { className: "le-legend le-row" },
    { role: "group", "aria-label": "Show one class alone" });
  element("p", panel, { className: "le-hint", textContent:
    "Move over the map, or focus it and use the arrow keys (Shift: larger steps; Home: back). Press and " +
    "drag from A to B, or pin each with a click or its key. On a phone, tap the map first; a tap beside " +
    "it lets go. A class’s button shows it alone." });
  const announce = announcer(panel);

  // The map ---------------------------------------------------------------------------------------
  let code, only = null;
  const pins = data.pins.map((pin) => [...pin]);
  const backdrop = document.createElement("canvas");
  const frame = () => ({ left: 44, top: 6, right: canvas.clientWidth - 6,
    bottom: canvas.clientHeight - 40 });
  const place = ([x, y], { left, top, right, bottom } = frame()) => [
    left + (right - left) * (x - low[0]) / range[0],
    bottom - (bottom - top) * (y - low[1]) / range[1]];
  let grid = null;
  const decodedGrid = () => {
    if (grid) return grid;
    grid = Object.assign(document.createElement("canvas"),
      { width: data.side * data.width, height: data.side * data.height });
    const one = Object.assign(document.createElement("canvas"), { width: data.width, height: data.height });
    for (let row = 0; row < data.side; row++) for (let column = 0; column < data.side; column++) {
      paintGrey(one, decode([low[0] + range[0] * (column + 0.5) / data.side,
        high[1] - range[1] * (row + 0.5) / data.side]));
      grid.getContext("2d").drawImage(one, column * data.width, row * data.height);
    }
    return grid;
  };

  const paintMap = () => {  // all but the cross and the pins, which move
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
      const [x] = place([value, 0]);
      ink.textAlign = "center";
      ink.fillText(label, x, bottom + 11);
      ink.strokeRect(x, top, 0, bottom - top);
    }
    for (const [value, label] of ticks(1)) {
      const [, y] = place([0, value]);
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
    if (showImages()) {
      ink.imageSmoothingEnabled = false;
      ink.drawImage(decodedGrid(), left, top, right - left, bottom - top);
    }
    if (!showDots()) return;
    ink.save();
    ink.beginPath();
    ink.rect(left, top, right - left, bottom - top);
    ink.clip();
    for (let i = 0; i < labels.length; i++) {
      ink.globalAlpha = only === null ? 0.75 : labels[i] === only ? 0.95 : 0.1;
      mark(ink, labels[i], ...place([codes[2 * i], codes[2 * i + 1]]), showImages() ? 1.8 : 2.4);
    }
    ink.restore();
    if (width < 400 || showImages()) return;
    const taken = [];  // names at the classes' medians, moved apart where they would overlap
    ink.font = "600 12px system-ui, sans-serif";
    data.names.forEach((label, i) => {
      if (middles[i][0] === undefined || (only !== null && only !== i)) return;
      const [x, middle] = place(middles[i]), half = ink.measureText(label).width / 2 + 4;
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
  const paintPoints = () => {
    if (!backdrop.width) return;
    const scale = window.devicePixelRatio || 1, ink = canvas.getContext("2d");
    const { left, top, right, bottom } = frame(), [x, y] = place(code);
    const style = getComputedStyle(root);
    const fg = style.getPropertyValue("--fg"), bg = style.getPropertyValue("--bg");
    ink.setTransform(1, 0, 0, 1, 0, 0);
    ink.clearRect(0, 0, canvas.width, canvas.height);
    ink.drawImage(backdrop, 0, 0);
    ink.scale(scale, scale);
    const [a, b] = pins.map((pin) => place(pin));
    for (const [width, paint] of [[3, bg], [1.2, fg]]) {
      ink.strokeStyle = paint;
      ink.lineWidth = width;
      ink.beginPath();
      ink.moveTo(...a); ink.lineTo(...b);
      ink.moveTo(x, top); ink.lineTo(x, y - 9); ink.moveTo(x, y + 9); ink.lineTo(x, bottom);
      ink.moveTo(left, y); ink.lineTo(x - 9, y); ink.moveTo(x + 9, y); ink.lineTo(right, y);
      ink.moveTo(x + 9, y); ink.arc(x, y, 9, 0, 7);
      ink.stroke();
    }
    ink.font = "600 12px system-ui, sans-serif";
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    [a, b].forEach(([u, v], i) => {
      ink.beginPath();
      ink.arc(u, v, 8, 0, 7);
      ink.fillStyle = fg;
      ink.fill();
      ink.strokeStyle = bg;
      ink.stroke();
      ink.fillStyle = bg;
      ink.fillText("AB"[i], u, v + 1);
    });
  };
  const repaint = () => { paintMap(); paintPoints(); };

  // The chosen point and the strip ----------------------------------------------------------------
  let realImages = [];  // filled when the sheet has been read
  const nearest = (point, count) => {  // among the codes that are not hidden
    let best = null, least = Infinity;
    for (let i = 0; i < count; i++) {
      if (only !== null && labels[i] !== only) continue;
      const d = Math.hypot(codes[2 * i] - point[0], codes[2 * i + 1] - point[1]);
      if (d < least) [best, least] = [i, d];
    }
    return [best, least];
  };
  const say = (best, least) => (best === null ? "none" : `${data.names[labels[best]]}, ${shown(least)} away`);
  const choose = (x, y, isTwin = false) => {
    code = [clamp(x, low[0], high[0]), clamp(y, low[1], high[1])];
    root.dataset.code = code.join(" ");
    const values = decode(code), [dot, distance] = nearest(code, labels.length);
    paintGrey(image, values);
    decodedText.textContent = `decoded from (${shown(code[0])}, ${shown(code[1])})\n` +
      `nearest code: ${say(dot, distance)}`;
    const [best, least] = nearest(code, realImages.length);
    realText.textContent = `nearest of ${realImages.length} real images: ${say(best, least)}`;
    if (best !== null) {
      paintGrey(real, realImages[best]);
      realText.textContent += `\nMSE between the two: ${shown(meanSquare(values, realImages[best]), 3)}`;
    } else paintGrey(real, values.map(() => 0));
    paintPoints();
    if (isTwin) return;
    announce(decodedText.textContent + (data.real ? `\n${realText.textContent}` : ""));
    for (const other of root.closest(".explorer-pair")?.querySelectorAll(".explorer") ?? [])
      if (other !== root) other.chooseCodeOf?.(dot);
  };
  root.chooseCodeOf = (i) => { if (i !== null) choose(codes[2 * i], codes[2 * i + 1], true); };

  const paintStrip = () => {
    const [a, b] = pins, steps = [];
    root.dataset.pins = pins.flat().join(" ");
    let before;
    frames.forEach((canvas, i) => {
      const t = i / (FRAMES - 1), now = decode([0, 1].map((axis) => (1 - t) * a[axis] + t * b[axis]));
      paintGrey(canvas, now);
      if (i) {
        paintDifference(changes[i], now.map((value, j) => value - before[j]));
        steps.push(meanSquare(now, before));
      }
      before = now;
    });
    const largest = steps.indexOf(Math.max(...steps));
    const ends = pins.map((pin) => data.names[labels[nearest(pin, labels.length)[0]]] ?? "no code");
    stripText.textContent = `From A (${ends[0]}) to B (${ends[1]}), and below what changes from image to ` +
      "image: orange is brighter, blue is darker. The largest change is that from " +
      `image ${largest + 1} to ${largest + 2}, MSE ${shown(steps[largest], 3)}.`;
  };
  let next = 0;  // the pin that a click moves
  const pin = (i, point) => {
    pins[i] = [...point];
    next = 1 - i;
    paintStrip();
    paintPoints();
    announce(stripText.textContent);
  };

  // Mouse, finger, keyboard -----------------------------------------------------------------------
  const at = (event) => {
    const box = canvas.getBoundingClientRect(), { left, top, right, bottom } = frame();
    return [low[0] + range[0] * clamp((event.clientX - box.left - left) / (right - left), 0, 1),
      low[1] + range[1] * clamp((bottom - event.clientY + box.top) / (bottom - top), 0, 1)];
  };
  let press = null, dragged = false, finger = false;
  map.addEventListener("pointerdown", (event) => {
    finger = event.pointerType === "touch";
    press = [event.clientX, event.clientY, at(event)];
    dragged = false;
    if (finger && !("held" in map.dataset)) return;  // it may be the start of a swipe
    map.setPointerCapture(event.pointerId);
    choose(...at(event));
  });
  map.addEventListener("pointermove", (event) => {
    if (event.pointerType === "touch" && !("held" in map.dataset)) return;
    choose(...at(event));
    if (!press || finger || !(event.buttons & 1)) return;
    dragged ||= Math.hypot(event.clientX - press[0], event.clientY - press[1]) > 5;
    if (dragged) { pin(0, press[2]); pin(1, code); }
  });
  map.addEventListener("pointerup", () => { press = null; });
  map.addEventListener("pointercancel", () => { press = null; });
  map.addEventListener("click", (event) => {
    if (finger) { map.dataset.held = ""; choose(...at(event)); }
    else if (!dragged) pin(next, code);
  });
  document.addEventListener("pointerdown", (event) => {
    if (!map.contains(event.target)) delete map.dataset.held;
  });
  map.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const step = event.shiftKey ? 0.1 : 0.02, pinned = ["a", "b"].indexOf(event.key.toLowerCase());
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] };
    if (event.key === "Home") choose(...data.pins[1]);
    else if (pinned >= 0) pin(pinned, code);
    else if (event.key in move) {
      const [x, y] = move[event.key];
      choose(code[0] + x * step * range[0], code[1] + y * step * range[1]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  });
  data.names.forEach((label, i) => {
    const button = element("button", legend, { type: "button" }, { "aria-pressed": "false" });
    const swatch = element("canvas", button, { width: 24, height: 24 }, { "aria-hidden": "true" });
    mark(swatch.getContext("2d"), i, 12, 12, 8);
    element("span", button, { textContent: label });
    button.addEventListener("click", () => {
      only = only === i ? null : i;
      [...legend.children].forEach((b, j) => b.setAttribute("aria-pressed", only === j));
      choose(...code);
      paintStrip();
      repaint();
    });
  });

  const begin = () => { choose(...data.pins[1], true); paintStrip(); };  // nothing to announce yet
  begin();
  repaintFor(map, repaint);
  if (data.real)
    readSheet(data.real).then((found) => { realImages = found; choose(...code, true); });
}
