"""The layers: right numbers, and nothing that storing or copying a model undoes."""

import copy

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from helpers.layers import DenseTranspose, Sample, TopK
from helpers.training import fit

pytestmark = pytest.mark.depends_on("helpers/*")

SIZES = (12, 6, 3)
FORMS = ("flat sequential", "flat functional", "nested sequential", "nested functional")
# Two kernels shared by both halves, two biases of the encoder, two of the decoder.
COUNT = 12 * 6 + 6 * 3 + (6 + 3) + (6 + 12)


def build(form, *, compiled=True, seed=0, **compile_options):
    keras.utils.set_random_seed(seed)
    wide, mid, code = SIZES
    first, second = layers.Dense(mid, "gelu", name="first"), layers.Dense(code, name="second")
    up, out = DenseTranspose(second, "gelu", name="up"), DenseTranspose(first, name="out")
    encoder_layers, decoder_layers = [first, second], [up, layers.Dropout(0.0), out]
    if form == "flat sequential":
        model = keras.Sequential([keras.Input((wide,)), *encoder_layers, *decoder_layers])
    elif form == "flat functional":
        x = inputs = keras.Input((wide,))
        for layer in (*encoder_layers, *decoder_layers):
            x = layer(x)
        model = keras.Model(inputs, x)
    elif form == "nested sequential":
        encoder = keras.Sequential([keras.Input((wide,)), *encoder_layers], name="encoder")
        decoder = keras.Sequential([keras.Input((code,)), *decoder_layers], name="decoder")
        model = keras.Sequential([encoder, decoder])
    else:
        x = inputs = keras.Input((wide,))
        for layer in encoder_layers:
            x = layer(x)
        encoder = keras.Model(inputs, x, name="encoder")
        x = codes = keras.Input((code,))
        for layer in decoder_layers:
            x = layer(x)
        decoder = keras.Model(codes, x, name="decoder")
        inputs = keras.Input((wide,))
        model = keras.Model(inputs, decoder(encoder(inputs)))
    if compiled:
        # Few steps do not pay for tracing a graph; `test_compiled_by_xla` traces one of each form.
        defaults = {"loss": "mse", "optimizer": "adam", "run_eagerly": True}
        model.compile(**defaults | compile_options)
    return model


def find(model, name):
    for layer in model.layers:
        if layer.name == name:
            return layer
        if isinstance(layer, keras.Model) and (found := find(layer, name)) is not None:
            return found
    return None


def assert_tied(model, rtol=1e-6):
    first, second, up, out = (find(model, name) for name in ("first", "second", "up", "out"))
    assert out.dense is first
    assert up.dense is second
    assert model.count_params() == COUNT
    assert len(model.trainable_variables) == 6
    first.kernel.assign(np.full((12, 6), 0.5))  # seen by both halves, or it is no tie
    x = np.ones((1, 6), "float32")
    np.testing.assert_allclose(out(x), np.full((1, 12), 3.0) + out.bias, rtol=rtol)


@pytest.fixture
def x():
    return np.random.default_rng(0).normal(size=(64, SIZES[0])).astype("float32")


def train(model, x, epochs=2):
    model.fit(x, x, epochs=epochs, batch_size=16, shuffle=False, verbose=0)


def test_runs_the_dense_layer_backwards(x):
    dense = layers.Dense(3)
    dense.build((None, 12))
    layer = DenseTranspose(dense, activation="relu")
    codes = x[:, :3]
    layer.build(codes.shape)
    layer.bias.assign(np.linspace(-1, 1, 12))
    expected = np.maximum(codes @ dense.kernel.numpy().T + np.linspace(-1, 1, 12), 0)
    np.testing.assert_allclose(layer(codes), expected, rtol=1e-5, atol=1e-6)
    assert layer.compute_output_shape((None, 5, 3)) == (None, 5, 12)
    stacked = np.stack([codes, codes], axis=1)
    np.testing.assert_allclose(layer(stacked)[:, 1], expected, rtol=1e-5, atol=1e-6)
    assert layer(keras.Input((5, 3))).shape == (None, 5, 12)


