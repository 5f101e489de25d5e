"""What `fit` promises: Keras underneath, the same numbers twice, clean lines, clear errors."""

import contextlib
import io
import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from helpers import fit, strategy, training
from helpers.training import EpochLines, Muon

pytestmark = pytest.mark.depends_on("helpers/*")


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


def dense_and_convolutional():
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((6, 6, 2)),
            layers.Conv2D(3, 3, strides=2, padding="same"),
            layers.DepthwiseConv2D(2, padding="same"),
            layers.SeparableConv2D(4, 2, padding="same"),
            layers.Conv2DTranspose(2, 3, strides=2, padding="same"),
        ]
    )


KERNELS = [
    (layers.Dense(4), (5,), "muon"),
    (layers.Conv1D(4, 3), (8, 2), "adamw"),
    (layers.Conv2D(4, 3), (8, 8, 2), "muon"),
    (layers.Conv2DTranspose(4, 3), (8, 8, 2), "muon"),
    (layers.DepthwiseConv2D(3), (8, 8, 2), "adamw"),
    (layers.SeparableConv2D(4, 3), (8, 8, 2), "adamw, muon"),
    (layers.Conv3D(4, 3), (8, 8, 8, 2), "adamw"),
    (layers.EinsumDense("abc,cde->abde", (None, 3, 4)), (5, 2), "adamw"),
    (layers.Embedding(4, 3), (5,), "adamw"),
]


@pytest.mark.parametrize(
    ("layer", "shape", "expected"), KERNELS, ids=[type(layer).__name__ for layer, *_ in KERNELS]
)
def test_every_kind_of_kernel_goes_where_the_docstring_says(layer, shape, expected):
    layer.build((None, *shape))
    optimizer = Muon()
    optimizer.build(layer.trainable_variables)
    found = [
        "muon" if velocity is None else "adamw"
        for weight, velocity in zip(
            layer.trainable_variables, optimizer.adam_velocities, strict=True
        )
        if not weight.path.endswith("bias")
    ]
    assert ", ".join(found) == expected
    excluding = Muon(exclude_layers=[layer.name])
    assert all(map(excluding._should_use_adamw, layer.trainable_variables))


@pytest.mark.parametrize("shape", [(3, 3, 5, 7), (3, 3, 2, 40), (1, 1, 6, 6)])
def test_a_kernel_takes_the_steps_of_its_matrix(shape):
    """Two steps on a kernel, and on a weight that is its matrix from the start: the same bits."""
    generator = np.random.default_rng(0)
    start, *gradients = generator.normal(size=(3, *shape)).astype("float32")
    matrix = (-1, shape[-1])
    moved = []
    for cut in (lambda x: x, lambda x: x.reshape(matrix)):
        weight, optimizer = keras.Variable(cut(start), name="kernel"), Muon(0.01)
        optimizer.build([weight])
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(cut(gradient))])
        moved.append(keras.ops.convert_to_numpy(weight).reshape(matrix))
    assert not np.array_equal(moved[0], start.reshape(matrix))
    np.testing.assert_array_equal(*moved)


class MatricesOnly(keras.optimizers.Muon):
    """The book's Muon without its treatment of kernels, as Keras sends weights to it."""

    def zeropower_via_newtonschulz5(self, x, steps):
        assert len(x.shape) == 2
        return Muon.zeropower_via_newtonschulz5(self, x, steps)


def test_dense_training_keeps_every_bit(x):
    weights = []
    for optimizer in (Muon, MatricesOnly):
        model = small_model()
        model.compile(loss="mse", optimizer=optimizer(0.01))
        model.fit(x, x, epochs=3, batch_size=16, verbose=0, shuffle=False)
        weights.append([weight.tobytes() for weight in model.get_weights()])
    assert weights[0] == weights[1]


def test_a_convolutional_model_goes_on_from_a_file_as_if_never_saved(tmp_path):
    images = np.random.default_rng(0).random((20, 6, 6, 2), dtype="float32")
    model = dense_and_convolutional()
    model.compile(loss="mse", optimizer=Muon(0.01))
    model.fit(images, images, epochs=2, batch_size=5, verbose=0, shuffle=False)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert isinstance(loaded.optimizer, Muon)
    states = [
        [keras.ops.convert_to_numpy(variable) for variable in one.optimizer.variables]
        for one in (model, loaded)
    ]
    assert any(state.ndim == 4 and np.any(state) for state in states[0])
    for one, other in zip(*states, strict=True):
        np.testing.assert_array_equal(one, other)
    for one in (model, loaded):
        one.fit(images, images, epochs=1, batch_size=5, verbose=0, shuffle=False)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


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


