"""Make a deck of slides for each chapter from its page: `python -m tools.slides`, `make slides`.

Puzzle, questions, figures, ✓ claims and take-aways, in the chapter's order and words; nothing is
written by hand. Each deck is one file that needs nothing else.
"""

import base64
from pathlib import Path

import jinja2
from bs4 import BeautifulSoup

from tools.chapters import ROOT, chapters
from tools.serve import HTML

FOLDER = ROOT / "_build" / "slides"
MOST = {"figure": 3, "claims": 6, "take-aways": 6}  # claims, or take-aways, on a slide of this kind
PARTS = ".callout-predict, figure, .cell_output .line, .cell_output .row, #take-aways li"
TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".webp": "image/webp"}


def deck(slug):
    """Return the slides of a chapter's page as dictionaries: heading, kind, and their HTML."""
    page = HTML / "chapters" / f"{slug}.html"
    article = BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").article
    for part in article.select(".headerlink, details"):
        if part.summary is None or part.summary.get_text() != "How this was checked":
            part.decompose()
    for image in article.select("figure img"):
        image.attrs = {"src": inline(page.parent / image["src"]), "alt": image.get("alt", "")}
    for link in article.select("a"):
        link.unwrap()
    sentence = article.select_one("h1 + p").decode_contents()
    slides = [{"kind": "title", "heading": article.h1.get_text(), "parts": [f"<p>{sentence}</p>"]}]
    for part in article.select(PARTS):
        heading = part.find_previous(["h2", "h1"]).get_text()
        kind = "claims" if part.name == "span" else "take-aways" if part.name == "li" else "look"
        if kind == "claims" and not part.get_text().startswith("✓"):
            continue
        last, content = slides[-1], f"<p>{part.decode_contents()}</p>"
        # Claims stand with the figure that they follow, take-aways with each other.
        joins = kind == "claims" and last["kind"] in ("figure", "claims")
        joins = joins or kind == last["kind"] == "take-aways"
        if joins and last["heading"] == heading and len(last["parts"]) <= MOST[last["kind"]]:
            last["parts"].append(content)
            continue
        if kind == "look":
            kind, content = "figure" if part.name == "figure" else "question", str(part)
        slides.append({"kind": kind, "heading": heading, "parts": [content]})
    return slides


def inline(path):
    """Return a picture as an address that holds it."""
    data = base64.b64encode(path.read_bytes()).decode()
    return f"data:{TYPES[path.suffix]};base64,{data}"


def write(slug, folder=FOLDER):
    """Write a chapter's deck; return its file."""
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("slides.html.jinja")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{slug}.html"
    target.write_text(template.render(slides=deck(slug)), encoding="utf-8")
    return target


if __name__ == "__main__":
    files = [write(path.stem) for path in chapters()]
    print(f"{len(files)} decks in {FOLDER.relative_to(ROOT)}")
