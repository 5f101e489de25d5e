"""The book's one way to train."""

import functools
import math
import os
from types import SimpleNamespace

import keras
import numpy as np
import tensorflow as tf
from keras import ops

BATCH_SIZE = 128
MOST_LINES = 10  # a longer training prints evenly spaced epochs only


class EpochLines(keras.callbacks.Callback):
    """Prints one clean line an epoch: no bars, no carriage returns, no times."""

    def on_epoch_end(self, epoch, logs=None):
        """Print the epoch's losses and metrics with four significant digits."""
        epochs = self.params["epochs"]
        every = math.ceil(epochs / MOST_LINES)
        if (epoch + 1) % every and epoch + 1 != epochs:
            return
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in (logs or {}).items())
        print(f"epoch {epoch + 1}/{epochs}  {numbers}", flush=True)


@keras.saving.register_keras_serializable("autoencoders-measured")
class Muon(keras.optimizers.Muon):
    """Keras' Muon, with the same steps for less than half of their arithmetic.

    The Newton–Schulz iteration multiplies the update X by a polynomial of XXᵀ, five times over.
    Keras multiplies the long X itself each time; but the polynomials commute, so here they are
    gathered in the small square matrix, and X is multiplied once, at the end. For a layer of
    784 × 100 that lowers a step's work from 167 to 67 million operations (see `training_flops`; the
    forward and backward pass of the book's whole network, on 128 images, takes 105), and an epoch's
    time by a third, for the same loss.

    Keras hands every weight that is no matrix to AdamW. Here a kernel of four dimensions is treated
    as the matrix that its convolution multiplies with, as Jordan et al. do (2024,
    https://kellerjordan.github.io/posts/muon/): its first three dimensions become one.

    - `Conv2D`, (h, w, in, out): the matrix (h·w·in, out) maps a patch to the numbers at its place.
    - `Conv2DTranspose`, (h, w, out, in): the matrix (h·w·out, in) spreads a place over a patch.
    - `DepthwiseConv2D` and the first kernel of `SeparableConv2D` mix no channels, so there is no such
      matrix: AdamW, as in Keras. They are known by "depthwise" in the weight's path, so give such a
      layer a name with that word, if any, or name it in `exclude_layers`.
    - All other shapes: AdamW, as in Keras. Three dimensions, for one, are a `Conv1D`'s kernel or an
      attention's, and the shape does not say which; the second kernel of `SeparableConv2D` is
      (1, 1, in, out), and so the matrix (in, out).
    """

    def _should_use_adamw(self, variable):
        if len(variable.shape) == 4 and "depthwise" not in variable.path:
            matrix = (math.prod(variable.shape[:3]), variable.shape[3])
            variable = SimpleNamespace(shape=matrix, path=variable.path)
        return super()._should_use_adamw(variable)

    def lr_adjust(self, x):
        """Scale an update by the longer side of its matrix."""
        if len(x.shape) == 4:
            return ops.reshape(super().lr_adjust(_matrix(x)), x.shape)
        return super().lr_adjust(x)

    def zeropower_via_newtonschulz5(self, x, steps):
        """Bring the singular values of a matrix, or of a kernel's matrix, close to one."""
        if len(x.shape) == 4:
            matrix = self.zeropower_via_newtonschulz5(_matrix(x), steps)
            return ops.reshape(matrix, x.shape)
        x = x / (ops.norm(x) + 1e-7)
        tall = x.shape[0] > x.shape[1]
        gram = ops.matmul(ops.transpose(x), x) if tall else ops.matmul(x, ops.transpose(x))
        product = identity = ops.eye(gram.shape[0], dtype=x.dtype)
        for _ in range(steps):
            factor = (
                self.muon_a * identity + self.muon_b * gram + self.muon_c * ops.matmul(gram, gram)
            )
            product = ops.matmul(factor, product)
            gram = ops.matmul(factor, ops.matmul(gram, factor))
        return ops.matmul(x, product) if tall else ops.matmul(product, x)


def _matrix(kernel):
    """Return a convolution's kernel as a matrix, its first three dimensions made one."""
    return ops.reshape(kernel, (-1, kernel.shape[3]))


def strategy(*devices):
    """Choose the devices to train on, before the model is built.

        with strategy().scope():
            model = keras.Sequential(...)
        fit(model, x, epochs=1)

    Keras trains a model where its weights were created, so the choice comes before the model, and
    `fit` follows it. A model built without it trains on one device, the first GPU if there is one.
    Several devices share every batch and average their gradients; the numbers agree with those of
    one device up to rounding if each batch, also an epoch's last, divides evenly among them.

    Args:
        *devices: str, as TensorFlow names them: `strategy("GPU:0", "GPU:1")`, `strategy("CPU:0")`,
            or `strategy("TPU")` for all cores of a TPU. By default what is there: a TPU named by
            the variable `TPU_NAME`, else all GPUs, else the CPU.

    Returns:
        A `tf.distribute.Strategy`, the same for the same devices. Where one device is all there
        is, that is TensorFlow's default, whose scope changes nothing.
    """
    if not devices:
        gpus = [gpu.name for gpu in tf.config.list_logical_devices("GPU")]
        devices = ("TPU",) if "TPU_NAME" in os.environ else tuple(gpus)
        if len(devices) < 2 and devices != ("TPU",):
            return tf.distribute.get_strategy()
    return _strategy(devices)


