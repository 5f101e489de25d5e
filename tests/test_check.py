"""`make check` passes a good chapter, and says what is wrong with a broken one, and where."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from tools.normalise import text

ROOT = Path(__file__).resolve().parents[1]
HANG = 900  # seconds; a guard and no measure


def check(folder, *slugs):
    """Run the check of a copy of the book; return its exit status and what it printed."""
    result = subprocess.run(
        [sys.executable, "-m", "output_check.check", *slugs],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG,
    )
    return result.returncode, result.stdout + result.stderr


def change(folder, slug, kind, change_source):
    """Change the first Markdown or code cell of a chapter that `change_source` changes."""
    path = folder / "chapters" / f"{slug}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells[2:]:
        if cell.cell_type == kind and (source := change_source(cell.source)) != cell.source:
            cell.source = source
            break
    path.write_text(text(notebook), encoding="utf-8")
    return cell.id


def keep_chapters(folder, *slugs):
    """Take the other chapters out of a copy of the book, and turn links to them to the last one kept."""
    contents = yaml.safe_load((folder / "_toc.yml").read_text(encoding="utf-8"))
    others = {path.stem for path in (folder / "chapters").glob("*.ipynb")} - set(slugs)
    for part in contents["parts"]:
        files = [entry["file"] for entry in part["chapters"]]
        part["chapters"] = [{"file": file} for file in files if Path(file).name not in others]
    contents["parts"] = [part for part in contents["parts"] if part["chapters"]]
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents), encoding="utf-8")
    for slug in others:
        (folder / "chapters" / f"{slug}.ipynb").unlink()
    for path in (folder / "chapters").glob("*.[im]*"):
        link = rf"({'|'.join(others)})\.ipynb(#[\w-]+)?"
        kept = re.sub(link, f"{slugs[-1]}.ipynb", path.read_text(encoding="utf-8"))
        path.write_text(kept, encoding="utf-8")


@pytest.fixture(scope="module")
def broken(tmp_path_factory):
    """A copy of the book with a flaw of each kind, each in a chapter of its own, checked once.

    Returns the folder, the cells' ids by kind of flaw, and what the check printed.
    """
    folder = tmp_path_factory.mktemp("check") / "book"
    ignored = shutil.ignore_patterns(".*", "_build", "tests", "*.egg-info")
    shutil.copytree(ROOT, folder, ignore=ignored)
    flawed = ("tied-weights", "greedy-training", "saving-tied-models", "where-the-time-goes")
    keep_chapters(folder, *flawed, "generative-models")
    cells = {
        "rule": change(
            folder, "tied-weights", "markdown", lambda s: s.replace("## Take-aways", "## Lessons")
        ),
        "stale": change(folder, "greedy-training", "code", lambda s: f"{s}\nstale = 1"),
        "format": change(folder, "saving-tied-models", "code", lambda s: f"{s}\nx=1"),
        "link": change(
            folder,
            "where-the-time-goes",
            "markdown",
            lambda s: f"{s}\n\nSee [there](tied-weights.ipynb#no-such-place).\n\n##### Too deep",
        ),
    }
    status, said = check(folder)
    assert status == 1
    return folder, cells, said


def test_each_flaw_is_named_with_its_place(broken):
    _, cells, said = broken
    lines = said.splitlines()

    def line_with(*words):
        return any(all(word in line for word in words) for line in lines)

    assert line_with("tied-weights: headings: the last sections must be")
    assert line_with(f"greedy-training: code cell {cells['stale']!r} was edited", "make run")
    assert line_with("chapters/saving-tied-models.ipynb:cell", "would be reformatted")
    assert line_with("chapters/where-the-time-goes.ipynb, cell", cells["link"], "no-such-place")
    assert "generative-models" not in said
    assert "ok:" not in said


def test_one_chapter_answers_for_itself_only(broken):
    status, said = check(broken[0], "generative-models")
    assert status == 0, said
    assert said.startswith("ok: generative-models, ")


def test_a_warning_is_shown_again_by_the_next_check(broken):
    status, said = check(broken[0], "where-the-time-goes")
    assert status == 1
    assert "[myst.header]" in said  # of the phase of reading, which Sphinx skips if nothing changed
    assert "[myst.xref_missing]" in said  # of the phase of writing


def test_no_such_chapter(broken):
    status, said = check(broken[0], "no-such-chapter")
    assert status == 1
    assert said == "No such chapter in _toc.yml: no-such-chapter\n"
