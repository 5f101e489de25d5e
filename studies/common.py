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

STUDIES = Path(__file__).parent
ROOT = STUDIES.parent
# The code beside a study's own that decides its numbers.
SHARED = ("helpers/layers.py", "helpers/training.py")
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
    for path in [*STUDIES.glob("*.py"), *(ROOT / file for file in SHARED)]:
        code_of(path)  # keeps the code that runs, should the file change meanwhile
    if options.out is None:
        options.out = Path(tempfile.mkdtemp(prefix="study-")) if options.quick else RESULTS
    elif options.quick and options.out.resolve() == RESULTS.resolve():
        parser.error("a quick run never writes to studies/results")
    return options


@functools.cache
def code_of(path):
    """Return the code of a file (see `code_only`), as it was when this process first asked."""
    return code_only(path.read_text(encoding="utf-8"))


def code_only(source):
    """Return Python source without comments, docstrings and blank lines.

    A line is left as it is written, so the text is the same under every version of Python.
    """
    prose = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            prose.update(range(node.lineno, node.end_lineno + 1))
    lines = [line.rstrip() for i, line in enumerate(source.split("\n"), 1) if i not in prose]
    return "\n".join(line for line in lines if line and not line.lstrip().startswith("#"))


def code_hash(definition, *paths):
    """Return the SHA-256 of a definition and of the code in some files, as 64 hex digits."""
    text = "\n".join([json.dumps(definition, sort_keys=True), *map(code_of, paths)])
    return hashlib.sha256(text.encode()).hexdigest()


def definition_hash(name, definition):
    """Return the hash of a study's definition, its script, and the layers and training it uses.

    The rest needs no hash: this module writes results and makes none of their numbers, and the
    images are what their files' SHA-256 and the tests of `helpers/data.py` say.
    """
    return code_hash(definition, STUDIES / f"{name}.py", *(ROOT / file for file in SHARED))


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
