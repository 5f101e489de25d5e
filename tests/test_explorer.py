"""The latent explorer in a real browser: it decodes as Keras does, for every way of pointing."""

import json
from functools import partial

import keras
import numpy as np
import pytest
from keras import activations, layers
from PIL import ImageColor

from helpers import latent_explorer, plots, side_by_side
from helpers.explorer_parts import ACTIVATIONS
from tests.gestures import pixels_of, swipe
from tests.sample_explorers import CLASSES, make_codes, make_decoder, make_images, sample

pytestmark = pytest.mark.depends_on(
    "helpers/*", "tests/gestures.py", "tests/sample_explorers.py", "tools/browser.py"
)
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def decoder():
    return make_decoder()


@pytest.fixture(scope="module")
def shown(decoder):
    return latent_explorer(decoder, *make_codes(), CLASSES)


def state(page, which=0):
    """Return the chosen code and the decoded image as the page shows it, 0 to 255."""
    code, pixels = (
        page.locator(".latent-explorer")
        .nth(which)
        .evaluate(
            """(root) => {
                const copy = document.createElement("canvas");
                const ink = copy.getContext("2d", { willReadFrequently: true });
                ink.drawImage(root.querySelector(".le-image"), 0, 0);
                return [root.dataset.code, [...ink.getImageData(0, 0, 28, 28).data]];
            }"""
        )
    )
    pixels = np.reshape(pixels, (784, 4))
    assert (pixels[:, 3] == 255).all()
    assert np.ptp(pixels[:, :3], axis=1).max() == 0
    return np.array(code.split(), "float32"), pixels[:, 0]


def keras_pixels(decoder, code):
    return 255 * np.clip(np.asarray(decoder(code[None]))[0], 0, 1)


def spots(page, count, which=0):
    """Return points spread over the map, in pixels of the page."""
    box = page.locator(".le-map canvas").nth(which).bounding_box()
    random = np.random.default_rng(1)
    fractions = random.uniform(0.15, 0.85, (count, 2))
    return [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in fractions]


def check_ten_points(page, decoder):
    codes, images = [], []
    for x, y in spots(page, 10):
        page.mouse.move(x, y)
        code, pixels = state(page)
        codes.append(code)
        images.append(pixels)
    drawn = 255 * np.clip(np.asarray(decoder(np.array(codes))), 0, 1)
    assert np.abs(np.array(images) - drawn).max() <= 2
    assert len(set(map(tuple, codes))) == 10


def test_the_pointer_decodes_as_keras_does(open_page, decoder, shown):
    check_ten_points(open_page(shown.html), decoder)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_every_activation_decodes_as_keras_does(open_page, name):
    decoder = make_decoder(hidden=ACTIVATIONS[name], output="linear", seed=3)
    for layer in decoder.layers[1:]:
        layer.kernel.assign(layer.kernel * 0.3)
    decoder.layers[-1].bias.assign(decoder.layers[-1].bias + 0.5)
    shown = latent_explorer(decoder, *make_codes(), CLASSES)
    assert shown.digest["activations"] == [name, name, "linear"]
    check_ten_points(open_page(shown.html), decoder)


def test_the_code_is_where_the_pointer_is(open_page, shown):
    page = open_page(shown.html)
    box = page.locator(".le-map canvas").bounding_box()
    low, high = np.array(shown.digest["low"]), np.array(shown.digest["high"])
    page.mouse.move(box["x"] + 44, box["y"] + box["height"] - 40)  # the frame's lower left corner
    np.testing.assert_allclose(state(page)[0], low, atol=0.01 * (high - low).max())
    page.mouse.move(box["x"] + box["width"] - 6, box["y"] + 6)
    np.testing.assert_allclose(state(page)[0], high, atol=0.01 * (high - low).max())


def test_dragging_beyond_the_edge_stays_on_the_map(open_page, shown):
    page = open_page(shown.html)
    (x, y), _ = spots(page, 2)
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(1279, 1, steps=4)
    page.mouse.up()
    np.testing.assert_allclose(state(page)[0], shown.digest["high"], rtol=1e-3)


