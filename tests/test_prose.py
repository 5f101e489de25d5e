"""A number of the prose that no output proves is a flaw: one that was changed, one left behind."""

import copy

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from output_check import prose
from output_check.compare import parse_number
from tools.chapters import chapters
from tools.stored import DIGEST, code_cells

PRINTED = "PCA 0.01812\nnetwork 0.01271, 30 per cent less\ndead units 12 of 100\n"
TABLE = "<table><tr><td>gap, %</td><td>2.74</td></tr></table>"


def chapter(*words):
    """Return a notebook whose prose stands before and after a cell with outputs."""
    figure = 'figure: {}\naxes: {"titles":["MSE 0.0421"]}'
    outputs = [
        new_output("stream", name="stdout", text=PRINTED),
        new_output("display_data", {"text/html": TABLE}),
        new_output("display_data", {"image/png": "", DIGEST: figure}),
    ]
    cells = [new_markdown_cell(f"It trains with a rate of 0.5. {words[0]}", id="before")]
    cells += [new_code_cell("fit(rate=0.5)", outputs=outputs, id="code")]
    cells += [new_markdown_cell(text, id=f"after-{i}") for i, text in enumerate(words[1:])]
    return new_notebook(cells=cells)


def bound(notebook):
    """Return the bindings of a notebook, and what was said of them."""
    return prose.bind(notebook, {})


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("The error is 0.0127.", ["0.0127"]),
        (
            "It saves 30 % of the error, and 2.5 times the code; 3-fold.",
            ["30 %", "2.5 times", "3 -fold"],
        ),
        ("A code of 30 numbers for 28 × 28 pixels, in 2006, with `rate=0.5` and $x = 0.5$.", []),
        ("$$x = 0.5$$", []),
        ("> **Predict.** Is it 10 % or 1 %?\n>\n> - 5.5", []),
        ("> **Note.** It is 10 %.", ["10 %"]),
        ("*Budget: five epochs at 0.01 · tuned on: nothing · seeds: 1*", []),
        ("They reach 0.57 on 592 notebooks ([Somebody 2020](https://doi.org/1)). We 0.9.", ["0.9"]),
        ("- **Time:** 25.5 minutes to read.", []),
        ("Its 95 % interval is wide.", []),
    ],
)
def test_what_counts_as_a_result(words, found):
    assert [str(result) for result in prose.results(words)] == found


@pytest.mark.parametrize(
    "words",
    [
        "The error is 0.0127.",  # rounded
        "The error is 0.01271.",
        "It is 30 % less.",  # 100 (1 - 0.01271 / 0.01812), or as printed
        "The network has 70.1 % of PCA's error.",
        "PCA's is 1.43 times the network's.",
        "The gap is 2.7 %.",  # in a table
        "The figure says 0.0421.",
    ],
)
def test_what_follows_from_an_output_is_bound(words):
    notebook = chapter("", words)
    bindings, said = bound(notebook)
    assert len(said) == 2
    assert prose.find_prose_flaws(notebook, bindings) == []
    assert prose.bind(notebook, bindings) == (bindings, [])


@pytest.mark.parametrize(
    "words", ["The error is 0.0128.", "It is 12 % less.", "The gap is 2.8 %.", "It is 0.0122 less."]
)
def test_what_follows_from_nothing_is_not_bound(words):
    notebook = chapter("", words)
    bindings, said = bound(notebook)
    assert "is not bound" in said[-1]
    assert prose.find_prose_flaws(notebook, bindings)


def test_a_number_left_behind_by_a_new_output_is_a_flaw():
    notebook = chapter("", "The network's error is 0.0127.")
    bindings, _ = bound(notebook)
    cell = notebook.cells[1]
    # There is a number that would fit, but it is another one.
    cell.outputs[0].text = PRINTED.replace("0.01812", "0.01270").replace("0.01271", "0.01310")
    (flaw,) = prose.find_prose_flaws(notebook, bindings)
    assert "cell after-0 reports 0.0127, but the outputs say 0.0131 (code)" in flaw


def test_a_sentence_that_is_gone_or_new_is_a_flaw():
    notebook = chapter("", "The error is 0.0127.")
    bindings, _ = bound(notebook)
    notebook.cells[2].source = "The error is small."
    assert prose.find_prose_flaws(notebook, bindings)
    notebook.cells[2].source = "The error is 0.0127, not 0.0181."
    assert prose.find_prose_flaws(notebook, bindings)


def test_bindings_are_read_back_as_they_were(tmp_path):
    notebook = chapter("It is 30 % less.", "PCA's is 1.43 times the network's.", "It is 0.0127.")
    bindings, _ = bound(notebook)
    numbers = {cell.id: prose.shown_numbers(cell) for cell in code_cells(notebook)}
    path = tmp_path / "chapter.txt"
    path.write_text(prose.write(bindings, numbers), encoding="utf-8")
    assert prose.read(path) == bindings


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_every_number_that_is_changed_in_a_chapter_is_noticed(path):
    notebook, bindings = nbformat.read(path, as_version=4), prose.read(prose.path_of(path.stem))
    for i, cell in enumerate(notebook.cells):
        for result in prose.results(cell.source) if cell.cell_type == "markdown" else ():
            value, unit = parse_number(result.number)
            digits = len(result.number.partition(".")[2])
            changed = copy.deepcopy(notebook)
            new = f"{value + (unit or 1):.{digits}f}"
            changed.cells[i].source = cell.source.replace(result.number, new)
            assert prose.find_prose_flaws(changed, bindings), (cell.id, result.number, new)
