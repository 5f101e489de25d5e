"""Compare two texts line by line and number by number, for reports that people read."""

import itertools
import math
import re
from dataclasses import dataclass
from difflib import SequenceMatcher

from bs4 import BeautifulSoup

NUMBER = re.compile(
    r"(?<![\w.])[-+−]?(?:(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
)
CONTEXT = 2  # unchanged lines that are shown before and after a changed one


@dataclass(frozen=True)
class Number:
    """A number that changed: how it was written, how it is written now, and where."""

    old: str
    new: str
    place: str = ""

    @property
    def values(self):
        """The two numbers, old and new, as floats."""
        return [float(text.replace(",", "").replace("−", "-")) for text in (self.old, self.new)]

    @property
    def relative(self):
        """The change as a share of the old number; infinite where that was 0."""
        old, new = self.values
        return (new - old) / abs(old) if old else math.inf

    def __str__(self):
        percent = 100 * self.relative
        digits = "+,.1f" if abs(percent) >= 0.05 else "+.1g"
        share = f"{percent:{digits}} %" if math.isfinite(percent) else "it was 0"
        return f"{self.old} → {self.new} ({share})"


@dataclass(frozen=True)
class Row:
    """A line, old and new: each a list of (text, whether it changed), or None where it is missing."""

    old: list | None
    new: list | None
    changed: bool = True
    numbers: tuple = ()


def align(old, new):
    """Align two sequences: yield (whether the parts are equal, slice of `old`, slice of `new`)."""
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        yield tag == "equal", slice(a, b), slice(c, d)


def pair(old, new, key):
    """Pair what is equal, then what has an equal key, then the rest by order (None: no partner)."""
    for equal, a, b in align(old, new):
        if equal:
            yield from zip(old[a], new[b], strict=True)
            continue
        for _, c, d in align([key(item) for item in old[a]], [key(item) for item in new[b]]):
            yield from itertools.zip_longest(old[a][c], new[b][d])


def words(line):
    """Return what stands around the numbers of a line, whatever the width of its columns."""
    return tuple(" ".join(part.split()) for part in NUMBER.split(line))


def compare_line(old, new):
    """Return the `Row` of two lines, of which one may be missing."""
    if old is None or new is None:
        return Row(*(line if line is None else [(line, False)] for line in (old, new)))
    same_words = words(old) == words(new)
    tokens = f"({NUMBER.pattern})" if same_words else rf"({NUMBER.pattern}|\w+|\s+)"
    a, b = re.split(tokens, old), re.split(tokens, new)
    if same_words:  # the numbers correspond one to one, and one that differs is a changed number
        pieces = [([x], [y], i % 2 and x != y) for i, (x, y) in enumerate(zip(a, b, strict=True))]
        numbers = tuple(Number(*x, *y) for x, y, changed in pieces if changed)
    else:
        pieces, numbers = [(a[i], b[j], not equal) for equal, i, j in align(a, b)], ()
    sides = ([("".join(piece[side]), bool(piece[2])) for piece in pieces] for side in (0, 1))
    return Row(*sides, old != new, numbers)


def compare_text(old, new):
    """Return the lines of two texts that differ, as a list of `Row` with a few lines around them."""
    rows = [compare_line(*lines) for lines in pair(old.splitlines(), new.splitlines(), words)]
    changed = [i for i, row in enumerate(rows) if row.changed]
    near = {j for i in changed for j in range(i - CONTEXT, i + CONTEXT + 1)}
    gap = Row([("⋮", False)], [("⋮", False)], False)
    groups = itertools.groupby(enumerate(rows), key=lambda numbered: numbered[0] in near)
    parts = ([row for _, row in group] if shown else [gap] for shown, group in groups)
    return list(itertools.chain.from_iterable(parts)) if changed else []


def read_html(html):
    """Return the text that HTML shows, a line for every row of a table."""
    soup = BeautifulSoup(html, "html.parser")
    for element in soup(["script", "style"]):
        element.decompose()
    for row in soup("tr"):
        cells = (cell.get_text(" ", strip=True) for cell in row(["th", "td"]))
        row.replace_with("\n", "  ".join(cells), "\n")
    return "\n".join(filter(None, map(str.strip, soup.get_text().splitlines())))
