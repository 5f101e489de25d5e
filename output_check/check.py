"""Check chapters without running them: `python -m output_check.check [slug ...]`, `make check`.

Enough after a change of prose: the format, the rules of a chapter (its normal form is one), whether
its outputs are stored for the code as it is, and the build of its page. What the outputs say is not
computed again: after a change of code, that is the work of `make run` and `make test`.
"""

import contextlib
import io
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat

from output_check.compare import find_flaws
from output_check.rules import Chapter, complaints
from output_check.spreads import find_spread_flaws, path_of, read
from tools.chapters import ROOT, chapters

SAID_BY_FIND_FLAWS = {"executed", "outputs"}  # rules that it knows too, with the cell's code
# Of a folder in which not every page has been written; the check has no use for the index.
NO_INDEX = "search index couldn't be loaded"


def find_format_flaws(files):
    """Return what ruff says of some files or folders, as a list of texts."""
    found = []
    for options in (["check"], ["format", "--check"]):
        ruff = [sys.executable, "-m", "ruff", *options, "--output-format=concise", *map(str, files)]
        result = subprocess.run(ruff, cwd=ROOT, capture_output=True, text=True, check=False)
        lines = (result.stdout + result.stderr).splitlines()
        found += lines or [f"ruff {options[0]} failed"] if result.returncode else []
    return found


def find_chapter_flaws(path):
    """Return the rules that a chapter breaks and what is wrong with its stored form, as texts."""
    try:
        chapter = Chapter.read(path)
    except ValueError as error:
        return [f"{path.name} is no notebook: {error}"]
    texts = [
        f"{rule}: {reason}"
        for rule, reasons in complaints(chapter).items()
        if rule not in SAID_BY_FIND_FLAWS
        for reason in reasons
    ]
    texts += find_flaws(chapter.notebook)
    texts += find_spread_flaws(chapter.notebook, read(path_of(path)))
    return [f"{path.stem}: {text}" for text in texts]


def find_page_flaws(paths):
    """Build the pages of some chapters, or all pages, and return Sphinx's warnings.

    All sources are read anew each time, so that no warning is missed because an earlier build has
    shown it, but only the pages asked for are written, into a folder of their own.

    Args:
        paths: list of Path; an empty one stands for every page of the book.

    Returns:
        A list of str, empty if the build has succeeded without a warning.
    """
    from jupyter_book.sphinx import build_sphinx  # a second, after quicker answers
    from sphinx.util.console import nocolor

    settings = {"external_toc_path": "_toc.yml", "nitpicky": True, "latex_individualpages": False}
    said = io.StringIO()
    nocolor()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        status = build_sphinx(
            ROOT,
            ROOT / "_build" / "check" / "html",
            noconfig=True,
            path_config=ROOT / "_config.yml",
            confoverrides=settings,
            filenames=list(map(str, paths)),
            freshenv=True,
            quiet=True,
            warningiserror=True,
            keep_going=True,
        )
    if not status:
        return []
    lines = [line for line in said.getvalue().splitlines() if line.strip() and NO_INDEX not in line]
    if isinstance(status, Exception) and not lines:
        return [f"the build failed: {status!r}"]
    found = map(name_place, lines)
    return [line for line in found if not paths or not is_about_another_page(line, paths)]


def name_place(line):
    """Say in words where a warning is: MyST-NB counts lines as 10,000 times the cell, plus a line."""

    def place(match):
        cell, number = divmod(int(match[2]), 10_000)
        path = ROOT / match[1]
        return f"{match[1]}, cell {nbformat.read(path, as_version=4).cells[cell - 1].id}, line {number}:"

    return re.sub(r"^(chapters/[\w-]+\.ipynb):(\d{5,}):", place, line.replace(f"{ROOT}/", ""))


def is_about_another_page(line, paths):
    """Say whether a warning is about a page that is none of these: all are read, these are built."""
    page = re.match(r"chapters/[\w-]+\.\w+", line)
    return bool(page) and ROOT / page[0] not in paths


def main(slugs):
    """Check the chapters named, or the whole book; return the exit status."""
    start = time.monotonic()
    known = {path.stem: path for path in chapters()}
    if missing := [slug for slug in slugs if Path(slug).stem not in known]:
        print("No such chapter in _toc.yml:", *missing, file=sys.stderr)
        return 1
    paths = [known[Path(slug).stem] for slug in slugs]
    found = find_format_flaws(paths or ["."])
    for path in paths or known.values():
        found += find_chapter_flaws(path)
    found += find_page_flaws(paths)
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    names = ", ".join(path.stem for path in paths) or f"{len(known)} chapters and the other pages"
    print(f"ok: {names}, {time.monotonic() - start:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
