"""What weight, sum and batch do to the KL recipe for sparse codes, each at a rate of its own.

For `chapters/sparse-autoencoder`. The recipe is that of `studies.sparse`: 784-100-300-100-784 with
sigmoid units in the code, a target mean of 0.1 for each, Adam under a cosine schedule, `epochs`
epochs. An arm is a weight, a batch, and whether the sum over units is divided by the batch, as some
libraries do. Its rate is tuned by doubling and halving until both neighbours of the best are worse,
by the recipe's own loss on the validation images `tuned_on`, with a seed that the results do not
use. Results are on the validation images `measured_on`.

Run it with `python -m studies.sparse_kl`, or `--quick`.
"""

import time
from types import SimpleNamespace

import keras
import numpy as np
from keras import layers

from helpers import fit, load_images
from studies import sparse
from studies.common import STUDIES, arguments, code_hash, code_reached, shared_files, write_result

BORROWED = {"KL", "compiled", "mse", "tuned_rate"}
DEFINITION = {
    "target": 0.1,
    "epochs": 3,
    # Weight, batch, divided by the batch?
    "arms": [
        [0.0, 128, False],
        [0.0005, 128, False],
        [0.005, 128, False],
        [0.05, 128, False],
        [0.005, 32, False],
        [0.005, 512, False],
        [0.005, 32, True],
        [0.005, 128, True],
        [0.005, 512, True],
    ],
    "first_rate": 0.004,
    "tuned_on": [3000, 5000],
    "measured_on": [0, 3000],
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "sparse.py", *shared_files()])),
}
QUICK = DEFINITION | {
    "epochs": 1,
    "arms": [[0.005, 128, True]],
    "tuned_on": [300, 500],
    "measured_on": [0, 300],
    "seeds": [0],
    "images": 1000,
}


def train(how, x, arm, *, rate, seed):
    """Train the recipe; return its encoder and the whole network."""
    weight, batch, divided = arm
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    penalty = sparse.KL(weight / batch if divided else weight, how["target"], "sum")
    code = [layers.Dense(100, "relu"), layers.Dense(300, "sigmoid"), penalty]
    encoder = keras.Sequential([keras.Input((784,)), *code])
    model = keras.Sequential([encoder, layers.Dense(100, "relu"), layers.Dense(784)])
    task = SimpleNamespace(x=x, definition={"batch": batch})
    sparse.compiled(model, task, rate, how["epochs"])
    fit(model, x, epochs=how["epochs"], batch_size=batch, verbose=False)
    return encoder, model


def measure(how, encoder, model, x):
    """Return what became of the activations, and the divergence from the target."""
    activations = encoder.predict(x, batch_size=1000, verbose=0)
    p, q = how["target"], np.clip(activations.mean(axis=0, dtype=float), 1e-6, 1 - 1e-6)
    divergence = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    return {
        "mse": sparse.mse(x, model.predict(x, batch_size=1000, verbose=0)),
        "mean": float(activations.mean()),
        "below_0.01": float((activations < 0.01).mean()),
        "divergence": float(divergence.sum()),
    }


def race(how, x, valid):
    """Tune and measure each arm; yield its rows."""
    tuning, measured = (valid[slice(*how[part])] for part in ("tuned_on", "measured_on"))
    for arm in how["arms"]:
        weight, batch, divided = arm

        def loss(rate, arm=arm, weight=weight / batch if divided else weight):
            found = measure(how, *train(how, x, arm, rate=rate, seed=how["tuning_seed"]), tuning)
            return found["mse"] + weight * found["divergence"]

        rate, tried = sparse.tuned_rate(how["first_rate"], loss)
        for seed in how["seeds"]:
            found = measure(how, *train(how, x, arm, rate=rate, seed=seed), measured)
            row = {"weight": weight, "batch": batch, "divided": divided, "rate": rate}
            yield row | {"loss_by_rate": tried, "seed": seed, **found}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    how = QUICK if options.quick else DEFINITION
    start, rows = time.perf_counter(), []
    images, part = load_images(), slice(how["images"])
    x, valid = (a.reshape(-1, 784)[part] for a in (images.x_train, images.x_valid))
    for row in race(how, x, valid):
        rows.append(row)
        print(f"{time.perf_counter() - start:.0f} s", row, flush=True)
    path = write_result(
        "sparse_kl",
        how,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
    )
    print(path)


if __name__ == "__main__":
    main()
