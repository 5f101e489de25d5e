"""The noise scrubber: an image under more and more noise, what two denoisers make of it, and a compass.

What it shares with the other things to move stands in `explorer_parts`; what the reader's browser runs
stands in `scrubber.js` and `scrubber.css`.
"""

import numpy as np

from helpers.explorer_parts import (
    Explorer,
    dense_chain,
    fragment,
    mosaic,
    pack,
    packed_chain,
    sheet,
    significant,
    to_bytes,
)

STILL_LEVELS = (0.3, 0.6)
NOISE_RANGE = 4.0  # one byte a pixel for the noise, from −4 to 4


def noise_scrubber(clean, noise, denoisers, names, *, compass, points, starts, steps=20):
    """Make a slider for the noise; name it last in a cell to show it.

    For the chosen level stand side by side an image, the same image with noise, and what each
    denoiser makes of that, with the errors; and, for points in a plane, arrows from a grid to where
    a learned denoiser moves it, with points that follow them. "Play" lowers the level from 1 to 0.

    Args:
        clean: float array (n, 28, 28), images with values in [0, 1].
        noise: float array (n, 28, 28), one pattern of standard normal noise for each image; the
            level multiplies it.
        denoisers: dict from a name to a function of (noisy images (n, 784), level) that returns
            images (n, 784). Two of them; their answers are clipped to [0, 1].
        names: n str, what the images show.
        compass: a built Keras model, a plain chain of `Dense` layers, from
            (x / √(σ² + ½), y / √(σ² + ½), ln σ) to the noise in the point (x, y) of level σ.
        points: float array (m, 2), data for the plane, drawn behind the arrows.
        starts: float array (k, 2), where the points that follow the arrows are at level 1.
        steps: int, how many steps the slider has from 0 to 1.

    Returns:
        An `Explorer`, which notebooks show.

    Raises:
        ValueError: there are not two denoisers, shapes do not fit, or the compass is no such chain.
    """
    clean, noise = (np.asarray(a, "float32") for a in (clean, noise))
    if clean.shape != noise.shape or clean.shape != (len(names), 28, 28):
        raise ValueError(
            f"Images, noise and names must belong together: {clean.shape}, {noise.shape}, "
            f"{len(names)} names."
        )
    if len(denoisers) != 2:
        raise ValueError(f"Two denoisers are compared, not {len(denoisers)}.")
    levels = [significant(step / steps) for step in range(steps + 1)]
    noise = np.clip(noise, -NOISE_RANGE, NOISE_RANGE)
    flat = clean.reshape(-1, 784)
    answers, errors = {}, {}
    for name, denoise in denoisers.items():
        answers[name] = np.stack(
            [np.clip(denoise(flat + s * noise.reshape(-1, 784), s), 0, 1) for s in levels]
        )
        errors[name] = np.square(answers[name] - flat).mean(axis=2)  # (levels, n)

    chain = dense_chain(compass)
    grid = np.random.default_rng(0).uniform(-2, 2, (200, 3)).astype("float32")
    images = np.concatenate([to_bytes(clean)] + [_as_images(a) for a in answers.values()])
    data = {
        "levels": levels,
        "names": [str(name) for name in names],
        "denoisers": list(denoisers),
        "images": sheet(images, columns=21),
        "noise": pack(np.round((noise / NOISE_RANGE + 1) * 127.5), "u1"),
        "noiseRange": NOISE_RANGE,
        "errors": [
            [[significant(e) for e in level] for level in errors[name]] for name in denoisers
        ],
        "compass": packed_chain(chain, grid, compass.predict(grid, verbose=0)),
        "points": pack(np.asarray(points, "float32"), "<f4"),
        "starts": pack(np.asarray(starts, "float32"), "<f4"),
    }
    at = [levels.index(level) for level in STILL_LEVELS if level in levels]
    rows = [to_bytes(clean)]
    for i in at:
        rows.append(to_bytes(clean + levels[i] * noise))
        rows += [_as_images(answers[name][i : i + 1]) for name in denoisers]
    listed = "; ".join(
        f"σ = {levels[i]}, "
        + ", ".join(f"{name} {errors[name][i].mean():.4f}" for name in denoisers)
        for i in at
    )
    digest = {
        "kind": "noise scrubber",
        "levels": levels,
        "mean errors": {
            name: [significant(e) for e in errors[name].mean(axis=1)] for name in denoisers
        },
        "compass on a grid": [significant(v) for v in compass.predict(grid[:8], verbose=0).ravel()],
    }
    html = fragment(
        "scrubber",
        "noiseScrubber",
        data,
        kind="noise-scrubber",
        picture=mosaic(np.concatenate(rows), len(names)),
        alt=f"{len(names)} garments in rows: the originals, then, for each of {len(at)} levels of noise, "
        f"the noisy ones and what {' and '.join(denoisers)} make of them. The second is the clearer.",
        text=f"The originals, then for each level the noisy images, {' and '.join(denoisers)}. Mean "
        f"errors: {listed}. With scripts switched on, a slider goes through all levels.",
    )
    return Explorer(html, digest, f"Noise scrubber: {len(names)} images, {len(levels)} levels")


def _as_images(answers):
    return to_bytes(answers).reshape(-1, 28, 28)
