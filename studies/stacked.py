"""What each change to the common recipe buys, over seeds; behind the chapter on stacked autoencoders.

`python -m studies.stacked` trains for about nine minutes on one core and writes
`studies/results/stacked.json`; `--quick` runs every line on a few images.
"""

import math
import time

import keras
import numpy as np
from keras import layers
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from helpers import fit, load_images
from studies import common

NAME = "stacked"
DEFINITION = {
    # recipe: hidden activation, code activation, optimiser, learning rate, cosine?, batch size
    "recipes": {
        "common recipe": ["relu", "relu", "Nadam", 0.001, False, 32],
        "+ linear code": ["relu", "linear", "Nadam", 0.001, False, 32],
        "+ GELU": ["gelu", "linear", "Nadam", 0.001, False, 32],
        "+ cosine schedule from 0.003": ["gelu", "linear", "Nadam", 0.003, True, 32],
        "+ Muon, batches of 128": ["gelu", "linear", "Muon", 0.01, True, 128],
        "schedule from the default 0.001": ["gelu", "linear", "Nadam", 0.001, True, 32],
        "Muon without the schedule": ["gelu", "linear", "Muon", 0.01, False, 128],
    },
    "seeds": [42, 43, 44],
    "epochs": 3,
    "long": {"common recipe": [42], "+ Muon, batches of 128": [42]},
    "long_epochs": 20,
    "points": 2000,  # for t-SNE and the neighbours
    "images": None,  # all of them
}
BOOK = "+ Muon, batches of 128"  # what `fit` does by itself
QUICK = {
    "recipes": {name: DEFINITION["recipes"][name] for name in ("common recipe", BOOK)},
    "seeds": [42],
    "epochs": 1,
    "long": {"common recipe": [42]},
    "long_epochs": 1,
    "points": 300,
    "images": 640,
}


def build(hidden, code):
    """Return the stacked autoencoder 784-100-30-100-784 with these activations."""
    return keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(100, activation=hidden),
            layers.Dense(30, activation=code, name="code"),
            layers.Dense(100, activation=hidden),
            layers.Dense(784),
        ]
    )


def train(recipe, seed, epochs, x, valid):
    """Train one recipe and return the model and its validation MSE."""
    hidden, code, optimizer, rate, cosine, batch_size = recipe
    keras.utils.set_random_seed(seed)
    model = build(hidden, code)
    if cosine:
        steps = math.ceil(len(x) / batch_size) * epochs
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(loss="mse", optimizer=getattr(keras.optimizers, optimizer)(rate))
    history = fit(
        model, x, validation_data=valid, epochs=epochs, batch_size=batch_size, verbose=False
    )
    return model, history.history["val_loss"][-1]


def encode(model, images):
    """Return the codes of these images."""
    return keras.Model(model.inputs, model.get_layer("code").output).predict(images, verbose=0)


def dead_units(model, images):
    """Count the code units that are zero for every one of these images."""
    return int((encode(model, images) == 0).all(axis=0).sum())


def errors(model, images):
    """Return the mean squared error of each image."""
    return np.square(model.predict(images, verbose=0) - images).mean(axis=1)


def neighbour_accuracy(points, labels):
    """Return the accuracy of 10 nearest neighbours, in ten folds."""
    return float(cross_val_score(KNeighborsClassifier(10), points, labels, cv=10).mean())


def digits_as_images():
    """Return scikit-learn's digits as 28×28 images in [0, 1], 2 dark pixels around 24×24."""
    small = load_digits().images.astype("float32") / 16
    return np.pad(small.repeat(3, axis=1).repeat(3, axis=2), ((0, 0), (2, 2), (2, 2)))


def run(definition):
    """Run the study and return its rows."""
    images = load_images()
    x, valid, test = (
        a[: definition["images"]].reshape(-1, 784)
        for a in (images.x_train, images.x_valid, images.x_test)
    )
    subset = valid[: definition["points"]]
    labels = images.y_valid[: len(subset)]
    digits = digits_as_images().reshape(-1, 784)
    strange = np.r_[np.zeros(len(test)), np.ones(len(digits))]
    pca = PCA(30, random_state=0).fit(x)

    def residuals(images):
        return np.square(pca.inverse_transform(pca.transform(images)) - images).mean(axis=1)

    rows = []

    def add(**row):
        rows.append(row)
        print(row, flush=True)

    def add_neighbours(space, seed, points):
        map_ = TSNE(init="random", random_state=seed).fit_transform(points)
        before, after = (neighbour_accuracy(p, labels) for p in (points, map_))
        add(part="neighbours", space=space, seed=seed, before=before, after=after)

    auroc = roc_auc_score(strange, np.r_[residuals(test), residuals(digits)])
    add(part="anomalies", model="PCA-30", auroc=float(auroc))
    for seed in definition["seeds"]:
        add_neighbours("pixels", seed, subset)
        add_neighbours("PCA-30", seed, pca.transform(subset))
    for name, recipe in definition["recipes"].items():
        for seed in definition["seeds"]:
            epochs = definition["epochs"]
            model, mse = train(recipe, seed, epochs, x, valid)
            dead = dead_units(model, valid)
            add(part="recipes", recipe=name, epochs=epochs, seed=seed, mse=mse, dead=dead)
            if name == BOOK:
                add_neighbours("codes", seed, encode(model, subset))
                auroc = roc_auc_score(strange, np.r_[errors(model, test), errors(model, digits)])
                add(part="anomalies", model="autoencoder", seed=seed, auroc=float(auroc))
    for name, seeds in definition["long"].items():
        for seed in seeds:
            epochs = definition["long_epochs"]
            model, mse = train(definition["recipes"][name], seed, epochs, x, valid)
            dead = dead_units(model, valid)
            add(part="recipes", recipe=name, epochs=epochs, seed=seed, mse=mse, dead=dead)
    return rows


def main(argv=None):
    """Run the study and write its result; return the file's path."""
    options = common.arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    rows = run(definition)
    seconds = time.perf_counter() - start
    return common.write_result(
        NAME, definition, rows, seconds, folder=options.out, quick=options.quick
    )


if __name__ == "__main__":
    main()
