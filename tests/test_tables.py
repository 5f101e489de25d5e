"""Tables of results: what a reader sees, and that the output check sees every digit."""

import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_output

from helpers import show_table
from output_check.compare import compare_cell

HEADER = ["error", "PCA", "autoencoder"]
ROWS = [["train", 0.0157, "0.0120"], ["<test>", 0.01234567, 12]]


@pytest.fixture
def shown(monkeypatch):
    """Return a function that shows a table and returns what it hands to the notebook."""
    bundles = []
    monkeypatch.setattr("helpers.tables.display", lambda bundle, raw: bundles.append(bundle))

    def show(header, rows):
        show_table(header, rows)
        return bundles[-1]

    return show


def test_a_table_in_html(shown):
    table = BeautifulSoup(shown(HEADER, ROWS)["text/html"], "html.parser")
    rows = [
        [cell.get_text() for cell in row.find_all(["th", "td"])] for row in table.find_all("tr")
    ]
    assert rows == [HEADER, ["train", "0.0157", "0.0120"], ["<test>", "0.01235", "12"]]
    assert [cell["scope"] for cell in table.find_all("th")] == ["col"] * 3 + ["row"] * 2


def test_a_table_in_plain_text(shown):
    lines = shown(HEADER, ROWS)["text/plain"].split("\n")
    assert lines == [
        "error       PCA  autoencoder",
        "train    0.0157       0.0120",
        "<test>  0.01235           12",
    ]


def test_numbers_below_zero_have_a_minus_and_words_keep_their_hyphen(shown):
    lines = shown(["step-size", "bound"], [["t-SNE", -740.25], ["one-shot", -3]])["text/plain"]
    assert [line.split()[-1] for line in lines.split("\n")] == ["bound", "−740.2", "−3"]
    assert lines.startswith("step-size")
    assert "t-SNE" in lines


def test_a_row_of_another_length_is_refused(shown):
    with pytest.raises(ValueError, match="3 entries"):
        shown(HEADER, [["train", 1]])


@pytest.mark.parametrize("kind", ["text/html", "text/plain"])
def test_the_output_check_sees_a_changed_digit_and_a_changed_word(shown, kind):
    def outputs(rows):
        return [new_output("display_data", data=shown(HEADER, rows))]

    cell = new_code_cell("show", outputs=outputs(ROWS))
    assert compare_cell(cell, outputs(ROWS)).problems == []
    assert compare_cell(cell, outputs(ROWS)).numbers >= 8, "in both forms"
    for changed in (["train", 0.0167, "0.0120"], ["trained", 0.0157, "0.0120"]):
        found = compare_cell(cell, outputs([changed, ROWS[1]])).problems
        assert any(kind in problem for problem in found), found
