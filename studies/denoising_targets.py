"""What noisy targets, clipped ones and noise drawn once cost on few images, each at its own rate.

For `chapters/denoising-autoencoder`. The study `denoising_copies` trains all of these with one rate,
tuned for fresh noise on 20,000 images. Here, on 2,000 images seen forty times, every kind of data
has its own rate, tuned in steps of 1.4 on other validation images than it is measured on, against
their clean images, with a noise and a seed that the results do not use. All answers are clipped to
[0, 1].

Run it with `python -m studies.denoising_targets`, or `--quick`.
"""

import time

import numpy as np

from helpers import fit, load_images
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result
from studies.denoising import add_noise, clipped_mse, tune
from studies.denoising_copies import build

BORROWED = {"add_noise", "build", "clipped_mse", "tune"}
LENDERS = [STUDIES / "denoising.py", STUDIES / "denoising_copies.py"]

DEFINITION = {
    "sigma": 0.3,
    "tuned_on": [2000, 2500],  # validation images, from and to
    "measured_on": [0, 1000],
    "images": 2000,
    "epochs": 40,
    "hidden": [256, 256],
    "batch": 512,
    "tuning": {"first": 0.007, "factor": 1.4, "most": 14},  # of rates
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "borrowed": code_hash({}, *code_reached(BORROWED, LENDERS)),
}
QUICK = DEFINITION | {
    "tuned_on": [50, 100],
    "measured_on": [0, 50],
    "images": 200,
    "epochs": 2,
    "hidden": [8],
    "tuning": {"first": 0.1, "factor": 1.4, "most": 3},
    "seeds": [0],
}


def kinds_of_data(clean, sigma, seed):
    """Return what each arm trains on: the noise of its layer, its inputs and its targets."""
    once = add_noise(clean, sigma, 1000 + seed)
    other = add_noise(clean, sigma, 2000 + seed)
    return {
        "clean targets, noise afresh": (sigma, clean, clean),
        "clean targets, noise once": (0, once, clean),
        "noisy targets, noise once": (0, once, other),
        "noisy targets, clipped": (0, once, np.clip(other, 0, 1)),
    }


def train(definition, arm, clean, rate, seed):
    """Train a dense network on an arm's data."""
    level, x, y = kinds_of_data(clean, definition["sigma"], seed)[arm]
    model = build(definition["hidden"], level, seed=seed)
    options = {"epochs": definition["epochs"], "batch_size": definition["batch"]}
    fit(model, x, y, learning_rate=rate, verbose=False, **options)
    return model


def compare(definition, clean, tuning, valid):
    """Tune every arm's rate and train it; yield a row for each seed."""
    sigma, how = definition["sigma"], definition["tuning"]
    for arm in kinds_of_data(clean[:1], sigma, 0):

        def error(rate, seed, images, arm=arm):
            model = train(definition, arm, clean, rate, seed)
            return clipped_mse(images, model.predict(add_noise(images, sigma, seed), verbose=0))

        def measure(rate, error=error):
            return error(rate, definition["tuning_seed"], tuning)

        rate, tried = tune(measure, how["first"], factor=how["factor"], most=how["most"])
        tried = {f"{key:.4g}": mse for key, mse in sorted(tried.items())}
        for seed in definition["seeds"]:
            row = {"arm": arm, "seed": seed, "clipped_mse": error(rate, seed, valid)}
            yield row | {"rate": rate, "tried": tried}


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    clean = images.x_train.reshape(-1, 784)[: definition["images"]]
    valid, tuning = (
        images.x_valid.reshape(-1, 784)[slice(*definition[part])]
        for part in ("measured_on", "tuned_on")
    )
    rows = []
    for row in compare(definition, clean, tuning, valid):
        rows.append(row)
        print(row, flush=True)
    path = write_result(
        "denoising_targets",
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