@functools.cache  # models of one strategy object cannot be combined with those of another
def _strategy(devices):
    if devices == ("TPU",):
        name = os.environ.get("TPU_NAME", "local")
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(name)
        return tf.distribute.TPUStrategy(resolver)
    if len(devices) == 1:
        return tf.distribute.OneDeviceStrategy(devices[0])
    return tf.distribute.MirroredStrategy(devices)


def fit(
    model,
    x,
    y=None,
    *,
    epochs,
    validation_data=None,
    batch_size=BATCH_SIZE,
    learning_rate=0.01,
    callbacks=(),
    verbose=True,
):
    """Train a Keras model the book's way and return its `History`.

    A model that is not compiled yet is compiled with mean squared error and Muon under a cosine
    schedule that ends at zero; a compiled model keeps its own loss and optimiser. A model that
    `fit` has compiled before starts a new schedule. A model trains on the devices that it was
    built for (see `strategy`).

    Args:
        model: a `keras.Model`.
        x: array of shape (n, ...), float32.
        y: array of n targets; `x` itself by default, as an autoencoder wants it.
        epochs: int, passes over the data.
        validation_data: an array, which is then its own target, or a pair (x, y).
        batch_size: int, examples per step, over all devices; rounded down to a multiple of their
            number.
        learning_rate: float, the start of the cosine schedule (used only when compiling).
        callbacks: further Keras callbacks.
        verbose: bool, whether to print a line an epoch (ten lines at most).

    Returns:
        The `keras.callbacks.History` of the run.

    Raises:
        TypeError: `x` or `y` is not an array.
        ValueError: an array is empty, holds NaN or infinity, or does not fit the other or the
            model.

    Sources: Muon, Jordan et al. 2024, as scaled by Liu et al. 2025, arXiv:2502.16982; cosine
    schedule, Loshchilov & Hutter 2017, arXiv:1608.03983.
    """
    _check(model, x, y)
    if validation_data is not None and not isinstance(validation_data, tuple):
        validation_data = (validation_data, validation_data)
    held_out = len(validation_data[0]) if validation_data else 0
    devices = model.distribute_strategy.num_replicas_in_sync
    batch_size = _even(batch_size, len(x), devices)
    steps = math.ceil(len(x) / batch_size)
    if not model.compiled or isinstance(model.optimizer, Muon):
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps * epochs)
        with model.distribute_strategy.scope():
            model.compile(loss="mse", optimizer=Muon(schedule))
    if model.built and model.optimizer and not model.optimizer.built:
        # Otherwise Keras makes the optimiser's variables while it traces the training step, and
        # TensorFlow traces everything a second time, without them.
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    # Many steps a call of the compiled function: at these sizes Python costs more than arithmetic.
    # Not on several devices: they meet at each step, which TensorFlow cannot do in Keras' loop.
    model.steps_per_execution = min(steps, 50) if devices == 1 else 1
    # Keras would copy x twice when it is its own target. The pipeline that shuffles runs on the CPU.
    with keras.device("cpu"):
        x = ops.convert_to_tensor(x)
        y = x if y is None else ops.convert_to_tensor(y)
    return model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=batch_size,
        validation_data=validation_data,
        validation_batch_size=_even(1000, held_out, devices),
        callbacks=[*callbacks, *([EpochLines()] if verbose else [])],
        verbose=0,
    )


def _even(batch_size, examples, devices):
    """Make the first batch divide among several devices, as Keras demands of it."""
    return batch_size if devices == 1 else min(batch_size, examples) // devices * devices


def _check(model, x, y):
    """Raise early and in plain words what Keras raises only deep inside a traced graph, or never."""
    for name, array in [("x", x)] + [("y", y)] * (y is not None):
        if not hasattr(array, "shape"):
            raise TypeError(f"{name} must be an array, not {type(array).__name__}.")
        if len(array) == 0:
            raise ValueError(f"{name} is empty: there is nothing to learn from.")
        if len(array) != len(x):
            raise ValueError(f"x has {len(x):,} examples, but y has {len(array):,}.")
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity.")
    shapes = {"takes": getattr(model, "input_shape", None)}  # None for a model not built yet
    if y is None:
        shapes["returns"] = getattr(model, "output_shape", None)
    for verb, shape in shapes.items():
        example = tuple(x.shape[1:])
        if shape and None not in shape[1:] and shape[1:] != example:
            raise ValueError(
                f"An example of x has shape {example}, but the model {verb} {shape[1:]}."
            )
