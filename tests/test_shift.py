"""The shift explorer in a real browser: what stands on the page is what the networks drew."""

import re
import time

import numpy as np
import pytest

from helpers import plots, shift_explorer
from helpers.explorer_parts import text_of
from tests.gestures import pixels_of, swipe
from tests.quick_run import HANG
from tests.sample_explorers import DIMMERS, make_garment, sample

NARROW = {"width": 390, "height": 844}
MOST, SHAPE = 3, (16, 14)


def canvas_at(down, right):
    canvas = np.zeros((1, *SHAPE, 1), "float32")
    canvas[0, MOST + down : MOST + down + 10, MOST + right : MOST + right + 8, 0] = make_garment()
    return canvas


def canvases(page):
    return page.locator(".se-part canvas")


def pixels(page, which):
    """Return one of the three canvases as grey values from 0 to 1."""
    return pixels_of(canvases(page).nth(which))[:, 0].reshape(SHAPE) / 255


def ready(page):
    """Wait until both pictures have been read."""
    until = time.monotonic() + HANG
    while not all(pixels_of(canvases(page).nth(which))[:, :3].any() for which in range(3)):
        assert time.monotonic() < until, "a picture was never drawn"
        page.wait_for_timeout(50)


def check(page, down, right):
    """Compare shift, pictures and errors with what Python computes."""
    assert page.locator(".explorer").get_attribute("data-shift") == f"{down} {right}"
    canvas = canvas_at(down, right)
    assert np.abs(pixels(page, 0) - canvas[0, ..., 0]).max() < 1 / 250
    for which, model in enumerate(DIMMERS.values(), 1):
        drawn = model.predict(canvas, verbose=0)
        assert np.abs(pixels(page, which) - drawn[0, ..., 0]).max() < 0.019  # 31 levels, and bytes
        mse = np.square(drawn - canvas).sum() / 80
        text = page.locator(".se-error").nth(which).inner_text()
        assert float(text.removeprefix("MSE ")) == pytest.approx(mse, abs=1e-4)


def field(page):
    return page.locator(".se-drag").bounding_box()


def test_it_starts_in_the_middle(open_page):
    page = open_page(sample("shift").html)
    ready(page)
    check(page, 0, 0)


def test_the_keyboard_moves_it_and_a_screen_reader_hears(open_page):
    page = open_page(sample("shift").html)
    ready(page)
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    check(page, -1, 2)
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('2 right')")
    assert "convolutional 0." in page.locator("[aria-live]").inner_text()
    for _ in range(9):
        page.keyboard.press("ArrowDown")
    check(page, MOST, 2)
    page.keyboard.press("Home")
    check(page, 0, 0)


def test_the_mouse_drags_it_by_whole_pixels_and_not_beyond_the_edge(open_page):
    page = open_page(sample("shift").html)
    ready(page)
    box = field(page)
    pixel = box["width"] / SHAPE[1]
    x, y = box["x"] + 5 * pixel, box["y"] + 5 * pixel
    page.mouse.move(x, y)
    page.mouse.move(x + pixel, y)
    check(page, 0, 0)  # nobody has pressed yet
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 2 * pixel, y + pixel)
    check(page, 1, -2)
    page.mouse.move(x + 40 * pixel, y - 40 * pixel)
    check(page, -MOST, MOST)
    page.mouse.up()
    page.mouse.move(x, y)
    check(page, -MOST, MOST)


def test_a_finger_drags_it_and_does_not_scroll(open_page):
    after = "<div style='height:3000px'></div>"
    page = open_page(sample("shift").html, after, viewport=NARROW, has_touch=True, is_mobile=True)
    ready(page)
    box = field(page)
    pixel = box["width"] / SHAPE[1]
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    swipe(page, x, y, way=(0, -pixel), steps=2)
    check(page, -2, 0)
    assert page.evaluate("scrollY") == 0
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_the_curves_go_through_the_chosen_place(open_page):
    page = open_page(sample("shift").html)
    ready(page)
    page.locator(".se-drag").focus()
    page.keyboard.press("ArrowLeft")
    for which in (0, 1):
        dot = page.locator(f".se-dot.se-{which}")
        place = f"{dot.get_attribute('cx')},{dot.get_attribute('cy')}"
        line = page.locator(f".se-line.se-{which}").get_attribute("points").split()
        assert len(line) == 2 * MOST + 1
        assert line[MOST - 1] == place


def test_the_digest_sees_another_network():
    digest = sample("shift").digest
    swapped = dict(zip(DIMMERS, reversed(DIMMERS.values()), strict=True))
    other = shift_explorer(make_garment(), swapped, most=MOST).digest
    assert digest.keys() == other.keys()
    assert digest != other


def test_wrong_shapes_raise():
    with pytest.raises(ValueError, match="height, width"):
        shift_explorer(np.zeros((2, 10, 8)), DIMMERS)

    class Cropper:
        def predict(self, x, verbose):
            return x[:, 1:]

    with pytest.raises(ValueError, match="'cropper' must draw canvases"):
        shift_explorer(make_garment(), {"cropper": Cropper()}, most=1)


def test_its_colours_are_those_of_the_palette():
    found = set(re.findall("#[0-9a-f]{6}", text_of("shift.css")))
    assert found == {plots.ORANGE, plots.BLUE}
