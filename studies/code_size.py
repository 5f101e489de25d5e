"""Does the lead over PCA melt as the code grows, and what does depth buy by itself?

For `chapters/stacked-autoencoder`. First part: codes of several sizes behind hidden layers of width
100 and of ten times the code; Adam from one rate under a cosine schedule for all of them, so a lead
is a lower bound for what a tuned network would have. Second part: 784-512-30 beside 784-512-256-30
and 784-100-30, with the book's recipe, each with its own rate, tuned by doubling and halving until
both neighbours of the best are worse, with a seed that the results do not use. Everything is
measured on the validation images, PCA too; the test images are not used.

Run it with `python -m studies.code_size`, or `--quick`.
"""

import math
import time

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "codes": [2, 10, 30, 50, 100],
    "widths": {"100": [100, 0], "10 times the code": [0, 10]},
    "rate": 0.002,
    "batch": 128,
    "epochs": 3,
    "depth": {
        "nets": [[100, 30], [512, 30], [512, 256, 30]],
        "first_rate": 0.01,
        "most_rates": 6,
        "batch": 400,
        "epochs": 2,
    },
    "tuning_seed": 100,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "codes": [2, 10],
    "widths": {"10 times the code": [0, 10]},
    "epochs": 1,
    "depth": DEFINITION["depth"] | {"nets": [[32, 16, 8]], "most_rates": 3, "epochs": 1},
    "seeds": [0],
    "images": 2000,
}


def autoencoder(sizes):
    """Return a stacked autoencoder, 784-…-code and back: GELU, linear code, linear output."""
    *widths, code = sizes
    return keras.Sequential(
        [
            keras.Input((784,)),
            *[layers.Dense(width, "gelu") for width in widths],
            layers.Dense(code),
            *[layers.Dense(width, "gelu") for width in reversed(widths)],
            layers.Dense(784),
        ]
    )


def by_width(definition, x, valid, pca_mse):
    """Train every code behind every width; yield a row for each seed."""
    for name, (fixed, factor) in definition["widths"].items():
        for code in definition["codes"]:
            width = fixed + factor * code
            for seed in definition["seeds"]:
                keras.utils.clear_session()
                keras.utils.set_random_seed(seed)
                model = autoencoder([width, code])
                steps = math.ceil(len(x) / definition["batch"]) * definition["epochs"]
                rate = keras.optimizers.schedules.CosineDecay(definition["rate"], steps)
                model.compile(loss="mse", optimizer=keras.optimizers.Adam(rate))
                options = {"epochs": definition["epochs"], "batch_size": definition["batch"]}
                history = fit(model, x, validation_data=valid, verbose=False, **options).history
                ratios = [round(mse / pca_mse[code], 4) for mse in history["val_loss"]]
                row = {"part": "width", "arm": name, "width": width, "code": code, "seed": seed}
                yield row | {"val_mse": history["val_loss"][-1], "ratio_by_epoch": ratios}


def train_deep(sizes, x, valid, how, *, rate, seed):
    """Train with the book's recipe from one rate; return the model and its validation MSE."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = autoencoder(sizes)
    options = {"epochs": how["epochs"], "batch_size": how["batch"], "learning_rate": rate}
    history = fit(model, x, validation_data=valid, verbose=False, **options).history
    return model, history["val_loss"][-1]


def by_depth(definition, x, valid):
    """Tune each depth's rate, then train it with every seed; yield a row for each seed."""
    how = definition["depth"]
    for sizes in how["nets"]:
        tried, best = {}, how["first_rate"]
        while len(tried) < how["most_rates"]:
            for rate in (best / 2, best, best * 2):
                if rate not in tried:
                    seed = definition["tuning_seed"]
                    tried[rate] = train_deep(sizes, x, valid, how, rate=rate, seed=seed)[1]
            if best == min(tried, key=tried.get):
                break
            best = min(tried, key=tried.get)
        inside = min(tried) < best < max(tried)
        tuning = {f"{rate:g}": mse for rate, mse in sorted(tried.items())}
        for seed in definition["seeds"]:
            model, mse = train_deep(sizes, x, valid, how, rate=best, seed=seed)
            row = {"part": "depth", "sizes": sizes, "rate": best, "inside": inside, "seed": seed}
            row |= {"parameters": model.count_params(), "val_mse": mse}
            yield row | {"val_mse_by_rate": tuning}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    pca = PCA(max(definition["codes"]), svd_solver="covariance_eigh").fit(x)
    pca_mse = {}
    for k in definition["codes"]:
        axes = pca.components_[:k]
        drawn = (valid - pca.mean_) @ axes.T @ axes + pca.mean_
        pca_mse[k] = float(np.square(valid - drawn).mean())
    rows = []
    for found in (by_depth(definition, x, valid), by_width(definition, x, valid, pca_mse)):
        for row in found:
            rows.append(row)
            print(row, flush=True)
    path = write_result(
        "code_size",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        pca_mse={str(k): mse for k, mse in pca_mse.items()},
    )
    print(path)


if __name__ == "__main__":
    main()
