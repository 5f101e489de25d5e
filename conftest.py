"""Makes pytest check the chapters' outputs, from whatever folder or file it is started on.

And puts the longest files first.
"""

pytest_plugins = ["output_check.plugin", "output_check.remember"]

LONGEST = (
    "tests/test_studies.py",
    "tests/test_pages.py",
    "chapters/",
    "tests/test_output_check.py",
    "tests/test_explorer_parts.py",
    "tests/test_explorer.py",
    "tests/test_benchmarks.py",
    "tests/test_colab.py",
    "tests/test_check.py",
    "tests/test_training.py",
)


def pytest_collection_modifyitems(items):
    """Put the longest files first: one that starts last keeps the other workers waiting."""

    def place(item):
        return next((i for i, start in enumerate(LONGEST) if item.nodeid.startswith(start)), 99)

    items.sort(key=place)
