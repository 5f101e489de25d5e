"""The book's pictures: one function per kind of picture, each returning the Matplotlib figure.

The figures are made without pyplot, so a notebook shows one by naming it last in a cell, once.
Every colour of text has a contrast of at least 4.5:1 on white and on black, the pages' backgrounds,
and every colour of dots 3:1; the figures' own are transparent, so one file serves light and dark pages.
"""

import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator

BLUE, ORANGE, GREEN, PURPLE, RED, GREY = (
    "#3577c5",
    "#ac6410",
    "#108662",
    "#975dbb",
    "#c94a4f",
    "#71767c",
)
# For the dots of ten classes; explorer_parts.js has the same.
CLASS_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, RED, GREY, "#1b95ad", "#8d8a14", "#d4579f", "#a5714a")
# One meaning a colour, in every figure and in everything that moves. Grey needs no training: it is what
# the others are held against. Red has failed. What shares a colour in a figure has its name beside it.
COLOUR_OF = {
    **dict.fromkeys(("PCA", "real data", "mean image", "floor"), GREY),
    **dict.fromkeys(("autoencoder", "untied", "pretrained", "validation"), BLUE),
    **dict.fromkeys(("joint", "tied", "random weights", "GAN", "test"), ORANGE),
    **dict.fromkeys(("greedy", "fine-tuned", "diffusion"), GREEN),
    **dict.fromkeys(("deeper", "variational"), PURPLE),
    **dict.fromkeys(("failed", "dead", "common recipe"), RED),
}
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)))
WIDTH = 7.0  # inches; the width of the book's text column

STYLE = {
    "axes.edgecolor": GREY,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": GREY,
    "axes.prop_cycle": cycler(color=[BLUE, ORANGE, GREEN, PURPLE, RED])
    + cycler(linestyle=LINE_STYLES),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 12,
    "figure.constrained_layout.use": True,
    "figure.dpi": 180,
    "figure.facecolor": "none",
    "figure.figsize": (WIDTH, 3.2),
    "font.size": 12,  # at 390 px a figure shrinks to half: smaller type could not be read
    "grid.alpha": 0.25,
    "grid.color": GREY,
    "image.cmap": "gray",
    "image.interpolation": "nearest",
    "legend.fontsize": 11,
    "legend.frameon": False,
    "legend.labelcolor": GREY,
    "lines.linewidth": 1.8,
    "savefig.facecolor": "none",
    "text.color": GREY,
    "xtick.color": GREY,
    "xtick.labelsize": 11,
    "ytick.color": GREY,
    "ytick.labelsize": 11,
}


def plot_images(rows, *, titles=(), row_labels=(), columns=10, limits=(0, 1), cmap="gray"):
    """Show images in a grid, one row per entry of `rows`.

    Args:
        rows: list of arrays (n, 28, 28), or one such array (it is then cut into rows).
        titles: one string per column, above the first row.
        row_labels: one string per row, at its left.
        columns: int, images per row.
        limits: (low, high), the values drawn as black and white.
        cmap: a Matplotlib colour map.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    if isinstance(rows, np.ndarray):
        rows = [rows[i : i + columns] for i in range(0, len(rows), columns)]
    if not any(len(row) for row in rows):
        raise ValueError("There are no images to show.")
    for row in rows:
        if np.ndim(row) != 3:
            raise ValueError(
                f"A row takes images of shape (n, height, width), not {np.shape(row)}."
            )
    columns = min(columns, max(len(row) for row in rows))
    size = WIDTH / (columns + (1 if row_labels else 0))
    figure = Figure(figsize=(WIDTH, size * len(rows) + (0.25 if titles else 0)))
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for axis in axes.flat:
        axis.set(xticks=[], yticks=[])
        axis.grid(False)
        axis.spines[:].set_visible(False)
    for i, row in enumerate(rows):
        for axis, image in zip(axes[i], row, strict=False):
            axis.imshow(image, vmin=limits[0], vmax=limits[1], cmap=cmap)
        if row_labels:
            axes[i, 0].set_ylabel(row_labels[i], rotation=0, ha="right", va="center")
    for axis, title in zip(axes[0], titles, strict=False):
        axis.set_title(title, fontsize=11)
    return figure


def plot_reconstructions(images, reconstructions, *, count=10):
    """Show originals above their reconstructions.

    Args:
        images: array (n, 28, 28) or (n, 784), values in [0, 1].
        reconstructions: a dict from a label to such an array, or one such array.
        count: int, how many to show.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    if not isinstance(reconstructions, dict):
        reconstructions = {"reconstruction": reconstructions}
    rows = {"original": images} | reconstructions
    for label, row in rows.items():
        if np.shape(row)[1:] not in {(28, 28), (784,)}:
            raise ValueError(
                f"The images of {label!r} must have shape (n, 28, 28) or (n, 784), "
                f"not {np.shape(row)}."
            )
    return plot_images(
        [np.reshape(row[:count], (-1, 28, 28)) for row in rows.values()],
        row_labels=list(rows),
        columns=count,
    )


