"""Studies: a quick run works and touches no committed result; a committed result is the code's.

With the versions that made the committed results those are the proof that the studies run, and one
quick run is enough; with any other versions every study has its quick run (weekly.yml has both).

Every module of `studies/` but `common` is a study, so a new one is tested without a line here.
"""

import ast
import importlib
import itertools
import json
import os

import pytest
import tensorflow as tf

from helpers import read_result, training_flops
from studies import (
    common,
    convolutional,
    convolutional_batches,
    convolutional_parts,
    convolutional_rivals,
    convolutional_tuned,
    denoising,
    denoising_copies,
    denoising_samples,
    denoising_targets,
    denoising_unet,
    greedy,
    sparse,
    tied,
    variational,
)
from tests.quick_run import measures_once, quick_run

NAMES = sorted(path.stem for path in common.STUDIES.glob("[a-z]*.py") if path.stem != "common")
# Searches that train, or fit a classifier, once for every setting that they try.
SEARCHES = {
    (convolutional, "tune"): {},
    (convolutional_batches, "tune"): {},
    (convolutional_parts, "tune"): {},
    (convolutional_rivals, "tune"): {},
    (convolutional_tuned, "tune"): {},
    (convolutional_tuned, "climb"): {},
    (denoising, "tune"): {},
    (denoising_copies, "tune"): {},
    (denoising_samples, "tune"): {},
    (denoising_targets, "tune"): {},
    (denoising_unet, "tune"): {},
    (sparse, "tuned_rate"): {"place": 1},
    (sparse, "climb"): {"worse": -1},
    (variational, "tune"): {},
}
MANY_STEPS = ("dead_units", "denoising", "generative", "stacked", "tied")  # in a quick run
RUN_FACTS = ("quick", "seconds", "machine", "versions", "definition", "rows")


def is_proven(name):
    """Say whether the committed result was made by the packages and the Python that are here.

    It is a whole run of the same code, or `test_committed_result_is_the_codes` fails, so a quick run
    has nothing to add.
    """
    made, here = (
        found | {"python": found["python"].rpartition(".")[0]}  # 3.11, whichever of its patches
        for found in (read_result(name)["versions"], common.versions())
    )
    return made == here


# One is always run, and in a process of its own, as a reader starts it.
TO_RUN = [name for name in NAMES if name == "linear" or not is_proven(name)]


@pytest.fixture
def name_of_study(request):
    """Return the name; train without graphs, unless there are steps enough to pay for tracing one."""
    tf.config.run_functions_eagerly(request.param not in MANY_STEPS)
    yield request.param
    tf.config.run_functions_eagerly(False)


@pytest.mark.depends_on(
    *("studies/*.py", "studies/results/*", "helpers/*.py"),
    *("chapters/generative-models.ipynb", "tests/quick_run.py"),
)
@pytest.mark.parametrize("name_of_study", TO_RUN, indirect=True)
def test_quick_run_writes_only_where_it_is_told(name_of_study, tmp_path, monkeypatch):
    name = name_of_study
    for (module, search), options in SEARCHES.items():
        monkeypatch.setattr(module, search, measures_once(getattr(module, search), **options))
    result, _ = quick_run(common, name, tmp_path, here=name != "linear")
    assert result["quick"] is True
    assert result["rows"]


def test_a_result_of_other_versions_proves_nothing(monkeypatch):
    here = common.versions()
    for other in ({"keras": "3.0.0"}, {"python": "3.99.1"}, {"torch": "2.0"}):
        monkeypatch.setattr(common, "versions", lambda other=other: here | other)
        assert not is_proven("linear")


@pytest.mark.parametrize("name", NAMES)
def test_a_study_starts_as_its_readme_tells(name):
    """What a quick run in this process leaves out: the last lines, which `python -m` needs."""
    *_, last = ast.parse((common.STUDIES / f"{name}.py").read_text()).body
    assert ast.unparse(last) == "if __name__ == '__main__':\n    main()"


