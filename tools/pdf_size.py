"""Polish Chromium's PDF: it stores pictures as true colours with a mask, and joins words of bookmarks."""

import io
import logging
import zlib

from PIL import Image
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    ByteStringObject,
    DictionaryObject,
    NameObject,
    NullObject,
    NumberObject,
    TextStringObject,
)

COLOURS = 256


def polish(data, titles):
    """Return a PDF (bytes) with paletted pictures and with spaces in its bookmarks.

    Args:
        data: bytes. Where a heading is broken on its sheet, Chromium's bookmark lacks a space.
        titles: dict of str, each heading by the same text without spaces.
    """
    logging.getLogger("pypdf").setLevel(logging.ERROR)  # Chromium writes one number too small
    writer = PdfWriter(clone_from=io.BytesIO(data))
    for thing in writer._objects:
        if isinstance(thing, DictionaryObject) and thing.get("/Subtype") == "/Image":
            use_palette(thing, writer)
        elif isinstance(thing, DictionaryObject) and {"/Title", "/Parent"} <= thing.keys():
            title = titles.get("".join(thing["/Title"].split()), thing["/Title"])
            thing[NameObject("/Title")] = TextStringObject(title)
    target = io.BytesIO()
    writer.write(target)
    return target.getvalue()


def use_palette(picture, writer):
    """Give a picture of three bytes a pixel a palette, on white where it is transparent."""
    size = picture["/Width"], picture["/Height"]
    data = picture.get_data()
    if len(data) != 3 * size[0] * size[1]:
        return
    image = Image.frombytes("RGB", size, data)
    if "/SMask" in picture:
        mask = picture.raw_get("/SMask")
        opaque = Image.frombytes("L", size, mask.get_object().get_data())
        image = Image.composite(image, Image.new("RGB", size, "white"), opaque)
        del picture["/SMask"]
        writer._objects[mask.idnum - 1] = NullObject()
    image = image.quantize(COLOURS, dither=Image.Dither.NONE)
    palette = bytes(image.getpalette())
    last = NumberObject(len(palette) // 3 - 1)
    space = [NameObject("/Indexed"), NameObject("/DeviceRGB"), last, ByteStringObject(palette)]
    picture[NameObject("/ColorSpace")] = ArrayObject(space)
    picture[NameObject("/Filter")] = NameObject("/FlateDecode")
    picture._data = zlib.compress(image.tobytes(), 9)
