"""Compare what a run of a chapter gives with what the chapter stores: pure functions, no kernel.

Words are equal, integers are equal, other numbers agree within the cell's tolerance; figures
agree in what they say (output_check/digest.py), and in their pixels where Matplotlib's version is the
same. Nothing is ignored: what cannot be compared is a flaw of the stored notebook.
"""

import base64
import io
import math
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
from PIL import Image

from output_check.digest_text import parse
from tools.stored import (
    DIGEST,
    OUTPUTS_OF,
    code_cells,
    describe_cell,
    hash_sources,
    reasons_not_to_store,
)
from tools.text_diff import NUMBER

RTOL = 0.005
WIDEST_RTOL = 0.25  # a wider relative tolerance would compare nothing
PIXEL_LIMIT = 3  # root mean square difference, of 255
ROUNDING = 1e-4  # the digest keeps five digits, thumbnails three
TABLE_LINE = re.compile(r"([-=─━])\1{2,}")  # a table's lines grow and shrink with its numbers
SKIP_MARK = re.compile(r"nbval|raises-exception|skip-execution|PYTEST_VALIDATE", re.IGNORECASE)
# Digest entries that are fractions of the axes: their scale is the axes' own span.
AXES_FRACTIONS = {"points", "spread", "at", "box"}


@dataclass(frozen=True)
class Tolerance:
    """How far a cell's numbers may move: `atol + rtol * size`, plus one unit in the last digit."""

    rtol: float = RTOL
    atol: float = 0.0
    structure_only: bool = False  # of figures compare words, counts and kinds only

    @property
    def widened(self):
        """Whether the cell has more room than the book's numbers have."""
        return self.rtol > RTOL or self.atol > 0 or self.structure_only


def read_tolerance(cell):
    """Read a cell's tolerance from its metadata; return it and what is wrong with it."""
    check = cell.metadata.get("check", {})
    if not isinstance(check, dict):
        return Tolerance(), ["`check` must be a dict, like {'rtol': 0.01, 'reason': '…'}"]
    rtol, atol = check.get("rtol", RTOL), check.get("atol", 0.0)
    wrong = [
        f"`check` has the unknown key {key!r}; it may hold rtol, atol, figure, reason"
        for key in sorted(check.keys() - {"rtol", "atol", "figure", "reason"})
    ]
    if not _is_number(rtol) or not 0 < rtol <= WIDEST_RTOL:
        wrong.append(f"rtol {rtol!r} must be a number above 0 and at most {WIDEST_RTOL}")
    if not _is_number(atol) or not 0 <= atol < math.inf:
        wrong.append(f"atol {atol!r} must be a number, 0 or more")
    if check.get("figure", "structure") != "structure":
        wrong.append(f"figure {check['figure']!r}: the only choice is 'structure'")
    if check and len(str(check.get("reason", "")).split()) < 3:
        wrong.append("a tolerance needs a `reason`: say in words why the number moves")
    if wrong:
        return Tolerance(), wrong
    return Tolerance(float(rtol), float(atol), "figure" in check), []


def find_flaws(notebook):
    """Return what is wrong with a stored notebook, before anything is run, as a list of texts."""
    cells = code_cells(notebook)
    found = _find_stale_cells(notebook)
    for number, cell in enumerate(cells, start=1):
        wrong = read_tolerance(cell)[1]
        if cell.execution_count is None:
            wrong.append("is not executed: run `make run`, or remove the cell if it is empty")
        elif cell.execution_count != number:
            wrong.append(f"has execution count {cell.execution_count} where {number} is due")
        tags = cell.metadata.get("tags", [])
        if skip := SKIP_MARK.search(" ".join(map(str, [*tags, cell.source]))):
            wrong.append(f"{skip[0]!r}: no cell may skip the check; declare a tolerance instead")
        for i, output in enumerate(cell.outputs, start=1):
            reasons = reasons_not_to_store(output) or _reasons_not_to_read(output)
            wrong += [f"output {i} stores {reason}" for reason in reasons]
        found += [f"{describe_cell(number, cell)}\n  {reason}" for reason in wrong]
    return found


