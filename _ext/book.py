"""What no theme can know: addresses, descriptions, callouts, printed lines, images, folded cells."""

import base64
import re
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import imagesize
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.writers.html5 import HTML5Translator

CALLOUTS = {"Note.": "note", "Predict.": "predict", "Careful.": "careful"}
LOCKED = {"tensorflow-cpu": "TensorFlow", "keras": "Keras"}
SIGNS = re.compile(r"(?<=\d) (?=[%×±]|[–→] \d)|(?<=\d [–→]) (?=\d)|(?<=[×±]) (?=\d)")
DASHED = re.compile(r"\b[tTU]-(?:SNE|Net)|\d\xa0–\xa0\d|\d+(?:-\d+){2,}")
VERBATIM = (nodes.literal, nodes.literal_block, nodes.math, nodes.math_block)
LARGE = 20_000  # characters of a script or picture that gets a file of its own
SCRIPT = re.compile(rf"<script>((?:(?!</script>).){{{LARGE},}})</script>", re.DOTALL)
PICTURE = re.compile(rf'data:image/png;base64,([^"]{{{LARGE},}})')
DEFERRED = '<template data-script="{}"></template>'


def configure(app, config):
    """Set what follows from the lock and from the repository's address: GitHub Pages serves it."""
    url, branch = (config.html_theme_options[f"repository_{part}"] for part in ("url", "branch"))
    owner, name = urlsplit(url).path.strip("/").split("/")
    config.html_baseurl = config.ogp_site_url = f"https://{owner.lower()}.github.io/{name}/"
    config.notfound_urls_prefix = f"/{name}/"
    lock = Path(app.srcdir, "requirements.txt").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    config.html_context |= {"repository": url, "branch": branch, "author": config.author}
    config.html_context["checked_with"] = ", ".join(f"{LOCKED[k]} {versions[k]}" for k in LOCKED)
    config.html_theme_options = {"top_of_page_buttons": []}  # jupyter-book's are for its theme
    config.pygments_dark_style = "github-dark"  # _config.yml is read before Furo declares it


def describe(app, doctree):
    """Make the sentence under the title the description for search engines and for cards."""
    paragraphs = doctree.findall(nodes.paragraph)
    first = next((node for node in paragraphs if isinstance(node.parent, nodes.section)), None)
    if first:
        text = " ".join(first.astext().split())
        app.env.metadata[app.env.docname].setdefault("og:description", text)
        doctree.append(nodes.meta(name="description", content=text))


def mark_callouts(app, doctree):
    """Give a quotation that begins with a bold "Note." (or another callout) its class."""
    for quote in doctree.findall(nodes.block_quote):
        word = next((bold.astext() for bold in quote.findall(nodes.strong)), None)
        if word in CALLOUTS and quote.astext().startswith(word):
            quote["classes"] += ["callout", f"callout-{CALLOUTS[word]}"]


def forbid_breaks(app, doctree):
    """Keep "4 %", "784 – 30", "784-100-30", "± 2" and "t-SNE" on one line, and a formula on its comma's."""
    for element in doctree.findall(nodes.TextElement):
        if isinstance(element, VERBATIM) or "<script" in element.astext():
            continue
        for place, child in enumerate(element):
            if isinstance(child, nodes.Text):
                kept = SIGNS.sub("\N{NO-BREAK SPACE}", child)
                kept = DASHED.sub(
                    lambda word: re.sub("[-–]", "\\g<0>\N{WORD JOINER}", word[0]), kept
                )
                if place and isinstance(element[place - 1], nodes.math):
                    kept = re.sub(r"^(?=[.,;:!?)])", "\N{WORD JOINER}", kept)
                element[place] = nodes.Text(kept)


def mark_lines(app, doctree):
    """Mark printed lines, which wrap on a narrow screen."""
    for block in list(doctree.findall(nodes.literal_block)):
        if "stream" in block["classes"]:
            lines = block.astext().splitlines(keepends=True)
            block.rawsource = ""  # unlike its text, so Sphinx does not colour it as code
            block.children = []
            block.extend(nodes.inline("", line, classes=["line"]) for line in lines)


def move_large_parts(app, doctree, docname):
    """Move large scripts (which book.js loads when they are near) and pictures into files."""

    def moved(data, suffix):
        path = Path(app.outdir, "_static", "parts", f"{zlib.crc32(data):08x}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return "../" * docname.count("/") + f"_static/parts/{path.name}"

    for raw in doctree.findall(nodes.raw):
        text = SCRIPT.sub(lambda m: DEFERRED.format(moved(m[1].encode(), "js")), raw.astext())
        text = PICTURE.sub(lambda m: moved(base64.b64decode(m[1]), "png"), text)
        raw.children = [nodes.Text(text)]


def write_image(writer, node):
    """Write an image with its size, so that the text does not jump; the later ones come lazily."""
    width, height = imagesize.get(Path(writer.builder.srcdir, node["uri"]))
    lazy = node is not next(iter(writer.document.findall(nodes.image)))
    HTML5Translator.visit_image(writer, node)
    size = f'<img width="{width}" height="{height}" ' + 'loading="lazy" ' * lazy
    writer.body[-1] = writer.body[-1].replace("<img ", size, 1)


def open_folded_cell(writer, node):
    """Fold a cell behind the name that Colab shows: the one in its first line, "#@title ..."."""
    title = re.match(r"#\s?@title (.+)", next(node.findall(nodes.literal_block)).astext())
    name = writer.encode(title[1].strip() if title else "Show code")
    writer.body.append(f'<details class="hide"><summary>{name}</summary>\n')


def setup(app):
    """Connect the book's page processing to Sphinx."""
    app.add_config_value("comments_config", {}, "html")  # jupyter-book always sets it
    app.connect("config-inited", configure, priority=100)
    for mark in (describe, mark_callouts, forbid_breaks, mark_lines):
        app.connect("doctree-read", mark, priority=600)  # reader.py looks for words first
    app.connect("doctree-resolved", move_large_parts)
    # Every page at every build: titles in the others' navigation, and sphinx-sitemap, need it.
    app.connect("env-updated", lambda app, env: sorted(env.found_docs))
    app.add_node(nodes.image, override=True, html=(write_image, None))
    fold = (open_folded_cell, lambda writer, node: writer.body.append("</details>\n"))
    app.add_node(HideCodeCellNode, override=True, html=fold)
    # After a change here, no page is taken from the cache of an earlier build.
    return {"env_version": zlib.crc32(Path(__file__).read_bytes())}
