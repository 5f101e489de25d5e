"""Find, verify, scale and split the images."""

import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

CLASS_NAMES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
_fallback = False


@dataclass(frozen=True)
class Images:
    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple
    name: str
    is_fallback: bool


def fallback_in_use():
    """Tell whether this process has had to load the fallback data."""
    return _fallback


def load_images(name="fashion-mnist"):
    folder = Path(os.environ["FASHION_MNIST_DIR"])

    def read(stem, offset):
        with gzip.open(folder / f"{stem}-ubyte.gz") as f:
            return np.frombuffer(f.read(), np.uint8, offset=offset)

    x = read("train-images-idx3", 16).reshape(-1, 28, 28).astype("float32") / 255
    y = read("train-labels-idx1", 8)
    xt = read("t10k-images-idx3", 16).reshape(-1, 28, 28).astype("float32") / 255
    yt = read("t10k-labels-idx1", 8)
    return Images(x[:-5000], y[:-5000], x[-5000:], y[-5000:], xt, yt, CLASS_NAMES, name, False)
