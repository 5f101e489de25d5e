"""Formulas: LaTeX to MathML, the book's formulas, and the font that draws them."""

import json
import re
import sys
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont
from markdown_it import MarkdownIt
from mdit_py_plugins.amsmath import amsmath_plugin
from mdit_py_plugins.dollarmath import dollarmath_plugin
from sphinx.testing.util import SphinxTestApp

from tools import math_font

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "_ext"))
import formulas  # noqa: E402


def book_formulas():
    """Return the formulas of all chapters, as (LaTeX, displayed)."""
    reader = MarkdownIt().use(dollarmath_plugin, double_inline=True).use(amsmath_plugin)
    found = []
    for path in sorted((ROOT / "chapters").glob("*.[im]*")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".ipynb":
            cells = json.loads(text)["cells"]
            texts = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        else:
            texts = [text]
        for token in (token for text in texts for token in reader.parse(text)):
            found += [
                (part.content, part.type != "math_inline")
                for part in (token, *(token.children or ()))
                if "math" in part.type
            ]
    return found


@pytest.fixture(scope="module")
def drawn():
    """What the book's formulas draw."""
    return math_font.characters("".join(formulas.convert(*part) for part in book_formulas()))


@pytest.fixture(scope="module")
def font(tmp_path_factory, drawn):
    """The book's font of formulas."""
    folder = tmp_path_factory.mktemp("font")
    assert math_font.write_font(drawn, folder) == set()
    return TTFont(folder / math_font.NAME, lazy=False)


# LaTeX to MathML -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("latex", "number"),
    [
        (r"a = b", ""),
        (r"a = b \tag{1}", '<span class="eqno">(1)</span>'),
        ("a = b. \\tag{2a}\n", '<span class="eqno">(2a)</span>'),
        ("a\n= b\n\\tag{3}", '<span class="eqno">(3)</span>'),
    ],
)
def test_a_number_stands_beside_the_formula(latex, number):
    formula = formulas.convert(latex, True)
    mathml = formula.removesuffix(number)
    assert formula == mathml + number
    assert mathml.startswith('<math display="block">')
    assert mathml.endswith("</math>")
    assert "1" not in mathml
    assert "eqno" not in mathml


def test_a_formula_is_there_once_and_without_its_source():
    """Screen readers and the search's excerpts take all the text that they find."""
    formula = formulas.convert(r"\frac{a}{b}", False)
    assert re.sub("<[^>]*>", "", formula) == "ab"
    assert "frac{" not in formula


def test_every_formula_of_the_book_is_converted():
    found = book_formulas()
    assert len(found) > 150
    wrong = []
    for latex, displayed in found:
        formula = formulas.convert(latex, displayed)
        if not formula.startswith("<math") or "tag" in formula or "merror" in formula:
            wrong.append((latex, formula))
    assert wrong == []


# In Sphinx -----------------------------------------------------------------------------------------


def build(folder, text):
    """Build a page of some text and one of plain words; return the application and the page."""
    (folder / "conf.py").write_text('extensions = ["formulas"]\n')
    (folder / "index.rst").write_text(f"Title\n=====\n\n{text}\n\n.. toctree::\n\n   plain\n")
    (folder / "plain.rst").write_text("Plain\n=====\n\nWords only.\n")
    app = SphinxTestApp(srcdir=folder)
    app.build()
    app.cleanup()
    return app, (app.outdir / "index.html").read_text(encoding="utf-8")


DISPLAYED = ".. math::\n   :name: here\n\n   x^2 = \\sqrt{y} \\tag{7}"


def test_a_page_shows_formulas(tmp_path):
    app, page = build(tmp_path, f"With :math:`a < b`,\n\n{DISPLAYED}")
    assert app.warning.getvalue() == ""
    assert re.search(
        '<span class="math notranslate nohighlight"><math><mi>a</mi>.*?</math></span>,', page
    )
    displayed = re.search(r'<div class="math [^>]*>(.*?)</div>', page)
    assert 'tabindex="0"' in displayed[0]
    assert 'id="here"' in displayed[0]
    assert displayed[1].endswith('</math><span class="eqno">(7)</span>')


def test_only_pages_with_formulas_load_their_style_and_font(tmp_path):
    app, page = build(tmp_path, DISPLAYED)
    assert re.search('<link [^>]*href="_static/formulas.css[^>]*>', page)
    preload = re.search('<link rel="preload" href="([^"]*)" as="font" crossorigin />', page)
    assert (app.outdir / preload[1]).is_file()
    style = (app.outdir / "_static" / "formulas.css").read_text(encoding="utf-8")
    assert f'url("{Path(preload[1]).name}")' in style
    assert "_static/formulas." not in (app.outdir / "plain.html").read_text(encoding="utf-8")


PARTED = """() => [...document.querySelectorAll('span.math')].filter(formula => {
  const sign = document.createRange();
  sign.setStart(formula.nextSibling, 0);
  sign.setEnd(formula.nextSibling, 1);
  return sign.getBoundingClientRect().left < formula.getBoundingClientRect().left;
}).length"""


