"""Who removes the most noise: a matrix, ten matrices, the classics of image processing, a network?

For `chapters/denoising-autoencoder`. Gaussian noise of a known standard deviation is added to
images with values in [0, 1]; every method's answer is clipped to [0, 1], which costs nothing and
never hurts. First part: the closed forms (the best linear map, a mixture of Gaussians, the mean of
the training images weighted by their distance) and four methods that learn nothing. Second part:
two dense networks with the book's recipe, each with its own rate for each noise level, and one
network for all levels at once; all of them, and the matrix, at every level, also those that they
are not made for. Everything is tuned on other validation images than it is measured on, with a
noise that the results do not use.

Run it with `python -m studies.denoising`, or `--quick`.
"""

import base64
import time

import keras
import numpy as np
from keras import layers, random
from scipy import ndimage
from scipy.special import softmax
from skimage.restoration import denoise_nl_means, denoise_tv_chambolle
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from helpers import fit, load_images
from studies.common import arguments, write_result

DEFINITION = {
    "sigmas": [0.1, 0.3, 0.5],
    "tuned_on": [2000, 2500],  # validation images, from and to
    "measured_on": [0, 1000],
    "mixture": [1, 3, 10, 30, 90, 270],
    "nets": {
        "wide": {"hidden": [256, 256], "sigmas": [0.1, 0.3, 0.5]},
        "bottleneck": {"hidden": [256, 30, 256], "sigmas": [0.3]},
    },
    "blind_up_to": 0.6,
    "pictures": {"sigma": 0.3, "seed": 0, "images": 8},
    "first_rate": 0.02,
    "batch": 512,
    "epochs": 3,
    "tuning_seed": 9,
    "seeds": [0, 1, 2],
    "images": None,
}
QUICK = DEFINITION | {
    "sigmas": [0.3],
    "tuned_on": [20, 40],
    "measured_on": [0, 20],
    "mixture": [1, 3],
    "nets": {"wide": {"hidden": [16, 16], "sigmas": [0.3]}},
    "epochs": 1,
    "seeds": [0],
    "images": 2000,
}


class SomeNoise(layers.Layer):
    """Adds Gaussian noise while training: each image draws its own level, from 0 to `most`."""

    def __init__(self, most):
        super().__init__()
        self.most, self.seed = most, random.SeedGenerator()

    def call(self, x, training=False):
        """Return the images with noise if `training`, else as they are."""
        if not training:
            return x
        sigma = random.uniform((keras.ops.shape(x)[0], 1), 0, self.most, seed=self.seed)
        return x + sigma * random.normal(keras.ops.shape(x), seed=self.seed)


def add_noise(x, sigma, seed):
    """Return images with Gaussian noise of one level, float32."""
    return x + sigma * np.random.default_rng(seed).normal(size=x.shape).astype("float32")


def clipped_mse(x, answer):
    """Return the error of an answer that is clipped to [0, 1]."""
    return float(np.square(np.clip(answer, 0, 1) - x).mean())


def tune(measure, first, factor=2, most=8):
    """Multiply and divide a setting until both neighbours of the best are worse, or give up.

    Returns:
        The best setting, and a dict from every setting tried to its error.
    """
    tried, best = {}, first
    while len(tried) < most:
        for setting in (best / factor, best, best * factor):
            if setting not in tried:
                tried[setting] = measure(setting)
        if best == min(tried, key=tried.get):
            break
        best = min(tried, key=tried.get)
    return best, tried


def fit_gaussians(x, count):
    """Cut the images into clusters and return (mean, eigenvalues, eigenvectors, log weight) of each.

    The clusters are those of the first thirty principal components, or of all there are.
    """
    codes = PCA(min(30, x.shape[1]), svd_solver="covariance_eigh").fit_transform(x)
    labels = KMeans(count, n_init=1, random_state=0).fit_predict(codes)
    gaussians = []
    for label in range(count):
        part = x[labels == label]
        values, vectors = np.linalg.eigh(np.cov(part.T).astype("float32"))
        mean, log_share = part.mean(axis=0), np.float32(np.log(len(part) / len(x)))
        gaussians.append((mean, np.maximum(values, 0), vectors, log_share))
    return gaussians


