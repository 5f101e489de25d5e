"""What the tests share: the browser, pages to show, a line on the Colab runtime in the summary."""

import gc

import pytest

from tools.browser import CHROMIUM, MISSING, start_browser


@pytest.fixture(scope="session", autouse=True)
def imported():
    """Keep what is imported by now: Keras looks through all for garbage, model after model."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.fixture
def without_graphs():
    """Train step by step: too few steps do not pay for tracing one."""
    import tensorflow as tf  # takes seconds, which tests of pages do without

    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="session")
def browser():
    """The system's Chromium; one for all tests, because Playwright runs once in a process."""
    if not CHROMIUM:
        pytest.skip(f"no Chromium: nothing was looked at in a browser. {MISSING}")
    with start_browser() as browser:
        yield browser


@pytest.fixture
def open_page(browser, tmp_path):
    """Return a function that shows fragments in a page; at the end no page may have complained."""
    contexts, complaints = [], []

    def open_page(*fragments, html="<html lang=en>", body="<body>", **options):
        file = tmp_path / f"page{len(contexts)}.html"
        file.write_text(
            "<!doctype html>" + html + "<meta charset=utf-8><title>Explorer</title>"
            "<meta name=viewport content='width=device-width'>"
            f"{body}<main><h1>Explorer</h1>{''.join(fragments)}</main>",
            encoding="utf-8",
        )
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        context.set_default_timeout(120_000)  # ms: to hang is a fault, to be slow is not
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda r: r.url.startswith(("file:", "data:")) or complaints.append(r.url)
        )
        page.goto(file.as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


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