def test_touch_chooses_and_drags(open_page, decoder, shown):
    page = open_page(shown.html, viewport=NARROW, has_touch=True, is_mobile=True)
    before = state(page)
    (x, y), (to_x, to_y) = spots(page, 2)
    page.touchscreen.tap(x, y)
    tapped = state(page)
    assert (tapped[1] != before[1]).any()
    swipe(page, x, y, ((to_x - x) / 2, (to_y - y) / 2), steps=2)
    code, pixels = state(page)
    assert np.abs(code - tapped[0]).max() > 0.1
    assert np.abs(pixels - keras_pixels(decoder, code)).max() <= 2
    assert page.evaluate("scrollY") == 0, "a finger on the map must not scroll the page"


@pytest.mark.parametrize(
    ("part", "tapped", "scrolls"),
    [(".le-map", False, True), (".le-map", True, False), (".le-image", True, True)],
)
def test_a_swipe_scrolls_the_page_until_the_map_is_tapped(open_page, shown, part, tapped, scrolls):
    after = "<div style='height:3000px'></div>"
    page = open_page(shown.html, after, viewport=NARROW, has_touch=True, is_mobile=True)
    assert page.locator(".le-map").bounding_box()["height"] < 0.5 * NARROW["height"]
    if tapped:
        page.locator(".le-map").tap()
    before = state(page)[0]
    box = page.locator(part).bounding_box()
    swipe(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    if scrolls:
        page.wait_for_function("scrollY > 200")
        np.testing.assert_array_equal(state(page)[0], before)
    else:
        page.wait_for_timeout(300)
        assert page.evaluate("scrollY") == 0
        assert (state(page)[0] != before).any()


def test_a_tap_beside_the_map_lets_go_of_it(open_page, shown):
    page = open_page(shown.html, viewport=NARROW, has_touch=True, is_mobile=True)
    page.locator(".le-map").tap()
    assert page.locator(".le-map[data-held]").count() == 1
    page.locator(".le-hint").tap()
    assert page.locator(".le-map[data-held]").count() == 0


# Where on the page the marks of one colour are drawn, drawn thinly over the map's background.
DRAWN = """(map, [red, green, blue]) => {
  const copy = document.createElement("canvas"), box = map.getBoundingClientRect();
  [copy.width, copy.height] = [map.width, map.height];
  const ink = copy.getContext("2d", { willReadFrequently: true });
  ink.drawImage(map, 0, 0);
  const d = ink.getImageData(0, 0, map.width, map.height).data;
  const near = (i) => d[i + 3] > 150 && Math.abs(d[i] - red) + Math.abs(d[i + 1] - green)
    + Math.abs(d[i + 2] - blue) < 40;
  let count = 0, x = 0, y = 0;
  for (let i = 0; i < d.length; i += 4) if (near(i)) {
    count++; x += (i / 4) % map.width; y += Math.floor(i / 4 / map.width);
  }
  const scale = map.width / box.width;
  return [count, box.x + (x / count + 0.5) / scale, box.y + (y / count + 0.5) / scale];
}"""
COLOURS = [ImageColor.getrgb(colour) for colour in (plots.BLUE, plots.ORANGE, plots.GREEN)]


@pytest.mark.parametrize("label", range(3))
def test_a_drawn_dot_decodes_to_the_image_of_its_own_code(open_page, decoder, label):
    codes = np.array([[-3, -2], [0.5, 1.5], [2, -1]], "float32")
    few = latent_explorer(decoder, codes, np.arange(3), CLASSES)
    # On a narrow page no names lie on the dots. Images, pins and cross are moved out of the way.
    page = open_page(few.html, viewport=NARROW, device_scale_factor=3, color_scheme="light")
    page.get_by_role("button", name="Images").click()
    box = page.locator(".le-map").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 8, box["y"] + 8)
    page.get_by_role("button", name="Pin A here").evaluate("(button) => button.click()")
    page.get_by_role("button", name="Pin B here").evaluate("(button) => button.click()")
    page.locator(".le-map").focus()
    for key in ("Shift+ArrowUp", "Shift+ArrowLeft", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    count, x, y = page.locator(".le-map canvas").evaluate(DRAWN, COLOURS[label])
    assert count > 20, "the dot is not to be found"
    page.mouse.move(x, y)
    code, pixels = state(page)
    pixel = (np.array(few.digest["high"]) - few.digest["low"]) / 250
    assert (np.abs(code - codes[label]) < 1.5 * pixel).all(), (code, codes[label])
    assert f"nearest code: {CLASSES[label]}, 0.0" in page.locator(".le-side p").first.inner_text()
    images = 255 * np.clip(np.asarray(decoder(codes)), 0, 1)
    distances = np.abs(images - pixels).mean(axis=1)
    assert distances.argmin() == label
    assert distances[label] < 0.3 * np.delete(distances, label).min()


def test_the_arrow_keys_move_the_point(open_page, decoder, shown):
    page = open_page(shown.html)
    start, image = state(page)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "le-map"
    ring = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "3px" in ring
    assert "solid" in ring
    size = np.array(shown.digest["high"]) - shown.digest["low"]
    here = start
    for key, move in {
        "ArrowRight": (0.02, 0),
        "ArrowUp": (0, 0.02),
        "Shift+ArrowLeft": (-0.1, 0),
        "Shift+ArrowDown": (0, -0.1),
    }.items():
        page.keyboard.press(key)
        code, pixels = state(page)
        np.testing.assert_allclose(code - here, move * size, atol=2e-3 * size.max())
        assert np.abs(pixels - keras_pixels(decoder, code)).max() <= 2
        here = code
    assert (pixels != image).any()
    page.keyboard.press("Home")
    np.testing.assert_allclose(state(page)[0], start)
    assert page.evaluate("scrollY") == 0
    page.keyboard.press("Control+ArrowRight")  # belongs to the browser
    np.testing.assert_allclose(state(page)[0], start)


def test_a_screen_reader_hears_the_place_and_the_class(open_page, shown):
    page = open_page(shown.html)
    page.locator(".le-map").focus()
    page.keyboard.press("Shift+ArrowRight")
    live = page.locator("[aria-live=polite]")
    page.wait_for_function("document.querySelector('[aria-live]').textContent !== ''")
    code = state(page)[0]
    assert f"{code[0]:.2f}".replace("-", "−") in live.text_content()
    codes, labels = make_codes()
    nearest = labels[np.argmin(np.square(codes - code).sum(axis=1))]
    assert f"nearest code: {CLASSES[nearest]}, " in live.text_content()
    assert page.locator(".le-map").get_attribute("role") == "application"
    assert "Arrow keys" in page.locator(".le-map").get_attribute("aria-label")


def wait_for_ink(page, wanted):
    """Wait until the map's axis labels are drawn "dark" or "bright"."""
    page.wait_for_function(
        """(wanted) => {
            const map = document.querySelector(".le-map canvas");
            if (!map || !map.width) return false;
            const copy = document.createElement("canvas");
            [copy.width, copy.height] = [map.width, map.height];
            const ink = copy.getContext("2d", { willReadFrequently: true });
            ink.drawImage(map, 0, 0);
            const d = ink.getImageData(0, map.height - 16, map.width, 16).data;
            const solid = [...d.keys()].filter((i) => i % 4 === 3 && d[i] > 200);
            const seen = solid.map((i) => d[i - 1]);
            const darkest = Math.min(...seen);
            return seen.length > 0 && (wanted === "dark" ? darkest < 100 : darkest > 150);
        }""",
        arg=wanted,
    )


def test_the_map_is_painted_again_when_the_theme_changes(open_page, shown):
    page = open_page(shown.html, html="<html lang=en data-theme=light>")
    wait_for_ink(page, "dark")
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    wait_for_ink(page, "bright")


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "390"])
def test_it_fits_the_page(open_page, shown, viewport):
    page = open_page(shown.html, viewport=viewport, reduced_motion="reduce")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    box = page.locator(".le-map").bounding_box()
    assert box["width"] > 250
    image = page.locator(".le-image").bounding_box()
    assert image["y"] + image["height"] - box["y"] < viewport["height"] * 0.8, "seen together"
    assert not page.locator(".le-still").is_visible()


