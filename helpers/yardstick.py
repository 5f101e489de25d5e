"""How far samples are from data: two distances between sets, and features to measure in."""

import keras
import numpy as np
from keras import layers

from helpers.training import fit


def frechet_distance(x, y):
    """Return the squared Fréchet distance between the normal distributions fitted to two sets.

    `‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½)`: zero exactly when means and covariances agree. It is
    biased upwards, the more the smaller the sets, so compare sets of one size, and with a floor.

    Args:
        x: float array (n, d), features of one set.
        y: float array (m, d), features of the other.

    Returns:
        A float of at least 0, in squared units of the features.

    Raises:
        ValueError: the sets are not two-dimensional or not equally wide, or one has fewer than two
            rows.

    Source: Dowson & Landau 1982, doi:10.1016/0047-259X(82)90077-X; for images, Heusel et al. 2017,
    arXiv:1706.08500.
    """
    x, y = _check_sets(x, y)
    covariance_x, covariance_y = np.atleast_2d(np.cov(x.T)), np.atleast_2d(np.cov(y.T))
    values, axes = np.linalg.eigh(covariance_x)
    root = axes * np.sqrt(np.maximum(values, 0)) @ axes.T
    # The eigenvalues of C₁C₂ are those of this symmetric matrix, whose root is safe to take.
    common = np.linalg.eigvalsh(root @ covariance_y @ root)
    apart = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    spread = np.trace(covariance_x) + np.trace(covariance_y)
    return max(0.0, float(apart + spread - 2 * np.sqrt(np.maximum(common, 0)).sum()))


def energy_distance(x, y):
    """Return the energy distance between two sets, with the means over all pairs.

    `√(2 E‖X − Y‖ − E‖X − X'‖ − E‖Y − Y'‖)`: for distributions, zero exactly when they are equal.

    Args:
        x: float array (n, d).
        y: float array (m, d).

    Returns:
        A float of at least 0, in units of the data.

    Raises:
        ValueError: as `frechet_distance`.

    Source: Székely & Rizzo 2013, doi:10.1016/j.jspi.2013.03.018.
    """
    x, y = _check_sets(x, y)
    squared = 2 * _mean_distance(x, y) - _mean_distance(x, x) - _mean_distance(y, y)
    return float(np.sqrt(max(squared, 0)))


def classifier_features(x, y, *, convolutional=False, seed=42, epochs=3):
    """Train a small classifier and return the part of it that computes its 128 last features.

    Args:
        x: float32 array (n, 784), images of 28 by 28 pixels.
        y: int array (n,), their classes, from 0 on.
        convolutional: bool, whether two convolutions stand in the place of a hidden layer of 256.
        seed: int, of the weights and the batches.
        epochs: int.

    Returns:
        A `keras.Model` from (n, 784) to (n, 128).
    """
    keras.utils.set_random_seed(seed)
    first = [layers.Dense(256, "gelu")]
    if convolutional:
        first = [
            layers.Reshape((28, 28, 1)),
            layers.Conv2D(16, 5, strides=2, activation="gelu"),
            layers.Conv2D(32, 5, strides=2, activation="gelu"),
            layers.Flatten(),
        ]
    features = keras.Sequential([keras.Input((784,)), *first, layers.Dense(128, "gelu")])
    classifier = keras.Sequential([features, layers.Dense(int(np.max(y)) + 1, "softmax")])
    classifier.compile(loss="sparse_categorical_crossentropy", optimizer=keras.optimizers.Adam())
    fit(classifier, x, y, epochs=epochs, verbose=False)
    return features


def _mean_distance(x, y):
    """Return the mean distance of all pairs; through products of matrices, for speed."""
    total = 0.0
    lengths = np.square(y).sum(axis=1)
    for part in np.array_split(x, max(1, len(x) // 1000)):
        squares = np.square(part).sum(axis=1)[:, None] + lengths - 2 * part @ y.T
        total += np.sqrt(np.maximum(squares, 0)).sum()
    return total / (len(x) * len(y))


def _check_sets(x, y):
    """Return both sets in double precision, if they can be compared."""
    x, y = np.asarray(x, "float64"), np.asarray(y, "float64")
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) < 2:
        raise ValueError(
            "Two sets of shape (n, d) are wanted, equally wide and with at least two rows, not "
            f"{x.shape} and {y.shape}."
        )
    return x, y