@pytest.mark.parametrize("name", NAMES)
def test_committed_result_is_the_codes(name):
    result = read_result(name)
    study = importlib.import_module(f"studies.{name}")
    assert result["definition_hash"] == common.definition_hash(name, study.DEFINITION), (
        f"studies/{name}.py, or what it uses of helpers/, has changed since its result was made: "
        f"run python -m studies.{name} and commit the new result"
    )
    assert result["definition"] == json.loads(json.dumps(study.DEFINITION))


@pytest.mark.parametrize("name", NAMES)
def test_committed_result_says_what_it_depended_on(name):
    result = read_result(name)
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


LAYERS = "class Layer:\n    size = 1\n\n\nclass Other:\n    size = 1\n"
TRAINING = "RATE = 1\n\n\ndef fit():\n    return RATE\n"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Return a function that writes a study and two helpers, and gives the study's hash."""
    monkeypatch.setattr(common, "ROOT", tmp_path)
    monkeypatch.setattr(common, "STUDIES", tmp_path)
    (tmp_path / "helpers").mkdir()

    def write(code="Layer, fit\n", definition=None, layers=LAYERS, training=TRAINING):
        (tmp_path / "x.py").write_text(code)
        (tmp_path / "helpers" / "layers.py").write_text(layers)
        (tmp_path / "helpers" / "training.py").write_text(training)
        return common.definition_hash("x", definition or {"seeds": [0]})

    def digest(*args, **changes):
        common.read.cache_clear()  # as in a new process
        return write(*args, **changes)

    digest.without_a_new_process = write
    yield digest
    common.read.cache_clear()


def test_hash_sees_code_and_settings_but_not_prose(study):
    plain = study("def f():\n    return 1\n")
    prose = (
        '"""A study."""\n\n# why\ndef f():\n    """Do it.\n\n    At length."""\n    return 1  \n'
    )
    assert study(prose) == plain
    assert study("def f():\n    return 2\n") != plain
    assert study("def f():\n    return 1\n", {"seeds": [1]}) != plain


def test_hash_leaves_out_what_only_a_quick_run_does(study):
    code = "DEFINITION = {1: 2}\nQUICK = DEFINITION | {\n    a: 0 for a in (1,)\n}\nLIMIT = fit\n"
    plain = study(code)
    assert study(code.replace("a: 0", "a: 1")) == plain
    assert study(code.replace("a: 0", "a: Layer")) == plain, "not even the helpers that it names"
    assert study(code.replace("1: 2", "1: 3")) != plain
    assert study(code.replace("LIMIT = fit", "LIMIT = Layer")) != plain
    assert study(code.replace("QUICK", "SETTINGS")) != plain


@pytest.mark.parametrize("name", NAMES)
def test_only_the_start_of_a_study_reads_what_a_quick_run_does(name):
    """So that no other number depends on what its hash leaves out."""
    for node in ast.parse((common.STUDIES / f"{name}.py").read_text()).body:
        if not isinstance(node, ast.Assign) and "QUICK" in ast.unparse(node):
            assert node.name == "main"


def test_hash_sees_what_is_used_of_the_helpers_but_not_its_prose(study):
    plain = study()
    assert study(layers=LAYERS.replace("size = 1", "size = 2", 1)) != plain
    assert study(layers=f"@wrapped\n{LAYERS}") != plain
    assert study(training=f'"""New words."""\n# and more\n{TRAINING}') == plain


def test_hash_follows_a_helper_to_what_it_uses_itself(study):
    plain = study()
    assert study(training=TRAINING.replace("RATE = 1", "RATE = 2")) != plain
    assert study(training=TRAINING + "\n\ndef unused():\n    return 1\n") == plain
    # From file to file as well: Layer asks for what training.py defines.
    layers = LAYERS.replace("size = 1", "size = limit", 1)
    limited = study(layers=layers, training=f"limit = 1\n{TRAINING}")
    assert study(layers=layers, training=f"limit = 2\n{TRAINING}") != limited


