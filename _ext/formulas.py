"""Formulas become MathML while the book is built, so that pages show them without a script."""

import re
import sys
from pathlib import Path

from docutils import nodes
from math_core import LatexToMathML
from sphinx.util import logging

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the package `tools` is
from tools import math_font


def convert(latex, displayed):
    r"""Return a formula as HTML: MathML, then the text of \tag{...} as a number."""
    latex, number = re.fullmatch(r"(.*?)(?:\\tag\{([^{}]*)\})?\s*", latex, re.DOTALL).groups()
    [mathml] = LatexToMathML(continue_on_error=True).convert_all([(latex, displayed)])
    return mathml + (f'<span class="eqno">({number})</span>' if number else "")


def write(writer, node):
    """Write a formula; a displayed one scrolls on a phone, so the keyboard must reach it."""
    tag, more = ("div", {"tabindex": 0}) if isinstance(node, nodes.math_block) else ("span", {})
    if not (formula := convert(node.astext(), tag == "div")).startswith("<math"):
        logging.getLogger(__name__).warning("not a formula: %s", formula, location=node)
    start = writer.starttag(node, tag, "", CLASS="math notranslate nohighlight", **more)
    writer.body.append(f"{start}{formula}</{tag}>")
    raise nodes.SkipNode


def link_style(app, pagename, templatename, context, doctree):
    """Link the style sheet where there are formulas, and load their font as early as it."""
    if "<math" in context.get("body", ""):
        app.add_css_file("formulas.css", priority=900)
        font = context["pathto"](f"_static/{math_font.NAME}", 1)
        context["metatags"] += f'<link rel="preload" href="{font}" as="font" crossorigin />\n'


def add_font(app, error):
    """Write the font of all formulas in the pages; one that lacks a character fails the build."""
    if app.builder.format == "html" and not error:
        pages = "".join(path.read_text("utf-8") for path in app.outdir.rglob("*.html"))
        if missing := math_font.write_font(math_font.characters(pages), app.outdir / "_static"):
            logging.getLogger(__name__).warning("no font for formulas has %s", sorted(missing))


def setup(app):
    """Take the place of Sphinx's own writers of formulas, which leave the work to a script."""
    app.add_html_math_renderer("mathml", (write, None), (write, None))
    app.config.html_static_path.append(str(Path(__file__).with_suffix(".css")))
    app.connect("html-page-context", link_style)
    app.connect("build-finished", add_font)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
