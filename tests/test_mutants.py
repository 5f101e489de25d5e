"""The tool that breaks the lessons' code makes the mistakes it names, and sees whether they are noticed."""

import ast
from collections import Counter

import nbformat
import pytest

from output_check.mutants import Mutant, first_red, mutants_of, sample
from tools.chapters import chapters
from tools.run import run
from tools.stored import code_cells


def mistakes(source):
    """Return the mistakes of a piece of code, as {kind: [new source, ...]}."""
    found = {}
    for mutant in mutants_of(nbformat.v4.new_code_cell(source, id="here")):
        found.setdefault(mutant.kind, []).append(mutant.source)
    return found


@pytest.mark.parametrize(
    ("source", "kind", "new"),
    [
        ("y = (a + b).T @ b", "transpose lost", "y = (a + b) @ b"),
        ("fit(model, images.x_train)", "other images", "fit(model, (images).x_valid)"),
        ("fit(model, x_train)", "other images", "fit(model, x_valid)"),
        ('Dense(3, activation="gelu")', "other activation or loss", "Dense(3, activation='relu')"),
        ("Dense(30)", "code of 29", "Dense(29)"),
        ("fit(m, x, epochs=3)", "an epoch more", "fit(m, x, epochs=4)"),
        ("fit(m, learning_rate=0.25)", "rate times three", "fit(m, learning_rate=0.75)"),
        ("optimizers.SGD(0.5)", "rate times three", "optimizers.SGD(1.5)"),
        ("keras.utils.set_random_seed(1)", "other seed", "keras.utils.set_random_seed(2)"),
        ("np.median(a)", "other statistic", "(np).mean(a)"),
        ("a.std()", "other statistic", "(a).var()"),
        ("x - x.mean()", "not centred", "(x)"),
        ("np.sum(a, axis=1)", "other axis", "np.sum(a, axis=0)"),
        ("a**2", "square lost", "(a)"),
        ("a - b", "other sign", "((a) + (b))"),
        ("a < b", "other comparison", "(a) > (b)"),
        ("é = a < b  # é", "other comparison", "é = (a) > (b)  # é"),
    ],
)
def test_a_mistake_of_each_kind(source, kind, new):
    assert new in mistakes(source)[kind]


def test_what_is_no_mistake():
    assert mistakes('read_result("linear")\nf"{a - b}"\nx_train = 1\ncode["relu"]') == {}
    assert mistakes("%matplotlib inline") == {}


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_mutant_of_a_chapter_is_other_code_that_can_be_read(path):
    for cell in code_cells(nbformat.read(path, as_version=4)):
        for mutant in mutants_of(cell):
            ast.parse(mutant.source)
            assert mutant.source != cell.source


def test_a_sample_takes_the_kinds_in_turn():
    mutants = [Mutant("cell", kind, "", str(i)) for i, kind in enumerate("aaaaaaaabbc")]
    chosen = sample(mutants, 6, seed=1)
    assert Counter(mutant.kind for mutant in chosen) == {"a": 3, "b": 2, "c": 1}
    assert chosen == sample(mutants, 6, seed=1)
    assert chosen != sample(mutants, 6, seed=2)
    assert len(sample(mutants, 99)) == len(mutants)


def test_a_mutant_runs_until_it_is_noticed(tmp_path):
    sources = ["a = 2 - 1\nb = 5 - 1", "print(a)", "assert b > 0\nprint('done')"]
    cells = [nbformat.v4.new_markdown_cell("# Tiny"), *map(nbformat.v4.new_code_cell, sources)]
    path = tmp_path / "tiny.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    notebook = nbformat.reads(run(path), as_version=4)
    setting, shown, _ = code_cells(notebook)[1:]
    results = [
        first_red(path, notebook, mutant, {})
        for mutant in [*mutants_of(setting), Mutant(setting.id, "fails", "", "a = b")]
    ]
    assert results[0] == f"other outputs in {shown.id}"
    assert results[1] == ""  # the claim is too weak to see it
    assert "NameError" in results[2]
