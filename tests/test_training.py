"""What `fit` promises: Keras underneath, the same numbers twice, clean lines, clear errors."""

import contextlib
import io

import keras
import numpy as np
import pytest
from keras import layers

from helpers import fit
from helpers.training import EpochLines, Muon


@pytest.fixture
def x():
    return np.random.default_rng(0).random((70, 6), dtype=np.float32)


def small_model(size=6):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((size,)), layers.Dense(3, "gelu"), layers.Dense(size)])


def test_the_history_comes_back_and_the_loss_falls(x):
    history = fit(small_model(), x, epochs=30, batch_size=16, verbose=False)
    assert isinstance(history, keras.callbacks.History)
    assert list(history.history) == ["loss"]
    assert len(history.history["loss"]) == 30
    assert history.history["loss"][-1] < 0.7 * history.history["loss"][0]


def test_x_is_its_own_target_by_default(x):
    loss = [
        fit(small_model(), x, y, epochs=2, verbose=False).history["loss"]
        for y in (None, x, np.zeros_like(x))
    ]
    assert loss[0] == loss[1] != loss[2]


def test_validation_data_is_an_array_or_a_pair(x):
    valid = x[:20] + 1
    losses = []
    for validation_data in (valid, (valid, valid), (valid, np.zeros_like(valid))):
        model = small_model()
        history = fit(model, x, epochs=2, validation_data=validation_data, verbose=False)
        losses.append(history.history["val_loss"])
        target = validation_data[1] if isinstance(validation_data, tuple) else valid
        mse = np.mean((model.predict(valid, verbose=0) - target) ** 2)
        assert losses[-1][-1] == pytest.approx(mse, rel=1e-5)
    assert losses[0] == losses[1] != losses[2]


def test_two_runs_with_one_seed_are_equal_bit_for_bit(x):
    runs = []
    for _ in range(2):
        model = small_model()
        history = fit(model, x, epochs=3, batch_size=16, validation_data=x, verbose=False)
        runs.append((history.history, [weight.tobytes() for weight in model.get_weights()]))
    assert runs[0] == runs[1]


def test_a_compiled_model_keeps_its_optimiser_and_loss(x):
    model = small_model()
    optimizer = keras.optimizers.SGD(0.1)
    model.compile(loss="mae", optimizer=optimizer, metrics=["mse"])
    history = fit(model, x, epochs=1, verbose=False)
    assert model.optimizer is optimizer
    assert model.loss == "mae"
    assert set(history.history) == {"loss", "mse"}


def test_the_learning_rate_falls_to_zero_over_the_whole_training(x):
    model, rates = small_model(), []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: rates.append(float(model.optimizer.learning_rate))
    )
    fit(model, x, epochs=4, batch_size=16, learning_rate=0.02, callbacks=[watch], verbose=False)
    assert int(model.optimizer.iterations) == 4 * 5  # 70 examples are 5 batches, the last short
    np.testing.assert_allclose(rates, 0.01 * (1 + np.cos(np.pi * np.arange(1, 5) / 4)), atol=1e-8)


def test_training_again_starts_a_new_schedule(x):
    model = small_model()
    fit(model, x, epochs=3, batch_size=16, verbose=False)
    again = fit(model, x, epochs=3, batch_size=16, verbose=False).history["loss"]
    assert again[-1] < 0.99 * again[0]


@pytest.mark.parametrize("epochs", [1, 11])
def test_the_lines_are_exact(x, epochs):
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        history = fit(small_model(), x, epochs=epochs, validation_data=x).history
    assert printed.getvalue().splitlines() == [
        f"epoch {e}/{epochs}  loss {history['loss'][e - 1]:.4g}  "
        f"val_loss {history['val_loss'][e - 1]:.4g}"
        for e in {1: [1], 11: [2, 4, 6, 8, 10, 11]}[epochs]
    ]
    assert "\r" not in printed.getvalue()


@pytest.mark.parametrize("epochs", [1, 9, 10, 11, 19, 99, 500, 501])
def test_there_are_ten_lines_at_most_and_one_for_the_last_epoch(capsys, epochs):
    lines = EpochLines()
    lines.set_params({"epochs": epochs})
    for epoch in range(epochs):
        lines.on_epoch_end(epoch, {"loss": 0.123456})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) <= 10
    assert printed[-1] == f"epoch {epochs}/{epochs}  loss 0.1235"


def test_verbose_false_prints_nothing(x, capfd):
    fit(small_model(), x, epochs=1, validation_data=x, verbose=False)
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("shape", [(100, 784), (784, 100), (30, 30), (1, 5)])
def test_muon_takes_keras_own_steps(shape):
    update = np.random.default_rng(0).normal(size=shape).astype("float32")
    update[:, : shape[1] // 2] *= 1e-3  # singular values far apart, as gradients have them
    ours = Muon().zeropower_via_newtonschulz5(update, 5)
    theirs = keras.optimizers.Muon().zeropower_via_newtonschulz5(update, 5)
    np.testing.assert_allclose(ours, theirs, atol=2e-4)
    assert not np.any(Muon().zeropower_via_newtonschulz5(np.zeros(shape, "float32"), 5))


def test_a_trained_model_can_be_saved_and_loaded(x, tmp_path):
    model = small_model()
    fit(model, x, epochs=1, verbose=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, Muon)
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_model_without_an_input_layer_is_built_on_the_way(x):
    assert fit(keras.Sequential([layers.Dense(6)]), x, epochs=1, verbose=False)


def test_bad_input_is_refused_in_plain_words(x):
    spoilt = x.copy()
    spoilt[3, 3] = np.nan
    images = np.zeros((4, 2, 3), "float32")
    labels = np.zeros(70)
    for error, words, arguments in [
        (TypeError, "x must be an array, not list", ([[1.0, 2.0]],)),
        (TypeError, "y must be an array, not str", (x, "x")),
        (ValueError, "x is empty", (x[:0],)),
        (ValueError, "x has 70 examples, but y has 69", (x, x[1:])),
        (ValueError, "x holds NaN or infinity", (spoilt,)),
        (ValueError, "y holds NaN or infinity", (x, spoilt)),
        (ValueError, r"shape \(2, 3\), but the model takes \(6,\)", (images,)),
    ]:
        with pytest.raises(error, match=words):
            fit(small_model(), *arguments, epochs=1)
    half = keras.Sequential([keras.Input((6,)), layers.Dense(3)])
    with pytest.raises(ValueError, match=r"shape \(6,\), but the model returns \(3,\)"):
        fit(half, x, epochs=1)
    # With its own targets a model may return another shape, as a classifier does.
    half.compile(loss="sparse_categorical_crossentropy", optimizer="adam")
    assert fit(half, x, labels, epochs=1, verbose=False)
