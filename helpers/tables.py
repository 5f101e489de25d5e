"""Tables of results: HTML in a notebook and on a page, plain text elsewhere."""

import html
from numbers import Real

from IPython.display import display


def show_table(header, rows):
    """Show a table of results.

    Args:
        header: sequence of str, the columns' names; the first may be empty.
        rows: iterable of sequences as long as the header. The first entry names the row. Entries are
            str, shown as they are, or numbers: whole ones are shown whole, others with four
            significant digits, and below zero with a minus, not with a hyphen.

    Raises:
        ValueError: a row has another length than the header.
    """
    lines = [list(header), *([_shown(entry) for entry in row] for row in rows)]
    if any(len(line) != len(lines[0]) for line in lines):
        raise ValueError(f"every row needs {len(lines[0])} entries, like the header {lines[0]}")
    display({"text/html": _as_html(*lines), "text/plain": _as_text(*lines)}, raw=True)


def _shown(entry):
    """Return an entry as it is shown."""
    if not isinstance(entry, Real):
        return str(entry)
    return (f"{entry:.4g}" if entry % 1 else str(entry)).replace("-", "−")


def _as_html(header, *rows):
    """Return a table with names at its edges, a row a line."""
    top = "".join(f'<th scope="col">{html.escape(name)}</th>' for name in header)
    lines = [f"<tr>{top}</tr>", "</thead>", "<tbody>"]
    for name, *entries in rows:
        cells = "".join(f"<td>{html.escape(entry)}</td>" for entry in entries)
        lines.append(f'<tr><th scope="row">{html.escape(name)}</th>{cells}</tr>')
    return "\n".join(["<table>", "<thead>", *lines, "</tbody>", "</table>"])


def _as_text(*lines):
    """Return a table in columns: names on the left, all else on the right."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join([first.ljust(widths[0]), *map(str.rjust, others, widths[1:])])
        for first, *others in lines
    )