def _find_stale_cells(notebook):
    """Compare the code cells with those whose outputs were stored."""
    stored, now = notebook.metadata.get(OUTPUTS_OF), hash_sources(notebook)
    if not stored:
        return [f"the metadata `{OUTPUTS_OF}` is missing: only `make run` may store outputs"]
    changes = {
        "was deleted": stored.keys() - now.keys(),
        "was added": now.keys() - stored.keys(),
        "was edited": {key for key in stored.keys() & now.keys() if stored[key] != now[key]},
    }
    return [
        f"code cell {key!r} {what} after the outputs were stored: run `make run`"
        for what, keys in changes.items()
        for key in sorted(keys)
    ]


def _reasons_not_to_read(output):
    """Return why an output's digest cannot be read, as a list of at most one phrase."""
    try:
        _read_digest(_data(output))
    except ValueError as error:
        return [f"a digest that cannot be read ({error})"]
    return []


def compare_cell(cell, outputs, fallback=False):
    """Compare a cell's stored outputs with those of a run.

    Args:
        cell: the stored code cell.
        outputs: list of nbformat outputs that the run gave.
        fallback: bool, whether the run had the fallback data. What is printed then differs in
            words too, so it is left out, and of the rest only the structure is compared.

    Returns:
        A `Comparison`; its `problems` are empty if the outputs agree.
    """
    result = Comparison(read_tolerance(cell)[0], fallback)
    stored, new = _merged(cell.outputs), _merged(outputs)
    if fallback:
        stored, new = (
            [output for output in outputs if output["output_type"] != "stream"]
            for outputs in (stored, new)
        )
    if len(stored) != len(new):
        result.problems.append(
            f"{len(stored)} outputs are stored ({_names(stored)}), "
            f"the run gave {len(new)} ({_names(new)})"
        )
    for i, (old, fresh) in enumerate(zip(stored, new, strict=False), start=1):
        result.compare_outputs(old, fresh, f"output {i}")
    return result


