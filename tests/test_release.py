"""The tag that Colab installs is compared with what is published, in a repository made for it."""

import subprocess
import sys

import pytest

from tools import release
from tools.normalise import COLAB, ROOT

PROJECT = """\
[build-system]
requires = ["setuptools"]

[project]
name = "book"
version = "{version}"
{more}
[tool.setuptools]
packages = {packages}
"""


def write(root, name, text):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text)


def project(root, version="1.2.3", more="", packages='["helpers"]'):
    write(root, "pyproject.toml", PROJECT.format(version=version, more=more, packages=packages))


def commit(root):
    for command in (["add", "--all"], ["commit", "--quiet", "--message", "A change"]):
        release.git(root, *command)


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A repository with one commit, and no settings of the machine."""
    for name in ("GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE"):  # set while a hook runs
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "test",
        "GIT_AUTHOR_EMAIL": "test@localhost",
        "GIT_COMMITTER_NAME": "test",
        "GIT_COMMITTER_EMAIL": "test@localhost",
    }.items():
        monkeypatch.setenv(name, value)
    release.git(tmp_path, "init", "--quiet")
    project(tmp_path)
    for name in (
        "helpers/data.py",
        "studies/tied.py",
        "studies/results/tied.json",
        "benchmarks/results/chapters.json",
        "chapters/tied-weights.ipynb",
    ):
        write(tmp_path, name, "1")
    commit(tmp_path)
    return tmp_path


@pytest.fixture
def tagged(book):
    release.git(book, "tag", "v1.2.3")
    return book


def test_a_missing_tag_is_named_with_the_command_that_makes_it(book):
    message = release.difference(book)
    assert "There is no tag v1.2.3" in message
    assert "git tag v1.2.3 && git push origin v1.2.3" in message
    # A branch of that name is none.
    release.git(book, "branch", "v1.2.3")
    assert "There is no tag" in release.difference(book)


def test_an_equal_tag_is_fine(tagged):
    assert release.difference(tagged) == ""


DATA, TIED = "helpers/data.py", "studies/results/tied.json"
TIMES, PACKAGES = "benchmarks/results/chapters.json", "pyproject.toml (tool.setuptools)"
# A change, and the place that the message names.
CHANGES = {
    "helpers": (lambda root: write(root, DATA, "2"), DATA),
    "a new helper": (lambda root: write(root, "helpers/größe.py", "2"), "helpers/größe.py"),
    "a helper that is gone": (lambda root: (root / DATA).unlink(), DATA),
    "a study's result": (lambda root: write(root, TIED, "2"), TIED),
    "a benchmark's result": (lambda root: write(root, TIMES, "2"), TIMES),
    "the packages": (lambda root: project(root, packages="[]"), PACKAGES),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_tag_that_differs_in_what_colab_installs_is_not_enough(tagged, name):
    change, place = CHANGES[name]
    change(tagged)
    assert release.difference(tagged) == "", "only what is committed is published"
    commit(tagged)
    message = release.difference(tagged)
    assert message.startswith(
        f"The tag v1.2.3, which Colab installs, differs from HEAD in\n    {place}\nRaise the version"
    )
    # The cure that the message names.
    project(tagged, "1.2.4")
    commit(tagged)
    assert "no tag v1.2.4" in release.difference(tagged)
    release.git(tagged, "tag", "--annotate", "--message", "1.2.4", "v1.2.4")
    assert release.difference(tagged) == ""


def test_chapters_and_what_colab_does_not_install_may_change(tagged):
    write(tagged, "chapters/tied-weights.ipynb", "2")
    write(tagged, "studies/tied.py", "2")
    write(tagged, "README.md", "2")
    project(tagged, more='dependencies = ["numpy"]')
    commit(tagged)
    assert release.difference(tagged) == ""


def test_a_tag_on_a_commit_of_another_version_is_not_enough(book):
    project(book, "1.2.2")
    commit(book)
    release.git(book, "tag", "v1.2.3")
    project(book)
    commit(book)
    assert "pyproject.toml (project.version)" in release.difference(book)


def test_the_exit_status_stops_a_workflow(tagged, monkeypatch, capsys):
    monkeypatch.setattr(release, "difference", lambda: "Another one.")
    assert release.main() == 1
    assert capsys.readouterr().err == "Another one.\n"
    monkeypatch.setattr(release, "difference", lambda: "")
    assert release.main() == 0
    assert capsys.readouterr().err == ""


def test_it_compares_what_the_set_up_cell_installs():
    """The tag's form, and the folders that hold what chapters import and read."""
    assert "@v{version}" in COLAB
    assert {"helpers", "studies/results", "benchmarks/results"} <= set(release.INSTALLED)
    for name in release.INSTALLED:
        assert (ROOT / name).is_dir(), name


def test_it_needs_no_installed_package():
    """The workflow runs it before anything is installed."""
    code = "import sys; sys.path.insert(0, '.'); import tools.release"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], cwd=ROOT, check=True)
