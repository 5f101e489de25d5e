"""The book as a PDF: whole, searchable, with bookmarks and links. `make pdf` checks the whole alike."""

import io
import re
import zlib

import pytest
from PIL import Image, ImageDraw
from pypdf import PdfReader, PdfWriter
from pypdf.generic import NameObject, NumberObject, StreamObject

from tools import pdf, pdf_size
from tools.chapters import ROOT, chapters
from tools.serve import HTML

TWO = ["where-the-time-goes", "saving-tied-models"]


@pytest.fixture(scope="module")
def printed(browser):
    """Two short chapters."""
    if not (HTML / "chapters" / f"{TWO[0]}.html").is_file():
        pytest.fail("the pages are not built: make book")
    return pdf.print_book(TWO, browser)


def test_two_chapters_are_whole(printed):
    data, flaws = printed
    assert flaws == []
    reader = PdfReader(io.BytesIO(data))
    text = "\n".join(page.extract_text() for page in reader.pages)
    for words in ("Contents", "Solution 3", "What to expect", "Version"):
        assert words in text
    assert "title Solution" in text  # with its code
    assert "title Set-up" not in text  # what a page folds is left out
    assert "/StructTreeRoot" in reader.root_object  # for screen readers
    contents = reader.pages[1].extract_text()
    for article in TWO:  # the contents say on which sheet it begins
        page = reader.get_destination_page_number(reader.named_destinations[f"/{article}"]) + 1
        assert re.search(rf"\b{page}\b", contents)


def test_flaws_would_be_found(printed):
    names = [slug for _, slug in pdf.book_pages() if slug in TWO]
    articles = [pdf.prepare(pdf.parse(slug), slug, TWO) for slug in names]
    bare = PdfWriter()
    for page in PdfReader(io.BytesIO(printed[0])).pages:
        bare.add_page(page)  # neither bookmarks nor names of places
    for slug in TWO:
        bare.add_named_destination(slug, 0)
    target = io.BytesIO()
    bare.write(target)
    flaws = "\n".join(pdf.find_flaws(target.getvalue(), articles))
    assert "no bookmark leads to" in flaws
    assert "is not found on its sheet" in flaws
    assert "a link leads nowhere" in flaws
    assert "MB" in next(pdf.find_flaws(b"%PDF" + bytes(int(pdf.MOST_BYTES)), []))


def test_the_book_has_every_chapter():
    slugs = [slug for _, slug in pdf.book_pages()]
    assert slugs[0] == pdf.FIRST
    assert {path.stem for path in chapters()} < set(slugs)
    assert all(list(ROOT.glob(f"chapters/{slug}.*")) for slug in slugs)


@pytest.mark.parametrize("slug", [slug for _, slug in pdf.book_pages()])
def test_links_on_paper_lead_to_the_web_or_into_the_file(slug):
    article = pdf.prepare(pdf.parse(slug), slug, [name for _, name in pdf.book_pages()])
    addresses = [link["href"] for link in article.select("a[href]")]
    assert [a for a in addresses if not a.startswith(("https://", "#"))] == []


def test_a_picture_with_a_palette_looks_the_same():
    picture = Image.new("RGBA", (60, 40))  # transparent
    ImageDraw.Draw(picture).rectangle((10, 10, 30, 30), fill=(53, 119, 197, 255))
    white = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
    writer = PdfWriter()
    stored = StreamObject()
    mask = StreamObject()
    for stream, image, kind in (
        (stored, picture.convert("RGB"), "RGB"),
        (mask, picture.getchannel("A"), "Gray"),
    ):
        stream.set_data(image.tobytes())
        names = {"/Subtype": "/Image", "/ColorSpace": f"/Device{kind}"}
        sizes = {"/Width": 60, "/Height": 40, "/BitsPerComponent": 8}
        stream.update({NameObject(k): NameObject(v) for k, v in names.items()})
        stream.update({NameObject(k): NumberObject(v) for k, v in sizes.items()})
    stored[NameObject("/SMask")] = writer._add_object(mask)
    pdf_size.use_palette(stored, writer)
    assert "/SMask" not in stored
    shown = Image.frombytes("P", picture.size, zlib.decompress(stored._data))
    shown.putpalette(stored["/ColorSpace"][3])
    assert shown.convert("RGB").tobytes() == white.tobytes()
