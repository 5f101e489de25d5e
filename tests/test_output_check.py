"""The output check must object to every change: each stored number, word, figure and output is
mutated offline, and a handful of mutants go the whole way through pytest and a kernel."""

import base64
import copy
import io
import itertools
import os
import re
import statistics
import subprocess
import sys
from decimal import Decimal

import nbformat
import pytest
from PIL import Image

from output_check import spreads as files
from output_check.compare import (
    AXES_FRACTIONS,
    FLOOR,
    MULTIPLE,
    NUMBER,
    Comparison,
    Move,
    compare_cell,
    find_flaws,
    read_exception,
)
from output_check.digest_text import parse, write
from output_check.measure import measure_chapter
from tools.chapters import ROOT, chapters
from tools.run import run
from tools.stored import DIGEST, OUTPUTS_OF, code_cells, hash_sources, reasons_not_to_store

SOURCES = [
    """\
import sys
import matplotlib.pyplot as plt
import numpy as np
from IPython.display import HTML

rng = np.random.default_rng(0)""",
    'print("epoch 1/2  loss 0.01271  lr 1e-3")\nprint("60 points in 3-D; gap -0.2 %", flush=True)',
    'HTML("<table><tr><th>model</th><th>MSE</th></tr><tr><td>PCA</td><td>0.0157</td></tr></table>")',
    """\
fig, ax = plt.subplots(figsize=(4, 2))
ax.plot([1, 2, 3], [0.5, 0.2, 0.1], label="train")
ax.plot(range(1, 301), 0.6 / np.arange(1, 301), label="validation")
ax.set(title="Learning curves", xlabel="epoch", ylabel="MSE", xlim=(1, 3))
ax.legend();""",
    """\
fig, (a, b, c) = plt.subplots(1, 3, figsize=(6, 2))
a.imshow(rng.random((8, 8)), vmin=0, vmax=1)
b.bar(["AE", "PCA"], [1.5, 2.5])
b.set_yscale("log")
c.scatter(*rng.random((2, 5)), c=[0, 1, 2, 3, 4])
c.annotate("here", (0.5, 0.5));""",
    'print(f"accuracy {0.7912:.4f}")',
    "plt.figure(figsize=(2, 2)).subplots().scatter(*rng.random((2, 5)), label='codes');",
]
CHECKS = {6: {"figure": "structure", "reason": "the coordinates mean nothing"}}


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A tiny chapter with an output of each kind, executed and stored by tools/run.py."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Tiny")])
    for number, source in enumerate(SOURCES):
        cell = nbformat.v4.new_code_cell(source)
        cell.metadata.update({"check": CHECKS[number]} if number in CHECKS else {})
        notebook.cells.append(cell)
    path = tmp_path_factory.mktemp("book") / "tiny.ipynb"
    nbformat.write(notebook, path)
    return nbformat.reads(run(path), as_version=4)


@pytest.fixture(params=[None, *chapters()], ids=lambda path: path.stem if path else "tiny")
def stored(request, tiny):
    """Each stored chapter, and the tiny one."""
    return nbformat.read(request.param, as_version=4) if request.param else copy.deepcopy(tiny)


@pytest.fixture
def spreads(request, stored):
    """The spreads of that chapter, by cell; those of the tiny one are made up."""
    path = request.node.callspec.params["stored"]
    if path:
        measured = files.read(files.path_of(path)).items()
        return {cell: files.pooled(moves) for cell, (_, moves) in measured}
    moves = {"output 1 (text/plain), line 1, number 1": Move(0.003, 0.79, 1e-4)}
    return {code_cells(stored)[6].id: moves}


def outputs(notebook):
    """Yield (cell, number, output) for every output."""
    for cell in code_cells(notebook):
        for number, output in enumerate(cell.outputs, start=1):
            yield cell, number, output


def texts(notebook):
    """Yield (cell, place, text) for everything that is compared as text."""
    for cell, number, output in outputs(notebook):
        if output.output_type == "stream":
            yield cell, f"output {number} (text)", output.text
        else:
            for kind, text in output.data.items():
                if kind not in ("image/png", DIGEST) and not (
                    DIGEST in output.data and "html" in kind
                ):
                    yield cell, f"output {number} ({kind})", text


def is_rejected(old, new, *, where="here", **options):
    """Tell whether two texts, or two digests, are told apart."""
    comparison = Comparison(**options)
    compare = comparison.compare_texts if isinstance(old, str) else comparison.compare_digests
    compare(old, new, where)
    return bool(comparison.problems)


# --- what is stored agrees with itself, and is sound


