"""Execute the chapters in place: `python -m tools.run [slug ...]`.

Each chapter is normalised, run from top to bottom in a fresh kernel, and written only if every
cell succeeded and nothing that differs from run to run would be stored: the stored outputs are
what the book shows and what the output check (output_check/plugin.py) compares with. `make run` then
measures how far the numbers move in other environments (output_check/measure.py).
"""

import contextlib
import functools
import os
import sys
import tempfile
import time

import nbformat

from tools.chapters import chapters, named
from tools.kernel import book_environment, start_kernel
from tools.normalise import normalise, text
from tools.stored import OUTPUTS_OF, describe_cell, hash_sources, reasons_not_to_store

# Makes figures comparable. Named only: what runs a chapter depends on nothing that checks it.
DIGEST_EXTENSION = "output_check.digest"


@functools.cache
def fetch_images():
    """Download the images before a chapter asks for them, so that no bar becomes an output.

    A chapter that needs them says itself what is wrong with them.
    """
    from helpers.data import find_files  # helpers may import TensorFlow: only for who needs images

    with contextlib.suppress(OSError):
        find_files()


def execute(path, environment=None):
    """Execute the chapter at `path` and return it as a notebook with its new outputs.

    Args:
        path: the chapter's file, which is only read.
        environment: dict of str, environment variables beside the book's.

    Raises:
        RuntimeError: a cell fails, or an output must not be stored; the message tells the reader.
    """
    notebook = normalise(nbformat.read(path, as_version=4), path.stem)
    environment = book_environment() | (environment or {})
    with start_kernel(
        path.parent, extensions=[DIGEST_EXTENSION], environment=environment
    ) as kernel:
        for number, cell in kernel.run(notebook):
            for output in cell.outputs:
                if reasons := reasons_not_to_store(output):
                    raise RuntimeError("\n  ".join([describe_cell(number, cell), *reasons]))
        if kernel.uses_fallback():
            raise RuntimeError(
                "ran on the fallback data, whose outputs are not the book's: set FASHION_MNIST_DIR "
                "or allow the download"
            )
    return notebook


def run(path):
    """Execute the chapter at `path` and return it as text, ready to be written.

    Raises:
        RuntimeError: as `execute` does.
    """
    notebook = execute(path)
    notebook.metadata[OUTPUTS_OF] = hash_sources(notebook)
    return text(normalise(notebook, path.stem))


def write(path, content):
    """Replace a file's content in one step, and only if it changes."""
    if path.read_text(encoding="utf-8") == content:
        return
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", newline="\n", dir=path.parent, suffix=".tmp", delete=False
    ) as file:
        file.write(content)
    os.chmod(file.name, path.stat().st_mode)
    os.replace(file.name, path)


def main(slugs):
    """Run the chapters named, or all; return the exit status."""
    paths = named(slugs) or chapters()
    fetch_images()
    for path in paths:
        start = time.monotonic()
        try:
            write(path, run(path))
        except (RuntimeError, ValueError) as error:
            print(f"{path.stem}: NOT stored. {error}", file=sys.stderr)
            return 1
        print(f"{path.stem}: {time.monotonic() - start:.0f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
