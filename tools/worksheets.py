"""Make worksheets from the chapters: `python -m tools.worksheets`; every build of the pages does it.

A worksheet is the chapter without outputs. In place of a solution there is a cell to be filled in,
and a cell that checks by the solution's own claims what was computed. Nothing is written by hand.
"""

import ast
import base64
import json
import re
import zlib
from pathlib import Path

import nbformat

from tools.chapters import ROOT, chapters
from tools.normalise import repository_url
from tools.retarget import forms
from tools.serve import HTML
from tools.stored import OUTPUTS_OF

FOLDER = HTML / "worksheets"
SOLUTION = re.compile(r"# ?@title Solution (\d+)\n")
MEASURED = re.compile(r" *<!-- ✓ [\d, ]+ -->")
LINK = re.compile(r"\]\(([\w-]+)\.(?:ipynb|md)\)")
NOTE = """\
> **Note.** This is the chapter's worksheet. At its end you fill in the exercises, and a check says
> *right* (✓) or *not yet*. Run all cells above them first. [The chapter]({}) has the solutions."""
COMPARE = "Here nothing can be checked by itself: compare with [the solution]({}#exercises)."


def page_address(slug):
    """Return the address of a chapter's published page."""
    *_, pages = forms(repository_url())
    return f"https://{pages}/chapters/{slug}.html"


def assigned(tree):
    """Return the names that a piece of code gives a value, functions and classes among them."""
    nodes = list(ast.walk(tree))
    stored = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    return stored | {n.name for n in nodes if isinstance(n, ast.FunctionDef | ast.ClassDef)}


def read_solution(source):
    """Return the names that a solution's claims are about, and these claims.

    Claims inside a loop or a function are left out.

    Returns:
        (list of str, list of (str, str)): the names that the solution computes, in the order of the
        claims, and for each claim the expressions of its words and of whether it holds.
    """
    tree = ast.parse(source)
    own = set().union(*(assigned(node) for node in tree.body))
    names, claims = [], []
    for node in tree.body:
        call = node.value if isinstance(node, ast.Expr) else None
        if not isinstance(call, ast.Call) or getattr(call.func, "id", "") != "claim":
            continue
        claims.append(tuple(map(ast.unparse, call.args)))
        used = {n.id: None for n in ast.walk(call) if isinstance(n, ast.Name)}
        names += [name for name in used if name in own - assigned(call) and name not in names]
    return names, claims


def describe_keys(name, claims):
    """Return a comment with the items of a list or dictionary at which claims look."""
    nodes = [node for _, holds in claims for node in ast.walk(ast.parse(holds))]
    keys = {
        node.slice.value: None
        for node in nodes
        if isinstance(node, ast.Subscript)
        and getattr(node.value, "id", "") == name
        and isinstance(node.slice, ast.Constant)
    }
    return "  # looked at: " + ", ".join(f"{name}[{key!r}]" for key in keys) if keys else ""


def seal(names, claims):
    """Return what `helpers.check` takes, in a form that nobody reads by accident."""
    return base64.b85encode(zlib.compress(json.dumps([names, claims]).encode(), 9)).decode()


def exercise(source, slug):
    """Return the cells that stand in a solution's place: one to fill in, and one that checks it."""
    number = SOLUTION.match(source)[1]
    names, claims = read_solution(source)
    start = f"# Exercise {number}: your code"
    if not names:
        compare = nbformat.v4.new_markdown_cell(COMPARE.format(page_address(slug)))
        return [nbformat.v4.new_code_cell(start), compare]
    start += f". The check looks at {'this name' if len(names) == 1 else 'these names'}:\n"
    start += "\n".join(f"{name} = None{describe_keys(name, claims)}" for name in names)
    # A chapter's own value would pass for the reader's, so every name begins empty.
    checking = (
        f'# @title Check {number}\nfrom helpers import check\n\ncheck(r"""{seal(names, claims)}""")'
    )
    folded = {"cellView": "form", "tags": ["hide-input"], "jupyter": {"source_hidden": True}}
    return [
        nbformat.v4.new_code_cell(start),
        nbformat.v4.new_code_cell(checking, metadata=folded),
    ]


def worksheet(notebook, slug):
    """Return a chapter's worksheet; the notebook given is not changed."""
    cells = []
    for cell in notebook.cells:
        if SOLUTION.match(cell.source):
            cells += exercise(cell.source, slug)
        elif cell.cell_type == "code":
            cells.append(nbformat.v4.new_code_cell(cell.source, metadata=cell.metadata))
        else:
            text = LINK.sub(lambda m: f"]({page_address(m[1])})", MEASURED.sub("", cell.source))
            cells.append(nbformat.v4.new_markdown_cell(text))
    cells.insert(1, nbformat.v4.new_markdown_cell(NOTE.format(page_address(slug))))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    metadata = {name: value for name, value in notebook.metadata.items() if name != OUTPUTS_OF}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def write(folder=FOLDER):
    """Write every chapter's worksheet into a folder; return the files."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    files = []
    for path in chapters():
        files.append(folder / path.name)
        nbformat.write(worksheet(nbformat.read(path, as_version=4), path.stem), files[-1])
    return files


if __name__ == "__main__":
    print(f"{len(write())} worksheets in {FOLDER.relative_to(ROOT)}")
