"""Point every link of the book at another repository: `python -m tools.retarget URL`.

The address has one place, `repository.url` in `_config.yml`. What is derived from it and written
down elsewhere (links, badges, citation, the chapters' set-up cells) is rewritten here; what can be
derived when the book is built (`_ext/book.py`) is written down nowhere.
"""

import re
import sys

from tools import normalise
from tools.normalise import ROOT, repository_url

# Text that names the repository. The notebooks' set-up cells are generated, not replaced.
FILES = (
    ".github/ISSUE_TEMPLATE/config.yml",
    "CHANGELOG.md",
    "CITATION.cff",
    "CONTRIBUTING.md",
    "LICENSES.md",
    "README.md",
    "_config.yml",
    "pyproject.toml",
)
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")


def forms(url):
    """Return the forms in which the address is written down: repository, in Colab, as pages."""
    owner, name = url.removeprefix("https://github.com/").split("/")
    return [
        f"github.com/{owner}/{name}",
        f"google.com/github/{owner}/{name}",
        f"{owner.lower()}.github.io/{name}",
    ]


def files(root=ROOT):
    """Return the files that name the repository."""
    paths = [root / name for name in FILES] + sorted((root / "chapters").glob("*.md"))
    return [path for path in paths if path.exists()]


def retarget(url, root=ROOT):
    """Rewrite the address everywhere; return the names of the files that changed.

    Raises:
        ValueError: the address does not have the form https://github.com/owner/name.
    """
    url = url.rstrip("/").removesuffix(".git")
    if not ADDRESS.fullmatch(url):
        raise ValueError(f"An address such as https://github.com/you/book is needed, not {url!r}.")
    places = list(zip(forms(repository_url(root)), forms(url), strict=True))
    changed = []
    for path in files(root):
        before = after = path.read_text(encoding="utf-8")
        for old, new in places:
            # The name must end there: book is not the beginning of booklet.
            after = re.sub(re.escape(old) + r"(?![\w-])", new, after)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            changed.append(path.name)
    return changed


def main(arguments):
    """Retarget the book and write the set-up cells again; return the exit status."""
    if len(arguments) != 1:
        print("usage: make retarget URL=https://github.com/you/book", file=sys.stderr)
        return 2
    try:
        changed = retarget(arguments[0])
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    print("\n".join(changed) or "nothing to change")
    return normalise.main([])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
