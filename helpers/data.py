"""Find, verify, scale and split the images."""

import gzip
import hashlib
import http.client
import os
import sys
import tempfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from IPython import get_ipython
from IPython.display import ProgressBar

TIMEOUT = 15  # seconds without an answer until a host is given up
CHUNK = 1 << 18  # bytes between two updates of the progress bar
_fallback = False


@dataclass(frozen=True)
class Images:
    """A data set, scaled and split. Its arrays are read-only: cells share them, so copy to edit.

    Attributes:
        x_train: float32 array (55000, 28, 28), values in [0, 1].
        y_train: uint8 array (55000,), the classes' numbers.
        x_valid: float32 array (5000, 28, 28), the last twelfth of the published training images.
        y_valid: uint8 array (5000,).
        x_test: float32 array (10000, 28, 28).
        y_test: uint8 array (10000,).
        class_names: tuple of ten str.
        name: str, `"fashion-mnist"`, or `"digits"` for the fallback.
        is_fallback: bool, whether these are the embedded digits: 1,797 images, split alike.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_valid: np.ndarray
    y_valid: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    class_names: tuple[str, ...]
    name: str
    is_fallback: bool

    def __post_init__(self):
        for value in vars(self).values():
            if isinstance(value, np.ndarray):
                value.flags.writeable = False


@dataclass(frozen=True)
class DataSet:
    """Four gzipped IDX files: who serves them, and the checksums that identify them."""

    title: str
    folder_variable: str  # the environment variable that names a folder with the files
    hosts: tuple[str, ...]  # tried in this order
    files: dict[str, tuple[int, str]]  # size and SHA-256 by name; images, labels, test likewise
    class_names: tuple[str, ...]


DATA_SETS = {
    "fashion-mnist": DataSet(
        title="Fashion-MNIST",
        folder_variable="FASHION_MNIST_DIR",
        hosts=(
            "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        files={
            "train-images-idx3-ubyte.gz": (
                26_421_880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            "train-labels-idx1-ubyte.gz": (
                29_515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            "t10k-images-idx3-ubyte.gz": (
                4_422_102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            "t10k-labels-idx1-ubyte.gz": (
                5_148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        },
        class_names=(
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
        ),
    )
}


def load_images(name="fashion-mnist"):
    """Load a data set as float images, in three parts.

    The files come from the folder named by `FASHION_MNIST_DIR` if that is set, else from Keras'
    cache, else from the internet into that cache. Where none of these has them, scikit-learn's
    small digits take their place, and a printed sentence says so.

    Args:
        name: str, the name of the data set.

    Returns:
        The `Images`.

    Raises:
        ValueError: there is no data set of this name.
        OSError: a file in `FASHION_MNIST_DIR` is missing, unreadable or damaged.

    Source: Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747.
    """
    global _fallback  # noqa: PLW0603  (`claim` and the output check ask `fallback_in_use`)
    try:
        files = find_files(name)
    except ConnectionError as problem:
        _fallback = True
        images = _digits()
        print(
            f"NOT THE BOOK'S DATA: {problem}, so this run uses scikit-learn's small images of "
            f"handwritten digits instead, and its numbers and pictures differ from the book's; "
            f"for the real data, run again with an internet connection, or set "
            f"{DATA_SETS[name].folder_variable} to a folder that holds the four files.",
            flush=True,
        )
        return images
    x, y, x_test, y_test = (_read_idx(files[file]) for file in DATA_SETS[name].files)
    x, x_test = (np.divide(pixels, 255, dtype=np.float32) for pixels in (x, x_test))
    cut = len(x) - len(x) // 12
    return Images(
        *(x[:cut], y[:cut], x[cut:], y[cut:], x_test, y_test),
        class_names=DATA_SETS[name].class_names,
        name=name,
        is_fallback=False,
    )


def fallback_in_use():
    """Tell whether this process has had to load the fallback data."""
    return _fallback


def find_files(name="fashion-mnist"):
    """Get a data set's verified files; those that are not here are downloaded into Keras' cache.

    Args:
        name: str, the name of the data set.

    Returns:
        A dict from file names to their content, as bytes of the right SHA-256.

    Raises:
        ValueError: there is no data set of this name.
        ConnectionError: the files are not here, and no host delivers them.
        OSError: a file in `FASHION_MNIST_DIR` is missing, unreadable or damaged.
    """
    if name not in DATA_SETS:
        raise ValueError(f"There is no data set {name!r}. Known: {', '.join(DATA_SETS)}.")
    data_set = DATA_SETS[name]
    if chosen := os.environ.get(data_set.folder_variable):
        files, faults = _read_folder(Path(chosen).expanduser(), data_set)
        if faults:  # the reader chose this folder: other images instead would be a surprise
            raise OSError(
                f"{'; '.join(faults)}. The environment variable {data_set.folder_variable} names "
                f"this folder: put {data_set.title}'s four files there, or unset the variable to "
                f"have them downloaded."
            )
        return files
    # The cache of `keras.datasets`, so that either finds what the other has downloaded.
    home = os.environ.get("KERAS_HOME") or os.path.join("~", ".keras")
    folder = Path(os.path.expanduser(home), "datasets", name)
    files, faults = _read_folder(folder, data_set)
    return _download(files, faults, folder, data_set) if faults else files


def _read_folder(folder, data_set):
    """Read the good files of a folder, and say what is wrong with it or the others."""
    files, faults = {}, []
    try:
        os.listdir(folder)
    except OSError as problem:
        return files, [f"{folder}: {_reason(problem)}"]
    for file in data_set.files:
        try:
            files[file] = _verified((folder / file).read_bytes(), *data_set.files[file])
        except (OSError, ValueError) as problem:
            faults.append(f"{folder / file}: {_reason(problem)}")
    return files, faults


def _download(files, faults, folder, data_set):
    """Complete `files` from the data set's hosts, and keep what came in `folder`.

    Not by `keras.utils.get_file`: it writes into the cache while it downloads, so that a second
    process can read half a file and a killed one leaves it there; and it knows neither a mirror
    nor a timeout.
    """
    sizes = {file: size for file, (size, _) in data_set.files.items() if file not in files}
    show, new = _announced_bar(data_set.title, sum(sizes.values())), {}
    for host in data_set.hosts:
        try:
            for file in [file for file in sizes if file not in new]:
                url, done = host + file, sum(map(len, new.values()))
                content = _fetch(url, sizes[file], lambda size, done=done: show(done + size))
                new[file] = _verified(content, *data_set.files[file])
        except (OSError, ValueError, http.client.HTTPException) as problem:
            faults.append(f"{url}: {_reason(problem)}")  # the next host has the rest
    if sizes.keys() - new.keys():
        raise ConnectionError(f"{data_set.title} could not be loaded ({'; '.join(faults)})")
    try:
        _save(new, folder)
    except OSError as problem:
        print(
            f"{folder}: {_reason(problem)}. The download serves this run only; to keep the next "
            f"one, set KERAS_HOME to a folder that can be written."
        )
    return files | new


def _announced_bar(title, size):
    """Return a bar's update function that announces the download when the first bytes arrive.

    Without a network nothing arrives, and a bar that never moves would say the wrong thing.
    """
    update = None

    def show(received):
        nonlocal update
        if update is None:
            print(f"Downloading {title}, {size / 1e6:.2g} MB.", flush=True)
            update = _progress_bar(size)
        update(received)

    return show


def _progress_bar(size):
    """Show a bar for `size` bytes, suited to where it is seen; return its update function."""
    if getattr(get_ipython(), "kernel", None):  # a notebook, where \r and ANSI codes are noise
        bar = ProgressBar(size)
        bar.display()
        return lambda done: setattr(bar, "progress", done)
    if sys.stdout.isatty():
        from keras.utils import Progbar  # here, since a script that only wants files needs no Keras

        bar = Progbar(size // 1000, unit_name="kB")
        return lambda done: bar.update(done // 1000)
    return lambda done: None


def _fetch(url, size, show):
    content = bytearray()
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        while chunk := response.read(min(CHUNK, size - len(content))):
            content += chunk
            show(len(content))
    return bytes(content)


def _verified(content, size, sha256):
    if len(content) != size:
        raise ValueError(
            f"the file is incomplete or not the right one, {len(content):,} bytes "
            f"instead of {size:,}"
        )
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ValueError(f"the file is damaged, its SHA-256 is {found} instead of {sha256}")
    return content


def _reason(problem):
    """Say in a few words what an exception says, without error numbers and repeated names."""
    problem = getattr(problem, "reason", problem)  # of an URLError
    return getattr(problem, "strerror", None) or str(problem) or type(problem).__name__


def _save(files, folder):
    """Write files whole or not at all: aside first, then renamed, which is atomic."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as aside:
        for file, content in files.items():
            Path(aside, file).write_bytes(content)
            os.replace(Path(aside, file), folder / file)


def _read_idx(content):
    """Unpack the IDX format of LeCun et al.: its fourth byte counts the axes, sizes follow."""
    content = gzip.decompress(content)
    shape = np.frombuffer(content, ">i4", count=content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * len(shape)).reshape(shape)


def _digits():
    """Make the fallback: scikit-learn's 8×8 digits in the format and proportions of the book's."""
    # Only here, since most runs need neither.
    from scipy.ndimage import zoom
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    digits = load_digits()
    scale = 28 / 8
    x = zoom(digits.images / 16, (1, scale, scale), order=1, mode="nearest", grid_mode=True)
    x, y = x.astype(np.float32), digits.target.astype(np.uint8)
    # The writers come one after the other, so a split without shuffling would part them.
    split = {"random_state": 0, "shuffle": True}
    x, x_test, y, y_test = train_test_split(x, y, test_size=1 / 7, stratify=y, **split)
    x, x_valid, y, y_valid = train_test_split(x, y, test_size=1 / 12, stratify=y, **split)
    return Images(
        *(x, y, x_valid, y_valid, x_test, y_test),
        class_names=tuple(map(str, digits.target_names)),
        name="digits",
        is_fallback=True,
    )
