"""Draw the book's title picture and its card for links: `python -m tools.draw_title`.

Both show one autoencoder at work and its error beside the baselines' errors: the book in a picture.
They are drawn once and committed (_static/title-*.svg, _static/card.png).
"""

import sys
from pathlib import Path

import keras
import matplotlib as mpl
import numpy as np
from keras import layers
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from sklearn.decomposition import PCA

from helpers import fit, load_images, plots

STATIC = Path(__file__).resolve().parents[1] / "_static"
SHOWN = (0, 1, 19)  # a boot, a pullover and another garment of the test set
CODES = 30


def measure():
    """Return images, codes, reconstructions, and {name: test error}."""
    images = load_images()
    if images.is_fallback:
        sys.exit("The title picture shows Fashion-MNIST, which was not found; see the README.")
    x_train, x_valid, x_test = (
        x.reshape(-1, 784) for x in (images.x_train, images.x_valid, images.x_test)
    )
    keras.utils.set_random_seed(42)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(100, activation="gelu"),
            layers.Dense(CODES, name="code"),
            layers.Dense(100, activation="gelu"),
            layers.Dense(784, activation="sigmoid"),
        ]
    )
    fit(model, x_train, validation_data=x_valid, epochs=3)
    encoder = keras.Model(model.inputs, model.get_layer("code").output)
    pca = PCA(CODES, svd_solver="covariance_eigh").fit(x_train)
    guesses = {
        "mean image": x_train.mean(axis=0),
        f"PCA, {CODES} numbers": pca.inverse_transform(pca.transform(x_test)),
        f"autoencoder, {CODES} numbers": model.predict(x_test, verbose=0),
    }
    errors = {name: float(np.mean((x_test - guess) ** 2)) for name, guess in guesses.items()}
    shown = x_test[list(SHOWN)]
    codes = encoder.predict(shown, verbose=0)
    return shown, codes / codes.std(), model.predict(shown, verbose=0), errors


def draw_examples(figure, place, shown, codes, reconstructions):
    """Draw rows of image, code and reconstruction in the place (left, bottom, right, top)."""
    left, bottom, right, top = place
    grid = figure.add_gridspec(
        len(shown),
        5,
        width_ratios=[1, 0.5, 1.6, 0.5, 1],
        wspace=0.05,
        hspace=0.08,
        left=left,
        bottom=bottom,
        right=right,
        top=top,
    )
    for row, (image, code, copy) in enumerate(zip(shown, codes, reconstructions, strict=True)):
        for column, pixels in ((0, image), (4, copy)):
            axis = figure.add_subplot(grid[row, column])
            axis.imshow(pixels.reshape(28, 28), cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
        axis = figure.add_subplot(grid[row, 2])
        axis.bar(range(CODES), code, 0.75, color=plots.ORANGE)
        axis.axhline(0, color=plots.GREY, linewidth=0.8)
        axis.set(ylim=(-3.2, 3.2))
        axis.axis("off")
        for column, corners in (
            (1, [(0.1, 0), (0.1, 1), (0.95, 0.7), (0.95, 0.3)]),
            (3, [(0.05, 0.3), (0.05, 0.7), (0.9, 1), (0.9, 0)]),
        ):
            axis = figure.add_subplot(grid[row, column])
            axis.add_patch(Polygon(corners, facecolor=plots.BLUE, alpha=0.8, linewidth=0))
            axis.axis("off")
    for column, words in ((0, "784 pixels"), (2, f"{CODES} numbers"), (4, "784 pixels")):
        place = grid[len(shown) - 1, column].get_position(figure)
        middle = (place.x0 + place.x1) / 2
        figure.text(middle, bottom - 0.02, words, ha="center", va="top", fontsize=11)


def draw_errors(figure, place, errors):
    """Draw the errors as labelled bars in the place (left, bottom, right, top)."""
    left, bottom, right, top = place
    axis = figure.add_axes((left, bottom, right - left, top - bottom))
    colors = [plots.GREY, plots.GREY, plots.BLUE]
    axis.barh(range(len(errors)), list(errors.values()), 0.36, color=colors)
    for row, (name, error) in enumerate(errors.items()):
        axis.text(0, row - 0.26, name, va="bottom", fontsize=11)
        axis.text(error, row, f" {error:.3f}", va="center", fontsize=11)
    axis.set(ylim=(len(errors) - 0.7, -0.65), xlim=(0, 1.25 * max(errors.values())))
    axis.axis("off")
    figure.text(left, bottom - 0.02, "squared error per pixel, test images", va="top", fontsize=11)


def main():
    """Measure once, draw both."""
    style = {"figure.constrained_layout.use": False, "svg.hashsalt": "book"}
    mpl.rcParams.update(plots.STYLE | style)
    *pictures, errors = measure()
    print(errors)
    metadata = {"Date": None, "Creator": None}
    figure = Figure(figsize=(4.9, 3))
    draw_examples(figure, (0.01, 0.1, 0.99, 0.99), *pictures)
    figure.savefig(STATIC / "title-network.svg", metadata=metadata)
    figure = Figure(figsize=(3, 3))
    draw_errors(figure, (0.01, 0.1, 0.99, 0.99), errors)
    figure.savefig(STATIC / "title-errors.svg", metadata=metadata)
    # The card for links: 1200 by 630 pixels on the book's dark ground.
    figure = Figure(figsize=(8, 4.2))
    figure.text(0.06, 0.84, "Autoencoders, Measured", fontsize=25, weight="bold", color="#e6ebf0")
    with mpl.rc_context({"text.color": "#a0aab6"}):
        draw_examples(figure, (0.05, 0.14, 0.6, 0.74), *pictures)
        draw_errors(figure, (0.65, 0.14, 0.97, 0.74), errors)
    figure.savefig(STATIC / "card.png", dpi=150, facecolor="#14181e", metadata={"Software": None})


if __name__ == "__main__":
    main()
