"""What four denoisers draw when they start from pure noise.

For `chapters/denoising-autoencoder`. The best linear denoiser, a mixture of Gaussians, the exact
denoiser of some training images and a small U-Net that is told the level walk from the same noise to
images by the same deterministic steps. The U-Net has trained at every level that the walk visits; its
rate is tuned on other images. Beside them: other photographs (the floor), images drawn from the
Gaussian without any walk (the check of the walk), and the exact denoiser's walk from noise about zero
instead of about the mean image (the mistake that is easily made). Measured: the Fréchet distance
between features of the samples and of the test images, the distance of a sample to its nearest
training image, and the mean of the pixels.

Run it with `python -m studies.denoising_samples`, or `--quick`.
"""

import time
from itertools import pairwise

import keras
import numpy as np

from helpers import classifier_features, fit, frechet_distance, load_images, small_unet
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result
from studies.denoising import as_text, by_gaussians, by_training_images, fit_gaussians, tune
from studies.denoising_unet import adam

BORROWED = {
    "adam",
    "as_text",
    "by_gaussians",
    "by_training_images",
    "fit_gaussians",
    "tune",
}  # from the studies `denoising` and `denoising_unet`

DEFINITION = {
    "gaussians": 10,
    "images_of_exact": 5000,
    "samples": 500,
    "how": {"highest": 30, "lowest": 0.02, "steps": 30},
    "drawn": 8,
    "unet": {
        "width": 8,
        "batch": 32,
        "epochs": 5,
        "spread": 0.3,  # of a pixel about its own mean
        "first_rate": 0.01,
        "images_to_tune": 20_000,
        "tuned_on": [2000, 3000],  # validation images, from and to
        "tuning_seed": 9,
    },
    "seeds": [0, 1, 2],
    "images": None,
    "borrowed": code_hash(
        {},
        *code_reached(BORROWED, [STUDIES / "denoising.py", STUDIES / "denoising_unet.py"]),
    ),
}
QUICK = DEFINITION | {
    "gaussians": 2,
    "images_of_exact": 100,
    "samples": 40,
    "how": {"highest": 30, "lowest": 0.02, "steps": 3},
    "unet": DEFINITION["unet"] | {"width": 1, "epochs": 1, "tuned_on": [50, 100]},
    "seeds": [0],
    "images": 500,
}


def from_gaussian(gaussian, noise):
    """Draw from one Gaussian at once, without a walk."""
    mean, values, vectors, _ = gaussian
    return mean + noise * np.sqrt(values) @ vectors.T


def scales(sigma, spread):
    """Return how much of the noisy image is kept, the size of what is added, and the input's scale.

    Source: Karras et al. 2022, arXiv:2206.00364, table 1.
    """
    both = sigma**2 + spread**2
    return spread**2 / both, sigma * spread / both**0.5, 1 / both**0.5


def draw_levels(how, count, random):
    """Draw levels over the whole walk, evenly in their logarithm, one for each image."""
    ends = np.log([how["lowest"], how["highest"]])
    return np.exp(random.uniform(*ends, (count, 1, 1, 1))).astype("float32")


def lesson(definition, centred, random):
    """Return what the U-Net sees of images about their mean, noised afresh, and its targets."""
    sigma = draw_levels(definition["how"], len(centred), random)
    noisy = centred + sigma * random.normal(size=centred.shape).astype("float32")
    keep, size, _ = scales(sigma, definition["unet"]["spread"])
    return inputs(definition, noisy, sigma), (centred - keep * noisy) / size


def inputs(definition, noisy, sigma):
    """Return noisy images about their mean, scaled, and beside them an image of the level."""
    level = np.broadcast_to(np.log(sigma) / 4, noisy.shape)
    scale = scales(sigma, definition["unet"]["spread"])[2]
    return np.concatenate([scale * noisy, level], axis=-1).astype("float32")


