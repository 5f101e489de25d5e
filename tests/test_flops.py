"""The count of operations is TensorFlow's: that of the matrix products in a real training step."""

import math
import re

import keras
import pytest
import tensorflow as tf
from keras import layers

from helpers import DenseTranspose, multiply_adds, training_flops
from helpers.training import Muon

CHAINS = {
    "wide": [20, 9, 5, 9, 20],
    "one link": [12, 7, 12],
    "deep": [23, 11, 7, 6, 3, 6, 7, 11, 23],
    "square and overcomplete": [8, 8, 13, 8, 8],
}


def graph_flops(function, *specification):
    """Count the matrix products of a traced function, those that nothing reads left out.

    A convolution and its two gradients have the kernel at the same places: those of the small side.
    """
    graph = function.get_concrete_function(*specification).graph
    todo = [*(tensor.op for tensor in graph.outputs), *graph.control_outputs]
    seen, flops = set(), 0
    while todo:
        op = todo.pop()
        if op.name in seen:
            continue
        seen.add(op.name)
        todo += [*(tensor.op for tensor in op.inputs), *op.control_inputs]
        assert not re.search("Call|While|If", op.type), "a function of its own, not looked into"
        if op.type == "MatMul":
            inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
            flops += 2 * inner * math.prod(op.outputs[0].shape)
        elif op.type.startswith("Conv2D"):
            small = op.outputs[0] if op.type == "Conv2D" else op.inputs[2]
            if op.type == "Conv2DBackpropFilter":
                kernel = op.outputs[0].shape
            else:
                kernel = op.inputs[1].shape
            flops += 2 * math.prod(small.shape[:3]) * math.prod(kernel)
    return flops


def build(sizes, tied):
    half = len(sizes) // 2
    encoder = [layers.Dense(units, "gelu") for units in sizes[1 : half + 1]]
    if tied:
        decoder = [DenseTranspose(dense) for dense in reversed(encoder)]
    else:
        decoder = [layers.Dense(units) for units in sizes[half + 1 :]]
    return keras.Sequential([keras.Input((sizes[0],)), *encoder, *decoder]), half


def step_flops(model, optimizer, batch):
    """Count what TensorFlow does in one step of Keras' own `train_step`."""
    model.compile(loss="mse", optimizer=optimizer)
    model.optimizer.build(model.trainable_variables)
    step = tf.function(lambda x: model.train_step((x, x)))
    return graph_flops(step, tf.TensorSpec((batch, *model.input_shape[1:])))


@pytest.mark.parametrize("tied", [False, True], ids=["untied", "tied"])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
@pytest.mark.parametrize("chain", CHAINS)
def test_a_step_is_counted_as_tensorflow_counts_it(chain, optimizer, tied):
    sizes, batch = CHAINS[chain], 6
    model, _ = build(sizes, tied)
    found = step_flops(model, {"muon": Muon, "adam": keras.optimizers.Adam}[optimizer](), batch)
    settings = {"batch_size": batch, "optimizer": optimizer, "tied": tied}
    assert training_flops(sizes, batch, **settings) == found


def convolutional(padding, strides):
    """An autoencoder with every kind of layer that is counted, and its halves nested."""
    encoder = keras.Sequential(
        [
            keras.Input((11, 9, 2)),
            layers.Conv2D(4, 3, padding=padding, strides=strides, activation="gelu"),
            layers.Conv2D(3, (1, 2), padding=padding),
            layers.Flatten(),
            layers.Dense(5),
        ]
    )
    decoder = keras.Sequential(
        [
            keras.Input((5,)),
            layers.Dense(3 * 2 * 4, "gelu"),
            layers.Reshape((3, 2, 4)),
            layers.UpSampling2D(2),
            layers.Conv2DTranspose(6, 3, padding=padding, strides=strides),
            layers.Conv2D(2, 3, padding="same"),
        ]
    )
    return keras.Sequential([encoder, decoder])


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("optimizer", ["muon", "adam"])
def test_convolutions_are_counted_as_tensorflow_counts_them(padding, strides, optimizer):
    model, batch = convolutional(padding, strides), 6
    target = tf.zeros((batch, *model.output_shape[1:]))
    model.compile(loss="mse", optimizer={"muon": Muon, "adam": keras.optimizers.Adam}[optimizer]())
    model.optimizer.build(model.trainable_variables)
    step = tf.function(lambda x: model.train_step((x, target)))
    specification = tf.TensorSpec((batch, *model.input_shape[1:]))
    found = graph_flops(step, specification)
    assert training_flops(model, batch, batch_size=batch, optimizer=optimizer) == found
    forward = graph_flops(tf.function(model), specification)
    assert 2 * batch * multiply_adds(model) == forward


def test_a_dense_model_and_its_sizes_count_the_same():
    sizes = CHAINS["deep"]
    model, _ = build(sizes, tied=False)
    for settings in ({}, {"optimizer": "adam"}, {"encode": True}):
        assert training_flops(model, 30, 2, **settings) == training_flops(sizes, 30, 2, **settings)
    assert multiply_adds(model) == sum(w.shape[0] * w.shape[1] for w in model.weights[::2])


def test_a_layer_that_cannot_be_counted_is_named():
    model = keras.Sequential([keras.Input((4, 4, 2)), layers.DepthwiseConv2D(2)])
    with pytest.raises(ValueError, match="DepthwiseConv2D"):
        multiply_adds(model)


def test_encoding_is_counted_as_tensorflow_counts_it():
    sizes = CHAINS["deep"]
    model, half = build(sizes, tied=False)
    encoder = keras.Sequential([keras.Input((sizes[0],)), *model.layers[:half]])
    found = graph_flops(tf.function(encoder), tf.TensorSpec((6, sizes[0])))
    plain = training_flops(sizes, 6, 3)
    assert training_flops(sizes, 6, 3, encode=True) == plain + found


@pytest.mark.parametrize("name", ["nadam", "sgd"])
def test_other_optimisers_multiply_no_matrices(name):
    sizes = CHAINS["wide"]
    model, _ = build(sizes, tied=False)
    found = step_flops(model, name, 6)
    assert training_flops(sizes, 6, optimizer=name) == found


def test_a_last_smaller_batch_is_a_step_of_muon_too():
    """Ten images in batches of four: three steps, and each image once through the network."""
    sizes = CHAINS["wide"]
    network = training_flops(sizes, 1, optimizer="adam")
    muon = training_flops(sizes, 1, batch_size=1) - network
    assert training_flops(sizes, 10, 2, batch_size=4) == 2 * (10 * network + 3 * muon)


@pytest.mark.parametrize(
    ("sizes", "settings", "message"),
    [
        ([9, 5, 9], {"optimizer": "lion"}, "lion.*muon, adam, nadam, sgd"),
        ([9, 5, 8], {"tied": True}, "two halves"),
        ([9, 5], {"encode": True}, "two halves"),
    ],
)
def test_what_cannot_be_counted_is_said(sizes, settings, message):
    with pytest.raises(ValueError, match=message):
        training_flops(sizes, 10, **settings)
