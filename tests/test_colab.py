"""A chapter on Colab: it runs from its first cell to its last, and changes nothing that Colab has.

`make test` runs one chapter, the quickest, which saves and loads models: where versions of Keras differ
most. `COLAB_CHAPTERS=all` in the environment asks for all.
"""

import os
import re
import subprocess

import nbformat
import pytest

from tests import colab
from tools.chapters import ROOT, chapters
from tools.normalise import COLAB_ID, colab_source
from tools.stored import code_cells

CHOSEN = os.environ.get("COLAB_CHAPTERS", "saving-tied-models").split()
SLUGS = [path.stem for path in chapters()] if CHOSEN == ["all"] else CHOSEN
BOOK = "autoencoders-measured @ git+"


@pytest.fixture(scope="module")
def base():
    try:
        return colab.packages()
    except colab.Unavailable as reason:
        pytest.skip(f"no Colab runtime: {reason}")


@pytest.fixture
def make_runtime(base, tmp_path):
    return lambda address: colab.runtime(base, tmp_path, address)


@pytest.mark.depends_on(
    "chapters/{slug}.ipynb",
    *("helpers/*", "studies/results/*", "benchmarks/results/*"),
    *("pyproject.toml", "tests/colab*", "tools/*.py"),
)
@pytest.mark.parametrize("slug", SLUGS)
def test_a_chapter_runs_on_colab(slug, make_runtime, tmp_path, record_property):
    runtime = make_runtime(colab.release(tmp_path))
    before = runtime.freeze()
    notebook = nbformat.read(ROOT / "chapters" / f"{slug}.ipynb", as_version=4)
    seconds, is_fallback = runtime.run(notebook)

    set_up = next(cell for cell in notebook.cells if cell.id == COLAB_ID)
    assert set_up.outputs == []
    after = runtime.freeze()
    change = sorted(before ^ after)
    assert len(change) == 1, change
    assert change[0].startswith(BOOK)
    # The release is used, not the checkout.
    find = "from importlib.util import find_spec; print(find_spec('helpers').origin)"
    assert "site-packages" in runtime.output("-c", find)
    # A warning that the locked versions do not give is a reader's first impression all the same.
    for cell in code_cells(notebook):
        for output in cell.outputs:
            assert output.get("name") != "stderr", f"cell {cell.id}: {output.text}"

    python = runtime.output("-c", "import platform; print(platform.python_version())").strip()
    versions = " ".join(sorted(name for name in after if re.match("tensorflow.*==|keras==", name)))
    record_property(
        "colab",
        f"{slug} ran to its end with Python {python}, {versions} on "
        f"{'THE FALLBACK DATA' if is_fallback else 'the book’s data'}: set-up cell "
        f"{seconds[COLAB_ID]:.1f} s, all cells {sum(seconds.values()):.0f} s",
    )


def test_without_a_network_the_set_up_cell_says_what_to_do(make_runtime, tmp_path):
    runtime = make_runtime((tmp_path / "nowhere").as_uri())
    before = runtime.freeze()
    command = [runtime.python, "-c", colab_source()]
    run = subprocess.run(
        command,
        env=runtime.environment,
        cwd=runtime.folder,
        capture_output=True,
        text=True,
        timeout=600,  # only if it hangs
        check=False,
    )
    assert run.returncode == 1
    assert run.stdout == ""
    message = run.stderr.partition("RuntimeError: ")[2]
    for words in ("helpers could not be fetched", "Is this runtime online?", "README", "nowhere"):
        assert words in message
    assert runtime.freeze() == before
