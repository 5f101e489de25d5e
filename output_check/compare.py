"""Compare what a run of a chapter gives with what the chapter stores: pure functions, no kernel.

Words are equal, and whole numbers; other numbers agree up to one unit of their last digit (wholly,
where that is a large part of the number and it seems not to move, as of a setting such as 0.1), and
what is drawn up to half a per cent of its axis. What moves between environments is allowed a multiple
of the spread that was measured for it (output_check/spreads.py), and nothing else is. Nothing is
ignored: what cannot be compared is a flaw of the stored notebook.
"""

import base64
import io
import math
import re
import statistics
from collections import defaultdict
from dataclasses import dataclass, field
from functools import cached_property
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

MULTIPLE = 3  # of its measured spread that a number may move
COARSE = 0.01  # of its size: a last digit that is worth more is free only where numbers move so far
FLOOR = 0.005  # of its size that a drawn thing may move: what no eye sees
ROUNDING = 1e-4  # the digest keeps five digits, thumbnails three
PIXEL_LIMIT = 3  # root mean square difference, of 255
CHANCE = 0.25  # of a last digit: where MULTIPLE typical moves are less, such a digit stays
NOISY = 0.1  # of its size: what moves more may not be shown
TABLE_LINE = re.compile(r"([-=─━])\1{2,}")  # a table's lines grow and shrink with its numbers
SKIP_MARK = re.compile(r"nbval|raises-exception|skip-execution|PYTEST_VALIDATE", re.IGNORECASE)
# Digest entries that are fractions of the axes: their scale is the axes' own span.
AXES_FRACTIONS = {"points", "spread", "at", "box"}


@dataclass(frozen=True)
class Move:
    """How far a number moved at most, and its size: its value, or the span of what is drawn."""

    off: float
    size: float
    rounding: float  # the move that means nothing

    @property
    def share(self):
        """The move as a share of the size."""
        return self.off / self.size if self.size else math.inf

    @property
    def noisy(self):
        """Whether it moved so far that a check would say nothing."""
        return self.off > self.rounding * (1 + 1e-9) and self.share > NOISY


def output_of(place):
    """Return the part of a place that names the output and its kind."""
    return place.partition(")")[0]


def group_shares(moves):
    """Return the median share of the moves of each output, at most what may be shown at all."""
    groups = defaultdict(list)
    for place, move in moves.items():
        groups[output_of(place)].append(move.share)
    return {group: min(statistics.median(shares), NOISY) for group, shares in groups.items()}


def read_exception(cell):
    """Read a cell's hand-written exception; return whether it has one and what is wrong with it.

    The only one there is, `{"figure": "structure", "reason": "…"}`, leaves of a figure its words,
    counts and kinds: for pictures of what is chaotic by nature.
    """
    check = cell.metadata.get("check", {})
    if not check:
        return False, []
    if not isinstance(check, dict) or check.keys() != {"figure", "reason"}:
        return False, ["`check` may only be {'figure': 'structure', 'reason': '…'}"]
    wrong = []
    if check["figure"] != "structure":
        wrong.append(f"figure {check['figure']!r}: the only choice is 'structure'")
    if len(str(check["reason"]).split()) < 3:
        wrong.append("an exception needs a `reason`: say in words why the figure moves")
    return not wrong, wrong


def find_flaws(notebook):
    """Return what is wrong with a stored notebook, before anything is run, as a list of texts."""
    cells = code_cells(notebook)
    found = _find_stale_cells(notebook)
    for number, cell in enumerate(cells, start=1):
        wrong = read_exception(cell)[1]
        if cell.execution_count is None:
            wrong.append("is not executed: run `make run`, or remove the cell if it is empty")
        elif cell.execution_count != number:
            wrong.append(f"has execution count {cell.execution_count} where {number} is due")
        tags = cell.metadata.get("tags", [])
        if skip := SKIP_MARK.search(" ".join(map(str, [*tags, cell.source]))):
            wrong.append(f"{skip[0]!r}: no cell may skip the check")
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
        _read_digest(data_of(output))
    except ValueError as error:
        return [f"a digest that cannot be read ({error})"]
    return []


def compare_cell(cell, outputs, spreads=None, *, fallback=False):
    """Compare a cell's stored outputs with those of a run.

    Args:
        cell: the stored code cell.
        outputs: list of nbformat outputs that the run gave.
        spreads: dict of `Move` by place, the measured spreads of the cell's numbers.
        fallback: bool, whether the run had the fallback data. What is printed then differs in
            words too, so it is left out, and of the rest only the structure is compared.

    Returns:
        A `Comparison`; its `problems` are empty if the outputs agree.
    """
    result = Comparison(
        spreads or {},
        settings={parse_number(number)[0] for number in NUMBER.findall(cell.source)},
        structure_only=read_exception(cell)[0],
        fallback=fallback,
    )
    result.compare_all(cell.outputs, outputs)
    return result