def test_a_stored_notebook_is_sound_and_agrees_with_itself(stored):
    assert find_flaws(stored) == []
    for cell in code_cells(stored):
        result = compare_cell(cell, copy.deepcopy(cell.outputs))
        assert result.problems == []
        assert result.worst == 0


# --- text: every number, word and line


def typical_share(moves):
    """Return the median share of the moves of an output, the largest of the outputs'."""
    outputs = itertools.groupby(sorted(moves), key=lambda place: place.split(")")[0])
    medians = [statistics.median(moves[place].share for place in group) for _, group in outputs]
    return max([min(median, 0.1) for median in medians], default=0)


def number_mutants(text, where, moves):
    """Yield (text with one number as near as is allowed, text with it a little farther)."""
    lines = text.split("\n")
    for i, line in enumerate(lines):
        for j, match in enumerate(NUMBER.finditer(line), start=1):
            value = Decimal(match[0].replace(",", "").replace("−", "-"))
            whole = re.fullmatch(r"[-+−\d,]+", match[0])
            unit = Decimal(1).scaleb(value.as_tuple().exponent)
            place = f"{where}, line {i + 1}, number {j}"
            move = moves.get(place, Move(0, 0, 0))
            typical = Decimal(3 * typical_share(moves)) * abs(value)
            free = not whole and (place in moves or unit < abs(value) / 100 or typical > unit / 4)
            steps = int(MULTIPLE * move.off / float(unit) + 1e-6) + bool(free)
            yield tuple(
                "\n".join(
                    [
                        *lines[:i],
                        line[: match.start()] + f"{moved}" + line[match.end() :],
                        *lines[i + 1 :],
                    ]
                )
                for moved in (value + steps * unit, value + (steps + 1) * unit)
            )


def test_every_number_in_a_text_counts(stored, spreads):
    count = 0
    for cell, where, text in texts(stored):
        moves = spreads.get(cell.id, {})
        for near, far in number_mutants(text, where, moves):
            count += 1
            assert is_rejected(text, far, where=where, spreads=moves), (text, far)
            assert not is_rejected(text, near, where=where, spreads=moves), (text, near)
    assert count


def test_every_word_and_line_of_a_text_counts(stored):
    for _, _, text in texts(stored):
        lines = text.splitlines(keepends=True)
        for line in lines:
            for word in re.finditer(r"[^\W\d]+", line):
                letter = "X" if word[0][0] != "X" else "Y"
                mutant = line[: word.start()] + letter + line[word.start() + 1 :]
                assert is_rejected(line, mutant), (line, mutant)
        for i in range(len(lines)):
            assert is_rejected(text, "".join(lines[:i] + lines[i + 1 :]))


# --- figures: every entry of every digest, and the pixels


def edit_digest(output, edit):
    """Edit the digest that an output holds as text."""
    digest = parse(output.data[DIGEST])
    edit(digest)
    output.data[DIGEST] = write(digest)


def move_curve(by):
    """Return an edit that moves one point of a digest's first curve by a share of the axes."""

    def edit(digest):
        digest["axes"][0]["artists"][0]["points"][1][1] += by

    return edit


def entries(node, key=""):
    """Yield (container, place in it, name of the list or entry) for every part of a digest."""
    for place in node if isinstance(node, dict) else range(len(node)):
        name = place if isinstance(node, dict) else key
        if name != "matplotlib":
            yield node, place, name
            if isinstance(node[place], dict | list):
                yield from entries(node[place], name)


def changed(container, place, name):
    """Return a changed value for a digest's leaf: beyond rounding if it is a measurement."""
    value = container[place]
    if isinstance(value, str):
        return value + "?"
    if value is None:
        return 0.5
    if isinstance(value, int):
        return value + 1
    numbers = [v for v in (container if isinstance(container, list) else [value]) if v is not None]
    span = max(numbers) - min(numbers)
    if name in AXES_FRACTIONS:
        return value + 1.1 * (FLOOR * min(10 * span or 1, 1) + 1e-4 * max(1, abs(value)))
    return value + 1.1 * (FLOOR * (span or max(map(abs, numbers))) + 1e-4 * abs(value)) + 1e-12


