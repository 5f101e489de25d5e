"""The study of pretraining: its result is whole and consistent, and it measures what it says.

That a committed result belongs to the script as it is now is checked for every study at once.
"""

import itertools
import math

import keras
import numpy as np
import pytest
from scipy.stats import t as student_t

from helpers import read_result
from studies import codes, pretraining, pretraining_rivals

DEFINITION = pretraining.DEFINITION
NET = {"sizes": [784, 12, 5], "hidden": "gelu"}


@pytest.fixture(scope="module")
def result():
    return read_result(pretraining.NAME)


@pytest.fixture(scope="module")
def accuracies(result):
    found = {}
    for row in result["rows"]:
        if row["part"] == "accuracy":
            found.setdefault((row["arm"], row["labels"]), {})[row["seed"]] = row["accuracy"]
    return found


def test_every_arm_has_every_number_of_labels_and_its_seeds(accuracies):
    wanted = set(itertools.product(pretraining.ARMS, DEFINITION["labels"]))
    assert set(accuracies) == wanted
    for (arm, n), by_seed in accuracies.items():
        part = next(name for name, arms in DEFINITION["parts"].items() if arm in arms)
        assert [*by_seed] == pretraining.seeds_of(DEFINITION, part, arm, n)
        assert len(by_seed) >= 5
    assert len(accuracies["easy fine-tuned", 100]) == 30


def test_settings_are_the_best_on_validation_images_and_no_grid_ends_at_them(result):
    """All neighbours of a chosen setting were tried, and none is better."""
    chosen = {(s["arm"], s["labels"]): s for s in result["settings"]}
    tried = {}
    for row in result["rows"]:
        if row["part"] == "tuning":
            tried.setdefault((row["arm"], row["labels"]), []).append(row)
    wanted = set(itertools.product(pretraining.ARMS, DEFINITION["labels"]))
    assert set(tried) == set(chosen) == wanted
    for key, rows in tried.items():
        kinds = DEFINITION["searches"][pretraining.ARMS[key[0]]["way"]]
        best = max(rows, key=lambda row: np.mean(row["accuracy"]))
        assert len(best["accuracy"]) == len(DEFINITION["tuning_seeds"])
        assert np.mean(best["accuracy"]) == max(
            np.mean(row["accuracy"]) for row in rows if all(row[k] == chosen[key][k] for k in kinds)
        )
        for kind, (_, factor) in kinds.items():
            for step in (factor, 1 / factor):
                neighbour = {k: chosen[key][k] * (step if k == kind else 1) for k in kinds}
                assert any(
                    all(math.isclose(row[k], neighbour[k]) for k in kinds) for row in rows
                ), (key, neighbour)


def test_studies_beside_it_have_its_settings(result):
    chosen = {(s["arm"], s["labels"]): s for s in result["settings"]}
    known = pretraining_rivals.DEFINITION["settings"]
    for arm in known.keys() & pretraining.ARMS.keys():
        for kind, value in known[arm].items():
            assert chosen[arm, 100][kind] == pytest.approx(value)
    rate = chosen["easy fine-tuned", codes.DEFINITION["labels"]]["rate"]
    assert codes.DEFINITION["fine_tuned"] == [DEFINITION["steps"], pytest.approx(rate)]
    assert codes.DEFINITION["faster"] == [DEFINITION["steps"], pytest.approx(9 * rate)]


def test_rivals_repeat_what_the_study_has_measured(accuracies):
    """To three images in 10,000: their penalties differ in the last digit."""
    repeated = 0
    for row in read_result("pretraining_rivals")["rows"]:
        before = accuracies.get((row["arm"], row["labels"]), {}).get(row["seed"])
        repeated += before is not None
        assert before is None or row["accuracy"] == pytest.approx(before, abs=3e-4)
    assert repeated == 30 + 30 + 8 + 8


@pytest.mark.parametrize("peak", [(0, 0), (3, -2), (-4, 5)])
def test_the_search_walks_to_the_peak_and_looks_at_all_its_neighbours(peak):
    def score(setting):
        found = round(math.log2(setting["a"])), round(math.log(setting["b"], 3))
        return [-sum(abs(x - y) for x, y in zip(found, peak, strict=True))]

    best, tried = pretraining.search(score, {"a": [1, 2], "b": [1, 3]})
    assert best == pytest.approx({"a": 2.0 ** peak[0], "b": 3.0 ** peak[1]})
    around = [s for s, scores in tried if scores == [-1]]
    assert len(around) == 4


def test_tuning_shares_no_seed_and_no_label_with_the_results():
    assert not set(DEFINITION["seeds"]) & set(DEFINITION["tuning_seeds"])
    data = pretraining.Data(DEFINITION | {"images": 220})
    assert set(data.pool) | set(data.tuning_pool) == set(range(220))
    assert not set(data.pool) & set(data.tuning_pool)
    assert len(data.tuning_pool) == 40


