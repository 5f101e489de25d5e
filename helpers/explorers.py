"""The latent explorer: a 2-D code space as a map that decodes the point under the pointer.

Its output is one HTML fragment that holds all it needs: the decoder's weights, the codes, and what
`explorers.js` and `explorers.css` beside this file say. It works in a static page, in Colab and in
Jupyter, without a running kernel and without asking any host for anything.
"""

import base64
import hashlib
import html
import io
import json
from functools import partial
from importlib import resources

import keras
import numpy as np
from keras import activations, layers
from matplotlib.image import imsave

MOST_BYTES = 600_000
STILL_SIDE = 10  # the still picture is a grid of so many by so many decoded images

# The activations that the script computes. A layer's activation is recognised by its
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

HERE = resources.files("helpers")
STYLE = HERE.joinpath("explorers.css").read_text(encoding="utf-8")
SCRIPT = HERE.joinpath("explorers.js").read_text(encoding="utf-8")


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
    """Return an array as text, in the form of base64 without slashes: no chance path."""
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
    # Without "<" no text of the data can end the script, or open a comment that swallows its end.
    content = json.dumps(data, separators=(",", ":"), sort_keys=True).replace("<", r"\u003c")
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
{SCRIPT}
latentExplorer("{identity}", {content});
}})();
</script>
</div>
"""
