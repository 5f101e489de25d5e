"""The latent explorer: a 2-D code space as a map that decodes the point under the pointer.

Its output is one HTML fragment that holds all it needs: the decoder's weights, the codes and a
few hundred lines of plain JavaScript. It works in a static page, in Colab and in Jupyter, without
a running kernel and without asking any host for anything.
"""

import base64
import hashlib
import html
import io
import json
from functools import partial

import keras
import numpy as np
from keras import activations, layers
from matplotlib.image import imsave

MOST_BYTES = 600_000
STILL_SIDE = 10  # the still picture is a grid of so many by so many decoded images

# The activations that the script below computes. A layer's activation is recognised by its
# values, not by its name, so a lambda or a partial works as well.
ACTIVATIONS = {
    "linear": activations.linear,
    "relu": activations.relu,
    "leaky_relu": activations.leaky_relu,
    "elu": activations.elu,
    "selu": activations.selu,
    "gelu": partial(activations.gelu, approximate=False),
    "gelu_tanh": partial(activations.gelu, approximate=True),
    "silu": activations.silu,
    "softplus": activations.softplus,
    "sigmoid": activations.sigmoid,
    "tanh": activations.tanh,
}

# Light by default; dark where the page says so (the book, Colab, JupyterLab, VS Code), or else
# where the system does. Both are set here, so the text is legible whatever the page inherits.
STYLE = """
.latent-explorer{--fg:#1f2328;--bg:#fff;--line:#7b8087;--soft:#eef0f3;color:var(--fg);
background:var(--bg);border:1px solid var(--line);border-radius:6px;padding:12px;max-width:720px;
box-sizing:border-box;font:14px/1.45 system-ui,sans-serif;color-scheme:light}
DARK{--fg:#e4e7eb;--bg:#14181e;--soft:#272d36;color-scheme:dark}
@media(prefers-color-scheme:dark){html:not([data-theme=light],[theme=light])
body:not([data-jp-theme-light=true],.vscode-light) .latent-explorer{--fg:#e4e7eb;--bg:#14181e;
--soft:#272d36;color-scheme:dark}}
.text_html:has(>.latent-explorer){background:none!important;padding:0!important}
.latent-explorer [hidden]{display:none!important}
.latent-explorer p{margin:6px 0 0;color:var(--fg)}
.latent-explorer img{background:none!important;padding:0!important;max-width:100%}
.le-panel{display:grid;grid-template-columns:minmax(0,1fr) 196px;gap:12px}
.le-map{aspect-ratio:1.25;max-height:440px;width:100%;touch-action:none;cursor:crosshair;
user-select:none;-webkit-user-select:none;position:relative;border-radius:3px}
.le-map canvas{position:absolute;inset:0;width:100%;height:100%}
.le-map:focus-visible,.le-legend button:focus-visible{outline:3px solid #3a81d6;outline-offset:2px}
.le-image{width:100%;image-rendering:pixelated;background:#000;display:block;border-radius:3px}
.le-legend{grid-column:1/-1;display:flex;flex-wrap:wrap;gap:4px 6px}
.le-legend button{display:inline-flex;align-items:center;gap:5px;min-height:28px;padding:2px 8px;
font:inherit;color:var(--fg);background:var(--bg);border:1px solid transparent;border-radius:4px;
cursor:pointer}
.le-legend button:hover{background:var(--soft)}
.le-legend button[aria-pressed=true]{border-color:var(--fg);background:var(--soft)}
.le-legend canvas{width:12px;height:12px}
.le-hint{grid-column:1/-1;font-size:13px}
.le-live{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.le-side{position:relative;white-space:pre-line;font-variant-numeric:tabular-nums}
@media(max-width:560px){.le-panel{grid-template-columns:minmax(0,1fr)}
.le-side{display:grid;grid-template-columns:128px minmax(0,1fr);gap:12px;align-items:center}}
""".replace(
    "DARK",
    ",".join(
        f"{page} .latent-explorer"
        for page in (
            "html[data-theme=dark]",
            "html[theme=dark]",
            "body[data-jp-theme-light=false]",
            "body.vscode-dark",
        )
    ),
)

# Runs with `data` and `name` in scope. It finds its place by name rather than by position, since
# Jupyter runs the scripts of an output apart from it.
SCRIPT = r"""
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
"""