def test_every_entry_of_a_digest_counts(stored):
    """Of a chapter's digests, from the shortest on, each that has a part which none before it has."""
    digests = [found for found in outputs(stored) if DIGEST in found[2].get("data", {})]
    seen = set()
    for cell, _, output in sorted(digests, key=lambda found: len(found[2].data[DIGEST])):
        digest = parse(output.data[DIGEST])
        structure_only = read_exception(cell)[0]
        options = {"structure_only": structure_only}
        parts = {(name, box[at] if name == "kind" else 0) for box, at, name in entries(digest)}
        parts.add(structure_only)
        if parts <= seen:
            continue
        seen |= parts
        mutant = copy.deepcopy(digest)
        for container, place, name in list(entries(mutant)):
            value = container[place]
            if not isinstance(value, dict | list):
                if structure_only and isinstance(value, float | None):
                    continue
                container[place] = changed(container, place, name)
                assert is_rejected(digest, mutant, **options), (name, value, container[place])
                container[place] = value
            if isinstance(container, dict) or place == 0:
                kept = copy.copy(container)
                del container[place]
                assert is_rejected(digest, mutant, **options), (name, value)
                container.clear()
                container.update(kept) if isinstance(kept, dict) else container.extend(kept)
        assert mutant == digest


def test_swapped_curves_and_reordered_axes_count(tiny):
    figure, pictures = [
        parse(output.data[DIGEST])
        for *_, output in outputs(tiny)
        if DIGEST in output.get("data", {})
    ][:2]
    mutant = copy.deepcopy(figure)
    one, two = mutant["axes"][0]["artists"]
    for key in ("n", "points", "spread"):
        one[key], two[key] = two.get(key, 0), one.get(key, 0)
    assert is_rejected(figure, mutant)
    mutant = copy.deepcopy(pictures)
    mutant["axes"].reverse()
    assert is_rejected(pictures, mutant)


def repainted(png, paint):
    """Return a PNG, as a notebook stores it, painted over by a function of its image."""
    image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    paint(image)
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return base64.b64encode(file.getvalue()).decode()


