"""The digest sees what a reader sees: every change to a drawn figure changes it."""

import json

import nbformat
import numpy as np
import pytest
from IPython.core.interactiveshell import InteractiveShell
from matplotlib.figure import Figure

from output_check.compare import Comparison
from output_check.digest import figure_digest, load_ipython_extension
from output_check.digest_text import parse, write
from tools.kernel import start_kernel
from tools.stored import DIGEST


def learning_curves(epochs=300):
    """A figure with one of nearly everything."""
    figure = Figure(figsize=(7, 4))
    figure.suptitle("Two panels")
    left, right = figure.subplots(1, 2)
    x = np.arange(epochs)
    left.plot(x, 1 / (1 + x), label="train")
    left.plot(x, 1.2 / (1 + x), label="validation")
    left.fill_between(x, 0.5 / (1 + x), 2 / (1 + x), alpha=0.3)
    left.axhline(0.2, linestyle="--")
    left.annotate("mean image", (epochs / 2, 0.2))
    left.set(title="Loss", xlabel="epoch", ylabel="MSE", yscale="log")
    left.legend(title="set")
    right.scatter(x, np.sin(x), c=x % 10, s=4, cmap="tab10")
    right.bar(["PCA", "AE"], [0.3, 0.5], color="C1")
    right.imshow(np.outer(x[:28], x[:28]), extent=(0, 1, 2, 3), cmap="gray")
    right.set_xticks([0, 1], ["one", "two"])
    right.set(xlim=(-1, 3), ylim=(-1, 3), aspect="auto")
    return figure


def left(figure):
    return figure.axes[0]


def right(figure):
    return figure.axes[1]


def shift(line, start, stop, step):
    """Move some points of a curve by a share of its own height there."""
    x, y = line.get_data()
    line.set_data(x, np.where((x >= start) & (x < stop), y * step, y))


def swap(one, two):
    """Swap the data of two curves."""
    (x, y), (v, w) = one.get_data(), two.get_data()
    one.set_data(v, w)
    two.set_data(x, y)


CHANGES = {
    "suptitle": lambda f: f.suptitle("Two panes"),
    "title": lambda f: left(f).set_title("Less"),
    "title's side": lambda f: (left(f).set_title(""), left(f).set_title("Loss!", loc="left")),
    "x label": lambda f: left(f).set_xlabel("step"),
    "y label": lambda f: left(f).set_ylabel("loss"),
    "limits": lambda f: left(f).set_xlim(0, 290),
    "inverted": lambda f: left(f).invert_yaxis(),
    "scale": lambda f: left(f).set_yscale("linear"),
    "legend gone": lambda f: left(f).get_legend().remove(),
    "legend's word": lambda f: left(f).get_legend().get_texts()[0].set_text("test"),
    "legend's title": lambda f: left(f).get_legend().set_title("sets"),
    "curves swapped": lambda f: swap(*left(f).lines[:2]),
    "curve gone": lambda f: left(f).lines[1].remove(),
    "curve moved": lambda f: shift(left(f).lines[0], 0, 300, 1.1),
    "curve moved in a few points": lambda f: shift(left(f).lines[0], 100, 110, 1.3),
    "one point of a curve": lambda f: shift(left(f).lines[0], 100, 101, 3),
    "colour": lambda f: left(f).lines[0].set_color("C3"),
    "line style": lambda f: left(f).lines[0].set_linestyle(":"),
    "marker": lambda f: left(f).lines[0].set_marker("o"),
    "alpha": lambda f: left(f).lines[0].set_alpha(0.5),
    "hidden": lambda f: left(f).lines[0].set_visible(False),
    "text": lambda f: left(f).texts[0].set_text("median image"),
    "text moved": lambda f: left(f).texts[0].set_position((60, 0.3)),
    "fill gone": lambda f: left(f).collections[0].remove(),
    "fill's alpha": lambda f: left(f).collections[0].set_alpha(0.6),
    "points moved": lambda f: right(f).collections[0].set_offsets(np.full((300, 2), 0.5)),
    "points' classes": lambda f: right(f).collections[0].set_array(np.arange(300) % 5),
    "points' size": lambda f: right(f).collections[0].set_sizes([9]),
    "colour map": lambda f: right(f).collections[0].set_cmap("viridis"),
    "bar": lambda f: right(f).patches[0].set_height(0.4),
    "bar's colour": lambda f: right(f).patches[0].set_facecolor("C5"),
    "image": lambda f: right(f).images[0].set_data(np.outer(range(28), range(28)[::-1])),
    "image's limits": lambda f: right(f).images[0].set_clim(0, 100),
    "image's place": lambda f: right(f).images[0].set_extent((0, 2, 2, 3)),
    "tick labels": lambda f: right(f).set_xticklabels(["one", "three"]),
    "ticks": lambda f: right(f).set_xticks([0, 2], ["one", "two"]),
    "panel gone": lambda f: right(f).remove(),
    "inset": lambda f: right(f).inset_axes([0, 0, 0.1, 0.1]),
    "size": lambda f: f.set_size_inches(7, 5),
}


def differences(one, two):
    comparison = Comparison()
    comparison.compare_digests(one, two, "figure")
    return comparison.problems


@pytest.fixture(scope="module")
def reference():
    return figure_digest(learning_curves())


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_shows(reference, change):
    figure = learning_curves()
    CHANGES[change](figure)
    assert differences(reference, figure_digest(figure))


