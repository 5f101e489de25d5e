"""The committed results of studies and benchmarks, as chapters read them."""

import json
from importlib import resources

# Folders of JSON files, in a checkout and where the book's helpers are installed.
FOLDERS = ("studies.results", "benchmarks.results")


def read_result(name):
    """Return the committed result of a study or a benchmark.

    Args:
        name: str, the name of its module: "stacked", "time_to_quality".

    Returns:
        A dict: the runs, and what they depended on (definition, versions, machine).

    Raises:
        ValueError: there is no result of this name.
        ModuleNotFoundError: the results are not beside the helpers.
    """
    files = {
        file.name.removesuffix(".json"): file
        for folder in FOLDERS
        for file in resources.files(folder).iterdir()
        if file.name.endswith(".json")
    }
    if name not in files:
        raise ValueError(f"There is no result {name!r}. Known: {', '.join(sorted(files))}.")
    return json.loads(files[name].read_text(encoding="utf-8"))
