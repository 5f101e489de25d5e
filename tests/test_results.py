"""Results are read by name, in a checkout and where only the helpers are installed."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from helpers import read_result, results
from tests.quick_run import HANG

ROOT = Path(__file__).parent.parent
FILES = sorted(path.relative_to(ROOT) for path in ROOT.glob("[bs]*/results/*.json"))


def test_every_result_is_found_by_its_name():
    assert {ROOT / path.parent for path in FILES} == set(results.FOLDERS)
    for path in FILES:
        result = read_result(path.stem)
        assert path.stem in (result.get("study"), result.get("benchmark"))


def test_no_two_results_share_a_name():
    assert len({path.name for path in FILES}) == len(FILES)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"no result 'stackd'. Known: .*chapters, .*stacked, "):
        read_result("stackd")


def test_results_that_are_missing_are_said_to_be(monkeypatch, tmp_path):
    monkeypatch.setattr(results, "FOLDERS", (tmp_path / "studies" / "results",))
    with pytest.raises(ValueError, match="holds no results"):
        read_result("stacked")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """What Colab's set-up cell installs, from a copy, since a build leaves folders behind."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("target")
    names = ["README.md", "LICENSE", "pyproject.toml"]
    names += [str(path.relative_to(ROOT)) for path in ROOT.glob("helpers/*.*")]
    names += [str(path.relative_to(ROOT)) for path in ROOT.glob("[bs]*s/*.py")]
    for name in [*names, *map(str, FILES)]:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_bytes((ROOT / name).read_bytes())
    wheels = target.parent / "wheels"
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run = subprocess.run(
        [*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", wheels, source],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    (wheel,) = wheels.iterdir()
    with zipfile.ZipFile(wheel) as file:  # pure Python, so unpacking is installing
        file.extractall(target)
    return target


def test_an_installation_has_the_helpers_the_results_and_nothing_else(installed):
    found = {path.relative_to(installed) for path in installed.rglob("*") if path.is_file()}
    found = {path for path in found if not path.parts[0].endswith(".dist-info")}
    helpers = {path.relative_to(ROOT) for path in (ROOT / "helpers").iterdir() if path.is_file()}
    assert found == helpers | set(FILES)


def test_an_installation_reads_results_whatever_else_is_installed(installed, tmp_path):
    (tmp_path / "benchmarks.py").write_text("# somebody else's")
    code = (
        "import helpers, sys; from helpers import explorer_parts\n"
        "print(helpers.__file__, helpers.read_result('stacked')['study'],"
        " helpers.read_result('time_to_quality')['benchmark'],"
        " len(explorer_parts.text_of('explorers.js')) > 1000)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    expected = f"{installed / 'helpers' / '__init__.py'} stacked time_to_quality True"
    assert run.stdout.strip() == expected
