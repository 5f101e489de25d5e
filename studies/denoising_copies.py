"""What a denoiser needs: room for the noise, noise afresh, and what it learns without clean images.

For `chapters/denoising-autoencoder`. Dense networks at one noise level, everything measured on
validation images. First part: the residual form, which estimates the noise and subtracts it, against
the plain form, by the number of hidden units. Second part: what the targets and the noise may be
(clean or noisy targets, noise drawn once or for every batch, noisy targets that were clipped), on
20,000 images and, for longer, on 2,000. Third part: an overcomplete network trained to copy clean images
beside the same network trained to denoise: how much noise each lets through, the trace of its
Jacobian, and Stein's estimate of its error, which sees no clean image.

Every network has a rate of its own, tuned by doubling and halving with a seed that the results do
not use, except that the second part's networks share one, so that only their data differ.

Run it with `python -m studies.denoising_copies`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers

from helpers import fit, load_images
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result
from studies.denoising import add_noise, clipped_mse, tune

BORROWED = {"add_noise", "clipped_mse", "tune"}  # from the study `denoising`

DEFINITION = {
    "sigma": 0.3,
    "tuned_on": [2000, 2500],  # validation images, from and to
    "measured_on": [0, 1000],
    "residual": {"hidden": [64, 256, 512], "images": 20_000, "epochs": 3, "first_rate": 0.01},
    "targets": {"hidden": [256, 256], "images": 20_000, "epochs": 3, "first_rate": 0.02},
    "few": {"images": 2000, "epochs": 40},
    "batch": 512,
    "copier": {"hidden": [1024], "images": 20_000, "epochs": [3, 9], "first_rate": 0.001},
    "step": 0.01,  # of the finite difference that stands for a derivative
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "denoising.py"])),
}
QUICK = DEFINITION | {
    "tuned_on": [50, 100],
    "measured_on": [0, 50],
    "residual": {"hidden": [8], "images": 500, "epochs": 1, "first_rate": 0.01},
    "targets": {"hidden": [8], "images": 500, "epochs": 1, "first_rate": 0.01},
    "few": {"images": 200, "epochs": 2},
    "copier": {"hidden": [8], "images": 500, "epochs": [1], "first_rate": 0.001},
    "seeds": [0],
    "images": 1000,
}


def build(hidden, sigma, *, residual=False, seed):
    """Return a dense network behind Gaussian noise; `residual` ones subtract what they compute."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    image = keras.Input((784,))
    noisy = layers.GaussianNoise(sigma)(image) if sigma else image
    x = noisy
    for width in hidden:
        x = layers.Dense(width, activation="gelu")(x)
    x = layers.Dense(784)(x)
    return keras.Model(image, layers.Subtract()([noisy, x]) if residual else x)


def tuned(make, x_train, tuning, how, definition):
    """Tune a network's rate on denoising; return the rate and every rate tried with its error."""
    noisy = add_noise(tuning, definition["sigma"], definition["tuning_seed"])
    options = {"epochs": how["epochs"], "batch_size": definition["batch"]}

    def measure(rate):
        model = make(definition["tuning_seed"])
        fit(model, x_train, learning_rate=rate, verbose=False, **options)
        return float(np.square(model.predict(noisy, verbose=0) - tuning).mean())

    rate, tried = tune(measure, how["first_rate"])
    return rate, {f"{key:g}": mse for key, mse in sorted(tried.items())}


def residuals(definition, x_train, tuning, valid):
    """Train the plain and the residual form by hidden units; yield a row for each seed."""
    how, sigma = definition["residual"], definition["sigma"]
    few = x_train[: how["images"]]
    options = {"epochs": how["epochs"], "batch_size": definition["batch"]}
    for hidden in how["hidden"]:
        for form in ("plain", "residual"):

            def make(seed, hidden=hidden, form=form):
                return build([hidden], sigma, residual=form == "residual", seed=seed)

            rate, tried = tuned(make, few, tuning, how, definition)
            for seed in definition["seeds"]:
                model = make(seed)
                fit(model, few, learning_rate=rate, verbose=False, **options)
                answer = model.predict(add_noise(valid, sigma, seed), verbose=0)
                row = {"part": "residual", "form": form, "hidden": hidden, "seed": seed}
                row |= {"mse": float(np.square(answer - valid).mean())}
                yield row | {"rate": rate, "tried": tried}


