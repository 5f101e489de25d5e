"""The book's one way to train."""

import math

import keras

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
    schedule that ends at zero; a compiled model keeps its own loss and optimiser.

    Args:
        model: a `keras.Model`.
        x: array of shape (n, ...), float32.
        y: array of n targets; `x` itself by default, as an autoencoder wants it.
        epochs: int, passes over the data.
        validation_data: an array, which is then its own target, or a pair (x, y).
        batch_size: int, examples per step.
        learning_rate: float, the start of the cosine schedule (used only when compiling).
        callbacks: further Keras callbacks.
        verbose: bool, whether to print a line an epoch (ten lines at most).

    Returns:
        The `keras.callbacks.History` of the run.

    Sources: Muon, Jordan et al. 2024, as scaled by Liu et al. 2025, arXiv:2502.16982; cosine
    schedule, Loshchilov & Hutter 2017, arXiv:1608.03983.
    """
    y = x if y is None else y
    if validation_data is not None and not isinstance(validation_data, tuple):
        validation_data = (validation_data, validation_data)
    steps = math.ceil(len(x) / batch_size)
    if not model.compiled:
        schedule = keras.optimizers.schedules.CosineDecay(learning_rate, steps * epochs)
        model.compile(loss="mse", optimizer=keras.optimizers.Muon(schedule))
    # Many steps a call of the compiled function: at these sizes Python costs more than arithmetic.
    model.steps_per_execution = min(steps, 50)
    return model.fit(
        x,
        y,
        epochs=epochs,
        batch_size=batch_size,
        validation_data=validation_data,
        validation_batch_size=1000,
        callbacks=[*callbacks, *([EpochLines()] if verbose else [])],
        verbose=0,
    )
