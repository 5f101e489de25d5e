"""Measure how far each number of a chapter moves: `python -m output_check.measure [slug ...]`.

The chapter runs again in environments that round differently, and its numbers are compared with those
that are stored. What is found is stored too (output_check/spreads.py) and decides how far
a number may move in the output check. A chapter whose code has been measured already is left alone;
`--again` on another type of machine adds what moves there to what is known.
"""

import argparse
import sys
import time

import nbformat

from output_check.compare import find_flaws
from output_check.spreads import (
    find_spread_flaws,
    find_unmeasured,
    measure,
    path_of,
    read,
    widened,
    write,
)
from tools.chapters import chapters, named
from tools.run import execute, fetch_images


def threads(number):
    """Return what makes TensorFlow, OpenMP and OpenBLAS use so many threads."""
    libraries = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    pools = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
    return dict.fromkeys(libraries + pools, str(number))


# Each adds in another order than the one before: other kernels, other vectors, other shares of the
# work. Instruction sets that are switched off stand for other types of CPU.
ENVIRONMENTS = {
    "one thread, as `make test` runs": threads(1),
    "without oneDNN, one thread": {"TF_ENABLE_ONEDNN_OPTS": "0", **threads(1)},
    "without AVX-512, four threads": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
        "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512_SKX",
        **threads(4),
    },
    "without oneDNN and AVX2, four threads": {
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "OPENBLAS_CORETYPE": "Sandybridge",
        **threads(4),
    },
}


def measure_chapter(path):
    """Run a chapter in all environments and store its spreads; return what is wrong, as texts."""
    notebook = nbformat.read(path, as_version=4)
    if flaws := find_flaws(notebook):
        return flaws
    runs = []
    for name, environment in ENVIRONMENTS.items():
        try:
            runs.append(execute(path, environment))
        except RuntimeError as error:
            raise RuntimeError(f"{name}: {error}") from None
    spreads, problems = measure(notebook, runs)
    spreads = widened(spreads, read(path_of(path)))
    path_of(path).parent.mkdir(exist_ok=True)
    path_of(path).write_text(write(spreads), encoding="utf-8", newline="\n")
    return problems + find_spread_flaws(notebook, spreads)


def main(arguments=None):
    """Measure the chapters named, or all; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m output_check.measure", description=__doc__)
    parser.add_argument("slugs", nargs="*", metavar="slug", help="chapters; by default all")
    parser.add_argument("--again", action="store_true", help="measure what has been measured, too")
    options = parser.parse_args(arguments)
    failed = False
    for path in named(options.slugs) or chapters():
        notebook, start = nbformat.read(path, as_version=4), time.monotonic()
        if not options.again and not find_unmeasured(notebook, read(path_of(path))):
            continue
        fetch_images()
        try:
            flaws = measure_chapter(path)
        except (RuntimeError, OSError) as error:
            flaws = [str(error)]
        for flaw in flaws:
            print(f"{path.stem}: {flaw}", file=sys.stderr)
        failed |= bool(flaws)
        print(f"{path.stem}: measured, {time.monotonic() - start:.0f} s", flush=True)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
