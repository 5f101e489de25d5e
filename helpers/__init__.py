"""The plumbing of “Autoencoders, Measured”; the chapters hold the lesson.

Rooms, from the ground up: `data` finds and verifies images, `layers` has the tied layer,
`training` fits models, `plots` draws, `notebook` sets a chapter up and states its claims.
Importing this package sets no seed, changes no style and touches neither disk nor network.
"""

from helpers.data import Images, load_images
from helpers.explorer import latent_explorer
from helpers.layers import DenseTranspose
from helpers.notebook import claim, set_up
from helpers.plots import (
    draw_network,
    plot_codes,
    plot_history,
    plot_images,
    plot_reconstructions,
)
from helpers.training import fit, strategy

__all__ = [
    "DenseTranspose",
    "Images",
    "claim",
    "draw_network",
    "fit",
    "latent_explorer",
    "load_images",
    "plot_codes",
    "plot_history",
    "plot_images",
    "plot_reconstructions",
    "set_up",
    "strategy",
]
