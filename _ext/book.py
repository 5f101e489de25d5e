"""The book's own Sphinx extension: addresses, callouts, descriptions, buttons and images.

Everything here shapes pages while they are built; no page needs a script for it.
"""

import base64
import hashlib
import html
import re
import zlib
from pathlib import Path
from urllib.parse import urlsplit

import imagesize
from docutils import nodes
from sphinx.transforms import SphinxTransform

CALLOUTS = {"Note.": "note", "Predict.": "predict", "Careful.": "careful"}
LARGE = 20_000  # characters of a script or picture that gets a file of its own
# Loads a script when the place where it stands comes near.
LATE = """<script>
(({ parentElement: place }) => {
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    place.append(Object.assign(document.createElement("script"), { src: "%s" }));
  }, { rootMargin: "3000px" }).observe(place);
})(document.currentScript);
</script>"""
# Code in the text's own colour, about half of the elements of a page.
PLAIN = re.compile(r'<span class="(?:n|p|w)">([^<]*)</span>')
# What a cell printed, but for the empty element that Pygments puts first.
PRINTED = re.compile(
    r'(<div class="output stream [^>]*><div [^>]*><pre><span></span>)(.*?)(?=</pre>)', re.S
)
COLUMNS = re.compile(r"(?:^|\S) {2,}\S")
LOCKED = {"tensorflow-cpu": "TensorFlow", "keras": "Keras"}


def configure(app, config):
    """Set what follows from other settings: the site's address, and the theme's parts."""
    owner, repository = (
        urlsplit(config.html_theme_options["repository_url"]).path.strip("/").split("/")
    )
    # GitHub Pages serves owner/repository there.
    config.html_baseurl = config.ogp_site_url = f"https://{owner.lower()}.github.io/{repository}/"
    config.notfound_urls_prefix = f"/{repository}/"
    config.html_context["default_mode"] = "auto"
    config.html_theme_options |= {
        "article_header_end": ["book-buttons.html"],
        "footer_content_items": ["book-footer.html"],
        "show_toc_level": 2,
        "back_to_top_button": False,
    }


class Callouts(SphinxTransform):
    """Give a quotation that begins with a bold "Note." (or another callout) its class."""

    default_priority = 400

    def apply(self):
        """Mark the callouts of one document."""
        for quote in self.document.findall(nodes.block_quote):
            strong = next(iter(quote.findall(nodes.strong)), None)
            first = quote.next_node(nodes.paragraph)
            # An empty text may come first.
            begins = first and next((child for child in first if child.astext()), None) is strong
            if strong and begins and strong.astext() in CALLOUTS:
                quote["classes"] += ["callout", f"callout-{CALLOUTS[strong.astext()]}"]


class LinesBreakWell(SphinxTransform):
    """Keep "4 %" on one line, and a formula on that of the comma after it."""

    default_priority = 400

    def apply(self):
        """Put characters that forbid a break into the text of one document."""
        verbatim = (nodes.literal, nodes.math, nodes.literal_block, nodes.math_block)
        for element in self.document.findall(nodes.TextElement):
            if isinstance(element, verbatim):
                continue
            for place, child in enumerate(element):
                if not isinstance(child, nodes.Text):
                    continue
                kept = re.sub(r"(?<=\d) (?=[%×])|(?<=×) (?=\d)", "\N{NO-BREAK SPACE}", child)
                if place and isinstance(element[place - 1], nodes.math):
                    kept = re.sub(r"^(?=[.,;:!?)])", "\N{WORD JOINER}", kept)
                if kept != child:
                    element[place] = nodes.Text(kept)


def describe(app, doctree):
    """Keep what other pages show of this one: the sentence under its title, and its times.

    The sentence is the page's description for search engines, for cards and in the chapter list.
    """
    paragraph = next(
        (
            node
            for node in doctree.findall(nodes.paragraph)
            if isinstance(node.parent, nodes.section)
        ),
        None,
    )
    if paragraph is not None:
        text = " ".join(paragraph.astext().split())
        app.env.metadata[app.env.docname].setdefault("og:description", text)
    for item in doctree.findall(nodes.list_item):
        if item.astext().startswith("Time:"):
            app.env.metadata[app.env.docname]["time"] = item.astext().removeprefix("Time:").strip()


def name_folded_cells(app, doctree):
    """Give a folded cell the name that Colab shows: the one in its first line, "#@title ..."."""
    for cell in doctree.findall(lambda node: "prompt_show" in getattr(node, "attributes", {})):
        code = next(iter(cell.findall(nodes.literal_block)), None)
        if code and (title := re.match(r"#\s?@title (.+)", code.astext())):
            cell["prompt_show"] = cell["prompt_hide"] = title[1].strip()


def write_all(app, env):
    """Write every page at every build.

    Otherwise a build after a small change leaves old titles in the other pages' navigation, and
    sphinx-sitemap lists only the pages that were written.
    """
    return sorted(env.found_docs)


