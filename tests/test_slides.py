"""Slides: every figure, question and claim on them stands in the chapter, and they need no network."""

import base64
import re

import nbformat
import pytest
from bs4 import BeautifulSoup

from tools import slides
from tools.chapters import chapters


def flat(text):
    return re.sub(r"\W+", "", text)


@pytest.fixture(scope="module", params=chapters(), ids=lambda path: path.stem)
def chapter(request):
    """A chapter's deck beside what its notebook shows: pictures, claims, text."""
    notebook = nbformat.read(request.param, as_version=4)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    pictures = {
        base64.b64decode(output.data["image/png"])
        for output in outputs
        if "image/png" in output.get("data", {})
    }
    printed = "".join(output.get("text", "") for output in outputs).splitlines()
    text = flat("\n".join(cell.source for cell in notebook.cells))
    return slides.deck(request.param.stem), pictures, {line.strip() for line in printed}, text


def test_what_is_on_a_slide_is_in_the_chapter(chapter):
    deck, pictures, printed, text = chapter
    shown = BeautifulSoup("".join(part for slide in deck for part in slide["parts"]), "html.parser")
    for image in shown.select("figure img"):
        assert base64.b64decode(image["src"].partition(",")[2]) in pictures
        assert image["alt"]
    claims = [line.get_text().strip() for line in shown.select("p") if line.get_text()[0] == "✓"]
    assert claims
    assert set(claims) <= printed
    questions = shown.select(".callout-predict")
    assert questions
    for question in questions:
        words = question.p.get_text().partition("Predict.")[2]
        assert question.find("math") or flat(words) in text
    kinds = {slide["kind"] for slide in deck}
    assert kinds >= {"title", "question", "figure", "take-aways"}
    assert deck[0]["kind"] == "title"


def test_a_deck_is_one_file(tmp_path):
    text = slides.write(chapters()[0].stem, tmp_path).read_text()
    loaded = re.findall(r'(?:src|href)="(?!data:|#)([^"]+)"', text)
    assert loaded == []
    assert "<link" not in text


def test_arrow_keys_turn_the_slides(browser, tmp_path):
    page = browser.new_page()
    page.goto(slides.write(chapters()[0].stem, tmp_path).as_uri())
    count = page.locator("section").count()
    shown = page.locator("section.shown")
    for keys, at in (
        (["ArrowLeft"], 1),
        (["ArrowRight", " "], 3),
        (["ArrowLeft"], 2),
        (["PageDown"] * count, count),
    ):
        for key in keys:
            page.keyboard.press(key)
        place = shown.evaluate("s => [...document.querySelectorAll('section')].indexOf(s) + 1")
        assert shown.count() == 1
        assert place == at
    page.close()
