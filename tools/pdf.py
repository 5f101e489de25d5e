"""Print the built pages as one PDF: `python -m tools.pdf [slug ...]`, `make pdf` for the whole book.

The pages' articles become one document, which Chromium prints: once to learn on which sheet each
heading falls, and once more with these numbers in the contents.
"""

import io
import re
import sys
import time
import tomllib
import unicodedata
from pathlib import Path
from urllib.parse import urljoin

import jinja2
import yaml
from bs4 import BeautifulSoup
from pypdf import PdfReader

from tools.browser import CHROMIUM, MISSING, start_browser
from tools.chapters import ROOT, files
from tools.pdf_size import polish
from tools.serve import HTML, serve

PDF = HTML / "autoencoders-measured.pdf"
CLOSING = {"What can go wrong", "Take-aways", "Quiz", "Exercises", "Further reading"}
SOLUTION = re.compile(r"Solution (\d+)$")
# What serves readers on a screen.
SCREEN = "nav, script, template, noscript, .headerlink, .copybtn, .title-picture, a[download]"
FIRST = "intro"  # what the title page shows is there
MOST_BYTES = 15e6
SHORT = 8  # lines of code or output that stay together
TALL = 0.75  # from this height over width on, a figure gets more room
PLAIN = ".highlight :is(.n, .nn, .o, .p, .w)"  # what has no colour of its own in code


def book_pages(toc=ROOT / "_toc.yml"):
    """Return the book's pages in order, as pairs (caption of the part, slug of the page)."""
    contents = yaml.safe_load(toc.read_text(encoding="utf-8"))
    pages = [("", Path(contents["root"]).name)]
    for part in contents["parts"]:
        pages += [(part["caption"], Path(name).name) for name in files(part)]
    return pages