def latent_explorer(
    decoder, codes, labels, class_names, *, image_shape=(28, 28), points=2000, axes=None
):
    """Make an interactive map of a 2-D code space; name it last in a cell to show it.

    Moving the pointer over the map, dragging, a finger or the arrow keys choose a code, and the
    browser decodes it at once.

    Args:
        decoder: a built Keras model from codes (n, 2) to images, a plain chain of `Dense` layers
            (`Activation`, `Dropout`, `Flatten` and `Reshape` may stand between them).
        codes: float array (n, 2), the codes to draw; the first `points` of them are.
        labels: int array (n,), their classes.
        class_names: sequence of str.
        image_shape: (height, width) of a decoded image, whose values are shown from 0 (black)
            to 1 (white).
        points: int, how many codes to draw at most.
        axes: two str, what the horizontal and the vertical axis show; by default
            "code unit 1" and "code unit 2".

    Returns:
        A `LatentExplorer`, which notebooks show.

    Raises:
        ValueError: the decoder is not a chain of such layers or not from 2 numbers to an image,
            or the fragment would exceed 600 kB.
    """
    codes = np.asarray(codes, "float32")[:points]
    labels = np.asarray(labels)[:points].astype("uint8")
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ValueError(
            f"The codes must have shape (n, 2), with a label each: {codes.shape}, {labels.shape}."
        )
    chain = _chain(decoder)
    height, width = image_shape
    sizes = [chain[0][0].shape[0], *(kernel.shape[1] for kernel, _, _ in chain)]
    if sizes[0] != 2 or sizes[-1] != height * width:
        raise ValueError(
            f"The decoder must go from 2 numbers to {height}×{width} pixels, not {sizes}."
        )

    # The frame leaves out the few codes that lie far from all others.
    low, high = np.percentile(codes, [0.2, 99.8], axis=0)
    margin = 0.06 * (high - low) + 1e-6
    low, high = low - margin, high + margin
    steps = (np.arange(STILL_SIDE) + 0.5) / STILL_SIDE
    grid = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)
    grid = (low + grid * (high - low)).astype("float32")
    decoded = np.reshape(decoder.predict(grid, verbose=0), (-1, height, width))

    # Two bytes a weight halve the page; four where a pixel would show the difference.
    exact = np.clip(decoded, 0, 1).reshape(len(grid), -1)
    for bytes_each in (2, 4):
        rounded = [(*_rounded(k, bytes_each), *_rounded(b, bytes_each), a) for k, b, a in chain]
        if np.abs(np.clip(_forward(rounded, grid), 0, 1) - exact).max() <= 0.5 / 255:
            break
    else:
        raise ValueError("The decoder is not a plain chain of its layers.")

    names = [str(name) for name in class_names]
    data = {
        "layers": [
            [*k.shape, a, k_scale, _pack(k, k.dtype), b_scale, _pack(b, b.dtype)]
            for k, k_scale, b, b_scale, a in rounded
        ],
        "bytes": bytes_each,
        "codes": _pack(codes, "<f4"),
        "labels": _pack(labels, "u1"),
        "names": names,
        "axes": list(axes or ("code unit 1", "code unit 2")),
        "low": [_round(v, 6) for v in low],
        "high": [_round(v, 6) for v in high],
        "start": [_round(v, 6) for v in np.median(codes, axis=0)],
        "height": height,
        "width": width,
    }
    digest = {
        "kind": "latent explorer",
        "layer sizes": sizes,
        "activations": [activation for _, _, activation in chain],
        "codes": len(codes),
        "codes of each class": {name: int((labels == i).sum()) for i, name in enumerate(names)},
        "low": [_round(v) for v in low],
        "high": [_round(v) for v in high],
        "means of decoded images": [
            _round(decoded[i].mean()) for i in range(0, len(decoded), STILL_SIDE + 1)
        ],
    }
    fragment = _fragment(data, _still(decoded))
    if len(fragment.encode()) > MOST_BYTES:
        raise ValueError(
            f"The explorer would take {len(fragment.encode()):,} bytes and {MOST_BYTES:,} are "
            f"allowed: use a smaller decoder than {'-'.join(map(str, sizes))}."
        )
    return LatentExplorer(fragment, digest)