def test_a_button_shows_one_class_alone(open_page, shown):
    page = open_page(shown.html)
    picture = "document.querySelector('.le-map canvas').toDataURL()"
    before = page.evaluate(picture)
    button = page.get_by_role("button", name="Sandal")
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert page.evaluate(picture) != before
    button.click()
    assert button.get_attribute("aria-pressed") == "false"


def test_hidden_classes_are_not_reported(open_page):
    page = open_page(sample("latent").html)
    page.wait_for_function("document.querySelector('.le-side').textContent.includes('MSE')")
    assert "to B (Bag" in page.locator(".le-strip p").inner_text()
    page.get_by_role("button", name="Sandal").click()
    for x, y in spots(page, 10):
        page.mouse.move(x, y)
        for text in page.locator(".le-side p").all_inner_texts():
            assert "Sandal" in text
            assert "Trouser" not in text
            assert "Bag" not in text
    assert "From A (Sandal) to B (Sandal)" in page.locator(".le-strip p").inner_text()


@pytest.mark.parametrize("layer", ["Images", "Dots"])
def test_images_and_dots_can_be_switched_off(open_page, shown, layer):
    page = open_page(shown.html)
    picture = "document.querySelector('.le-map canvas').toDataURL()"
    before = page.evaluate(picture)
    button = page.get_by_role("button", name=layer)
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    assert button.get_attribute("aria-pressed") == "false"
    assert page.evaluate(picture) != before
    button.click()
    assert page.evaluate(picture) == before


