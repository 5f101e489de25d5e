"""Bind each number that the prose reports to the one that proves it: `python -m output_check.prose [slug …]`.

A number near the right one is easily found in a chapter: a rule that looks for any that fits misses every
second mistake. So a text file a chapter says which number proves which:

    little-data
      0.71  is a  0.7134  fig-tied-weights-few 12
      7 %  is 100 (1 - a / b)  0.0117 0.0126  how-this-was-checked 3 5

Below the Markdown cell stand its results, in their order: as written, by which rule they follow from
which numbers, and which numbers of which code cell those are, counted through its outputs and
its source. A number that is changed in the prose is not the one in the file; a number left behind by
a new output does not follow from it any more. Both are flaws until this tool has bound the number anew,
which it says, so that an author looks.
"""

import itertools
import re
import sys
from dataclasses import dataclass

import nbformat

from output_check.compare import data_of, parse_number, visible_text
from output_check.digest_text import parse
from tools.chapters import ROOT, chapters, named
from tools.stored import DIGEST, code_cells
from tools.text_diff import NUMBER

HEAD = "# Which printed number proves which number of the prose; see output_check/prose.py.\n"
UNIT = re.compile(r"\s*(%|per cent|percent|points\b|°|times\b|×(?!\s*\d)|-fold)")
RULES = {  # how a number of the prose may follow from printed ones
    "a": lambda a: a,
    "100 a": lambda a: 100 * a,
    "a / b": lambda a, b: a / b,
    "100 a / b": lambda a, b: 100 * a / b,
    "100 (1 - a / b)": lambda a, b: 100 * (1 - a / b),
    "100 (a / b - 1)": lambda a, b: 100 * (a / b - 1),
    "a - b": lambda a, b: a - b,
}
PERCENT = ["a", "100 a", "100 (1 - a / b)", "100 (a / b - 1)", "100 a / b"]
PERCENT_SIGNS = {"%", "per cent", "percent"}
ALLOWED = {"": ["a"], "°": ["a"], "points": ["a", "a - b"]} | dict.fromkeys(PERCENT_SIGNS, PERCENT)
NEAR = 4  # code cells around the prose whose numbers may be set in relation
# What reports no result: code, formulas, what the reader guesses, the terms of a race, links' targets.
NO_RESULT = [
    (r"```.*?```|\$\$.*?\$\$", re.S),
    (r"`[^`\n]*`|(?<![\\$])\$(?!\s)[^$\n]+?\$", 0),
    (r"^> \*\*Predict\.\*\*.*\n?(?:^>.*\n?)*", re.M),
    (r"^.*\*\*Time:\*\*.*$", re.M),
    (r"\*Budget:[^*]*\*", 0),
    (r"\b95 %", 0),  # the level of an interval
]
SENTENCE_END = re.compile(r"(?<=[.!?:])\s+(?=[A-Z*<(“])|\n\n|\n(?=[-*|]|\d+\. )")


@dataclass(frozen=True)
class Result:
    """A number that the prose reports: as written, with its unit."""

    number: str
    unit: str = ""

    def __str__(self):
        return f"{self.number} {self.unit}".strip()

    def follows(self, value):
        """Whether the number is `value`, rounded to the digits that are written."""
        stated, unit = parse_number(self.number)
        return abs(abs(value) - abs(stated)) <= (unit or 1) / 2 * (1 + 1e-9)


@dataclass(frozen=True)
class Binding:
    """What proves a result: a rule, and the places of its numbers in a code cell."""

    rule: str
    cell: str
    places: tuple

    def value(self, numbers):
        """Return what the rule gives for the numbers that stand there now, or None."""
        found = numbers.get(self.cell, [])
        try:
            return RULES[self.rule](*(abs(number_of(found[place - 1])) for place in self.places))
        except (IndexError, ZeroDivisionError):
            return None


def number_of(text):
    """Return the value of a number as it is printed, with or without a unit."""
    return parse_number(NUMBER.search(text)[0])[0]


def unit_of(text):
    """Return the unit of a number as it is printed."""
    return text.partition(" ")[2]


def with_units(text):
    """Return the numbers in a text as results, each with the unit that follows it."""
    found = []
    for match in NUMBER.finditer(text):
        unit = UNIT.match(text, match.end())
        found.append(Result(match[0], unit[1] if unit else ""))
    return found


def results(source):
    """Return the results that Markdown reports: decimal numbers, and those with % or the like.

    A sentence with a link quotes what it links to.
    """
    for pattern, flags in NO_RESULT:
        source = re.sub(pattern, " code ", source, flags=flags)
    found = []
    for sentence in SENTENCE_END.split(source):
        if "](" not in sentence:
            found += [one for one in with_units(sentence) if one.unit or "." in one.number]
    return found


def shown_numbers(cell):
    """Return a code cell's numbers, as printed, with units: of its outputs, then of its source."""
    texts = []
    for output in cell.get("outputs", []):
        for kind, text in sorted(data_of(output).items()):
            if kind == DIGEST:
                texts += words_of(parse(text))
            elif kind.startswith("text"):
                texts.append(visible_text(text) if kind == "text/html" else text)
    return [str(number) for text in [*texts, cell.source] for number in with_units(text)]


def words_of(digest):
    """Yield the words of a digest, without its colours."""
    if isinstance(digest, str):
        if not digest.startswith("#"):
            yield digest
    elif isinstance(digest, dict | list):
        for key in digest if isinstance(digest, dict) else range(len(digest)):
            if key != "matplotlib":
                yield from words_of(digest[key])


