"""Is Adam's epsilon what keeps the deep sigmoid network on its plateau? Epsilon x rate x batch.

For `chapters/greedy-training`. The network is the chapter's, 784-256-192-128-96-64-30 and back,
sigmoids, linear code, Glorot's weights, trained jointly with Adam. Every run sees the same number
of images (`epochs` passes over the training images), under a cosine schedule unless it says
"constant"; the validation error is kept for every epoch, because a network can leave the plateau
and fall back. Nothing is chosen: every run is shown, and measured on the validation images.

Run it with `python -m studies.epsilon`, or `--quick`.
"""

import math
import time

import keras
import numpy as np
from keras import layers

from helpers import fit, load_images
from studies.common import arguments, write_result

SIZES = [784, 256, 192, 128, 96, 64, 30]
KERAS, TINY = 1e-7, 1e-15
RUNS = [
    # As the book's other runs, batches of 256; the rate that is best with a tiny epsilon is inside.
    *[{"epsilon": KERAS, "rate": rate, "batch": 256} for rate in (0.001, 0.003)],
    *[{"epsilon": TINY, "rate": rate, "batch": 256} for rate in (0.0001, 0.0003, 0.001, 0.003)],
    # In between: 1e-8 is the default of PyTorch and of the paper (Kingma & Ba 2015).
    *[{"epsilon": epsilon, "rate": 0.001, "batch": 256} for epsilon in (1e-8, 1e-10)],
    # Four times as many steps for the same images.
    {"epsilon": KERAS, "rate": 0.001, "batch": 64},
    *[{"epsilon": TINY, "rate": rate, "batch": 64} for rate in (0.0003, 0.001)],
    # Is it the schedule?
    {"epsilon": TINY, "rate": 0.001, "batch": 256, "schedule": "constant"},
]
DEFINITION = {
    "sizes": SIZES,
    "epochs": 6,
    "runs": RUNS,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {"epochs": 1, "runs": RUNS[:1] + RUNS[-1:], "seeds": [0], "images": 2000}


def autoencoder():
    """Return the chapter's deep network, with random weights."""
    hidden = ["sigmoid"] * (len(SIZES) - 2)
    activations = [*hidden, "linear", *hidden, "sigmoid"]
    widths = [*SIZES[1:], *SIZES[-2::-1]]
    chain = [layers.Dense(n, f) for n, f in zip(widths, activations, strict=True)]
    return keras.Sequential([keras.Input((784,)), *chain])


def train(run, seed, definition, x, valid):
    """Train one network; return its curves and errors."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model, rate, epochs = autoencoder(), run["rate"], definition["epochs"]
    if run.get("schedule") != "constant":
        steps = math.ceil(len(x) / run["batch"]) * epochs
        rate = keras.optimizers.schedules.CosineDecay(rate, steps)
    model.compile(loss="mse", optimizer=keras.optimizers.Adam(rate, epsilon=run["epsilon"]))
    options = {"epochs": epochs, "batch_size": run["batch"]}
    history = fit(model, x, validation_data=valid, verbose=False, **options).history
    output = model.predict(valid, batch_size=1000, verbose=0)
    return {
        "val_mse": history["val_loss"][-1],
        "val_curve": [round(value, 5) for value in history["val_loss"]],
        "spread_of_output": float(output.std(axis=0).mean() / valid.std(axis=0).mean()),
    }


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    rows = []
    for run in definition["runs"]:
        for seed in definition["seeds"]:
            rows.append(run | {"seed": seed} | train(run, seed, definition, x, valid))
            print(run, seed, rows[-1]["val_curve"], flush=True)
    path = write_result(
        "epsilon",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        mean_image=float(np.mean((valid - x.mean(axis=0)) ** 2)),
    )
    print(path)


if __name__ == "__main__":
    main()