def test_the_maps_background_is_the_decoded_grid(open_page, decoder, shown):
    page = open_page(shown.html)
    page.get_by_role("button", name="Dots").click()
    low, high = np.array(shown.digest["low"]), np.array(shown.digest["high"])
    for column, row in ((1, 1), (8, 2), (7, 8)):
        code = low + (high - low) * ([column + 0.5, 9.5 - row]) / 10
        seen = page.locator(".le-map canvas").evaluate(
            """(map, [column, row]) => {
                const copy = document.createElement("canvas"), side = (map.width - 50) / 10;
                [copy.width, copy.height] = [map.width, map.height];
                const ink = copy.getContext("2d", { willReadFrequently: true });
                ink.drawImage(map, 0, 0);
                const d = ink.getImageData(44 + column * side, 6 + row * side, side, side).data;
                return [...d.keys()].filter((i) => i % 4 === 0).map((i) => d[i]);
            }""",
            [column, row],
        )
        expected = keras_pixels(decoder, code.astype("float32")).mean()
        assert abs(np.mean(seen) - expected) < 0.1 * expected


def pins(page):
    return np.array(page.locator(".explorer").get_attribute("data-pins").split(), float)


def check_strip(page, decoder):
    """The nine images and eight changes are those between the pins, and the text says which."""
    a, b = pins(page).reshape(2, 2)
    expected = np.stack(
        [keras_pixels(decoder, (a + i / 8 * (b - a)).astype("float32")) for i in range(9)]
    )
    for i in range(9):
        found = pixels_of(page.locator(f".le-frame >> nth={i}"))[:, 0]
        assert np.abs(found - expected[i]).max() <= 2
    changes = np.diff(expected, axis=0) / 255
    for i in range(8):
        red, _, blue, _ = pixels_of(page.locator(f".le-change >> nth={i}")).T
        large = np.abs(changes[i]) > 0.05
        assert ((red > blue) == (changes[i] > 0))[large].all()
    largest = np.square(changes).mean(axis=1).argmax()
    text = page.locator(".le-strip p").inner_text()
    assert f"from image {largest + 1} to {largest + 2}, MSE" in text


def test_it_starts_at_the_last_class_with_a_walk_to_it(open_page, decoder, shown):
    page = open_page(shown.html)
    codes, labels = make_codes()
    for label, pin in ((1, pins(page)[:2]), (2, pins(page)[2:])):
        middle = np.median(codes[labels == label], axis=0)
        assert np.linalg.norm(pin - middle) < 0.3
    np.testing.assert_allclose(state(page)[0], pins(page)[2:], rtol=1e-5)
    check_strip(page, decoder)


def test_one_drag_walks_from_a_to_b(open_page, decoder, shown):
    page = open_page(shown.html)
    (x, y), (to_x, to_y) = spots(page, 2)
    page.mouse.move(x, y)
    start = state(page)[0]
    page.mouse.down()
    page.mouse.move(to_x, to_y, steps=3)
    page.mouse.up()
    np.testing.assert_allclose(pins(page), [*start, *state(page)[0]], rtol=1e-4)
    check_strip(page, decoder)


