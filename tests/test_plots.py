"""Each picture shows what its caption will say: asserted on the axes' contents, not on pixels."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import colors
from matplotlib.patches import Polygon, Rectangle

from helpers import (
    draw_network,
    explorer_parts,
    plot_codes,
    plot_history,
    plot_images,
    plot_reconstructions,
    plots,
)

PALETTE = ("BLUE", "ORANGE", "GREEN", "PURPLE", "RED", "GREY")
rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def book_style():
    with mpl.rc_context(plots.STYLE):
        yield


def images(count):
    return rng.random((count, 28, 28))


def history(**metrics):
    return SimpleNamespace(history=metrics)


def luminance(color):
    rgb = np.array(colors.to_rgb(color))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]  # WCAG 2.2, relative luminance


def contrast(first, second):
    low, high = sorted([luminance(first), luminance(second)])
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", PALETTE)
@pytest.mark.parametrize("page", ["#ffffff", "#000000"])
def test_every_colour_can_be_seen_on_light_and_dark_pages(name, page):
    assert contrast(getattr(plots, name), page) >= 4.5


@pytest.mark.parametrize("color", plots.CLASS_COLOURS)
@pytest.mark.parametrize("page", ["#ffffff", "#000000"])
def test_every_dot_can_be_seen_on_light_and_dark_pages(color, page):
    assert contrast(color, page) >= 3


def test_a_meaning_has_a_colour_of_the_palette():
    """Also in `slider.css`, which cannot import it."""
    assert set(plots.COLOUR_OF.values()) == {getattr(plots, name) for name in PALETTE}
    style = explorer_parts.text_of("slider.css")
    assert f".bs-pca {{ stroke: {plots.COLOUR_OF['PCA']};" in style
    assert f".bs-network {{ stroke: {plots.COLOUR_OF['autoencoder']}; }}" in style


def test_contrast_is_computed_as_published():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


def test_the_style_has_no_colours_but_the_palettes():
    allowed = {getattr(plots, name) for name in PALETTE} | {"none", "gray"}
    found = {value for value in plots.STYLE.values() if isinstance(value, str)}
    found |= {entry["color"] for entry in plots.STYLE["axes.prop_cycle"]}
    assert found - {"nearest"} <= allowed


def test_images_stand_in_rows_with_titles_and_labels():
    top, bottom = images(4), images(3)
    figure = plot_images(
        [top, bottom], titles=["a", "b", "c", "d"], row_labels=["top", "bottom"], limits=(0, 2)
    )
    axes = np.reshape(figure.axes, (2, 4))
    for axis, image in zip([*axes[0], *axes[1, :3]], [*top, *bottom], strict=True):
        np.testing.assert_array_equal(axis.images[0].get_array(), image)
        assert axis.images[0].get_clim() == (0, 2)
    assert not axes[1, 3].images
    assert [axis.get_title() for axis in axes[0]] == ["a", "b", "c", "d"]
    assert [row[0].get_ylabel() for row in axes] == ["top", "bottom"]
    assert not any(len(axis.get_xticks()) or len(axis.get_yticks()) for axis in figure.axes)


def test_one_array_of_images_is_cut_into_rows():
    every = images(7)
    axes = np.reshape(plot_images(every, columns=3).axes, (3, 3))
    shown = [axis.images[0].get_array() for axis in axes.flat if axis.images]
    np.testing.assert_array_equal(shown, every)


def test_reconstructions_stand_under_their_originals():
    x = images(5)
    figure = plot_reconstructions(x, {"half": x.reshape(5, 784) / 2, "none": x * 0}, count=3)
    axes = np.reshape(figure.axes, (3, 3))
    assert [row[0].get_ylabel() for row in axes] == ["original", "half", "none"]
    for column in range(3):
        shown = [row[column].images[0].get_array() for row in axes]
        np.testing.assert_array_equal(shown, [x[column], x[column] / 2, x[column] * 0])
        assert all(row[column].images[0].get_clim() == (0, 1) for row in axes)
    alone = plot_reconstructions(x, x)
    assert alone.axes[5].get_ylabel() == "reconstruction"
    assert len(alone.axes) == 10
    assert len(plot_reconstructions(images(15), images(15), count=12).axes) == 24


def test_histories_become_curves_over_epochs_with_their_baselines():
    figure = plot_history(
        {"a": history(val_loss=[3.0, 2.0]), "b": history(val_loss=[4.0, 1.0, 0.5])},
        baselines={"mean image": 2.5},
    )
    (axis,) = figure.axes
    first, second, baseline = axis.lines
    np.testing.assert_array_equal(first.get_xydata(), [[1, 3], [2, 2]])
    np.testing.assert_array_equal(second.get_xydata(), [[1, 4], [2, 1], [3, 0.5]])
    assert first.get_color() != second.get_color()
    assert first.get_linestyle() != second.get_linestyle()
    assert set(baseline.get_ydata()) == {2.5}
    assert [text.get_text() for text in axis.texts] == ["mean image"]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["a", "b"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("epoch", "validation MSE")


def test_one_history_is_drawn_under_its_metrics_name():
    figure = plot_history(history(loss=[2.0, 1.0]), metric="loss", ylabel="training MSE")
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "loss"
    assert figure.axes[0].get_ylabel() == "training MSE"


def test_codes_are_coloured_by_class_and_named_at_their_medians():
    codes = np.array([[0, 0], [1, 2], [2, 1], [9, 9], [11, 9], [10, 12]], float)
    labels = np.array([0, 0, 0, 2, 2, 2])
    (axis,) = plot_codes(codes, labels, ("Bag", "Coat", "Dress"), title="codes").axes
    (points,) = axis.collections
    np.testing.assert_array_equal(points.get_offsets(), codes)
    shown = [colors.to_hex(colour) for colour in points.get_facecolors()]
    assert shown == [plots.CLASS_COLOURS[label] for label in labels]
    assert {text.get_text(): text.get_position() for text in axis.texts} == {
        "Bag": (1, 1),
        "Dress": (10, 9),
    }
    assert axis.get_title() == "codes"


def test_a_network_is_one_bar_a_layer_with_its_code_marked():
    (axis,) = draw_network([784, 100, 30, 784], labels=["in", "hidden", "code", "out"]).axes
    bars = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    heights = [bar.get_height() for bar in bars]
    assert heights[0] == heights[3] > heights[1] > heights[2] > 0
    marked = [colors.to_hex(bar.get_facecolor()) == plots.ORANGE for bar in bars]
    assert marked == [False, False, True, False]
    assert sum(isinstance(patch, Polygon) for patch in axis.patches) == 3
    words = [text.get_text() for text in axis.texts]
    assert words == ["784", "in", "100", "hidden", "30", "code", "784", "out"]
    (axis,) = draw_network([5, 3, 4], code=2).axes
    bars = [patch for patch in axis.patches if isinstance(patch, Rectangle)]
    assert colors.to_hex(bars[2].get_facecolor()) == plots.ORANGE


def test_input_of_a_wrong_shape_is_refused_in_plain_words():
    for words, call in [
        (r"images of shape \(n, height, width\), not \(5, 784\)", lambda: plot_images(images(5).reshape(5, 784))),
        ("no images", lambda: plot_images([])),
        ("no images", lambda: plot_images(images(0))),
        (r"\(n, 28, 28\) or \(n, 784\), not \(5, 30\)", lambda: plot_reconstructions(images(5), np.ones((5, 30)))),
        ("no 'val_loss'; it has: loss", lambda: plot_history(history(loss=[1.0]))),
        (r"codes of shape \(n, 2\), not \(6, 3\)", lambda: plot_codes(np.ones((6, 3)), np.ones(6, int), "ab")),
        ("6 codes, but 5 labels", lambda: plot_codes(np.ones((6, 2)), np.ones(5, int), "ab")),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=words):
            call()
