"""Compare what Colab installs with what is published: `python -m tools.release`.

A chapter's set-up cell installs the tag `v` + the version in pyproject.toml. If that tag holds
other helpers or other results than the commit whose pages are published, a reader in Colab runs
another book than the one on the page. This reads Git alone, so it needs no installed package.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# What a chapter takes from the installed release. The chapters themselves come from the branch.
INSTALLED = ("helpers", "studies/results", "benchmarks/results")
ADVICE = """\
Raise the version in pyproject.toml and CITATION.cff, run 'make format' (it writes the version into
the set-up cells), commit, and push the commit together with its tag:
    git tag v<version> && git push --atomic origin main v<version>"""


def git(root, *arguments):
    """Return what a Git command prints.

    Raises:
        subprocess.CalledProcessError: the command failed.
    """
    command = ["git", "-c", "core.quotePath=false", *arguments]
    return subprocess.run(
        command, cwd=root, check=True, capture_output=True, encoding="utf-8"
    ).stdout


def project(root, commit):
    """Return pyproject.toml, parsed, as it is in a commit."""
    return tomllib.loads(git(root, "show", f"{commit}:pyproject.toml"))


def difference(root=ROOT, commit="HEAD"):
    """Return in words how the tag that Colab installs differs from a commit; "" if it does not.

    Args:
        root: path of the repository.
        commit: str, the commit that is published.
    """
    published = project(root, commit)
    tag = f"v{published['project']['version']}"
    if not git(root, "tag", "--list", tag):
        return (
            f"There is no tag {tag}, which the set-up cells of the chapters install in Colab.\n"
            f"If this commit is that version: git tag {tag} && git push origin {tag}. Otherwise:\n"
            f"{ADVICE}"
        )
    tagged = project(root, f"refs/tags/{tag}")
    places = git(root, "diff", "--name-only", f"refs/tags/{tag}", commit, "--", *INSTALLED)
    differing = places.splitlines()
    # Which packages and data files are installed, from where, and under which version.
    for table in ("build-system", "tool.setuptools", "project.name", "project.version"):
        if look_up(tagged, table) != look_up(published, table):
            differing.append(f"pyproject.toml ({table})")
    if not differing:
        return ""
    listed = "".join(f"    {name}\n" for name in differing)
    return f"The tag {tag}, which Colab installs, differs from {commit} in\n{listed}{ADVICE}"


def look_up(table, name):
    """Return the value of a dotted name in nested tables; None if it is not there."""
    for key in name.split("."):
        table = table.get(key, {})
    return table or None


def main():
    """Print what is wrong and what to do; return the exit status."""
    message = difference()
    print(message or "Colab installs what is published.", file=sys.stderr if message else None)
    return 1 if message else 0


if __name__ == "__main__":
    sys.exit(main())
