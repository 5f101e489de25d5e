"""The system's Chromium, for the page tests, Lighthouse, the PDF and the slides."""

import contextlib
import os
import shutil

from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
MISSING = "Install Debian's package 'chromium', or name one in the environment variable CHROMIUM"


@contextlib.contextmanager
def start_browser():
    """Start Chromium; it is closed at the end of the `with` statement.

    Yields:
        Playwright's `Browser`.
    """
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers do not give; the pages are our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()
