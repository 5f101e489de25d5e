"""How far every number of a chapter moves between environments: a text file a chapter.

    fig-linear-gap 5e2a9c01
      0.0012  0.0181  0.0001  output 1 (text/plain), line 3, number 2

A line without indent names a code cell and the code that was measured; below it stands each number
or drawn thing that moved: how far, its size, what rounding explains, and where it is shown. What is
not listed did not move. `make run` writes the files (output_check/measure.py).
"""

from output_check.compare import Comparison, Move, group_shares, output_of, read_exception
from tools.stored import code_cells, source_hash

HEAD = "# How far each number moved between environments: moved, of, rounding, where. See spreads.py.\n"


def path_of(chapter):
    """Return the file with the spreads of the chapter in the file `chapter`."""
    return chapter.parents[1] / "output_check" / "spreads" / f"{chapter.stem}.txt"


def write(spreads):
    """Return spreads, {cell id: (hash of the code, {place: Move})}, as text."""
    lines = []
    for cell, (code, moves) in spreads.items():
        lines.append(f"{cell} {code}")
        lines += [
            f"  {move.off:.3g}  {move.size:.4g}  {move.rounding:.1g}  {place}"
            for place, move in moves.items()
        ]
    return HEAD + "".join(f"{line}\n" for line in lines)


def read(path):
    """Return the spreads in a file, as `write` takes them; none if it is not there."""
    spreads, moves = {}, {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        if line.startswith("  "):
            *numbers, place = line.split(maxsplit=3)
            moves[place] = Move(*map(float, numbers))
        elif not line.startswith("#"):
            cell, code = line.split()
            spreads[cell] = code, (moves := {})
    return spreads


def measure(notebook, runs):
    """Compare runs of a notebook in other environments with what it stores.

    Args:
        notebook: the stored notebook.
        runs: list of notebooks with the same cells and the outputs of other environments.

    Returns:
        The spreads of all cells with outputs, and a list of texts: what moved beyond comparison.
    """
    spreads, problems = {}, []
    for cells in zip(code_cells(notebook), *map(code_cells, runs), strict=True):
        stored, *others = cells
        comparison = Comparison(structure_only=read_exception(stored)[0], measuring=True)
        for other in others:
            comparison.compare_all(stored.outputs, other.outputs)
        problems += [f"{stored.id}: {problem}" for problem in dict.fromkeys(comparison.problems)]
        if stored.outputs:
            spreads[stored.id] = source_hash(stored.source), comparison.moves
    return spreads, problems


def widened(spreads, known):
    """Return spreads with the larger of two moves at each place.

    Machines differ, so what another one found about the same code stays true.

    Args:
        spreads: the new spreads, as `write` takes them.
        known: spreads that were found before.
    """
    for cell, (code, moves) in spreads.items():
        before, others = known.get(cell, ("", {}))
        for place, move in others.items() if before == code else ():
            if place not in moves or move.off > moves[place].off:
                moves[place] = move
    return spreads


def pooled(moves):
    """Return moves, none of them below the median share of its output.

    A few environments may by chance leave a number where it was while they move its neighbours.
    """
    shares = group_shares(moves)
    return {
        place: Move(
            max(move.off, shares[output_of(place)] * move.size),
            move.size,
            move.rounding,
        )
        for place, move in moves.items()
    }


def moves_of(cell, spreads):
    """Return the moves by which a cell's numbers are judged, by place; none if nothing moved."""
    _, moves = spreads.get(cell.id, ("", {}))
    return pooled(moves)


def find_unmeasured(notebook, spreads):
    """Return the ids of the cells whose outputs were not measured for the code as it is."""
    return [
        cell.id
        for cell in code_cells(notebook)
        if cell.outputs and spreads.get(cell.id, ("",))[0] != source_hash(cell.source)
    ]


def find_spread_flaws(notebook, spreads):
    """Return which cells were not measured, and which numbers move too much to be shown."""
    found = [
        f"code cell {cell!r} has no measured spread: run `make run`"
        for cell in find_unmeasured(notebook, spreads)
    ]
    return found + [
        f"code cell {cell!r}, {place}: moves by {move.off:.3g} of {move.size:.4g} between "
        "environments; show what is stable"
        for cell, (_, moves) in spreads.items()
        for place, move in moves.items()
        if move.noisy
    ]
