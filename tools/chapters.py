"""What the chapters say about themselves, read from `_toc.yml` and the notebooks.

The lists, tables and the map on the book's pages are written from this, so a new chapter needs its
notebook and a line in `_toc.yml`, and no other page has to be edited. Nothing is imported here that
takes long.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
# How an exercise begins: "**Exercise 1 (★, short code): what it is for.** Words".
EXERCISE = re.compile(
    r"^\*\*Exercise (?P<number>\d+) \((?P<stars>★+), (?P<kind>[^()*]+)\): (?P<purpose>[^*]+)\.\*\* \S",
    re.MULTILINE,
)
TIME = re.compile(r"(\d+) minutes to read, about (\d+) seconds to run")
SPACE = "\N{NO-BREAK SPACE}"
FIRST_CELLS = 5  # among them stands the list of what a chapter needs, teaches and takes
FOLDED = {"hide-cell", "hide-input", "remove-cell"}  # tags of cells whose code a page folds away
# The book's one rule for reading times, which CONTRIBUTING.md states.
WORDS_A_MINUTE, LINES_A_MINUTE = 225, 25
LINK = re.compile(r"\]\(([\w-]+)\.ipynb\)")


@dataclass(frozen=True)
class Exercise:
    """An exercise: its number, its stars (1 to 3), what the reader does, and what it is for."""

    number: int
    stars: int
    kind: str
    purpose: str


@dataclass(frozen=True)
class Summary:
    """What a chapter says about itself; the texts are Markdown.

    Attributes:
        path: Path of the notebook.
        part: str, the caption of its part in `_toc.yml`, empty without one.
        title: str.
        sentence: str, the sentence under the title.
        needs: str, what the line "You need" says.
        builds_on: tuple of str, the slugs of the chapters that this line links to.
        learns: str, what the line "You will learn" says.
        minutes: int, to read.
        seconds: int, to run on two cores.
        exercises: tuple of `Exercise`.
    """

    path: Path
    part: str
    title: str
    sentence: str
    needs: str
    builds_on: tuple[str, ...]
    learns: str
    minutes: int
    seconds: int
    exercises: tuple[Exercise, ...]

    @property
    def slug(self):
        """The file's name without its ending, which is the chapter's address too."""
        return self.path.stem


def files(node):
    """Yield the files that a piece of a table of contents names, in its order."""
    if isinstance(node, dict):
        if "file" in node:
            yield node["file"]
        node = [value for key, value in node.items() if key in ("parts", "chapters", "sections")]
    for entry in node if isinstance(node, list) else []:
        if isinstance(entry, str):
            yield entry
        else:
            yield from files(entry)


def parts(toc=ROOT / "_toc.yml"):
    """Return the parts of the book as pairs (caption, paths of its notebooks)."""
    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    found = []
    for part in contents.get("parts", [contents]):
        paths = [(toc.parent / name).with_suffix(".ipynb") for name in files(part)]
        found.append((part.get("caption", ""), [path for path in paths if path.exists()]))
    return found


def chapters(toc=ROOT / "_toc.yml"):
    """Return the notebooks that the table of contents lists, in its order."""
    return [path for _, paths in parts(toc) for path in paths]


def named(slugs):
    """Return the notebooks of the chapters that a command line names, by slug or file.

    Raises:
        SystemExit: there is no such notebook; the message says so.
    """
    paths = [ROOT / "chapters" / f"{Path(slug).stem}.ipynb" for slug in slugs]
    if missing := [path.name for path in paths if not path.exists()]:
        raise SystemExit(f"No such chapter: {' '.join(missing)} in chapters/")
    return paths


def item(source, name):
    """Return what a list item such as "- **You need:** words" says, on one line, or None."""
    match = re.search(rf"^[-*] \*\*{name}:\*\* (.+?)(?=\n[-*] |\n\n|\Z)", source, re.M | re.S)
    return match and " ".join(match[1].split())


def is_folded(cell):
    """Say whether a page folds a cell's code away, or leaves the cell out."""
    return bool(FOLDED & set(cell.get("metadata", {}).get("tags", [])))


def words(markdown):
    """Count the words of a text in Markdown; a formula is one word, an address none."""
    markdown = re.sub(r"\$\$.*?\$\$", " formula ", markdown, flags=re.S)
    markdown = re.sub(r"\$[^$\n]+\$", " formula ", markdown)
    markdown = re.sub(r"\]\([^)]*\)|<[^>]+>", " ", markdown)
    return len(re.findall(r"[^\W_][\w’'.,-]*", markdown))


