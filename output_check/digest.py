"""What a figure says, small enough to be stored beside it and compared.

Pixels cannot tell a wrong curve from a new font. So every Matplotlib figure that `make run` and the
check display carries this digest beside its PNG: its words, its limits, its colours, and where its
data are drawn. This module is the IPython extension that sees to it; a reader's kernel does without.

Positions are fractions of the axes (0 is left or bottom, 1 is right or top) after every scale and
transform, so 0.005 is half a per cent of what a reader sees, on a logarithmic axis too; the
limits, in the scale's own coordinates (decades, where it is logarithmic), tie them to the data.
Long data are cut into blocks of neighbours, each kept as its mean and its standard deviation.
"""

import math

import matplotlib as mpl
import numpy as np
from IPython.core.formatters import BaseFormatter, catch_format_error
from matplotlib import category, collections, colors, image, lines, patches, ticker, transforms
from matplotlib.figure import Figure
from matplotlib_inline.config import InlineBackend
from traitlets import Unicode

from output_check.digest_text import write
from tools.stored import DIGEST

# Tick labels made by these follow from the limits and are left out.
NUMBER_FORMATTERS = (
    ticker.ScalarFormatter,
    ticker.LogFormatter,
    ticker.LogitFormatter,
    ticker.NullFormatter,
)


def load_ipython_extension(shell):
    """Give what `shell` displays its digest, and keep the PNGs' maker out of them.

    Args:
        shell: an IPython shell, before it shows its first figure. Loading twice is harmless.
    """
    # Else every file would name Matplotlib's version, and differ with it.
    png = {"bbox_inches": "tight", "metadata": {"Software": None}}
    InlineBackend.instance(parent=shell).print_figure_kwargs = png
    display = shell.display_formatter
    display.formatters[DIGEST] = DigestFormatter(parent=display)


class DigestFormatter(BaseFormatter):
    """Writes the digest of a Matplotlib figure, and of a helper's output that has one."""

    format_type = Unicode(DIGEST)

    @catch_format_error
    def __call__(self, obj):
        """Return the digest of `obj` as text, or None if it has none."""
        if isinstance(obj, Figure):
            return write({"matplotlib": mpl.__version__, **figure_digest(obj)})
        if type(obj).__module__.startswith("helpers.") and hasattr(obj, "digest"):
            return write(obj.digest)
        return None


