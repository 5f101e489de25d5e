"""The one way a study is started, and the one form of its result file.

A study is a module with a JSON-able `DEFINITION` (every setting, with the list of `seeds`) and
a `main(argv=None)`. Its result records what the run depended on, and a hash of the code that
decides its numbers (see `definition_hash`), so that a test can tell when that code has changed
without a new run.
"""

import argparse
import ast
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import tempfile
from pathlib import Path

from helpers.data import find_files

STUDIES = Path(__file__).parent
ROOT = STUDIES.parent
# The helpers that decide no study's numbers: the images are what their SHA-256 says (see data.py).
NO_NUMBERS = {"__init__.py", "data.py"}
RESULTS = STUDIES / "results"
PACKAGES = ("keras", "tensorflow", "tensorflow-cpu", "numpy", "scikit-learn", "scipy")


def arguments(description, argv=None):
    """Parse a study's command line.

    Args:
        description: str, what the study does.
        argv: list of str, `sys.argv[1:]` by default.

    Returns:
        A namespace with `quick` (bool: a tiny run that proves the code works, not the result) and
        `out` (the folder for the result file: `studies/results`, or a new temporary one if quick).
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a tiny run, in under a minute")
    parser.add_argument("--out", type=Path, help="folder for the result (default: studies/results)")
    options = parser.parse_args(argv)
    for path in [*STUDIES.glob("*.py"), *shared_files()]:
        read(path)  # keeps the code that runs, should the file change meanwhile
    if options.out is None:
        options.out = Path(tempfile.mkdtemp(prefix="study-")) if options.quick else RESULTS
    elif options.quick and options.out.resolve() == RESULTS.resolve():
        parser.error("a quick run never writes to studies/results")
    if not options.quick:  # which may use the digits; a result may not
        try:
            find_files()
        except ConnectionError as problem:
            parser.error(
                f"a study needs the images, and {problem}: set FASHION_MNIST_DIR to a folder with its files"
            )
    return options


def shared_files():
    """Return the paths of the helpers whose code may decide a study's numbers."""
    return sorted(f for f in (ROOT / "helpers").glob("*.py") if f.name not in NO_NUMBERS)


@functools.cache
def read(path):
    """Return the text of a file, as it was when this process first asked."""
    return path.read_text(encoding="utf-8")


def code_only(source):
    """Return Python source without comments, docstrings, blank lines and the settings `QUICK`.

    A line is left as it is written, so the text is the same under every version of Python. What a
    quick run does is left out because it decides no number that is kept.
    """
    left_out = set()
    for node in ast.walk(ast.parse(source)):
        prose = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if prose or _is_quick(node):
            left_out.update(range(node.lineno, node.end_lineno + 1))
    lines = [line.rstrip() for i, line in enumerate(source.split("\n"), 1) if i not in left_out]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def _is_quick(node):
    """Say whether a statement sets what a quick run does."""
    return isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["QUICK"]


def names_in(tree):
    """Return every name that some parsed code mentions: variables, attributes, imports."""
    found = set()
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                found.add(name)
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                found.add(name)
            case ast.alias(name=name, asname=other):
                found.add(other or name.partition(".")[0])
    return found


def code_reached(names, files):
    """Return the code of the definitions in some files that some names lead to, however far.

    So a new layer in `helpers/layers.py` leaves the results of the studies that do not use it alone.
    """
    pool = {code: node for f in files for code, node in _statements(read(f)).items()}
    defined = {code: _defined(node) for code, node in pool.items()}
    reached, names = [], set(names)
    while found := [code for code in pool if code not in reached and defined[code] & names]:
        reached += found
        names |= set().union(*(names_in(pool[code]) for code in found))
    found = [code for code in pool if code in reached]
    # Files share imports, so which file comes first must not decide their order.
    imports = sorted(c for c in found if isinstance(pool[c], ast.Import | ast.ImportFrom))
    return [code_only(code) for code in (*imports, *(c for c in found if c not in imports))]


@functools.cache  # of every study the same helpers are asked for
def _statements(source):
    """Return the top level's statements that define something, with decorators: {code: parsed}.

    What is imported from `helpers` is left out: it stands in one of the files itself.
    """
    statements = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and node.module.startswith("helpers"):
            continue
        if decorators := getattr(node, "decorator_list", []):
            node.lineno, node.col_offset = decorators[0].lineno, 0
        if not isinstance(node, ast.Expr):
            statements[ast.get_source_segment(source, node)] = node
    return statements


def _defined(node):
    """Return the names that a statement defines."""
    match node:
        case ast.FunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.Import() | ast.ImportFrom():
            return names_in(node)
    return {
        n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    }


def code_hash(definition, *code):
    """Return the SHA-256 of a definition and of some code, as 64 hex digits."""
    text = "\n".join([json.dumps(definition, sort_keys=True), *code])
    return hashlib.sha256(text.encode()).hexdigest()


def definition_hash(name, definition):
    """Return the hash of a study's definition, its script, and what it uses of the helpers.

    The rest needs no hash: this module writes results and makes none of their numbers, and the
    images are what their files' SHA-256 and the tests of `helpers/data.py` say.
    """
    script = read(STUDIES / f"{name}.py")
    decides = [node for node in ast.parse(script).body if not _is_quick(node)]
    used = code_reached(set().union(*map(names_in, decides)), shared_files())
    return code_hash(definition, code_only(script), *used)


def machine():
    """Describe this machine as far as results and run times depend on it, without its name."""
    cpu = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        models = [
            line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")
        ]
        cpu = models[0].split(":", 1)[1].strip() if models else cpu
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"system": platform.system(), "cpu": cpu, "cores_used": cores}


def versions():
    """Return the versions of Python and of the packages that a result depends on."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def write_result(name, definition, rows, seconds, *, folder=RESULTS, quick=False, **extra):
    """Write `<folder>/<name>.json`, whole or not at all.

    Args:
        name: str, the study's module name.
        definition: dict, JSON-able: every setting of this run, with its list of `seeds`.
        rows: list of dict, one per run.
        seconds: float, the wall time of the whole study.
        folder: Path, `studies/results` by default.
        quick: bool, recorded; a quick result is never committed.
        **extra: further JSON-able fields (the data set's name, for instance).

    Returns:
        The path of the file.
    """
    if quick and Path(folder).resolve() == RESULTS.resolve():
        raise ValueError("a quick run never writes to studies/results")
    result = {
        "study": name,
        "quick": quick,
        "definition_hash": definition_hash(name, definition),
        "seconds": round(seconds),
        "machine": machine(),
        "versions": versions(),
        "definition": definition,
        **extra,
        "rows": rows,
    }
    return write_whole(name, result, Path(folder))


def write_whole(name, result, folder):
    """Write `<folder>/<name>.json`, whole or not at all, and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f".{name}.json.part"
    partial.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return partial.replace(folder / f"{name}.json")