@dataclass
class Comparison:
    """What was compared so far, how well it agreed, and where it did not."""

    tolerance: Tolerance = field(default_factory=Tolerance)
    fallback: bool = False
    problems: list = field(default_factory=list)
    numbers: int = 0
    figures: int = 0
    pixels: int = 0
    worst: float = 0.0  # the largest deviation, as a share of its tolerance

    def compare_outputs(self, stored, new, where):
        """Compare two outputs: their kind, then everything that they hold."""
        if _name(stored) != _name(new):
            self.problems.append(f"{where}: stored is {_name(stored)}, the run gave {_name(new)}")
            return
        old, fresh = _data(stored), _data(new)
        try:
            digests = _read_digest(old), _read_digest(fresh)
        except ValueError as error:
            self.problems.append(f"{where}: a digest cannot be read ({error})")
            return
        if self.fallback:
            self.compare_structure(*digests, where)
            return
        for kind in sorted(old.keys() - {"image/png", DIGEST}):
            texts = [old[kind], fresh[kind]]
            if kind == "text/html" and DIGEST in old:
                texts = [_visible(text) for text in texts]
            self.compare_texts(*texts, f"{where} ({kind})")
        if DIGEST in old:
            self.figures += 1
            before = len(self.problems)
            self.compare_digests(*digests, f"{where} (figure)")
            if "image/png" in old and len(self.problems) == before:
                self.compare_pixels(old, fresh, digests, f"{where} (pixels)")

    def compare_texts(self, stored, new, where):
        """Compare two texts line by line, in their words and in their numbers."""
        stored, new = stored.splitlines(), new.splitlines()
        if len(stored) != len(new):
            same = [a == b for a, b in zip(stored, new, strict=False)]
            at = [*same, False].index(False)
            self.problems.append(
                f"{where}: {len(stored)} lines are stored, the run gave {len(new)}; "
                f"they part at line {at + 1}:{_pair(stored[at : at + 1], new[at : at + 1])}"
            )
            return
        for i, (old, fresh) in enumerate(zip(stored, new, strict=True), start=1):
            place = f"{where}, line {i}"
            if _words(old) != _words(fresh):
                self.problems.append(f"{place}: the words differ:{_pair([old], [fresh])}")
                continue
            for a, b in zip(NUMBER.findall(old), NUMBER.findall(fresh), strict=True):
                self.compare_printed_numbers(a, b, place, _pair([old], [fresh]))

    def compare_printed_numbers(self, stored, new, where, context=""):
        """Compare two numbers as they are printed."""
        self.numbers += 1
        (a, unit_a), (b, unit_b) = _parsed(stored), _parsed(new)
        if unit_a is None and unit_b is None:
            if a != b:
                self.problems.append(
                    f"{where}: stored {stored}, the run gave {new}; whole numbers must be equal{context}"
                )
            return
        unit = min(unit for unit in (unit_a, unit_b) if unit is not None)
        self.compare_within_tolerance(a, b, size=abs(a), slack=unit, where=where, context=context)

    def compare_within_tolerance(self, a, b, *, size, slack, where, context=""):
        """Compare two measured numbers within the tolerance, relative to `size`."""
        off, allowed = abs(a - b), self.tolerance.atol + self.tolerance.rtol * size + slack
        if off > allowed * (1 + 1e-9):
            self.problems.append(
                f"{where}: stored {a:.5g}, the run gave {b:.5g}: off by {off:.3g}, "
                f"allowed {allowed:.3g}{context}"
            )
        elif allowed:
            self.worst = max(self.worst, off / allowed)

    def compare_digests(self, stored, new, where, key=""):
        """Compare two digests, or parts of them."""
        if isinstance(stored, dict) and isinstance(new, dict):
            self.compare_entries(stored, new, where)
        elif isinstance(stored, list) and isinstance(new, list):
            if len(stored) != len(new):
                self.problems.append(
                    f"{where}: {len(stored)} are stored, the run gave {len(new)}:"
                    f"{_pair([stored], [new])}"
                )
            elif _are_measured(stored) and _are_measured(new):
                self.compare_measured_numbers(stored, new, where, key)
            else:
                for i, pair in enumerate(zip(stored, new, strict=True), start=1):
                    self.compare_digests(*pair, f"{where} › {_title(pair[0], i)}", key)
        elif _are_measured([stored]) and _are_measured([new]):
            self.compare_measured_numbers([stored], [new], where, key)
        elif stored != new:
            self.problems.append(f"{where}: stored {stored!r}, the run gave {new!r}")

    def compare_entries(self, stored, new, where):
        """Compare two dicts of a digest; the version that drew it is no part of what it says."""
        for key in sorted((stored.keys() | new.keys()) - {"matplotlib"}):
            if key not in new:
                self.problems.append(f"{where}: {key} {_short(stored[key])} is gone")
            elif key not in stored:
                self.problems.append(f"{where}: {key} {_short(new[key])} is new")
            elif stored[key] != new[key]:
                self.compare_digests(stored[key], new[key], f"{where} › {key}", key)

    def compare_measured_numbers(self, stored, new, where, key):
        """Compare two lists of measured numbers, relative to their span or to that of the axes."""
        if self.tolerance.structure_only:
            return
        known = [number for number in stored if number is not None]
        span = max(known, default=0) - min(known, default=0)
        span = 1 if key in AXES_FRACTIONS else span or max(map(abs, known), default=0)
        for i, (a, b) in enumerate(zip(stored, new, strict=True), start=1):
            place = f"{where}[{i}]" if len(stored) > 1 else where
            if a is None or b is None:
                if a is not b:
                    self.problems.append(f"{place}: stored {a}, the run gave {b}")
            else:
                size = max(span, abs(a)) if key in AXES_FRACTIONS else span
                self.compare_within_tolerance(a, b, size=size, slack=ROUNDING * abs(a), where=place)

    def compare_structure(self, stored, new, where):
        """Compare only which kinds of things two figures hold, axes by axes."""
        if stored is not None and "axes" in stored:
            self.figures += 1
            kinds = [
                [_kinds(axes.get("artists", [])) for axes in digest.get("axes", [])]
                for digest in (stored, new)
            ]
            if kinds[0] != kinds[1]:
                self.problems.append(f"{where}: other things are drawn:{_pair(*zip(kinds))}")

    def compare_pixels(self, stored, new, digests, where):
        """Compare pixels: sharply where the digests are equal, coarsely where they only agree."""
        versions = [digest.get("matplotlib") for digest in digests]
        if self.tolerance.structure_only or versions[0] != versions[1]:
            return
        self.pixels += 1
        old, fresh = _image(stored), _image(new)
        limit = PIXEL_LIMIT
        if digests[0] != digests[1]:
            limit *= max(self.tolerance.rtol / RTOL, 1)
            side = 64, max(64 * old.height // old.width, 1)
            old, fresh = (image.resize(side, Image.Resampling.BOX) for image in (old, fresh))
        if old.size != fresh.size:
            self.problems.append(f"{where}: stored {old.size}, the run gave {fresh.size}")
            return
        off = math.sqrt(np.mean((np.asarray(old, float) - np.asarray(fresh, float)) ** 2))
        if off > limit:
            self.problems.append(
                f"{where}: the pictures differ by {off:.3g} of 255 (root mean square), "
                f"allowed {limit:.3g}, though their digests agree"
            )


class _Visible(HTMLParser):
    """Collects the text of HTML that a reader sees."""

    def __init__(self):
        super().__init__()
        self.pieces, self.hidden = [], 0

    def handle_starttag(self, tag, attrs):
        self.hidden += tag in ("script", "style")

    def handle_endtag(self, tag):
        self.hidden -= tag in ("script", "style")

    def handle_data(self, data):
        if not self.hidden:
            self.pieces.append(data)


def _visible(html):
    parser = _Visible()
    parser.feed(html)
    return "\n".join(parser.pieces)


def _merged(outputs):
    """Join what is printed in pieces: where a stream is cut depends on timing."""
    merged = []
    for output in outputs:
        last = merged[-1] if merged else None
        if (
            last
            and output.output_type == last["output_type"] == "stream"
            and output.name == last["name"]
        ):
            last["text"] += output.text
        else:
            merged.append(dict(output))
    return merged


def _kinds(artists):
    """List the kinds of what is drawn; images in a row count once, their number may be the data's."""
    kinds = [artist["kind"] for artist in artists]
    return [k for i, k in enumerate(kinds) if k != "AxesImage" or kinds[i - 1 : i] != [k]]


def _data(output):
    """Return what an output holds, by kind."""
    if output["output_type"] == "stream":
        return {"text": output["text"]}
    return {
        kind: "".join(data) if isinstance(data, list) else data
        for kind, data in output.get("data", {}).items()
    }


def _read_digest(data):
    """Return the digest among what an output holds, or None."""
    return parse(data[DIGEST]) if DIGEST in data else None


def _name(output):
    """Name an output's type and kinds."""
    if output["output_type"] == "stream":
        return output["name"]
    kinds = sorted(kind.replace(DIGEST, "digest") for kind in output.get("data", {}))
    return f"{output['output_type']} of {' + '.join(kinds) or output.get('ename', 'nothing')}"


def _names(outputs):
    return ", ".join(map(_name, outputs)) or "none"


def _words(line):
    """Return what stands around the numbers of a line, whatever the width of the columns."""
    return [" ".join(TABLE_LINE.sub(r"\1\1\1", part).split()) for part in NUMBER.split(line)]


def _parsed(number):
    """Return a printed number's value, and the unit in its last digit (None for an integer)."""
    plain = number.replace(",", "").replace("−", "-")
    if plain.lstrip("+-").isdigit():
        return int(plain), None
    mantissa, _, exponent = plain.lower().partition("e")
    return float(plain), 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def _is_number(value):
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_measured(values):
    """Tell measured numbers (one is a float, or not finite) from counts and words."""
    numeric = all(value is None or _is_number(value) for value in values)
    return numeric and any(value is None or isinstance(value, float) for value in values)


def _image(data):
    """Decode a PNG; a colour counts as much as it is opaque."""
    return (
        Image.open(io.BytesIO(base64.b64decode(data["image/png"]))).convert("RGBA").convert("RGBa")
    )


def _title(part, number):
    """Name a part of a digest the way a reader would point at it."""
    if isinstance(part, dict) and "kind" in part:
        name = part.get("label") or part.get("text") or ""
        return f"{part['kind']} {number}" + (f" {name!r}" if name else "")
    return str(number)


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _pair(stored, new):
    """Show two things one under the other."""
    stored, new = (things[0] if len(things) else "(nothing)" for things in (stored, new))
    return f"\n      stored: {stored}\n      run:    {new}"
