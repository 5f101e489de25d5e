"""What convolution buys an autoencoder, and on what terms.

For `chapters/convolutional-autoencoder`. The autoencoders: 16, 32 and 64 channels, each with half the
side of the one before, a linear code, and the way back; and dense ones, 784-width-code and back. The
parts: `optimisers` (of the convolutional one), `equal` (at equal parameters, operations and seconds),
`codes` (other sizes than thirty numbers) and `little` (a thousand images twenty times, or five
thousand four times: as many steps as `few` take once). The first three see `few` images once. Every
arm's rate is tuned at thirty numbers by doubling and halving until both neighbours of the best are
worse, on those few images, with a seed that the results do not use, and on 2,000 validation images; the arm
of more passes is tuned with as many. Everything is measured on the other 3,000. The test images are
not used. `cpu` is the processor's seconds of one training, its start included.

Run it with `python -m studies.convolutional`, or `--quick`.
"""

import time

import keras
import numpy as np
from keras import layers
from sklearn.decomposition import PCA

from helpers import fit, load_images, multiply_adds
from studies.common import arguments, write_result

DEFINITION = {
    "channels": [16, 32, 64],
    "few_channels": [6, 13, 28],  # as many multiply-adds as the usual dense network
    "batch": 64,
    "few": 20_000,
    "codes": [2, 10, 100],
    "dense": {"equal parameters": 50, "usual": 100, "wide": 200, "equal operations": 540},
    # Of the usual dense network: with them, or once through the wide one, a training costs about as
    # much time as one pass through the convolutional network.
    "more_passes": 4,
    "ratios": [
        0.00390625,
        0.015625,
        0.0625,
        0.25,
        1,
    ],  # of the rates of kernels and matrices in Keras' Muon
    "little": {"1000": 20, "5000": 4},  # images: passes
    "first_rate": 0.01,
    "first_adam_rate": 0.004,
    "most_rates": 9,
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "channels": [2, 3, 4],
    "few_channels": [1, 2, 3],
    "few": 96,
    "codes": [2],
    "ratios": [1],
    "little": {"100": 1},
    "more_passes": 2,
    "most_rates": 3,
    "seeds": [0],
    "images": 160,
}


def convolutional(code, channels, side=28):
    """Return an autoencoder whose layers are convolutions, but for those next to the code."""
    a, b, c = channels
    # 28 → 14 → 7 → 3 with the borders cut once, 40 → 20 → 10 → 5 without.
    small, cut = (3, "valid") if side == 28 else (side // 8, "same")
    conv = {"strides": 2, "padding": "same", "activation": "gelu"}
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Conv2D(a, 3, **conv),
            layers.Conv2D(b, 3, **conv),
            layers.Conv2D(c, 3, **conv | {"padding": cut}),
            layers.Flatten(),
            layers.Dense(code),
            layers.Dense(small * small * c, "gelu"),
            layers.Reshape((small, small, c)),
            layers.Conv2DTranspose(b, 3, **conv | {"padding": cut}),
            layers.Conv2DTranspose(a, 3, **conv),
            layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
        ]
    )


def dense(code, width, side=28):
    """Return a dense autoencoder with one hidden layer on each side of the code."""
    return keras.Sequential(
        [
            keras.Input((side, side, 1)),
            layers.Flatten(),
            layers.Dense(width, "gelu"),
            layers.Dense(code),
            layers.Dense(width, "gelu"),
            layers.Dense(side * side),
            layers.Reshape((side, side, 1)),
        ]
    )