@pytest.mark.parametrize("form", FORMS)
def test_the_kernel_is_counted_once_and_trained_by_both_halves(form, x):
    model = build(form)
    before = find(model, "first").kernel.numpy()
    loss = model.evaluate(x, x, verbose=0)
    train(model, x, epochs=4)
    assert model.evaluate(x, x, verbose=0) < loss
    assert np.abs(find(model, "first").kernel.numpy() - before).max() > 0.01
    kernel, up = find(model, "second").kernel.value, find(model, "up")
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(up(np.ones((1, 3), "float32")))
    assert np.any(tape.gradient(total, kernel)), "the decoder alone trains it, too"
    assert_tied(model)


def test_the_summaries_of_the_halves_do_not_add_up():
    model = build("nested sequential")
    encoder, decoder = model.layers
    assert encoder.count_params() == 12 * 6 + 6 * 3 + 6 + 3
    assert decoder.count_params() == COUNT  # the kernels and the encoder's biases come with them
    assert model.count_params() == COUNT


@pytest.mark.parametrize("compiled", [True, False])
@pytest.mark.parametrize("form", FORMS)
def test_a_file_keeps_the_tie_the_predictions_and_the_optimiser(form, compiled, x, tmp_path):
    model = build(form, compiled=compiled)
    if compiled:
        train(model, x)
    for i in range(2):  # what has been loaded can be saved again
        model.save(tmp_path / f"{i}.keras")
        loaded = keras.models.load_model(tmp_path / f"{i}.keras")
        np.testing.assert_array_equal(loaded(x), model(x))
        assert loaded.compiled == compiled
        if compiled:
            saved = [v.numpy() for v in model.optimizer.variables]
            restored = [v.numpy() for v in loaded.optimizer.variables]
            assert len(saved) == len(restored) > 6
            for a, b in zip(saved, restored, strict=True):
                np.testing.assert_array_equal(a, b)
            train(model, x)  # training goes on as if nothing had happened
            train(loaded, x)
            np.testing.assert_allclose(loaded(x), model(x), rtol=1e-5, atol=1e-6)
        model = loaded
    assert_tied(model)


@pytest.mark.parametrize("form", FORMS)
def test_weights_alone_keep_the_tie(form, x, tmp_path):
    model = build(form)
    train(model, x)
    model.save_weights(tmp_path / "model.weights.h5")
    with_optimiser = build(form, seed=1)
    train(with_optimiser, x)
    for rebuilt in (build(form, compiled=False, seed=1), with_optimiser):
        assert not np.allclose(rebuilt(x), model(x))
        rebuilt.load_weights(tmp_path / "model.weights.h5")
        np.testing.assert_array_equal(rebuilt(x), model(x))
    for a, b in zip(with_optimiser.optimizer.variables, model.optimizer.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    rebuilt = build(form, seed=1)
    rebuilt.set_weights(model.get_weights())
    np.testing.assert_array_equal(rebuilt(x), model(x))
    assert_tied(rebuilt)


@pytest.mark.parametrize("form", FORMS)
def test_a_deep_copy_is_tied_and_independent(form, x):
    model = build(form)
    train(model, x)
    expected = model(x).numpy()
    copied = copy.deepcopy(model)
    np.testing.assert_array_equal(copied(x), expected)
    assert_tied(copied)
    np.testing.assert_array_equal(model(x), expected)


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("form", FORMS[:2])
def test_a_clone_of_a_flat_model_is_tied_to_its_own_dense_layers(form, recursive, x):
    model = build(form)
    expected = model(x).numpy()
    clone = keras.models.clone_model(model, recursive=recursive)
    assert find(clone, "first") is not find(model, "first")
    clone.set_weights(model.get_weights())
    np.testing.assert_array_equal(clone(x), expected)
    train(clone, x)
    assert_tied(clone)
    assert_tied(keras.models.clone_model(clone))
    np.testing.assert_array_equal(model(x), expected)


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("form", FORMS[2:])
def test_a_clone_of_a_nested_model_is_refused_rather_than_untied(form, recursive):
    model = build(form)
    with pytest.raises(ValueError, match=r"0 layers called second.*copy\.deepcopy"):
        keras.models.clone_model(model, recursive=recursive)
    with pytest.raises(ValueError, match="cannot find its Dense layer"):
        keras.models.clone_model(find(model, "decoder"))


def test_a_clone_finds_its_dense_layer_in_a_nested_encoder(x):
    encoder = keras.Sequential([keras.Input((12,)), layers.Dense(3, name="code")])
    dense = encoder.layers[0]
    model = keras.Sequential([encoder, DenseTranspose(dense, name="out")])
    clone = keras.models.clone_model(model)
    assert clone.layers[1].dense is clone.layers[0].layers[0]
    assert clone.layers[1].dense is not dense
    assert clone.count_params() == model.count_params() == 12 * 3 + 3 + 12


@pytest.mark.parametrize("form", FORMS)
def test_json_keeps_the_tie_or_refuses(form):
    text = build(form).to_json()
    if form.startswith("nested"):
        with pytest.raises(ValueError, match="cannot find its Dense layer"):
            keras.models.model_from_json(text)
    else:
        assert_tied(keras.models.model_from_json(text))


@pytest.mark.parametrize("form", FORMS[2:])
def test_each_half_can_be_saved_alone(form, x, tmp_path):
    model = build(form)
    train(model, x)
    for name, inputs in (("encoder", x), ("decoder", x[:, :3])):
        half = find(model, name)
        half.save(tmp_path / f"{name}.keras")
        loaded = keras.models.load_model(tmp_path / f"{name}.keras")
        np.testing.assert_array_equal(loaded(inputs), half(inputs))
    assert find(loaded, "up").dense is not find(model, "second")
    assert_tied(model)


@pytest.mark.parametrize(
    "activation", [None, "sigmoid", keras.activations.gelu, layers.LeakyReLU(negative_slope=0.1)]
)
def test_any_activation_survives_a_file(activation, x, tmp_path):
    dense = layers.Dense(3)
    model = keras.Sequential([keras.Input((12,)), dense, DenseTranspose(dense, activation)])
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(x), model(x))
    assert type(loaded.layers[1].activation) is type(model.layers[1].activation)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16", "float64", "bfloat16"])