def plot_history(histories, *, baselines=None, metric="val_loss", ylabel="validation MSE"):
    """Draw learning curves over epochs, with baselines as horizontal lines.

    Args:
        histories: a Keras `History`, or a dict from a label to one.
        baselines: dict from a label to a number, drawn as labelled grey lines.
        metric: str, the key of the histories to draw.
        ylabel: str, the label of the vertical axis.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    if not isinstance(histories, dict):
        histories = {metric: histories}
    figure = Figure()
    axis = figure.subplots()
    for label, history in histories.items():
        if metric not in history.history:
            raise ValueError(
                f"The history of {label!r} has no {metric!r}; it has: {', '.join(history.history)}."
            )
        values = history.history[metric]
        axis.plot(range(1, len(values) + 1), values, label=label)
    for label, value in (baselines or {}).items():
        axis.axhline(value, color=GREY, linewidth=1, linestyle="--")
        axis.annotate(
            label, (1, value), xycoords=("axes fraction", "data"), ha="right", va="bottom"
        )
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    axis.set(xlabel="epoch", ylabel=ylabel)
    axis.legend()
    return figure


def plot_codes(codes, labels, class_names, *, title=""):
    """Scatter 2-D codes coloured by class, with the class names at the classes' medians.

    Args:
        codes: array (n, 2).
        labels: int array (n,), from 0 to 9.
        class_names: sequence of str.
        title: str.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    if np.ndim(codes) != 2 or np.shape(codes)[1] != 2:
        raise ValueError(f"The picture takes codes of shape (n, 2), not {np.shape(codes)}.")
    if len(codes) != len(labels):
        raise ValueError(f"There are {len(codes)} codes, but {len(labels)} labels.")
    figure = Figure(figsize=(WIDTH, WIDTH * 0.8))
    axis = figure.subplots()
    axis.scatter(*codes.T, c=np.take(CLASS_COLOURS, labels), s=4, alpha=0.6, linewidths=0)
    for label in np.unique(labels):
        x, y = np.median(codes[labels == label], axis=0)
        axis.text(x, y, class_names[label], ha="center", weight="bold", fontsize=11)
    axis.set(title=title, xticks=[], yticks=[])
    return figure


def draw_network(sizes, *, labels=(), code=None):
    """Draw a fully connected network as a row of bars, one a layer, joined by trapezia.

    Args:
        sizes: list of int, units per layer from input to output.
        labels: one string per layer, above its bar; the sizes stand below.
        code: int, the index of the code layer, which is highlighted; the narrowest by default.

    Returns:
        The `matplotlib.figure.Figure`.
    """
    code = int(np.argmin(sizes)) if code is None else code
    heights = np.log1p(sizes) / np.log1p(max(sizes))
    figure = Figure(figsize=(WIDTH, 2.4))
    axis = figure.subplots()
    for i in range(len(sizes) - 1):
        corners = [
            (i + 0.08, -heights[i] / 2),
            (i + 0.92, -heights[i + 1] / 2),
            (i + 0.92, heights[i + 1] / 2),
            (i + 0.08, heights[i] / 2),
        ]
        axis.add_patch(Polygon(corners, facecolor=GREY, alpha=0.25, linewidth=0))
    for i, (size, height) in enumerate(zip(sizes, heights, strict=True)):
        axis.bar(i, height, 0.16, -height / 2, color=ORANGE if i == code else BLUE)
        axis.text(i, -0.62, str(size), ha="center", va="top")
        if labels:
            axis.text(i, 0.6, labels[i], ha="center", va="bottom")
    axis.set(xlim=(-0.5, len(sizes) - 0.5), ylim=(-0.8, 0.8))
    axis.axis("off")
    return figure