def test_pixels_count_though_the_digest_agrees(stored):
    """Of a chapter's smallest and largest picture, and of those of which only the structure counts."""
    pictures = [found for found in outputs(stored) if "image/png" in found[2].get("data", {})]
    pictures.sort(key=lambda found: len(found[2].data["image/png"]))
    loose = [found for found in pictures if read_exception(found[0])[0]]
    for cell, number, output in [*pictures[:1], *pictures[-1:], *loose]:
        fresh = copy.deepcopy(cell.outputs)
        fresh[number - 1].data["image/png"] = repainted(
            output.data["image/png"],
            lambda image: image.paste((255, 0, 0, 255), (0, 0, image.width // 9, image.height)),
        )
        assert bool(compare_cell(cell, fresh).problems) != read_exception(cell)[0]
        edit_digest(fresh[number - 1], lambda digest: digest.update(matplotlib="3.0"))
        assert not compare_cell(cell, fresh).problems  # another font engine: only the digest counts


def test_pixels_count_coarsely_where_the_digest_moved_within_rounding(tiny):
    cell = code_cells(tiny)[4]
    fresh = copy.deepcopy(cell.outputs)
    edit_digest(fresh[0], move_curve(by=0.001))
    fresh[0].data["image/png"] = repainted(
        fresh[0].data["image/png"], lambda image: image.paste((90, 90, 90, 255), (50, 50, 52, 54))
    )
    assert not compare_cell(cell, fresh).problems
    fresh[0].data["image/png"] = repainted(
        fresh[0].data["image/png"], lambda image: image.paste((0, 0, 0, 0), (0, 0, *image.size))
    )
    assert compare_cell(cell, fresh).problems


# --- outputs and cells: none may vanish or appear


def test_every_output_counts(stored):
    extra = nbformat.v4.new_output("stream", text="one more line\n")
    for cell in code_cells(stored):
        assert compare_cell(cell, [*copy.deepcopy(cell.outputs), extra]).problems
        for i, output in enumerate(cell.outputs):
            rest = cell.outputs[:i] + cell.outputs[i + 1 :]
            assert compare_cell(cell, rest).problems
            for kind in output.get("data", {}):
                fresh = copy.deepcopy(cell.outputs)
                del fresh[i].data[kind]
                assert compare_cell(cell, fresh).problems, kind


def test_every_cell_counts(stored):
    for cell in code_cells(stored):
        cell.outputs = []  # which are not what is changed here
    assert find_flaws(stored) == []
    for i, cell in enumerate(stored.cells):
        if cell.cell_type == "code":
            del stored.cells[i]
            assert find_flaws(stored), cell.source
            stored.cells.insert(i, cell)
            for changed in (
                {"source": cell.source + " "},
                {"execution_count": cell.execution_count + 1},
                {"execution_count": None},
            ):
                kept = {key: cell[key] for key in changed}
                cell.update(changed)
                assert find_flaws(stored), cell.source
                cell.update(kept)
    assert find_flaws(stored) == [], "each change was taken back"


def test_nothing_may_be_added_or_stored_by_hand(stored):
    added = copy.deepcopy(stored)
    count = len(code_cells(stored)) + 1
    added.cells.append(nbformat.v4.new_code_cell("1", id="new", execution_count=count))
    assert any("was added" in flaw for flaw in find_flaws(added))
    del stored.metadata[OUTPUTS_OF]
    assert any(OUTPUTS_OF in flaw for flaw in find_flaws(stored))


# --- flaws of a cell


@pytest.mark.parametrize(
    "check",
    [
        {"rtol": 0.01, "reason": "declared, and not measured"},
        {"figure": "structure"},
        {"figure": "structure", "reason": "too few"},
        {"figure": "ignore", "reason": "there is no such choice"},
        {"figure": "structure", "reason": "one key too many", "atol": 1},
        "none",
    ],
)
def test_a_bad_exception_is_a_flaw(tiny, check):
    notebook = copy.deepcopy(tiny)
    code_cells(notebook)[2].metadata["check"] = check
    assert find_flaws(notebook)


def test_exceptions_are_rare():
    exceptions = [
        cell.id
        for path in chapters()
        for cell in code_cells(nbformat.read(path, as_version=4))
        if read_exception(cell)[0]
    ]
    assert len(exceptions) < 10, exceptions


@pytest.mark.parametrize("tag", ["nbval-ignore-output", "nbval-skip", "raises-exception"])
def test_a_tag_or_comment_that_skips_the_check_is_a_flaw(tiny, tag):
    notebook = copy.deepcopy(tiny)
    code_cells(notebook)[2].metadata["tags"] = [tag]
    assert find_flaws(notebook)
    notebook = copy.deepcopy(tiny)
    cell = code_cells(notebook)[2]
    cell.source = f"# {tag.upper().replace('-', '_')}\n{cell.source}"
    notebook.metadata[OUTPUTS_OF] = hash_sources(notebook)
    assert find_flaws(notebook) or "EXCEPTION" in cell.source


@pytest.mark.parametrize(
    "output",
    [
        nbformat.v4.new_output("stream", name="stderr", text="a warning"),
        nbformat.v4.new_output("error", ename="ValueError", evalue="no", traceback=[]),
        nbformat.v4.new_output("stream", text="\x1b[31mred\x1b[0m"),
        nbformat.v4.new_output("stream", text="10%\r20%"),
        nbformat.v4.new_output("stream", text="1719/1719 - 4s 2ms/step - loss: 0.01"),
        nbformat.v4.new_output("stream", text="100 it, 12.3it/s"),
        nbformat.v4.new_output("stream", text="saved to /home/me/model.keras"),
        nbformat.v4.new_output("stream", text=r"saved to C:\Users\me"),
        nbformat.v4.new_output("execute_result", {"text/plain": "<Layer at 0x7f3a90b1c0d0>"}),
        nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {}}),
        nbformat.v4.new_output("display_data", {"image/png": "aaaa", "text/plain": "<Figure>"}),
        nbformat.v4.new_output("display_data", {DIGEST: "figure: {}", "text/plain": "<Figure>"}),
    ],
    ids=lambda output: str(output.get("text", output.get("data", output)))[:30],
)
def test_an_output_that_cannot_be_kept_is_a_flaw(tiny, output):
    assert reasons_not_to_store(output)
    notebook = copy.deepcopy(tiny)
    code_cells(notebook)[2].outputs.append(output)
    assert find_flaws(notebook)


# --- rules in words


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("loss 0.01271", "loss 0.01272", True),  # a unit of the last digit
        ("loss 0.01271", "loss 0.01273", False),
        ("gap 0.2 %", "gap 0.3 %", True),
        ("gap 0.2 %", "gap 0.4 %", False),
        ("1", "0.9999", True),  # as .4g prints them
        ("0.1", "0.14", False),
        ("12 images", "13 images", False),
        ("55,000 images", "55,001 images", False),
        ("784-100-30", "784-100-31", False),
        ("float32", "float64", False),
        ("-0.5", "0.5", False),
        ("−0.5", "-0.5", True),
        ("1e-3", "2e-3", True),
        ("1.0e-3", "1.2e-3", False),
        ("nan", "0.1", False),
        ("TensorFlow 2.21.0", "TensorFlow 2.21.1", False),
        ("a   0.99\nb  -0.10", "a 0.99\nb -0.10", True),  # columns may change their width
        ("----- ----", "------ ----", True),
        ("train validation", "validation train", False),
    ],
)
def test_what_two_lines_may_differ_in(old, new, same):
    elsewhere = {"elsewhere": Move(1, 1, 1)}
    assert is_rejected(old, new, spreads=elsewhere) != same
    # Where nothing moves, the last digit of 0.2 is no rounding.
    assert is_rejected(old, new) == (not same or old in ("gap 0.2 %", "1e-3"))


