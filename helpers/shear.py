"""The sheared code: two arrows of a linear decoder to drag, and the codes that follow them.

What it shares with the other things to move stands in `explorer_parts`; what the reader's browser runs
stands in `shear.js` and `shear.css`.
"""

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from helpers.explorer_parts import Explorer, fragment, pack, significant
from helpers.plots import BLUE, GREEN, GREY, ORANGE, PURPLE


def sheared_code(points, plain, penalised):
    """Make a drawing of a linear autoencoder whose decoder can be dragged; name it last in a cell.

    On the left stand the points in their principal plane with the decoder's two rows as arrows, on
    the right the codes: for the arrows as they are, those with the smallest error.

    Args:
        points: float array (n, 3).
        plain: float array (runs, 2, 3), the kernels of trained decoders, one a seed.
        penalised: float array (runs, 2, 3), the same with an L2 penalty.

    Returns:
        An `Explorer`, which notebooks show.

    Raises:
        ValueError: an array has another shape, or a decoder leaves the principal plane.
    """
    points = np.asarray(points, "float64")
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"The points must have shape (n, 3), not {points.shape}.")
    mean = points.mean(axis=0)
    plane = np.linalg.svd(points - mean, full_matrices=False).Vh[:2]
    plane *= np.sign(plane.sum(axis=1, keepdims=True))
    arrows = {}
    for name, kernels in {"plain": plain, "penalised": penalised}.items():
        if np.ndim(kernels) != 3 or np.shape(kernels)[1:] != (2, 3):
            raise ValueError(f"The kernels must have shape (runs, 2, 3), not {np.shape(kernels)}.")
        arrows[name] = kernels @ plane.T
        if np.abs(arrows[name] @ plane - kernels).max() > 0.05:
            raise ValueError("A decoder does not lie in the points' principal plane: train longer.")
    scores = (points - mean) @ plane.T
    pca_mse = np.square(points - mean - scores @ plane).mean()
    data = {
        "points": pack(points, "<f4"),
        "mean": mean.tolist(),
        "plane": plane.tolist(),
        "pcaMse": pca_mse,
        "plain": arrows["plain"].round(4).tolist(),
        "penalised": arrows["penalised"].round(4).tolist(),
    }
    digest = {
        "kind": "sheared code",
        "points": len(points),
        "runs": len(arrows["plain"]),
        "MSE of PCA": significant(pca_mse),
        "plain arrows": [[significant(v) for v in a.ravel()] for a in arrows["plain"][:3]],
        "penalised arrows": [[significant(v) for v in a.ravel()] for a in arrows["penalised"][:3]],
    }
    html = fragment(
        "shear",
        "shearedCode",
        data,
        kind="sheared-code",
        picture=_still(scores, arrows),
        alt=f"Two rows of three plots. Above, {len(points)} points in their plane, always the same, and "
        "three pairs of arrows: two seeds, and one with an L2 penalty, whose arrows are upright on each "
        "other. Below, the codes: the same cloud, turned, stretched and sheared in three ways.",
        text="Above, the points and a decoder’s two arrows; below, the codes that belong to them. The error "
        f"is {pca_mse:.4g} for all three. With scripts switched on, you can drag the arrows.",
    )
    return Explorer(html, digest, f"Sheared code: {len(points)} points, {digest['runs']} runs")


def _still(scores, arrows):
    """Draw three decoders and their codes: uint8 (height, width, 4)."""
    shown = {
        "seed 0": arrows["plain"][0],
        f"seed {1 % len(arrows['plain'])}": arrows["plain"][1 % len(arrows["plain"])],
        "L2 penalty": arrows["penalised"][0],
    }
    colours = LinearSegmentedColormap.from_list("first score", [PURPLE, GREEN])
    figure = Figure(figsize=(6, 4.2), dpi=100, facecolor="none", layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False)
    for (name, pair), (above, below) in zip(shown.items(), axes.T, strict=True):
        for axis, cloud in ((above, scores), (below, scores @ np.linalg.inv(pair))):
            axis.scatter(*cloud.T, c=scores[:, 0], cmap=colours, s=10)
            axis.set(facecolor="none", xticks=[], yticks=[])
            axis.set_aspect("equal", adjustable="datalim")
            axis.spines[:].set_color(GREY)
        for arrow, colour in zip(pair, (BLUE, ORANGE), strict=True):
            above.plot([0, arrow[0]], [0, arrow[1]], color=colour, linewidth=3)
        above.set_title(name, color=GREY, fontsize=11)
    for axis, name in zip(axes[:, 0], ("the points", "their codes"), strict=True):
        axis.set_ylabel(name, color=GREY, fontsize=11)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).copy()
