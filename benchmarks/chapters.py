"""Where do the chapters' seconds go, and how does training time grow?

Each chapter runs from top to bottom in a fresh kernel, started as `make run` starts it, but without
the figures' digests, which no reader waits for; every cell is timed, with the longest time in which
it showed nothing, and the kernel's peak memory is read after it. Nothing is stored in the chapter.

Then `fit` is timed on more images, wider and deeper networks, and the slope of log time over log
size, the exponent, is set beside the one that counting operations predicts.

Run it on an idle machine with `python -m benchmarks.chapters` (about 12 minutes), or for some
chapters only: `python -m benchmarks.chapters --only linear-autoencoder`.
"""

import itertools
import os
import statistics
import time
from pathlib import Path

import nbformat
import numpy as np

from benchmarks.common import arguments, code_hash, read_result, write_result
from tools.chapters import chapters
from tools.kernel import start_kernel

NAME = "chapters"
SIZES = {
    "images": [10_000, 20_000, 40_000, 60_000],
    "width": [50, 100, 200, 400],  # of the two hidden layers
    "depth": [1, 2, 4, 8],  # hidden layers of 256 units on each side
}
SHOWN = {"stream", "display_data", "execute_result", "update_display_data"}
DEFINITION = {
    "seeds": [0],
    "sizes": SIZES,
    "optimizers": {"images": ["muon"], "width": ["adam", "muon"], "depth": ["adam", "muon"]},
    "images": 10_000,  # where width or depth grows
    "batch_size": 128,
    "epochs": 4,  # the first one, with the tracing, is not timed
    "cells": None,  # all
}
QUICK = DEFINITION | {
    "sizes": {"images": [256, 512], "width": [8, 16]},
    "optimizers": {"images": ["muon"], "width": ["adam"]},
    "images": 256,
    "epochs": 2,
    "cells": 3,
}


def main(argv=None):
    """Time the chapters asked for, and the scaling if it is missing; keep what was timed before."""
    options = arguments(
        __doc__.split("\n")[0],
        argv,
        only={"nargs": "*", "metavar": "SLUG", "help": "these chapters ('scaling': only that)"},
    )
    definition = QUICK if options.quick else DEFINITION
    result = {"chapters": {}, "scaling": []}
    if (options.out / f"{NAME}.json").exists():
        old = read_result(NAME, options.out)
        if old["code_hash"] == code_hash(NAME, definition):
            result = {key: old[key] for key in result}
    paths = [path for path in chapters() if options.only is None or path.stem in options.only]
    for path in paths[:1] if options.quick else paths:
        result["chapters"][path.stem] = chapter = time_chapter(path, definition["cells"])
        print(f"{path.stem}: {chapter['seconds']} s, {chapter['memory_mb']} MB", flush=True)
        for cell in sorted(chapter["cells"], key=lambda cell: -cell["seconds"])[:5]:
            print(f"  {cell['seconds']:6.1f} s  cell {cell['number']}: {cell['line']}", flush=True)
        write_result(NAME, definition, options.out, quick=options.quick, **result)
    if not result["scaling"] or "scaling" in (options.only or ()):
        result["scaling"] = [
            scaling(kind, optimizer, definition)
            for kind, optimizers in definition["optimizers"].items()
            for optimizer in optimizers
        ]
        for row in result["scaling"]:
            print(
                f"{row['kind']} ({row['optimizer']}): exponent {row['exponent']:.2f}, expected "
                f"{row['expected']:.2f}; seconds an epoch {row['seconds']}",
                flush=True,
            )
    write_result(NAME, definition, options.out, quick=options.quick, **result)


def time_chapter(path, most=None):
    """Run a chapter and time its cells.

    Args:
        path: Path of the notebook.
        most: int, run so many code cells only.

    Returns:
        A dict with the seconds of the whole, the kernel's start included, the peak memory in MB,
        and the cells in order: number, first line of code, seconds, the longest of them without
        anything new to see, peak memory so far.
    """
    notebook = nbformat.read(path, as_version=4)
    cells, shown = [], []

    def watch(message):
        if message in SHOWN:
            shown.append(time.perf_counter())

    start = time.perf_counter()
    with start_kernel(path.parent) as kernel:
        shown.append(time.perf_counter())
        for number, cell in itertools.islice(kernel.run(notebook, watch), most):
            shown.append(time.perf_counter())
            lines = [li for li in cell.source.split("\n") if li.strip() and not li.startswith("#")]
            cells.append(
                {
                    "number": number,
                    "line": lines[0][:80] if lines else "",
                    "seconds": round(shown[-1] - shown[0], 2),
                    "silent": round(max(b - a for a, b in itertools.pairwise(shown)), 2),
                    "memory_mb": kernel_memory(kernel.process_id),
                }
            )
            shown[:] = [time.perf_counter()]
        seconds = round(time.perf_counter() - start, 1)
    memory = max(cell["memory_mb"] for cell in cells)
    return {"seconds": seconds, "memory_mb": memory, "cells": cells}


def kernel_memory(process_id):
    """Return the most memory that the kernel has held so far, in MB (0 where Linux is not)."""
    status = Path(f"/proc/{process_id}/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return round(next((int(li.split()[1]) for li in lines if li.startswith("VmHWM")), 0) / 1000)


def network(kind, size):
    """Return the layers' sizes of the network that a point of a series trains."""
    hidden = {"images": [100], "width": [size], "depth": [256] * size}[kind]
    return [784, *hidden, 30, *hidden, 784]


def scaling(kind, optimizer, definition):
    """Time an epoch at each size of a series; return the seconds and the two exponents."""
    from helpers import training_flops

    sizes, batch_size = definition["sizes"][kind], definition["batch_size"]
    seconds, counts = [], []
    for size in sizes:
        images = size if kind == "images" else definition["images"]
        chain = network(kind, size)
        seconds.append(round(epoch_seconds(chain, images, optimizer, definition), 3))
        counts.append(training_flops(chain, images, batch_size=batch_size, optimizer=optimizer))
    return {
        "kind": kind,
        "optimizer": optimizer,
        "sizes": sizes,
        "seconds": seconds,
        "gigaflop": [round(count / 1e9, 2) for count in counts],
        "exponent": round(slope(sizes, seconds), 3),
        "expected": round(slope(sizes, counts), 3),
    }


def slope(sizes, values):
    """Return the slope of the straight line through log values over log sizes."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def epoch_seconds(chain, images, optimizer, definition):
    """Train a network with `fit`; return the median seconds of an epoch, the first left out."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import keras
    from keras import layers

    from helpers import fit, load_images

    data = load_images()
    x = np.concatenate([data.x_train, data.x_valid])[:images].reshape(-1, 784)
    keras.utils.set_random_seed(0)
    activations = ["gelu"] * (len(chain) // 2 - 1)
    activations += ["linear", *activations, "linear"]
    model = keras.Sequential([keras.Input((784,))])
    for units, activation in zip(chain[1:], activations, strict=True):
        model.add(layers.Dense(units, activation=activation))
    if optimizer == "adam":
        model.compile(loss="mse", optimizer=keras.optimizers.Adam(1e-3))
    clocks = []
    watch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: clocks.append(time.perf_counter())
    )
    settings = {"epochs": definition["epochs"], "batch_size": definition["batch_size"]}
    fit(model, x, callbacks=[watch], verbose=False, **settings)
    return statistics.median(after - before for before, after in itertools.pairwise(clocks))


if __name__ == "__main__":
    main()
