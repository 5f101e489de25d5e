"""Report what changed: `python -m tools.changes [base]` writes _build/changes/index.html.

Beside it, results.md lists which printed numbers moved, and by how much: the text of a release.

The cells and stored outputs of the chapters, and the results files, are compared with those of a
git reference (`main`, or `origin/main` where there is no `main`). Nothing is run.
"""

import json
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

import jinja2
import nbformat

from tools.chapters import ROOT
from tools.release import git
from tools.stored import DIGEST
from tools.text_diff import Number, compare_text, pair, read_html

CHAPTERS = "chapters/*.ipynb"
RESULTS = ("studies/results/*.json", "benchmarks/results/*.json")
MOST_LISTED = 20  # numbers of a chapter in the text of a release
OLDER_DIGEST = f"{DIGEST}+json"


@dataclass(frozen=True)
class Shown:
    """What an output shows; `rest` is everything else that it holds."""

    name: str = "nothing"
    text: str = ""
    picture: str = ""
    digest: str = ""
    rest: str = ""


@dataclass
class Block:
    """An output that changed: rows of text, two pictures, rows of the digest, remarks."""

    name: str
    rows: list
    pictures: tuple
    digest: list
    notes: list


@dataclass
class Cell:
    """A cell that changed: rows of its source and of its metadata, and its outputs that differ."""

    id: str
    kind: str
    status: str
    alt: str
    edits: list
    outputs: list


@dataclass
class Change:
    """A chapter or a results file that changed, with its numbers that did: the largest first."""

    name: str
    status: str
    cells: list = field(default_factory=list)
    numbers: list = field(default_factory=list)
    notes: list = field(default_factory=list)

    def __post_init__(self):
        self.numbers.sort(key=lambda number: -abs(number.relative))

    @property
    def summary(self):
        """How much of what changed, in a line."""
        counts = Counter(f"{cell.kind} cells {cell.status}" for cell in self.cells if cell.edits)
        outputs = [block for cell in self.cells for block in cell.outputs]
        counts["outputs changed"] = len(outputs)
        counts["figures among them"] = sum(bool(block.pictures) for block in outputs)
        counts["numbers changed"] = len(self.numbers)
        return ", ".join([*(f"{what}: {n}" for what, n in counts.items() if n), *self.notes])


def name_status(old, new):
    """Say what happened to something of which one side may be missing (None)."""
    return "added" if old is None else "removed" if new is None else "changed"


def read_output(output):
    """Return what a stored output shows, as `Shown`."""
    if output.output_type == "stream":
        return Shown(output.name, output.text)
    if output.output_type == "error":
        return Shown("error", f"{output.ename}: {output.evalue}")
    data = {kind: value for kind, value in output.data.items() if kind != OLDER_DIGEST}
    kinds = ("text/html", "text/plain", "image/png", DIGEST)
    html, plain, picture, digest = (data.pop(kind, "") for kind in kinds)
    name = "figure" if picture else "HTML" if html else "text"
    text = read_html(html) if html else "" if picture else plain
    rest = html + json.dumps(data, sort_keys=True)
    return Shown(name, text, "".join(picture.split()), digest, rest)


def describe_digest_line(row):
    """Say in a few words what differs in a drawn thing: its kind, its label and what of it."""
    texts = ["".join(text for text, _ in side or []) for side in (row.old, row.new)]
    kind, _, content = (texts[1] or texts[0]).partition(":")
    name = " ".join([kind.strip(), *re.findall(r'"label":"([^"]+)"', content)[:1]])
    if not all(texts):
        return f"{name}: {'new' if row.old is None else 'gone'}"
    old, new = (dict(flatten(json.loads(text.partition(":")[2] or "{}"))) for text in texts)
    keys = {path.split(".")[0] for path in old | new if old.get(path) != new.get(path)}
    moved = [abs(number.values[1] - number.values[0]) for number in row.numbers]
    far = f" ({len(moved)} numbers, by {max(moved):.3g} at most)" if moved else ""
    return f"{name}: {', '.join(key for key in sorted(keys) if not key.isdigit())}{far}"


def compare_outputs(old, new):
    """Return what differs between two outputs as a `Block`, None if nothing is to be seen."""
    old, new = old or Shown(), new or Shown()
    rows = compare_text(old.text, new.text)
    pictures = (old.picture, new.picture) if old.picture != new.picture else ()
    digest = compare_text(old.digest, new.digest) if old.digest and new.digest else []
    notes = [describe_digest_line(row) for row in digest if row.changed]
    if not (rows or pictures or digest) and old.rest != new.rest:
        notes.append("What is not text differs: a script, a style or data.")
    name = old.name if old.name == new.name else f"{old.name} before, {new.name} now"
    return (
        Block(name, rows, pictures, digest, notes) if rows or pictures or digest or notes else None
    )


def compare_cells(old, new):
    """Return what differs between two cells, of which one may be missing, as a `Cell`."""
    empty = nbformat.from_dict({"source": "", "metadata": {}})
    sides = old or empty, new or empty
    metadata = [json.dumps(s.metadata, indent=1, ensure_ascii=False).strip("{}") for s in sides]
    sources = [side.source for side in sides]
    outputs = ([read_output(output) for output in side.get("outputs", [])] for side in sides)
    blocks = [compare_outputs(*both) for both in pair(*outputs, key=lambda shown: shown.name)]
    cell = new or old
    return Cell(
        id=cell.id,
        kind=cell.cell_type,
        status=name_status(old, new),
        alt=cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "a figure"),
        edits=list(filter(None, [compare_text(*sources), compare_text(*metadata)])),
        outputs=list(filter(None, blocks)),
    )


