"""Formulas are set while the book is built: pages need no script for them, only a style sheet.

KaTeX writes HTML to look at and MathML for screen readers. It runs in V8, from a wheel, so the
build needs no Node.js.
"""

from pathlib import Path

from docutils import nodes
from py_mini_racer import JSEvalException, MiniRacer
from sphinx.util import logging

KATEX = Path(__file__).with_name("katex.min.js")
STYLE = "katex/katex.min.css"
# What Sphinx' search leaves out of an excerpt, and what it shall.
EXCERPT = '[".headerlink", "script"', '[".headerlink", ".katex-html", "annotation", "script"'
logger = logging.getLogger(__name__)


def formulas(doctree):
    """Return the formulas of a document, in lines and displayed."""
    return list(doctree.findall(lambda n: isinstance(n, (nodes.math, nodes.math_block))))


def set_formulas(app, doctree, docname):
    """Set each formula of a document; what KaTeX cannot set is a warning, which fails the build."""
    found = formulas(doctree)
    if not found or app.builder.format != "html":
        return
    with MiniRacer() as engine:
        engine.eval(KATEX.read_text(encoding="utf-8"))
        for node in found:
            options = {"displayMode": isinstance(node, nodes.math_block), "strict": "error"}
            try:
                node["set"] = engine.call("katex.renderToString", node.astext(), options)
            except JSEvalException as error:
                reason = str(error).splitlines()[0]
                logger.warning("formula “%s”: %s", node.astext(), reason, location=docname)
                node["set"] = ""


def write_inline(writer, node):
    """Write a formula in a line of text."""
    writer.body.append(writer.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    writer.body.append(node["set"] + "</span>")
    raise nodes.SkipNode


def write_display(writer, node):
    """Write a displayed formula; it scrolls on a phone, so the keyboard must be able to reach it."""
    attributes = {"CLASS": "math notranslate nohighlight", "tabindex": "0"}
    writer.body.append(writer.starttag(node, "div", "", **attributes))
    writer.body.append(node["set"] + "</div>\n")
    raise nodes.SkipNode


def drop_style(app, pagename, templatename, context, doctree):
    """Spare pages without formulas the style sheet; jupyter-book gives all of _static to all."""
    if doctree is None or not formulas(doctree):
        context["css_files"] = [
            style for style in context["css_files"] if STYLE not in str(style.filename)
        ]


def shorten_excerpts(app, error):
    """Let what the search shows of a page have a formula once: as MathML, without its source."""
    if error or app.builder.format != "html":
        return
    script = Path(app.outdir, "_static", "searchtools.js")
    text = script.read_text(encoding="utf-8")
    if EXCERPT[1] not in text:
        if EXCERPT[0] not in text:
            raise ValueError("searchtools.js no longer says what it leaves out of an excerpt")
        script.write_text(text.replace(*EXCERPT), encoding="utf-8")


def setup(app):
    """Take the place of Sphinx' own writers of formulas, which leave the work to the reader."""
    app.add_html_math_renderer(
        "katex", inline_renderers=(write_inline, None), block_renderers=(write_display, None)
    )
    app.connect("doctree-resolved", set_formulas)
    app.connect("html-page-context", drop_style)
    app.connect("build-finished", shorten_excerpts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
