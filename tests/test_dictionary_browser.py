"""The dictionary browser in a real browser: its sums are those of its atoms, for every way of switching."""

import numpy as np
import pytest

from helpers import dictionary_browser
from tests.sample_explorers import make_dictionary, sample

NARROW = {"width": 390, "height": 844}


def pixels(page, which):
    """Return one of the three large pictures: numbers (28, 28, 3) from 0 to 255."""
    values = (
        page.locator(".db-pictures canvas")
        .nth(which)
        .evaluate(
            """(canvas) => {
            const copy = document.createElement("canvas"), { width, height } = canvas;
            Object.assign(copy, { width, height });
            const ink = copy.getContext("2d", { willReadFrequently: true });
            ink.drawImage(canvas, 0, 0);
            return [...ink.getImageData(0, 0, width, height).data];
        }"""
        )
    )
    return np.reshape(values, (28, 28, 4))[..., :3].astype(float)


def open_browser(open_page, **options):
    page = open_page(sample("dictionary").html, **options)
    page.wait_for_function("document.querySelector('.explorer').dataset.error")
    return page


def check(page, image, on):
    """The page shows the image, and the sum of the atoms that are on."""
    atoms, mean, images, codes = make_dictionary()
    order = np.argsort(-codes[image])[:5]
    total = mean + sum(codes[image, j] * atoms[j] for j, lit in zip(order, on, strict=True) if lit)
    assert page.locator(".explorer").get_attribute("data-on") == "".join(map(str, map(int, on)))
    assert np.abs(pixels(page, 0)[..., 0].ravel() - 255 * images[image]).max() <= 1
    assert np.abs(pixels(page, 1)[..., 0].ravel() - 255 * np.clip(total, 0, 1)).max() <= 3
    missing = images[image] - total
    red, _, blue = np.moveaxis(pixels(page, 2).reshape(784, 3), -1, 0)
    assert ((red > blue) == (missing > 0))[np.abs(missing) > 0.05].all()
    error = float(page.locator(".explorer").get_attribute("data-error"))
    assert abs(error - np.square(missing).mean()) < 2e-4


def test_it_starts_with_all_atoms_on(open_page):
    page = open_browser(open_page)
    check(page, 0, [1] * 5)
    weights = page.locator(".db-atoms span").all_inner_texts()
    codes = make_dictionary()[3]
    assert weights == [f"{w:.2f}" for w in np.sort(codes[0])[::-1][:5]]


def test_the_mouse_chooses_and_switches(open_page):
    page = open_browser(open_page)
    page.locator(".db-choices button").nth(3).click()
    check(page, 3, [1] * 5)
    page.locator(".db-atoms button").nth(1).click()
    check(page, 3, [1, 0, 1, 1, 1])
    page.get_by_text("all off").click()
    check(page, 3, [0] * 5)
    page.locator(".db-atoms button").nth(4).click()
    check(page, 3, [0, 0, 0, 0, 1])
    page.get_by_text("all on").click()
    check(page, 3, [1] * 5)


def test_the_keyboard_does_all_of_it_and_a_screen_reader_hears(open_page):
    page = open_browser(open_page)
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    check(page, 1, [1] * 5)
    assert "3px" in page.evaluate("getComputedStyle(document.activeElement).outline")
    for _ in range(5):
        page.keyboard.press("Tab")
    page.keyboard.press("Space")
    check(page, 1, [0, 1, 1, 1, 1])
    page.wait_for_function(
        "document.querySelector('[aria-live]').textContent.includes('4 of 5 atoms')"
    )
    pressed = page.locator(".db-atoms button").first.get_attribute("aria-pressed")
    assert pressed == "false"


def test_a_finger_switches_on_a_narrow_page(open_page):
    page = open_browser(open_page, viewport=NARROW, has_touch=True, is_mobile=True)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
    page.locator(".db-atoms button").nth(2).tap()
    check(page, 0, [1, 1, 0, 1, 1])
    box = page.locator(".db-atoms button").first.bounding_box()
    assert min(box["width"], box["height"]) >= 44


def test_names_stay_text(open_page):
    page = open_browser(open_page)
    label = page.locator(".db-choices button").first.get_attribute("aria-label")
    assert label == "Image 1: Shirt <b>"


def test_only_used_atoms_travel():
    codes = make_dictionary()[3]
    assert sample("dictionary").digest["atoms used"] == (codes > 0).any(axis=0).sum()


def test_a_full_dictionary_stays_below_300_kb():
    random = np.random.default_rng(0)
    atoms = random.normal(size=(160, 784))
    codes = np.where(random.random((24, 160)) < 0.1, random.random((24, 160)), 0)
    images = random.random((24, 784))
    shown = dictionary_browser(atoms, images[0], images, codes, ["Bag"] * 24)
    assert len(shown.html.encode()) < 300_000
    assert max(shown.digest["atoms of each image"]) == 10


def test_the_digest_sees_other_codes_and_another_mean():
    atoms, mean, images, codes = make_dictionary()
    digest = sample("dictionary").digest
    other = dictionary_browser(atoms, mean, images, 2 * codes, ["Bag"] * 6).digest
    assert other["strongest weights"] != digest["strongest weights"]
    other = dictionary_browser(atoms, mean / 2, images, codes, ["Bag"] * 6).digest
    assert other["means of the sums"] != digest["means of the sums"]


@pytest.mark.parametrize(
    ("which", "message"),
    [(0, "atoms must"), (1, "mean must"), (2, "images must"), (3, "codes must")],
)
def test_what_does_not_fit_raises_in_words(which, message):
    arrays = list(make_dictionary())
    arrays[which] = arrays[which][..., :-1]
    with pytest.raises(ValueError, match=message):
        dictionary_browser(*arrays, ["Bag"] * 6)


def test_names_that_are_missing_raise():
    with pytest.raises(ValueError, match="names must"):
        dictionary_browser(*make_dictionary(), ["Bag"])
