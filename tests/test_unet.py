"""The small U-Net: its shapes, its size, and that every pixel can see far and near."""

import keras
import numpy as np
import pytest
from keras import ops

from helpers import small_unet


@pytest.mark.parametrize(("width", "channels"), [(8, 1), (4, 2)])
def test_it_keeps_the_side_and_returns_one_channel(width, channels):
    model = small_unet(width, channels=channels)
    assert model.input_shape == (None, 28, 28, channels)
    assert model.output_shape == (None, 28, 28, 1)
    assert not model.compiled


def multiply_adds(model):
    """Count a convolution's kernel once for each place where it is applied."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            total += layer.kernel.shape.num_elements() * np.prod(layer.input.shape[1:3])
        elif isinstance(layer, keras.layers.Conv2D):
            total += layer.kernel.shape.num_elements() * np.prod(layer.output.shape[1:3])
    return total


def test_its_size_is_what_the_docstring_says():
    model = small_unet()
    assert model.count_params() == 19_817
    assert "19,817" in small_unet.__doc__
    assert round(multiply_adds(model) / 1e6, 1) == 2.3
    assert "2.3 million" in small_unet.__doc__


def influence(model, row, column):
    """Return how much one output pixel moves with each input pixel, for a random image."""
    import tensorflow as tf

    image = tf.random.stateless_normal((1, 28, 28, 1), (0, 1))
    with tf.GradientTape() as tape:
        tape.watch(image)
        pixel = model(image)[0, row, column, 0]
    return np.abs(ops.convert_to_numpy(tape.gradient(pixel, image)))[0, :, :, 0]


def test_a_pixel_sees_its_neighbours_by_the_skip_and_the_rest_through_the_depth():
    keras.utils.set_random_seed(0)
    model = small_unet()
    seen = influence(model, 13, 13) > 0
    assert seen[10:17, 10:17].all()
    assert seen.any(axis=1).sum() >= 20, "the way down and up must widen the view"
    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2DTranspose):
            layer.kernel.assign(ops.zeros_like(layer.kernel))
    rows, columns = np.nonzero(influence(model, 13, 13))
    reached = rows.min(), rows.max(), columns.min(), columns.max()
    assert reached == (10, 16, 10, 16), "three 3×3 kernels in a row, by the skip alone"


@pytest.mark.parametrize("sizes", [{"width": 0}, {"channels": 0}])
def test_no_width_and_no_channels_raise(sizes):
    with pytest.raises(ValueError, match="at least 1"):
        small_unet(**sizes)