def test_a_stream_may_arrive_in_pieces(tiny):
    cell = code_cells(tiny)[2]
    text = cell.outputs[0].text
    halves = [nbformat.v4.new_output("stream", text=t) for t in (text[:9], text[9:])]
    assert not compare_cell(cell, halves).problems


def test_html_with_a_digest_is_compared_by_it_and_by_what_a_reader_sees():
    def cell(weights, label, number):
        html = f"<style>{weights}</style><p>{label}</p><script>let w = {weights}</script>"
        data = {"text/html": html, DIGEST: write({"kind": "explorer", "mean": number})}
        output = nbformat.v4.new_output("display_data", data)
        return nbformat.v4.new_code_cell("explore()", outputs=[output])

    one = cell("[0.123]", "Drag the point", 0.5)
    assert reasons_not_to_store(one.outputs[0]) == []
    assert not compare_cell(one, cell("[0.987]", "Drag the point", 0.501).outputs).problems
    assert compare_cell(one, cell("[0.123]", "Drag the dot", 0.5).outputs).problems
    assert compare_cell(one, cell("[0.123]", "Drag the point", 0.6).outputs).problems


def test_fallback_data_leave_the_structure(tiny):
    cell = code_cells(tiny)[4]
    fresh = copy.deepcopy(cell.outputs)
    edit_digest(fresh[0], lambda digest: digest["axes"][0].update(titles=["Digits"]))
    assert compare_cell(cell, fresh).problems
    assert not compare_cell(cell, fresh, fallback=True).problems
    edit_digest(fresh[0], lambda digest: digest["axes"][0]["artists"].pop())
    assert compare_cell(cell, fresh, fallback=True).problems
    assert compare_cell(cell, [], fallback=True).problems


def test_what_is_printed_on_the_fallback_data_is_left_out(tiny):
    cell = code_cells(tiny)[4]
    printed = nbformat.v4.new_output("stream", text="– not so, and one line more\n")
    assert compare_cell(cell, [printed, *cell.outputs]).problems
    assert not compare_cell(cell, [printed, *cell.outputs], fallback=True).problems
    table = nbformat.v4.new_output("display_data", {"text/html": "<table></table>"})
    assert compare_cell(cell, [table, *cell.outputs], fallback=True).problems


def test_a_digest_that_cannot_be_read_is_a_flaw(tiny):
    for text in (
        "",
        "figure: 1",
        "figure: {",
        "figure: {}\n  Line2D: {}",
        "figure: {}\naxes: 1",
        "axes",
    ):
        notebook = copy.deepcopy(tiny)
        cell = code_cells(notebook)[4]
        cell.outputs[0].data[DIGEST] = text
        assert any("cannot be read" in flaw for flaw in find_flaws(notebook))
        assert compare_cell(cell, code_cells(tiny)[4].outputs).problems


# --- spreads


def moved_run(notebook):
    """Return a run of the tiny chapter in which two numbers, a count and a curve have moved."""
    run = copy.deepcopy(notebook)
    replaced("0.01271", "0.01291")(run)
    replaced("0.7912", "0.7890")(run)
    replaced("60 points", "63 points")(run)
    edit_digest(code_cells(run)[4].outputs[0], move_curve(by=0.02))
    return run


def test_what_moves_is_measured_and_allowed_three_times_and_the_rest_is_sharp(tiny):
    spreads, problems = files.measure(tiny, [tiny, moved_run(tiny)])
    assert problems == []
    assert {cell for cell, (_, moves) in spreads.items() if moves} == {
        code_cells(tiny)[number].id for number in (2, 4, 6)
    }
    _, moves = spreads[code_cells(tiny)[2].id]
    assert moves["output 1 (text), line 1, number 3"].off == pytest.approx(0.0002)
    assert moves["output 1 (text), line 2, number 1"].off == 3
    assert len(moves) == 2
    cell = code_cells(tiny)[2]
    for text, new, agrees in [
        ("0.01271", "0.01331", True),
        ("0.01271", "0.01343", False),
        ("60 points", "69 points", True),
        ("60 points", "70 points", False),
        ("-0.2 %", "-0.4 %", False),  # beside noisy neighbours
        ("1e-3", "3e-3", False),
    ]:
        run = copy.deepcopy(tiny)
        replaced(text, new)(run)
        fresh = code_cells(run)[2].outputs
        assert bool(compare_cell(cell, fresh, moves).problems) != agrees, (text, new)
    curve = code_cells(tiny)[4]
    _, moves = spreads[curve.id]
    assert len([place for place in moves if "points" in place]) == 1
    for by, agrees in [(0.05, True), (0.07, False)]:
        fresh = copy.deepcopy(curve.outputs)
        edit_digest(fresh[0], move_curve(by=by))
        assert bool(compare_cell(curve, fresh, moves).problems) != agrees


