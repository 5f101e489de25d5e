"""What the parts of a convolutional autoencoder do to an image, and two uses that need them.

For `chapters/convolutional-autoencoder`, with the networks and the images of the study
`convolutional`. The parts: `audit` (recipes whose code has 576 numbers, against PCA with 576),
`checkerboard` (energy at period two), `shifts` (clothes moved on a canvas; nets of strides only),
`finer` (twice the resolution) and `noise` (a small U-Net with few images). Rates are tuned as in the study
`convolutional`, but for `checkerboard` and the nets of strides only, which start from one rate: their
claims are about patterns, not about who has less error.

Run it with `python -m studies.convolutional_parts`, or `--quick`.
"""

import keras
import numpy as np
from keras import layers, ops
from sklearn.decomposition import PCA

from helpers import multiply_adds
from helpers.training import Muon
from helpers.unet import small_unet
from studies.common import STUDIES, code_hash, code_reached
from studies.convolutional import convolutional, dense, draw, mse, pca_errors, run, train, tune

BORROWED = {"convolutional", "dense", "draw", "mse", "pca_errors", "run", "train", "tune"}

DEFINITION = {
    "channels": [16, 32, 64],
    "batch": 64,
    "few": 20_000,
    "canvas": 40,
    "most_shift": 6,
    "row_of_shifts": 17,
    "sigma": 0.3,
    "noisy_images": 500,
    "noisy_passes": 20,
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
    "row_of_shifts": 2,
    "noisy_images": 50,
    "noisy_passes": 1,
    "most_rates": 3,
    "seeds": [0],
    "images": 160,
}


def recipes(channels):
    """Return the builders of the recipes whose code has 576 numbers, and of their later forms."""
    a, b, c = channels
    same = {"padding": "same", "activation": "gelu"}
    out = {"strides": 2, "activation": "gelu"}
    back = [
        lambda: layers.Conv2DTranspose(b, 3, padding="valid", **out),
        lambda: layers.Conv2DTranspose(a, 3, padding="same", **out),
        lambda: layers.Conv2DTranspose(1, 3, strides=2, padding="same"),
    ]

    def pooled():
        return [
            layer
            for width in (a, b, c)
            for layer in (layers.Conv2D(width, 3, **same), layers.MaxPool2D(2))
        ]

    def strided():
        return [
            layers.Conv2D(a, 3, strides=2, **same),
            layers.Conv2D(b, 3, strides=2, **same),
            layers.Conv2D(c, 3, strides=2, activation="gelu"),
        ]

    def thirty(end):
        return [
            *pooled(),
            layers.Conv2D(30, 3, **same),
            *end,
            layers.Dense(9 * c, "gelu"),
            layers.Reshape((3, 3, c)),
        ]

    found = {
        "max-pooling, 3 × 3 × 64": pooled,
        "strides, 3 × 3 × 64": strided,
        "30 maps, averaged over the image": lambda: thirty([layers.GlobalAveragePooling2D()]),
        "30 maps, flattened, Dense(30)": lambda: thirty([layers.Flatten(), layers.Dense(30)]),
    }
    return {
        name: lambda body=body: keras.Sequential(
            [keras.Input((28, 28, 1)), *body(), *(layer() for layer in back)]
        )
        for name, body in found.items()
    }


def audit(race):
    """The recipes beside PCA with as many numbers."""
    sizes = [30, 576] if len(race.few) > 576 else [30]
    for k, error in pca_errors(race.few, race.valid, sizes).items():
        yield {"part": "audit", "arm": f"PCA-{k}", "code": k, "mse": error}
    for arm, build in recipes(race.how["channels"]).items():
        code = 30 if arm.startswith("30") else 9 * race.how["channels"][2]
        tuned = race.rate(arm, build)
        yield from race.runs("audit", arm, build, race.few, tuned=tuned, code=code)


def place(x, side, down, right):
    """Put images on black canvases, their middle moved by so many pixels; int arrays or ints."""
    canvas = np.zeros((len(x), side, side, 1), "float32")
    edge = (side - x.shape[1]) // 2
    down, right = (np.broadcast_to(edge + shift, len(x)) for shift in (down, right))
    for image, one, top, left in zip(canvas, x, down, right, strict=True):
        image[top : top + x.shape[1], left : left + x.shape[2]] = one
    return canvas


def fully_convolutional(channels):
    """Return an autoencoder for images of any size: strides down and up, two maps as the code."""
    a, b, _ = channels
    conv = {"strides": 2, "padding": "same"}
    return keras.Sequential(
        [
            keras.Input((None, None, 1)),
            layers.Conv2D(a, 3, activation="gelu", **conv),
            layers.Conv2D(b, 3, activation="gelu", **conv),
            layers.Conv2D(2, 3, **conv),
            layers.Conv2DTranspose(b, 3, activation="gelu", **conv),
            layers.Conv2DTranspose(a, 3, activation="gelu", **conv),
            layers.Conv2DTranspose(1, 3, **conv),
        ]
    )