def parse(slug):
    """Return a built page, parsed."""
    text = (HTML / f"chapters/{slug}.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def prepare(soup, slug, slugs):
    """Return a page's article for paper: anchors unique in the book (`slugs`), solutions last."""
    article = soup.article
    for part in article.select(SCREEN):
        part.decompose()
    for image in article.select("img"):
        image["loading"] = "eager"
        if float(image.get("height", 0)) > TALL * float(image.get("width", 1)):
            image["class"] = [*image.get("class", []), "tall"]
    for box in article.select("div.highlight"):
        if box.get_text().strip().count("\n") < SHORT:
            box["class"] = [*box.get("class", []), "short"]
    move_solutions(soup, article, slug)
    for folded in article.select("details.hide"):
        folded.decompose()
    for span in article.select(PLAIN):  # every one would be a node of the file's structure
        span.unwrap()
    article.smooth()
    for tag in article.find_all(id=True):
        tag["id"] = f"{slug}--{tag['id']}"
    article["id"], article["style"] = slug, f"page: {slug}"
    for link in article.select("a[href]"):
        if "://" not in link["href"]:
            page, _, anchor = link["href"].partition("#")
            page = Path(page).stem or slug
            if page in slugs:
                link["href"] = f"#{page}--{anchor}" if anchor else f"#{page}"
            else:
                link["href"] = urljoin(
                    soup.select_one('link[rel="canonical"]')["href"], link["href"]
                )
    return article


def find_flaws(data, articles):
    """Yield what is wrong with the PDF (bytes) of some articles: it must be whole, and small."""
    if len(data) > MOST_BYTES:
        yield f"{len(data) / 1e6:.1f} MB; at most {MOST_BYTES / 1e6:.0f} are allowed"
    reader = PdfReader(io.BytesIO(data))
    places = {name.lstrip("/"): place for name, place in reader.named_destinations.items()}
    marks = {entry.title for entry in reader.outline if not isinstance(entry, list)}
    for article in articles:
        if article.h1.get_text() not in marks:
            yield f"no bookmark leads to {article['id']}"
        sheet = reader.pages[reader.get_destination_page_number(places[article["id"]])]
        if flatten(article.select_one("h1 + p").get_text()) not in flatten(sheet.extract_text()):
            yield f"what {article['id']} begins with is not found on its sheet"
    for page in reader.pages:
        for link in (note.get_object() for note in page.get("/Annots", [])):
            address = link.get("/A", {}).get("/URI", "")
            place = link.get("/Dest", "").lstrip("/")
            if not (address.startswith("https://") or place in places):
                yield f"a link leads nowhere: {address or place}"


def move_solutions(soup, article, slug):
    """Move the solutions to the end of a chapter, and leave links in their places."""
    last = soup.new_tag("section", id="solutions")
    for summary in article.select("details.hide > summary"):
        if not (found := SOLUTION.match(summary.get_text(strip=True))):
            continue
        cell = summary.find_parent("div", class_="cell")
        link = soup.new_tag("a", href=f"#solution-{found[1]}", string=found[0])
        cell.insert_before(line := soup.new_tag("p", attrs={"class": "to-solution"}))
        line.append(link)
        place = soup.new_tag("section", id=f"solution-{found[1]}")
        summary.parent.unwrap()
        summary.decompose()
        place.extend([soup.new_tag("h3", string=found[0]), cell.extract()])
        last.append(place)
    if last.contents:
        last.insert(0, soup.new_tag("h2", string="Solutions"))
        article.section.append(last)


def flatten(text):
    """Return a text without spaces and ligatures."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def list_contents(pages, articles):
    """Yield the lines of the contents: (part if it begins here, anchor, title, its sections)."""
    last = ""
    for (part, slug), article in zip(pages, articles, strict=True):
        sections = [
            (heading.parent["id"], heading.get_text())
            for heading in article.select("section > h2")
            if heading.get_text() not in CLOSING and heading.parent.get("id")
        ]
        yield part if part != last else "", slug, article.h1.get_text(), sections
        last = part


def print_book(slugs=(), browser=None):
    """Return the PDF of some pages, by default of all.

    Args:
        slugs: list of str, the pages' names.
        browser: Playwright's browser, by default a new one.

    Returns:
        (bytes, list of str): the file, and what is wrong with it.
    """
    if not browser:
        with start_browser() as started:
            return print_book(slugs, started)
    pages = [page for page in book_pages() if not slugs or page[1] in slugs]
    first, soups = parse(FIRST), [parse(slug) for _, slug in pages]
    sheets = [str(link) for soup in soups for link in soup.select('link[rel="stylesheet"]')]
    styles = list(dict.fromkeys(sheets))
    names = [slug for _, slug in pages]
    articles = [prepare(soup, slug, names) for soup, slug in zip(soups, names, strict=True)]
    loader = jinja2.FileSystemLoader(Path(__file__).parent)
    template = jinja2.Environment(loader=loader, autoescape=True).get_template("pdf.html.jinja")

    def render(numbers):
        return template.render(
            styles=styles,
            title="Autoencoders, Measured",
            sentence=first.select_one("h1 + p").get_text(),
            picture=first.select_one(".title-picture"),
            foot=first.select(".book-footer p")[-1].decode_contents(),
            version=tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"],
            contents=list(list_contents(pages, articles)),
            numbers=numbers,
            articles=articles,
        )

    numbers, flaws = {}, []
    with serve(prefix="/") as address:
        page = browser.new_page()
        page.set_default_timeout(600_000)  # ms: on a busy machine the whole takes minutes
        page.emulate_media(media="print", color_scheme="light")
        page.goto(address + f"chapters/{FIRST}.html")
        for is_last in (False, True):
            page.set_content(render(numbers), wait_until="load")
            page.evaluate("document.fonts.ready")
            data = page.pdf(
                prefer_css_page_size=True, print_background=True, outline=is_last, tagged=is_last
            )
            reader = PdfReader(io.BytesIO(data))
            found = {
                name.lstrip("/"): reader.get_destination_page_number(place) + 1
                for name, place in reader.named_destinations.items()
            }
            if is_last and found != numbers:
                flaws.append("the contents have other numbers than the sheets")
            numbers = found
        page.close()
    texts = [heading.get_text() for article in articles for heading in article.select("h1, h2, h3")]
    data = polish(data, {"".join(text.split()): " ".join(text.split()) for text in texts})
    return data, [*flaws, *find_flaws(data, articles)]


def main(slugs):
    """Write the PDF and say how large it is; return the exit status."""
    if not CHROMIUM:
        print(f"Chromium prints the PDF. {MISSING}", file=sys.stderr)
        return 1
    start = time.monotonic()
    data, flaws = print_book(slugs)
    PDF.write_bytes(data)
    pages, size = len(PdfReader(PDF).pages), PDF.stat().st_size / 1e6
    print(
        f"{PDF.relative_to(ROOT)}: {pages} pages, {size:.1f} MB, {time.monotonic() - start:.0f} s"
    )
    print("\n".join(flaws), file=sys.stderr, end="\n" if flaws else "")
    return 1 if flaws else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
