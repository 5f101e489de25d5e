"""Break the lessons' own code, one thing at a time: `python -m output_check.mutants [slug ...]`.

A mutant is a chapter with one mistake that an author could make: another activation, a lost transpose,
validation images where training images belong. It counts as stored, so that only running it can
notice: it runs until the first cell fails or gives other outputs than the chapter stores. What survives
to the end is either no change of the lesson, or a claim to be sharpened.
"""

import argparse
import ast
import copy
import random
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass

import nbformat

from output_check.compare import compare_cell
from output_check.spreads import moves_of, path_of, read
from tools.chapters import chapters, named
from tools.kernel import CellFailed, start_kernel
from tools.normalise import COLAB_ID
from tools.run import DIGEST_EXTENSION, fetch_images
from tools.stored import code_cells

DATA = {"x_train": "x_valid", "x_valid": "x_train", "x_test": "x_valid", "y_train": "y_valid"}
WORDS = {
    "gelu": "relu",
    "relu": "gelu",
    "tanh": "sigmoid",
    "sigmoid": "tanh",
    "softplus": "relu",
    "mse": "mae",
    "mae": "mse",
}
FUNCTIONS = {
    "median": "mean",
    "mean": "median",
    "minimum": "maximum",
    "maximum": "minimum",
}
METHODS = {  # of arrays, and functions too
    "mean": "sum",
    "sum": "mean",
    "std": "var",
    "min": "max",
    "max": "min",
    "argmin": "argmax",
    "argmax": "argmin",
}
MODULES = {"np", "ops", "keras.ops"}
RATES = {"learning_rate", "rate", "lr", "weight_decay"}
OPTIMISERS = {"Adam", "AdamW", "SGD", "Nadam", "Muon", "RMSprop"}
SIGNS = {ast.Add: "-", ast.Sub: "+", ast.Mult: "/", ast.Div: "*"}
ORDER = {ast.Lt: ">", ast.Gt: "<", ast.LtE: ">=", ast.GtE: "<="}


@dataclass(frozen=True)
class Mutant:
    """One mistake in one code cell."""

    cell: str
    kind: str
    line: str  # the line of code as it was
    source: str  # the cell's code as it is now


def mutants_of(cell):
    """Return all mutants of a code cell."""
    try:
        tree = ast.parse(cell.source)
    except SyntaxError:  # IPython's own language
        return []
    lines = cell.source.splitlines()
    return [
        Mutant(cell.id, kind, lines[node.lineno - 1].strip(), replaced(cell.source, node, text))
        for node in nodes(tree)
        for kind, node, text in mistakes(node)
    ]


def nodes(tree):
    """Yield the nodes of a tree, but not those in f-strings, whose places Python 3.11 gets wrong."""
    yield tree
    if not isinstance(tree, ast.JoinedStr):
        for child in ast.iter_child_nodes(tree):
            yield from nodes(child)


def replaced(source, node, text):
    """Return source with another text in the place of a node."""
    lines = source.encode().splitlines(keepends=True)  # ast counts bytes
    start = sum(map(len, lines[: node.lineno - 1])) + node.col_offset
    stop = sum(map(len, lines[: node.end_lineno - 1])) + node.end_col_offset
    encoded = source.encode()
    return (encoded[:start] + text.encode() + encoded[stop:]).decode()


def mistakes(node):  # noqa: PLR0912 (a table, two lines a mistake)
    """Yield (kind, node to replace, its new text) for each mistake that can be made at a node."""
    match node:
        case ast.Attribute(attr="T"):
            yield "transpose lost", node, f"({ast.unparse(node.value)})"
        case ast.Attribute(attr=name, ctx=ast.Load()) if name in DATA:
            yield "other images", node, f"({ast.unparse(node.value)}).{DATA[name]}"
        case ast.Name(id=name, ctx=ast.Load()) if name in DATA:
            yield "other images", node, DATA[name]
        case ast.Call():
            yield from mistaken_calls(node)
        case ast.Constant(value=30):
            yield "code of 29", node, "29"
        case ast.keyword(arg=name, value=ast.Constant(value=float(rate))) if name in RATES:
            yield "rate times three", node.value, repr(3 * rate)
        case ast.keyword(arg="axis", value=ast.Constant(value=int(axis))):
            yield "other axis", node.value, str(int(axis != 1))
        case ast.keyword(arg="epochs", value=ast.Constant(value=int(epochs))):
            yield "an epoch more", node.value, str(epochs + 1)
        case ast.keyword(arg="activation", value=ast.Constant(value=None)):
            yield "other activation or loss", node.value, repr("relu")
        case ast.BinOp(op=ast.Sub(), right=right) if "mean" in ast.unparse(right):
            yield "not centred", node, f"({ast.unparse(node.left)})"
        case ast.BinOp(op=ast.Pow(), right=ast.Constant(value=2)):
            yield "square lost", node, f"({ast.unparse(node.left)})"
        case ast.BinOp(op=operator) if type(operator) in SIGNS:
            sides = ast.unparse(node.left), ast.unparse(node.right)
            yield "other sign", node, f"(({sides[0]}) {SIGNS[type(operator)]} ({sides[1]}))"
        case ast.Compare(ops=[operator]) if type(operator) in ORDER:
            sides = ast.unparse(node.left), ast.unparse(node.comparators[0])
            yield "other comparison", node, f"({sides[0]}) {ORDER[type(operator)]} ({sides[1]})"