def targets(definition, x_train, tuning, valid):
    """Train on other targets and other noise, on all images and on few; yield a row by seed."""
    how, sigma = definition["targets"], definition["sigma"]
    x_train = x_train[: how["images"]]
    rate, tried = tuned(
        lambda seed: build(how["hidden"], sigma, seed=seed), x_train, tuning, how, definition
    )
    for images, epochs in (
        (len(x_train), how["epochs"]),
        (definition["few"]["images"], definition["few"]["epochs"]),
    ):
        clean = x_train[:images]
        for seed in definition["seeds"]:
            once = add_noise(clean, sigma, 1000 + seed)
            other = add_noise(clean, sigma, 2000 + seed)
            noisy = add_noise(valid, sigma, seed)
            for name, level, x, y in (
                ("clean targets, noise afresh", sigma, clean, clean),
                ("clean targets, noise once", 0, once, clean),
                ("noisy targets, noise once", 0, once, other),
                ("noisy targets, clipped", 0, once, np.clip(other, 0, 1)),
            ):
                model = build(how["hidden"], level, seed=seed)
                options = {"epochs": epochs, "batch_size": definition["batch"]}
                fit(model, x, y, learning_rate=rate, verbose=False, **options)
                answer = model.predict(noisy, verbose=0)
                row = {"part": "targets", "arm": name, "images": images, "seed": seed}
                row |= {"mse": float(np.square(answer - valid).mean())}
                row |= {"clipped_mse": clipped_mse(valid, answer)}
                row |= {"mean_bias": float((answer - valid).mean())}
                yield row | {"epochs": epochs, "rate": rate, "tried": tried}


def copies(definition, x_train, tuning, valid):
    """Train one wide network to copy and to denoise; yield a row for each seed and each time."""
    how = definition["copier"]
    few = x_train[: how["images"]]

    def train(level, epochs, rate, seed):
        model = build(how["hidden"], level, seed=seed)
        steps = -(-len(few) // 128) * epochs
        schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
        model.compile(loss="mse", optimizer=keras.optimizers.Adam(schedule))
        fit(model, few, epochs=epochs, verbose=False)
        return model

    for name, level in (("copier", 0), ("denoiser", definition["sigma"])):
        own = add_noise(tuning, level, definition["tuning_seed"])

        def measure(rate, level=level, own=own):
            model = train(level, how["epochs"][0], rate, definition["tuning_seed"])
            return float(np.square(model.predict(own, verbose=0) - tuning).mean())

        rate, tried = tune(measure, how["first_rate"])
        tried = {f"{key:g}": mse for key, mse in sorted(tried.items())}
        for epochs in how["epochs"]:
            for seed in definition["seeds"]:
                model = train(level, epochs, rate, seed)
                row = {"part": "copy", "task": name, "epochs": epochs, "seed": seed}
                yield row | probe(model, definition, valid, seed) | {"rate": rate, "tried": tried}


def probe(model, definition, valid, seed):
    """Measure what a network does with noise, with and without the clean images."""
    sigma, step = definition["sigma"], definition["step"]
    noisy = add_noise(valid, sigma, seed)
    answer, of_clean = (model.predict(x, verbose=0) for x in (noisy, valid))
    direction = np.random.default_rng(100 + seed).normal(size=valid.shape).astype("float32")
    moved = model.predict(noisy + step * direction, verbose=0) - answer
    trace = float((direction * moved).sum(axis=1).mean() / step)
    stein = np.square(answer - noisy).mean() - sigma**2 + 2 * sigma**2 * trace / valid.shape[1]
    return {
        "clean_mse": float(np.square(of_clean - valid).mean()),
        "mse": float(np.square(answer - valid).mean()),
        "stein": float(stein),
        "trace": trace,
        "noise_passed": float(np.square(answer - of_clean).mean() / sigma**2),
    }


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x_train = images.x_train.reshape(-1, 784)[: definition["images"]]
    valid, tuning = (
        images.x_valid.reshape(-1, 784)[slice(*definition[part])]
        for part in ("measured_on", "tuned_on")
    )
    rows = []
    for part in (residuals, targets, copies):
        for row in part(definition, x_train, tuning, valid):
            rows.append(row)
            print(row, flush=True)
    path = write_result(
        "denoising_copies",
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