def by_gaussians(gaussians, noisy, sigma):
    """Return the posterior mean of the images: each Gaussian's answer, by how likely it is."""
    logs = []
    for mean, values, vectors, log_share in gaussians:
        spread = values + sigma**2
        inside = np.square((noisy - mean) @ vectors) / spread + np.log(spread)
        logs.append(log_share - inside.sum(axis=1) / 2)
    answer = np.zeros_like(noisy)
    for weight, (mean, values, vectors, _) in zip(softmax(logs, axis=0), gaussians, strict=True):
        factors = values / (values + sigma**2)
        answer += weight[:, None] * (mean + (noisy - mean) @ vectors * factors @ vectors.T)
    return answer


def by_training_images(x_train, noisy, width):
    """Return the mean of the training images, weighted by exp(-distance²/2 width²)."""
    distances = (x_train**2).sum(axis=1) - 2 * noisy @ x_train.T  # less what all share
    logs = -distances / (2 * width**2)
    weights = np.exp(logs - logs.max(axis=1, keepdims=True))
    return (weights @ x_train) / weights.sum(axis=1, keepdims=True)


def image_filters(sigma):
    """Return the methods that learn nothing: their function of images and a setting, and a start."""

    def each(function):
        return lambda images, setting: np.array([function(image, setting) for image in images])

    def nl_means(size):
        return each(
            lambda image, h: denoise_nl_means(
                image, patch_size=size, patch_distance=6, h=h, sigma=sigma, fast_mode=True
            )
        )

    return {
        "Gaussian blur": (lambda x, width: ndimage.gaussian_filter(x, (0, width, width)), 0.7),
        "total variation": (each(lambda x, weight: denoise_tv_chambolle(x, weight=weight)), sigma),
        "non-local means, 3×3": (nl_means(3), 0.7 * sigma),
        "non-local means, 5×5": (nl_means(5), 0.7 * sigma),
    }


def classical(definition, sigma, mixtures, *, x_train, tuning, valid):
    """Tune and measure everything that needs no gradient; yield (row, answer) for each seed."""
    noisy = add_noise(tuning, sigma, definition["tuning_seed"])
    side = tuning.reshape(-1, 28, 28)
    found = {}  # method: (function of noisy images, its setting, all settings tried)

    tried = {
        count: clipped_mse(tuning, by_gaussians(gaussians, noisy, sigma))
        for count, gaussians in mixtures.items()
    }
    for name, count in (("linear", 1), ("mixture", min(tried, key=tried.get))):
        found[name] = (lambda y, k=count: by_gaussians(mixtures[k], y, sigma)), count, tried

    medians = {
        size: clipped_mse(side, ndimage.median_filter(noisy.reshape(side.shape), (1, size, size)))
        for size in (1, 3, 5, 7)
    }
    size = min(medians, key=medians.get)
    found["median"] = (
        lambda y: ndimage.median_filter(y.reshape(-1, 28, 28), (1, size, size)).reshape(y.shape),
        size,
        medians,
    )
    for name, (function, first) in image_filters(sigma).items():
        best, tried = tune(
            lambda setting, f=function: clipped_mse(side, f(noisy.reshape(side.shape), setting)),
            first,
            factor=1.4,
        )
        found[name] = (
            lambda y, f=function, b=best: f(y.reshape(-1, 28, 28), b).reshape(y.shape),
            best,
            tried,
        )
    width, tried = tune(
        lambda w: clipped_mse(tuning, by_training_images(x_train, noisy, w)), 1.0, factor=1.4
    )
    found["training images"] = (lambda y: by_training_images(x_train, y, width)), width, tried

    for name, (function, setting, tried) in found.items():
        for seed in definition["seeds"]:
            answer = function(add_noise(valid, sigma, seed))
            row = {"part": "classical", "method": name, "sigma": sigma, "seed": seed}
            row |= {"setting": setting, "mse": clipped_mse(valid, answer)}
            row |= {"tried": {f"{key:.4g}": value for key, value in sorted(tried.items())}}
            yield row, answer