class LatentExplorer:
    """The output of `latent_explorer`.

    Attributes:
        html: str, the self-contained fragment.
        digest: dict, its data in numbers, by which two runs are compared.
    """

    def __init__(self, html, digest):
        self.html = html
        self.digest = digest

    def __repr__(self):
        sizes = "-".join(map(str, self.digest["layer sizes"]))
        return f"Latent explorer: decoder {sizes}, {self.digest['codes']} codes"

    def _repr_html_(self):
        return self.html


def _chain(model):
    """Return the decoder as a list of (kernel, bias, name of the activation)."""
    chain = []
    for layer in _leaves(model):
        if isinstance(layer, (layers.InputLayer, layers.Dropout, layers.Flatten, layers.Reshape)):
            continue
        if type(layer) is layers.Dense:
            kernel, *bias = layer.get_weights()
            bias = bias[0] if bias else np.zeros(kernel.shape[1], "float32")
            chain.append((kernel, bias, _activation(layer)))
        elif type(layer) is layers.Activation and chain and chain[-1][2] == "linear":
            chain[-1] = (*chain[-1][:2], _activation(layer))
        else:
            raise ValueError(
                f"The explorer computes Dense layers only; “{layer.name}” is a "
                f"{type(layer).__name__}."
            )
    if not chain:
        raise ValueError("The decoder has no Dense layer.")
    return chain


def _leaves(model):
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _leaves(layer)
        else:
            yield layer


def _activation(layer):
    probe = np.linspace(-9, 9, 181, dtype="float32").reshape(1, -1)
    values = keras.ops.convert_to_numpy(layer.activation(probe))
    for name, function in ACTIVATIONS.items():
        if np.allclose(values, keras.ops.convert_to_numpy(function(probe)), rtol=0, atol=1e-6):
            return name
    name = getattr(layer.activation, "__name__", str(layer.activation))
    raise ValueError(
        f"The explorer does not know the activation “{name}” of the layer “{layer.name}”; "
        f"it knows {', '.join(ACTIVATIONS)}."
    )


def _rounded(array, width):
    """Return whole numbers of two bytes and their scale, or the array and 1.0 for four bytes."""
    if width == 4:
        return array.astype("<f4"), 1.0
    scale = float(np.abs(array).max() / 32767) or 1.0
    return np.round(array / scale).astype("<i2"), scale


def _forward(chain, x):
    """Decode with the numbers that the page will hold."""
    for kernel, kernel_scale, bias, bias_scale, activation in chain:
        x = x @ (kernel * np.float32(kernel_scale)) + bias * np.float32(bias_scale)
        x = keras.ops.convert_to_numpy(ACTIVATIONS[activation](x.astype("float32")))
    return x


def _pack(array, number):
    """Return an array as text, in the form of base64 without slashes: no chance path, no "</"."""
    return base64.urlsafe_b64encode(np.ascontiguousarray(array, number).tobytes()).decode()


def _round(value, digits=4):
    """Round to significant digits."""
    return float(f"{value:.{digits}g}")


def _still(decoded):
    """Return the grid of decoded images as a PNG, for readers without scripts."""
    side, (height, width) = STILL_SIDE, decoded.shape[1:]
    mosaic = decoded.reshape(side, side, height, width).swapaxes(1, 2)
    mosaic = mosaic.reshape(side * height, side * width)
    file = io.BytesIO()
    # Without Matplotlib's version in it, the file depends on the pixels only.
    imsave(file, mosaic, vmin=0, vmax=1, cmap="gray", format="png", metadata={"Software": None})
    return base64.b64encode(file.getvalue()).decode()


def _fragment(data, still):
    content = json.dumps(data, separators=(",", ":"), sort_keys=True).replace("</", "<\\/")
    identity = hashlib.sha256(content.encode()).hexdigest()[:12]
    horizontal, vertical = (html.escape(axis) for axis in data["axes"])
    return f"""\
<div class="latent-explorer" data-explorer="{identity}">
<style>{STYLE}</style>
<div class="le-still">
<img src="data:image/png;base64,{still}" width="420" height="420" loading="lazy" alt="A grid of {STILL_SIDE} by {STILL_SIDE} images, decoded from codes at regular steps: left to right along {horizontal}, bottom to top along {vertical}.">
<p>Images decoded at regular steps along {horizontal} (left to right) and {vertical} (bottom to top). With scripts switched on, this is a map on which you choose the code yourself.</p>
</div>
<script>
(() => {{
const data = {content};
const name = "{identity}";
{SCRIPT}
}})();
</script>
</div>
"""