def compare_chapters(name, old, new):
    """Return the `Change` between two texts of a notebook, of which one may be missing (None)."""
    empty = nbformat.writes(nbformat.v4.new_notebook())
    notebooks = (nbformat.reads(text or empty, as_version=4) for text in (old, new))
    before, after = ({cell.id: cell for cell in notebook.cells} for notebook in notebooks)
    ids = [*after, *(id_ for id_ in before if id_ not in after)]
    cells = [
        compare_cells(before.get(i), after.get(i)) for i in ids if before.get(i) != after.get(i)
    ]
    numbers = [
        replace(number, place=cell.id)
        for cell in cells
        for block in cell.outputs
        for row in block.rows
        for number in row.numbers
    ]
    notes = []
    if [i for i in before if i in after] != [i for i in after if i in before]:
        notes.append("order of cells changed")
    if old and new and OLDER_DIGEST in old + new:
        notes.append("digests of an older form are not compared, only their pictures")
    cells = [cell for cell in cells if cell.edits or cell.outputs]
    return Change(name, name_status(old, new), cells, numbers, notes)


def flatten(value, path=""):
    """Yield (path, value) of everything in a JSON value that is no list and no object."""
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from flatten(item, f"{path}.{key}".lstrip("."))
    else:
        yield path, value


def compare_results(name, old, new):
    """Return the `Change` between two texts of a results file, of which one may be missing (None)."""
    before, after = (dict(flatten(json.loads(text or "{}"))) for text in (old, new))
    different = [path for path in before if path in after and before[path] != after[path]]
    numbers = [
        Number(f"{before[path]:.8g}", f"{after[path]:.8g}", path)
        for path in different
        if {type(before[path]), type(after[path])} <= {int, float}
    ]
    counts = {
        "values added": len(after.keys() - before.keys()),
        "values removed": len(before.keys() - after.keys()),
        "texts and switches changed": len(different) - len(numbers),
    }
    notes = [f"{what}: {n}" for what, n in counts.items() if n]
    return Change(name, name_status(old, new), numbers=numbers, notes=notes)


def compare(root, commit):
    """Return the `Change` of every file in a working tree: chapters first, largest changes first."""
    listed = git(root, "ls-tree", "-r", "-z", "--name-only", commit, ".").split("\0")
    changes = []
    for pattern in (CHAPTERS, *RESULTS):
        compare_files = compare_chapters if pattern == CHAPTERS else compare_results
        then = {name for name in listed if Path(name).match(pattern)}
        now = {path.relative_to(root).as_posix() for path in root.glob(pattern)}
        for name in sorted(then | now):
            old = git(root, "show", f"{commit}:./{name}") if name in then else None
            new = (root / name).read_text(encoding="utf-8") if name in now else None
            if old != new:
                changes.append(compare_files(name, old, new))

    def order(change):
        largest = max((abs(number.relative) for number in change.numbers), default=0)
        return not change.name.endswith(".ipynb"), -largest

    return sorted(changes, key=order)


def find_base(root, names):
    """Return the first of some names of commits that git knows, and the commit; None without one."""
    for name in names:
        try:
            revision = f"{name}^{{commit}}"
            return name, git(root, "rev-parse", "--verify", "--end-of-options", revision).strip()
        except subprocess.CalledProcessError as error:
            print(f"{name}: {error.stderr.strip()}", file=sys.stderr)
    return None


def list_results(changes, base):
    """Return in Markdown which printed numbers of the chapters moved, for the text of a release."""
    lines = [f"## Results that moved since {base}", ""]
    for change in changes:
        if change.name.endswith(".ipynb") and change.status == "changed" and change.numbers:
            lines += [f"**{Path(change.name).stem}**", ""]
            lines += [f"- {number}, in `{number.place}`" for number in change.numbers[:MOST_LISTED]]
            if more := change.numbers[MOST_LISTED:]:
                lines.append(f"- and {len(more)} more, by {abs(more[0].relative):.1%} at most")
            lines.append("")
    return "\n".join(lines if len(lines) > 2 else [*lines, "None.", ""])


def main(names, root=ROOT):
    """Write the report and print its summary; return the exit status."""
    if not (found := find_base(root, names or ["main", "origin/main"])):
        print("Name what to compare with: make changes BASE=v1.0.0", file=sys.stderr)
        return 1
    base, commit = found
    behind = int(git(root, "rev-list", "--count", f"HEAD..{commit}"))
    changes = compare(root, commit)
    title = f"Compared with {base} ({git(root, 'log', '-1', '--format=%h of %cs', commit).strip()})"
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True
    )
    page = templates.get_template("changes.html.jinja")
    path = root / "_build" / "changes" / "index.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page.render(title=title, behind=behind, changes=changes), encoding="utf-8")
    path.with_name("results.md").write_text(list_results(changes, base), encoding="utf-8")
    print(f"{title}: {f'files changed: {len(changes)}' if changes else 'nothing changed'}")
    for change in changes:
        print(f"  {change.name} {change.status}: {change.summary}")
        for number in change.numbers[:3]:
            print(f"    {number}  in {number.place}")
    print(f"Open {path.relative_to(root)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