@dataclass
class Comparison:
    """What was compared so far, how well it agreed, and where it did not."""

    spreads: dict = field(default_factory=dict)
    settings: set = field(default_factory=set)  # numbers of the code: what shows one does not move
    structure_only: bool = False  # of figures compare words, counts and kinds only
    fallback: bool = False
    measuring: bool = False  # numbers may be anything: how far they moved is the result
    problems: list = field(default_factory=list)
    moves: dict = field(default_factory=dict)  # the largest move beyond rounding at each place
    numbers: int = 0
    moving: int = 0  # of the numbers, those with a measured spread
    figures: int = 0
    pixels: int = 0
    worst: float = 0.0  # the largest deviation, as a share of what is allowed
    widest: float = 0.0  # the largest allowance, as a share of its number

    @cached_property
    def typical_share(self):
        """The median share by which numbers move, in the output of the cell where it is largest."""
        shares = group_shares(self.spreads)
        return max(shares.values(), default=0)

    def compare_all(self, stored, new):
        """Compare two lists of outputs."""
        stored, new = _merged(stored), _merged(new)
        if self.fallback:
            stored, new = (
                [output for output in outputs if output["output_type"] != "stream"]
                for outputs in (stored, new)
            )
        if len(stored) != len(new):
            self.problems.append(
                f"{len(stored)} outputs are stored ({_names(stored)}), "
                f"the run gave {len(new)} ({_names(new)})"
            )
        for i, (old, fresh) in enumerate(zip(stored, new, strict=False), start=1):
            self.compare_outputs(old, fresh, f"output {i}")

    def compare_outputs(self, stored, new, where):
        """Compare two outputs: their kind, then everything that they hold."""
        if _name(stored) != _name(new):
            self.problems.append(f"{where}: stored is {_name(stored)}, the run gave {_name(new)}")
            return
        old, fresh = data_of(stored), data_of(new)
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
                texts = [visible_text(text) for text in texts]
            self.compare_texts(*texts, f"{where} ({kind})")
        if DIGEST in old:
            self.figures += 1
            before = len(self.problems)
            self.compare_digests(*digests, f"{where} (figure)")
            if "image/png" in old and len(self.problems) == before:
                self.compare_pixels(old, fresh, digests, f"{where} (pixels)")

    def compare_texts(self, stored, new, where):
        """Compare two texts line by line."""
        stored, new = stored.splitlines(), new.splitlines()
        if len(stored) != len(new):
            same = [a == b for a, b in zip(stored, new, strict=False)]
            at = [*same, False].index(False)
            self.problems.append(
                f"{where}: {len(stored)} lines are stored, the run gave {len(new)}; "
                f"they part at line {at + 1}:{_pair(stored[at : at + 1], new[at : at + 1])}"
            )
            return
        for i, lines in enumerate(zip(stored, new, strict=True), start=1):
            self.compare_lines(*lines, f"{where}, line {i}")

    def compare_lines(self, stored, new, where):
        """Compare two lines in their words and in their numbers."""
        context = _pair([stored], [new])
        if stored != new and _words(stored) != _words(new):
            self.problems.append(f"{where}: the words differ:{context}")
            return
        pairs = zip(NUMBER.findall(stored), NUMBER.findall(new), strict=True)
        for i, (old, fresh) in enumerate(pairs, start=1):
            place = f"{where}, number {i}"
            self.numbers += 1
            self.moving += place in self.spreads
            (a, unit_a), (b, unit_b) = parse_number(old), parse_number(fresh)
            units = [unit for unit in (unit_a, unit_b) if unit is not None]
            rounding = min(units, default=0)
            self.compare_numbers(a, b, abs(a), rounding, place, context=context)

    def compare_numbers(self, a, b, size, rounding, place, *, drawn=False, context=""):
        """Compare two numbers: within rounding, and a multiple of the spread measured there.

        Args:
            a: float, the stored number.
            b: float, the run's number.
            size: float, what a share is taken of.
            rounding: float, the move that means nothing.
            place: str, where the numbers stand; the key of their spread.
            drawn: bool, whether they are drawn: half of `rounding` is not worth listing.
            context: str, the lines around the numbers.
        """
        off = abs(a - b)
        if off > drawn * rounding / 2 and (place not in self.moves or off > self.moves[place].off):
            self.moves[place] = Move(off, size, rounding)
        if self.measuring:
            return
        typical = MULTIPLE * self.typical_share * size
        fine = drawn or rounding < COARSE * size
        may_flip = typical > CHANCE * rounding and a not in self.settings
        allowed = rounding if fine or place in self.spreads or may_flip else 0
        if place in self.spreads:
            allowed += MULTIPLE * self.spreads[place].off
            self.widest = max(self.widest, allowed / size if size else 0)
        if off > allowed * (1 + 1e-9):
            self.problems.append(
                f"{place}: stored {a:.5g}, the run gave {b:.5g}: off by {off:.3g}, "
                f"allowed {allowed:.3g}{context}"
            )
        elif allowed:
            self.worst = max(self.worst, off / allowed)

    def compare_digests(self, stored, new, where, key="", scale=None):
        """Compare two digests, or parts of them; `scale` is the span of an image's colours."""
        if isinstance(stored, dict) and isinstance(new, dict):
            self.compare_entries(stored, new, where)
        elif isinstance(stored, list) and isinstance(new, list):
            if len(stored) != len(new):
                self.problems.append(
                    f"{where}: {len(stored)} are stored, the run gave {len(new)}:"
                    f"{_pair([stored], [new])}"
                )
            elif _are_measured(stored) and _are_measured(new):
                self.compare_drawn(stored, new, where, key, scale)
            else:
                for i, pair in enumerate(zip(stored, new, strict=True), start=1):
                    if pair[0] != pair[1]:
                        self.compare_digests(*pair, f"{where} › {_title(pair[0], i)}", key)
        elif _are_measured([stored]) and _are_measured([new]):
            self.compare_drawn([stored], [new], where, key)
        elif _is_number(stored) and _is_number(new):
            self.compare_numbers(stored, new, abs(stored), 0, where)
        elif isinstance(stored, str) and isinstance(new, str) and not stored.startswith("#"):
            self.compare_lines(stored, new, where)
        elif stored != new:
            self.problems.append(f"{where}: stored {stored!r}, the run gave {new!r}")

    def compare_entries(self, stored, new, where):
        """Compare two dicts of a digest; the version that drew it is no part of what it says."""
        low, high = stored.get("limits", (0, 0)) if "thumbnail" in stored else (0, 0)
        for key in sorted((stored.keys() | new.keys()) - {"matplotlib"}):
            if key not in new:
                self.problems.append(f"{where}: {key} {_short(stored[key])} is gone")
            elif key not in stored:
                self.problems.append(f"{where}: {key} {_short(new[key])} is new")
            elif stored[key] != new[key]:
                self.compare_digests(stored[key], new[key], f"{where} › {key}", key, high - low)

    def compare_drawn(self, stored, new, where, key, scale=None):
        """Compare two lists of measured numbers, relative to their span or to that of the axes."""
        if self.structure_only:
            return
        known = [number for number in stored if number is not None]
        span = max(known, default=0) - min(known, default=0)
        largest = max(map(abs, known), default=0)
        for a, b in zip(stored, new, strict=True):
            if a is None or b is None:
                if a is not b:
                    self.problems.append(f"{where}: stored {a}, the run gave {b}")
            elif key in AXES_FRACTIONS:
                # A small thing has little room, or its whole shape would be lost in it.
                floor = FLOOR * min(10 * span or 1, 1) + ROUNDING * max(abs(a), 1)
                self.compare_numbers(a, b, max(abs(a), 1), floor, where, drawn=True)
            else:
                floor = FLOOR * (span or largest) + ROUNDING * abs(a)
                self.compare_numbers(a, b, scale or span or largest, floor, where, drawn=True)

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
        if self.structure_only or versions[0] != versions[1]:
            return
        self.pixels += 1
        if stored["image/png"] == new["image/png"]:
            return
        old, fresh = _image(stored), _image(new)
        if digests[0] != digests[1]:
            side = 64, max(64 * old.height // old.width, 1)
            old, fresh = (image.resize(side, Image.Resampling.BOX) for image in (old, fresh))
        if old.size != fresh.size:
            self.problems.append(f"{where}: stored {old.size}, the run gave {fresh.size}")
            return
        off = math.sqrt(np.mean((np.asarray(old, float) - np.asarray(fresh, float)) ** 2))
        self.compare_numbers(0, off, 255, PIXEL_LIMIT, where, drawn=True)


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


def visible_text(html):
    """Return the text that a reader of HTML sees."""
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


def data_of(output):
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


def parse_number(number):
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
        # Without its numbers, which may move, it is a name that stays.
        name = NUMBER.sub("#", part.get("label") or part.get("text") or "")
        return f"{part['kind']} {number}" + (f" {_short(name)}" if name else "")
    return str(number)


def _short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"


def _pair(stored, new):
    """Show two things one under the other."""
    stored, new = (things[0] if len(things) else "(nothing)" for things in (stored, new))
    return f"\n      stored: {stored}\n      run:    {new}"
