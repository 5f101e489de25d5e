"""Imports between the rooms of the house point one way, and never in a circle."""

import ast
from graphlib import CycleError, TopologicalSorter

import pytest

from tools.chapters import ROOT

# What a room may not import, not even inside a function.
FORBIDDEN = {
    "helpers": {"tools", "output_check", "studies", "benchmarks", "tests"},
    "tools": {"output_check", "tests"},
    "output_check": {"studies", "benchmarks", "tests"},
    "studies": {"output_check", "tests"},
    "benchmarks": {"output_check", "tests"},
}


def module_name(path):
    """Return the dotted name of the module in a file, as it is imported from the root."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path.read_text(encoding="utf-8")
    for room in FORBIDDEN
    for path in sorted((ROOT / room).glob("**/*.py"))
}


def imported(source, known=frozenset()):
    """Return the modules that Python source imports.

    `from package import name` names the module `package.name` where that is known, else `package`.
    """
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "an import from '.': the rooms use whole names"
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= whole & known
            found |= {node.module} if whole - known else set()
    return found


def forbidden(name, source):
    """Return what a module may not import and does."""
    rooms = FORBIDDEN[name.partition(".")[0]]
    return {other for other in imported(source) if other.partition(".")[0] in rooms}


def circle(sources):
    """Return the names of modules that import each other in a circle, or an empty list."""
    known = sources.keys()
    graph = {name: imported(source, known) & known for name, source in sources.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return []


def test_all_rooms_are_there():
    assert {name.partition(".")[0] for name in SOURCES} == set(FORBIDDEN)


@pytest.mark.parametrize("name", SOURCES)
def test_a_module_imports_only_from_rooms_below(name):
    assert not forbidden(name, SOURCES[name])


def test_no_modules_import_each_other_in_a_circle():
    assert not circle(SOURCES)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("tools.run", "import output_check.digest"),
        ("tools.run", "def f():\n    from output_check import digest"),
        ("helpers.data", "from tools.run import main"),
        ("output_check.compare", "import tests.colab"),
    ],
)
def test_a_forbidden_import_is_seen(name, source):
    assert forbidden(name, source)


def test_a_circle_is_seen():
    sources = {"a.b": "from a import c", "a.c": "def f():\n    import d", "d": "import a.b"}
    assert circle(sources)
    assert not circle(sources | {"d": "import a"})