def test_every_dtype_policy(policy, x, tmp_path):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = build("nested sequential")
        out = find(model, "out")
        assert out.compute_dtype == policy.removeprefix("mixed_")
        assert keras.backend.standardize_dtype(model(x).dtype) == out.compute_dtype
        assert out.bias.dtype == ("float32" if policy.startswith("mixed") else policy)
        train(model, x)
        model.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
    finally:
        keras.config.set_dtype_policy(before)
    assert len(loaded.optimizer.variables) == len(model.optimizer.variables)
    np.testing.assert_array_equal(loaded(x), model(x))
    assert_tied(loaded, rtol=1e-6 if policy == "float64" else 0.01)


def test_a_float32_output_on_a_mixed_precision_encoder(x):
    dense = layers.Dense(3, dtype="mixed_bfloat16")
    model = keras.Sequential([keras.Input((12,)), dense, DenseTranspose(dense, dtype="float32")])
    assert keras.backend.standardize_dtype(model(x).dtype) == "float32"
    assert model.layers[1].dense.kernel.dtype == "float32"


@pytest.mark.parametrize("form", FORMS)
def test_compiled_by_xla(form, x):
    plain, compiled = build(form), build(form, run_eagerly=False, jit_compile=True)
    train(plain, x)
    train(compiled, x)
    np.testing.assert_allclose(compiled.predict(x, verbose=0), plain(x), rtol=1e-4, atol=1e-5)
    assert_tied(compiled)


def test_a_model_without_an_input_is_built_by_its_first_batch(x):
    dense = layers.Dense(3)
    encoder = keras.Sequential([dense])
    model = keras.Sequential([encoder, keras.Sequential([DenseTranspose(dense)])])
    model.compile("adam", "mse")
    train(model, x)
    assert model.count_params() == 12 * 3 + 3 + 12


def test_freezing_either_half_freezes_the_shared_kernels():
    for half, left in (("encoder", 2), ("decoder", 0)):
        model = build("nested sequential")
        find(model, half).trainable = False
        assert len(model.trainable_variables) == left  # the decoder's own biases, or nothing


def test_two_layers_may_share_one_dense_layer(x, tmp_path):
    dense = layers.Dense(3)
    inputs = keras.Input((12,))
    codes = dense(inputs)
    model = keras.Model(inputs, [DenseTranspose(dense)(codes), DenseTranspose(dense)(codes)])
    model.save(tmp_path / "model.keras")
    for other in (
        keras.models.load_model(tmp_path / "model.keras"),
        keras.models.clone_model(model),
    ):
        assert other.count_params() == 12 * 3 + 3 + 12 + 12
        assert other.layers[2].dense is other.layers[3].dense is other.layers[1]


