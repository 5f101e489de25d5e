"""The shift explorer: drag a garment over a canvas and watch what networks make of it.

What it shares with the other things to move stands in `explorer_parts`; what the reader's browser runs
stands in `shift.js` and `shift.css`.
"""

import numpy as np

from helpers.explorer_parts import Explorer, fragment, mosaic, sheet, significant, to_bytes

LEVELS = 31  # grey values are rounded to so many steps, which halves the page; errors are not


def shift_explorer(image, models, *, most=6):
    """Make a garment that can be dragged over a canvas; name it last in a cell to show it.

    Beside the canvas stand the drawings of all networks for the chosen shift, with their errors, and
    below it the errors along the row through that shift. All drawings are computed here, so a page
    needs no network.

    Args:
        image: array (height, width), values in [0, 1].
        models: dict from a name to a Keras model from canvases (n, height + 2·most, width + 2·most,
            1) to canvases of that shape.
        most: int, how many pixels the image can be moved each way.

    Returns:
        An `Explorer`, which notebooks show. Its errors are MSEs per pixel of the image: the squared
        error of the whole canvas, divided by height · width.

    Raises:
        ValueError: the image is not two-dimensional, or a model draws canvases of another shape.
    """
    image = np.asarray(image, "float32")
    if image.ndim != 2:
        raise ValueError(f"The image must have shape (height, width), not {image.shape}.")
    height, width = image.shape
    places = range(2 * most + 1)
    canvases = np.zeros((len(places) ** 2, height + 2 * most, width + 2 * most, 1), "float32")
    for canvas, (down, right) in zip(canvases, np.ndindex(len(places), len(places)), strict=True):
        canvas[down : down + height, right : right + width, 0] = image
    drawn, errors = {}, {}
    for name, model in models.items():
        drawn[name] = model.predict(canvases, verbose=0)
        if drawn[name].shape != canvases.shape:
            raise ValueError(
                f"The model {name!r} must draw canvases of shape {canvases.shape[1:]}, "
                f"not {drawn[name].shape[1:]}."
            )
        squares = np.square(drawn[name] - canvases).sum(axis=(1, 2, 3))
        errors[name] = (squares / image.size).reshape(len(places), len(places))

    steps = [to_bytes(np.round(each[..., 0] * LEVELS) / LEVELS) for each in drawn.values()]
    data = {
        "most": most,
        "names": list(models),
        "image": sheet(to_bytes(image)[None], 1),
        "drawn": sheet(np.concatenate(steps), len(places)),
        "errors": [[significant(v) for v in each.ravel()] for each in errors.values()],
    }
    middle, corner = len(canvases) // 2, len(canvases) - 1
    shown = [to_bytes(canvases[[middle, corner], ..., 0])]
    shown += [each[[middle, corner]] for each in steps]
    listed = "; ".join(
        f"{name} {each[most, most]:.4f} in the middle, {each.min():.4f} to {each.max():.4f} anywhere"
        for name, each in errors.items()
    )
    names = " and the ".join(models)
    # One line an error: each may move by its own value's share, not by that of a flat curve's range.
    digest = {"kind": "shift explorer", "most": most} | {
        f"error of {name}, {down} down and {right} right": significant(errors[name][down, right])
        for name in models
        for down in (0, most, 2 * most)
        for right in places
    }
    html = fragment(
        "shift",
        "shiftExplorer",
        data,
        kind="shift-explorer",
        picture=mosaic(np.concatenate(np.swapaxes(shown, 0, 1)), len(shown)),
        alt=f"Two rows: a garment in the middle of a canvas and {most} pixels further down and to the "
        f"right; beside each what the {names} network draws.",
        text=f"Left the garment, then what the {names} network draws. MSE: {listed}. With scripts "
        "switched on, the garment can be dragged.",
    )
    return Explorer(html, digest, f"Shift explorer: {', '.join(models)}, up to {most} pixels")
