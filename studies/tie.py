"""Does an untied autoencoder find the tie by itself? Encoder against decoder, unit by unit.

For `chapters/tied-weights`. Only with one hidden layer do encoder unit j and decoder unit j belong
together; so the networks here are 784-100-784 (GELU) and 784-30-784 (linear), untied. Measured: the
cosine between what a unit listens for (its encoder column) and what it paints (its decoder row),
against two nulls, other units of the same network and units of another seed's; how much of either
matrix is still its random start; and the same under an L2 penalty on both matrices (Kunin et al.
2019 prove that it makes a linear decoder the transpose of its encoder) and under Muon's own weight
decay, which Keras sets to 0.004 if nobody says otherwise. A last part matches the units of the
chapter's 784-100-30-100-784, whose pairing is arbitrary, by the Hungarian method.

Nothing is chosen: every setting is reported. The errors are on the validation images.
Run it with `python -m studies.tie`, or `--quick`.
"""

import math
import time

import keras
import numpy as np
from keras import layers
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA

from helpers import fit, load_images
from studies.common import arguments, write_result

NETWORKS = {"gelu": [100], "linear": [30], "chapter": [100, 30, 100]}
RUNS = [
    # The penalty on the squared entries, beside the MSE per pixel; Adam with a cosine schedule.
    *[
        {"network": network, "optimizer": "Adam", "rate": 0.003, "penalty": penalty, "epochs": 10}
        for network in ("gelu", "linear")
        for penalty in (0, 1e-6, 1e-5, 1e-4)
    ],
    # The book's recipe; its weight decay is Keras' default, 0.004, and others.
    *[
        {"network": "gelu", "optimizer": "Muon", "rate": 0.01, "decay": decay, "epochs": 3}
        for decay in (0, 0.004, 0.1, 1)
    ],
    {"network": "linear", "optimizer": "Muon", "rate": 0.01, "decay": 0.004, "epochs": 3},
    {"network": "chapter", "optimizer": "Muon", "rate": 0.01, "decay": 0.004, "epochs": 1},
]
DEFINITION = {"networks": NETWORKS, "runs": RUNS, "batch": 128, "seeds": [0, 1, 2], "images": None}
QUICK = DEFINITION | {
    "runs": [run | {"epochs": 1} for run in (RUNS[1], RUNS[-1])],
    "seeds": [0, 1],
    "images": 2000,
}


def cosines(listens, paints):
    """Return the cosine of every row of one matrix with every row of the other."""
    first, second = (a / np.linalg.norm(a, axis=1, keepdims=True) for a in (listens, paints))
    return first @ second.T


def outer_kernels(model):
    """Return the outermost matrices, one row a hidden unit: what it listens for, what it paints."""
    return model.layers[0].kernel.numpy().T, model.layers[-1].kernel.numpy()


class Cosines(keras.callbacks.Callback):
    """Keeps the mean cosine of the pairs, epoch by epoch."""

    def on_train_begin(self, logs=None):
        """Start with that of the random weights."""
        self.curve = []
        self.on_epoch_end(-1)

    def on_epoch_end(self, epoch, logs=None):
        """Add the latest."""
        pairs = np.diag(cosines(*outer_kernels(self.model)))
        self.curve.append(round(float(pairs.mean()), 4))


def autoencoder(run, widths):
    """Return the untied network of a run, with random weights."""
    hidden = "gelu" if len(widths) == 1 and run["network"] == "gelu" else None
    activations = ["gelu", None, "gelu"] if len(widths) == 3 else [hidden]
    penalty = keras.regularizers.L2(run["penalty"]) if run.get("penalty") else None
    chain = [
        layers.Dense(width, activation, kernel_regularizer=penalty)
        for width, activation in zip([*widths, 784], [*activations, None], strict=True)
    ]
    return keras.Sequential([keras.Input((784,)), *chain])


def matched(table):
    """Return the mean absolute cosine of the best one-to-one pairing."""
    return float(np.abs(table)[linear_sum_assignment(np.abs(table), maximize=True)].mean())


def measure(start, kernels, others, axes):
    """Compare a trained network's outer matrices with each other and with what they were.

    Args:
        start: the pair of matrices (units, 784) before training.
        kernels: the same after it.
        others: the same of a network trained from another seed.
        axes: array (100, 784), the principal directions that hold most of the images' variance.

    Returns:
        A dict of floats.
    """
    table, crossed = cosines(*kernels), cosines(kernels[0], others[1])
    off = ~np.eye(len(table), dtype=bool)
    found = {
        "pairs": table.diagonal().mean(),
        "pairs_absolute": np.abs(table.diagonal()).mean(),
        "null_other_units": np.abs(table[off]).mean(),
        "null_other_seed": np.abs(crossed.diagonal()).mean(),
        "own_partner_is_closest": (np.abs(table).argmax(axis=1) == np.arange(len(table))).mean(),
        "matched": matched(table),
        "null_matched_other_seed": matched(crossed),
    }
    for side, before, after in zip(("encoder", "decoder"), start, kernels, strict=True):
        found[f"{side}_with_its_start"] = cosines(before, after).diagonal().mean()
        inside = np.square(after @ axes.T).sum() / np.square(after).sum()
        found[f"{side}_outside_pca_100"] = 1 - inside
    return {key: round(float(value), 4) for key, value in found.items()}


def train(run, seed, definition, x, valid):
    """Train one network; return its outer matrices before and after, its error and curve."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = autoencoder(run, definition["networks"][run["network"]])
    start = outer_kernels(model)
    steps = math.ceil(len(x) / definition["batch"]) * run["epochs"]
    rate = keras.optimizers.schedules.CosineDecay(run["rate"], steps)
    if run["optimizer"] == "Muon":
        options = {"weight_decay": run["decay"], "adam_weight_decay": run["decay"]}
        # Keras' own class: to a model with the book's, `fit` would give a new one, decay included.
        optimizer = keras.optimizers.Muon(rate, **options)
    else:
        optimizer = keras.optimizers.Adam(rate)
    model.compile(loss="mse", optimizer=optimizer)
    watch = Cosines()
    fit(
        model,
        x,
        epochs=run["epochs"],
        batch_size=definition["batch"],
        callbacks=[watch],
        verbose=False,
    )
    mse = float(np.square(model.predict(valid, batch_size=1000, verbose=0) - valid).mean())
    return start, outer_kernels(model), {"val_mse": mse, "pairs_by_epoch": watch.curve}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    begin = time.perf_counter()
    images = load_images()
    x, valid = (
        a.reshape(-1, 784)[: definition["images"]] for a in (images.x_train, images.x_valid)
    )
    axes = PCA(100, svd_solver="covariance_eigh").fit(x).components_
    rows, seeds = [], definition["seeds"]
    for run in definition["runs"]:
        trained = [train(run, seed, definition, x, valid) for seed in seeds]
        for i, seed in enumerate(seeds):
            start, kernels, found = trained[i]
            others = trained[(i + 1) % len(seeds)][1]
            rows.append(run | {"seed": seed} | found | measure(start, kernels, others, axes))
        print(rows[-1], flush=True)
    path = write_result(
        "tie",
        definition,
        rows,
        time.perf_counter() - begin,
        folder=options.out,
        quick=options.quick,
        data=images.name,
    )
    print(path)


if __name__ == "__main__":
    main()