def test_the_same_figure_has_the_same_digest(reference):
    figure = learning_curves()
    assert figure_digest(figure) == reference
    assert figure_digest(figure) == reference  # drawn before


def test_a_movement_that_no_eye_sees_agrees(reference):
    figure = learning_curves()
    shift(left(figure).lines[0], 0, 300, 1.002)
    assert figure_digest(figure) != reference
    assert not differences(reference, figure_digest(figure))


def exact(digest):
    """Return a digest as text that tells 1 from 1.0, whatever the order of its entries."""
    return json.dumps(digest, sort_keys=True)


def test_the_text_of_a_digest_is_small_and_says_everything(reference):
    figures = [reference, figure_digest(many_images(100)), figure_digest(in_space())]
    for digest in [{"matplotlib": "3.11", **digest} for digest in figures]:
        text = write(digest)
        assert exact(parse(text)) == exact(digest)
        assert len(text) < 40_000


@pytest.mark.parametrize(
    "digest",
    [
        {"size": [7.0, 4.0]},
        {"axes": [{}, {"artists": [{"kind": "Line2D", "n": 0}]}]},
        {"texts": ["a\nb: {c}\u2028"], "axes": [{"titles": ["axes: {}"]}]},
        {"kind": "latent explorer", "codes": 5, "codes of each class": {"Coat": 1}, "low": [-1.5]},
        {"kind": "explorer"},
    ],
)
def test_a_digest_is_read_back_as_it_was(digest):
    assert exact(parse(write(digest))) == exact(digest)


def test_a_change_of_one_thing_changes_one_line(reference):
    figure = learning_curves()
    shift(left(figure).lines[1], 0, 300, 1.1)
    before, after = (write(digest).split("\n") for digest in (reference, figure_digest(figure)))
    changed = [old for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    assert changed[0].startswith('  Line2D: {"label":"validation"')


def test_a_name_that_could_not_be_read_back_is_an_error():
    with pytest.raises(ValueError, match="a colon"):
        write({"kind": "explorer", "a: b": 1})


def many_images(count):
    figure = Figure(figsize=(7, 7))
    rng = np.random.default_rng(0)
    for axes in figure.subplots(10, count // 10).flat:
        axes.imshow(rng.random((28, 28)))
        axes.set(xticks=[], yticks=[])
    return figure


def in_space(bump=0.0, order=1):
    figure = Figure()
    axes = figure.add_subplot(projection="3d")
    points = np.random.default_rng(0).random((60, 3))
    points[7] += bump
    axes.scatter(*points[::order].T)
    axes.plot(*points[:5].T)
    axes.plot_surface(*np.meshgrid([0, 1], [0, 1]), np.ones((2, 2)))
    return figure


def test_points_in_space_count():
    assert differences(figure_digest(in_space()), figure_digest(in_space(bump=0.1)))


def test_an_unusual_figure_has_a_digest():
    figure = Figure()
    axes = figure.subplots(2, 2)
    axes[0, 0].contourf(np.random.default_rng(0).random((9, 9)))
    figure.colorbar(axes[0, 1].pcolormesh(np.eye(5)))
    axes[1, 0].plot([])
    axes[1, 0].scatter([], [])
    axes[1, 0].plot([1, np.nan, np.inf])
    axes[1, 0].errorbar([1, 2], [1, 2], yerr=0.1)
    axes[1, 1].quiver([0, 1], [0, 1], [1, 1], [1, 0])
    axes[1, 1].table([["1", "2"]])
    axes[1, 1].imshow(np.zeros((4, 4, 3)))
    axes[0, 0].plot([1, 2], [3, 4], [5, 6], [7, 8], drawstyle="steps")
    json.dumps(figure_digest(figure), allow_nan=False)


def displayed(thing):
    """Return what a kernel of `make run` sends when it displays something, by MIME type."""
    shell = InteractiveShell()
    load_ipython_extension(shell)
    load_ipython_extension(shell)
    data, _ = shell.display_formatter.format(thing)
    return data


def test_a_displayed_figure_carries_its_digest(reference):
    digest = parse(displayed(learning_curves())[DIGEST])
    assert digest.pop("matplotlib")
    assert exact(digest) == exact(reference)


def test_a_reader_gets_figures_without_digests(tmp_path):
    source = (
        "from helpers import set_up\nfrom matplotlib.figure import Figure\n"
        "set_up()\nfigure = Figure()\nfigure.subplots()\nfigure"
    )
    cell = nbformat.v4.new_code_cell(source)
    with start_kernel(tmp_path) as kernel:
        list(kernel.run(nbformat.v4.new_notebook(cells=[cell])))
    (output,) = cell.outputs
    assert set(output.data) == {"image/png", "text/plain"}


def test_a_displayed_explorer_carries_its_digest():
    class Explorer:
        __module__ = "helpers.explorers"
        digest = {"kind": "explorer", "codes": 3}  # noqa: RUF012

        def _repr_html_(self):
            return "<div></div>"

    data = displayed(Explorer())
    assert parse(data[DIGEST]) == Explorer.digest
    assert data["text/html"] == "<div></div>"


def test_nothing_else_carries_a_digest():
    hasher = type("Hasher", (), {"digest": lambda self: b""})
    for thing in (1, "text", hasher()):
        assert DIGEST not in displayed(thing)
