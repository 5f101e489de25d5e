"""Opponents tuned in more than their rate: what the races of `convolutional` might owe to defaults.

For `chapters/convolutional-autoencoder`, with the networks and the images of the studies
`convolutional` and `convolutional_parts`. The parts: `adam` (Adam with its memory β₂ and a warm-up,
for the convolutional and for the wide dense autoencoder), `muon` (the book's Muon with a warm-up, Keras'
Muon with the memory of its AdamW), `ten` (codes of ten numbers, every arm at its own rate), `moved` (dense
networks on moved images, in about the convolutional one's seconds), `little` (a thousand images
for wider dense networks, with noise on what they see), `stride` (a net of strides only, trained with
garments at every place of its grid) and `wiener` (the closed form from 500 images, its covariance
shrunk). Settings climb: from a start one step along one axis at a time, until no neighbour is
better on two tuning seeds; rates alone are doubled and halved as in `convolutional`.

Run it with `python -m studies.convolutional_tuned`, or `--quick`.
"""

import keras
import numpy as np
from keras import layers

from helpers.training import Muon
from studies.common import STUDIES, code_hash, code_reached
from studies.convolutional import convolutional, dense, draw, mse, run, train, tune
from studies.convolutional_parts import fully_convolutional, place

BORROWED = {
    "convolutional",
    "dense",
    "draw",
    "fully_convolutional",
    "mse",
    "place",
    "run",
    "train",
    "tune",
}  # from the studies `convolutional` and `convolutional_parts`

RATES = [0.0005 * 2**n for n in range(10)]
DEFINITION = {
    "channels": [16, 32, 64],
    "batch": 64,
    "few": 20_000,
    "wide": 540,
    "adam": {
        "grid": {"rate": RATES, "warmup": [0, 30, 60, 120], "beta_2": [0.9, 0.95, 0.99, 0.999]},
        "start": {"rate": 0.008, "warmup": 60, "beta_2": 0.99},
    },
    "muon": {
        "grid": {"rate": RATES, "warmup": [0, 30, 60, 120]},
        "start": {"rate": 0.016, "warmup": 0},
    },
    "keras": {
        "grid": {
            "rate": RATES,
            "ratio": [0.00390625, 0.015625, 0.0625, 0.25, 1],
            "beta_2": [0.9, 0.95, 0.99, 0.999],
        },
        "start": {"rate": 0.064, "ratio": 0.0625, "beta_2": 0.95},
    },
    "ten": 10,
    "dense": {"100": 4, "128": 3},  # width: passes
    "canvas": 40,
    "most_shift": 6,
    "moved": {"100": 3, "128": 3},
    "little": {"images": 1000, "widths": {"100": 80, "200": 20}, "noise": [0.0, 0.2]},
    "row_of_shifts": 17,
    "sigma": 0.3,
    "noisy_images": 500,
    "shrink": [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9],
    "first_rate": 0.01,
    "most_rates": 6,
    "tuning_seeds": [9, 10],
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash(
        {},
        *code_reached(BORROWED, [STUDIES / "convolutional.py", STUDIES / "convolutional_parts.py"]),
    ),
}
QUICK = DEFINITION | {
    "channels": [2, 3, 4],
    "few": 100,
    "wide": 4,
    "adam": {"grid": {"rate": [0.004, 0.008]}, "start": {"rate": 0.008}},
    "muon": {"grid": {"rate": [0.016]}, "start": {"rate": 0.016}},
    "keras": {"grid": {"rate": [0.064], "ratio": [1]}, "start": {"rate": 0.064, "ratio": 1}},
    "dense": {"4": 1},
    "moved": {"4": 1},
    "little": {"images": 100, "widths": {"4": 1}, "noise": [0.2]},
    "row_of_shifts": 2,
    "noisy_images": 50,
    "shrink": [0.0, 0.5],
    "most_rates": 1,
    "tuning_seeds": [9],
    "seeds": [0],
    "images": 160,
}


def climb(measure, grid, start):
    """Step along one axis at a time to a better neighbour, until none is better.

    Returns:
        (settings, whether a neighbour was tried on either side of each, every error by its settings).
    """
    tried, at, better = {}, dict(start), True

    def error(settings):
        key = ", ".join(f"{name} {value:g}" for name, value in settings.items())
        if key not in tried:
            tried[key] = measure(settings)
        return tried[key]

    while better:
        better = False
        for name, values in grid.items():
            place = values.index(at[name])
            for other in values[max(place - 1, 0) : place + 2]:
                if error(at | {name: other}) < error(at):
                    at, better = at | {name: other}, True
    inside = {name: values[0] < at[name] < values[-1] for name, values in grid.items()}
    return at, inside, tried


