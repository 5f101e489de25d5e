"""The font of the book's formulas: STIX Two Math, cut down to what they draw.

Without a math font, browsers draw sums, roots and fences too small. The whole one is half a
megabyte and comes from the wheel `ziamath`; what the book needs of it is a thirtieth of that.
"""

import html
import logging
import re
from importlib.metadata import distribution
from pathlib import Path
from unicodedata import normalize

from fontTools import subset

# It reports every step as information, which a quiet build takes for warnings.
logging.getLogger("fontTools").setLevel(logging.WARNING)

NAME = "formulas.woff2"
# Browsers draw a letter that is alone in <mi> as one of these: Latin, then Greek.
ITALIC = [chr(code) for code in (0x210E, *range(0x1D434, 0x1D468), *range(0x1D6E2, 0x1D71C))]
UNDRAWN = "\N{FUNCTION APPLICATION}\N{VARIATION SELECTOR-1}"


def characters(pages):
    """Return the characters that a browser draws for the formulas in pages.

    Args:
        pages: HTML with any number of formulas as MathML, a text.

    Returns:
        A set of characters: those in the text, the italic letters that browsers put in the place
        of a letter that is alone in <mi>, and the root, which stands in no text.
    """
    mathml = "".join(re.findall("<math.*?</math>", pages, re.DOTALL))
    alone = {normalize("NFKC", letter) for letter in re.findall("<mi>(.)</mi>", mathml)}
    italic = {letter for letter in ITALIC if normalize("NFKC", letter) in alone}
    text = set(html.unescape(re.sub("<[^>]*>", "", mathml)))
    return (text | italic | set("√" if "<msqrt" in mathml else "")) - set(UNDRAWN)


def write_font(drawn, folder):
    """Write the font with some characters in all their sizes; the same ones give the same file.

    Args:
        drawn: The characters, a set.
        folder: Where to write it, as WOFF2. It keeps its names, which state its licence.

    Returns:
        The characters that the whole font lacks, a set.
    """
    # The layout features (Firefox takes heavier exponents from them) would double the file.
    options = subset.Options(flavor="woff2", hinting=False, name_IDs=["*"], layout_features=[])
    whole = distribution("ziamath").locate_file("ziamath/fonts/STIXTwoMath-Regular.ttf")
    font = subset.load_font(whole, options)
    missing = drawn - set(map(chr, font.getBestCmap()))
    narrow_tall_sizes(font)
    lower_prime(font)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(drawn))
    subsetter.subset(font)
    subset.save_font(font, Path(folder, NAME), options)
    return missing


def narrow_tall_sizes(font):
    """Make no size of a root or a fence much wider than its smallest.

    Chromium gives each of them the room that the widest would take, which looks like a space.
    """
    sizes = font["MATH"].table.MathVariants
    for name, construction in zip(
        sizes.VertGlyphCoverage.glyphs, sizes.VertGlyphConstruction, strict=True
    ):
        if not construction.GlyphAssembly:  # a sum, say, which has two sizes and does not stretch
            continue
        limit = 1.1 * font["hmtx"][name][0]
        larger = [size.VariantGlyph for size in construction.MathGlyphVariantRecord]
        for part in {*larger, *(part.glyph for part in construction.GlyphAssembly.PartRecords)}:
            advance, _ = font["hmtx"][part]
            if advance > limit and not font["glyf"][part].isComposite():  # as ∛ is, of √
                reshape(font, part, limit / advance, 1, 0)


def lower_prime(font):
    """Let a prime begin near the line, and larger: set as an exponent, it is small and raised."""
    reshape(font, font.getBestCmap()[ord("′")], 1.3, 1.3, -450)


def reshape(font, name, across, along, up):
    """Scale a glyph across and along, then move it up (in thousandths of the font's size)."""
    glyph, (advance, _) = font["glyf"][name], font["hmtx"][name]
    glyph.coordinates.scale((across, along))
    glyph.coordinates.translate((0, up))
    glyph.coordinates.toInt()
    glyph.recalcBounds(font["glyf"])
    font["hmtx"][name] = round(advance * across), glyph.xMin