def figure_digest(figure):
    """Return what `figure` shows as a JSON-able dict: words, limits, colours, drawn data.

    Args:
        figure: a `matplotlib.figure.Figure`, made with or without pyplot.

    Returns:
        A dict of str, int, float (five significant digits at most), None (not finite), list and
        dict. Counts are int and measured quantities float. Empty entries are left out.
    """
    figure.draw_without_rendering()  # settles limits, ticks and 3-D projections
    axes = [*figure.axes, *(inset for axis in figure.axes for inset in axis.child_axes)]
    drawn = sum(len(_artists(axis)) - len(axis.images) for axis in axes)
    images = sum(len(axis.images) for axis in axes)
    detail = {
        "blocks": min(max(600 // max(drawn, 1), 8), 50),
        "side": min(max(math.isqrt(1000 // max(images, 1)), 3), 16),
    }
    parts = [figure, *figure.subfigs]
    return _without_empty(
        size=_floats(figure.get_size_inches()),
        texts=[text.get_text() for part in parts for text in part.texts if text.get_text()],
        legends=[_legend(legend) for part in parts for legend in part.legends],
        axes=[_axes(axis, **detail) for axis in axes],
    )


def _axes(axes, blocks, side):
    """Digest one axes: its words, its limits and everything drawn in it."""
    legend = axes.get_legend()
    place = axes.get_subplotspec()
    return _without_empty(
        place=place and [int(number) for number in place.get_geometry()],
        titles=[t for t in (axes.get_title(loc) for loc in ("left", "center", "right")) if t],
        frame="" if axes.axison else "off",
        view=_floats([axes.elev, axes.azim]) if axes.name == "3d" else None,
        axis={name: _axis(axis, axes) for name, axis in axes._axis_map.items()},
        legend=legend and _legend(legend),
        artists=[_artist(artist, axes, blocks, side) for artist in _artists(axes)],
    )


def _axis(axis, axes):
    """Digest one axis: label, scale, limits, and ticks and their labels where they are fixed."""
    limits = axis.get_transform().transform(np.array(axis.get_view_interval(), float))
    fixed = isinstance(axis.get_major_locator(), ticker.FixedLocator | category.StrCategoryLocator)
    numbers = isinstance(axis.get_major_formatter(), NUMBER_FORMATTERS)
    digest = _without_empty(
        label=axis.label.get_text(),
        scale="" if axis.get_scale() == "linear" else axis.get_scale(),
        limits=_floats(limits),
        tick_labels=[t.get_text() for t in axis.get_ticklabels()]
        if fixed and not numbers
        else None,
    )
    if fixed:
        digest["ticks"] = _floats(axis.get_majorticklocs())
    return digest


def _artists(axes):
    """List what is drawn in the axes, kind by kind, each kind in drawing order."""
    kinds = (axes.lines, axes.collections, axes.patches, axes.images, axes.texts, axes.tables)
    return [artist for kind in kinds for artist in kind if artist.get_visible()]


def _artist(artist, axes, blocks, side):
    """Digest one drawn thing: its kind, label, looks and data."""
    kind = type(artist).__name__
    label = str(artist.get_label())
    digest = {"kind": kind, "label": "" if label.startswith("_") else label}
    if artist.get_alpha() is not None and np.ndim(artist.get_alpha()) == 0:
        digest["alpha"] = _float(artist.get_alpha())
    if isinstance(artist, mpl.text.Text):
        at = artist.get_transform().transform(artist.get_unitless_position())
        digest |= {"text": artist.get_text(), "color": _color(artist.get_color())}
        digest |= {"at": _floats(_fractions([at], axes)[0])}
    elif isinstance(artist, mpl.table.Table):
        cells = sorted(artist.get_celld().items())
        digest |= {"cells": [cell.get_text().get_text() for _, cell in cells]}
    elif isinstance(artist, lines.Line2D):
        marker = artist.get_marker()
        digest |= {
            "color": _color(artist.get_color()),
            "style": artist.get_linestyle(),
            "width": _float(artist.get_linewidth()),
            "marker": marker if isinstance(marker, str) else type(marker).__name__,
        }
        digest |= _blocks(_places(artist, axes), blocks)
    elif isinstance(artist, patches.Patch):
        digest |= {
            "face": _color(artist.get_facecolor()),
            "edge": _color(artist.get_edgecolor()) if artist.get_linewidth() else "",
            "hatch": artist.get_hatch() or "",
        }
        corners = _places(artist, axes)
        if isinstance(artist, patches.Rectangle):
            digest["box"] = _floats([*corners.min(axis=0), *corners.max(axis=0)])
        else:
            digest |= _blocks(corners, blocks)
    elif isinstance(artist, collections.QuadMesh):
        corners = artist.get_coordinates().reshape(-1, 2)
        corners = _fractions(artist.get_transform().transform(corners), axes)
        digest["box"] = _floats([*corners.min(axis=0), *corners.max(axis=0)])
        digest |= _picture(artist, artist.get_array(), side)
    elif isinstance(artist, collections.Collection):
        digest |= _collection(artist, axes, blocks)
    elif isinstance(artist, image.AxesImage):
        corners = np.reshape(artist.get_extent(), (2, 2)).T
        digest["box"] = _floats(_fractions(axes.transData.transform(corners), axes).ravel())
        digest |= _picture(artist, artist.get_array(), side)
    return {key: value for key, value in digest.items() if value != ""}


def _places(artist, axes):
    """Return where an artist's data are drawn: array (n, 2 or 3), fractions of the axes."""
    if hasattr(artist, "get_data_3d"):
        return _fractions_3d(artist.get_data_3d(), axes)
    if hasattr(artist, "_offsets3d"):  # a 3-D scatter sorts its public offsets by depth
        return _fractions_3d(artist._offsets3d, axes)
    if isinstance(artist, collections.Collection):
        moved = artist.get_offset_transform()
        if not isinstance(moved, transforms.IdentityTransform):
            return _fractions(moved.transform(artist.get_offsets()), axes)
        vertices = [path.vertices for path in artist.get_paths()] or [np.zeros((0, 2))]
        points = np.concatenate(vertices)
    elif isinstance(artist, lines.Line2D):
        points = artist.get_xydata()
    else:
        points = artist.get_path().vertices
    return _fractions(artist.get_transform().transform(points), axes)


def _collection(artist, axes, blocks):
    """Digest a scatter, a fill, a bundle of lines or a contour."""
    values, sizes = artist.get_array(), getattr(artist, "get_sizes", list)()
    digest = _blocks(_places(artist, axes), blocks)
    if np.size(sizes):
        digest["sizes"] = _floats(_thinned(np.ravel(sizes), blocks))
    if values is None:
        faces, edges = artist.get_facecolor(), artist.get_edgecolor()
        if axes.name == "3d":  # sorted, and made more or less transparent, by depth
            faces, edges = (np.unique(colors.to_rgba_array(c, 1), axis=0) for c in (faces, edges))
        digest |= {"faces": _colors(faces, blocks), "edges": _colors(edges, blocks)}
        return _without_empty(**digest)
    digest |= {f"value_{key}": value for key, value in _blocks(values, blocks).items()}
    return digest | _mapping(artist)


def _picture(artist, values, side):
    """Digest an image: shape, statistics, and a thumbnail of at most `side` by `side` means."""
    values = np.ma.filled(np.ma.asarray(values, float), np.nan)
    grid = values if values.ndim > 1 else values[None]
    bands = np.array_split(grid, min(side, len(grid)))
    tiles = [np.array_split(band, min(side, grid.shape[1]), axis=1) for band in bands]
    thumbnail = [np.mean(tile, axis=(0, 1)) for row in tiles for tile in row]
    mapped = {} if values.ndim == 3 else _mapping(artist)
    statistics = [values.min(), values.max(), values.mean(), values.std()]
    return {
        "shape": list(values.shape),
        "statistics": _floats(statistics),
        "thumbnail": _floats(np.ravel(thumbnail), digits=3),
        **mapped,
    }


def _mapping(artist):
    """Digest how numbers become colours: the colour map, the norm and its limits."""
    norm = type(artist.norm).__name__
    return _without_empty(
        cmap=artist.get_cmap().name,
        norm="" if norm == "Normalize" else norm,
        limits=_floats(artist.get_clim()),
    )


def _legend(legend):
    """Digest a legend: its title, and the words and looks of its entries."""
    entries = [
        [text.get_text(), *_handle(handle)]
        for text, handle in zip(legend.get_texts(), legend.legend_handles, strict=False)
    ]
    return _without_empty(title=legend.get_title().get_text(), entries=entries)


def _handle(handle):
    """Return the colour, and the line style if it has one, of a legend's handle."""
    if isinstance(handle, lines.Line2D):
        return [_color(handle.get_color()), handle.get_linestyle()]
    return _colors(handle.get_facecolor(), 1)[:1] if hasattr(handle, "get_facecolor") else []


def _fractions(points, axes):
    """Turn display coordinates into fractions of the axes, to a ten-thousandth."""
    points = np.ma.filled(np.ma.asarray(points, float), np.nan).reshape(-1, 2)
    return np.round(axes.transAxes.inverted().transform(points), 4)


def _fractions_3d(xyz, axes):
    """Turn 3-D data into fractions of the three axes."""
    limits = np.array([axes.get_xlim(), axes.get_ylim(), axes.get_zlim()], float)
    points = np.ma.filled(np.ma.asarray(np.broadcast_arrays(*xyz), float), np.nan)
    return np.round((points.T - limits[:, 0]) / (limits[:, 1] - limits[:, 0]), 4)


def _blocks(values, blocks):
    """Digest a sequence: its length and, block by block, the mean and the spread of each column."""
    values = np.ma.filled(np.ma.asarray(values, float), np.nan)
    if not values.size:
        return {"n": 0}
    values = values.reshape(len(values), -1)
    if len(values) <= 2 * blocks:
        return {"n": len(values), "points": [_floats(column) for column in values.T]}
    pieces = np.array_split(values, blocks)
    return {
        "n": len(values),
        "points": [_floats(column) for column in np.array([p.mean(axis=0) for p in pieces]).T],
        "spread": [_floats(column) for column in np.array([p.std(axis=0) for p in pieces]).T],
    }


def _thinned(items, count):
    """Return at most `count` of the items, evenly spaced; one, if all are equal."""
    if len(items) and np.all(items == items[0]):
        return items[:1]
    return items[np.unique(np.linspace(0, len(items) - 1, count).astype(int))] if len(items) else []


def _colors(rgba, count):
    """Return at most `count` of the colours as hexadecimal strings."""
    return [_color(color) for color in _thinned(colors.to_rgba_array(rgba), count)]


def _color(color):
    """Return a colour as #rrggbbaa, or an empty string for none."""
    return "" if color is None else colors.to_hex(color, keep_alpha=True)


def _float(number, digits=5):
    """Round to significant digits; None if not finite."""
    number = float(number)
    return float(f"{number:.{digits}g}") + 0.0 if math.isfinite(number) else None


def _floats(numbers, digits=5):
    """Round a flat sequence of numbers."""
    return [_float(number, digits) for number in numbers]


def _without_empty(**entries):
    """Return the entries that say something."""
    return {key: value for key, value in entries.items() if value not in (None, "", [], {})}
