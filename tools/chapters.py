"""Which chapters the book has, read from the table of contents."""

from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


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