def train(definition, hidden, noise, x_train, *, rate, seed):
    """Train a dense network behind a layer of noise with the book's recipe."""
    keras.utils.clear_session()
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input((784,)), noise()])
    for width in hidden:
        model.add(layers.Dense(width, activation="gelu"))
    model.add(layers.Dense(784))
    options = {"epochs": definition["epochs"], "batch_size": definition["batch"]}
    fit(model, x_train, learning_rate=rate, verbose=False, **options)
    return model


def networks(definition, x_train, tuning, valid):
    """Tune and train every network for every level, and one for all; yield (row, answer) by test."""
    specialists = [
        (name, sigma, lambda sigma=sigma: layers.GaussianNoise(sigma))
        for name, net in definition["nets"].items()
        for sigma in net["sigmas"]
    ]
    blind = ("wide", "blind", lambda: SomeNoise(definition["blind_up_to"]))
    for name, made_for, noise in [*specialists, blind]:
        hidden = definition["nets"][name]["hidden"]
        levels = definition["sigmas"] if made_for == "blind" else [made_for]
        noisy = {sigma: add_noise(tuning, sigma, definition["tuning_seed"]) for sigma in levels}

        def measure(rate, hidden=hidden, noise=noise, noisy=noisy):
            seed = definition["tuning_seed"]
            model = train(definition, hidden, noise, x_train, rate=rate, seed=seed)
            answers = [model.predict(y, verbose=0) for y in noisy.values()]
            return float(np.mean([clipped_mse(tuning, answer) for answer in answers]))

        rate, tried = tune(measure, definition["first_rate"])
        for seed in definition["seeds"]:
            model = train(definition, hidden, noise, x_train, rate=rate, seed=seed)
            for sigma in definition["sigmas"]:
                answer = model.predict(add_noise(valid, sigma, seed), verbose=0)
                row = {"part": "network", "method": name, "made_for": made_for, "sigma": sigma}
                row |= {"seed": seed, "rate": rate, "mse": clipped_mse(valid, answer)}
                row |= {"parameters": model.count_params()}
                row |= {"tried": {f"{key:g}": value for key, value in sorted(tried.items())}}
                yield row, answer


def mismatched_matrices(definition, one, valid):
    """Measure the matrix made for one level, or for the mean of all; yield (row, answer) by test."""
    mean_square = definition["blind_up_to"] ** 2 / 3  # of levels from 0 to the highest
    levels = {sigma: sigma for sigma in definition["sigmas"]} | {"blind": mean_square**0.5}
    for made_for, assumed in levels.items():
        for sigma in definition["sigmas"]:
            for seed in definition["seeds"]:
                answer = by_gaussians(one, add_noise(valid, sigma, seed), assumed)
                row = {"part": "matrix", "made_for": made_for, "sigma": sigma, "seed": seed}
                yield row | {"mse": clipped_mse(valid, answer)}, answer


def as_text(images):
    """Return images with values in [0, 1] as text: a byte a pixel, in base64."""
    pixels = np.round(255 * np.clip(images, 0, 1)).astype("uint8")
    return base64.b64encode(pixels.tobytes()).decode()


def is_drawn(row, definition):
    """Say whether a row's answers are kept as pictures."""
    drawn = definition["pictures"]
    return (
        (row["sigma"], row["seed"]) == (drawn["sigma"], drawn["seed"])
        and row.get("made_for", drawn["sigma"]) == drawn["sigma"]
        and row["part"] != "matrix"
    )


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
    mixtures = {count: fit_gaussians(x_train, count) for count in definition["mixture"]}
    parts = [
        networks(definition, x_train, tuning, valid),
        *(
            classical(definition, sigma, mixtures, x_train=x_train, tuning=tuning, valid=valid)
            for sigma in definition["sigmas"]
        ),
        mismatched_matrices(definition, mixtures[1], valid),
    ]
    rows, pictures = [], {}
    for part in parts:
        for row, answer in part:
            rows.append(row)
            if is_drawn(row, definition):
                pictures[row["method"]] = as_text(answer[: definition["pictures"]["images"]])
            print(row, flush=True)
    path = write_result(
        "denoising",
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
