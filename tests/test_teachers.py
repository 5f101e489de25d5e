"""The lists, tables and the map of the chapters say what the chapters say about themselves."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import pytest
import yaml
from bs4 import BeautifulSoup

from tools import chapter_map, chapters
from tools.chapters import ROOT

BOOK = chapters.book()
SLUGS = [chapter.slug for chapter in BOOK]
NEW = {
    "title": "Less & more",
    "sentence": "After this chapter you can test a list of chapters.",
    "needs": "[stacked *autoencoders*](stacked-autoencoder.ipynb) and `a | b`",
}
START = f"""\
# {NEW["title"]}

{NEW["sentence"]}

- **You need:** {NEW["needs"]}.
- **You will learn:** to wait.
- **Time:** 7 minutes to read, about 8 seconds to run on two cores.
"""
EXERCISES = """\
## Exercises

**Exercise 1 (★, by hand): counting.** Count.

As in Exercise 1:

**Exercise 2 (★★, train, then compare): being patient, or not.** Wait.
"""


def write_chapter(path, *sources):
    """Write a notebook of Markdown cells, each as a list of lines, as nbformat does."""
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": source.splitlines(keepends=True)}
        for source in sources
    ]
    path.parent.mkdir(exist_ok=True)
    path.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 4})
    )
    return path


# Reading the chapters -----------------------------------------------------------------------------


def test_a_chapter_is_read(tmp_path):
    found = chapters.summary(write_chapter(tmp_path / "a-b.ipynb", START, "Words", EXERCISES), "I")
    assert found == chapters.Summary(
        path=tmp_path / "a-b.ipynb",
        part="I",
        title=NEW["title"],
        sentence=NEW["sentence"],
        needs=NEW["needs"],
        builds_on=("stacked-autoencoder",),
        learns="to wait",
        minutes=7,
        seconds=8,
        exercises=(
            chapters.Exercise(1, 1, "by hand", "counting"),
            chapters.Exercise(2, 2, "train, then compare", "being patient, or not"),
        ),
    )
    assert found.slug == "a-b"


def test_lines_that_are_wrapped_are_put_together(tmp_path):
    start = START.replace("After this chapter", "After\nthis chapter").replace(
        " and `a", "\n  and\n  `a"
    )
    found = chapters.summary(write_chapter(tmp_path / "a.ipynb", start))
    assert (found.sentence, found.needs) == (NEW["sentence"], NEW["needs"])


def test_the_list_may_stand_below_the_first_picture(tmp_path):
    title, _, listed = START.partition("\n- ")
    puzzle = title.replace(NEW["sentence"], "What is a chapter?")
    path = write_chapter(
        tmp_path / "a.ipynb", puzzle, "", "", "", f"{NEW['sentence']}\n\n- {listed}"
    )
    found = chapters.summary(path)
    assert (found.sentence, found.needs) == ("What is a chapter?", NEW["needs"])
    assert (found.learns, found.minutes, found.seconds) == ("to wait", 7, 8)


def test_the_list_must_not_stand_below_the_first_five_cells(tmp_path):
    title, _, listed = START.partition("\n- ")
    path = write_chapter(tmp_path / "a.ipynb", title, "", "", "", "", f"- {listed}")
    with pytest.raises(ValueError, match=r"lack \*\*You need:\*\*, \*\*You will"):
        chapters.summary(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("# A title\n\nTwo words, **and more**.", 6),
        ("It's a well-known fact.", 4),
        ("$k < d$ and\n\n$$a\n= b$$", 3),
        ("[a link](https://example.org/far/away)", 2),
        ("<details>\n<summary>Why?</summary>\n\nSo.\n\n</details>", 2),
        ("- · –", 0),
    ],
)
def test_words_are_counted(source, words):
    assert chapters.words(source) == words


def test_reading_time_counts_words_and_the_lines_that_a_reader_sees():
    def cell(kind, source, **metadata):
        return {"cell_type": kind, "metadata": metadata, "source": source}

    cells = [
        cell("markdown", ["word " * 225, "\n", "word " * 225]),
        cell("code", "a = 1\n\n" * 25),
        *(cell("code", "a = 1\n" * 99, tags=[tag]) for tag in chapters.FOLDED),
    ]
    assert chapters.reading_minutes({"cells": cells}) == 2 + 1


@pytest.mark.parametrize(
    ("old", "lacks"),
    [
        ("# Less & more\n", "a title and a sentence"),
        (NEW["sentence"], "a title and a sentence"),
        ("- **You need:**", r"\*\*You need:\*\*"),
        ("- **You will learn:** to wait.", r"\*\*You will learn:\*\*"),
        ("about 8 seconds", r"\*\*Time:\*\*"),
    ],
)
def test_what_a_chapter_lacks_is_named(tmp_path, old, lacks):
    assert old in START
    path = write_chapter(tmp_path / "a.ipynb", START.replace(old, ""))
    with pytest.raises(ValueError, match=rf"a\.ipynb: the first cells lack {lacks}"):
        chapters.summary(path)


def test_a_notebook_without_text_is_named(tmp_path):
    with pytest.raises(ValueError, match="a title"):
        chapters.summary(write_chapter(tmp_path / "a.ipynb"))


def test_the_table_of_contents_gives_order_and_parts(tmp_path):
    for name in "abcd":
        write_chapter(tmp_path / f"{name}.ipynb", START)
    toc = tmp_path / "_toc.yml"
    toc.write_text(
        "root: intro\n"
        "parts:\n"
        "- caption: One\n"
        "  chapters:\n"
        "  - file: b\n"
        "    sections: [{file: c}]\n"
        "- chapters: [{file: page}, {file: a}]\n"
    )
    assert [path.stem for path in chapters.chapters(toc)] == ["b", "c", "a"]
    assert [chapter.part for chapter in chapters.book(toc)] == ["One", "One", ""]
    toc.write_text("root: intro\nchapters: [{file: d}, {file: b}]\n")
    assert [path.stem for path in chapters.chapters(toc)] == ["d", "b"]


def test_the_book_is_read():
    files = re.findall(r"file: chapters/([\w-]+)", (ROOT / "_toc.yml").read_text())
    assert [slug for slug in files if (ROOT / "chapters" / f"{slug}.ipynb").exists()] == SLUGS
    for chapter in BOOK:
        assert set(chapter.builds_on) <= set(SLUGS), "the line “You need” links to other chapters"
        assert len(chapter.exercises) >= (2 if chapter.part == "Appendix" else 3)


def test_reading_the_book_imports_nothing_slow():
    code = "import sys, tools.chapters as c; c.book(); print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not {"tensorflow", "keras", "numpy", "nbformat", "sphinx"} & set(run.stdout.split())


# The map ------------------------------------------------------------------------------------------


def made_up(**needs):
    """Return chapters that build on each other, by their slugs; _ stands for a hyphen."""
    return [
        chapters.Summary(
            path=ROOT / f"{slug}.ipynb",
            part="",
            title=f"A title of {slug} that needs more than one line <b>",
            sentence="",
            needs="",
            builds_on=tuple(others.split()),
            learns="",
            minutes=1,
            seconds=1,
            exercises=(),
        )
        for slug, others in needs.items()
    ]


BOOKS = {
    "book": BOOK,
    "alone": made_up(a="", b=""),
    "chain": made_up(a="", b="a", c="b", d="c"),
    "star": made_up(a="", b="a", c="a", d="a", e="a"),
    "crossing": made_up(a="", b="", c="a", d="b", e="a b", f="c d e", g="a f"),
    "upwards": made_up(a="c", b="a", c=""),
    "elsewhere": made_up(a="not-in-the-book", b="a"),
    "parts": [
        replace(chapter, part=f"Part & {number // 2}")
        for number, chapter in enumerate(made_up(a="", b="a", c="a", d="b"))
    ],
}


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_the_map_shows_every_chapter_and_what_it_builds_on(book):
    svg = BeautifulSoup(chapter_map.draw(book), "html.parser")
    slugs = [chapter.slug for chapter in book]
    assert [link["href"] for link in svg("a")] == [f"{slug}.html" for slug in slugs]
    assert [link.text for link in svg("a")] == [chapter.title for chapter in book]
    tops = dict(zip(slugs, (float(link.rect["y"]) for link in svg("a")), strict=True))
    left = float(svg.rect["x"]) if book else 0
    drawn = {}
    for path in svg("path"):
        x0, y0, lane, y1, x1 = re.fullmatch(
            r"M(\S+) (\S+)H\S+Q(\S+) .*Q\S+ \S+ \S+ (\S+)H(\S+)m-6-4 6 4-6 4", path["d"]
        ).groups()
        assert (float(x0), float(x1)) == (left, left), "an arrow begins and ends at a box"
        start, end = path["data-from"], path["data-to"]
        assert 0 < float(y0) - tops[start] < chapter_map.HEIGHT
        assert 0 < float(y1) - tops[end] < chapter_map.HEIGHT
        assert 0 < float(lane) < left
        drawn[start, end] = float(lane), *sorted((float(y0), float(y1)))
    expected = {(o, c.slug) for c in book for o in c.builds_on if o in slugs}
    assert drawn.keys() == expected
    # Lines of different chapters must not run into each other.
    for (one, a), (other, b) in combinations(drawn.items(), 2):
        if one[0] != other[0] and a[0] == b[0]:
            assert a[2] < b[1] or b[2] < a[1], f"{one} and {other} share a line"


@pytest.mark.parametrize("book", BOOKS.values(), ids=BOOKS)
def test_the_map_fits_its_frame(book):
    svg = BeautifulSoup(chapter_map.draw(book), "html.parser").svg
    _, _, width, height = map(float, svg["viewbox"].split())
    ends = [0]
    for box in svg("rect"):
        assert float(box["y"]) >= ends[-1], "boxes do not overlap"
        ends.append(float(box["y"]) + float(box["height"]))
        assert float(box["x"]) + float(box["width"]) <= width
        for line in box.parent("tspan"):
            assert float(box["y"]) + 12 < float(line["y"]) < ends[-1] - 4
            # Nine pixels a letter are ample at this size.
            assert float(line["x"]) + 9 * len(line.text) < width
    assert ends[-1] <= height
    captions = [text for text in svg("text") if not text.find_parent("a")]
    parts = list(dict.fromkeys(chapter.part for chapter in book))
    assert [text.text for text in captions] == (parts if len(parts) > 1 else [])
    for text in captions:
        above = [float(box["y"]) + float(box["height"]) for box in svg("rect")]
        assert not any(end - chapter_map.HEIGHT < float(text["y"]) < end + 12 for end in above)
        assert any(0 < end - chapter_map.HEIGHT - float(text["y"]) < 20 for end in above)


def test_the_map_in_words():
    assert chapter_map.describe(made_up(a="", b="", c="a", d="a b", e="a")).replace(
        " that needs more than one line <b>", ""
    ) == (
        "<details><summary>The map in words</summary>\n\n*A title of a* and *A title of b* build on no other chapter. "
        "*A title of c* and *A title of e* build on *A title of a*. "
        "*A title of d* builds on *A title of a* and *A title of b*.\n\n</details>"
    )


# The pages ----------------------------------------------------------------------------------------

SETTINGS = """\
import sys
sys.path.insert(0, {ext!r})
extensions = ["myst_nb", "sphinx_external_toc", "overview"]
external_toc_path = "_toc.yml"
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath"]
nb_execution_mode = "off"
exclude_patterns = ["_build"]
html_theme = "basic"
suppress_warnings = ["myst.domains"]
"""


def build(folder):
    """Build the pages of a copy of the book in its plainest form."""
    return subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "-n", "-q", folder, folder / "_build" / "html"],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the book's text with a chapter more, of which only _toc.yml knows, built."""
    folder = tmp_path_factory.mktemp("book")
    for path in chapters.chapters():
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        write_chapter(folder / path.relative_to(ROOT), *texts)
    for path in [*(ROOT / "chapters").glob("*.md"), *(ROOT / "_static").glob("title-*.svg")]:
        (folder / path.relative_to(ROOT)).parent.mkdir(exist_ok=True)
        shutil.copy(path, folder / path.relative_to(ROOT))
    (folder / "conf.py").write_text(SETTINGS.format(ext=str(ROOT / "_ext")))
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    contents["parts"].insert(-1, {"caption": "More", "chapters": [{"file": "chapters/less-more"}]})
    (folder / "_toc.yml").write_text(yaml.safe_dump(contents))
    write_chapter(folder / "chapters" / "less-more.ipynb", START, EXERCISES)
    result = build(folder)
    assert result.returncode == 0, result.stderr
    return folder


