"""What convolutions add to denoising, and what the denoisers draw when they start from pure noise.

For `chapters/denoising-autoencoder`. First part: the small U-Net, which estimates the noise and
subtracts it, on the images and the noise of the study `denoising`; its rates are tuned with fewer
training images. Second part: denoisers as samplers. Four of them walk from pure noise to
images by the same deterministic steps: the best linear one, a mixture of Gaussians, the exact one
for the training images, and a U-Net that is told the level. Measured: the Fréchet distance between
features of their samples and of other photographs, and how near a sample is to its nearest training
image.

Run it with `python -m studies.denoising_unet`, or `--quick`.
"""

import time
from itertools import pairwise

import keras
import numpy as np
from keras import layers

from helpers import classifier_features, fit, frechet_distance, load_images, small_unet
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result
from studies.denoising import (
    add_noise,
    as_text,
    by_gaussians,
    by_training_images,
    clipped_mse,
    fit_gaussians,
    tune,
)

BORROWED = {
    "add_noise",
    "as_text",
    "by_gaussians",
    "by_training_images",
    "clipped_mse",
    "fit_gaussians",
    "tune",
}  # from the study `denoising`

DEFINITION = {
    "sigmas": [0.1, 0.3, 0.5],
    "tuned_on": [2000, 2500],  # validation images, from and to
    "measured_on": [0, 1000],
    "width": 8,
    "batch": 32,
    "epochs": 1,
    "first_rate": 0.01,
    "images_to_tune": 20_000,
    "pictures": {"sigma": 0.3, "seed": 0, "images": 8},
    "sampler": {
        "gaussians": 10,
        "images_of_exact": 10_000,
        "samples": 500,
        "highest": 10,
        "lowest": 0.02,
        "steps": 40,
        "spread": 0.35,  # of the pixels, about their mean
        "log_level": [-1.2, 1.2],  # mean and deviation in training
        "epochs": 5,
        "rate": 0.01,
        "drawn": 8,
    },
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash({}, *code_reached(BORROWED, [STUDIES / "denoising.py"])),
}
QUICK = DEFINITION | {
    "sigmas": [0.3],
    "tuned_on": [50, 100],
    "measured_on": [0, 50],
    "width": 1,
    "seeds": [0],
    "images": 500,
    "sampler": DEFINITION["sampler"]
    | {"gaussians": 2, "samples": 40, "steps": 2, "images_of_exact": 100},
}


def adam(rate, steps):
    """Return Adam with a rate that rises in a tenth of the steps and then falls along a cosine.

    Without the rise, one run in three of the best rate went astray in its first steps.
    """
    rise = steps // 10
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0, steps - rise, warmup_target=rate, warmup_steps=rise
    )
    return keras.optimizers.Adam(schedule)


def train(definition, sigma, x_train, *, rate, seed):
    """Train the U-Net to subtract noise of one level."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    image = keras.Input((28, 28, 1))
    noisy = layers.GaussianNoise(sigma)(image)
    noise = small_unet(definition["width"])(noisy)
    model = keras.Model(image, layers.Subtract()([noisy, noise]))
    steps = -(-len(x_train) // definition["batch"]) * definition["epochs"]
    model.compile(loss="mse", optimizer=adam(rate, steps))
    options = {"epochs": definition["epochs"], "batch_size": definition["batch"]}
    fit(model, x_train, verbose=False, **options)
    return model


def denoisers(definition, x_train, tuning, valid):
    """Tune and train the U-Net for each level; yield (row, answer) for each seed."""
    for sigma in definition["sigmas"]:

        def measure(rate, sigma=sigma):
            seed = definition["tuning_seed"]
            few = x_train[: definition["images_to_tune"]]
            model = train(definition, sigma, few, rate=rate, seed=seed)
            return clipped_mse(tuning, model.predict(add_noise(tuning, sigma, seed), verbose=0))

        rate, tried = tune(measure, definition["first_rate"])
        for seed in definition["seeds"]:
            model = train(definition, sigma, x_train, rate=rate, seed=seed)
            # Drawn in the form of the other study, so that both see the same noise.
            noisy = add_noise(valid.reshape(-1, 784), sigma, seed).reshape(valid.shape)
            answer = model.predict(noisy, verbose=0)
            row = {"part": "network", "method": "U-Net", "made_for": sigma, "sigma": sigma}
            row |= {"seed": seed, "rate": rate, "mse": clipped_mse(valid, answer)}
            row |= {"parameters": model.count_params()}
            yield row | {"tried": {f"{key:g}": mse for key, mse in sorted(tried.items())}}, answer


def scales(sigma, spread):
    """Return how much of the noisy image is kept, the size of what is added, and the input's scale.

    Source: Karras et al. 2022, arXiv:2206.00364, table 1.
    """
    both = sigma**2 + spread**2
    return spread**2 / both, sigma * spread / both**0.5, 1 / both**0.5


def train_for_all_levels(definition, x_train, *, rate, seed):
    """Train a U-Net that is told the level; return its function of noisy images and a level."""
    how, random = definition["sampler"], np.random.default_rng(seed)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = small_unet(definition["width"], channels=2)
    steps = -(-len(x_train) // definition["batch"]) * how["epochs"]
    model.compile(loss="mse", optimizer=adam(rate, steps))
    middle = x_train.mean()

    def inputs(noisy, sigma):
        level = np.broadcast_to(np.log(sigma) / 4, noisy.shape)
        scale = scales(sigma, how["spread"])[2]
        return np.concatenate([scale * noisy, level], axis=-1).astype("float32")

    for _ in range(how["epochs"]):
        sigma = np.exp(random.normal(*how["log_level"], (len(x_train), 1, 1, 1))).astype("float32")
        noisy = x_train - middle + sigma * random.normal(size=x_train.shape).astype("float32")
        keep, size, _ = scales(sigma, how["spread"])
        target = (x_train - middle - keep * noisy) / size
        fit(
            model,
            inputs(noisy, sigma),
            target,
            epochs=1,
            batch_size=definition["batch"],
            verbose=False,
        )

    def denoise(noisy, sigma):
        centred = noisy.reshape(-1, 28, 28, 1) - middle
        keep, size, _ = scales(sigma, how["spread"])
        added = model.predict(inputs(centred, sigma), verbose=0, batch_size=500)
        return (keep * centred + size * added + middle).reshape(noisy.shape)

    return denoise


def walk(denoise, noise, how):
    """Walk from noise of the highest level to an image, along the residual, in Heun's steps.

    Source: Karras et al. 2022, arXiv:2206.00364, algorithm 1.
    """
    ends = how["highest"] ** (1 / 7), how["lowest"] ** (1 / 7)
    levels = (np.linspace(*ends, how["steps"]) ** 7).tolist()
    x = how["highest"] * noise
    for here, there in pairwise(levels):
        slope = (x - denoise(x, here)) / here
        ahead = x + (there - here) * slope
        x = x + (there - here) * (slope + (ahead - denoise(ahead, there)) / there) / 2
    return denoise(x, levels[-1])


def nearest(x, x_train):
    """Return the MSE of each image to its nearest training image, and that image's number."""
    squared = (x**2).sum(axis=1)[:, None] - 2 * x @ x_train.T + (x_train**2).sum(axis=1)
    return squared.min(axis=1) / 784, squared.argmin(axis=1)


