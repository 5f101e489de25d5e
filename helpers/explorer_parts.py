"""What the things to move share: their theme, their scripts' tools, and how one becomes HTML.

An explorer is one HTML fragment that holds all it needs: data, script, style, and a still picture
with a sentence for readers without scripts and on paper. It works in a static page, in Colab and in
Jupyter, without a running kernel and without asking any host for anything.

To make one, put `NAME.js` and `NAME.css` beside a room of your own. The script defines one function
`(root, data) => {…}`, which fills `root`; tools such as `element` and `unpack` come from
`explorer_parts.js`, colours such as `var(--fg)` from `explorer_parts.css`. Then return

    Explorer(
        fragment("sheared_code", "shearedCode", data, picture=mosaic(…), alt="…", text="…"),
        digest={"kind": "sheared code", …},
        summary="Sheared code: 60 points",
    )
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
from PIL import Image

HERE = resources.files("helpers")

# The activations that the scripts compute. A layer's activation is recognised by its
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


class Explorer:
    """A thing to move: what notebooks show of it, and its data in numbers.

    Attributes:
        html: str, the self-contained fragment.
        digest: dict, its data in numbers, by which two runs are compared; its "kind" is a str.
        summary: str, what stands for it where no HTML can be shown.
    """

    def __init__(self, html, digest, summary):
        self.html = html
        self.digest = digest
        self.summary = summary

    def __repr__(self):
        return self.summary

    def _repr_html_(self):
        return self.html


def fragment(files, function, data, *, picture, alt, text, kind="", most_bytes=300_000):
    """Return the HTML of an explorer.

    Args:
        files: str, the name of its script and style in `helpers`, without `.js` and `.css`.
        function: str, the script's function `(root, data) => …`.
        data: JSON-able dict, what the function gets.
        picture: array, the still picture: uint8, grey (height, width) or RGBA (height, width, 4).
        alt: str, what the still picture shows.
        text: str, the sentence under it.
        kind: str, a further class of the outermost element.
        most_bytes: int, how large the fragment may be.

    Returns:
        str; its outermost element has the class "explorer".

    Raises:
        ValueError: the fragment would be larger than that.
    """
    # Without "<" no text of the data can end the script, or open a comment that swallows its end.
    content = json.dumps(data, separators=(",", ":"), sort_keys=True).replace("<", r"\u003c")
    identity = hashlib.sha256((function + content).encode()).hexdigest()[:12]
    result = f"""\
<div class="{f"explorer {kind}".strip()}" data-explorer="{identity}">
<style>{text_of("explorer_parts.css")}{text_of(f"{files}.css")}</style>
<div class="le-still">
<img src="data:image/png;base64,{png(picture)}" width="{picture.shape[1]}" \
height="{picture.shape[0]}" loading="lazy" alt="{html.escape(alt)}">
<p>{html.escape(text)}</p>
</div>
<script>
(() => {{
{text_of("explorer_parts.js")}
{text_of(f"{files}.js")}
startExplorers("{identity}", {function}, {content});
}})();
</script>
</div>
"""
    if len(result.encode()) > most_bytes:
        raise ValueError(
            f"The explorer would take {len(result.encode()):,} bytes and {most_bytes:,} are allowed."
        )
    return result


def text_of(name):
    """Return the text of a file beside this one."""
    return HERE.joinpath(name).read_text(encoding="utf-8")


def pack(array, number):
    """Return an array as text: base64 without slashes (no chance path), which `unpack` reads.

    Args:
        array: array of any shape; it is read in C order.
        number: str, the type to store: "u1", "<i2" or "<f4".
    """
    return base64.urlsafe_b64encode(np.ascontiguousarray(array, number).tobytes()).decode()


def to_bytes(images):
    """Return images with values in [0, 1] as whole numbers from 0 to 255, uint8, clipped."""
    return np.round(255 * np.clip(images, 0, 1)).astype("uint8")


def mosaic(images, columns):
    """Lay images (n, height, width) out in rows: an array of their dtype, the rest filled with 0."""
    count, height, width = images.shape
    rows = -(-count // columns)
    full = np.zeros((rows * columns, height, width), images.dtype)
    full[:count] = images
    full = full.reshape(rows, columns, height, width).swapaxes(1, 2)
    return full.reshape(rows * height, columns * width)


def png(picture):
    """Return a picture, uint8, grey (height, width) or RGBA (height, width, 4), as PNG in base64."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, format="PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def sheet(images, columns=10):
    """Return images, uint8 (n, height, width), as one PNG that the script's `readSheet` cuts up.

    The PNG's base64 has no slashes, as that of `pack`. Of smooth images it takes half as much.
    """
    text = png(mosaic(images, columns)).replace("+", "-").replace("/", "_")
    return {
        "png": text,
        "count": len(images),
        "columns": columns,
        "height": images.shape[1],
        "width": images.shape[2],
    }


def significant(value, digits=4):
    """Round to significant digits: numbers in a digest have four."""
    return float(f"{value:.{digits}g}")


def dense_chain(model):
    """Return a model as a list of (kernel, bias, name of the activation).

    Args:
        model: a built Keras model, a plain chain of `Dense` layers; `Activation`, `Dropout`,
            `Flatten` and `Reshape` may stand between them.

    Raises:
        ValueError: it has another layer, an activation that is not in `ACTIVATIONS`, or no layer.
    """
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


def packed_chain(chain, inputs, outputs):
    """Return a chain of layers as JSON-able data, which the script's `network` computes.

    A weight takes two bytes, or four where two would change a pixel by half a grey level.

    Args:
        chain: what `dense_chain` returned.
        inputs: float array (n, inputs), on which the rounded weights are tried.
        outputs: float array (n, outputs), what the model makes of them; compared within [0, 1].

    Raises:
        ValueError: the chain does not compute the outputs.
    """
    for width in (2, 4):
        rounded = [(*_rounded(k, width), *_rounded(b, width), a) for k, b, a in chain]
        computed = np.clip(_forward(rounded, inputs), 0, 1)
        if np.abs(computed - np.clip(outputs, 0, 1)).max() <= 0.5 / 255:
            return {
                "bytes": width,
                "layers": [
                    [*k.shape, a, k_scale, pack(k, k.dtype), b_scale, pack(b, b.dtype)]
                    for k, k_scale, b, b_scale, a in rounded
                ],
            }
    raise ValueError("The decoder is not a plain chain of its layers.")


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
    """Compute with the numbers that the page will hold."""
    for kernel, kernel_scale, bias, bias_scale, activation in chain:
        x = x @ (kernel * np.float32(kernel_scale)) + bias * np.float32(bias_scale)
        x = keras.ops.convert_to_numpy(ACTIVATIONS[activation](x.astype("float32")))
    return x
