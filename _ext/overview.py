"""The list of chapters on the first page."""

from docutils import nodes
from docutils.parsers.rst import Directive


def describe(app, doctree):
    """Keep what the list shows of a page: the sentence under its title, and its time."""
    data = app.env.metadata[app.env.docname]
    for paragraph in doctree.findall(nodes.paragraph):
        if isinstance(paragraph.parent, nodes.section):
            data["sentence"] = " ".join(paragraph.astext().split())
            break
    for item in doctree.findall(nodes.list_item):
        if item.astext().startswith("Time:"):
            data["time"] = item.astext().removeprefix("Time:").strip()


class ChapterList(Directive):
    """The chapters of the table of contents, each with its own sentence and time."""

    def run(self):
        """Leave a place that `fill_chapter_list` fills when all the pages are known."""
        return [nodes.container(classes=["chapter-list"])]


def fill_chapter_list(app, doctree, docname):
    """Write the list of chapters: title with link, description, time."""
    for place in doctree.findall(lambda n: isinstance(n, nodes.container)):
        if "chapter-list" not in place["classes"]:
            continue
        for chapter in app.env.toctree_includes.get(app.config.root_doc, []):
            if not app.env.doc2path(chapter).endswith(".ipynb"):
                continue
            data = app.env.metadata[chapter]
            title = nodes.paragraph(classes=["chapter-list-title"])
            link = nodes.reference(
                refuri=app.builder.get_relative_uri(docname, chapter), internal=True
            )
            link.append(nodes.Text(app.env.titles[chapter].astext()))
            title.append(link)
            place.append(title)
            place.append(nodes.paragraph(text=data.get("sentence", "")))
            place.append(nodes.paragraph(text=data.get("time", ""), classes=["chapter-list-time"]))


def setup(app):
    """Connect the list of chapters to Sphinx."""
    app.add_directive("chapter-list", ChapterList)
    app.connect("doctree-read", describe)
    app.connect("doctree-resolved", fill_chapter_list)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
