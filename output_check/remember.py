"""Leave out a test that was green with the same files: `@pytest.mark.depends_on("helpers/*", ...)`.

The marker names all the files that decide, from the repository's root; `{page}` stands for the
test's parameter of that name. Its own file and the locked versions are counted always. Locally such
a test is skipped, and pytest's summary says why; under `CI` everything runs.
"""

import pytest

from output_check.green import fingerprint
from output_check.plugin import GREEN

ALWAYS = ("requirements.txt", "tests/conftest.py")
KNOWN = pytest.StashKey()  # the fingerprint before the test
PASSED = pytest.StashKey()


def fingerprint_of(item):
    """Return what decides whether a test is green, or None for a test that does not say."""
    marker = item.get_closest_marker("depends_on")
    if marker is None:
        return None
    root, parameters = item.config.rootpath, getattr(item, "callspec", None)
    files = {item.path, *filter(lambda path: path.exists(), map(root.joinpath, ALWAYS))}
    for pattern in marker.args:
        named = pattern.format(**parameters.params) if parameters else pattern
        found = {path for path in root.glob(named) if path.is_file()}
        assert found, f"{item.nodeid} depends on no file: {named}"
        files |= found
    return fingerprint(root, sorted(files), item.nodeid)


def pytest_configure(config):
    """Make the marker known."""
    config.addinivalue_line("markers", "depends_on(*files): skip if green with the same files")


def pytest_runtest_setup(item):
    """Skip a test that was green."""
    item.stash[KNOWN] = fingerprint_of(item)
    if item.stash[KNOWN] and item.config.stash[GREEN].knows(item.stash[KNOWN]):
        pytest.skip("was green on this machine with the same files")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """Remember a test that passed, and after which nothing went wrong."""
    report = yield
    if report.when == "call":
        item.stash[PASSED] = report.passed
    elif report.when == "teardown":
        green = report.passed and item.stash.get(PASSED, False)
        if green and item.stash[KNOWN]:
            item.config.stash[GREEN].remember(item.stash[KNOWN])
    return report
