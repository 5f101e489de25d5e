"""Worksheets: every exercise says right when it is solved, and not yet when it is not."""

import ast
import json
import re

import nbformat
import pytest

from helpers import worksheet as checking
from tools import worksheets
from tools.chapters import EXERCISE, ROOT, chapters
from tools.kernel import start_kernel

# A chapter whose exercises run in seconds.
QUICK = "saving-tied-models"


def read(slug):
    return nbformat.read(ROOT / "chapters" / f"{slug}.ipynb", as_version=4)


def sealed(cell):
    return re.search(r'check\(r"""(.+)"""\)', cell.source)


def unseal(text):
    return json.loads(worksheets.zlib.decompress(worksheets.base64.b85decode(text)))


@pytest.mark.parametrize("path", chapters(), ids=lambda path: path.stem)
def test_a_worksheet_has_all_exercises_and_no_answer(path):
    chapter = nbformat.read(path, as_version=4)
    made = worksheets.worksheet(chapter, path.stem)
    nbformat.validate(made)
    sources = [cell.source for cell in made.cells]
    text = "\n".join(sources)
    assert not any(cell.get("outputs") for cell in made.cells)
    assert "✓ 1 -->" not in text  # which option of a Predict was measured
    assert not re.search(r"^# ?@title Solution", text, re.M)
    numbers = [match["number"] for source in sources for match in EXERCISE.finditer(source)]
    starts = [
        i for i, source in enumerate(sources) if re.match(r"# Exercise \d+: your code", source)
    ]
    assert [re.match(r"# Exercise (\d+)", sources[i])[1] for i in starts] == numbers
    solutions = [cell.source for cell in chapter.cells if worksheets.SOLUTION.match(cell.source)]
    for i, solution in zip(starts, solutions, strict=True):
        if not (found := sealed(made.cells[i + 1])):
            assert "compare with [the solution]" in sources[i + 1]
            continue
        names, claims = unseal(found[1])
        assert names
        assert set(names) <= worksheets.assigned(ast.parse(solution))
        assert claims
        assert all(compile(part, "claim", "eval") for claim in claims for part in claim)
        for words, _ in claims:
            assert words not in sources[i + 1]
    others = [cell.source for cell in chapter.cells if cell.cell_type == "code"]
    kept = [source for source in others if not worksheets.SOLUTION.match(source)]
    assert [source for source in sources if source in kept] == kept


def test_most_exercises_can_be_checked():
    made = [worksheets.worksheet(read(path.stem), path.stem) for path in chapters()]
    checks = sum(bool(sealed(cell)) for sheet in made for cell in sheet.cells)
    compared = sum("compare with [the" in cell.source for sheet in made for cell in sheet.cells)
    assert checks > 9 * compared


def printed(cell):
    assert all(output.output_type == "stream" for output in cell.outputs), cell.outputs
    return "".join(output.text for output in cell.outputs).splitlines()


def test_empty_is_not_yet_and_solved_is_right():
    """Each exercise runs twice in one kernel: as it is given, and with its solution filled in."""
    chapter = read(QUICK)
    made = worksheets.worksheet(chapter, QUICK)
    solutions = iter(c.source for c in chapter.cells if worksheets.SOLUTION.match(c.source))
    cells = []
    for cell in made.cells:
        cells.append(cell)
        if sealed(cell):
            cells += [
                nbformat.v4.new_code_cell(next(solutions)),
                nbformat.v4.new_code_cell(cell.source),
            ]
    made.cells = cells
    with start_kernel(ROOT / "chapters") as kernel:
        for _ in kernel.run(made):
            pass
    places = [i for i, cell in enumerate(cells) if sealed(cell)]
    for empty, solved in zip(places[::2], places[1::2], strict=True):
        (line,) = printed(cells[empty])
        assert line.startswith("not yet: the check looks at ")
        count = len(unseal(sealed(cells[solved])[1])[1])
        lines = printed(cells[solved])
        assert len(lines) == count
        assert all(line.startswith("✓ ") for line in lines)


def test_the_cell_to_fill_in_names_the_keys():
    source = "# @title Solution 1\nerrors = {}\nclaim('less', errors[8] < errors['a'][0])"
    start, _ = worksheets.exercise(source, "a")
    assert start.source.endswith("errors = None  # looked at: errors[8], errors['a']")


class Shell:
    def __init__(self, **values):
        self.user_ns = values


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "not yet: the check looks at answer\n"),
        ({"answer": None}, "not yet: the check looks at answer\n"),
        ({"answer": 41}, "not yet: it should come out that ■ of ■ at ■ %.\n"),
        ({"answer": "?"}, "not yet: the check met TypeError"),
        ({"answer": 42}, "✓ 42 of 1,000 at 4.2 %.\n"),
    ],
)
def test_what_a_check_says(values, said, monkeypatch, capsys):
    source = "answer = 6 * 7\nclaim('42 of 1,000 at 4.2 %.', 41.5 < answer < 42.5)"
    names, claims = worksheets.read_solution(source)
    monkeypatch.setattr(checking, "get_ipython", lambda: Shell(**values))
    # Whatever a test before this one has loaded in this process.
    monkeypatch.setattr(checking.data, "fallback_in_use", lambda: False)
    checking.check(worksheets.seal(names, claims))
    assert capsys.readouterr().out.startswith(said)


def test_claims_on_other_data_only_report(monkeypatch, capsys):
    monkeypatch.setattr(checking, "get_ipython", lambda: Shell(answer=41))
    monkeypatch.setattr(checking.data, "fallback_in_use", lambda: True)
    checking.check(worksheets.seal(["answer"], [("'forty-two'", "answer == 42")]))
    assert capsys.readouterr().out == "– not so on the fallback data: forty-two\n"