def samplers(definition, images, x_train, rate):
    """Let every denoiser draw; yield a row and the first samples for each seed."""
    how = definition["sampler"]
    classifier = classifier_features(x_train, images.y_train[: len(x_train)])

    def features(x):
        return classifier.predict(np.clip(x, 0, 1).reshape(-1, 784), verbose=0)

    real = features(images.x_test)
    one, many = (fit_gaussians(x_train, count) for count in (1, how["gaussians"]))
    few = x_train[: how["images_of_exact"]]
    for seed in definition["seeds"]:
        learned = train_for_all_levels(
            definition, x_train.reshape(-1, 28, 28, 1), rate=rate, seed=seed
        )
        walkers = {
            "linear": lambda y, sigma: by_gaussians(one, y, sigma),
            "mixture": lambda y, sigma: by_gaussians(many, y, sigma),
            "learned": learned,
            "exact": lambda y, sigma: by_training_images(few, y, sigma),
        }
        noise = np.random.default_rng(seed).normal(size=(how["samples"], 784)).astype("float32")
        start = how["samples"] * seed
        sets = {"photographs": images.x_valid.reshape(-1, 784)[start : start + how["samples"]]}
        sets |= {name: walk(denoise, noise, how) for name, denoise in walkers.items()}
        for name, samples in sets.items():
            distance, number = nearest(np.clip(samples, 0, 1).astype("float32"), x_train)
            row = {"part": "samples", "method": name, "seed": seed}
            row |= {"frechet": frechet_distance(features(samples), real)}
            row |= {"nearest": float(np.median(distance))}
            row |= {"pixel_variance": float(samples.var(axis=0).sum())}
            yield row, (samples[: how["drawn"]], x_train[number[: how["drawn"]]])


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x_train = images.x_train[: definition["images"], ..., None]
    valid, tuning = (
        images.x_valid[slice(*definition[part]), ..., None] for part in ("measured_on", "tuned_on")
    )
    rows, pictures, samples = [], {}, {}
    for row, answer in denoisers(definition, x_train, tuning, valid):
        rows.append(row)
        print(row, flush=True)
        drawn = definition["pictures"]
        if (row["sigma"], row["seed"]) == (drawn["sigma"], drawn["seed"]):
            pictures["U-Net"] = as_text(answer[: drawn["images"]])
    for row, (drawn, neighbours) in samplers(
        definition, images, x_train.reshape(-1, 784), definition["sampler"]["rate"]
    ):
        rows.append(row)
        print(row, flush=True)
        if row["seed"] == definition["seeds"][0]:
            samples[row["method"]] = {"drawn": as_text(drawn), "nearest": as_text(neighbours)}
    path = write_result(
        "denoising_unet",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        pictures=pictures,
        samples=samples,
    )
    print(path)


if __name__ == "__main__":
    main()
