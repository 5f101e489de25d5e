"""Controls for tied weights: equal compute counted rightly, and little data with weight decay.

For `chapters/tied-weights`. First part: the tied network of width 100 against the untied one of
width 50 for one epoch; the tied one sees so many images that its arithmetic, Muon's included, is
the untied one's. Second part: few images, repeated until they make half a pass over the full set;
what either network reaches on those images and on new ones, and whether an untied network with
weight decay does what the tie does. The decay is tuned for each network and number of images on
the validation images, with a seed that the results do not use: by steps of a factor of three, from
none upwards; the results of three other seeds are on the test images as well.

Run it with `python -m studies.tied_controls`, or `--quick`.
"""

import math
import time

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

from helpers import DenseTranspose, fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "code": 30,
    "batch": 128,
    "rate": 0.01,
    "few": [500, 2000],
    "pass": 0.5,
    # Decoupled, times the rate of each step; 0.004 is what Keras' Muon does by default.
    "decays": [0, 0.004, 0.1, 0.3, 1, 3, 10, 30],
    "tuning_seed": 100,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {"few": [500], "decays": [0.004], "seeds": [0], "images": 640}


def autoencoder(width, tied, code):
    """Return the chapter's autoencoder, 784-width-code-width-784."""
    first, second = layers.Dense(width, "gelu"), layers.Dense(code)
    if tied:
        mirror = [DenseTranspose(second, "gelu"), DenseTranspose(first)]
    else:
        mirror = [layers.Dense(width, "gelu"), layers.Dense(784)]
    return keras.Sequential([keras.Input((784,)), first, second, *mirror])


def step_flops(width, tied, definition):
    """Return the operations of a training step, the book's Muon included.

    For a matrix with sides m <= n Muon multiplies by the long matrix twice, 4 m² n, and multiplies
    square ones 18 times: four times in every iteration but the last, which needs no next Gram
    matrix, 36 m³.
    """
    shapes = [(784, width), (width, definition["code"])]
    weights = 2 * sum(rows * columns for rows, columns in shapes)
    gradient = definition["batch"] * (6 * weights - 2 * 784 * width)
    muon = sum(4 * min(s) ** 2 * max(s) + 36 * min(s) ** 3 for s in shapes)
    return gradient + (muon if tied else 2 * muon)


def train(x, definition, *, width, tied, decay, seed):
    """Train for one pass over `x`; return the model."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = autoencoder(width, tied, definition["code"])
    steps = math.ceil(len(x) / definition["batch"])
    schedule = keras.optimizers.schedules.CosineDecay(definition["rate"], steps)
    # Keras' own class: to a model with the book's, `fit` would give a new one, decay included.
    optimizer = keras.optimizers.Muon(schedule, weight_decay=decay, adam_weight_decay=decay)
    model.compile(loss="mse", optimizer=optimizer)
    fit(model, x, epochs=1, batch_size=definition["batch"], verbose=False)
    return model


def mse(model, x):
    """Return the mean squared error per pixel of a model on its own input."""
    return round(float(np.square(model.predict(x, batch_size=1000, verbose=0) - x).mean()), 6)


def equal_compute(definition, x, valid):
    """Yield the errors of tied and untied networks that cost the same."""
    rival = step_flops(50, False, definition)
    share = rival / step_flops(100, True, definition)
    for width, tied, part in ((50, False, 1), (100, True, share)):
        for seed in definition["seeds"]:
            images = x[: round(part * len(x))]
            network = {"width": width, "tied": tied, "seed": seed}
            model = train(images, definition, decay=0.004, **network)
            flops = step_flops(width, tied, definition) * len(images) / definition["batch"]
            yield {
                **{"part": "equal compute", **network},
                **{"images": len(images), "gflop": round(flops / 1e9, 2)},
                **{"parameters": model.count_params(), "val_mse": mse(model, valid)},
            }


def pca_errors(small, splits, code):
    """Return PCA's errors, fitted to the few images."""
    pca = PCA(code).fit(small)
    return {
        name: round(float(np.square(pca.inverse_transform(pca.transform(a)) - a).mean()), 6)
        for name, a in splits.items()
    }


def little_data(definition, x, valid, test):
    """Yield the errors on few images and on new ones, over weight decays."""
    for size in definition["few"]:
        small = x[:size]
        repeated = np.resize(small, (int(definition["pass"] * len(x)), 784))
        splits = {"train_mse": small, "val_mse": valid, "test_mse": test}
        name = {"part": "little data", "images": size}
        yield name | {"network": "PCA"} | pca_errors(small, splits, definition["code"])
        for tied in (False, True):
            network = name | {"network": "tied" if tied else "untied"}
            options, tried = {"width": 100, "tied": tied}, {}
            for decay in definition["decays"]:
                seed = definition["tuning_seed"]
                model = train(repeated, definition, decay=decay, seed=seed, **options)
                tried[decay] = mse(model, valid)
            best = min(tried, key=tried.get)
            tuning = {f"{decay:g}": value for decay, value in tried.items()}
            yield network | {"part": "tuning", "decay": best, "val_mse_by_decay": tuning}
            for decay in sorted({0, 0.004, best}):
                for seed in definition["seeds"]:
                    model = train(repeated, definition, decay=decay, seed=seed, **options)
                    errors = {name: mse(model, a) for name, a in splits.items()}
                    row = network | {"decay": decay, "tuned": decay == best, "seed": seed}
                    yield row | errors


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid, test = (
        a.reshape(-1, 784)[: definition["images"]]
        for a in (images.x_train, images.x_valid, images.x_test)
    )
    rows = []
    for found in (equal_compute(definition, x, valid), little_data(definition, x, valid, test)):
        for row in found:
            rows.append(row)
            print(row, flush=True)
    path = write_result(
        "tied_controls",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
    )
    print(path)


if __name__ == "__main__":
    main()
