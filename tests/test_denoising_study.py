"""The studies of denoising: closed forms against brute force, and tuning that ends inside its grid."""

import numpy as np
import pytest

from helpers import read_result
from studies import denoising, denoising_copies, denoising_samples


@pytest.fixture
def random():
    return np.random.default_rng(0)


def test_one_gaussian_is_the_linear_filter(random):
    x = random.normal(size=(400, 5)) @ random.normal(size=(5, 5)) + 1
    noisy = denoising.add_noise(x, 0.5, seed=1)
    covariance = np.cov(x.T)
    factor = covariance @ np.linalg.inv(covariance + 0.25 * np.eye(5))
    expected = x.mean(axis=0) + (noisy - x.mean(axis=0)) @ factor.T
    answer = denoising.by_gaussians(denoising.fit_gaussians(x, 1), noisy, 0.5)
    np.testing.assert_allclose(answer, expected, atol=1e-3)


def test_a_mixture_gives_the_posterior_mean(random):
    """On a line the mean of all clean points behind a noisy one can be found by counting."""
    x = np.concatenate([random.normal(-2, 0.3, 400_000), random.normal(1, 0.6, 400_000)])[:, None]
    gaussians = [
        (np.full(1, m), np.full(1, s**2), np.eye(1), np.log(0.5)) for m, s in ((-2, 0.3), (1, 0.6))
    ]
    noisy = x + random.normal(size=x.shape)
    for place in (-1.5, -0.5, 0.5):
        near = np.abs(noisy - place) < 0.02
        answer = denoising.by_gaussians(gaussians, np.full((1, 1), place), 1.0)
        assert abs(answer[0, 0] - x[near].mean()) < 0.05


def test_training_images_are_weighted_by_their_distance(random):
    few, noisy = random.normal(size=(7, 4)), random.normal(size=(3, 4))
    weights = np.exp(-np.square(noisy[:, None] - few).sum(axis=2) / (2 * 0.8**2))
    expected = weights @ few / weights.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(denoising.by_training_images(few, noisy, 0.8), expected)


@pytest.mark.parametrize("best", [0.01, 0.3, 5.0])
def test_tuning_goes_on_until_both_neighbours_are_worse(best):
    found, tried = denoising.tune(lambda setting: abs(np.log(setting / best)), 0.3, most=30)
    assert abs(np.log(found / best)) <= np.log(2) / 2
    assert min(tried) < found < max(tried)


def test_a_walk_along_the_best_matrix_ends_in_its_gaussian(random):
    x = random.normal(size=(2000, 2)) * [0.5, 0.1]
    one = denoising.fit_gaussians(x, 1)
    how = {"highest": 10, "lowest": 0.02, "steps": 40}
    noise = random.normal(size=(4000, 2))
    samples = denoising_samples.walk(lambda y, s: denoising.by_gaussians(one, y, s), noise, how)
    np.testing.assert_allclose(samples.std(axis=0), [0.5, 0.1], rtol=0.06)


def test_a_walk_must_begin_about_the_mean(random):
    """From a finite level, a walk that begins about zero does not reach the mean of the data."""
    x = random.normal(size=(2000, 2)) + 5
    one = denoising.fit_gaussians(x, 1)
    how = {"highest": 10, "lowest": 0.02, "steps": 40}
    noise = random.normal(size=(4000, 2))

    def end(start):
        return denoising_samples.walk(lambda y, s: denoising.by_gaussians(one, y, s), start, how)

    about_mean = end(noise + x.mean(axis=0) / how["highest"])
    np.testing.assert_allclose(about_mean.mean(axis=0), x.mean(axis=0), atol=0.1)
    assert (end(noise).mean(axis=0) < x.mean(axis=0) - 0.3).all()


def test_steins_estimate_is_the_error_of_a_known_denoiser(random):
    class Half:
        """Halves its input."""

        @staticmethod
        def predict(x, verbose):
            return x / 2

    definition = {"sigma": 0.3, "step": 0.01}
    x = random.random((400, 784)).astype("float32")
    found = denoising_copies.probe(Half, definition, x, seed=0)
    assert found["trace"] == pytest.approx(392, rel=0.01)
    assert found["noise_passed"] == pytest.approx(0.25, rel=0.01)
    assert found["stein"] == pytest.approx(found["mse"], rel=0.01)


@pytest.mark.parametrize(
    "name", ["denoising", "denoising_unet", "denoising_copies", "denoising_targets"]
)
def test_what_was_tuned_lies_inside_its_grid(name):
    found = [row for row in read_result(name)["rows"] if "tried" in row]
    assert found
    for row in found:
        tried = {float(key): mse for key, mse in row["tried"].items()}
        best = min(tried, key=tried.get)
        # One Gaussian, and no median at all, are the ends of what there is.
        ends = {1} if row.get("method") in ("linear", "mixture", "median") else set()
        assert best in ends or min(tried) < best < max(tried), row