def test_low_rank_adaptation_of_the_dense_layer_reaches_the_transpose(x):
    model = build("flat sequential")
    first, out = find(model, "first"), find(model, "out")
    first.enable_lora(2)
    first.lora_kernel_b.assign(np.ones((2, 6)))
    np.testing.assert_allclose(
        out(x[:, :6]), x[:, :6] @ np.array(first.kernel).T + out.bias, rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize(
    "wrong", [layers.Conv2D(3, 3), layers.EinsumDense("ab,bc->ac", 3), 30, None, build]
)
def test_something_that_is_not_a_dense_layer(wrong):
    with pytest.raises(TypeError, match="runs a Dense layer backwards, not"):
        DenseTranspose(wrong)


def test_a_dense_layer_that_is_not_built(x):
    for use in (lambda layer: layer(x), lambda layer: layer.compute_output_shape((None, 3))):
        with pytest.raises(ValueError, match=r"needs the kernel of unbuilt.*give the encoder"):
            use(DenseTranspose(layers.Dense(3, name="unbuilt")))


@pytest.mark.parametrize("shape", [(None, 12), (3,), (None, None)])
def test_an_input_that_does_not_fit_the_kernel(shape):
    dense = layers.Dense(3)
    dense.build((None, 12))
    with pytest.raises(ValueError, match=r"\(12 to 3\) backwards, so it needs inputs of shape"):
        DenseTranspose(dense).build(shape)


def test_a_second_call_that_does_not_fit(x):
    dense = layers.Dense(3)
    dense.build((None, 12))
    layer = DenseTranspose(dense)
    layer(x[:, :3])
    with pytest.raises(ValueError, match="expected axis -1 of input shape to have value 3"):
        layer(x[:, :4])


def test_a_quantised_dense_layer(x):
    model = build("flat sequential", compiled=False)
    find(model, "first").quantize("int8")
    with pytest.raises(ValueError, match="first: it has been quantised to int8"):
        find(model, "out")(x[:, :6])


def test_a_name_that_leads_nowhere_or_to_several(x):
    for inputs in (keras.Input((3,)), x[:, :3]):
        with pytest.raises(ValueError, match="0 layers called missing lead to its input"):
            DenseTranspose("missing")(inputs)
    twins = [keras.Sequential([keras.Input((3,)), layers.Dense(3, name="twin")]) for _ in range(2)]
    with pytest.raises(ValueError, match="2 layers called twin lead to its input"):
        keras.Sequential([*twins, DenseTranspose("twin")])


def test_topk_keeps_the_largest_positive_entries():
    x = np.array([[3.0, -1.0, 2.0, 1.0], [-4.0, -1.0, 0.5, -2.0], [0.0, 0.0, 0.0, 0.0]], "float32")
    kept = keras.ops.convert_to_numpy(TopK(2)(x))
    np.testing.assert_array_equal(kept, [[3, 0, 2, 0], [0, 0, 0.5, 0], [0, 0, 0, 0]])


def test_topk_passes_the_gradient_of_what_it_keeps():
    x = tf.Variable([[3.0, -1.0, 2.0, 1.0], [-4.0, -1.0, 0.5, -2.0]])
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(TopK(2)(x))
    np.testing.assert_array_equal(tape.gradient(total, x), [[1, 0, 1, 0], [0, 0, 1, 0]])


def sparse_model():
    keras.utils.set_random_seed(0)
    stack = [layers.Dense(6), TopK(np.int64(2), name="top"), layers.Dense(12)]
    return keras.Sequential([keras.Input((12,)), *stack])


def test_topk_saves_loads_and_clones(tmp_path, x):
    model = sparse_model()
    before = model.predict(x, verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    cloned = keras.models.clone_model(model)
    cloned.set_weights(model.get_weights())
    for other in (loaded, cloned, copy.deepcopy(model)):
        assert other.get_layer("top").k == 2
        np.testing.assert_allclose(other.predict(x, verbose=0), before, atol=1e-6)


@pytest.mark.parametrize(("k", "error"), [(0, ValueError), (2.0, TypeError), (True, TypeError)])
def test_topk_refuses_what_is_no_number_of_entries(k, error):
    with pytest.raises(error, match="TopK keeps"):
        TopK(k)


@pytest.mark.parametrize("width", [6, None])
def test_topk_refuses_to_keep_more_than_there_are(width):
    with pytest.raises(ValueError, match="keeps 7 entries, but the last axis of its input has"):
        TopK(7)(keras.Input((width,)))


def vae(variance=0.5, seed=0, **how):
    """A small variational autoencoder, 12-3-12."""
    keras.utils.set_random_seed(0)
    encoder = keras.Sequential([keras.Input((12,)), layers.Dense(6)])
    decoder = keras.Sequential([keras.Input((3,)), layers.Dense(12)])
    return keras.Sequential([encoder, Sample(variance, 12, seed, name="sample", **how), decoder])


def test_sample_charges_the_divergence():
    """Against a closed form: mean 2 and variance e², two code numbers, σ² = 3 of 6 pixels."""
    sample = Sample(3.0, 6)
    sample(np.array([[2.0, 2.0, 2.0, 2.0], [0.0, 0.0, 0.0, 0.0]], "float32"))
    per_number = (4 + np.exp(2) - 1 - 2) / 2
    np.testing.assert_allclose(sample.losses[0], 2 * 3 / 6 * (2 * per_number + 0) / 2, rtol=1e-6)


def test_sample_draws_what_it_says_in_training_and_means_otherwise():
    sample = Sample(1.0, seed=1)
    inputs = np.tile(np.array([[1.0, -2.0, 0.0, np.log(9)]], "float32"), (20_000, 1))
    np.testing.assert_array_equal(sample(inputs), inputs[:, :2])
    drawn = np.asarray(sample(inputs, training=True))
    np.testing.assert_allclose(drawn.mean(axis=0), [1, -2], atol=0.1)
    np.testing.assert_allclose(drawn.std(axis=0), [1, 3], rtol=0.05)


def test_sample_never_repeats_its_noise_but_a_seed_repeats_the_series():
    inputs = np.zeros((4, 6), "float32")
    first, second = Sample(1.0, seed=7), Sample(1.0, seed=7)
    series = [np.asarray(first(inputs, training=True)) for _ in range(2)]
    assert not np.allclose(*series)
    for noise in series:
        np.testing.assert_array_equal(noise, second(inputs, training=True))
    other = Sample(1.0, seed=8)(inputs, training=True)
    assert not np.allclose(series[0], other)


def test_sample_trains_with_fit_saves_and_loads(tmp_path, x):
    model = vae()
    history = fit(model, x, validation_data=x, epochs=3, batch_size=16, verbose=False).history
    assert history["loss"][-1] < history["loss"][0]
    mse = np.square(x - model.predict(x, verbose=0)).mean()
    assert history["val_loss"][-1] > mse  # the divergence is in it
    model.save(tmp_path / "vae.keras")
    loaded = keras.saving.load_model(tmp_path / "vae.keras")
    np.testing.assert_array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    settings = {"variance": 0.5, "features": 12, "seed": 0}
    assert settings.items() <= find(loaded, "sample").get_config().items()
    np.testing.assert_allclose(model.evaluate(x, x, verbose=0), loaded.evaluate(x, x, verbose=0))


def test_sample_computes_the_divergence_in_single_precision():
    """A variance of e¹² is beyond float16."""
    sample = Sample(1.0, dtype="mixed_float16")
    drawn = sample(np.array([[0.5, 12.0]], "float32"), training=True)
    assert drawn.dtype == "float16"
    expected = 2 / 784 * (0.25 + np.exp(12) - 13) / 2
    np.testing.assert_allclose(sample.losses[0], expected, rtol=1e-3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sample(0), "variance above 0"),
        (lambda: Sample(1.0, features=-1), "features above 0"),
        (lambda: Sample(1.0)(np.zeros((2, 5), "float32")), "a mean and a logarithm"),
        (lambda: Sample(1.0)(keras.Input((None,))), "a mean and a logarithm"),
    ],
)
def test_sample_says_what_is_wrong(make, message):
    with pytest.raises(ValueError, match=message):
        make()
