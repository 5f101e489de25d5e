"""The book's small U-Net: convolutions at three resolutions, joined by skips."""

import keras
from keras import layers


def small_unet(width=8, *, channels=1):
    """Return a small U-Net for 28×28 images, untrained and not compiled.

    Two steps down halve the side and double the channels: 28×28×w, 14×14×2w, 7×7×4w. Two steps up
    undo that, and each adds what the way down has seen at its resolution. All hidden layers are
    GELU; the output is linear. What it stands for, the image or the noise in it, is the caller's
    choice. Six of the nine convolutions keep the side, so the arithmetic is spread over all three
    resolutions: at w = 8 an image takes 2.3 million multiply-adds.

    Args:
        width: int, the channels w at the full resolution; 8 gives 19,817 parameters.
        channels: int, the channels of the input, for instance 2 if a map of noise levels is fed
            in beside the image.

    Returns:
        A `keras.Model` from (n, 28, 28, channels) to (n, 28, 28, 1), float32.

    Raises:
        ValueError: `width` or `channels` is below 1.

    Source: the shape is that of Ronneberger, Fischer & Brox 2015, arXiv:1505.04597, with additions
    for the concatenations.

    Example:
        noisy = keras.Input((28, 28, 1))
        denoiser = keras.Model(noisy, layers.Subtract()([noisy, small_unet()(noisy)]))
    """
    if min(width, channels) < 1:
        raise ValueError(f"width and channels must be at least 1, not {width} and {channels}.")
    image = keras.Input((28, 28, channels))
    full = _convolution(width)(image)
    half = _convolution(2 * width)(_halve(2 * width)(full))
    quarter = _convolution(4 * width)(_halve(4 * width)(half))
    half = _convolution(2 * width)(layers.Add()([half, _double(2 * width)(quarter)]))
    full = _convolution(width)(layers.Add()([full, _double(width)(half)]))
    return keras.Model(image, layers.Conv2D(1, 3, padding="same")(full), name="small_unet")


def _convolution(channels):
    return layers.Conv2D(channels, 3, padding="same", activation="gelu")


def _halve(channels):
    return layers.Conv2D(channels, 2, strides=2, activation="gelu")


def _double(channels):
    return layers.Conv2DTranspose(channels, 2, strides=2, activation="gelu")