def train(definition, centred, *, rate, seed):
    """Train a U-Net that is told the level, on images (n, 28, 28, 1) about their mean."""
    how, random = definition["unet"], np.random.default_rng(seed)
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = small_unet(how["width"], channels=2)
    steps = -(-len(centred) // how["batch"]) * how["epochs"]
    model.compile(loss="mse", optimizer=adam(rate, steps))
    for _ in range(how["epochs"]):
        x, y = lesson(definition, centred, random)
        fit(model, x, y, epochs=1, batch_size=how["batch"], verbose=False)
    return model


def tuned_rate(definition, images, mean):
    """Return the best rate by the error on other images, and all that were tried."""
    how = definition["unet"]
    few = images.x_train.reshape(-1, 784)[: definition["images"]][: how["images_to_tune"]] - mean
    others = images.x_valid.reshape(-1, 784)[slice(*how["tuned_on"])] - mean
    seed = how["tuning_seed"]
    x, y = lesson(definition, others.reshape(-1, 28, 28, 1), np.random.default_rng(seed))

    def measure(rate):
        model = train(definition, few.reshape(-1, 28, 28, 1), rate=rate, seed=seed)
        loss = float(np.square(y - model.predict(x, verbose=0)).mean())
        print({"rate": rate, "loss": loss}, flush=True)
        return loss

    return tune(measure, how["first_rate"])


def learned(definition, x_train, mean, *, rate, seed):
    """Train a U-Net; return its function of noisy images and a level."""
    centred = (x_train - mean).reshape(-1, 28, 28, 1)
    model = train(definition, centred, rate=rate, seed=seed)

    def denoise(noisy, sigma):
        noisy = (noisy - mean).reshape(-1, 28, 28, 1)
        keep, size, _ = scales(sigma, definition["unet"]["spread"])
        found = inputs(definition, noisy, np.float32(sigma))
        added = model.predict(found, verbose=0, batch_size=500)
        return (keep * noisy + size * added).reshape(-1, 784) + mean

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


def samples(definition, images, x_train, rate):
    """Let everybody draw; yield (method, seed, samples)."""
    how = definition["how"]
    one, many = (fit_gaussians(x_train, count) for count in (1, definition["gaussians"]))
    few = x_train[: definition["images_of_exact"]]
    mean = x_train.mean(axis=0)

    def exact(noisy, sigma):
        return by_training_images(few, noisy, sigma)

    for seed in definition["seeds"]:
        n = definition["samples"]
        yield "photographs", seed, images.x_valid.reshape(-1, 784)[n * seed : n * (seed + 1)]
        noise = np.random.default_rng(seed).normal(size=(n, 784)).astype("float32")
        yield "gaussian", seed, from_gaussian(one[0], noise)
        about_mean = noise + mean / how["highest"]  # the walk multiplies it by the highest level
        yield "linear", seed, walk(lambda y, s: by_gaussians(one, y, s), about_mean, how)
        yield "mixture", seed, walk(lambda y, s: by_gaussians(many, y, s), about_mean, how)
        yield "exact", seed, walk(exact, about_mean, how)
        network = learned(definition, x_train, mean, rate=rate, seed=seed)
        yield "learned", seed, walk(network, about_mean, how)
        yield "exact, about zero", seed, walk(exact, noise, how)


def main(argv=None):
    """Run the study and write its result."""
    options = arguments(__doc__, argv)
    definition = QUICK if options.quick else DEFINITION
    start = time.perf_counter()
    images = load_images()
    x_train = images.x_train.reshape(-1, 784)[: definition["images"]]
    classifier = classifier_features(x_train, images.y_train[: len(x_train)])

    def features(x):
        return classifier.predict(np.clip(x, 0, 1), verbose=0)

    real = features(images.x_test.reshape(-1, 784))
    rows, pictures = [], {}
    rate, tried = tuned_rate(definition, images, x_train.mean(axis=0))
    for method, seed, drawn in samples(definition, images, x_train, rate):
        distance, number = nearest(np.clip(drawn, 0, 1).astype("float32"), x_train)
        row = {"method": method, "seed": seed, "frechet": frechet_distance(features(drawn), real)}
        row |= {"nearest": float(np.median(distance)), "brightness": float(drawn.mean())}
        row |= {"pixel_variance": float(drawn.var(axis=0).sum())}
        rows.append(row)
        print(row, flush=True)
        if seed == definition["seeds"][0]:
            first = slice(definition["drawn"])
            pictures[method] = {
                "drawn": as_text(drawn[first]),
                "nearest": as_text(x_train[number[first]]),
            }
    path = write_result(
        "denoising_samples",
        definition,
        rows,
        time.perf_counter() - start,
        folder=options.out,
        quick=options.quick,
        data=images.name,
        pictures=pictures,
        rate=rate,
        loss_by_rate={f"{key:g}": loss for key, loss in sorted(tried.items())},
    )
    print(path)


if __name__ == "__main__":
    main()
