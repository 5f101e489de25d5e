"""Directives that write what the chapters say about themselves: a list, two tables and a map.

`tools/chapters.py` reads it, so a new chapter appears in all of them by itself.
"""

import itertools
import sys
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # where the package `tools` is
import reader

from tools import chapter_map, chapters, worksheets


def chapter_list(page, book):
    """Return the chapters by part: title with its link, the sentence under it, its times."""
    place = nodes.container(classes=["chapter-list"])
    for part, group in itertools.groupby(book, key=lambda chapter: chapter.part):
        if part != book[0].part or part != book[-1].part:  # one part alone needs no name
            place += nodes.rubric("", part, level=3)
        for chapter in group:
            lines = [chapters.link(chapter), chapter.sentence, f"{chapters.times(chapter)}."]
            entry = page.parse_text_to_nodes("\n\n".join(lines))
            entry[0]["classes"].append("chapter-list-title")
            entry[-1]["classes"].append("chapter-list-time")
            picture = reader.thumbnail(chapter.path, Path(page.env.app.outdir, "_static/parts"))
            place += nodes.container("", nodes.raw("", picture, format="html"), *entry)
    return [place]


def draw_map(page, book):
    """Return the map of what builds on what, and the same in words."""
    drawing = nodes.raw("", chapter_map.draw(book), format="html")
    return [drawing, *page.parse_text_to_nodes(chapter_map.describe(book))]


WRITERS = {
    "chapter-list": chapter_list,
    "chapter-times": lambda page, book: page.parse_text_to_nodes(chapters.times_table(book)),
    "exercise-list": lambda page, book: page.parse_text_to_nodes(chapters.exercises_list(book)),
    "chapter-map": draw_map,
}


class Overview(SphinxDirective):
    """Any of these directives; the page is read again when a chapter or `_toc.yml` changes."""

    def run(self):
        """Return what the directive's name stands for."""
        toc = Path(self.env.srcdir, "_toc.yml")
        code = (__file__, chapters.__file__, chapter_map.__file__)
        for path in (toc, *chapters.chapters(toc), *code):
            self.env.note_dependency(str(path))
        try:
            return WRITERS[self.name](self, chapters.book(toc))
        except ValueError as error:
            raise self.error(str(error)) from None


def setup(app):
    """Register the directives."""
    for name in WRITERS:
        app.add_directive(name, Overview)
    app.connect("build-finished", lambda app, _: worksheets.write(Path(app.outdir, "worksheets")))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