def test_differences_are_those_of_the_rows_with_an_interval_for_each(result, accuracies):
    differences = {(*d["arms"], d["labels"]): d for d in result["differences"]}
    assert set(differences) == {
        (a, b, n)
        for (a, b), n in itertools.product(DEFINITION["comparisons"], DEFINITION["labels"])
    }
    for (a, b, n), row in differences.items():
        seeds = sorted(accuracies[a, n].keys() & accuracies[b, n].keys())
        assert row["seeds"] == len(seeds)
        paired = np.array([accuracies[a, n][s] - accuracies[b, n][s] for s in seeds])
        error = paired.std(ddof=1) / math.sqrt(len(seeds))
        assert row["difference"] == pytest.approx(paired.mean())
        assert row["seeds_error"] == pytest.approx(error)
        assert row["images_error"] > 0
        width = student_t.ppf(0.975, len(seeds) - 1) * math.hypot(error, row["images_error"])
        assert row["half_width"] == pytest.approx(width)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    """Simulated classifiers with effects of seeds, of images, and of both together."""
    rng = np.random.default_rng(0)
    seeds, images, covered, trials = 8, 400, 0, 400
    truth = 0.03
    for _ in range(trials):
        hardness = rng.normal(0, 0.1, images)
        luck = rng.normal(0, 0.02, (seeds, 1))
        p = np.clip(0.7 + hardness + luck + rng.normal(0, 0.02, (seeds, 1)), 0.05, 0.92)
        better = np.clip(p + truth, 0, 1)
        first, second = rng.random((2, seeds, images))
        found = pretraining.compare(first < better, second < p)
        covered += abs(found["difference"] - truth) <= found["half_width"]
    assert 0.93 <= covered / trials <= 0.995


def test_the_interval_is_not_blind_to_the_test_images():
    """All seeds agree on a difference that comes from a few test images only."""
    first = np.zeros((8, 100), bool)
    first[:, :3] = True
    found = pretraining.compare(first, np.zeros((8, 100), bool))
    assert found["difference"] == pytest.approx(0.03)
    assert found["seeds_error"] == pytest.approx(0)
    assert found["half_width"] > 0.03


def test_the_head_is_the_logistic_regression():
    rng = np.random.default_rng(0)
    codes = rng.normal([3, -1, 0], [1, 5, 0.1], (300, 3)).astype("float32")
    y = np.where(codes[:, 2] > 0, 7, np.where(codes[:, 0] > 3, 2, 4))
    kernel, bias = pretraining.linear_head(codes, y, 1)
    mean, scale = pretraining.scaled(codes)
    expected = pretraining.logistic((codes - mean) / scale, y, 1).predict((codes - mean) / scale)
    assert kernel.shape == (3, 10)
    assert np.array_equal(np.argmax(codes @ kernel + bias, axis=1), expected)


def test_a_trainer_remembers_nothing():
    """The second run from the same weights is the first again, after another one in between."""
    rng = np.random.default_rng(0)
    x, y = rng.random((60, 784), "float32"), rng.integers(0, 10, 60)
    trainer = pretraining.Trainer(NET, batch_size=20)
    start = pretraining.random_start(NET, 0)
    setting = {"steps": 7, "rate": 0.01, "seed": 0}
    first = trainer.run(start, x, y, **setting).get_weights()
    trainer.run(first, x, y, **setting)
    second = trainer.run(start, x, y, **setting).get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(first, start, strict=True))


def test_training_is_adam_with_a_cosine_schedule():
    """The compiled loop against Keras' own `fit`, on one batch a step in a known order."""
    rng = np.random.default_rng(0)
    x, y = rng.random((20, 784), "float32"), rng.integers(0, 10, 20)
    trainer = pretraining.Trainer(NET, batch_size=20)
    start = pretraining.random_start(NET, 0)
    found = trainer.run(start, x, y, steps=5, rate=0.01, seed=0).get_weights()
    model = keras.Sequential(
        [keras.Input((784,)), *pretraining.encoder_layers(NET), keras.layers.Dense(10)]
    )
    model.set_weights(start)
    model.compile(
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(0.01, 5)),
    )
    model.fit(x, y, batch_size=20, epochs=5, verbose=0)
    for a, b in zip(found, model.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


def test_the_representations_are_the_networks():
    weights = pretraining.random_start(NET, 0)
    model = keras.Sequential([keras.Input((784,)), *pretraining.encoder_layers(NET)])
    model.set_weights(weights[:-2])
    x = np.random.default_rng(0).random((9, 784), "float32")
    hidden, code = pretraining.representations(NET, weights, x)
    assert hidden.shape == (9, 12)
    np.testing.assert_allclose(code, np.asarray(model(x)), atol=1e-5)


def test_pretraining_lowers_the_error_of_reconstruction_whole_and_greedily():
    x = np.random.default_rng(0).random((256, 1), "float32") * np.linspace(
        0, 1, 784, dtype="float32"
    )
    greedy = {"greedy": True, "batch_size": 64, "learning_rate": 0.003}
    whole = NET | {"epochs": 20}
    for net in (whole, whole | {"hide": 0.3}, whole | greedy):
        trained = pretraining.pretrain(net, x, 0)
        assert [w.shape for w in trained] == [(784, 12), (12,), (12, 5), (5,)]
        code = pretraining.representations(net, trained, x)[-1]
        brightness = x.mean(axis=1)
        fitted = (
            np.c_[code, np.ones(len(x))]
            @ np.linalg.lstsq(np.c_[code, np.ones(len(x))], brightness, rcond=None)[0]
        )
        assert np.corrcoef(fitted, brightness)[0, 1] > 0.95


def test_a_part_that_was_computed_is_not_computed_again(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        return [1, 2]

    assert pretraining.load_or_compute(tmp_path, "part", compute)[0] == [1, 2]
    assert pretraining.load_or_compute(tmp_path, "part", compute)[0] == [1, 2]
    assert len(calls) == 1
