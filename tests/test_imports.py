"""Importing the helpers changes nothing, and imports point one way."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# From the ground up: a room may use those before it.
ROOMS = ("data", "layers", "training", "digest", "plots", "explorer", "notebook")

# What the libraries do on import is theirs; from the hook on, whatever happens is ours.
PROBE = """
import os, random, sys
import keras, matplotlib.pyplot, numpy, sklearn
import matplotlib as mpl

def draws():
    return [random.random(), numpy.random.random(), float(keras.random.uniform(()))]

def listen(event, arguments):
    writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT
    if event.startswith(("socket.", "os.mkdir", "os.rename", "os.remove", "shutil.", "tempfile.")):
        found.append([event, str(arguments)])
    elif event == "subprocess.Popen" or (event == "open" and arguments[2] & writes):
        found.append([event, str(arguments)])

found = []
keras.utils.set_random_seed(7919)
expected = draws()
keras.utils.set_random_seed(7919)
style = dict(mpl.rcParams)
sys.addaudithook(listen)

import importlib, pathlib
import helpers
for path in pathlib.Path(helpers.__file__).parent.glob("*.py"):
    importlib.import_module("helpers" if path.stem == "__init__" else "helpers." + path.stem)

found = list(found)
if draws() != expected:
    found.append("a seed")
if dict(mpl.rcParams) != style:
    found.append("rcParams")
"""


def test_importing_helpers_changes_nothing(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    hidden = ("FASHION_MNIST_DIR", "KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME")
    environment = {key: value for key, value in os.environ.items() if key not in hidden}
    environment |= {"HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}
    code = PROBE + "\nimport json; print(json.dumps(found))"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == []  # and nothing was printed before it
    assert not list(home.rglob("*mnist*"))


def imports(source):
    """Yield what is imported, as dotted names: `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def notebook_source(path):
    cells = json.loads(path.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    # IPython's own commands are no Python, and import nothing.
    return "\n".join(line for line in "\n".join(code).splitlines() if line.lstrip()[:1] not in "%!")


def test_every_room_has_its_place():
    rooms = {path.stem for path in (ROOT / "helpers").glob("*.py")} - {"__init__"}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_uses_only_lower_rooms(room):
    found = set(imports((ROOT / "helpers" / f"{room}.py").read_text()))
    forbidden = {f"helpers.{other}" for other in ROOMS[ROOMS.index(room) :]}
    assert not found & forbidden
    assert not {
        name for name in found if name.startswith((".", "tests", "tools", "studies", "benchmarks"))
    }


@pytest.mark.parametrize("path", sorted((ROOT / "chapters").glob("*.ipynb")), ids=lambda p: p.stem)
def test_a_chapter_takes_only_public_helpers_the_palette_and_results(path):
    import helpers

    allowed = {"helpers", "helpers.plots"} | {f"helpers.{name}" for name in helpers.__all__}
    allowed |= {f"helpers.plots.{name}" for name in vars(helpers.plots) if name.isupper()}
    for results in ("studies", "benchmarks"):
        allowed |= {f"{results}.common", f"{results}.common.read_result"}
    ours = ("helpers", "tests", "tools", "studies", "benchmarks", ".")
    found = {name for name in imports(notebook_source(path)) if name.startswith(ours)}
    assert found <= allowed
