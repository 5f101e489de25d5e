"""Optimiser, schedule, rate and batch of the stacked autoencoder, one at a time.

For `chapters/stacked-autoencoder`, whose table changes rate and schedule together, and then
optimiser, rate and batch together. The network is 784-100-30-100-784 (GELU, linear code), every
cell of optimiser x schedule x batch has three epochs and a rate of its own: tuned by steps of a
factor of two until both neighbours of the best are worse, with a seed that the results do not use,
on the validation images. The common recipe (ReLU, ReLU code, constant rate) is tuned the same way.
The results are those of three other seeds, on validation and on test images; the latter are used
for nothing else.

Run it with `python -m studies.recipe`, or `--quick`.
"""

import math
import time

import keras
from keras import layers

from helpers import fit, load_images
from studies.common import arguments, write_result

GELU, RELU = ["gelu", None], ["relu", "relu"]
DEFINITION = {
    # activations, optimiser, schedule, batch, the first rate to try
    "arms": [
        [GELU, "Nadam", "constant", 32, 0.001],
        [GELU, "Nadam", "cosine", 32, 0.002],
        [GELU, "Nadam", "constant", 128, 0.002],
        [GELU, "Nadam", "cosine", 128, 0.004],
        [GELU, "Adam", "cosine", 128, 0.004],
        [GELU, "Muon", "constant", 128, 0.0025],
        [GELU, "Muon", "cosine", 128, 0.01],
        [GELU, "Muon", "cosine", 32, 0.005],
        [RELU, "Nadam", "constant", 32, 0.001],
    ],
    "epochs": 3,
    "most_rates": 7,
    "tuning_seed": 100,
    "seeds": [42, 43, 44],
    "images": None,
}
QUICK = DEFINITION | {
    "arms": DEFINITION["arms"][-2:],
    "epochs": 1,
    "most_rates": 3,
    "seeds": [42],
    "images": 320,
}


def train(arm, rate, seed, definition, splits):
    """Train one network; return its MSE on validation and on test images."""
    (hidden, code), optimizer, schedule, batch, _ = arm
    x, valid, test = splits
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(100, hidden),
            layers.Dense(30, code),
            layers.Dense(100, hidden),
            layers.Dense(784),
        ]
    )
    epochs = definition["epochs"]
    if schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, math.ceil(len(x) / batch) * epochs)
    # Keras' Muon: a model with the book's own gets the cosine schedule from `fit` in any case.
    model.compile(loss="mse", optimizer=getattr(keras.optimizers, optimizer)(rate))
    fit(model, x, epochs=epochs, batch_size=batch, verbose=False)
    return [model.evaluate(a, a, batch_size=1000, verbose=0) for a in (valid, test)]


def tune(arm, definition, splits):
    """Double and halve the rate until both neighbours of the best are worse; return all tried."""
    tried, best = {}, arm[-1]
    while len(tried) < definition["most_rates"]:
        for rate in (best / 2, best, best * 2):
            if rate not in tried:
                mse = train(arm, rate, definition["tuning_seed"], definition, splits)[0]
                tried[rate] = mse if math.isfinite(mse) else math.inf
        if best == min(tried, key=tried.get):
            break
        best = min(tried, key=tried.get)
    return best, dict(sorted(tried.items()))


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    splits = [
        a.reshape(-1, 784)[: definition["images"]]
        for a in (images.x_train, images.x_valid, images.x_test)
    ]
    rows = []
    for arm in definition["arms"]:
        (hidden, code), optimizer, schedule, batch, _ = arm
        best, tried = tune(arm, definition, splits)
        name = {"hidden": hidden, "code": code or "linear", "optimizer": optimizer}
        name |= {"schedule": schedule, "batch": batch}
        inside = min(tried) < best < max(tried)
        tuning = {f"{r:g}": None if math.isinf(mse) else round(mse, 6) for r, mse in tried.items()}
        rows.append(name | {"part": "tuning", "rate": best, "inside": inside, "mse": tuning})
        print(rows[-1], flush=True)
        for seed in definition["seeds"]:
            valid, test = train(arm, best, seed, definition, splits)
            rows.append(name | {"part": "result", "rate": best, "seed": seed})
            rows[-1] |= {"val_mse": valid, "test_mse": test}
            print(rows[-1], flush=True)
    path = write_result(
        "recipe",
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
