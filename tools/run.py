"""Execute the chapters in place: `python -m tools.run [slug ...]`.

Each chapter is normalised, run from top to bottom in a fresh kernel, and written only if every
cell succeeded and nothing that differs from run to run would be stored: the stored outputs are
what the book shows and what the output check (tests/output_check.py) compares with.
"""

import contextlib
import functools
import os
import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import yaml
from jupyter_client import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, NbvalKernelspecManager

from tools.normalise import STAMP, normalise, source_hash, text

ROOT = Path(__file__).resolve().parents[1]
TIMEOUT = 300  # seconds a cell may take
DIGEST = "application/vnd.autoencoders-measured.digest+json"  # as in helpers/digest.py
KINDS = {"text/plain", "text/html", "text/latex", "text/markdown", "image/png", DIGEST}
# Asked after the last cell: outputs made from the fallback data are never stored.
FALLBACK = "getattr(__import__('sys').modules.get('helpers.data'), 'fallback_in_use', bool)()"
REFUSED = {
    r"\x1b": "an ANSI escape code; print plain text",
    r"\r|\x08": "a progress bar or an overwritten line; use verbose=0",
    r"(?i)\d ?(ms|s|it)/(step|epoch|it|s)\b|\dit/s": "a speed, which no two runs share",
    r"(?<![\w.:/<>])/(home|root|Users|tmp|work|opt|usr|var|mnt|content)/": "a path of this machine",
    r"\b[A-Z]:\\": "a path of this machine",
    r"\b0x[0-9a-f]{6,}": "a memory address; print something else",
}


def kernel_options():
    """Return how a chapter's kernel is started, by this tool and by the output check alike."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    environment |= {
        "KERAS_BACKEND": "tensorflow",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(paths),  # the helpers beside the chapter, not installed ones
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    arguments = [
        "--IPKernelApp.capture_fd_output=False",  # TensorFlow's C++ greeting is no cell's output
        "--HistoryManager.hist_file=:memory:",  # nor are our cells part of the user's history
    ]
    return {"env": environment, "extra_arguments": arguments}


def chapters(toc=ROOT / "_toc.yml"):
    """Return the notebooks that the table of contents lists, in its order."""

    def files(node):
        if isinstance(node, dict):
            node = [
                node.get("file"),
                *(v for k, v in node.items() if k in ("parts", "chapters", "sections")),
            ]
        for entry in node if isinstance(node, list) else []:
            yield from [entry] if isinstance(entry, str) else files(entry)

    contents = yaml.safe_load(toc.read_text()) if toc.exists() else {}
    paths = ((toc.parent / name).with_suffix(".ipynb") for name in files(contents))
    return [path for path in paths if path.exists()]


def code_cells(notebook):
    """Return the code cells."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def stamp(notebook):
    """Return what ties stored outputs to their sources: {cell id: short hash of the source}."""
    return {cell.id: source_hash(cell.source) for cell in code_cells(notebook)}


def refused(output):
    """Return why an output must not be stored, as a list of phrases."""
    if output.output_type == "error":
        return [f"an error: {output.ename}: {output.evalue}"]
    if output.output_type == "stream" and output.name != "stdout":
        return [f"text on {output.name}; cure or catch it: {output.text.strip()}"]
    data = {"text/plain": output.text} if output.output_type == "stream" else output.data
    reasons = [
        f"{kind} cannot be compared; show text, a table or a figure"
        for kind in sorted(data.keys() - KINDS)
    ]
    if "image/png" in data and DIGEST not in data:
        reasons.append("an image without a digest; show the figure itself, after set_up()")
    if DIGEST in data and not data.keys() & {"image/png", "text/html"}:
        reasons.append("a digest whose picture is missing")
    for kind in sorted(data.keys() & KINDS - {"image/png", DIGEST}):
        for pattern, reason in REFUSED.items():
            if match := re.search(pattern, data[kind]):
                around = data[kind][max(match.start() - 20, 0) : match.end() + 40]
                reasons.append(f"{reason}: {around!r}")
    return reasons


@functools.cache
def fetch_images():
    """Download the images before a chapter asks for them, so that no bar becomes an output.

    A chapter that needs them says itself what is wrong with them.
    """
    from helpers.data import find_files  # imports TensorFlow, which only this function needs

    with contextlib.suppress(OSError):
        find_files()


def run(path):
    """Execute the chapter at `path` and return it as text, ready to be written.

    Raises:
        RuntimeError: a cell fails, or an output must not be stored; the message tells the reader.
    """
    notebook = normalise(nbformat.read(path, as_version=4), path.stem)
    manager = AsyncKernelManager(
        kernel_name=CURRENT_ENV_KERNEL_NAME, kernel_spec_manager=NbvalKernelspecManager()
    )
    options = kernel_options()
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=TIMEOUT,
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=options["extra_arguments"],
    )
    with (
        tempfile.TemporaryFile() as log,
        client.setup_kernel(env=options["env"], cwd=path.parent, stderr=log, cleanup_kc=True),
    ):
        for number, cell in enumerate(code_cells(notebook), start=1):
            try:
                client.execute_cell(cell, notebook.cells.index(cell), execution_count=number)
            except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
                log.seek(0)
                tail = log.read()[-2000:].decode(errors="replace")
                tail = f"\n{tail}" if isinstance(error, DeadKernelError) else ""
                raise RuntimeError(f"{headline(number, cell)}\n{error}{tail}") from None
            for output in cell.outputs:
                if reasons := refused(output):
                    raise RuntimeError("\n  ".join([headline(number, cell), *reasons]))
        probe = nbformat.v4.new_code_cell(FALLBACK)
        client.nb = nbformat.v4.new_notebook(cells=[probe])
        if client.execute_cell(probe, 0).outputs[0].data["text/plain"] != "False":
            raise RuntimeError(
                "ran on the fallback data, whose outputs are not the book's: set FASHION_MNIST_DIR "
                "or allow the download"
            )
    notebook.metadata[STAMP] = stamp(notebook)
    return text(normalise(notebook, path.stem))


def headline(number, cell):
    """Name a code cell the way a reader finds it: its number and its first lines."""
    lines = [line for line in cell.source.splitlines() if line.strip()]
    shown = [f"    {line}" for line in lines[:3]] + ["    …"] * (len(lines) > 3)
    return "\n".join([f"code cell {number} (id {cell.id}):", *shown])


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
    paths = [ROOT / "chapters" / f"{Path(slug).stem}.ipynb" for slug in slugs] or chapters()
    if missing := [path.name for path in paths if not path.exists()]:
        print("No such chapter:", *missing, "in chapters/", file=sys.stderr)
        return 1
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
