"""The sheared code in a real browser: codes follow the arrows, and the error stays that of PCA."""

import numpy as np
import pytest
from sklearn.decomposition import PCA

from helpers import sheared_code
from tests.gestures import swipe
from tests.sample_explorers import make_decoders, sample

NARROW = {"width": 390, "height": 844}


def arrows(page):
    return np.reshape(
        page.locator(".explorer").get_attribute("data-arrows").split(), (2, 2)
    ).astype(float)


def mse(page):
    return float(page.locator(".explorer").get_attribute("data-mse"))


def in_plane(decoder):
    """Return a decoder's rows along the principal axes, signed as the page has them."""
    points = make_decoders()[0]
    plane = PCA(2).fit(points).components_
    plane = plane * np.sign(plane.sum(axis=1, keepdims=True))
    return decoder @ plane.T


def centre(page, which):
    box = page.locator(".sc-handle").nth(which).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def drawn_codes(page):
    """Return the codes on the right, in units of the longest."""
    dots = page.locator(".sc-plot").nth(1).locator("circle")
    places = dots.evaluate_all("(all) => all.map((c) => [c.cx.baseVal.value, -c.cy.baseVal.value])")
    return np.array(places) / np.abs(places).max()


def check_codes(page):
    """The drawn codes are those with the smallest error for the arrows."""
    points, *_ = make_decoders()
    plane = PCA(2).fit(points).components_
    plane = plane * np.sign(plane.sum(axis=1, keepdims=True))
    decoder = arrows(page) @ plane
    codes = (points - points.mean(axis=0)) @ np.linalg.pinv(decoder)
    error = np.square(points - points.mean(axis=0) - codes @ decoder).mean()
    assert mse(page) == pytest.approx(error, rel=1e-4)
    np.testing.assert_allclose(drawn_codes(page), codes / np.abs(codes).max(), atol=0.02)


def pca_mse():
    points, *_ = make_decoders()
    pca = PCA(2).fit(points)
    return np.square(points - pca.inverse_transform(pca.transform(points))).mean()


def test_it_starts_with_the_first_seed(open_page):
    page = open_page(sample("shear").html)
    np.testing.assert_allclose(arrows(page), in_plane(make_decoders()[1][0]), atol=1e-3)
    assert mse(page) == pytest.approx(pca_mse(), rel=1e-5)
    assert (
        f"MSE {pca_mse():.5f}; PCA’s is {pca_mse():.5f}" in page.locator(".sc-summary").inner_text()
    )
    check_codes(page)


@pytest.mark.parametrize("which", [0, 1])
def test_a_dragged_arrow_shears_the_codes_and_leaves_the_error(open_page, which):
    page = open_page(sample("shear").html)
    before, codes = arrows(page), drawn_codes(page)
    x, y = centre(page, which)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y - 25, steps=3)
    page.mouse.up()
    after = arrows(page)
    assert after[which, 0] > before[which, 0]
    assert after[which, 1] > before[which, 1]
    np.testing.assert_array_equal(after[1 - which], before[1 - which])
    assert np.abs(drawn_codes(page) - codes).max() > 0.05
    assert mse(page) == pytest.approx(pca_mse(), rel=1e-4)
    check_codes(page)
    page.mouse.move(x, y)  # the button is up
    np.testing.assert_array_equal(arrows(page), after)


def test_a_finger_drags_an_arrow_and_scrolls_beside_it(open_page):
    after = "<div style='height:3000px'></div>"
    page = open_page(sample("shear").html, after, viewport=NARROW, has_touch=True, is_mobile=True)
    before = arrows(page)
    swipe(page, *centre(page, 0), (5, -8), steps=6)
    assert (arrows(page)[0] != before[0]).any()
    assert page.evaluate("scrollY") == 0
    check_codes(page)
    moved = arrows(page)
    box = page.locator(".sc-plot").nth(1).bounding_box()
    swipe(page, box["x"] + 30, box["y"] + 100, (0, -40), steps=6)
    page.wait_for_function("scrollY > 100")
    np.testing.assert_array_equal(arrows(page), moved)


