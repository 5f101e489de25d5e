"""Studies: a quick run works and touches no committed result; a committed result is the script's.

Every module of `studies/` but `common` is a study, so a new one is tested without a line here.
"""

import ast
import importlib
import itertools
import json
import os

import keras
import pytest
import tensorflow as tf
from keras import layers

from studies import common, greedy
from tests.quick_run import quick_run

NAMES = sorted(path.stem for path in common.STUDIES.glob("[a-z]*.py") if path.stem != "common")
RUN_FACTS = ("quick", "seconds", "machine", "versions", "definition", "rows")


@pytest.mark.parametrize("name", NAMES)
def test_quick_run_writes_only_where_it_is_told(name, tmp_path):
    _, result = quick_run(common, name, tmp_path, timeout=180)
    assert result["quick"] is True
    assert result["seconds"] < 60
    assert result["rows"]


@pytest.mark.parametrize("name", NAMES)
def test_committed_result_is_the_scripts(name):
    result = common.read_result(name)
    study = importlib.import_module(f"studies.{name}")
    assert result["definition_hash"] == common.definition_hash(name, study.DEFINITION), (
        f"studies/{name}.py has changed since its result was made: "
        f"run python -m studies.{name} and commit the new result"
    )
    assert result["definition"] == json.loads(json.dumps(study.DEFINITION))


@pytest.mark.parametrize("name", NAMES)
def test_committed_result_says_what_it_depended_on(name):
    result = common.read_result(name)
    assert set(RUN_FACTS) <= set(result)
    assert result["study"] == name
    assert result["quick"] is False
    assert result["seconds"] > 0
    assert result["definition"]["seeds"]
    assert {"python", "keras", "numpy"} <= set(result["versions"])
    assert set(result["machine"]) == {"system", "cpu", "cores_used"}
    assert os.uname().nodename not in json.dumps(result["machine"])


def test_every_result_has_its_study():
    assert {path.name for path in common.RESULTS.iterdir()} == {f"{name}.json" for name in NAMES}


def test_every_study_has_its_line():
    text = (common.STUDIES / "README.md").read_text()
    for name in NAMES:
        assert f"python -m studies.{name}" in text


def test_hash_sees_code_and_settings_but_not_prose(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "STUDIES", tmp_path)
    script = tmp_path / "x.py"

    def digest(code, definition=None):
        script.write_text(code)
        common.script_text.cache_clear()
        return common.definition_hash("x", definition or {"seeds": [0]})

    try:
        plain = digest("def f():\n    return 1\n")
        prose = '"""A study."""\n\n# why\ndef f():\n    """Do it.\n\n    At length."""\n    return 1  \n'
        assert digest(prose) == plain
        assert digest("def f():\n    return 2\n") != plain
        assert digest("def f():\n    return 1\n", {"seeds": [1]}) != plain
    finally:
        common.script_text.cache_clear()


def test_hash_belongs_to_the_code_that_ran(tmp_path, monkeypatch):
    monkeypatch.setattr(common, "STUDIES", tmp_path)
    script = tmp_path / "x.py"
    script.write_text("a = 1\n")
    common.script_text.cache_clear()
    try:
        common.arguments("", ["--out", str(tmp_path)])
        before = common.definition_hash("x", {})
        script.write_text("a = 2\n")
        assert common.definition_hash("x", {}) == before
    finally:
        common.script_text.cache_clear()


def test_quick_never_goes_to_the_results():
    assert common.arguments("", ["--quick"]).out.resolve() != common.RESULTS.resolve()
    assert common.arguments("", []).out == common.RESULTS
    with pytest.raises(SystemExit):
        common.arguments("", ["--quick", "--out", str(common.RESULTS)])
    with pytest.raises(ValueError, match="quick"):
        common.write_result("x", {}, [], 1, quick=True)


def test_a_result_is_written_whole_or_not_at_all(tmp_path):
    common.write_result("common", {"seeds": [0]}, [{"a": 1}], 1.6, folder=tmp_path)
    good = (tmp_path / "common.json").read_bytes()
    assert json.loads(good)["seconds"] == 2
    with pytest.raises(TypeError):
        common.write_result("common", {"seeds": [0]}, [{"a": object()}], 1, folder=tmp_path)
    assert (tmp_path / "common.json").read_bytes() == good


def test_studies_are_plain_scripts():
    """No study changes the course when it is imported: only definitions at the top level."""
    for name in NAMES:
        tree = ast.parse((common.STUDIES / f"{name}.py").read_text())
        calls = [
            node
            for node in tree.body
            if isinstance(node, ast.Expr) and not isinstance(node.value, ast.Constant)
        ]
        assert not calls, name


def test_greedy_counts_operations_as_tensorflow_does():
    """The formula against the matrix products in TensorFlow's own graph of a training step."""
    sizes, batch = [20, 9, 5, 3], 7
    widths = [*sizes[1:], *sizes[-2::-1]]
    model = keras.Sequential([keras.Input((20,)), *(layers.Dense(n, "sigmoid") for n in widths)])

    @tf.function
    def gradients(x):
        with tf.GradientTape() as tape:
            loss = keras.ops.mean((model(x) - x) ** 2)
        return tape.gradient(loss, model.trainable_variables)

    graph = gradients.get_concrete_function(tf.TensorSpec((batch, 20))).graph
    operations = 0
    for op in graph.get_operations():
        if op.type == "MatMul":
            inner = op.inputs[0].shape[0 if op.get_attr("transpose_a") else 1]
            operations += 2 * inner * op.outputs[0].shape.num_elements()
    assert operations == batch * greedy.training_flops(sizes)


def test_greedy_compares_at_equal_compute():
    """Greedy training never gets less than joint training, and at most 3 % more."""
    for sizes in greedy.SIZES.values():
        whole = greedy.training_flops(sizes)
        layer_by_layer = sum(greedy.training_flops(sizes[k : k + 2]) for k in range(len(sizes) - 1))
        encode = sum(2 * a * b for a, b in itertools.pairwise(sizes[:-1]))
        ratio = (3 * layer_by_layer + encode + 3 * whole) / (6 * whole)
        assert 1 <= ratio < 1.03
