"""One of each thing to move, small and quick to make, for the tests that all of them must pass."""

from functools import cache

import keras
import numpy as np
from keras import layers

from helpers import latent_explorer, side_by_side

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


MAKERS = {"latent": latent, "pair": pair}


@cache
def sample(name):
    """Return the explorer of this name, made once."""
    return MAKERS[name]()
