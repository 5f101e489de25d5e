"""The study of stacked autoencoders: its result is whole, and it measures what it says.

That a committed result belongs to the script as it is now is checked for every study at once.
"""

import numpy as np

from helpers import read_result
from studies import stacked


def test_the_result_has_every_run():
    definition = stacked.DEFINITION
    rows = read_result(stacked.NAME)["rows"]
    found = [(r["recipe"], r["epochs"], r["seed"]) for r in rows if r["part"] == "recipes"]
    wanted = [
        *(
            (name, definition["epochs"], s)
            for name in definition["recipes"]
            for s in definition["seeds"]
        ),
        *(
            (name, definition["long_epochs"], s)
            for name, seeds in definition["long"].items()
            for s in seeds
        ),
    ]
    assert sorted(found) == sorted(wanted)
    neighbours = [(r["space"], r["seed"]) for r in rows if r["part"] == "neighbours"]
    spaces = ("PCA-30", "codes", "pixels")
    assert sorted(neighbours) == sorted((name, s) for name in spaces for s in definition["seeds"])
    assert all(0 < r["mse"] < 0.0875 for r in rows if r["part"] == "recipes")


def test_the_recipes_have_equal_parameters_and_the_last_is_the_books():
    recipes = stacked.DEFINITION["recipes"]
    assert {
        stacked.build(hidden, code).count_params() for hidden, code, *_ in recipes.values()
    } == {163_814}
    assert recipes[stacked.BOOK] == ["gelu", "linear", "Muon", 0.01, True, 128]


def test_a_dead_unit_is_one_that_is_zero_for_every_image():
    model = stacked.build("relu", "relu")
    code = model.get_layer("code")
    kernel, bias = code.get_weights()
    bias[:7] = -1e6
    bias[7:] = 1e6
    code.set_weights([kernel, bias])
    assert stacked.dead_units(model, np.random.default_rng(0).random((20, 784), "float32")) == 7


def test_the_digits_are_images():
    digits = stacked.digits_as_images()
    assert digits.shape[1:] == (28, 28)
    assert (digits.min(), digits.max()) == (0, 1)
