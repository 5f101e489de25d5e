"""What was green is run again exactly if something that decides about it has changed."""

import contextlib
import io
import re
import sys

import nbformat
import pytest

from output_check.green import files_of, fingerprint_of
from output_check.spreads import measure, path_of, write
from tools.chapters import chapters
from tools.run import run


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """A book of one chapter that prints a number, stored and measured."""
    book = tmp_path_factory.mktemp("green")
    chapter = book / "chapters" / "tiny.ipynb"
    chapter.parent.mkdir()
    (book / "_toc.yml").write_text("root: index\nchapters:\n- file: chapters/tiny\n")
    cells = [nbformat.v4.new_markdown_cell("# Tiny"), nbformat.v4.new_code_cell("print(6 * 7)")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), chapter)
    chapter.write_text(run(chapter), encoding="utf-8")
    notebook = nbformat.read(chapter, as_version=4)
    path_of(chapter).parent.mkdir(parents=True)
    path_of(chapter).write_text(write(measure(notebook, [notebook])[0]), encoding="utf-8")
    return book


def run_pytest(folder, options, **environment):
    """Return what pytest says in a folder; in this process, because a new one imports for seconds."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.chdir(folder)
        patch.setattr(sys, "path", [*sys.path])
        patch.delenv("CI", raising=False)
        for name, value in environment.items():
            patch.setenv(name, value)
        # At its end the plugin left out collects garbage five times, here that of all tests so far.
        plugins = "-p output_check.plugin -p no:unraisableexception -W ignore"
        pytest.main([*plugins.split(), *options.split()])
        sys.modules.pop("test_it", None)
    return said.getvalue()


def check(book, **environment):
    """Return how many cells passed and failed in a run of pytest, and what it says."""
    report = run_pytest(book, "-q -rA chapters", **environment)
    found = re.findall(r"^(PASSED|FAILED) \S+::cell", report, re.M)
    return found.count("PASSED"), found.count("FAILED"), report


def test_a_green_chapter_is_not_run_again_and_pytest_says_so(book):
    chapter = book / "chapters" / "tiny.ipynb"
    assert check(book)[:2] == (1 + 1, 0), "the first time: with Colab's cell"
    passed, failed, report = check(book)
    assert (passed, failed) == (0, 0)
    assert "1 were green with the same code, data and machine: tiny" in report
    assert check(book, CI="true")[:2] == (2, 0), "under CI everything runs"
    stored = chapter.read_text(encoding="utf-8")
    try:
        chapter.write_text(stored.replace("42", "43"), encoding="utf-8")
        assert check(book)[1] == 1
        assert check(book)[1] == 1, "a red chapter is run again"
    finally:
        chapter.write_text(stored, encoding="utf-8")


@pytest.mark.parametrize(
    "file",
    [
        "helpers/training.py",
        "helpers/slider.js",
        "output_check/compare.py",
        "tools/kernel.py",
        "requirements.txt",
        "output_check/spreads/a.txt",
        "studies/results/stacked.json",
        "chapters/a.ipynb",
    ],
)
def test_a_fingerprint_holds_what_decides(tmp_path, file, monkeypatch):
    chapter, changed = tmp_path / "chapters" / "a.ipynb", tmp_path / file
    for path in (chapter, changed):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('read_result(\\"stacked\\")')
    before = fingerprint_of(chapter)
    assert fingerprint_of(chapter) == before
    changed.write_text("# read_result(\\'stacked\\')")
    assert fingerprint_of(chapter) != before
    before = fingerprint_of(chapter)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert fingerprint_of(chapter) != before


def results_of(chapter):
    return {path.stem for path in files_of(chapter) if path.parent.name == "results"}


def test_a_fingerprint_holds_the_results_that_a_chapter_reads_and_no_others():
    for chapter in chapters():
        text = chapter.read_text(encoding="utf-8")
        assert set(re.findall(r'read_result\(\\"(\w+)\\"\)', text)) <= results_of(chapter)
    assert len({frozenset(results_of(chapter)) for chapter in chapters()}) > 1


TEST = """
import pathlib
import pytest

@pytest.mark.depends_on("tests/{name}.txt")
@pytest.mark.parametrize("name", ["a", "b"])
def test_reads(name):
    assert pathlib.Path(__file__).with_name(f"{name}.txt").read_text() == "good"

@pytest.mark.depends_on("tests/a.txt")
def test_fails_afterwards(broken):
    pass

@pytest.fixture
def broken():
    yield
    raise ValueError
"""


def test_a_green_test_is_not_run_again_until_a_file_changes_that_it_depends_on(tmp_path):
    folder = tmp_path / "tests"
    folder.mkdir()
    (folder / "test_it.py").write_text(TEST)
    (tmp_path / "_toc.yml").write_text("root: index\n")
    for name in "ab":
        (folder / f"{name}.txt").write_text("good")

    def outcome(**environment):
        report = run_pytest(tmp_path, "-rs -p output_check.remember tests", **environment)
        counts = {
            kind: int(number)
            for number, kind in re.findall(r"(\d+) (\w+)", report.splitlines()[-1])
        }
        return *(counts.get(kind, 0) for kind in ("passed", "failed", "skipped")), report

    assert outcome()[:3] == (3, 0, 0), "with one error, after the test"
    *counts, report = outcome()
    assert counts == [1, 0, 2]
    assert "was green on this machine with the same files" in report
    assert outcome(CI="true")[:3] == (3, 0, 0)
    (folder / "b.txt").write_text("bad")
    assert outcome()[:3] == (1, 1, 1)
    assert outcome()[:3] == (1, 1, 1), "what was red is run again"
    (folder / "b.txt").unlink()
    assert "depends on no file: tests/b.txt" in outcome()[3]