def test_a_comma_stays_on_the_line_of_its_formula(tmp_path, browser):
    """Browsers would break a line there, as behind a picture."""
    build(tmp_path, "Words " + ", ".join([":math:`a+b`"] * 30) + ".")
    view = browser.new_page()
    view.goto((tmp_path / "_build" / "html" / "index.html").as_uri())
    parted = []
    for width in range(200, 260, 5):
        view.evaluate("width => document.querySelector('p').style.width = `${width}px`", width)
        parted.append(view.evaluate(PARTED))
    view.close()
    assert parted == [0] * 12


@pytest.mark.parametrize(
    "latex", [r"\nosuchcommand", r"\frac{a}", r"\left( a", r"a \tag{1} \frac{b}{c}"]
)
def test_what_cannot_be_converted_is_a_warning(tmp_path, latex):
    """Which fails the book's build."""
    app, page = build(tmp_path, f"A formula: :math:`{latex}`")
    assert "index.rst:4: WARNING: not a formula: " in app.warning.getvalue()
    assert "<math" not in page


def test_a_character_that_the_font_lacks_is_a_warning(tmp_path):
    app, _ = build(tmp_path, r"A formula: :math:`\text{漢}`")
    assert "WARNING: no font for formulas has ['漢']" in app.warning.getvalue()


# The font ------------------------------------------------------------------------------------------


def test_the_font_has_every_character_that_the_formulas_draw(drawn, font):
    held = {chr(code) for code in font.getBestCmap()}
    assert held >= drawn
    assert held >= set("𝑥ℎ𝑊𝜆√∑(‖ℝ")
    assert "𝐙" not in held, "it is cut down"


@pytest.mark.parametrize(
    ("latex", "letters"),
    [
        ("x", "𝑥"),
        ("h", "ℎ"),
        ("W_d", "𝑊𝑑"),
        (r"\lambda", "𝜆"),
        (r"\hat\varepsilon", "𝜀"),
        ("f'", "𝑓"),
    ],
)
def test_a_letter_by_itself_is_drawn_in_italics(latex, letters):
    """Browsers do that; the letter in the text is the upright one."""
    assert set(letters) <= math_font.characters(formulas.convert(latex, False))


def test_words_are_drawn_upright():
    drawn = math_font.characters(formulas.convert(r"\mathrm{relu}\,\Phi\text{ and}", False))
    assert drawn == set("reluΦand\N{NO-BREAK SPACE}")


def test_a_root_is_drawn():
    assert "√" in math_font.characters(formulas.convert(r"\sqrt{x}", False))
    assert "√" not in math_font.characters(formulas.convert("x", False))


def sizes(font, character):
    """Return the widths of a character's upright sizes, and whether it grows without end."""
    variants = font["MATH"].table.MathVariants
    name = font.getBestCmap()[ord(character)]
    place = variants.VertGlyphCoverage.glyphs.index(name)
    construction = variants.VertGlyphConstruction[place]
    records = construction.MathGlyphVariantRecord
    return [font["hmtx"][record.VariantGlyph][0] for record in records], construction.GlyphAssembly


@pytest.mark.parametrize("character", "()√")
def test_what_stretches_has_all_its_sizes_about_as_wide(font, character):
    """Chromium gives the small ones the room of the widest."""
    widths, assembly = sizes(font, character)
    assert len(widths) >= 4
    widths += [font["hmtx"][part.glyph][0] for part in assembly.PartRecords]
    assert max(widths) <= 1.11 * widths[0]


def test_a_sum_has_a_larger_size(font):
    widths, _ = sizes(font, "∑")
    assert widths[1] > 1.15 * widths[0]


def test_a_prime_is_no_higher_than_a_letter(font):
    prime, letter = (font["glyf"][font.getBestCmap()[ord(character)]] for character in "′𝑋")
    assert prime.yMin < letter.yMax / 4
    assert prime.yMax < letter.yMax


def test_the_font_is_small_and_always_the_same(tmp_path, drawn):
    files = []
    for _ in range(2):
        math_font.write_font(drawn, tmp_path)
        files.append((tmp_path / math_font.NAME).read_bytes())
    assert files[0] == files[1]
    assert len(files[0]) < 40_000


def test_font_and_style_sheet_state_the_licence(font):
    copyright_, licence = (font["name"].getDebugName(number) for number in (0, 13))
    assert "SIL Open Font License, Version 1.1" in licence
    style = (ROOT / "_ext" / "formulas.css").read_text(encoding="utf-8")
    comment = " ".join(re.search(r"/\*(.*?)\*/", style, re.DOTALL)[1].split())
    assert copyright_ in comment
    assert "SIL Open Font License, version 1.1" in comment


def test_writing_the_font_reports_nothing(tmp_path, caplog):
    """A build that is told to be quiet would take any report for a warning."""
    caplog.set_level("INFO")
    math_font.write_font(set("a"), tmp_path)
    assert caplog.records == []