def test_the_arrow_keys_move_an_arrow(open_page):
    page = open_page(sample("shear").html)
    page.keyboard.press("Tab")
    assert "sc-handle" in page.evaluate("document.activeElement.className")
    before = arrows(page)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowUp")
    np.testing.assert_allclose(arrows(page)[0] - before[0], [0.05, 0.25])
    page.keyboard.press("Control+ArrowRight")  # belongs to the browser
    np.testing.assert_allclose(arrows(page)[0] - before[0], [0.05, 0.25])
    label = page.locator(".sc-handle").first.get_attribute("aria-label")
    assert f"{arrows(page)[0, 0]:.2f}".replace("-", "−") in label
    page.wait_for_function("document.querySelector('[aria-live]').textContent.includes('MSE')")
    assert page.evaluate("scrollY") == 0


def test_the_buttons_set_the_arrows(open_page):
    page = open_page(sample("shear").html)
    _, plain, penalised = make_decoders()
    for seed in (1, 2, 0):
        page.get_by_role("button", name="Next seed").click()
        np.testing.assert_allclose(arrows(page), in_plane(plain[seed]), atol=1e-3)
        check_codes(page)
        page.get_by_role("button", name="With L2 penalty").click()
        np.testing.assert_allclose(arrows(page), in_plane(penalised[seed]), atol=1e-3)
        check_codes(page)
    page.get_by_role("button", name="PCA’s axes").click()
    np.testing.assert_array_equal(arrows(page), np.eye(2))
    check_codes(page)


def test_pca_of_the_codes_is_drawn_and_its_tilt_is_told(open_page):
    page = open_page(sample("shear").html)
    button = page.get_by_role("button", name="PCA of the codes")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    points, plain, _ = make_decoders()
    codes = (points - points.mean(axis=0)) @ np.linalg.pinv(plain[0])
    drawn = PCA(2).fit(codes).components_ @ in_plane(plain[0])
    cosines = np.abs(np.diag(drawn)) / np.linalg.norm(drawn, axis=1)
    tilt = np.degrees(np.arccos(cosines)).max()
    assert f"up to {tilt:.0f}° from the principal axes" in page.locator(".sc-summary").inner_text()
    assert page.locator(".sc-found").count() == 4
    page.get_by_role("button", name="PCA’s axes").click()
    assert "up to 0° from" in page.locator(".sc-summary").inner_text()
    button.click()
    assert page.locator(".sc-found").count() == 0


def test_arrows_on_one_line_leave_one_number(open_page):
    page = open_page(sample("shear").html)
    page.get_by_role("button", name="PCA’s axes").click()
    x, y = centre(page, 0)
    to_x, to_y = centre(page, 1)
    middle = page.locator(".sc-plot").first.bounding_box()
    zero = middle["x"] + middle["width"] / 2, middle["y"] + middle["height"] / 2
    page.mouse.move(to_x, to_y)
    page.mouse.down()
    page.mouse.move((x + zero[0]) / 2, (y + zero[1]) / 2)
    page.mouse.up()
    assert "one number is left" in page.locator(".sc-summary").inner_text()
    points, *_ = make_decoders()
    one = PCA(1).fit(points)
    left = np.square(points - one.inverse_transform(one.transform(points))).mean()
    assert mse(page) == pytest.approx(left, rel=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x, a, b: (x[:, :2], a, b), r"\(n, 3\)"),
        (lambda x, a, b: (x, a[0], b), r"\(runs, 2, 3\)"),
        (lambda x, a, b: (x, np.add(a, [0, 0, 0.3]), b), "principal plane"),
    ],
)
def test_what_it_cannot_show_raises_in_words(change, message):
    with pytest.raises(ValueError, match=message):
        sheared_code(*change(*make_decoders()))


def test_the_digest_sees_other_decoders():
    points, plain, penalised = make_decoders()
    other = sheared_code(points, 1.1 * plain, penalised).digest
    assert other["plain arrows"] != sample("shear").digest["plain arrows"]
