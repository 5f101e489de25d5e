"""What the browser tests of the explorers do and see: a finger's swipe, the pixels of a canvas."""

import numpy as np


def swipe(page, x, y, way=(0, -30), steps=10):
    """Put a finger on a page at (x, y), move it by `way` so many times, and lift it."""
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        event = {"type": kind, "touchPoints": [{"x": a, "y": b} for a, b in points]}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", (x, y))
    for step in range(1, steps + 1):
        touch("touchMove", (x + way[0] * step, y + way[1] * step))
    touch("touchEnd")


def pixels_of(canvas):
    """Return what a canvas, a locator, shows: numbers (n, 4) from 0 to 255, row by row."""
    pixels = canvas.evaluate(
        """(canvas) => {
            const copy = document.createElement("canvas"), { width, height } = canvas;
            Object.assign(copy, { width, height });
            const ink = copy.getContext("2d", { willReadFrequently: true });
            ink.drawImage(canvas, 0, 0);
            return [...ink.getImageData(0, 0, width, height).data];
        }"""
    )
    return np.reshape(pixels, (-1, 4))