def test_clicks_keys_and_buttons_pin(open_page, decoder, shown):
    page = open_page(shown.html)
    places = []
    for x, y in spots(page, 3):
        page.mouse.click(x, y)
        places.append(state(page)[0])
    np.testing.assert_allclose(pins(page), [*places[2], *places[1]], rtol=1e-4)
    for key, part in (("a", slice(2)), ("B", slice(2, 4))):
        page.keyboard.press("Shift+ArrowDown")
        page.keyboard.press(key)
        np.testing.assert_allclose(pins(page)[part], state(page)[0], rtol=1e-4)
    before = pins(page)
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Control+a")  # belongs to the browser
    np.testing.assert_array_equal(pins(page), before)
    page.get_by_role("button", name="Pin A here").click()
    code = np.array(page.locator(".explorer").get_attribute("data-code").split(), float)
    np.testing.assert_allclose(pins(page)[:2], code)
    check_strip(page, decoder)


def test_the_nearest_real_image_stands_beside_with_its_error(open_page):
    page = open_page(sample("latent").html)
    page.wait_for_function("document.querySelector('.le-side').textContent.includes('MSE')")
    codes, images = make_codes()[0], make_images()
    for x, y in spots(page, 5):
        page.mouse.move(x, y)
        code, decoded = state(page)
        image = images[np.square(codes - code).sum(axis=1).argmin()].ravel()
        assert np.abs(pixels_of(page.locator(".le-real"))[:, 0] - 255 * image).max() <= 255 / 62 + 1
        error = np.square(decoded / 255 - image).mean()
        text = page.locator(".le-side p").nth(1).inner_text()
        assert "nearest of 300 real images" in text
        assert abs(float(text.rpartition(" ")[2]) - error) < 0.0015


def test_without_images_no_place_is_kept_for_them(open_page, shown):
    page = open_page(shown.html)
    assert not page.locator(".le-real").is_visible()
    assert shown.digest["real images"] == 0


def test_side_by_side_the_other_map_follows_the_same_image(open_page):
    page = open_page(sample("pair").html)
    codes, _ = make_codes()
    assert page.locator(".le-title").all_inner_texts() == ["First", "Second"]
    for which, sign in ((0, 1), (1, -1)):
        x, y = spots(page, 1, which)[0]
        page.mouse.move(x, y)
        here, there = state(page, which)[0], state(page, 1 - which)[0]
        nearest = np.square(sign * codes - here).sum(axis=1).argmin()
        np.testing.assert_allclose(there, -sign * codes[nearest], rtol=1e-4)


def test_only_explorers_of_the_same_images_stand_side_by_side(decoder, shown):
    with pytest.raises(ValueError, match="same images"):
        side_by_side(shown, latent_explorer(decoder, *make_codes(200), CLASSES))


def test_two_on_one_page_live_side_by_side(open_page, decoder, shown):
    other = make_decoder(seed=5)
    second = latent_explorer(other, *make_codes(200), CLASSES)
    page = open_page(shown.html, second.html, shown.html, viewport={"width": 900, "height": 2000})
    assert page.locator(".le-map").count() == 3
    for which, model in ((0, decoder), (1, other), (2, decoder)):
        (x, y), (to_x, to_y) = spots(page, 2, which)
        others = [state(page, i)[0] for i in range(3) if i != which]
        page.mouse.move(x, y)
        page.mouse.move(to_x, to_y)
        code, pixels = state(page, which)
        assert np.abs(pixels - keras_pixels(model, code)).max() <= 2
        page.mouse.move(1, 1)
        for before, i in zip(others, [i for i in range(3) if i != which], strict=True):
            np.testing.assert_array_equal(before, state(page, i)[0])


def test_it_works_in_a_frame_as_colab_shows_it(open_page, decoder, shown):
    page = open_page("<iframe title=output width=700 height=800></iframe>")
    frame = page.frames[1]
    frame.set_content(f"<!doctype html><html theme=dark><body>{shown.html}")
    frame.locator(".le-map").hover(position={"x": 200, "y": 100})
    code, pixels = state(frame)
    assert np.abs(pixels - keras_pixels(decoder, code)).max() <= 2


def test_the_digest_is_json_in_words(shown):
    assert json.loads(json.dumps(shown.digest)) == shown.digest
    assert shown.digest["layer sizes"] == [2, 16, 32, 784]
    assert shown.digest["codes of each class"] == dict.fromkeys(CLASSES, 100)
    assert len(shown.digest["means of decoded images"]) == 10


# What a class or an axis may be called. The second opens a comment in the script, which would end
# neither at the script's end nor at the page's.
NAMES = ("Trouser", "<!--<script>", "Bag </script><i id=stray>")


