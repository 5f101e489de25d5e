"""The dictionary browser: an image as a sum of its strongest atoms, which a reader switches off and on.

What it shares with the other things to move stands in `explorer_parts`; what the reader's browser runs
stands in `dictionary.js` and `dictionary.css`.
"""

import numpy as np

from helpers.explorer_parts import Explorer, fragment, mosaic, pack, sheet, significant, to_bytes

MOST_ATOMS = 10  # that the browser lists for an image; weaker ones are left out
STILL_IMAGES = 4


def dictionary_browser(atoms, mean, images, codes, names):
    """Make a browser of a dictionary; name it last in a cell to show it.

    The reader chooses an image, sees its ten strongest atoms with their weights, switches each off
    and on, and watches the mean image plus what is on become the image, or not.

    Args:
        atoms: float array (m, 784), an atom a row.
        mean: float array (784,), the mean image that every sum starts from.
        images: float array (n, 784), values in [0, 1].
        codes: float array (n, m), the images' codes; the ten of largest size are used.
        names: n str, what each image shows.

    Returns:
        An `Explorer`, which notebooks show. Atoms that no image uses are left out, and a weight of
        an atom takes one byte.

    Raises:
        ValueError: the arrays do not fit each other, or the fragment would exceed 300 kB.
    """
    atoms, mean, images, codes = (np.asarray(a, "float32") for a in (atoms, mean, images, codes))
    count, pixels = images.shape
    shapes = {
        "atoms": (atoms.shape, (len(atoms), 784)),
        "mean": (mean.shape, (784,)),
        "images": (images.shape, (count, 784)),
        "codes": (codes.shape, (count, len(atoms))),
        "names": ((len(names),), (count,)),
    }
    for name, (found, wanted) in shapes.items():
        if found != wanted:
            raise ValueError(f"The {name} must have shape {wanted}, not {found}.")

    strongest = np.argsort(-np.abs(codes), axis=1, kind="stable")[:, :MOST_ATOMS]
    chosen = [[int(j) for j in row if code[j]] for row, code in zip(strongest, codes, strict=True)]
    used = sorted({j for row in chosen for j in row})
    scales = np.abs(atoms[used]).max(axis=1) / 127
    rounded = np.round(atoms[used] / scales[:, None]).astype("int8")
    weights = [
        [[used.index(j), significant(code[j])] for j in row]
        for row, code in zip(chosen, codes, strict=True)
    ]
    shown = rounded * scales[:, None].astype("float32")
    sums = np.stack([mean + sum(w * shown[j] for j, w in row) for row in weights])

    data = {
        "atoms": pack(rounded.view("uint8"), "u1"),
        "scales": [significant(scale, 5) for scale in scales],
        "images": sheet(to_bytes(np.vstack([mean, images])).reshape(-1, 28, 28)),
        "weights": weights,
        "names": [str(name) for name in names],
    }
    parts = [_on_grey(shown[[j for j, _ in row]]) for row in weights[:STILL_IMAGES]]
    width = MOST_ATOMS + 2
    rows = np.zeros((len(parts), width, pixels), "uint8")
    for i, part in enumerate(parts):
        rows[i, 0], rows[i, 1] = to_bytes(images[i]), to_bytes(sums[i])
        rows[i, 2 : 2 + len(part)] = part
    digest = {
        "kind": "dictionary browser",
        "images": count,
        "atoms used": float(len(used)),
        "atoms of each image": [len(row) for row in weights],
        "strongest weights": [row[0][1] if row else 0.0 for row in weights],
        "means of the sums": [significant(total.mean()) for total in sums],
    }
    html = fragment(
        "dictionary",
        "dictionaryBrowser",
        data,
        kind="dictionary-browser",
        picture=mosaic(rows.reshape(-1, 28, 28), width),
        alt=f"{len(parts)} rows: an image, what its strongest atoms make of it, and these atoms on grey, "
        "the strongest first.",
        text="An image, the mean image plus its strongest atoms, and the atoms, the strongest first: where an "
        "atom is brighter than grey it makes the sum brighter, where darker, darker. With scripts "
        "switched on, you choose the image and switch its atoms off and on.",
    )
    return Explorer(html, digest, f"Dictionary browser: {count} images, {len(used)} atoms")


def _on_grey(atoms):
    """Return atoms as pictures: zero is middle grey, the largest value white or black."""
    most = np.abs(atoms).max(axis=1, keepdims=True) if len(atoms) else 1
    return to_bytes(0.5 + atoms / most / 2)
