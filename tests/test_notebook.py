"""A chapter's start and its claims."""

import random

import keras
import matplotlib as mpl
import numpy as np
import pytest

from helpers import claim, data, plots, set_up


def draws():
    return [random.random(), np.random.random(), float(keras.random.uniform(()))]


@pytest.fixture
def style():
    with mpl.rc_context():
        mpl.rcdefaults()
        yield


def test_set_up_seeds_python_numpy_and_keras(style):
    first, second, other = [(set_up(seed), draws())[1] for seed in (1, 1, 2)]
    assert first == second
    assert not set(first) & set(other)


def test_set_up_has_a_seed_of_its_own(style):
    assert (set_up(), draws())[1] == (set_up(42), draws())[1]


def test_set_up_applies_the_style_and_prints_nothing(style, capfd):
    assert mpl.rcParams["font.size"] != plots.STYLE["font.size"]
    set_up()
    set_up()
    assert {key: mpl.rcParams[key] for key in plots.STYLE} == mpl.RcParams(plots.STYLE)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("fallback", [False, True])
def test_a_claim_that_holds_is_printed(capsys, monkeypatch, fallback):
    monkeypatch.setattr(data, "_fallback", fallback)
    claim("two is more than one", np.float32(2) > 1)
    assert capsys.readouterr().out == "✓ two is more than one\n"


def test_a_claim_that_does_not_hold_raises(capsys, monkeypatch):
    monkeypatch.setattr(data, "_fallback", False)
    with pytest.raises(AssertionError, match="does not hold: one is more than two"):
        claim("one is more than two", holds=False)
    assert capsys.readouterr().out == ""


def test_a_claim_only_reports_on_the_fallback_data(capsys, monkeypatch):
    monkeypatch.setattr(data, "_fallback", True)
    claim("one is more than two", holds=False)
    assert capsys.readouterr().out == "– not so on the fallback data: one is more than two\n"
