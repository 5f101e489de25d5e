"""What a chapter needs from its notebook: a known start, and claims that can fail."""

import logging

import keras
import matplotlib as mpl
from IPython import get_ipython

from helpers import data, plots


def set_up(seed=42):
    """Start a chapter from a known state: seeds, and the book's Matplotlib style.

    Args:
        seed: int, given to Python's, NumPy's and Keras' random generators.

    Prints nothing. Outside IPython it seeds and styles only. Calling it twice is harmless.
    """
    keras.utils.set_random_seed(seed)
    # A chapter trains many small models on purpose; advice against retracing is not for its reader.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    shell = get_ipython()
    if hasattr(shell, "kernel"):
        # Without this, a figure made without pyplot would show as text until pyplot is imported.
        shell.run_line_magic("matplotlib", "inline")
    mpl.rcParams.update(plots.STYLE)


def claim(text, holds):
    """State a result in words beside its numbers, and fail if it does not hold.

    Args:
        text: str, the claim as a sentence.
        holds: bool, the comparison that decides it.

    Raises:
        AssertionError: the claim does not hold. On the fallback data set, whose numbers differ,
            the claim only reports.
    """
    if holds:
        print(f"✓ {text}")
    elif data.fallback_in_use():
        print(f"– not so on the fallback data: {text}")
    else:
        raise AssertionError(f"This claim does not hold: {text}")
