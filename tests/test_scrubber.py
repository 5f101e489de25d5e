"""The noise scrubber in a real browser: it shows the noise, the answers and the walks that Python has."""

import numpy as np
import pytest

from helpers import noise_scrubber
from tests.sample_explorers import make_noisy, sample

NARROW = {"width": 390, "height": 844}


def pixels(page, which):
    """Return a frame as numbers (28, 28) from 0 to 255."""
    found = (
        page.locator(".ns-images canvas")
        .nth(which)
        .evaluate(
            """(canvas) => {
            const copy = document.createElement("canvas");
            const ink = copy.getContext("2d", { willReadFrequently: true });
            ink.drawImage(canvas, 0, 0);
            return [...ink.getImageData(0, 0, 28, 28).data];
        }"""
        )
    )
    return np.reshape(found, (28, 28, 4))[..., 0].astype(float)


def ready(page):
    page.wait_for_function(
        """() => [...document.querySelectorAll(".ns-images canvas")].every((canvas) => {
            const copy = document.createElement("canvas");
            const ink = copy.getContext("2d", { willReadFrequently: true });
            ink.drawImage(canvas, 0, 0);
            return ink.getImageData(0, 0, 28, 28).data.some((value, i) => i % 4 < 3 && value);
        })"""
    )


def check(page, level, image=0):
    """Compare the four frames and their errors with what Python computes."""
    (clean, noise, denoisers, _), _ = make_noisy()
    assert page.locator(".explorer").get_attribute("data-level") == f"{level:g}"
    noisy = clean[image] + level * np.clip(noise[image], -4, 4)
    answers = [
        np.clip(denoise(noisy.reshape(1, 784), level), 0, 1).reshape(28, 28)
        for denoise in denoisers.values()
    ]
    for which, expected in enumerate([clean[image], noisy, *answers]):
        off = np.abs(pixels(page, which) - 255 * np.clip(expected, 0, 1)).max()
        assert off <= 1 + 255 * level * 4 / 255, (which, off)  # a byte a pixel for the noise
    captions = page.locator("figcaption").all_inner_texts()
    for name, answer, caption in zip(denoisers, answers, captions[2:], strict=True):
        error = np.square(answer - clean[image]).mean()
        assert caption == f"{name}\n{error:.4f}"


def test_it_starts_at_a_third_and_the_keyboard_moves_it(open_page):
    page = open_page(sample("scrubber").html)
    ready(page)
    check(page, 0.3)
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    check(page, 0.35)
    assert page.locator("input").get_attribute("aria-valuetext") == "0.35"
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('0.35')")
    page.keyboard.press("End")
    check(page, 1)
    page.keyboard.press("Home")
    check(page, 0)


def test_a_button_chooses_the_image(open_page):
    page = open_page(sample("scrubber").html)
    ready(page)
    button = page.get_by_role("button", name="Sandal")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    check(page, 0.3, image=1)


def test_the_better_answer_stands_out(open_page):
    page = open_page(sample("scrubber").html)
    ready(page)
    errors = [
        float(text.split("\n")[1]) for text in page.locator("figcaption").all_inner_texts()[2:]
    ]
    best = page.locator(".ns-best")
    assert best.count() == 1
    assert float(best.inner_text().split("\n")[1]) == min(errors)


def denoised(compass, points, sigma):
    scaled = points / np.sqrt(sigma**2 + 0.5)
    level = np.full((len(points), 1), np.log(sigma))
    noise = compass(np.hstack([scaled, level]).astype("float32"))  # a call of predict takes longer
    return points - sigma * np.asarray(noise)


def walkers(page):
    dots = page.locator(".ns-walker").evaluate_all(
        "(all) => all.map((dot) => [Number(dot.getAttribute('cx')), -dot.getAttribute('cy')])"
    )
    return np.array(dots)


def test_arrows_end_where_the_compass_leads_and_points_follow_them(open_page):
    page = open_page(sample("scrubber").html)
    ready(page)
    _, plane = make_noisy()
    x = np.asarray(plane["starts"])
    for level in np.arange(1, 0.3, -0.05):
        for step in range(4):
            here = level - 0.05 * step / 4
            x = x - 0.05 / 4 / here * (x - denoised(plane["compass"], x, here))
    np.testing.assert_allclose(walkers(page), x, atol=1e-2)
    path = page.locator(".ns-arrow").first.get_attribute("d")
    start, end = (
        np.array(part.split(), float) * [1, -1] for part in path[1:].split("M")[0].split("L")
    )
    np.testing.assert_allclose(start, [-1.8, -1.8], atol=1e-6)
    np.testing.assert_allclose(end, denoised(plane["compass"], start[None], 0.3)[0], atol=1e-2)


def test_play_walks_down_to_no_noise_and_can_be_stopped(open_page):
    page = open_page(sample("scrubber").html)
    ready(page)
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("Number(document.querySelector('.explorer').dataset.level) < 1")
    page.get_by_role("button", name="Stop").click()
    level = page.locator(".explorer").get_attribute("data-level")
    page.wait_for_timeout(600)
    assert page.locator(".explorer").get_attribute("data-level") == level
    page.get_by_role("button", name="Play").click()
    page.wait_for_function("document.querySelector('.explorer').dataset.level === '0'")
    assert page.get_by_role("button", name="Play").is_visible()


def test_a_finger_moves_the_slider(open_page):
    page = open_page(sample("scrubber").html, viewport=NARROW, has_touch=True, is_mobile=True)
    ready(page)
    box = page.locator("input").bounding_box()
    page.touchscreen.tap(box["x"] + box["width"] - 6, box["y"] + box["height"] / 2)
    check(page, 1)


def test_the_digest_sees_another_denoiser_and_another_compass():
    (clean, noise, denoisers, names), plane = make_noisy()
    digest = sample("scrubber").digest
    other = {**denoisers, "half": lambda y, sigma: y / 3}
    changed = noise_scrubber(clean, noise, other, names, **plane).digest
    assert changed["mean errors"]["half"] != digest["mean errors"]["half"]
    plane["compass"].layers[-1].bias.assign([0.5, 0.5])
    changed = noise_scrubber(clean, noise, denoisers, names, **plane).digest
    assert changed["compass on a grid"] != digest["compass on a grid"]


def test_what_does_not_belong_together_raises():
    (clean, noise, denoisers, names), plane = make_noisy()
    with pytest.raises(ValueError, match="belong together"):
        noise_scrubber(clean[:2], noise, denoisers, names, **plane)
    with pytest.raises(ValueError, match="Two denoisers"):
        noise_scrubber(clean, noise, {"one": denoisers["half"]}, names, **plane)