def cosine(rate, images, passes, batch):
    """Return a rate that falls to zero along a cosine over a training."""
    return keras.optimizers.schedules.CosineDecay(rate, -(-images // batch) * passes)


def train(build, x, how, *, rate, seed, passes=1, optimizer="Muon", y=None):
    """Train a model; return it and the processor's seconds.

    The optimiser is "Muon", the book's; "Adam"; or a number: Keras' Muon, which hands kernels to
    AdamW at so many times the rate.
    """
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model, start = build(), time.process_time()
    schedule = cosine(rate, len(x), passes, how["batch"])
    if optimizer == "Adam":
        model.compile(loss="mse", optimizer=keras.optimizers.Adam(schedule))
    elif optimizer != "Muon":
        by_keras = keras.optimizers.Muon(schedule, adam_lr_ratio=optimizer)
        model.compile(loss="mse", optimizer=by_keras)
    options = {"epochs": passes, "batch_size": how["batch"], "learning_rate": rate}
    fit(model, x, y, verbose=False, **options)
    return model, time.process_time() - start


def draw(model, x):
    """Return what a model makes of some images, as an array of their shape."""
    return model.predict(x, batch_size=500, verbose=0)


def mse(x, other):
    """Return the mean squared error per pixel."""
    return float(np.square(x - other).mean())


def tune(measure, first, most):
    """Double and halve a rate until both neighbours of the best are worse.

    Returns:
        (rate, whether it lies inside the grid, the errors by rate as text).
    """
    tried, best = {}, first
    while len(tried) < most:
        for rate in (best / 2, best, best * 2):
            if rate not in tried:
                tried[rate] = measure(rate)
        if best == min(tried, key=tried.get):
            break
        best = min(tried, key=tried.get)
    inside = min(tried) < best < max(tried)
    return best, inside, {f"{rate:g}": error for rate, error in sorted(tried.items())}


class Race:
    """The images, the definition, and every arm's tuned rate."""

    def __init__(self, how, images):
        self.how = how
        few = slice(how["images"])
        self.x = images.x_train[few, ..., None]
        self.few = self.x[: how["few"]]
        valid = images.x_valid[few, ..., None]
        held = len(valid) * 2 // 5
        self.tuning, self.valid = valid[:held], valid[held:]
        self.seeds = how["seeds"]
        self.found = {}

    def rate(self, name, build, optimizer="Muon", passes=1):
        """Tune an arm's rate for thirty numbers, once."""
        if (name, passes) not in self.found:

            def measure(rate):
                options = {"rate": rate, "seed": self.how["tuning_seed"], "optimizer": optimizer}
                model, _ = train(build, self.few, self.how, passes=passes, **options)
                return mse(self.tuning, draw(model, self.tuning))

            first = self.how["first_adam_rate" if optimizer == "Adam" else "first_rate"]
            self.found[name, passes] = tune(measure, first, self.how["most_rates"])
        return self.found[name, passes]

    def runs(self, part, arm, build, x, *, tuned, passes=1, optimizer="Muon", **facts):
        """Train an arm with every seed; yield its rows."""
        rate, inside, tried = tuned
        for seed in self.seeds:
            options = {"rate": rate, "seed": seed, "passes": passes, "optimizer": optimizer}
            model, cpu = train(build, x, self.how, **options)
            yield {
                "part": part,
                "arm": arm,
                "seed": seed,
                **facts,
                "images": len(x),
                "passes": passes,
                "parameters": model.count_params(),
                "multiply_adds": multiply_adds(model),
                "mse": mse(self.valid, draw(model, self.valid)),
                "cpu": round(cpu, 1),
                "rate": rate,
                "inside": inside,
                "tried": tried,
            }


def pca_errors(x, valid, sizes):
    """Return PCA's error with several numbers of components, by number."""
    x, valid = x.reshape(len(x), -1), valid.reshape(len(valid), -1)
    pca = PCA(max(sizes), svd_solver="covariance_eigh").fit(x)
    centred = valid - pca.mean_
    errors = {}
    for k in sizes:
        axes = pca.components_[:k]
        errors[k] = mse(centred, centred @ axes.T @ axes)
    return errors


def arms(race, code):
    """Return the builders of the autoencoders with a code of some size."""
    how = race.how
    found = {
        "convolutional": lambda: convolutional(code, how["channels"]),
        "convolutional, small": lambda: convolutional(code, how["few_channels"]),
    }
    for name, width in how["dense"].items():
        found[f"dense, {name}"] = lambda width=width: dense(code, width)
    return found


def optimisers(race):
    """Which optimiser trains the kernels, each at its own rate?"""
    build = arms(race, 30)["convolutional"]
    ratios = race.how["ratios"]
    tried = {ratio: race.rate(f"ratio {ratio}", build, ratio) for ratio in ratios}
    errors = {ratio: min(tuned[2].values()) for ratio, tuned in tried.items()}
    best = min(errors, key=errors.get)
    facts = {"ratio": best, "ratio_inside": min(ratios) < best < max(ratios)}
    facts["tried_ratios"] = {f"{ratio:g}": error for ratio, error in errors.items()}
    for name, optimizer, more in (
        ("Adam", "Adam", {}),
        ("Keras' Muon", 1, {}),
        ("Keras' Muon, two rates", best, facts),
        ("Muon", "Muon", {}),
    ):
        arm = "convolutional" if name == "Muon" else f"ratio {optimizer}"
        tuned = race.rate(arm, build, optimizer)
        options = {"tuned": tuned, "optimizer": optimizer, "code": 30}
        yield from race.runs("optimisers", name, build, race.few, **options, **more)


def equal(race):
    """Equal parameters, operations and seconds, thirty numbers."""
    for arm, build in arms(race, 30).items():
        if arm == "convolutional":
            continue  # it has run among the optimisers
        # Muon costs a wide dense layer more than its whole forward and backward pass.
        optimizer = "Adam" if arm == "dense, equal operations" else "Muon"
        for passes in (1, race.how["more_passes"]) if arm == "dense, usual" else (1,):
            tuned = race.rate(arm, build, optimizer, passes)
            options = {"tuned": tuned, "passes": passes, "optimizer": optimizer}
            yield from race.runs("equal", arm, build, race.few, code=30, **options)


def codes(race):
    """Codes of several sizes, with the rates of thirty numbers."""
    for code, error in pca_errors(race.few, race.valid, [30, *race.how["codes"]]).items():
        yield {"part": "codes", "arm": "PCA", "code": code, "mse": error}
    for code in race.how["codes"]:
        builders = arms(race, code)
        for arm, passes in (
            ("convolutional", 1),
            ("dense, equal parameters", 1),
            ("dense, usual", race.how["more_passes"]),
            ("dense, wide", 1),
        ):
            tuned = race.rate(arm, arms(race, 30)[arm], passes=passes)
            options = {"tuned": tuned, "passes": passes}
            yield from race.runs("codes", arm, builders[arm], race.few, code=code, **options)


def little(race):
    """Few images, many passes."""
    for images, passes in race.how["little"].items():
        x = race.x[: int(images)]
        k = min(30, len(x))
        error = pca_errors(x, race.valid, [k])[k]
        yield {"part": "little", "arm": "PCA", "images": len(x), "mse": error}
        for arm, factor in (
            ("convolutional", 1),
            ("dense, usual", 1),
            ("dense, usual", race.how["more_passes"]),
        ):
            build = arms(race, 30)[arm]
            tuned = race.rate(arm, build, passes=factor)
            options = {"tuned": tuned, "passes": passes * factor}
            yield from race.runs("little", arm, build, x, factor=factor, **options)


PARTS = (optimisers, equal, codes, little)


def run(name, doc, definitions, parts, argv):
    """Run the parts of a study and write its result."""
    options = arguments(doc, argv)
    definition = definitions[options.quick]
    start = time.perf_counter()
    images = load_images()
    race = Race(definition, images)
    rows = []
    for part in parts:
        for row in part(race):
            rows.append(row)
            print(round(time.perf_counter() - start), row, flush=True)
    path = write_result(
        name,
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
    )
    print(path)


def main(argv=None):
    """Run the study and write its result."""
    run("convolutional", __doc__, (DEFINITION, QUICK), PARTS, argv)


if __name__ == "__main__":
    main()