def page(folder, name):
    """Return a built page's text."""
    html = (folder / "_build" / "html" / "chapters" / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(html, "html.parser").find(role="main")


def rows(table):
    """Return a table's rows as lists of (words, addresses of links)."""
    return [
        [(cell.text.strip(), [link["href"] for link in cell("a")]) for cell in row("td")]
        for row in table.tbody("tr")
    ]


def test_a_new_chapter_is_in_the_list(copy):
    found = page(copy, "intro").select_one(".chapter-list")
    titles = found.select(".chapter-list-title a")
    assert [link["href"] for link in titles] == [f"{slug}.html" for slug in [*SLUGS, "less-more"]]
    assert [link.text for link in titles[:-1]] == [chapter.title for chapter in BOOK]
    assert titles[-1].text == NEW["title"]
    entry = titles[-1].find_parent("p").find_next_siblings("p")
    assert [words.text for words in entry] == [
        NEW["sentence"],
        "7 minutes to read, about 8 seconds to run on two cores.",
    ]
    assert entry[-1]["class"] == ["chapter-list-time"]
    assert [part.text for part in found("h3")] == [*dict.fromkeys(c.part for c in BOOK), "More"]
    assert page(copy, "intro").find(id="the-chapters"), "README.md links there"


def test_a_new_chapter_is_in_the_table_of_times(copy):
    found = rows(page(copy, "for-teachers")("table")[0])
    assert [row[0] for row in found[:-1]] == [(c.title, [f"{c.slug}.html"]) for c in BOOK]
    assert found[-1] == [
        (NEW["title"], ["less-more.html"]),
        ("7\N{NO-BREAK SPACE}min, 8\N{NO-BREAK SPACE}s", []),
        ("stacked autoencoders and a | b", ["stacked-autoencoder.html"]),
    ]


def test_the_exercises_of_a_new_chapter_are_in_the_list(copy):
    items = page(copy, "for-teachers").select("li > ul > li")
    assert all(item.a["href"].endswith(".html") for item in items)
    assert len(items) == sum(len(chapter.exercises) for chapter in BOOK) + 2
    kinds = {item.text.strip(): item.find_parent("li").strong.text for item in items}
    assert kinds["counting: Less & more, 1\N{NO-BREAK SPACE}(★)"] == "By hand"
    patient = "being patient, or not: Less & more, 2\N{NO-BREAK SPACE}(★★)"
    assert kinds[patient] == "Train, then compare"


def test_a_new_chapter_is_on_the_map(copy):
    svg = page(copy, "intro").select_one("svg.chapter-map")
    assert svg.find("a", href="less-more.html").text == NEW["title"]
    assert svg.find("path", {"data-from": "stacked-autoencoder", "data-to": "less-more"})
    assert "More" in [text.text for text in svg("text")], "the caption of its part"
    (fold,) = (d for d in page(copy, "intro")("details") if d.summary.text == "The map in words")
    assert re.search(rf"{NEW['title']} builds? on Stacked autoencoders\.", fold.text)


def test_a_chapter_that_lacks_its_time_fails_the_build_and_is_named(copy):
    """Without being rebuilt from scratch, so the pages are read again when a chapter changes."""
    path = copy / "chapters" / "less-more.ipynb"
    write_chapter(path, START.replace("8 seconds", "some seconds"), EXERCISES)
    result = build(copy)
    write_chapter(path, START, EXERCISES)
    assert result.returncode != 0
    assert "less-more.ipynb: the first cells lack **Time:**" in result.stderr


def test_every_page_leads_to_the_glossary():
    for path in (ROOT / "chapters").glob("*.md"):
        if path.stem != "glossary":
            assert "(glossary.md)" in path.read_text(encoding="utf-8"), path.name
