"""The latent explorer: a 2-D code space as a map that decodes the point under the pointer.

What it shares with the other things to move stands in `explorer_parts`; what the reader's browser runs
stands in `explorers.js` and `explorers.css`.
"""

import numpy as np

from helpers.explorer_parts import (
    Explorer,
    dense_chain,
    fragment,
    mosaic,
    pack,
    packed_chain,
    sheet,
    significant,
    to_bytes,
)

MOST_BYTES = 600_000
MOST_IMAGES = 300  # so many real images take a third of that
LEVELS = 31  # their grey values are rounded to so many steps, which keeps an MSE within 0.0001
GRID_SIDE = 10  # the map's background has so many by so many decoded images


def latent_explorer(
    decoder,
    codes,
    labels,
    class_names,
    *,
    images=None,
    image_shape=(28, 28),
    points=2000,
    axes=None,
    walk=None,
    title="Latent explorer",
):
    """Make an interactive map of a 2-D code space; name it last in a cell to show it.

    The map's background is what the decoder makes of a grid of codes. Moving the pointer over it, a
    finger after a tap, or the arrow keys choose a code, and the browser decodes it at once. Between
    two pinned codes, A and B, stands a strip of nine decoded images.

    Args:
        decoder: a built Keras model from codes (n, 2) to images, a plain chain of `Dense` layers
            (`Activation`, `Dropout`, `Flatten` and `Reshape` may stand between them).
        codes: float array (n, 2), the codes to draw; the first `points` of them are.
        labels: int array (n,), their classes.
        class_names: sequence of str.
        images: array (n, height, width) or (n, pixels), values in [0, 1], the images that the codes
            belong to. The nearest one of the first 300 is shown beside the decoded image.
        image_shape: (height, width) of a decoded image, whose values are shown from 0 (black)
            to 1 (white).
        points: int, how many codes to draw at most.
        axes: two str, what the horizontal and the vertical axis show; by default
            "code unit 1" and "code unit 2".
        walk: two class names; A and B start at the most central code of each, and the chosen point
            at B. By default the second and the last class: Fashion-MNIST's trousers and ankle boots.
        title: str, its name for a screen reader; also shown, if two stand `side_by_side`.

    Returns:
        An `Explorer`, which notebooks show.

    Raises:
        ValueError: the decoder is not a chain of such layers or not from 2 numbers to an image,
            an array has another shape, or the fragment would exceed 600 kB.
    """
    codes = np.asarray(codes, "float32")[:points]
    labels = np.asarray(labels)[:points].astype("uint8")
    if codes.ndim != 2 or codes.shape[1] != 2 or len(codes) != len(labels):
        raise ValueError(
            f"The codes must have shape (n, 2), with a label each: {codes.shape}, {labels.shape}."
        )
    chain = dense_chain(decoder)
    height, width = image_shape
    sizes = [chain[0][0].shape[0], *(kernel.shape[1] for kernel, _, _ in chain)]
    if sizes[0] != 2 or sizes[-1] != height * width:
        raise ValueError(
            f"The decoder must go from 2 numbers to {height}×{width} pixels, not {sizes}."
        )
    names = [str(name) for name in class_names]
    walk = [str(name) for name in walk or (names[min(1, len(names) - 1)], names[-1])]

    # The frame leaves out the few codes that lie far from all others.
    low, high = np.percentile(codes, [0.2, 99.8], axis=0)
    margin = 0.06 * (high - low) + 1e-6
    low, high = low - margin, high + margin
    steps = (np.arange(GRID_SIDE) + 0.5) / GRID_SIDE
    grid = np.stack(np.meshgrid(steps, steps[::-1]), axis=-1).reshape(-1, 2)
    grid = (low + grid * (high - low)).astype("float32")
    decoded = np.reshape(decoder.predict(grid, verbose=0), (-1, height, width))

    pins = [_central(codes, labels == names.index(name), high - low) for name in walk]
    horizontal, vertical = axes or ("code unit 1", "code unit 2")
    data = {
        "network": packed_chain(chain, grid, decoded.reshape(len(grid), -1)),
        "codes": pack(codes, "<f4"),
        "labels": pack(labels, "u1"),
        "names": names,
        "axes": [horizontal, vertical],
        "low": [significant(v, 6) for v in low],
        "high": [significant(v, 6) for v in high],
        "pins": [[significant(v, 6) for v in pin] for pin in pins],
        "side": GRID_SIDE,
        "height": height,
        "width": width,
        "title": title,
        "real": None if images is None else sheet(_few(images, len(codes), image_shape)),
    }
    digest = {
        "kind": "latent explorer",
        "layer sizes": sizes,
        "activations": [activation for _, _, activation in chain],
        "codes": len(codes),
        "codes of each class": {name: int((labels == i).sum()) for i, name in enumerate(names)},
        "real images": data["real"]["count"] if data["real"] else 0,
        "walk": walk,
        "low": [significant(v) for v in low],
        "high": [significant(v) for v in high],
        "means of decoded images": [
            significant(decoded[i].mean()) for i in range(0, len(decoded), GRID_SIDE + 1)
        ],
    }
    shown = fragment(
        "explorers",
        "latentExplorer",
        data,
        kind="latent-explorer",
        picture=mosaic(to_bytes(decoded), GRID_SIDE),
        alt=f"{title}: a grid of {GRID_SIDE} by {GRID_SIDE} images, decoded from codes at regular "
        f"steps: left to right along {horizontal}, bottom to top along {vertical}.",
        text=f"{title}: images decoded at regular steps along {horizontal} (left to right) and {vertical} "
        "(bottom to top). With scripts switched on, this is a map on which you choose the code.",
        most_bytes=MOST_BYTES,
    )
    summary = f"{title}: decoder {'-'.join(map(str, sizes))}, {len(codes)} codes"
    return Explorer(shown, digest, summary)


def side_by_side(first, second):
    """Show two latent explorers of the same images beside each other, or below on a narrow page.

    Where both have drawn the codes of the same images in the same order, a point chosen on one map
    chooses on the other the code of the image that lies nearest to it.

    Args:
        first: an `Explorer` from `latent_explorer`; give it a `title`.
        second: another one.

    Returns:
        An `Explorer`.

    Raises:
        ValueError: they have not drawn as many codes of every class.
    """
    key = "codes of each class"
    if first.digest[key] != second.digest[key]:
        raise ValueError("The two explorers do not show the codes of the same images.")
    return Explorer(
        f'<div class="explorer-pair">\n{first.html}{second.html}</div>\n',
        {"kind": "latent explorers", "first": first.digest, "second": second.digest},
        f"{first.summary}; {second.summary}",
    )


def _central(codes, chosen, size):
    """Return the code nearest to the median of the chosen ones; of all, if none is chosen."""
    codes = codes[chosen] if chosen.any() else codes
    distances = np.square((codes - np.median(codes, axis=0)) / size).sum(axis=1)
    return codes[distances.argmin()]


def _few(images, codes, image_shape):
    """Return the first images, uint8, with fewer grey values."""
    images = np.reshape(images, (-1, *image_shape))
    if len(images) < codes:
        raise ValueError(f"There are {codes} codes, but {len(images)} images.")
    images = images[: min(codes, MOST_IMAGES)]
    return to_bytes(np.round(LEVELS * np.clip(images, 0, 1)) / LEVELS)