def links(app, pagename):
    """Return the buttons at the top of a page."""
    if pagename not in app.env.found_docs:
        return []
    url = app.config.html_theme_options["repository_url"].rstrip("/")
    branch = app.config.html_theme_options["repository_branch"]
    source = app.env.doc2path(pagename, base=False)
    found = []
    if source.endswith(".ipynb"):
        name = urlsplit(url).path.strip("/")
        colab = f"https://colab.research.google.com/github/{name}/blob/{branch}/{source}"
        found += [
            {
                "text": "Open in Colab",
                "url": colab,
                "title": "Run this chapter in your browser",
                "main": True,
            },
            {
                "text": "Download",
                "url": f"{url}/raw/{branch}/{source}",
                "title": "The notebook, to run on your own machine",
            },
        ]
    return [
        *found,
        {
            "text": "Edit",
            "url": f"{url}/edit/{branch}/{source}",
            "title": "Suggest a change to this page",
        },
        {
            "text": "Report",
            "url": f"{url}/issues/new?title=In%20{source}%3A%20",
            "title": "Report a mistake on this page",
        },
    ]


def checked_with(app):
    """Return the versions that the stored outputs are checked with: the locked ones."""
    lock = Path(app.srcdir, "requirements.lock").read_text(encoding="utf-8")
    versions = dict(re.findall(r"^([\w.-]+)==([\w.]+)", lock, re.MULTILINE))
    return ", ".join(f"{name} {versions[key]}" for key, name in LOCKED.items() if key in versions)


def size_images(app, body):
    """Give every image its size, so that the text does not jump, and load the later ones lazily."""
    sources = {
        Path(name).name: Path(app.srcdir, path) for path, (_, name) in app.env.images.items()
    }
    count = 0

    def add(match):
        nonlocal count
        count += 1
        source = sources.get(Path(match[1]).name)
        width, height = imagesize.get(source) if source else (-1, -1)
        size = f' width="{width}" height="{height}"' if width > 0 else ""
        lazy = ' loading="lazy" decoding="async"' if count > 1 else ""
        return f"{match[0]}{size}{lazy}"

    return re.sub(r'<img (?:[^>]*? )?src="([^"]+)"', add, body)


def lighten(app, context):
    """Move large inline scripts and pictures (the explorer's) into files, and return the body.

    The page can show before they arrive. The script finds its place by name, so it may run later:
    when a reader comes near.
    """

    def moved(data, suffix):
        name = f"_static/parts/{hashlib.sha256(data).hexdigest()[:12]}.{suffix}"
        path = Path(app.outdir, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return context["pathto"](name, 1)

    def script(match):
        if len(match[1]) < LARGE:
            return match[0]
        return LATE % moved(match[1].encode(), "js")

    def picture(match):
        if len(match[1]) < LARGE:
            return match[0]
        return f'src="{moved(base64.b64decode(match[1]), "png")}"'

    body = re.sub(r"<script>(.*?)</script>", script, context["body"], flags=re.DOTALL)
    return re.sub(r'src="data:image/png;base64,([^"]+)"', picture, body)


def wrap_sentences(body):
    """Let printed sentences wrap on a narrow screen; a line of a table keeps its columns."""

    def wrapped(match):
        lines = match[2].splitlines(keepends=True)
        marked = (
            line
            if COLUMNS.search(line) or not line.strip()
            else f'<span class="line">{line}</span>'
            for line in lines
        )
        return match[1] + "".join(marked)

    return PRINTED.sub(wrapped, body)


def deferred(script):
    """Return a script that lets the page show before it runs; such scripts keep their order."""
    name = str(getattr(script, "filename", None) or "")
    if not name or "documentation_options" in name or "async" in script.attributes:
        return script
    # A new object: Sphinx gives the same ones to every page.
    attributes = script.attributes | {"defer": "defer"}
    return type(script)(script.filename, priority=script.priority, **attributes)


def complete_page(app, pagename, templatename, context, doctree):
    """Fill in what the templates show, and finish the page's body."""
    context["book_links"] = links(app, pagename)
    if pagename != "search":  # its inline script needs the others at once
        context["script_files"] = [deferred(script) for script in context["script_files"]]
    context["checked_with"] = checked_with(app)
    context["author"] = app.config.author
    if doctree is None:
        return
    context["body"] = lighten(app, context)
    context["body"] = size_images(app, context["body"])
    context["body"] = wrap_sentences(PLAIN.sub(r"\1", context["body"]))
    # The words to be seen are the name of what unfolds a cell, for voice control too.
    context["body"] = context["body"].replace(' aria-label="Toggle hidden content"', "")
    if description := app.env.metadata[pagename].get("og:description"):
        context["metatags"] += f'<meta name="description" content="{html.escape(description)}" />\n'


def setup(app):
    """Connect the book's page processing to Sphinx."""
    # jupyter-book always sets it, for an extension that the book does not load.
    app.add_config_value("comments_config", {}, "html")
    app.add_transform(Callouts)
    app.add_transform(LinesBreakWell)
    app.connect("config-inited", configure, priority=100)
    app.connect("doctree-read", describe)
    app.connect("doctree-read", name_folded_cells)
    app.connect("env-updated", write_all)
    # After the theme's own handlers, which set some of the same names.
    app.connect("html-page-context", complete_page, priority=900)
    # After a change here, no page is taken from the cache of an earlier build.
    version = zlib.crc32(Path(__file__).read_bytes())
    return {"env_version": version, "parallel_read_safe": True, "parallel_write_safe": True}
