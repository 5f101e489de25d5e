"""How near does each tuned optimiser bring the linear autoencoder to PCA? Fashion-MNIST, 30 codes.

For `chapters/linear-autoencoder`. The network is 784-30-784 without activations. Opponents: plain
gradient descent, with momentum, Adam and Muon, with a constant rate or a cosine schedule, on the
images as they are or on centred ones. Budget: five epochs in batches of 128 for
everybody. Each opponent's rate is tuned with a seed that the results do not use, on the validation
images: doubled or halved from a first guess until both neighbours are worse, so that the best rate
lies inside the rates that were tried. The results are those of three other seeds, on validation and
on test images; the test images are used for nothing else.

Run it with `python -m studies.linear`, or `--quick`.
"""

import math
import time

import keras
import numpy as np
from keras import layers
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "code": 30,
    "epochs": 5,
    "batch": 128,
    # optimiser, whether the images are centred, schedule, the first rate to try
    "opponents": [
        ["SGD", False, "constant", 2.0],
        ["SGD", True, "constant", 16.0],
        ["SGD", True, "cosine", 16.0],
        ["momentum", False, "constant", 0.25],
        ["momentum", True, "constant", 2.0],
        ["momentum", True, "cosine", 2.0],
        ["Adam", False, "constant", 0.001],
        ["Adam", False, "cosine", 0.004],
        ["Adam", True, "cosine", 0.004],
        ["Muon", False, "cosine", 0.01],
        ["Muon", True, "cosine", 0.01],
    ],
    "most_rates": 12,
    "tuning_seed": 100,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "epochs": 1,
    "opponents": [["SGD", True, "cosine", 8.0]],
    "most_rates": 3,
    "seeds": [0],
    "images": 2000,
}


def optimizer_of(name, rate):
    """Return an optimiser by its name in the definition."""
    if name == "momentum":
        return keras.optimizers.SGD(rate, momentum=0.9)
    # Keras' Muon: a model with the book's own gets the cosine schedule from `fit` in any case.
    return getattr(keras.optimizers, name)(rate)


class Data:
    """The images, centred or not, and PCA with its errors."""

    def __init__(self, definition):
        images = load_images()
        limit = definition["images"]
        self.name = images.name
        self.splits = {
            name: a.reshape(-1, 784)[:limit]
            for name, a in (
                ("train", images.x_train),
                ("valid", images.x_valid),
                ("test", images.x_test),
            )
        }
        self.pca = PCA(definition["code"], svd_solver="covariance_eigh").fit(self.splits["train"])
        drawn = {
            name: self.pca.inverse_transform(self.pca.transform(x))
            for name, x in self.splits.items()
        }
        self.pca_mse = {name: self.error(name, drawn[name]) for name in drawn}
        self.clipped_mse = {name: self.error(name, np.clip(drawn[name], 0, 1)) for name in drawn}

    def error(self, name, drawn):
        """Return the mean squared error per pixel of these drawings of a split's images."""
        return float(np.square(drawn - self.splits[name]).mean(dtype=np.float64))


def train(opponent, rate, seed, definition, data):
    """Train one network; return its gaps to PCA in per cent, its curve and its angles."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    shift = data.pca.mean_ if opponent["centred"] else 0
    x, valid, test = (data.splits[name] - shift for name in ("train", "valid", "test"))
    model = keras.Sequential(
        [keras.Input((784,)), layers.Dense(definition["code"]), layers.Dense(784)]
    )
    epochs, batch = definition["epochs"], definition["batch"]
    steps = math.ceil(len(x) / batch) * epochs
    cosine = opponent["schedule"] == "cosine"
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps) if cosine else rate
    model.compile(loss="mse", optimizer=optimizer_of(opponent["optimizer"], schedule))
    options = {"epochs": epochs, "batch_size": batch, "verbose": False}
    history = fit(model, x, validation_data=valid, **options).history["val_loss"]
    gaps = [100 * (mse / data.pca_mse["valid"] - 1) for mse in history]
    if not np.isfinite(gaps[-1]):
        return {"gap": None}
    mse = model.evaluate(test, test, batch_size=1000, verbose=0)
    decoder = model.layers[1].kernel.numpy()
    angles = np.sort(np.degrees(subspace_angles(decoder.T, data.pca.components_.T)))
    return {
        "gap": round(gaps[-1], 4),
        "gap_on_test": round(100 * (mse / data.pca_mse["test"] - 1), 4),
        "gaps_by_epoch": [round(gap, 4) for gap in gaps],
        "angles": [round(float(angle), 2) for angle in angles],
    }


def tune(opponent, first, definition, data):
    """Double and halve the rate until both neighbours of the best are worse; return all tried."""
    tried = {}

    def gap(rate):
        if rate not in tried:
            found = train(opponent, rate, definition["tuning_seed"], definition, data)["gap"]
            tried[rate] = math.inf if found is None else found
        return tried[rate]

    best = first
    while len(tried) < definition["most_rates"]:
        nearest = min((best / 2, best, best * 2), key=gap)
        if nearest == best:
            break
        best = nearest
    return best, dict(sorted(tried.items()))


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    data = Data(definition)
    rows = []
    for optimizer, centred, schedule, first in definition["opponents"]:
        opponent = {"optimizer": optimizer, "centred": centred, "schedule": schedule}
        rate, tried = tune(opponent, first, definition, data)
        inside = min(tried) < rate < max(tried)
        gaps = {f"{r:g}": None if math.isinf(g) else g for r, g in tried.items()}
        rows.append(opponent | {"part": "tuning", "gap_by_rate": gaps, "inside": inside})
        print(rows[-1], flush=True)
        for seed in definition["seeds"]:
            row = opponent | {"part": "result", "rate": rate, "seed": seed}
            rows.append(row | train(opponent, rate, seed, definition, data))
            print(rows[-1], flush=True)
    path = write_result(
        "linear",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=data.name,
        pca_mse=data.pca_mse,
        pca_clipped_mse=data.clipped_mse,
    )
    print(path)


if __name__ == "__main__":
    main()
