"""Does a dead code unit stay dead, and is it death that holds the common recipe back?

For `chapters/stacked-autoencoder`. First part: the common recipe (784-100-30-100-784, ReLU, Nadam,
batches of 32); every quarter of an epoch the code units are noted that are zero for all training
images, so that none of them gives the unit a gradient at that moment, although the layer below
still learns. Second part: the same recipe, with other codes only: linear with 30 numbers and with
as many as the ReLU leaves alive, leaky ReLU, and softplus, which is never negative and cannot die.
Nadam's rate is its default for all of them, as in the recipe. Nothing is chosen. Errors are on the
validation images.

Run it with `python -m studies.dead_units`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    # the code's activation, its size, the learning rate (constant), epochs
    "runs": [
        ["relu", 30, 0.001, 6],
        ["linear", 30, 0.001, 3],
        ["linear", 22, 0.001, 3],
        ["leaky_relu", 30, 0.001, 3],
        ["softplus", 30, 0.001, 3],
    ],
    "batch": 32,
    "looks_per_epoch": 4,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "runs": [["relu", 30, 0.001, 1], ["softplus", 30, 0.001, 1]],
    "seeds": [0],
    "images": 3200,
}


class Watch(keras.callbacks.Callback):
    """Notes which code units are zero for every training image, several times an epoch."""

    def __init__(self, x, looks):
        super().__init__()
        self.x, self.looks = x, looks

    def on_train_begin(self, logs=None):
        """Look at the random weights."""
        self.dead = []
        self.look()

    def on_epoch_begin(self, epoch, logs=None):
        """Start counting the epoch's looks."""
        self.taken = 0

    def on_train_batch_end(self, batch, logs=None):
        """Look, if another part of the epoch is over."""
        if (batch + 1) / self.params["steps"] * self.looks >= self.taken + 1 - 1e-6:
            self.taken += 1
            self.look()

    def look(self):
        """Note the dead units."""
        first, code = self.model.layers[:2]
        hidden = np.maximum(self.x @ first.kernel.numpy() + first.bias.numpy(), 0)
        before = hidden @ code.kernel.numpy() + code.bias.numpy()
        self.dead.append(before.max(axis=0) <= 0)


def train(run, seed, definition, x, valid):
    """Train one network; return its error and what became of its code units."""
    activation, size, rate, epochs = run
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((784,)),
            layers.Dense(100, "relu"),
            layers.Dense(size, activation),
            layers.Dense(100, "relu"),
            layers.Dense(784),
        ]
    )
    model.compile(loss="mse", optimizer=keras.optimizers.Nadam(rate))
    watch = Watch(x, definition["looks_per_epoch"])
    callbacks = [watch] if activation == "relu" else []
    options = {"epochs": epochs, "batch_size": definition["batch"], "callbacks": callbacks}
    history = fit(model, x, validation_data=valid, verbose=False, **options).history
    row = {"code": activation, "size": size, "rate": rate, "epochs": epochs, "seed": seed}
    row["val_mse"] = [round(value, 6) for value in history["val_loss"]]
    if watch.model is None:
        return row
    dead = np.array(watch.dead)
    woke = dead[:-1] & ~dead[1:]
    back = [bool((~dead[look:, unit]).any()) for look, unit in np.argwhere(dead)]
    return row | {
        "dead_by_look": dead.sum(axis=1).tolist(),
        "died_by_look": (~dead[:-1] & dead[1:]).sum(axis=1).tolist(),
        "woke_by_look": woke.sum(axis=1).tolist(),
        "units_ever_dead": int(dead.any(axis=0).sum()),
        "units_that_woke": int(woke.any(axis=0).sum()),
        "of_these_dead_at_the_end": int((woke.any(axis=0) & dead[-1]).sum()),
        "looks_followed_by_waking": round(float(np.mean(back)), 4) if back else None,
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
            rows.append(train(run, seed, definition, x, valid))
            print(rows[-1], flush=True)
    path = write_result(
        "dead_units",
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
