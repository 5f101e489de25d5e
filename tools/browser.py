"""The system's Chromium, for the page tests, Lighthouse, the PDF and the slides.

Its headless shell, where there is one: the same engine without a browser's windows, for half the work.
"""

import contextlib
import os
import shutil

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(
        None,
        map(
            shutil.which,
            ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"),
        ),
    ),
    None,
)
ARGUMENTS = [
    # Chromium's own sandbox needs rights that containers do not give; the pages are our own.
    "--no-sandbox",
    # The shell does not know how fast its network is, and fetches lazy images as for a slow one.
    "--blink-settings=lazyLoadingImageMarginPxUnknown=1250",
]
MISSING = "Install Debian's package 'chromium', or name one in the environment variable CHROMIUM"


@contextlib.contextmanager
def start_browser():
    """Start Chromium; it is closed at the end of the `with` statement.

    Yields:
        Playwright's `Browser`.
    """
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()