def optimizer_of(kind, settings, steps):
    """Return an optimiser whose rate rises for some steps and falls along a cosine to zero."""
    rate, warmup = settings["rate"], settings.get("warmup", 0)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    if warmup:
        schedule = keras.optimizers.schedules.CosineDecay(
            0.0, steps - warmup, warmup_target=rate, warmup_steps=warmup
        )
    match kind:
        case "adam":
            return keras.optimizers.Adam(schedule, beta_2=settings.get("beta_2", 0.999))
        case "keras":
            memory = {"adam_beta_2": settings.get("beta_2", 0.999)}
            return keras.optimizers.Muon(schedule, adam_lr_ratio=settings["ratio"], **memory)
    return Muon(schedule)


def climbed(race, part, arm, build, kind):
    """Let the settings of an arm's optimiser climb, then train it with every seed."""
    how = race.how

    def error(settings, seed, images):
        keras.utils.clear_session()
        keras.utils.set_random_seed(seed)
        model = build()
        steps = -(-len(race.few) // how["batch"])
        model.compile(loss="mse", optimizer=optimizer_of(kind, settings, steps))
        model.fit(race.few, race.few, batch_size=how["batch"], verbose=0)
        return mse(images, draw(model, images))

    def measure(settings):
        return float(np.mean([error(settings, s, race.tuning) for s in how["tuning_seeds"]]))

    best, inside, tried = climb(measure, how[kind]["grid"], how[kind]["start"])
    for seed in race.seeds:
        row = {"part": part, "arm": arm, "seed": seed, "mse": error(best, seed, race.valid)}
        yield row | {"settings": best, "inside": inside, "tried": tried}


def adam(race):
    """Adam with a warm-up and a shorter memory, for both networks of as many operations."""
    how = race.how
    yield from climbed(
        race, "adam", "convolutional", lambda: convolutional(30, how["channels"]), "adam"
    )
    yield from climbed(
        race, "adam", "dense, equal operations", lambda: dense(30, how["wide"]), "adam"
    )


def muon(race):
    """The same care for Muon, and for the rates of Keras' Muon."""
    build = lambda: convolutional(30, race.how["channels"])  # noqa: E731
    yield from climbed(race, "muon", "Muon, warm-up", build, "muon")
    yield from climbed(race, "muon", "Keras' Muon, two rates", build, "keras")


def ten(race):
    """Ten numbers, every arm at its own rate."""
    how = race.how
    code = how["ten"]
    arms = [("convolutional", lambda: convolutional(code, how["channels"]), 1)]
    for width, passes in how["dense"].items():
        arms.append((f"dense, {width}", lambda width=width: dense(code, int(width)), passes))
    for arm, build, passes in arms:
        tuned = race.rate(f"{arm} {code}", build, passes=passes)
        options = {"tuned": tuned, "passes": passes, "code": code}
        yield from race.runs("ten", arm, build, race.few, **options)


def moved(race):
    """Dense networks on images moved as in `shifts`, with more passes than one."""
    how, most, side = race.how, race.how["most_shift"], race.how["canvas"]
    random = np.random.default_rng(how["tuning_seed"])
    few, valid, tuning = (
        place(x, side, *random.integers(-most, most + 1, (2, len(x))))
        for x in (race.few, race.valid[:1000], race.tuning)
    )
    scale = (side / 28) ** 2  # the error per pixel of the image, not of the black around it
    for width, passes in how["moved"].items():

        def error(rate, seed, images, width=int(width), passes=passes):
            build = lambda: dense(30, width, side)  # noqa: E731
            model, cpu = train(build, few, how, rate=rate, seed=seed, passes=passes)
            return mse(images, draw(model, images)) * scale, cpu

        rate, inside, tried = tune(
            lambda rate, error=error: error(rate, how["tuning_seed"], tuning)[0],
            how["first_rate"],
            how["most_rates"],
        )
        for seed in race.seeds:
            found, cpu = error(rate, seed, valid)
            row = {"part": "moved", "arm": f"dense, {width}", "passes": passes, "seed": seed}
            row |= {"mse": found, "cpu": round(cpu, 1)}
            yield row | {"rate": rate, "inside": inside, "tried": tried}


def little(race):
    """Few images: dense networks, wider or with noise on what they see."""
    how = race.how["little"]
    x = race.x[: how["images"]]
    for width, passes in how["widths"].items():
        for noise in how["noise"]:

            def build(width=int(width), noise=noise):
                plain = dense(30, width)
                return keras.Sequential(
                    [keras.Input((28, 28, 1)), layers.GaussianNoise(noise), *plain.layers]
                )

            def measure(rate, build=build, passes=passes):
                options = {"rate": rate, "seed": race.how["tuning_seed"], "passes": passes}
                return mse(race.tuning, draw(train(build, x, race.how, **options)[0], race.tuning))

            tuned = tune(measure, race.how["first_rate"], race.how["most_rates"])
            arm, options = f"dense, {width}", {"tuned": tuned, "passes": passes, "noise": noise}
            yield from race.runs("little", arm, build, x, **options)


def stride(race):
    """The net of strides only, trained with a garment at each of the 8 × 8 places of its grid."""
    how, big = race.how, 64
    valid = race.valid[:300]
    for seed in race.seeds:
        random = np.random.default_rng(seed)
        x = place(race.few, how["canvas"], *random.integers(0, 8, (2, len(race.few))) - 4)
        build = lambda: fully_convolutional(how["channels"])  # noqa: E731
        model, _ = train(build, x, how, rate=how["first_rate"], seed=seed)
        errors = []
        for right in range(how["row_of_shifts"]):
            canvas = place(valid, big, 0, right - 8)
            errors.append(mse(canvas, draw(model, canvas)) * (big / 28) ** 2)
        yield {"part": "stride", "trained": "anywhere", "seed": seed, "mse_by_shift": errors}


def stationary(x):
    """Return the covariance of centred images if it hung on the offset of two pixels alone."""
    spectrum = np.square(np.abs(np.fft.fft2(x, s=(56, 56)))).mean(axis=0)
    pairs = np.square(np.abs(np.fft.fft2(np.ones((28, 28)), s=(56, 56))))
    sums, counts = np.fft.ifft2(spectrum).real, np.fft.ifft2(pairs).real.round()
    down, right = np.divmod(np.arange(784), 28)
    offset = (down[:, None] - down) % 56, (right[:, None] - right) % 56
    return (sums / np.maximum(counts, 1))[offset]


def wiener(race):
    """The best linear map from few images, its covariance shrunk towards simpler ones."""
    how, sigma = race.how, race.how["sigma"]
    x = race.x[: how["noisy_images"]].reshape(-1, 784).astype("float64")
    mean, covariance = x.mean(axis=0), np.cov(x.T)
    simple = stationary((x - mean).reshape(-1, 28, 28))
    deviations = np.sqrt(np.diag(covariance))
    targets = {
        "mean variance": np.eye(784) * np.trace(covariance) / 784,
        "stationary": simple,
        "stationary, own variances": simple / simple[0, 0] * np.outer(deviations, deviations),
    }

    def error(target, share, images, seed):
        mixed = (1 - share) * covariance + share * targets[target]
        gain = np.linalg.solve(mixed + sigma**2 * np.eye(784), mixed)
        noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
        noisy = (images + noise).astype("float32").reshape(-1, 784)
        drawn = (noisy - mean) @ gain + mean
        return mse(images.reshape(-1, 784), np.clip(drawn, 0, 1))

    tuning, valid = race.tuning[:500], race.valid[:1000]
    for target in targets:
        tried = {share: error(target, share, tuning, how["tuning_seed"]) for share in how["shrink"]}
        share = min(tried, key=tried.get)
        for seed in race.seeds:
            row = {"part": "wiener", "arm": target, "share": share, "seed": seed}
            row |= {"mse": error(target, share, valid, seed), "images": len(x)}
            yield row | {"tried": {f"{key:g}": value for key, value in tried.items()}}


PARTS = (wiener, stride, ten, adam, muon, moved, little)


def main(argv=None):
    """Run the study and write its result."""
    run("convolutional_tuned", __doc__, (DEFINITION, QUICK), PARTS, argv)


if __name__ == "__main__":
    main()
