"""How much of the pages' machinery is the book's own, and that none of it is someone else's file."""

import re
import subprocess

import pytest

from tools.normalise import ROOT


def count_lines(pattern):
    """Return the lines of all files that a pattern names, blank ones and comments included."""
    paths = [path for path in ROOT.glob(pattern) if path.is_file()]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


# What readers see of the course: questions, search, glossary, small pictures. Each has a budget of
# its own, and everything else shares the pages'.
FEATURES = {
    "_ext/reader.py": 130,
    "_static/reader.css": 110,
    "_static/predict.js": 120,
    "_static/search.js": 40,
}


@pytest.mark.parametrize(("path", "most"), FEATURES.items())
def test_a_feature_for_readers_is_small(path, most):
    assert 0 < count_lines(path) <= most


@pytest.mark.parametrize(
    ("patterns", "most"),
    [
        (["_ext/*.py"], 250),
        (["_static/**/*.css", "_ext/*.css"], 300),
        (["_static/**/*.js", "_ext/*.js"], 60),
    ],
)
def test_the_pages_need_little_machinery(patterns, most):
    """The explorers' script and style are not counted: they belong to notebooks, not to pages."""
    features = [path for path in FEATURES if path.endswith(patterns[0].rpartition("*")[2])]
    assert sum(map(count_lines, patterns)) - sum(map(count_lines, features)) <= most


def test_the_theme_is_hardly_overridden():
    assert len([path for path in (ROOT / "_templates").rglob("*") if path.is_file()]) <= 2


def test_no_file_of_others_is_tracked():
    """What the book needs of others comes from a package when it is built."""
    git = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if git.returncode:
        pytest.skip("this is no git checkout")
    names = git.stdout.splitlines()
    foreign = re.compile(
        r"\.min\.(js|css)$|\.(woff2?|ttf|otf|eot|whl|wasm|map)$|katex|mathjax|jquery|node_modules",
        re.IGNORECASE,
    )
    assert not [name for name in names if foreign.search(name)]
    notice = re.compile(r"@license|licensed under|copyright (\(c\)|©)", re.IGNORECASE)
    for name in names:
        if name.endswith((".js", ".css", ".svg", ".html")):
            text = (ROOT / name).read_text(encoding="utf-8")
            assert not notice.search(text), f"{name} bears a notice of its own"
