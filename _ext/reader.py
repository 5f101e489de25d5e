"""What a reader finds: words of the glossary, tables, a picture of every chapter, help for the lost."""

import base64
import html
import io
import json
import re
import zlib
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import SphinxNbRenderer
from PIL import Image
from sphinx.addnodes import pending_xref

WIDTH = 320  # pixels of a chapter's small picture, shown half as wide
# What a row of a table of results says in numbers: "0.0117 to 0.0121", "1.7 ± 0.5", "3 (0.2)".
NUMBERS = re.compile(r"<td>[^<]{0,20}\d[^<]{0,20}</td>")
LOST = """<form action="{}"><p><label>Search all pages: <input type="search" name="q" /></label>
<button>Search</button></p></form>
<h2>All pages</h2>
<div class="toctree-wrapper">{}</div>"""


def read_terms(folder):
    """Return the glossary's terms as {pattern: term}: a term in capitals only as it is written."""
    entries = (folder / "glossary.md").read_text(encoding="utf-8").partition("```{glossary}")[2]
    terms = sorted(re.findall(r"^(\w.*)$", entries, re.MULTILINE), key=len, reverse=True)
    return {
        term if term[1:] != term[1:].lower() or term[0].isupper() else f"(?i:{term})": term
        for term in terms
    }


def link_terms(app, doctree):
    """Link the first use of each of the glossary's terms in a chapter."""
    if not app.env.doc2path(app.env.docname).endswith(".ipynb"):
        return
    folder = Path(app.srcdir, "chapters")
    app.env.note_dependency(str(folder / "glossary.md"))
    terms = read_terms(folder)
    for text in list(doctree.findall(nodes.Text)):
        if not isinstance(text.parent, nodes.paragraph | nodes.strong | nodes.emphasis):
            continue
        if any(isinstance(p, nodes.block_quote | nodes.reference) for p in ancestors(text)):
            continue
        parts, rest = [], str(text)
        while terms and (
            found := re.search(rf"(?<![\w-])(?:{'|'.join(terms)})(?:s|es)?(?![\w-])", rest)
        ):
            pattern = next(p for p in terms if re.fullmatch(f"(?:{p})(?:s|es)?", found[0]))
            word = nodes.inline("", found[0], classes=["term"])
            aim = {"refdomain": "std", "reftype": "term", "reftarget": terms.pop(pattern)}
            link = pending_xref("", word, refexplicit=True, refdoc=app.env.docname, **aim)
            parts += [nodes.Text(rest[: found.start()]), link]
            rest = rest[found.end() :]
        if parts:
            text.parent.replace(text, [*parts, nodes.Text(rest)])


def keep_numbers_whole(app, doctree):
    """Keep the numbers of a table's cell on one line."""
    for raw in doctree.findall(nodes.raw):
        kept = NUMBERS.sub(lambda cell: cell[0].replace(" ", "\N{NO-BREAK SPACE}"), raw.astext())
        raw.children = [nodes.Text(kept)]


def ancestors(node):
    """Yield what a node stands in."""
    while node := node.parent:
        yield node


def caption_figures_only(render):
    """Let a cell's caption go to its figure, which has a digest, and not to the tables beside it."""

    def render_each(renderer, token, outputs):
        settings = token.meta["metadata"]
        for output in outputs:
            figure = any("digest" in kind for kind in output.get("data", {}))
            token.meta["metadata"] = settings if figure else settings | {"mystnb": {}}
            render(renderer, token, [output])

    return render_each


def thumbnail(notebook, folder):
    """Write a notebook's first figure, if any, in small into a folder; return an image of it."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    outputs = ((cell, out.get("data", {})) for cell in cells for out in cell.get("outputs", []))
    cell, data = next((found for found in outputs if "image/png" in found[1]), (None, None))
    if cell is None:
        return ""
    picture = Image.open(io.BytesIO(base64.b64decode("".join(data["image/png"]))))
    picture.thumbnail((WIDTH, WIDTH))
    folder.mkdir(parents=True, exist_ok=True)
    picture.save(folder / f"{notebook.stem}.webp", quality=80)
    width, height = picture.size
    alt = html.escape(cell["metadata"]["mystnb"]["image"]["alt"])
    source = f"../_static/parts/{notebook.stem}.webp"
    return f'<img class="thumbnail" loading="lazy" width="{width}" height="{height}" alt="{alt}" src="{source}" />'


def number_figures(app, env):
    """Number the figures of a page without a number of its own from 1 on; Sphinx counts them all."""
    for kinds in env.toc_fignumbers.values():
        for kind, numbers in kinds.items():
            if all(len(number) == 1 for number in numbers.values()):
                kinds[kind] = {name: (i,) for i, name in enumerate(numbers, start=1)}
    return []


def help_the_lost(app, pagename, templatename, context, doctree):
    """Offer search and all pages where there is no page."""
    if pagename == app.config.notfound_pagename:
        pages = context["toctree"](maxdepth=1, titles_only=True, includehidden=True)
        pages = pages.replace('role="heading"', 'role="heading" aria-level="3"')
        context["body"] += LOST.format(context["pathto"]("search"), pages)


def setup(app):
    """Connect to Sphinx; sphinx-notfound-page must have made its addresses before."""
    render = SphinxNbRenderer._render_nb_cell_code_outputs
    SphinxNbRenderer._render_nb_cell_code_outputs = caption_figures_only(render)
    app.connect("doctree-read", link_terms)
    app.connect("doctree-read", keep_numbers_whole)
    app.connect("env-get-updated", number_figures, priority=900)
    app.connect("html-page-context", help_the_lost, priority=900)
    # After a change here, no page is taken from the cache of an earlier build.
    return {"env_version": zlib.crc32(Path(__file__).read_bytes()), "parallel_read_safe": True}