def test_a_setting_beside_numbers_that_move_is_compared_wholly():
    moves = {"here, line 1, number 2": Move(0.0001, 0.0221, 0.0001)}
    stored = "0.1 0.0221 0.4"
    assert not is_rejected(stored, "0.1 0.0225 0.4", spreads=moves)
    assert is_rejected(stored, "0.2 0.0221 0.4", spreads=moves)
    assert is_rejected(stored, "0.1 0.0221 0.5", spreads=moves)
    # Of numbers that move by a tenth, each may: it is a result that was cut short.
    lively = {"here, line 1, number 2": Move(0.002, 0.0221, 0.0001)}
    assert not is_rejected(stored, "0.1 0.0221 0.5", spreads=lively)
    assert is_rejected(stored, "0.1 0.0221 0.6", spreads=lively)
    # But what stands in the cell's own code is none.
    assert is_rejected(stored, "0.1 0.0221 0.5", spreads=lively, settings={0.4})


def test_what_stands_in_a_cells_code_is_a_setting_unless_it_moved_itself():
    printed = nbformat.v4.new_output("stream", name="stdout", text="0.4 0.0221 0.7")
    cell = nbformat.v4.new_code_cell("print(0.4, error, other)", outputs=[printed])
    moves = {"output 1 (text), line 1, number 2": Move(0.002, 0.0221, 0.0001)}

    def is_noticed(text):
        fresh = nbformat.v4.new_output("stream", name="stdout", text=text)
        return bool(compare_cell(cell, [fresh], moves).problems)

    assert is_noticed("0.5 0.0221 0.7")
    assert not is_noticed("0.4 0.0221 0.8")
    moves["output 1 (text), line 1, number 1"] = Move(0.1, 0.4, 0.1)
    assert not is_noticed("0.5 0.0221 0.7")


def test_no_spread_is_below_the_median_share_of_its_output():
    moves = {
        f"output 1 (text), line {i}, number 1": Move(off, 1.0, 0)
        for i, off in enumerate((0.01, 0.02, 0.03))
    } | {"output 2 (text), line 1, number 1": Move(0.001, 1.0, 0)}
    assert [move.off for move in files.pooled(moves).values()] == [0.02, 0.02, 0.03, 0.001]


def test_what_another_machine_found_about_the_same_code_stays():
    def found(off, code="c0de"):
        return {"cell": (code, {"place": Move(off, 1.0, 0)})}

    assert files.widened(found(0.1), found(0.2)) == found(0.2)
    assert files.widened(found(0.2), found(0.1)) == found(0.2)
    assert files.widened({"cell": ("c0de", {})}, found(0.1)) == found(0.1)
    assert files.widened(found(0.1), found(0.2, code="other")) == found(0.1)
    assert files.widened(found(0.1), {}) == found(0.1)


def test_spreads_are_read_back_as_they_were(tiny, tmp_path):
    spreads, _ = files.measure(tiny, [moved_run(tiny)])
    path = tmp_path / "tiny.txt"
    path.write_text(files.write(spreads), encoding="utf-8")
    read = files.read(path)
    assert files.write(read) == path.read_text(encoding="utf-8")
    assert read.keys() == spreads.keys()
    assert files.find_spread_flaws(tiny, read) == []
    assert files.read(tmp_path / "none.txt") == {}


def test_code_that_was_not_measured_is_a_flaw(tiny):
    spreads, _ = files.measure(tiny, [tiny])
    assert files.find_spread_flaws(tiny, spreads) == []
    edited = copy.deepcopy(tiny)
    code_cells(edited)[2].source += " "
    assert len(files.find_spread_flaws(edited, spreads)) == 1
    assert len(files.find_spread_flaws(tiny, {})) == len([c for c in code_cells(tiny) if c.outputs])


def test_what_moves_by_more_than_a_tenth_may_not_be_shown(tiny):
    run = copy.deepcopy(tiny)
    replaced("0.01271", "0.01471")(run)
    replaced("-0.2 %", "-0.3 %")(run)  # more than a tenth, but a unit of its last digit
    (flaw,) = files.find_spread_flaws(tiny, files.measure(tiny, [run])[0])
    assert "line 1, number 3: moves by 0.002 of 0.01271" in flaw


