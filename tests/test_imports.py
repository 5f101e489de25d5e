"""Importing the helpers changes nothing, and imports point one way."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import helpers
from helpers import plots
from tests.quick_run import HANG

ROOT = Path(__file__).parent.parent
# From the ground up: a room may use those before it.
ROOMS = (
    "data",
    "results",
    "flops",
    "layers",
    "unet",
    "training",
    "yardstick",
    "plots",
    "tables",
    "explorer_parts",
    "dictionary",
    "explorers",
    "scrubber",
    "shear",
    "shift",
    "slider",
    "notebook",
    "worksheet",
)

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


@pytest.mark.parametrize(
    ("statement", "needed"),
    [
        ("import helpers", []),
        ("from helpers import load_images; load_images", []),
        ("from helpers import read_result; read_result('stacked')", []),
        ("from helpers import training_flops; training_flops([9, 5, 9], 1)", []),
        ("from helpers import plot_images", ["matplotlib"]),
    ],
)
def test_a_name_imports_what_it_needs_and_no_more(statement, needed):
    heavy = ("tensorflow", "keras", "matplotlib", "sklearn")
    code = f"import sys\n{statement}\nprint([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert ast.literal_eval(result.stdout) == needed


def test_every_public_name_is_there_for_python_and_for_editors():
    """The list, the lazy table and the block for type checkers name the same."""
    assert set(helpers.__all__) == {name for names in helpers.ROOMS.values() for name in names}
    assert set(helpers.__all__) <= set(dir(helpers))
    tree = ast.parse((ROOT / "helpers" / "__init__.py").read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    table = {node.module: tuple(alias.name for alias in node.names) for node in block.body}
    assert table == {f"helpers.{room}": names for room, names in helpers.ROOMS.items()}
    for room, names in helpers.ROOMS.items():
        module = importlib.import_module(f"helpers.{room}")
        assert all(getattr(helpers, name) is getattr(module, name) for name in names)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'encode'"):
        helpers.encode  # noqa: B018
    with pytest.raises(ImportError, match="encode"):
        from helpers import encode  # noqa: F401


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
def test_a_chapter_takes_only_public_helpers_and_the_palette(path):
    allowed = {"helpers", "helpers.plots"} | {f"helpers.{name}" for name in helpers.__all__}
    allowed |= {f"helpers.plots.{name}" for name in vars(plots) if name.isupper()}
    ours = ("helpers", "tests", "tools", "studies", "benchmarks", ".")
    found = {name for name in imports(notebook_source(path)) if name.startswith(ours)}
    assert found <= allowed
