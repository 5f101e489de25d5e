"""What the Markdown pages say about the chapters is what the chapters say about themselves."""

import re
import xml.etree.ElementTree as ET

import pytest

from helpers import read_result
from tests.chapter_rules import Chapter
from tools.normalise import ROOT
from tools.run import chapters

FOLDER = ROOT / "chapters"
BOOK = {path.stem: Chapter.read(path) for path in chapters()}
TEACHERS = (FOLDER / "for-teachers.md").read_text(encoding="utf-8")
MAP = ROOT / "_static" / "chapter-map.svg"
SVG = "{http://www.w3.org/2000/svg}"


def title(chapter):
    return chapter.headings[0][1]


def needs(chapter):
    """Return the slugs that a chapter's line "You need" links to."""
    line = re.search(r"\*\*You need:\*\*.*", chapter.cells[0].source)[0]
    return re.findall(r"\(([\w-]+)\.ipynb\)", line)


@pytest.mark.parametrize("slug", BOOK)
def test_the_times_are_the_chapters(slug):
    read, run = re.search(r"(\d+) minutes.*?(\d+) seconds", BOOK[slug].cells[0].source).groups()
    row = f"| [{title(BOOK[slug])}]({slug}.ipynb) | {read} | {run} |"
    assert row in TEACHERS, f"chapters/for-teachers.md, Time and prerequisites, must have: {row}"


@pytest.mark.parametrize("slug", BOOK)
def test_the_seconds_are_about_those_measured(slug):
    """Within a fifth of what benchmarks/chapters.py measured, which varies so much by itself."""
    stated = int(re.search(r"(\d+) seconds", BOOK[slug].cells[0].source)[1])
    measured = read_result("chapters")["chapters"][slug]["seconds"]
    assert 0.8 < stated / measured < 1.2, f"{slug}: {measured} seconds were measured"


@pytest.mark.parametrize("slug", BOOK)
def test_every_exercise_has_its_purpose(slug):
    stars = re.findall(r"^\*\*Exercise (\d+) \((★+)\)", BOOK[slug].section("Exercises"), re.M)
    rows = re.findall(r"^\| ([\w ]+), (\d+) \((★+)\) \|", TEACHERS, re.M)
    words = title(BOOK[slug]).lower()
    # A row names its chapter by words of its title, in short.
    mine = [row[1:] for row in rows if set(row[0].lower().split()) <= set(words.split())]
    assert mine == stars, f"chapters/for-teachers.md, Which exercise for what: {slug} has {stars}"


def test_the_map_shows_every_chapter_and_what_it_needs():
    root = ET.parse(MAP).getroot()
    shown = {
        text.get("data-chapter"): " ".join("".join(text.itertext()).split())
        for text in root.iter(f"{SVG}text")
    }
    arrows = {
        (path.get("data-from"), path.get("data-to"))
        for path in root.iter(f"{SVG}path")
        if path.get("data-to")
    }
    for slug, chapter in BOOK.items():
        assert shown.get(slug) == title(chapter), f"{MAP.name} does not show {slug}"
        expected = {(other, slug) for other in needs(chapter)}
        found = {arrow for arrow in arrows if arrow[1] == slug}
        assert found == expected, f"{MAP.name}: {slug} says that it needs {needs(chapter)}"
    words = root.find(f"{SVG}desc").text
    assert all(name in words for name in shown.values())


def test_every_page_leads_to_the_glossary():
    for page in FOLDER.glob("*.md"):
        if page.stem != "glossary":
            assert "(glossary.md)" in page.read_text(encoding="utf-8"), page.name
