"""Bring chapters into their normal form: `python -m tools.normalise [slug ...]`.

A notebook's file must change only when its content does. So the cells get readable ids that stay,
editors' private metadata goes, the keys have one order, and the set-up cell for Colab is written
from the repository's address in `_config.yml`. Sources, outputs and execution counts are left alone.
"""

import copy
import functools
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import yaml

from tools.chapters import named
from tools.stored import DIGEST, OUTPUTS_OF, source_hash

ROOT = Path(__file__).resolve().parents[1]
COLAB_ID = "colab-set-up"
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
# What a cell's metadata may hold, in this order: the book's display, the output check, Colab's form.
CELL_KEYS = ("tags", "mystnb", "check", "cellView")
# nbformat's and Jupyter's random ids: a cell that has one is new, and gets a readable id.
RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{8}")
VALID_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

COLAB = """\
# @title Set-up for Colab: fetches the book's helpers (elsewhere this cell does nothing)
import importlib.util
import os
import subprocess
import sys

on_colab = "COLAB_RELEASE_TAG" in os.environ
if on_colab and importlib.util.find_spec("helpers") is None:
    # --no-deps: nothing that Colab has installed is replaced, so no restart is needed.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    book = "autoencoders-measured @ git+{url}@v{version}"
    run = subprocess.run([*pip, book], check=False, capture_output=True, text=True)
    if run.returncode != 0:
        raise RuntimeError(
            "The book's helpers could not be fetched from {url}. "
            "Is this runtime online? If it is, run this cell again. If it is not, run the book on "
            f"your own machine: its README says how. What pip said:\\n{{run.stderr[-800:]}}"
        )
    importlib.invalidate_caches()
"""


def repository_url(root=ROOT):
    """Return the repository's address, from its one place."""
    return _url_in((root / "_config.yml").read_text(encoding="utf-8"))


@functools.cache  # a build asks a hundred times, and YAML is slow to read
def _url_in(settings):
    return yaml.safe_load(settings)["repository"]["url"]


def colab_source(root=ROOT):
    """Return the source of the set-up cell: it installs the release that the chapter belongs to."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return COLAB.format(url=repository_url(root), version=project["version"]).rstrip("\n")


def readable_id(cell):
    """Return an id made from the cell's content: its label, its heading or its first words."""
    if name := cell.metadata.get("mystnb", {}).get("figure", {}).get("name"):
        words = name
    elif match := re.search(r"^#+ *(?:@title)? *(.+)", cell.source, re.MULTILINE):
        words = match[1]
    else:
        words = cell.source
    words = re.findall(r"[a-z0-9]+", words.lower())[:6]
    return "-".join(words)[:48].strip("-") or cell.cell_type


def set_ids(cells):
    """Give every cell a valid, unique id; a readable id that is there already stays."""
    taken = set()
    for cell in cells:
        kept = cell.get("id", "")
        if not VALID_ID.fullmatch(kept) or RANDOM_ID.fullmatch(kept) or kept in taken:
            kept = ""
        cell["id"] = kept
        taken.add(kept)
    for cell in cells:
        if not cell.id:
            base, number = readable_id(cell), 2
            cell["id"] = base
            while cell.id in taken:
                cell["id"], number = f"{base}-{number}", number + 1
            taken.add(cell.id)


def set_colab_cell(notebook):
    """Put the set-up cell right after the title, or bring the one that is there up to date."""
    source = colab_source()
    cell = next((cell for cell in notebook.cells if cell.get("id") == COLAB_ID), None)
    if cell is None:
        cell = nbformat.v4.new_code_cell(source, id=COLAB_ID)
    else:
        notebook.cells.remove(cell)
    cell.source = source
    # Outside Colab the cell prints nothing, so a new address does not make its outputs stale.
    if COLAB_ID in notebook.metadata.get(OUTPUTS_OF, {}):
        notebook.metadata[OUTPUTS_OF][COLAB_ID] = source_hash(source)
    # The book leaves the cell out, Colab folds it into its title.
    cell.metadata = nbformat.from_dict({"tags": ["remove-cell"], "cellView": "form"})
    notebook.cells.insert(min(1, len(notebook.cells)), cell)


def normalise(notebook, slug):
    """Return the notebook in its normal form; the one given is not changed.

    Args:
        notebook: an nbformat `NotebookNode`.
        slug: str, the chapter's file name without its ending.

    Returns:
        A new `NotebookNode`; normalising it again changes nothing.

    Raises:
        ValueError: the notebook does not begin with the title cell.
    """
    notebook = copy.deepcopy(notebook)
    if not notebook.cells or not notebook.cells[0].source.startswith("# "):
        raise ValueError(f"{slug}: the first cell must be Markdown and begin with '# Title'")
    set_colab_cell(notebook)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    metadata |= (
        {OUTPUTS_OF: notebook.metadata[OUTPUTS_OF]} if OUTPUTS_OF in notebook.metadata else {}
    )
    for cell in notebook.cells:
        cell.metadata = nbformat.from_dict(
            {key: cell.metadata[key] for key in CELL_KEYS if cell.metadata.get(key)}
        )
    set_ids(notebook.cells)
    return nbformat.from_dict(
        {
            "cells": notebook.cells,
            "metadata": metadata,
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


def text(notebook):
    """Return the notebook as the text of its file, one form for one content."""
    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            # nbformat cuts only text/* into lines; a digest is cut too, for a diff to be read.
            if isinstance(digest := output.get("data", {}).get(DIGEST), str):
                output.data[DIGEST] = digest.splitlines(keepends=True)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def main(slugs):
    """Normalise the chapters named, or all; return the exit status."""
    for path in named(slugs) or sorted((ROOT / "chapters").glob("*.ipynb")):
        before = path.read_text(encoding="utf-8")
        try:
            after = text(normalise(nbformat.reads(before, as_version=4), path.stem))
        except ValueError as error:
            print(error, file=sys.stderr)
            return 1
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            print(f"{path.name}: normalised")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
