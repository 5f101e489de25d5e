"""What the tests share: the browser, and a line on the Colab runtime in the summary."""

import os
import shutil

import pytest
from playwright.sync_api import sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium; one for all tests, because Playwright runs once in a process."""
    if not CHROMIUM:
        pytest.skip(
            "no Chromium: nothing was looked at in a browser. Install Debian's package 'chromium', "
            "or name one in the environment variable CHROMIUM"
        )
    with sync_playwright() as playwright:
        # Chromium's own sandbox needs rights that containers do not give; the pages are our own.
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def pytest_terminal_summary(terminalreporter):
    """Say on which versions Colab was simulated (another Python proves less), from any worker."""
    reports = terminalreporter.stats.get("passed", [])
    lines = [
        value for report in reports for name, value in report.user_properties if name == "colab"
    ]
    if lines:
        terminalreporter.section("Colab runtime")
        for line in lines:
            terminalreporter.line(line)