def reading_minutes(notebook):
    """Estimate how long a chapter takes to read, by the book's one rule.

    Args:
        notebook: dict, a notebook as JSON has it, or nbformat's `NotebookNode`. Counted are the words
            of its text and the lines of code that are not blank and not folded.

    Returns:
        float, minutes.
    """
    minutes = 0
    for cell in notebook["cells"]:
        source = "".join(cell["source"])  # a text, or a list of lines
        if cell["cell_type"] == "markdown":
            minutes += words(source) / WORDS_A_MINUTE
        elif cell["cell_type"] == "code" and not is_folded(cell):
            minutes += sum(bool(line.strip()) for line in source.split("\n")) / LINES_A_MINUTE
    return minutes


def find_list(cells):
    """Return the place and the text of the cell that says what a chapter needs, or the first cell.

    Args:
        cells: list of dict, the cells of a notebook.

    Returns:
        (int, str): the first Markdown cell among the first five with the list, which stands under
        the title or below the first picture.
    """
    for number, cell in enumerate(cells[:FIRST_CELLS]):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and "**You need:**" in source:
            return number, source
    return 0, "".join(cells[0]["source"]) if cells else ""


def summary(path, part=""):
    """Read what a chapter says about itself.

    Args:
        path: Path of the notebook.
        part: str, the caption of its part.

    Returns:
        A `Summary`.

    Raises:
        ValueError: the first cells lack something; the message names it.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
    start = texts[0] if texts else ""
    opening = re.match(r"# (.+)\n\s*\n((?:(?![-*] ).+\n?)+)", start)
    _, listed = find_list(cells)
    needs, learns = item(listed, "You need"), item(listed, "You will learn")
    time = TIME.search(item(listed, "Time") or "")
    found = {
        "a title and a sentence under it": opening,
        "**You need:**": needs,
        "**You will learn:**": learns,
        "**Time:** with the minutes to read and the seconds to run": time,
    }
    if missing := [name for name, value in found.items() if not value]:
        raise ValueError(f"{path.name}: the first cells lack {', '.join(missing)}")
    return Summary(
        path=path,
        part=part,
        title=opening[1].strip(),
        sentence=" ".join(opening[2].split()),
        needs=needs.removesuffix("."),
        builds_on=tuple(dict.fromkeys(LINK.findall(needs))),
        learns=learns.removesuffix("."),
        minutes=int(time[1]),
        seconds=int(time[2]),
        exercises=tuple(
            Exercise(int(match["number"]), len(match["stars"]), match["kind"], match["purpose"])
            for text in texts
            for match in EXERCISE.finditer(text)
        ),
    )


def book(toc=ROOT / "_toc.yml"):
    """Return the `Summary` of every chapter, in the order of the table of contents."""
    return [summary(path, part) for part, paths in parts(toc) for path in paths]


def link(chapter):
    """Return a chapter's title as a link in Markdown, for the pages beside it."""
    return f"[{chapter.title}]({chapter.slug}.ipynb)"


def times(chapter):
    """Return how long a chapter takes, in words."""
    return f"{chapter.minutes} minutes to read, about {chapter.seconds} seconds to run on two cores"


def table(*rows):
    """Return a table in Markdown from rows of texts; the second row aligns the columns."""
    escaped = ([text.replace("|", r"\|") for text in row] for row in rows)
    return "\n".join(f"| {' | '.join(row)} |" for row in escaped)


def times_table(chapters):
    """Return the table of the chapters' times and prerequisites, in Markdown.

    Times share a column, so that the table fits a phone.
    """
    return table(
        ("chapter", "to read, to run", "your students need"),
        ("---", "---", "---"),
        *((link(c), f"{c.minutes}{SPACE}min, {c.seconds}{SPACE}s", c.needs) for c in chapters),
    )


def exercises_list(chapters):
    """Return the list of all exercises, those of one kind below its name, in Markdown."""
    kinds = {}
    for chapter in chapters:
        for exercise in chapter.exercises:
            where = f"{link(chapter)}, {exercise.number}{SPACE}({'★' * exercise.stars})"
            kinds.setdefault(exercise.kind, []).append(f"  - *{exercise.purpose}*: {where}")
    lines = []
    for kind, found in sorted(kinds.items(), key=lambda kind: -len(kind[1])):
        lines += [f"- **{kind[0].upper()}{kind[1:]}**", *found]
    return "\n".join(lines)