def find_prose_flaws(notebook, bindings):
    """Return which numbers of the prose no output proves, as a list of texts.

    Args:
        notebook: a stored chapter.
        bindings: dict of lists of (Result as text, Binding) by Markdown cell, as `read` gives it.
    """
    numbers = {cell.id: shown_numbers(cell) for cell in code_cells(notebook)}
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "markdown":
            continue
        bound = bindings.get(cell.id, [])
        reported = results(cell.source)
        if [str(result) for result in reported] != [text for text, _ in bound]:
            found.append(
                f"cell {cell.id} reports {', '.join(map(str, reported)) or 'nothing'}, where "
                f"{', '.join(text for text, _ in bound) or 'nothing'} is bound to outputs"
            )
            continue
        for result, (_, binding) in zip(reported, bound, strict=True):
            value = binding and binding.value(numbers)
            if value is None or not result.follows(value):
                found.append(
                    f"cell {cell.id} reports {result}, but the outputs say "
                    + (f"{value:.4g} ({binding.cell})" if value is not None else "nothing of it")
                )
    return found


def bind(notebook, bindings):
    """Bind the results of a chapter: what is bound and still true stays, the rest is looked for.

    Returns:
        The new bindings, and a list of texts that say what was bound anew, or could not be.
    """
    cells = list(notebook.cells)
    numbers = {cell.id: shown_numbers(cell) for cell in code_cells(notebook)}
    outputs = {
        cell.id: range(1, len(numbers[cell.id]) - len(NUMBER.findall(cell.source)) + 1)
        for cell in code_cells(notebook)
    }
    new, said = {}, []
    for i, cell in enumerate(cells):
        reported = results(cell.source) if cell.cell_type == "markdown" else []
        old = bindings.get(cell.id, [])
        near = sorted(
            (c for c in cells if c.cell_type == "code"),
            key=lambda c, i=i: abs(cells.index(c) - i + 0.25),  # rather before than after
        )
        for result in reported:
            binding = next(
                (b for text, b in old if text == str(result) and b and holds(result, b, numbers)),
                None,
            )
            if binding is None:
                binding = find(result, near, numbers, outputs)
                said.append(f"{cell.id}: {result} {describe(binding, numbers)}")
            new.setdefault(cell.id, []).append((str(result), binding))
    return new, said


def holds(result, binding, numbers):
    """Say whether a result follows from what stands where it is bound to."""
    value = binding.value(numbers)
    return value is not None and result.follows(value)


def find(result, near, numbers, outputs):
    """Return the best binding of a result, or None: the same unit, then the nearest cell."""
    percent = result.unit in PERCENT_SIGNS

    def candidates(rule):
        if rule not in ("a", "100 a"):
            for cell in near[:NEAR]:
                yield from ((cell.id, two) for two in itertools.permutations(outputs[cell.id], 2))
            return
        singles = [(cell.id, (place,)) for cell in near for place in outputs[cell.id]]
        # What stands in the code proves a setting, or the bound of a claim.
        if rule == "100 a" or not percent:
            singles += [(c.id, (i,)) for c in near for i in range(1, len(numbers[c.id]) + 1)]
        yield from sorted(
            singles, key=lambda one: not numbers[one[0]][one[1][0] - 1].endswith(result.unit)
        )

    for rule in ALLOWED.get(result.unit, ["a", "a / b"]):
        for cell, places in candidates(rule):
            texts = [numbers[cell][place - 1].lstrip("+-−") for place in places]
            # A per cent follows from no count, a share from no whole number, a unit from no other.
            counts = all(text.isdigit() for text in texts)
            other = result.unit and any(unit_of(text) not in ("", result.unit) for text in texts)
            if other or (counts and (percent or len(places) > 1)):
                continue
            if holds(result, binding := Binding(rule, cell, places), numbers):
                return binding
    return None


def describe(binding, numbers):
    """Say what proves a result, as the file does."""
    if binding is None:
        return "is not bound"
    printed = " ".join(numbers[binding.cell][place - 1] for place in binding.places)
    return f"is {binding.rule}  {printed}  {binding.cell} {' '.join(map(str, binding.places))}"


def path_of(slug):
    """Return the file with the bindings of a chapter."""
    return ROOT / "output_check" / "prose" / f"{slug}.txt"


def read(path):
    """Return the bindings in a file; none if it is not there."""
    bindings, bound = {}, []
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith("  "):
            result, rest = line.strip().split("  is ", 1)
            rule, _, place = rest.split("  ")
            cell, *places = place.split()
            binding = Binding(rule, cell, tuple(map(int, places)))
            bound.append((result, binding))
        elif not line.startswith("#"):
            bindings[line] = bound = []
    return bindings


def write(bindings, numbers):
    """Return bindings as text."""
    lines = []
    for cell, bound in bindings.items():
        lines.append(cell)
        lines += [
            f"  {result}  {describe(binding, numbers)}" for result, binding in bound if binding
        ]
    return HEAD + "".join(f"{line}\n" for line in lines)


def main(slugs):
    """Bind the prose of the chapters named, or of all; return the exit status."""
    unbound = False
    for path in named(slugs) or chapters():
        notebook = nbformat.read(path, as_version=4)
        bindings, said = bind(notebook, read(path_of(path.stem)))
        print("".join(f"{path.stem}: {line}\n" for line in said), end="")
        numbers = {cell.id: shown_numbers(cell) for cell in code_cells(notebook)}
        file = path_of(path.stem)
        if bindings or file.exists():
            file.write_text(write(bindings, numbers), encoding="utf-8", newline="\n")
        unbound |= any(binding is None for bound in bindings.values() for _, binding in bound)
    return int(unbound)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
