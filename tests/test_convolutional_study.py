"""The races of the study are fair by construction: what is called equal is equal."""

import pytest

from helpers import multiply_adds
from studies import convolutional as study
from studies import convolutional_batches as batches
from studies import convolutional_rivals as rivals


@pytest.fixture(scope="module")
def models():
    return {
        "convolutional": study.convolutional(30, study.DEFINITION["channels"]),
        "small": study.convolutional(30, study.DEFINITION["few_channels"]),
    } | {name: study.dense(30, width) for name, width in study.DEFINITION["dense"].items()}


def test_equal_parameters_and_operations_are_equal(models):
    parameters = {name: model.count_params() for name, model in models.items()}
    operations = {name: multiply_adds(model) for name, model in models.items()}
    assert parameters["equal parameters"] == pytest.approx(parameters["convolutional"], rel=0.01)
    assert operations["equal operations"] == pytest.approx(operations["convolutional"], rel=0.01)
    assert operations["usual"] == pytest.approx(operations["small"], rel=0.01)


@pytest.mark.parametrize("side", [28, 40])
def test_a_picture_comes_back_at_its_size(side):
    for model in (study.convolutional(2, [2, 3, 4], side), study.dense(2, 3, side)):
        assert model.output_shape == (None, side, side, 1)


def test_the_search_ends_when_both_neighbours_are_worse():
    rate, inside, tried = study.tune(lambda rate: abs(rate / 0.04 - 1), 0.01, 6)
    assert (rate, inside) == (0.04, True)
    assert {"0.02", "0.04", "0.08"} <= tried.keys()


def test_a_winner_at_the_edge_is_called_so():
    rate, inside, tried = study.tune(lambda rate: -rate, 0.01, 4)
    assert not inside
    assert rate == max(map(float, tried))


def test_a_rival_with_one_hidden_layer_is_the_dense_network_of_the_races():
    one, usual = rivals.deep_dense(30, [128]), study.dense(30, 128)
    assert [layer.output.shape for layer in one.layers] == [
        layer.output.shape for layer in usual.layers
    ]
    two = rivals.deep_dense(30, [128, 64])
    assert multiply_adds(two) == 2 * (784 * 128 + 128 * 64 + 64 * 30)


def test_every_code_has_its_dense_rivals_in_turns_with_the_convolutional_network():
    for text in batches.DEFINITION["convolutional"]:
        first, *others = batches.networks(batches.DEFINITION, int(text))
        assert first == ("convolutional", study.DEFINITION["batch"], 1)
        expected = {("dense, 200", 256), ("dense, 128", 256)}
        expected |= {("dense, 200", 64), ("dense, 50", 64)} if int(text) != 30 else set()
        assert {key[:2] for key in others} == expected
