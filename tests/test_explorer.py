"""The latent explorer in a real browser: it decodes as Keras does, for every way of pointing."""

import json
from functools import partial
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from keras import activations, layers

from helpers import explorers, latent_explorer

CLASSES = ("Trouser", "Sandal", "Bag </script>")
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}


def make_decoder(hidden="gelu", output="sigmoid", seed=0):
    """Return an untrained decoder whose images have contrast and use the whole range."""
    keras.utils.set_random_seed(seed)
    loud = keras.initializers.RandomNormal(0, 0.5)
    return keras.Sequential(
        [
            keras.Input((2,)),
            layers.Dense(16, activation=hidden, kernel_initializer=loud, bias_initializer=loud),
            layers.Dense(32, activation=hidden, kernel_initializer=loud),
            layers.Dense(784, activation=output, kernel_initializer=loud),
        ]
    )


def make_codes(count=300):
    random = np.random.default_rng(0)
    labels = np.arange(count) % 3
    return random.normal(size=(count, 2)) + 3 * np.eye(3, 2)[labels], labels


@pytest.fixture(scope="module")
def decoder():
    return make_decoder()


@pytest.fixture(scope="module")
def shown(decoder):
    return latent_explorer(decoder, *make_codes(), CLASSES)


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that shows fragments in a page; at the end no page may have complained."""
    contexts, complaints = [], []

    def open_page(*fragments, html="<html lang=en>", body="<body>", **options):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(
            "<!doctype html>" + html + "<meta charset=utf-8><title>Explorer</title>"
            "<meta name=viewport content='width=device-width'>"
            f"{body}<main><h1>Explorer</h1>{''.join(fragments)}</main>",
            encoding="utf-8",
        )
        context = browser.new_context(**{"viewport": WIDE} | options)
        context.set_default_timeout(120_000)  # ms: to hang is a fault, to be slow is not
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda r: r.url.startswith(("file:", "data:")) or complaints.append(r.url)
        )
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


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
    return 255 * np.clip(decoder.predict(code[None], verbose=0)[0], 0, 1)


def spots(page, count, which=0):
    """Return points spread over the map, in pixels of the page."""
    box = page.locator(".le-map canvas").nth(which).bounding_box()
    random = np.random.default_rng(1)
    fractions = random.uniform(0.15, 0.85, (count, 2))
    return [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in fractions]


def check_ten_points(page, decoder):
    seen = set()
    for x, y in spots(page, 10):
        page.mouse.move(x, y)
        code, pixels = state(page)
        seen.add(tuple(code))
        assert np.abs(pixels - keras_pixels(decoder, code)).max() <= 2
    assert len(seen) == 10


def test_the_pointer_decodes_as_keras_does(open_page, decoder, shown):
    check_ten_points(open_page(shown.html), decoder)


@pytest.mark.parametrize("name", explorers.ACTIVATIONS)
def test_every_activation_decodes_as_keras_does(open_page, name):
    decoder = make_decoder(hidden=explorers.ACTIVATIONS[name], output="linear", seed=3)
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
    page.mouse.move(box["x"] + 41, box["y"] + box["height"] - 39)  # the frame's lower left corner
    np.testing.assert_allclose(state(page)[0], low, atol=0.01 * (high - low).max())
    page.mouse.move(box["x"] + box["width"] - 9, box["y"] + 7)
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
    session = page.context.new_cdp_session(page)
    session.send(
        "Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]}
    )
    for part in (0.5, 1):
        point = {"x": x + part * (to_x - x), "y": y + part * (to_y - y)}
        session.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    code, pixels = state(page)
    assert np.abs(code - tapped[0]).max() > 0.1
    assert np.abs(pixels - keras_pixels(decoder, code)).max() <= 2
    assert page.evaluate("scrollY") == 0, "a finger on the map must not scroll the page"


@pytest.mark.parametrize(
    ("part", "scrolls"), [(".le-map", False), (".le-image", True), (".le-hint", True)]
)
def test_a_finger_scrolls_a_tall_page_from_beside_the_map(open_page, shown, part, scrolls):
    """The map keeps a swipe for itself, so it must leave room for one that moves the page."""
    after = "<div style='height:3000px'></div>"
    page = open_page(shown.html, after, viewport=NARROW, has_touch=True, is_mobile=True)
    assert page.locator(".le-map").bounding_box()["height"] < 0.5 * NARROW["height"]
    box = page.locator(part).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    session = page.context.new_cdp_session(page)

    def touch(kind, *points):
        event = {"type": kind, "touchPoints": [{"x": x, "y": place} for place in points]}
        session.send("Input.dispatchTouchEvent", event)

    touch("touchStart", y)
    for step in range(10):
        touch("touchMove", y - 30 * (step + 1))
    touch("touchEnd")
    if scrolls:
        page.wait_for_function("scrollY > 200")
    else:
        page.wait_for_timeout(300)
        assert page.evaluate("scrollY") <= 200


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
COLOURS = [(58, 129, 214), (208, 122, 22), (20, 154, 114)]


@pytest.mark.parametrize("label", range(3))
def test_a_drawn_dot_decodes_to_the_image_of_its_own_code(open_page, decoder, label):
    codes = np.array([[-3, -2], [0.5, 1.5], [2, -1]], "float32")
    few = latent_explorer(decoder, codes, np.arange(3), CLASSES)
    # On a narrow page no names lie on the dots. The cross is moved out of the way.
    page = open_page(few.html, viewport=NARROW, device_scale_factor=3, color_scheme="light")
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
    images = 255 * np.clip(decoder.predict(codes, verbose=0), 0, 1)
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


@pytest.mark.parametrize("viewport", [WIDE, NARROW], ids=["wide", "390"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(open_page, shown, viewport, theme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = open_page(shown.html, html=f"<html lang=en data-theme={theme}>", viewport=viewport)
    found = axe.run(page, context=".latent-explorer")
    assert found.violations_count == 0, found.generate_report()
    assert {"color-contrast", "button-name"} <= {rule["id"] for rule in found.response["passes"]}


DARK, LIGHT = "rgb(20, 24, 30)", "rgb(255, 255, 255)"


@pytest.mark.parametrize(
    ("page_says", "system", "colour"),
    [
        ({}, "light", LIGHT),
        ({}, "dark", DARK),
        ({"html": "<html lang=en data-theme=dark>"}, "light", DARK),
        ({"html": "<html lang=en data-theme=light>"}, "dark", LIGHT),
        ({"body": "<body data-theme=dark>"}, "light", DARK),
        ({"body": "<body data-theme=light>"}, "dark", LIGHT),
        ({"html": "<html lang=en theme=dark>"}, "light", DARK),
        ({"body": "<body data-jp-theme-light=false>"}, "light", DARK),
        ({"body": "<body data-jp-theme-light=true>"}, "dark", LIGHT),
    ],
)
def test_it_follows_the_theme(open_page, shown, page_says, system, colour):
    page = open_page(shown.html, color_scheme=system, **page_says)
    root = page.locator(".latent-explorer")
    assert root.evaluate("(e) => getComputedStyle(e).backgroundColor") == colour


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


def test_it_works_where_scripts_are_run_afterwards(open_page, decoder, shown):
    """JupyterLab sets the fragment as inner HTML and then puts fresh copies of its scripts in."""
    page = open_page("<div id=output></div>")
    page.evaluate(
        """(html) => {
            const output = document.getElementById("output");
            output.innerHTML = html;
            for (const old of output.querySelectorAll("script")) {
                const fresh = document.createElement("script");
                fresh.textContent = old.textContent;
                old.parentNode.replaceChild(fresh, old);
            }
        }""",
        shown.html,
    )
    check_ten_points(page, decoder)


def test_without_scripts_a_picture_and_a_sentence_stand_in(open_page, shown):
    page = open_page(shown.html, java_script_enabled=False)
    assert page.get_by_role("img").is_visible()
    assert "10 by 10 images" in page.get_by_role("img").get_attribute("alt")
    assert "With scripts switched on" in page.locator(".le-still").inner_text()
    assert page.locator(".le-map").count() == 0


def test_the_fragment_is_the_same_every_time(decoder, shown):
    assert latent_explorer(decoder, *make_codes(), CLASSES).html == shown.html


def test_a_notebook_gets_html_and_a_sentence(shown):
    assert shown._repr_html_() == shown.html
    assert repr(shown) == "Latent explorer: decoder 2-16-32-784, 300 codes"
    assert not hasattr(shown, "_repr_mimebundle_"), "the check adds the digest, not the explorer"


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


def test_no_name_gets_out_of_the_data_in_a_parser(oddly_named):
    found = []

    class Parser(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.append(tag)

    parser = Parser()
    parser.feed(oddly_named.html + "<b>after</b>")
    parser.close()
    assert found == ["div", "style", "div", "img", "p", "script", "b"]
    data = oddly_named.html.rpartition("latentExplorer(")[2].rpartition("</script>")[0]
    assert "<" not in data


def test_the_files_can_stand_in_a_page():
    for text in (explorers.SCRIPT, explorers.STYLE):
        assert "</" not in text
        assert "<!--" not in text


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
