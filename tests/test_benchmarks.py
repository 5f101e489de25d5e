"""Benchmarks: their quick runs work, and their committed results hold up.

No test here depends on a clock: what is compared was measured once and committed. Whether the code
has changed since is for `python -m benchmarks.stale` to say, once a week.
"""

import ast
import collections
import contextlib
import importlib.util
import io
import json
import os
import statistics
import subprocess
import sys
import threading
import time

import nbformat
import pytest

from benchmarks import chapters, check, common, stale, time_to_quality
from helpers import data, read_result
from studies.common import read
from tests.quick_run import quick_run
from tools.chapters import book

MODULES = {"time_to_quality": time_to_quality, "chapters": chapters, "check": check}


def measured_result(name):
    if not (common.RESULTS / f"{name}.json").exists():
        pytest.skip(f"not measured yet: run python -m benchmarks.{name} on an idle machine")
    return read_result(name)


def test_quick_run_of_time_to_quality(tmp_path, monkeypatch, capsys, without_graphs):
    """As all trainings do when they are timed, one gets a process of its own; it tells for all."""
    alone, one_at_a_time = common.fresh_process, threading.Lock()

    def run(module, *options):
        if "book" in options:
            return alone(module, *options)
        with one_at_a_time, contextlib.redirect_stdout(io.StringIO()) as said:
            time_to_quality.main(options)
        return json.loads(said.getvalue().splitlines()[-1]) | {"started": time.time()}

    # What a training loads here is not what the tests after it have loaded.
    monkeypatch.setattr(data, "_fallback", data.fallback_in_use())
    monkeypatch.setattr(time_to_quality, "fresh_process", run)
    result, _ = quick_run(common, "time_to_quality", tmp_path, here=True)
    trainings = set(time_to_quality.TRAININGS)
    if importlib.util.find_spec("torch") is None:
        assert "PyTorch is not installed" in capsys.readouterr().out
        trainings.remove("PyTorch")
    (only,) = result["rounds"]
    assert set(only["trainings"]) == set(result["summary"]) == trainings
    assert {run["parameters"] for run in only["trainings"].values()} == {163_814}
    assert only["trainings"]["common"]["training_seconds"] > 0
    # The same weights, data and steps, but for the order of Muon's products.
    errors = [only["trainings"][name]["mse"] for name in ("book", "plain Keras")]
    assert errors[0] == pytest.approx(errors[1], rel=1e-3)


def test_quick_run_of_chapters(tmp_path, monkeypatch, without_graphs):
    """Of a chapter without TensorFlow, whose fourth cell a quick run leaves out."""
    sources = ["import time", "", "print(1)", "1 / 0"]
    cells = [nbformat.v4.new_code_cell(f"{source}\ntime.sleep(0.02)") for source in sources]
    path = tmp_path / "chapters" / "tiny.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(chapters, "chapters", lambda: [path, tmp_path / "not-run.ipynb"])
    (tmp_path / "out").mkdir()
    result, _ = quick_run(common, "chapters", tmp_path / "out", here=True)
    assert list(result["chapters"]) == ["tiny"]
    chapter = result["chapters"]["tiny"]
    assert [cell["number"] for cell in chapter["cells"]] == [1, 2, 3]
    assert chapter["seconds"] >= sum(cell["seconds"] for cell in chapter["cells"]) > 0
    assert all(0 < cell["silent"] <= cell["seconds"] + 0.01 for cell in chapter["cells"])
    assert {row["kind"] for row in result["scaling"]} == {"images", "width"}


@pytest.mark.parametrize("name", MODULES)
def test_a_benchmark_starts_as_its_docstring_tells(name):
    """What a quick run in this process leaves out: the last lines, which `python -m` needs."""
    *_, last = ast.parse((common.BENCHMARKS / f"{name}.py").read_text()).body
    assert ast.unparse(last) == "if __name__ == '__main__':\n    main()"


def test_quick_run_of_check(tmp_path):
    result, printed = quick_run(common, "check", tmp_path)
    now, ours = result["check"], "tests.test_rooms"
    assert result["base"] is None
    assert set(now["files"]) == {ours}
    assert now["tests"] == now["files"][ours]["tests"] > 0
    assert 0 < now["busy"] <= 1.05
    assert now["seconds"] >= now["files"][ours]["seconds"] - 1 > -1
    assert ours in printed


def test_busy_is_what_was_not_idle():
    times = collections.namedtuple("times", "user system idle iowait guest")
    before, after = times(10, 5, 80, 1, 4), times(70, 35, 89, 2, 34)
    assert check.busy(before, after) == pytest.approx(0.9)


