"""The bottleneck slider: the same garments through 2 to 50 numbers, from PCA and from autoencoders.

What it shares with the other things to move stands in `explorer_parts`; what the reader's browser runs
stands in `slider.js` and `slider.css`.
"""

import base64

import numpy as np

from helpers.explorer_parts import Explorer, fragment, mosaic, sheet, significant, to_bytes

STILL_SIZES = (2, 10, 50)


def bottleneck_slider(result, pca):
    """Make a slider for the size of the code; name it last in a cell to show it.

    For the chosen size stand below each other the garments, what PCA makes of them, what the
    autoencoder makes of them, and the errors of both; a dot runs along the curves of the error.

    Args:
        result: dict, the result of the study `bottleneck`, as `read_result` returns it. From it come
            the garments, the autoencoder's pictures (of its first seed) and all errors.
        pca: a fitted scikit-learn `PCA` of images with 784 pixels, with as many components as the
            longest code has numbers. From it come PCA's pictures.

    Returns:
        An `Explorer`, which notebooks show.

    Raises:
        ValueError: the PCA has too few components.
    """
    sizes = result["definition"]["codes"]
    if len(pca.components_) < max(sizes):
        raise ValueError(f"The PCA needs {max(sizes)} components, not {len(pca.components_)}.")
    garments = _pixels(result["garments"])
    drawn = {"PCA": [], "autoencoder": []}
    for k in sizes:
        axes = pca.components_[:k]
        by_pca = (garments / 255 - pca.mean_) @ axes.T @ axes + pca.mean_
        drawn["PCA"].append(to_bytes(by_pca))
        drawn["autoencoder"].append(_pixels(result["drawn"][str(k)]))
    errors = [
        [row["val_mse"] for row in result["rows"] if row["code"] == k] for k in sizes
    ]  # one list a size, one number a seed
    pca_errors = [result["pca_mse"][str(k)] for k in sizes]

    images = np.concatenate([garments, *drawn["PCA"], *drawn["autoencoder"]])
    data = {
        "sizes": sizes,
        "names": result["names"],
        "network": " – ".join(map(str, [784, *result["definition"]["widths"], "k"])),
        "images": sheet(images.reshape(-1, 28, 28)),
        "errors": [[significant(value) for value in seeds] for seeds in errors],
        "pcaErrors": [significant(value) for value in pca_errors],
    }
    shown = [k for k in STILL_SIZES if k in sizes] or sizes[:1]
    rows = [garments]
    for k in shown:
        rows += [drawn[name][sizes.index(k)] for name in drawn]
    listed = "; ".join(
        f"{k} numbers, PCA {pca_errors[i]:.4f}, autoencoder {np.mean(errors[i]):.4f}"
        for i, k in enumerate(sizes)
        if k in shown
    )
    digest = {
        "kind": "bottleneck slider",
        "sizes": sizes,
        "errors": data["errors"],
        "errors of PCA": data["pcaErrors"],
        "means of PCA's pictures": [significant(a.mean() / 255) for a in drawn["PCA"]],
        "means of the autoencoder's pictures": [
            significant(a.mean() / 255) for a in drawn["autoencoder"]
        ],
    }
    html = fragment(
        "slider",
        "bottleneckSlider",
        data,
        kind="bottleneck-slider",
        picture=mosaic(np.concatenate(rows).reshape(-1, 28, 28), len(garments)),
        alt=f"{len(garments)} garments in rows: the originals, then what PCA and the autoencoder make "
        f"of them through {', '.join(map(str, shown))} numbers. The more numbers, the sharper both.",
        text=f"The originals, then in pairs of rows PCA and the autoencoder. Validation MSE: {listed}. "
        "With scripts switched on, a slider goes through all sizes.",
    )
    return Explorer(
        html, digest, f"Bottleneck slider: codes of {min(sizes)} to {max(sizes)} numbers"
    )


def _pixels(text):
    """Read images that a study has packed as bytes: uint8 (n, 784)."""
    return np.frombuffer(base64.urlsafe_b64decode(text), "uint8").reshape(-1, 784)
