"""What a chapter stores: what its outputs may hold, and which sources they belong to."""

import hashlib
import re

# Notebook metadata of tools/run.py: {cell id: hash of the source that the outputs belong to}.
OUTPUTS_OF = "outputs_of"
DIGEST = "application/vnd.autoencoders-measured.digest"  # see output_check/digest_text.py
# What the pages show and the output check compares.
MIME_TYPES = {"text/plain", "text/html", "image/png", DIGEST}
# What no two runs or no two machines share.
UNSTABLE_TEXT = {
    r"\x1b": "an ANSI escape code; print plain text",
    r"\r|\x08": "a progress bar or an overwritten line; use verbose=0",
    r"(?i)\d ?(ms|s|it)/(step|epoch|it|s)\b|\dit/s": "a speed, which no two runs share",
    r"(?<![\w.:/<>])/(home|root|Users|tmp|work|opt|usr|var|mnt|content)/": "a path of this machine",
    r"\b[A-Z]:\\": "a path of this machine",
    r"\b0x[0-9a-f]{6,}": "a memory address; print something else",
}


def code_cells(notebook):
    """Return a notebook's code cells, in order."""
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def describe_cell(number, cell):
    """Name a code cell the way a reader finds it: its number and its first lines."""
    lines = [line for line in cell.source.splitlines() if line.strip()]
    shown = [f"    {line}" for line in lines[:3]] + ["    …"] * (len(lines) > 3)
    return "\n".join([f"code cell {number} (id {cell.id}):", *shown])


def source_hash(source):
    """Return the short hash that ties stored outputs to their source."""
    return hashlib.sha256(source.encode()).hexdigest()[:8]


def hash_sources(notebook):
    """Return what ties stored outputs to their sources: {cell id: short hash of the source}."""
    return {cell.id: source_hash(cell.source) for cell in code_cells(notebook)}


def reasons_not_to_store(output):
    """Return why an output must not be stored, as a list of phrases, empty if it may be."""
    if output.output_type == "error":
        return [f"an error: {output.ename}: {output.evalue}"]
    if output.output_type == "stream" and output.name != "stdout":
        return [f"text on {output.name}; cure or catch it: {output.text.strip()}"]
    data = {"text/plain": output.text} if output.output_type == "stream" else output.data
    reasons = [
        f"an output of type {kind}, which the pages do not show; show text, a table or a figure"
        for kind in sorted(data.keys() - MIME_TYPES)
    ]
    if "image/png" in data and DIGEST not in data:
        reasons.append("an image without a digest; show the Matplotlib figure itself")
    if DIGEST in data and not data.keys() & {"image/png", "text/html"}:
        reasons.append("a digest whose picture is missing")
    for kind in sorted(data.keys() & {"text/plain", "text/html"}):
        for pattern, reason in UNSTABLE_TEXT.items():
            if match := re.search(pattern, data[kind]):
                around = data[kind][max(match.start() - 20, 0) : match.end() + 40]
                reasons.append(f"{reason}: {around!r}")
    return reasons
