"""The plumbing of “Autoencoders, Measured”; the chapters hold the lesson.

Rooms, from the ground up: `data` finds and verifies images, `results` reads what studies and
benchmarks have measured, `flops` counts operations, `layers` has the tied, the TopK and the sampling
layer, `training` fits models, `yardstick` measures samples, `plots` draws, `tables` shows numbers,
`explorers` and the rooms of single toys make things to move, `notebook` sets a chapter up and states
its claims, `worksheet` checks what a reader fills in. Importing this package sets no seed, changes no
style, touches neither disk nor network, and imports a room only when one of its names is first used:
who wants images needs no TensorFlow.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # for editors and type checkers; ROOMS says the same to Python
    from helpers.data import Images, load_images
    from helpers.dictionary import dictionary_browser
    from helpers.explorers import latent_explorer, side_by_side
    from helpers.flops import multiply_adds, training_flops
    from helpers.layers import DenseTranspose, Sample, TopK
    from helpers.notebook import claim, set_up
    from helpers.plots import (
        draw_network,
        plot_codes,
        plot_history,
        plot_images,
        plot_reconstructions,
    )
    from helpers.results import read_result
    from helpers.scrubber import noise_scrubber
    from helpers.shear import sheared_code
    from helpers.shift import shift_explorer
    from helpers.slider import bottleneck_slider
    from helpers.tables import show_table
    from helpers.training import fit, strategy
    from helpers.unet import small_unet
    from helpers.worksheet import check
    from helpers.yardstick import classifier_features, energy_distance, frechet_distance

__all__ = [
    "DenseTranspose",
    "Images",
    "Sample",
    "TopK",
    "bottleneck_slider",
    "check",
    "claim",
    "classifier_features",
    "dictionary_browser",
    "draw_network",
    "energy_distance",
    "fit",
    "frechet_distance",
    "latent_explorer",
    "load_images",
    "multiply_adds",
    "noise_scrubber",
    "plot_codes",
    "plot_history",
    "plot_images",
    "plot_reconstructions",
    "read_result",
    "set_up",
    "sheared_code",
    "shift_explorer",
    "show_table",
    "side_by_side",
    "small_unet",
    "strategy",
    "training_flops",
]

ROOMS = {
    "data": ("Images", "load_images"),
    "dictionary": ("dictionary_browser",),
    "explorers": ("latent_explorer", "side_by_side"),
    "flops": ("multiply_adds", "training_flops"),
    "layers": ("DenseTranspose", "Sample", "TopK"),
    "notebook": ("claim", "set_up"),
    "plots": (
        "draw_network",
        "plot_codes",
        "plot_history",
        "plot_images",
        "plot_reconstructions",
    ),
    "results": ("read_result",),
    "scrubber": ("noise_scrubber",),
    "shear": ("sheared_code",),
    "shift": ("shift_explorer",),
    "slider": ("bottleneck_slider",),
    "tables": ("show_table",),
    "training": ("fit", "strategy"),
    "unet": ("small_unet",),
    "worksheet": ("check",),
    "yardstick": ("classifier_features", "energy_distance", "frechet_distance"),
}


def __getattr__(name):
    """Import the room that has a public name when it is first asked for, and keep the name."""
    for room, names in ROOMS.items():
        if name in names:
            value = getattr(importlib.import_module(f"helpers.{room}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    """List the public names, those not imported yet included."""
    return sorted({*globals(), *__all__})