def test_hash_leaves_alone_what_a_study_does_not_use(study):
    plain = study()
    assert (
        study(layers=LAYERS.replace("class Other:\n    size = 1", "class Other:\n    size = 2"))
        == plain
    )
    assert study(layers=LAYERS + "\n\nclass New:\n    pass\n") == plain


def test_hash_leaves_alone_a_new_file_that_imports_the_same(study, tmp_path):
    imports = "import math\nimport numpy as np\n"
    how = {"code": "Layer, fit, math, np\n", "layers": imports + LAYERS}
    plain = study(**how)
    (tmp_path / "helpers" / "a.py").write_text("import numpy as np\n")
    assert study(**how) == plain


def test_hash_belongs_to_the_code_that_ran(study, tmp_path, monkeypatch):
    monkeypatch.setattr(common, "find_files", dict)
    study()
    common.arguments("", ["--out", str(tmp_path)])
    before = common.definition_hash("x", {"seeds": [0]})
    assert study.without_a_new_process("a = 2\n", training="fit = 2\n") == before
    assert study("a = 2\n") != before


def test_a_quick_run_measures_one_setting_of_a_search():
    measured = []

    def error(setting):
        measured.append(setting)
        return 0.25

    best, tried = measures_once(denoising.tune)(error, 1.0, most=8)
    assert measured == [best]
    assert sorted(tried.values()) == [0.25, 1.5, 1.5, 1.5]
    with pytest.raises(ZeroDivisionError):
        measures_once(denoising.tune)(lambda setting: 1 / 0, 1.0)


def test_a_quick_run_measures_one_setting_of_a_search_for_a_score_or_with_another_order():
    measured = []

    def score(setting):
        measured.append(setting)
        return -0.25

    best = measures_once(sparse.climb, worse=-1)(score, 1.0, 3)
    rate, tried = measures_once(sparse.tuned_rate, place=1)(1.0, score)
    assert measured == [best, rate]
    assert sorted(tried.values()) == [-0.25, 1.0, 1.0, 1.0]


def no_images(*names):
    raise ConnectionError("no host has delivered them")


def test_a_study_without_images_stops_before_it_begins(monkeypatch, capsys):
    monkeypatch.setattr(common, "find_files", no_images)
    with pytest.raises(SystemExit):
        common.arguments("", [])
    assert "needs the images, and no host has delivered them" in capsys.readouterr().err
    assert common.arguments("", ["--quick"]).quick


def test_quick_never_goes_to_the_results(monkeypatch):
    monkeypatch.setattr(common, "find_files", dict)
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


def test_greedy_compares_at_equal_compute():
    """Greedy training never gets less than joint training, and at most 3 % more."""
    layer_epochs = greedy.DEFAULTS["layer_epochs"]
    epochs = greedy.DEFAULTS["epochs"]
    for sizes in greedy.SIZES.values():
        whole = [*sizes, *sizes[-2::-1]]
        joint = training_flops(whole, 55_000, epochs, optimizer="adam")
        layer_by_layer = sum(
            training_flops([a, b, a], 55_000, layer_epochs, optimizer="adam", encode=b != sizes[-1])
            for a, b in itertools.pairwise(sizes)
        )
        tuning = training_flops(whole, 55_000, epochs - layer_epochs, optimizer="adam")
        assert 1 <= (layer_by_layer + tuning) / joint < 1.03


def test_tied_compares_at_equal_parameters_and_equal_compute():
    """Runs 3 and 5 are set against runs 1 and 4: within 1 % of their operations and parameters."""
    costs, parameters = [], []
    for run in tied.RUNS:
        width, code = run["width"], tied.DEFINITION["code"]
        sizes = [784, width, code, width, 784]
        settings = {"batch_size": tied.DEFINITION["batch_size"], "tied": run["tied"]}
        costs.append(training_flops(sizes, run["images"], run["epochs"], **settings))
        parameters.append(tied.autoencoder(width, run["tied"], code).count_params())
    for one, other in ((2, 0), (4, 3)):
        assert costs[one] == pytest.approx(costs[other], rel=0.01)
        assert parameters[one] == pytest.approx(parameters[other], rel=0.01)
