"""The bottleneck slider in a real browser: it shows what the study and PCA have drawn."""

import base64

import numpy as np
import pytest

from helpers import bottleneck_slider
from tests.gestures import pixels_of, swipe
from tests.sample_explorers import make_bottleneck, sample

NARROW = {"width": 390, "height": 844}


def row(page, which):
    """Return a row of pictures as numbers (28, 280, 3) from 0 to 255."""
    pixels = pixels_of(page.locator(".bs-row canvas").nth(which))
    return np.reshape(pixels, (28, 280, 4))[..., :3]


def in_a_row(images):
    return np.hstack(np.reshape(images, (10, 28, 28)))


def expected(k):
    """Return the originals and both drawings, bytes as floats in one row each."""
    result, pca = make_bottleneck()
    garments, axes = unpacked(result["garments"]), pca.components_[:k]
    by_pca = (garments / 255 - pca.mean_) @ axes.T @ axes + pca.mean_
    by_pca = np.round(255 * np.clip(by_pca, 0, 1))
    network = unpacked(result["drawn"][str(k)])
    return [in_a_row(a.astype(float)) for a in (garments, by_pca, network)]


def unpacked(text):
    return np.frombuffer(base64.urlsafe_b64decode(text), "uint8").reshape(10, 784)


def ready(page):
    page.wait_for_function(
        """() => {
            const canvas = document.querySelector(".bs-row canvas"), copy = document.createElement("canvas");
            const ink = copy.getContext("2d", { willReadFrequently: true });
            ink.drawImage(canvas, 0, 0);
            return ink.getImageData(0, 0, 28, 28).data.some((value, i) => i % 4 < 3 && value);
        }"""
    )


def check(page, k):
    assert page.locator(".explorer").get_attribute("data-size") == str(k)
    originals, by_pca, network = expected(k)
    for which, drawn in ((0, originals), (1, by_pca), (3, network)):
        assert np.abs(row(page, which) - drawn[..., None]).max() <= 1
    for which, drawn in ((2, by_pca), (4, network)):
        missing = (originals - drawn) / 255
        red, _, blue = np.moveaxis(row(page, which), -1, 0)
        assert ((red > blue) == (missing > 0))[np.abs(missing) > 0.05].all()
    result, _ = make_bottleneck()
    mean = np.mean([r["val_mse"] for r in result["rows"] if r["code"] == k])
    text = page.locator(".bs-summary").inner_text()
    assert f"With {k} numbers: PCA {result['pca_mse'][str(k)]:.4f}, autoencoder {mean:.4f}" in text
    assert text.endswith(" 29 % less.")


def test_it_starts_at_ten_numbers(open_page):
    page = open_page(sample("slider").html)
    ready(page)
    check(page, 10)


def test_the_keyboard_moves_it_and_a_screen_reader_hears(open_page):
    page = open_page(sample("slider").html)
    ready(page)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    check(page, 50)
    assert page.locator("input").get_attribute("aria-valuetext") == "50 numbers"
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('50')")
    page.keyboard.press("Home")
    check(page, 2)
    assert "through 2 numbers" in page.locator(".bs-row canvas").nth(1).get_attribute("aria-label")


def test_the_mouse_moves_it_and_points_at_the_curve(open_page):
    page = open_page(sample("slider").html)
    ready(page)
    box = page.locator("input").bounding_box()
    page.mouse.click(box["x"] + box["width"] - 4, box["y"] + box["height"] / 2)
    check(page, 50)
    box = page.locator(".bs-chart").bounding_box()
    page.mouse.move(box["x"] + 50, box["y"] + 60)
    check(page, 2)
    assert page.locator("input").input_value() == "0"
    dots = page.locator(".bs-dot")
    left = [float(dots.nth(i).get_attribute("cx")) for i in (0, 1)]
    assert left[0] == left[1]
    upper, lower = (float(dots.nth(i).get_attribute("cy")) for i in (0, 1))
    assert upper < lower, "PCA's error is the larger one"


def test_a_finger_taps_the_curve(open_page):
    page = open_page(sample("slider").html, viewport=NARROW, has_touch=True, is_mobile=True)
    ready(page)
    box = page.locator(".bs-chart").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 20, box["y"] + 90)
    check(page, 50)


def test_a_swipe_over_it_scrolls_the_page(open_page):
    after = "<div style='height:3000px'></div>"
    page = open_page(sample("slider").html, after, viewport=NARROW, has_touch=True, is_mobile=True)
    box = page.locator(".bs-chart").bounding_box()
    swipe(page, box["x"] + 150, box["y"] + 100)
    page.wait_for_function("scrollY > 200")


def test_the_chart_is_drawn_again_for_another_width(open_page):
    page = open_page(sample("slider").html)
    page.set_viewport_size(NARROW)
    page.wait_for_function(
        "document.querySelector('.bs-chart').viewBox.baseVal.width < 380", timeout=10_000
    )
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


def test_the_page_says_which_is_which(open_page):
    page = open_page(sample("slider").html)
    text = page.locator(".le-hint").inner_text()
    assert "PCA’s pictures are made in this chapter" in text
    assert "trained 3 networks 784 – 512 – 256 – k for each size k, and show the first" in text


def test_the_digest_sees_another_pca_and_other_errors():
    result, pca = make_bottleneck()
    digest = sample("slider").digest
    pca.mean_ = pca.mean_ * 0.5
    assert (
        bottleneck_slider(result, pca).digest["means of PCA's pictures"]
        != digest["means of PCA's pictures"]
    )
    result["rows"][0]["val_mse"] *= 1.1
    assert bottleneck_slider(result, pca).digest["errors"] != digest["errors"]


def test_too_short_a_pca_raises():
    result, pca = make_bottleneck()
    pca.components_ = pca.components_[:49]
    with pytest.raises(ValueError, match="needs 50 components, not 49"):
        bottleneck_slider(result, pca)
