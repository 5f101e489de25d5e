"""Tied against untied weights: equal width, equal parameters, equal compute, and processor time.

For `chapters/tied-weights`, whose own runs last one epoch.

Run it with `python -m studies.tied` (about 5 minutes on one core), or `--quick`.
"""

import math
import statistics
import time

import keras
from keras import layers

from helpers import DenseTranspose, fit, load_images
from studies.common import arguments, write_result

RUNS = [
    {"width": 100, "tied": False, "images": 55_000, "epochs": 4},
    {"width": 100, "tied": True, "images": 55_000, "epochs": 4},  # equal width
    # Equal parameters, and so many images that the compute is equal too (see `training_flops`).
    {"width": 200, "tied": True, "images": 42_600, "epochs": 2},
    {"width": 50, "tied": False, "images": 55_000, "epochs": 4},  # the same at half the size
    {"width": 100, "tied": True, "images": 50_300, "epochs": 2},
]
DEFINITION = {"runs": RUNS, "code": 30, "batch_size": 128, "seeds": [0, 1, 2]}
QUICK = {"runs": [run | {"images": 2000} for run in (RUNS[0], RUNS[2])], "seeds": [0]}


class Clock(keras.callbacks.Callback):
    """Notes the processor time of each epoch's training, without the validation.

    Processor time, because unlike the time on the wall it does not count waiting for a core.
    """

    def on_train_begin(self, logs=None):
        """Start with an empty list."""
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        """Start the clock."""
        self.start = time.process_time()

    def on_train_batch_end(self, batch, logs=None):
        """Note the time that has passed at the end of the latest step."""
        self.now = time.process_time() - self.start

    def on_epoch_end(self, epoch, logs=None):
        """Keep the time at the epoch's last step."""
        self.seconds.append(self.now)


def autoencoder(width, tied, code):
    """Return the chapter's autoencoder, 784-width-code-width-784."""
    first, second = layers.Dense(width, "gelu"), layers.Dense(code)
    if tied:
        mirror = [DenseTranspose(second, "gelu"), DenseTranspose(first)]
    else:
        mirror = [layers.Dense(width, "gelu"), layers.Dense(784)]
    return keras.Sequential([keras.Input((784,)), first, second, *mirror])


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = DEFINITION | (QUICK if options.quick else {})
    images = load_images()
    x_train = images.x_train.reshape(-1, 784)
    x_valid = images.x_valid.reshape(-1, 784)
    start = time.perf_counter()
    rows = []
    for seed in definition["seeds"]:  # seeds outside: a slow minute hits every model alike
        for run in definition["runs"]:
            keras.utils.set_random_seed(seed)
            model = autoencoder(run["width"], run["tied"], definition["code"])
            clock = Clock()
            history = fit(
                model,
                x_train[: run["images"]],
                epochs=run["epochs"],
                validation_data=x_valid,
                batch_size=definition["batch_size"],
                callbacks=[clock],
                verbose=False,
            )
            steps = math.ceil(run["images"] / definition["batch_size"])
            seconds = statistics.median(clock.seconds[1:])  # the first epoch compiles the step
            rows.append(
                run
                | {
                    "seed": seed,
                    "parameters": model.count_params(),
                    "valid_mse": history.history["val_loss"],
                    "cpu_ms_per_step": round(1000 * seconds / steps, 3),
                }
            )
            print(rows[-1], flush=True)
    path = write_result(
        "tied",
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