def shifts(race):
    """Trained in the middle or anywhere, measured in both places; then nets of strides only."""
    how, most, side = race.how, race.how["most_shift"], race.how["canvas"]
    random = np.random.default_rng(how["tuning_seed"])
    few, valid = race.few, race.valid[:1000]
    moved = {
        name: place(x, side, *random.integers(-most, most + 1, (2, len(x))))
        for name, x in (("train", few), ("valid", valid))
    }
    centred = {"train": place(few, side, 0, 0), "valid": place(valid, side, 0, 0)}
    builders = {
        "convolutional": lambda: convolutional(30, how["channels"], side),
        "dense, usual": lambda: dense(30, 100, side),
    }
    scale = (side / 28) ** 2  # the error per pixel of the image, not of the black around it
    tuning = place(race.tuning, side, *random.integers(-most, most + 1, (2, len(race.tuning))))
    for arm, build in builders.items():

        def measure(rate, build=build):
            seed = how["tuning_seed"]
            model, _ = train(build, moved["train"], how, rate=rate, seed=seed)
            return mse(tuning, draw(model, tuning))

        rate, inside, tried = tune(measure, how["first_rate"], how["most_rates"])
        for trained, x in (("in the middle", centred), ("anywhere", moved)):
            for seed in race.seeds:
                model, cpu = train(build, x["train"], how, rate=rate, seed=seed)
                row = {"part": "shifts", "arm": arm, "trained": trained, "seed": seed}
                row |= {"rate": rate, "inside": inside, "tried": tried}
                row |= {"parameters": model.count_params(), "cpu": round(cpu, 1)}
                for name, images in (("in the middle", centred), ("anywhere", moved)):
                    error = mse(images["valid"], draw(model, images["valid"])) * scale
                    yield row | {"measured": name, "mse": error}
    sets = {"in the middle": centred, "anywhere": moved}
    for trained, x in sets.items():
        flat = x["train"].reshape(len(few), -1)
        pca = PCA(30, svd_solver="covariance_eigh").fit(flat)
        for name, images in sets.items():
            error = flat_error(pca, images["valid"]) * scale
            row = {"part": "shifts", "arm": "PCA-30", "trained": trained}
            yield row | {"measured": name, "mse": error}
    big = 64
    for seed in race.seeds:
        rate = how["first_rate"]
        build = lambda: fully_convolutional(how["channels"])  # noqa: E731
        model, _ = train(build, place(few, 32, 0, 0), how, rate=rate, seed=seed)
        errors = []
        for right in range(how["row_of_shifts"]):
            x = place(valid[:300], big, 0, right - 8)
            errors.append(mse(x, draw(model, x)) * (big / 28) ** 2)
        yield {"part": "stride", "seed": seed, "mse_by_shift": errors}


def flat_error(pca, x):
    """Return PCA's error on some images."""
    x = x.reshape(len(x), -1)
    return mse(x, pca.inverse_transform(pca.transform(x)))


def by_upsampling(channels, kind):
    """Return an autoencoder whose decoder doubles the side twice, in one of three ways."""
    a, b, _ = channels
    conv = {"strides": 2, "padding": "same", "activation": "gelu"}

    def double(width, activation):
        if kind == "resize":
            return [
                layers.UpSampling2D(2),
                layers.Conv2D(width, 3, 1, "same", None, 1, 1, activation),
            ]
        return [layers.Conv2DTranspose(width, kind, 2, "same", activation=activation)]

    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(a, 3, **conv),
            layers.Conv2D(b, 3, **conv),
            layers.Flatten(),
            layers.Dense(30),
            layers.Dense(49 * b, "gelu"),
            layers.Reshape((7, 7, b)),
            *double(a, "gelu"),
            *double(1, None),
        ]
    )


def period_two(x):
    """Return the share of the images' energy, without their mean, that alternates every pixel."""
    power = np.abs(np.fft.fft2(x[..., 0])) ** 2
    power[:, 0, 0] = 0
    half = x.shape[1] // 2
    alternating = power[:, half, :].sum() + power[:, :, half].sum() - power[:, half, half].sum()
    return float(alternating / power.sum())


def checkerboard(race):
    """Energy at period two: before training, after five steps, after one pass."""
    how, valid = race.how, race.valid[:1000]
    yield {"part": "checkerboard", "arm": "originals", "share": period_two(valid)}
    for kind in (3, 4, "resize"):
        for seed in race.seeds:
            keras.utils.clear_session()
            keras.utils.set_random_seed(seed)
            model = by_upsampling(how["channels"], kind)
            shares = [period_two(draw(model, valid))]
            model.compile(loss="mse", optimizer=Muon(how["first_rate"]))
            five = race.few[: 5 * how["batch"]]
            model.fit(five, five, batch_size=how["batch"], verbose=0)
            shares.append(period_two(draw(model, valid)))
            build = lambda kind=kind: by_upsampling(how["channels"], kind)  # noqa: E731
            model, cpu = train(build, race.few, how, rate=how["first_rate"], seed=seed)
            drawn = draw(model, valid)
            row = {"part": "checkerboard", "arm": str(kind), "seed": seed}
            row |= {"shares": [*shares, period_two(drawn)], "mse": mse(valid, drawn)}
            yield row | {"multiply_adds": multiply_adds(model), "cpu": round(cpu, 1)}


