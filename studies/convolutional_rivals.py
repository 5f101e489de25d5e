"""Rivals that a doubter would ask for: what the races of `convolutional` might have left out.

For `chapters/convolutional-autoencoder`, with the networks and the images of the study
`convolutional`. The parts: `seconds` (dense autoencoders of other widths and depths, in about the same
seconds), `sizes` (codes of 2 and 100 numbers with rates of their own, where `convolutional`
uses those of thirty numbers), `noise` (the small U-Net of `convolutional_parts` after one pass over
many images), and `wide` (the dense network of as many multiply-adds, trained with Muon although Muon
then costs many times what the network does). Rates are tuned as in `convolutional`.

Run it with `python -m studies.convolutional_rivals`, or `--quick`.
"""

import keras
import numpy as np
from keras import layers

from helpers.unet import small_unet
from studies.common import STUDIES, code_hash, code_reached
from studies.convolutional import convolutional, dense, draw, mse, run, train, tune

BORROWED = {"convolutional", "dense", "draw", "mse", "run", "train", "tune"}

DEFINITION = {
    "channels": [16, 32, 64],
    "batch": 64,
    "few": 20_000,
    "shapes": [[[128], 3], [[128, 64], 2]],  # hidden layers, passes
    "codes": [2, 100],
    "usual": 100,
    "usual_passes": 4,
    "more": 128,
    "more_passes": 3,
    "wide": 540,
    "sigma": 0.3,
    "noisy_passes": 1,
    "first_rate": 0.01,
    "first_adam_rate": 0.008,
    "most_rates": 6,
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "convolutional.py"])),
}
QUICK = DEFINITION | {
    "channels": [2, 3, 4],
    "few": 96,
    "shapes": [[[6, 4], 1]],
    "codes": [2],
    "usual": 5,
    "usual_passes": 1,
    "more": 6,
    "more_passes": 1,
    "wide": 6,
    "noisy_passes": 1,
    "most_rates": 3,
    "seeds": [0],
    "images": 160,
}


def deep_dense(code, widths):
    """Return a dense autoencoder with several hidden layers on each side of the code."""
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Flatten(),
            *(layers.Dense(width, "gelu") for width in widths),
            layers.Dense(code),
            *(layers.Dense(width, "gelu") for width in reversed(widths)),
            layers.Dense(784),
            layers.Reshape((28, 28, 1)),
        ]
    )


def seconds(race):
    """Is another shape the better dense rival at equal seconds?"""
    for widths, passes in race.how["shapes"]:
        build = lambda widths=widths: deep_dense(30, widths)  # noqa: E731
        arm = "dense, " + "-".join(map(str, widths))
        tuned = race.rate(arm, build, passes=passes)
        yield from race.runs("seconds", arm, build, race.few, tuned=tuned, passes=passes, code=30)


def sizes(race):
    """Does the order at other codes hang on the rates of thirty numbers?"""
    how = race.how
    for code in how["codes"]:
        for arm, build, passes in (
            ("convolutional", lambda code=code: convolutional(code, how["channels"]), 1),
            ("dense, usual", lambda code=code: dense(code, how["usual"]), how["usual_passes"]),
            ("dense, 128", lambda code=code: dense(code, how["more"]), how["more_passes"]),
        ):
            tuned = race.rate(f"{arm} {code}", build, passes=passes)
            options = {"tuned": tuned, "passes": passes, "code": code}
            yield from race.runs("sizes", arm, build, race.few, **options)


def noise(race):
    """Noise and many images: the small U-Net that subtracts."""
    how, sigma = race.how, race.how["sigma"]

    def spoil(images, seed):
        noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
        return (images + noise).astype("float32")

    def build():
        clean = keras.Input((28, 28, 1))
        noisy = layers.GaussianNoise(sigma)(clean)
        return keras.Model(clean, layers.Subtract()([noisy, small_unet()(noisy)]))

    def measure(rate, seed=how["tuning_seed"], images=race.tuning[:500]):
        options = {"rate": rate, "seed": seed, "passes": how["noisy_passes"], "optimizer": "Adam"}
        model, cpu = train(build, race.few, how, **options)
        return mse(images, np.clip(draw(model, spoil(images, seed)), 0, 1)), model, cpu

    rate, inside, tried = tune(
        lambda rate: measure(rate)[0], how["first_adam_rate"], how["most_rates"]
    )
    for seed in race.seeds:
        error, model, cpu = measure(rate, seed, race.valid[:1000])
        row = {"part": "noise", "arm": "U-Net, many", "seed": seed, "images": len(race.few)}
        row |= {"mse": error, "parameters": model.count_params(), "cpu": round(cpu, 1)}
        yield row | {"rate": rate, "inside": inside, "tried": tried}


def wide(race):
    """Does the wide dense network lose for want of Muon?"""
    build = lambda: dense(30, race.how["wide"])  # noqa: E731
    tuned = race.rate("wide", build)
    yield from race.runs("wide", "dense, equal operations", build, race.few, tuned=tuned, code=30)


PARTS = (seconds, sizes, noise, wide)


def main(argv=None):
    """Run the study and write its result."""
    run("convolutional_rivals", __doc__, (DEFINITION, QUICK), PARTS, argv)


if __name__ == "__main__":
    main()
