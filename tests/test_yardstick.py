"""The distances between sets: closed forms, another library's numbers, plain errors."""

import numpy as np
import pytest
from scipy.stats import energy_distance as scipy_energy_distance

from helpers.yardstick import classifier_features, energy_distance, frechet_distance


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def with_moments(rng, mean, covariance, n=400):
    """Points that have exactly this mean and covariance."""
    x = rng.normal(size=(n, len(mean)))
    x = (x - x.mean(axis=0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(x.T))).T
    return x @ np.linalg.cholesky(covariance).T + mean


def test_a_set_is_no_distance_from_itself(rng):
    x = rng.normal(size=(50, 8))
    assert frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert energy_distance(x, x) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(x[:4], x[:4]) == pytest.approx(0, abs=1e-6)  # covariances are singular


def test_frechet_distance_of_two_normal_distributions(rng):
    """Commuting covariances: squared differences of means and of standard deviations."""
    x = with_moments(rng, [0, 0, 0], np.diag([1.0, 4, 9]))
    y = with_moments(rng, [1, 0, 2], np.diag([4.0, 4, 1]))
    assert frechet_distance(x, y) == pytest.approx(1 + 4 + (2 - 1) ** 2 + (3 - 1) ** 2)


def test_frechet_distance_where_covariances_do_not_commute(rng):
    """Against the root of a 2 × 2 matrix: its trace is √(trace + 2 √determinant)."""
    first, second = np.array([[2.0, 0.5], [0.5, 1]]), np.array([[1.0, -0.3], [-0.3, 3]])
    product = first @ second
    root = np.sqrt(np.trace(product) + 2 * np.sqrt(np.linalg.det(product)))
    expected = np.trace(first + second) - 2 * root
    x, y = with_moments(rng, [0, 0], first), with_moments(rng, [0, 0], second)
    assert frechet_distance(x, y) == pytest.approx(expected)
    assert frechet_distance(y, x) == pytest.approx(expected)


def test_energy_distance_is_scipys_in_one_dimension(rng):
    x, y = rng.normal(size=2300), rng.normal(size=700) + 0.5
    expected = scipy_energy_distance(x, y)
    assert energy_distance(x[:, None], y[:, None]) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("distance", [frechet_distance, energy_distance])
@pytest.mark.parametrize("shapes", [((5, 2), (5, 3)), ((1, 2), (5, 2)), ((5,), (5,))])
def test_sets_that_cannot_be_compared(distance, shapes):
    with pytest.raises(ValueError, match=r"Two sets of shape \(n, d\)"):
        distance(*(np.zeros(shape) for shape in shapes))


@pytest.mark.parametrize("convolutional", [False, True])
def test_features_are_those_of_a_trained_classifier(rng, convolutional, without_graphs):
    """Bright and dark images lie apart in the features, farther than untrained; a seed repeats them."""
    y = np.arange(200) % 2
    x = (rng.uniform(size=(200, 784)) * 0.2 + 0.7 * y[:, None]).astype("float32")
    options = {"convolutional": convolutional, "epochs": 2}
    model = classifier_features(x, y, **options)
    found = model.predict(x, verbose=0)
    assert found.shape == (200, 128)
    halves = frechet_distance(found[y == 1][:50], found[y == 1][50:])
    apart = frechet_distance(found[y == 0], found[y == 1])
    assert apart > 10 * halves
    untrained = classifier_features(x, y, **options | {"epochs": 0}).predict(x, verbose=0)
    assert apart > 2 * frechet_distance(untrained[y == 0], untrained[y == 1])
    again = classifier_features(x, y, **options)
    np.testing.assert_allclose(again.predict(x, verbose=0), found, rtol=1e-3, atol=1e-5)
