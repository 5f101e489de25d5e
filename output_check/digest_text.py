"""A digest as text that a reader of a diff understands: one drawn thing a line.

    figure: {"matplotlib":"3.11.0","size":[7.0,3.2]}
    axes: {"titles":["Loss"],"axis":{"x":{"label":"epoch","limits":[0.5,9.5]},…}}
      Line2D: {"label":"train","color":"#3577c5ff",…,"n":9,"points":[[…],[…]]}

Of anything else, an explorer say, the first line has the kind and every other line one entry.
Before the colon stand plain words, after it compact JSON, so a text is read back without loss.
"""

import json

INDENT = "  "


def write(digest):
    """Return a digest, a JSON-able dict, as text without an end of line at its end."""
    if "kind" in digest:
        entries = [(key, value) for key, value in digest.items() if key != "kind"]
        return "\n".join([f"{digest['kind']}:", *(INDENT + _line(*entry) for entry in entries)])
    lines = [_line("figure", _without(digest, "axes"))]
    for axes in digest.get("axes", []):
        lines.append(_line("axes", _without(axes, "artists")))
        for artist in axes.get("artists", []):
            lines.append(INDENT + _line(artist["kind"], _without(artist, "kind")))
    return "\n".join(lines)


def parse(text):
    """Return the digest that `write` has made a text of.

    Raises:
        ValueError: the text is no digest.
    """
    first, *lines = text.split("\n")
    kind, _ = _read(first)
    if kind != "figure":
        return {"kind": kind} | dict(_read(line.removeprefix(INDENT)) for line in lines)
    digest = _entries(first)
    for line in lines:
        content = _entries(line)
        if line.startswith(INDENT) and "axes" in digest:
            artist = {"kind": _read(line.removeprefix(INDENT))[0]} | content
            digest["axes"][-1].setdefault("artists", []).append(artist)
        elif line.startswith("axes:"):
            digest.setdefault("axes", []).append(content)
        else:
            raise ValueError(f"neither axes nor drawn in any: {line[:60]!r}")
    return digest


def _without(entries, key):
    return {name: value for name, value in entries.items() if name != key}


def _line(words, value):
    if ":" in words:
        raise ValueError(f"a colon in the name {words!r}")
    content = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return f"{words}: {content}"


def _read(line):
    """Return the words before the colon, and what stands after it."""
    words, colon, content = line.partition(":")
    if not colon:
        raise ValueError(f"no colon: {line[:60]!r}")
    return words, json.loads(content) if content else None


def _entries(line):
    """Return what stands after the colon, which must be the entries of a dict."""
    _, content = _read(line)
    if not isinstance(content, dict):
        raise ValueError(f"no entries: {line[:60]!r}")
    return content