def test_words_that_depend_on_the_environment_cannot_be_stored(tiny):
    run = copy.deepcopy(tiny)
    replaced("PCA", "AE")(run)
    _, problems = files.measure(tiny, [run])
    assert "the words differ" in problems[0]


def test_a_chapter_is_measured_in_other_environments(tmp_path, monkeypatch):
    """The noisy number shows that the environments reach the kernel."""
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    source = 'import os\nprint("threads:", os.environ["TF_NUM_INTRAOP_THREADS"])'
    cells = [nbformat.v4.new_markdown_cell("# Tiny"), nbformat.v4.new_code_cell(source)]
    path = tmp_path / "chapters" / "tiny.ipynb"
    path.parent.mkdir()
    (tmp_path / "output_check").mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    path.write_text(run(path), encoding="utf-8")
    (flaw,) = measure_chapter(path)
    assert "moves by 2 of 2 between environments" in flaw
    assert files.path_of(path).read_text(encoding="utf-8").endswith("line 1, number 1\n")


# --- tools/run.py


def test_a_second_run_changes_nothing(tiny, tmp_path):
    path = tmp_path / "tiny.ipynb"
    nbformat.write(tiny, path)
    assert nbformat.reads(run(path), as_version=4) == tiny


def test_a_failing_cell_is_named_and_nothing_is_written(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Broken")])
    notebook.cells.append(nbformat.v4.new_code_cell("x = 1\nx / 0"))
    path = tmp_path / "broken.ipynb"
    nbformat.write(notebook, path)
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match=r"code cell 2 [\s\S]*x / 0[\s\S]*ZeroDivisionError"):
        run(path)
    assert path.read_bytes() == before


# --- the whole way: pytest, a kernel, a report


def replaced(old, new):
    """Return a mutation that replaces text in the stored outputs, not in the sources."""

    def mutate(notebook):
        for cell in code_cells(notebook):
            text = nbformat.v4.writes(nbformat.v4.new_notebook(cells=[cell]))
            head, mark, rest = text.partition('"outputs"')
            cell.outputs = nbformat.reads(head + mark + rest.replace(old, new), 4).cells[0].outputs

    return mutate


def drop_outputs(notebook):
    code_cells(notebook)[5].outputs = []


def drop_cell(notebook):
    notebook.cells.remove(code_cells(notebook)[5])


def add_stderr(notebook):
    error = nbformat.v4.new_output("stream", name="stderr", text="a warning")
    code_cells(notebook)[2].outputs.append(error)


def set_check(**check):
    return lambda notebook: code_cells(notebook)[2].metadata.update(check=check)


def clear(notebook):
    cell = code_cells(notebook)[4]
    cell.outputs, cell.execution_count = [], None


def rewrite(source):
    """Return a mutation that gives a cell another source, as if it had been run."""

    def mutate(notebook):
        code_cells(notebook)[2].source = source
        notebook.metadata[OUTPUTS_OF] = hash_sources(notebook)

    return mutate


def use_fallback(notebook):
    """Run with other data: the numbers differ, and helpers.data says why."""
    cell = code_cells(notebook)[1]
    cell.source += (
        "\nimport types"
        "\nsys.modules['helpers.data'] = types.SimpleNamespace(fallback_in_use=lambda: True)"
    )
    notebook.metadata[OUTPUTS_OF] = hash_sources(notebook)
    replaced("0.01271", "0.0999")(notebook)


