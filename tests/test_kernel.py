"""The one way to run a notebook's cells: what it gives, what it says when something goes wrong."""

import nbformat
import pytest

from tools import kernel
from tools.kernel import CellFailed, start_kernel


def notebook(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_cells_run_in_order_with_a_history(tmp_path):
    with start_kernel(tmp_path) as running:
        book = notebook("1 + 1", "_ + 1\n", "_;", "import os; print(os.getcwd(), end='')")
        numbers = [number for number, _ in running.run(book)]
    texts = [[output.get("data", output) for output in cell.outputs] for cell in book.cells]
    assert numbers == [cell.execution_count for cell in book.cells] == [1, 2, 3, 4]
    assert [data["text/plain"] for (data,) in texts[:2]] == ["2", "3"]
    assert texts[2] == []  # a final semicolon silences
    assert texts[3][0]["text"] == str(tmp_path)


def test_a_question_leaves_no_trace(tmp_path):
    with start_kernel(tmp_path) as running:
        book = notebook("x = [1, 'two']", "x")
        for _ in running.run(book):
            assert running.evaluate("x") == [1, "two"]
        assert book.cells[1].execution_count == 2
        with pytest.raises(RuntimeError, match="NameError"):
            running.evaluate("y")


def test_the_fallback_is_asked_for(tmp_path):
    loaded = (
        "import sys, types\n"
        "sys.modules['helpers.data'] = types.SimpleNamespace(fallback_in_use=lambda: True)"
    )
    with start_kernel(tmp_path) as running:
        assert running.uses_fallback() is False
        list(running.run(notebook(loaded)))
        assert running.uses_fallback() is True


def test_a_watcher_hears_what_is_shown_as_it_comes(tmp_path):
    heard = []
    with start_kernel(tmp_path) as running:
        list(running.run(notebook("print(1)", "2"), heard.append))
        heard_before = len(heard)
        list(running.run(notebook("print(1)")))
    assert [kind for kind in heard if kind in ("stream", "execute_result")] == [
        "stream",
        "execute_result",
    ]
    assert len(heard) == heard_before


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("1 / 0", ["1 / 0", "ZeroDivisionError"]),
        (
            "import os, sys\nprint('last', 'words', file=sys.__stderr__, flush=True)\nos._exit(1)",
            [kernel.DIED, "last words"],
        ),
        ("import time\ntime.sleep(600)", ["timed out"]),
    ],
    ids=["fails", "dies", "hangs"],
)
def test_a_failure_names_the_cell_and_the_reason(tmp_path, monkeypatch, source, words):
    if "sleep" in source:
        monkeypatch.setattr(kernel, "CELL_TIMEOUT", 2)
    with start_kernel(tmp_path) as running, pytest.raises(CellFailed) as failure:
        list(running.run(notebook("x = 1", source, "x = 2")))
    for part in ["code cell 2", source.splitlines()[0], *words]:
        assert part in str(failure.value)


def test_a_kernel_that_does_not_start_says_why(tmp_path):
    command = ["python", "-c", "raise SystemExit('no kernel here')"]
    with (
        pytest.raises(RuntimeError, match="no kernel here"),
        start_kernel(tmp_path, command=command),
    ):
        pass


def test_the_kernel_ends_with_the_statement(tmp_path):
    with start_kernel(tmp_path) as running:
        manager = running.manager
        assert manager.has_kernel
        assert running.process_id
    assert not manager.has_kernel
