"""What every thing to move must do, in a real browser: themes, widths, print, no scripts, any host."""

import itertools
import json
from html.parser import HTMLParser

import numpy as np
import pytest

from helpers import explorer_parts
from tests.sample_explorers import MAKERS, sample

WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
DARK, LIGHT = "rgb(0, 0, 0)", "rgb(255, 255, 255)"

pytestmark = [
    pytest.mark.parametrize("name", MAKERS),
    pytest.mark.depends_on("helpers/*", "tests/sample_explorers.py", "tools/browser.py"),
]


def test_axe_finds_nothing(open_page, name):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(sample(name).html)
    for theme, viewport in itertools.product(("light", "dark"), (WIDE, NARROW)):
        page.evaluate("(theme) => { document.documentElement.dataset.theme = theme; }", theme)
        page.set_viewport_size(viewport)
        found = axe.run(page, context="main")
        assert found.violations_count == 0, found.generate_report()
        assert "color-contrast" in {rule["id"] for rule in found.response["passes"]}


# Where a host says its theme, what it says, what the system says, and the ground that must come.
THEMES = [
    ("html", {}, "light", LIGHT),
    ("html", {}, "dark", DARK),
    ("html", {"data-theme": "dark"}, "light", DARK),
    ("html", {"data-theme": "light"}, "dark", LIGHT),
    ("body", {"data-theme": "dark"}, "light", DARK),
    ("body", {"data-theme": "light"}, "dark", LIGHT),
    ("html", {"theme": "dark"}, "light", DARK),
    ("body", {"data-jp-theme-light": "false"}, "light", DARK),
    ("body", {"data-jp-theme-light": "true"}, "dark", LIGHT),
]
SAY = """([place, words]) => {
  for (const part of [document.documentElement, document.body])
    for (const name of ['theme', 'data-theme', 'data-jp-theme-light']) part.removeAttribute(name);
  for (const [name, value] of Object.entries(words)) document.querySelector(place).setAttribute(name, value);
}"""


def test_it_follows_the_theme(open_page, name):
    page = open_page(sample(name).html)
    root = page.locator(".explorer").first
    for place, words, system, colour in THEMES:
        page.emulate_media(color_scheme=system)
        page.evaluate(SAY, [place, words])
        ground = root.evaluate("(e) => getComputedStyle(e).backgroundColor")
        assert ground == colour, (place, words, system)


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "390"])
def test_it_fits_the_page(open_page, name, viewport):
    page = open_page(sample(name).html, viewport=viewport, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    assert page.locator(".le-panel").first.bounding_box()["width"] > 280
    assert not page.locator(".le-still").first.is_visible()
    inside = page.locator(".explorer").first.evaluate(
        "(root) => root.scrollWidth <= root.clientWidth && root.scrollHeight <= root.clientHeight"
    )
    assert inside


def test_without_scripts_a_picture_and_a_sentence_stand_in(open_page, name):
    page = open_page(sample(name).html, java_script_enabled=False)
    picture = page.locator(".le-still img").first
    assert picture.is_visible()
    assert len(picture.get_attribute("alt")) > 60
    assert picture.bounding_box()["width"] > 250
    assert "With scripts switched on" in page.locator(".le-still").first.inner_text()
    assert page.locator(".le-panel").count() == 0


def test_on_paper_stands_the_picture_in_the_light_theme(open_page, name):
    page = open_page(sample(name).html, html="<html lang=en data-theme=dark>")
    page.emulate_media(media="print")
    assert page.locator(".le-still img").first.is_visible()
    assert not page.locator(".le-panel").first.is_visible()
    colour = page.locator(".le-still p").first.evaluate("(e) => getComputedStyle(e).color")
    assert colour == "rgb(31, 35, 40)"


def test_it_works_in_a_frame_as_colab_shows_it(open_page, name):
    page = open_page("<iframe title=output width=700 height=800></iframe>")
    frame = page.frames[1]
    frame.set_content(f"<!doctype html><html theme=dark><body>{sample(name).html}")
    frame.locator(".le-panel").first.wait_for()


def test_it_works_where_scripts_are_run_afterwards(open_page, name):
    """JupyterLab sets the fragment as inner HTML and then puts fresh copies of its scripts in."""
    page = open_page("<div id=output></div>")
    page.evaluate(
        """(html) => {
            const output = document.getElementById("output");
            output.innerHTML = html;
            for (const old of output.querySelectorAll("script")) {
                const fresh = document.createElement("script");
                fresh.textContent = old.textContent;
                old.parentNode.replaceChild(fresh, old);
            }
        }""",
        sample(name).html,
    )
    assert page.locator(".le-panel").count() == page.locator(".explorer").count() > 0


def test_two_on_one_page_are_both_filled(open_page, name):
    page = open_page(sample(name).html, sample(name).html, viewport={"width": 900, "height": 2000})
    assert page.locator(".le-panel").count() == page.locator(".explorer").count() >= 2


def test_everything_can_be_reached_and_is_named(open_page, name):
    """The Tab key visits every button, field and map once, and each has a name and a ring."""
    page = open_page(sample(name).html)
    parts = page.locator(".le-panel").locator("button, input, [tabindex='0']")
    for _ in range(parts.count()):
        page.keyboard.press("Tab")
        label, ring = page.evaluate(
            """() => {
                const e = document.activeElement;
                const label = e.getAttribute("aria-label") || e.textContent || e.labels?.[0]?.textContent;
                return [label, getComputedStyle(e).outlineStyle];
            }"""
        )
        assert label.strip()
        assert ring == "solid"


def test_the_fragment_is_the_same_every_time(name):
    assert MAKERS[name]().html == sample(name).html


def test_it_takes_less_than_its_limit(name):
    assert len(sample(name).html.encode()) < 600_000


def test_a_notebook_gets_html_and_a_sentence(name):
    shown = sample(name)
    assert shown._repr_html_() == shown.html
    assert repr(shown) == shown.summary
    assert not hasattr(shown, "_repr_mimebundle_"), "the check adds the digest, not the explorer"


def test_the_digest_is_json_in_words(name):
    digest = sample(name).digest
    assert json.loads(json.dumps(digest)) == digest
    assert isinstance(digest["kind"], str)


def test_no_name_gets_out_of_the_data(name):
    """No text can end the script, or open a comment that ends neither at the script's end."""
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append(tag)

    parser = Parser()
    parser.feed(sample(name).html + "<b>after</b>")
    parser.close()
    one = ["div", "style", "div", "img", "p", "script"]
    assert found in ([*one, "b"], ["div", *one, *one, "b"])
    for call in sample(name).html.split("startExplorers(")[2::2]:
        assert "<" not in call.partition("</script>")[0]


def test_its_files_can_stand_in_a_page(name):
    for path in explorer_parts.HERE.iterdir():
        if path.name.endswith((".js", ".css")):
            text = path.read_text(encoding="utf-8")
            assert "</" not in text
            assert "<!--" not in text
            assert "://" not in text.replace("http://www.w3.org/2000/svg", ""), "no host is asked"


def test_the_palette_is_that_of_the_figures(name):
    from helpers.plots import CLASS_COLOURS

    listed = explorer_parts.text_of("explorer_parts.js").partition("const COLOURS = [")[2]
    assert tuple(listed.partition("]")[0].split('"')[1::2]) == CLASS_COLOURS


def test_a_fragment_has_a_limit(name):
    with pytest.raises(ValueError, match="bytes"):
        explorer_parts.fragment(
            "explorers",
            "latentExplorer",
            {"name": name},
            picture=np.zeros((4, 4), "uint8"),
            alt="",
            text="",
            most_bytes=100,
        )
