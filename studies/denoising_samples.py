"""What three denoisers in closed form draw when they start from pure noise.

For `chapters/denoising-autoencoder`. The best linear denoiser, a mixture of Gaussians and the exact
denoiser of some training images walk from noise to images by the same deterministic steps. Beside
them: other photographs (the floor), images drawn from the Gaussian without any walk (the check of the
walk), and the exact denoiser's walk from noise about zero instead of about the mean image (the
mistake that is easily made). Measured: the Fréchet distance between features of the samples and of
the test images, the distance of a sample to its nearest training image, and the mean of the pixels.

Nothing is trained but the classifier whose features are compared, and nothing is tuned.

Run it with `python -m studies.denoising_samples`, or `--quick`.
"""

import time

import numpy as np

from helpers import classifier_features, frechet_distance, load_images
from studies.common import STUDIES, arguments, code_hash, code_reached, write_result
from studies.denoising import as_text, by_gaussians, by_training_images, fit_gaussians
from studies.denoising_unet import nearest, walk

BORROWED = {
    "as_text",
    "by_gaussians",
    "by_training_images",
    "fit_gaussians",
    "nearest",
    "walk",
}  # from the studies `denoising` and `denoising_unet`

DEFINITION = {
    "gaussians": 10,
    "images_of_exact": 5000,
    "samples": 500,
    "how": {"highest": 30, "lowest": 0.02, "steps": 30},
    "drawn": 8,
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
    "seeds": [0],
    "images": 500,
}


def from_gaussian(gaussian, noise):
    """Draw from one Gaussian at once, without a walk."""
    mean, values, vectors, _ = gaussian
    return mean + noise * np.sqrt(values) @ vectors.T


def samples(definition, images, x_train):
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
    for method, seed, drawn in samples(definition, images, x_train):
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
    )
    print(path)


if __name__ == "__main__":
    main()