@pytest.fixture(scope="module")
def oddly_named(decoder):
    codes, labels = make_codes()
    return latent_explorer(decoder, codes, labels, NAMES, axes=NAMES[1:])


def test_no_name_gets_out_of_the_data_in_a_browser(open_page, decoder, oddly_named):
    page = open_page(oddly_named.html, "<p id=after>After the explorer</p>")
    assert page.locator("#after").is_visible(), "the explorer has swallowed the page"
    assert page.locator("#stray").count() == 0
    assert page.locator(".le-legend button").all_inner_texts() == list(NAMES)
    check_ten_points(page, decoder)


def test_the_digest_sees_another_decoder_and_other_codes(shown):
    other = latent_explorer(make_decoder(seed=1), *make_codes(), CLASSES)
    assert other.digest["means of decoded images"] != shown.digest["means of decoded images"]
    codes, labels = make_codes()
    moved = latent_explorer(make_decoder(), 2 * codes, labels, CLASSES)
    assert moved.digest["high"] != shown.digest["high"]


def test_a_book_sized_decoder_takes_less_than_600_kb():
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(64, activation="gelu"),
            layers.Dense(128, activation="gelu"),
            layers.Dense(784),
        ]
    )
    assert len(latent_explorer(decoder, *make_codes(3000), CLASSES).html.encode()) < 600_000


def test_two_bytes_a_weight_give_way_where_it_would_show(open_page):
    assert '"bytes":2' in latent_explorer(make_decoder(), *make_codes(), CLASSES).html
    decoder = make_decoder(output="linear")
    decoder.layers[-1].kernel.assign(decoder.layers[-1].kernel * 200)
    shown = latent_explorer(decoder, *make_codes(), CLASSES)
    assert '"bytes":4' in shown.html
    check_ten_points(open_page(shown.html), decoder)


def test_activation_layers_dropout_and_reshape_may_stand_between():
    decoder = keras.Sequential(
        [
            keras.Input((2,)),
            keras.Sequential([layers.Dense(8), layers.Activation("relu"), layers.Dropout(0.5)]),
            layers.Dense(784, activation=partial(activations.gelu, approximate=True)),
            layers.Reshape((28, 28)),
        ]
    )
    digest = latent_explorer(decoder, *make_codes(), CLASSES).digest
    assert digest["activations"] == ["relu", "gelu_tanh"]


def chain_of(*stack):
    return keras.Sequential([keras.Input((2,)), *stack])


@pytest.mark.parametrize(
    ("decoder", "message"),
    [
        (
            lambda: chain_of(layers.Dense(8), layers.BatchNormalization(), layers.Dense(784)),
            "BatchNorm",
        ),
        (lambda: chain_of(layers.Dense(784, activation="softmax")), "softmax"),
        (lambda: chain_of(layers.Dense(100)), "28×28 pixels"),
        (lambda: keras.Sequential([keras.Input((3,)), layers.Dense(784)]), "28×28 pixels"),
        (lambda: chain_of(layers.Dense(600, name="wide"), layers.Dense(784)), "bytes"),
        (lambda: chain_of(layers.Flatten()), "no Dense layer"),
    ],
)
def test_what_it_cannot_show_raises_in_words(decoder, message):
    with pytest.raises(ValueError, match=message):
        latent_explorer(decoder(), *make_codes(), CLASSES)


def test_a_branching_decoder_raises():
    code = keras.Input((2,))
    branch = layers.Dense(784)(code)
    summed = layers.Dense(784)(branch)
    decoder = keras.Model(code, keras.ops.add(branch, summed))
    with pytest.raises(ValueError, match=r"Dense layers only|plain chain"):
        latent_explorer(decoder, *make_codes(), CLASSES)


@pytest.mark.parametrize("codes", [np.zeros((300, 3)), np.zeros((299, 2)), np.zeros(300)])
def test_codes_of_another_shape_raise(decoder, codes):
    with pytest.raises(ValueError, match=r"shape \(n, 2\)"):
        latent_explorer(decoder, codes, make_codes()[1], CLASSES)


def test_too_few_images_raise(decoder):
    with pytest.raises(ValueError, match="300 codes, but 299 images"):
        latent_explorer(decoder, *make_codes(), CLASSES, images=make_images(299))