def finer_network():
    """Return a network from 14 × 14 to 28 × 28 pixels that adds detail to the enlarged image."""
    small = keras.Input((14, 14, 1))
    x = layers.Conv2D(24, 3, padding="same", activation="gelu")(small)
    x = layers.Conv2D(24, 3, padding="same", activation="gelu")(x)
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.Reshape((14, 14, 2, 2))(x)
    x = layers.Permute((1, 3, 2, 4))(x)
    x = layers.Reshape((28, 28, 1))(x)
    return keras.Model(small, layers.Add()([layers.UpSampling2D(2)(small), x]))


def finer(race):
    """Twice the resolution: the enlarged image, a linear map, and a convolutional network."""

    def shrink(x):
        return x.reshape(-1, 14, 2, 14, 2, 1).mean(axis=(2, 4)).astype("float32")

    tests = {"in place": race.valid, "moved by 4": np.roll(race.valid, (4, 4), (1, 2))}

    def yield_errors(arm, answer, **facts):
        for name, x in tests.items():
            error = mse(x, np.clip(answer(shrink(x)), 0, 1))
            yield {"part": "finer", "arm": arm, "measured": name, "mse": error} | facts

    def bicubic(x):
        return np.array(ops.image.resize(x, (28, 28), interpolation="bicubic"))

    yield from yield_errors("bicubic", bicubic)
    low, high = shrink(race.x).reshape(len(race.x), -1), race.x.reshape(len(race.x), -1)
    low = np.hstack([low, np.ones((len(low), 1), "float32")])
    gram = low.T @ low + 1e-2 * np.eye(low.shape[1], dtype="float32")
    weights = np.linalg.solve(gram, low.T @ high)

    def linear(x):
        x = x.reshape(len(x), -1)
        return (x @ weights[:-1] + weights[-1]).reshape(-1, 28, 28, 1)

    yield from yield_errors("linear regression", linear, parameters=weights.size)
    few = shrink(race.few)

    def measure(rate):
        seed = race.how["tuning_seed"]
        model, _ = train(finer_network, few, race.how, rate=rate, seed=seed, y=race.few)
        return mse(race.tuning, np.clip(draw(model, shrink(race.tuning)), 0, 1))

    rate, inside, tried = tune(measure, race.how["first_rate"], race.how["most_rates"])
    for seed in race.seeds:
        model, cpu = train(finer_network, few, race.how, rate=rate, seed=seed, y=race.few)
        facts = {"seed": seed, "parameters": model.count_params(), "cpu": round(cpu, 1)}
        facts |= {"rate": rate, "inside": inside, "tried": tried}
        yield from yield_errors("convolutional", lambda x, model=model: draw(model, x), **facts)


def noise(race):
    """Noise and few images: the best linear map (Wiener) and a small U-Net that subtracts."""
    how, sigma = race.how, race.how["sigma"]
    x = race.x[: how["noisy_images"]]

    def spoil(images, seed):
        noise = np.random.default_rng(seed).normal(0, sigma, images.shape)
        return (images + noise).astype("float32")

    valid = race.valid[:1000]
    for name, known in (("few", x), ("all", race.x)):
        flat = known.reshape(len(known), -1)
        mean, covariance = flat.mean(axis=0), np.cov(flat.T)
        gain = np.linalg.solve(covariance + sigma**2 * np.eye(784), covariance)
        for seed in race.seeds:
            drawn = (spoil(valid, seed).reshape(-1, 784) - mean) @ gain + mean
            error = mse(valid.reshape(-1, 784), np.clip(drawn, 0, 1))
            row = {"part": "noise", "arm": f"Wiener, {name}", "seed": seed}
            yield row | {"images": len(known), "mse": error}

    def build():
        clean = keras.Input((28, 28, 1))
        noisy = layers.GaussianNoise(sigma)(clean)
        return keras.Model(clean, layers.Subtract()([noisy, small_unet()(noisy)]))

    def run(rate, seed, images):
        small = how | {"batch": 32}
        options = {"rate": rate, "seed": seed, "passes": how["noisy_passes"], "optimizer": "Adam"}
        model, cpu = train(build, x, small, **options)
        return mse(images, np.clip(draw(model, spoil(images, seed)), 0, 1)), model, cpu

    def measure(rate):
        return run(rate, how["tuning_seed"], race.tuning[:500])[0]

    rate, inside, tried = tune(measure, how["first_adam_rate"], how["most_rates"])
    for seed in race.seeds:
        error, model, cpu = run(rate, seed, valid)
        row = {"part": "noise", "arm": "U-Net, few", "seed": seed, "images": len(x), "mse": error}
        row |= {"parameters": model.count_params(), "cpu": round(cpu, 1)}
        yield row | {"rate": rate, "inside": inside, "tried": tried}


PARTS = (checkerboard, shifts, audit, finer, noise)


def main(argv=None):
    """Run the study and write its result."""
    run("convolutional_parts", __doc__, (DEFINITION, QUICK), PARTS, argv)


if __name__ == "__main__":
    main()