@pytest.mark.parametrize("optimizer", [None, "nadam"])
def test_a_training_step_is_traced_once(x, optimizer):
    traced = []

    class Counted(keras.Sequential):
        def train_step(self, data):
            traced.append(1)
            return super().train_step(data)

    keras.utils.set_random_seed(0)
    model = Counted([keras.Input((6,)), layers.Dense(6)])
    if optimizer:
        model.compile(loss="mse", optimizer=optimizer)
    fit(model, x, epochs=2, batch_size=16, verbose=False)
    assert len(traced) == 1


# Devices --------------------------------------------------------------------------------------------


def test_one_device_needs_no_strategy(x, monkeypatch):
    monkeypatch.delenv("TPU_NAME", raising=False)
    if len(tf.config.list_logical_devices("GPU")) < 2:
        assert strategy() is tf.distribute.get_strategy()
    losses = []
    for scope in (contextlib.nullcontext(), strategy("CPU:0").scope()):
        with scope:
            model = small_model()
        losses.append(fit(model, x, epochs=2, batch_size=16, verbose=False).history["loss"])
        assert model.steps_per_execution > 1
    assert losses[0] == losses[1]
    assert strategy("CPU:0") is strategy("CPU:0"), "parts of a model could not be combined"


@pytest.mark.parametrize(
    ("gpus", "tpu", "chosen"),
    [
        (0, None, None),
        (1, None, None),
        (2, None, ("GPU:0", "GPU:1")),
        (4, None, ("GPU:0", "GPU:1", "GPU:2", "GPU:3")),
        (0, "local", ("TPU",)),
    ],
)
def test_the_devices_that_are_there_are_chosen(monkeypatch, gpus, tpu, chosen):
    there = [tf.config.LogicalDevice(f"GPU:{i}", "GPU") for i in range(gpus)]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: there)
    monkeypatch.setattr(training, "_strategy", lambda devices: devices)
    monkeypatch.delenv("TPU_NAME", raising=False)
    if tpu:
        monkeypatch.setenv("TPU_NAME", tpu)
    assert strategy() == chosen or (chosen is None and strategy() is tf.distribute.get_strategy())
    assert strategy("CPU:0", "CPU:1") == ("CPU:0", "CPU:1")


def test_a_tpu_is_connected_once(monkeypatch):
    calls = []
    resolver = tf.distribute.cluster_resolver.TPUClusterResolver
    monkeypatch.setattr(resolver, "connect", lambda name: calls.append(name) or "resolver")
    monkeypatch.setattr(tf.distribute, "TPUStrategy", lambda resolver: ["all cores of", resolver])
    monkeypatch.setenv("TPU_NAME", "mine")
    training._strategy.cache_clear()
    try:
        assert strategy() is strategy("TPU")
        assert strategy() == ["all cores of", "resolver"]
        assert calls == ["mine"]
    finally:
        training._strategy.cache_clear()


TWO_DEVICES = """
import json, sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from keras import layers
from helpers import fit, strategy

x = np.random.default_rng(0).random((300, 6), dtype="float32")
runs = {}
for name, compiled in (("book", False), ("nadam", True)):
    for devices in (("CPU:0",), ("CPU:0", "CPU:1")):
        keras.utils.set_random_seed(0)
        tf.config.run_functions_eagerly(len(devices) == 1)  # what is compared with needs no graph
        with strategy(*devices).scope():
            model = keras.Sequential([keras.Input((6,)), layers.Dense(3, "gelu"), layers.Dense(6)])
            if compiled:
                model.compile(loss="mse", optimizer=keras.optimizers.Nadam(0.01))
        # 45 is no multiple of 2, and neither is the number of validation examples.
        batch_size, valid = (45, x[264:299]) if len(devices) == 2 else (44, x[264:298])
        history = fit(model, x[:264], epochs=2, batch_size=batch_size, verbose=False,
                      validation_data=None if compiled else valid).history
        copies = {
            len(tf.distribute.get_strategy().experimental_local_results(w.value))
            for w in model.trainable_weights
        } if len(devices) == 1 else {len(w.value.values) for w in model.trainable_weights}
        runs[f"{name} {len(devices)}"] = {
            "loss": history["loss"],
            "copies": sorted(copies),
            "weights": [w.tolist() for w in model.get_weights()],
            "predictions": model.predict(x, verbose=0).tolist(),
        }
print(json.dumps(runs))
"""


def test_two_devices_share_the_work_and_agree_with_one():
    """Logical devices are set before TensorFlow starts, so in a process of their own."""
    run = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr[-2000:]
    runs = json.loads(run.stdout.splitlines()[-1])
    for name in ("book", "nadam"):
        one, two = runs[f"{name} 1"], runs[f"{name} 2"]
        assert (one["copies"], two["copies"]) == ([1], [2])
        # Sums in another order: one unit in the last place or two a step, which Muon may enlarge.
        np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-5)
        np.testing.assert_allclose(two["predictions"], one["predictions"], atol=1e-4)
        for a, b in zip(one["weights"], two["weights"], strict=True):
            np.testing.assert_allclose(b, a, atol=1e-4)
