"""One of each thing to move, small and quick to make, for the tests that all of them must pass."""

from functools import cache
from types import SimpleNamespace

import keras
import numpy as np
from keras import layers

from helpers import (
    bottleneck_slider,
    dictionary_browser,
    latent_explorer,
    noise_scrubber,
    sheared_code,
    shift_explorer,
    side_by_side,
)
from helpers.explorer_parts import pack

CLASSES = ("Trouser", "Sandal", "Bag </script>")


def make_decoder(hidden="gelu", output="sigmoid", seed=0):
    """Return an untrained decoder whose images have contrast and use the whole range."""
    keras.utils.set_random_seed(seed)
    loud = keras.initializers.RandomNormal(0, 0.5)
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(16, activation=hidden, kernel_initializer=loud, bias_initializer=loud),
            layers.Dense(32, activation=hidden, kernel_initializer=loud),
            layers.Dense(784, activation=output, kernel_initializer=loud),
        ]
    )


def make_codes(count=300):
    """Return codes of three classes that lie apart, and their labels."""
    random = np.random.default_rng(0)
    labels = np.arange(count) % 3
    return random.normal(size=(count, 2)) + 3 * np.eye(3, 2)[labels], labels


def make_images(count=300):
    """Return random images."""
    return np.random.default_rng(1).random((count, 28, 28))


def latent():
    """Return a latent explorer with real images."""
    return latent_explorer(make_decoder(), *make_codes(), CLASSES, images=make_images())


def pair():
    """Return two latent explorers, the second mirrored."""
    codes, labels = make_codes()
    first = latent_explorer(make_decoder(), codes, labels, CLASSES, title="First")
    second = latent_explorer(make_decoder(seed=5), -codes, labels, CLASSES, title="Second")
    return side_by_side(first, second)


def make_bottleneck():
    """Return what the slider takes: a result as the study writes it, and a PCA."""
    random = np.random.default_rng(2)
    sizes, seeds = [2, 10, 50], [0, 1, 2]
    rows = [
        {"code": k, "seed": seed, "val_mse": 0.05 / k**0.5 * (0.7 + 0.01 * seed)}
        for k in sizes
        for seed in seeds
    ]
    pictures = random.integers(0, 256, (4, 10, 784))
    result = {
        "definition": {"codes": sizes, "seeds": seeds, "widths": [512, 256]},
        "rows": rows,
        "pca_mse": {str(k): 0.05 / k**0.5 for k in sizes},
        "names": [f"class <{i}>" for i in range(10)],
        "garments": pack(pictures[0], "u1"),
        "drawn": {str(k): pack(pictures[i], "u1") for i, k in enumerate(sizes, 1)},
    }
    axes = np.linalg.qr(random.normal(size=(784, 50))).Q.T
    return result, SimpleNamespace(components_=axes, mean_=random.random(784))


def make_decoders(runs=3):
    """Return points in space, decoders that span their plane, and such with upright arrows."""
    random = np.random.default_rng(3)
    points = random.normal(size=(60, 3)) * [1, 0.5, 0.2] + [0.2, 0.3, 0.1]
    plane = np.linalg.svd(points - points.mean(axis=0), full_matrices=False).Vh[:2]
    plain = random.uniform(-1, 1, (runs, 2, 2)) + np.eye(2)
    turns = np.linalg.qr(random.normal(size=(runs, 2, 2))).Q
    return points, plain @ plane, 0.9 * turns @ plane


def slider():
    """Return a bottleneck slider."""
    return bottleneck_slider(*make_bottleneck())


def shear():
    """Return a sheared code."""
    return sheared_code(*make_decoders())


def make_dictionary():
    """Return atoms, their mean image, images, and sparse codes of them."""
    random = np.random.default_rng(4)
    atoms = random.normal(size=(40, 784))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.zeros((6, 40))
    for row in codes:
        row[random.choice(40, 5, replace=False)] = random.uniform(1, 4, 5)
    mean = random.random(784) / 2
    return atoms, mean, np.clip(mean + codes @ atoms, 0, 1), codes


def dictionary():
    """Return a dictionary browser."""
    return dictionary_browser(*make_dictionary(), ["Shirt <b>"] * 6)


class Dimmer:
    """Stands for a network: draws every canvas darker by a factor, and its left half black."""

    def __init__(self, factor):
        self.factor = factor

    def predict(self, x, verbose):
        """Draw canvases."""
        drawn = self.factor * x
        drawn[:, :, : x.shape[2] // 2] = 0
        return drawn


def make_garment():
    """Return a random image."""
    return np.random.default_rng(4).random((10, 8))


DIMMERS = {"dense <1>": Dimmer(0.5), "convolutional": Dimmer(0.8)}


def shift():
    """Return a shift explorer."""
    return shift_explorer(make_garment(), DIMMERS, most=3)


def make_noisy():
    """Return what the scrubber takes: images, noise, two denoisers, names; and the plane's keywords."""
    random = np.random.default_rng(4)
    keras.utils.set_random_seed(4)
    compass = keras.Sequential(
        [keras.Input((3,)), layers.Dense(8, activation="gelu"), layers.Dense(2)]
    )
    denoisers = {
        "half": lambda y, sigma: y / 2,
        "shrunk": lambda y, sigma: y / (1 + sigma**2),
    }
    names = ("Trouser", "Sandal", "Bag </script>")
    plane = {"points": random.normal(size=(40, 2)), "starts": random.normal(size=(12, 2))}
    images = random.random((3, 28, 28)), random.normal(size=(3, 28, 28))
    return (*images, denoisers, names), {"compass": compass, **plane}


def scrubber():
    """Return a noise scrubber."""
    arguments, plane = make_noisy()
    return noise_scrubber(*arguments, **plane)


MAKERS = {
    "dictionary": dictionary,
    "latent": latent,
    "pair": pair,
    "scrubber": scrubber,
    "slider": slider,
    "shear": shear,
    "shift": shift,
}


@cache
def sample(name):
    """Return the explorer of this name, made once."""
    return MAKERS[name]()