# By chapter, because each chapter starts a kernel: what changes, which item turns red, and with which
# words, so that no mutant hides behind another one.
HARMLESS = {
    "moved": {
        "within": (replaced("0.01271", "0.01272"), None, None),
        "noisy": (replaced("0.7912", "0.7915"), None, None),
    },
    "fallback": {"fallback": (use_fallback, None, None)},
}
MUTANTS = {
    "outputs": {
        "number": (
            replaced("0.01271", "0.01371"),
            "cell 3",
            r"number 3: stored 0\.01371, the run gave 0\.01271: off by 0\.001, allowed 1e-05",
        ),
        "count": (replaced("60 points", "61 points"), "cell 3", "stored 61, the run gave 60: off"),
        "row": (
            replaced("<tr><td>PCA</td><td>0.0157</td></tr>", ""),
            "cell 4",
            r"\(text/html\), line 1: the words differ",
        ),
        "legend": (
            replaced(r"\"validation\"", r"\"test\""),
            "cell 5",
            r"differ:\n +stored: test\n +run: +validation\n",
        ),
        "label": (
            replaced(r"\"epoch\"", r"\"step\""),
            "cell 5",
            r"differ:\n +stored: step\n +run: +epoch\n",
        ),
        "curve": (
            lambda notebook: edit_digest(code_cells(notebook)[4].outputs[0], move_curve(by=0.02)),
            "cell 5",
            r"› points.* off by 0\.02, allowed",
        ),
        "figure": (drop_outputs, "cell 6", r"0 outputs are stored \(none\), the run gave 1 "),
    },
    "form": {
        "cleared": (clear, "stored form", "is not executed"),
        "deleted": (drop_cell, "stored form", "was deleted after the outputs were stored"),
        "stderr": (add_stderr, "stored form", "output 2 stores"),
        "key": (
            set_check(rtol=0.01, reason="there is no such key"),
            "stored form",
            "`check` may only be",
        ),
        "unmeasured": (lambda notebook: None, "stored form", "has no measured spread"),
    },
    "failing": {"failing": (rewrite("1 / 0"), "cell 3", "ZeroDivisionError")},
    "dying": {"dying": (rewrite("import os\nos._exit(1)"), "cell 3", "The kernel died")},
}


@pytest.fixture(scope="module")
def report(tiny, tmp_path_factory):
    """What pytest says of a book whose chapters are the mutants."""
    book = tmp_path_factory.mktemp("mutants")
    names = [*HARMLESS, *MUTANTS]
    (book / "_toc.yml").write_text(
        "root: index\nchapters:\n" + "".join(f"- file: chapters/{name}\n" for name in names)
    )
    (book / "chapters").mkdir()
    (book / "output_check" / "spreads").mkdir(parents=True)
    for name in names:
        notebook = copy.deepcopy(tiny)
        for mutate, *_ in (HARMLESS | MUTANTS)[name].values():
            mutate(notebook)
        path = book / "chapters" / f"{name}.ipynb"
        nbformat.write(notebook, path)
        moved = copy.deepcopy(notebook)
        if name == "moved":
            replaced("-0.2 %", "-0.3 %")(moved)
            replaced("0.7915", "0.7914")(moved)
        if "unmeasured" not in MUTANTS.get(name, {}):
            spreads, _ = files.measure(notebook, [moved])
            files.path_of(path).write_text(files.write(spreads), encoding="utf-8")
    command = (
        "-m pytest -n 2 --dist loadfile -q -rA --color=no -p no:cacheprovider "
        "-p output_check.plugin chapters"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=book,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


def outcomes(report, name):
    return re.findall(
        rf"^(PASSED|FAILED|SKIPPED|ERROR) chapters/{name}\.ipynb::(.*?)(?: - |$)", report, re.M
    )


@pytest.mark.parametrize(
    ("chapter", "name"), [(chapter, name) for chapter in MUTANTS for name in MUTANTS[chapter]]
)
def test_a_mutant_turns_the_run_red_and_is_named(report, chapter, name):
    _, item, words = MUTANTS[chapter][name]
    assert ("FAILED", item) in outcomes(report, chapter), report
    # What pytest says of a failure begins with a line of underscores around the item's name.
    said = re.findall(rf"^_+ {chapter}: {item} _+$([\s\S]*?)(?=^_+ |^=+ )", report, re.M)
    assert re.search(words, said[0]), said


@pytest.mark.parametrize("chapter", HARMLESS)
def test_a_harmless_change_stays_green(report, chapter):
    assert {outcome for outcome, _ in outcomes(report, chapter)} == {"PASSED"}, report
    # With Colab's cell and the stored form.
    assert len(outcomes(report, chapter)) == len(SOURCES) + 2


def test_what_did_not_change_stays_green_beside_a_mutant(report):
    red = [item for outcome, item in outcomes(report, "outputs") if outcome == "FAILED"]
    assert red == sorted({item for _, item, _ in MUTANTS["outputs"].values()})


def test_the_report_says_what_and_where(report):
    assert "stored 0.01271, the run gave" not in report  # the mutant stores 0.01371
    assert "make run CHAPTER=outputs" in report
    summary = re.search(r"(\d+) chapters, (\d+) cells, \d+ numbers and \d+ figures", report)
    compared = [name for name in [*HARMLESS, *MUTANTS] if name != "dying"]
    assert int(summary[1]) >= len(compared)  # from both workers
    assert "2 with a measured spread" in report
    assert re.search(r"worst deviation 100% of what is allowed \(moved, cell 3\)", report)
    assert "FALLBACK DATA" in report
    assert "not run: code cell 3 failed" in report