def test_a_red_check_is_not_timed(tmp_path):
    command = [sys.executable, "-c", "raise SystemExit(4)"]
    with pytest.raises(subprocess.CalledProcessError):
        check.time_check(common.ROOT, check.QUICK | {"command": command})


def test_a_stale_measurement_is_named_and_only_that(tmp_path, capsys):
    timed = {chapter.slug: {"seconds": chapter.seconds} for chapter in book()}
    for name, module in MODULES.items():
        common.write_result(name, module.DEFINITION, tmp_path, quick=False, chapters=timed)
    assert stale.main(tmp_path) == 0
    assert capsys.readouterr().out == ""
    changed = chapters.DEFINITION | {"seeds": [1]}
    common.write_result("chapters", changed, tmp_path, quick=False, chapters=timed)
    assert stale.main(tmp_path) == 1
    assert "python -m benchmarks.chapters " in capsys.readouterr().out
    (tmp_path / "time_to_quality.json").unlink()
    assert stale.stale(tmp_path) == ["chapters", "time_to_quality"]


def test_chapters_that_were_not_timed_or_say_other_seconds_are_named():
    found = stale.wrong_seconds({"new": 9, "long": 60, "right": 60}, {"long": 80, "right": 66.0})
    assert found == [
        "long: says 60 seconds; 80 were measured.",
        "new: was never timed.",
    ]


def test_every_benchmark_can_be_stale():
    assert {module.NAME for module in stale.BENCHMARKS} == set(MODULES)
    assert {path.stem for path in common.RESULTS.iterdir()} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_committed_result_says_where_it_was_measured(name):
    result = measured_result(name)
    assert result["quick"] is False
    assert set(result["machine"]) == {"system", "cpu", "cores_used"}
    assert result["machine"]["cores_used"] == 2
    assert os.uname().nodename not in json.dumps(result["machine"])
    assert {"python", "keras", "numpy"} <= set(result["versions"])


def test_hash_sees_code_settings_and_fit_but_not_prose(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "BENCHMARKS", tmp_path)
    monkeypatch.setattr(common, "ROOT", tmp_path)
    (tmp_path / "helpers").mkdir()

    def digest(code="a = 1", fit="def fit(): pass", definition=1):
        read.cache_clear()
        (tmp_path / "x.py").write_text(code)
        (tmp_path / "helpers" / "training.py").write_text(fit)
        return common.code_hash("x", definition)

    assert digest() == digest('"""Prose."""\n# more\na = 1\n', fit="# why\ndef fit(): pass")
    assert len({digest(), digest(code="a = 2"), digest(fit="fit = 1"), digest(definition=2)}) == 4


# What the committed measurements must show --------------------------------------------------------


@pytest.fixture(scope="module")
def measured():
    return measured_result("time_to_quality")


def ratios(measured, name, clock, seed=None):
    return [
        r["trainings"]["common"][clock] / r["trainings"][name][clock]
        for r in measured["rounds"]
        if seed is None or r["seed"] == seed
    ]


def test_every_training_was_measured_in_every_round(measured):
    assert len(measured["rounds"]) >= 5
    assert {r["seed"] for r in measured["rounds"]} == {0, 1, 2}
    assert all(set(r["trainings"]) == set(time_to_quality.TRAININGS) for r in measured["rounds"])
    for r in measured["rounds"]:
        assert r["goal"] == r["trainings"]["common"]["mse"]
        for name in ("same network", "book"):
            assert r["trainings"][name]["training_seconds"], "the goal was not reached"
        assert all(run["parameters"] == 163_814 for run in r["trainings"].values())


def test_the_summary_is_the_rounds(measured):
    again = time_to_quality.summary(measured["rounds"], time_to_quality.DEFINITION)
    assert measured["summary"] == json.loads(json.dumps(again))


def test_the_book_is_twenty_times_sooner(measured):
    for seed in (None, 0, 1, 2):
        assert statistics.median(ratios(measured, "book", "training_seconds", seed)) >= 20
        assert statistics.median(ratios(measured, "book", "process_seconds", seed)) >= 10
        assert statistics.median(ratios(measured, "same network", "training_seconds", seed)) >= 6


def test_fit_is_the_fastest_per_epoch(measured):
    seconds = {name: row["epoch_seconds"] for name, row in measured["summary"].items()}
    assert seconds["book"] <= min(seconds["plain Keras"], seconds["PyTorch"])


def test_the_measured_chapters_are_whole():
    result = measured_result("chapters")
    assert result["chapters"]
    for chapter in result["chapters"].values():
        assert chapter["seconds"] < 150
        assert chapter["cells"]
        # A label comes before what takes longer than five seconds; ten without a word are too many.
        assert max(cell["silent"] for cell in chapter["cells"]) < 10
    assert {row["kind"] for row in result["scaling"]} == {"images", "width", "depth"}