def mistaken_calls(node):
    """Yield the mistakes that can be made in a call: in its words, its function, its first argument."""
    for argument in [*node.args, *(keyword.value for keyword in node.keywords)]:
        if isinstance(argument, ast.Constant) and argument.value in WORDS:
            yield "other activation or loss", argument, repr(WORDS[argument.value])
    match node:
        case ast.Call(
            func=ast.Attribute(attr=name), args=[ast.Constant(value=float(rate)), *_]
        ) if name in OPTIMISERS:
            yield "rate times three", node.args[0], repr(3 * rate)
        case ast.Call(func=ast.Attribute(attr="set_random_seed"), args=[ast.Constant(value=seed)]):
            yield "other seed", node.args[0], str(seed + 1)
        case ast.Call(func=ast.Attribute(value=value, attr=name)):
            known = METHODS | FUNCTIONS if ast.unparse(value) in MODULES else METHODS
            if name in known:
                yield "other statistic", node.func, f"({ast.unparse(value)}).{known[name]}"


def sample(mutants, number, seed=0):
    """Choose mutants, their kinds in turn, in random order: frequent kinds must not crowd out rare ones."""
    rng = random.Random(seed)
    kinds = defaultdict(list)
    for mutant in mutants:
        kinds[mutant.kind].append(mutant)
    chosen, queues = [], [rng.sample(found, len(found)) for found in kinds.values()]
    rng.shuffle(queues)
    while len(chosen) < number and any(queues):
        chosen += [queue.pop() for queue in queues if queue]
    return chosen[:number]


def first_red(path, notebook, mutant, spreads):
    """Run a mutant until it is noticed; return where and how, or an empty text if it survives."""
    stored = {cell.id: cell for cell in code_cells(notebook)}
    reached = False
    for cell in code_cells(broken := copy.deepcopy(notebook)):
        if cell.id == mutant.cell:
            cell.source = mutant.source
    with start_kernel(path.parent, extensions=[DIGEST_EXTENSION]) as kernel:
        try:
            for _, cell in kernel.run(broken):
                reached |= cell.id == mutant.cell
                moves = moves_of(cell, spreads)
                if reached and compare_cell(stored[cell.id], cell.outputs, moves).problems:
                    return f"other outputs in {cell.id}"
        except CellFailed as error:
            return str(error).splitlines()[-1] or "fails"
    return ""


def main(arguments=None):
    """Run a sample of mutants and print each and the score of each chapter; return 0."""
    parser = argparse.ArgumentParser(prog="python -m output_check.mutants", description=__doc__)
    parser.add_argument("slugs", nargs="*", metavar="slug", help="chapters; by default all")
    parser.add_argument("--sample", type=int, default=8, help="how many mutants a chapter")
    parser.add_argument("--seed", type=int, default=0, help="which sample")
    options = parser.parse_args(arguments)
    fetch_images()
    scores = {}
    for path in named(options.slugs) or chapters():
        notebook, spreads = nbformat.read(path, as_version=4), read(path_of(path))
        cells = [cell for cell in code_cells(notebook) if cell.id != COLAB_ID]
        mutants = [mutant for cell in cells for mutant in mutants_of(cell)]
        outcomes = Counter()
        for mutant in sample(mutants, options.sample, options.seed):
            red = first_red(path, notebook, mutant, spreads)
            outcomes[bool(red)] += 1
            print(
                f"{path.stem}: {mutant.cell}: {mutant.kind}: {mutant.line}\n  {red or 'SURVIVES'}",
                flush=True,
            )
        scores[path.stem] = outcomes
    for slug, outcomes in scores.items():
        print(f"{slug}: {outcomes[True]} of {outcomes.total()} noticed")
    total = sum(scores.values(), Counter())
    print(f"score {total[True] / max(total.total(), 1):.2f} of {total.total()} mutants")
    return 0


if __name__ == "__main__":
    sys.exit(main())
