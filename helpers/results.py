"""The committed results of studies and benchmarks, as chapters read them."""

import json
from pathlib import Path

# Beside this package in a checkout, and, with their results only, where the helpers are installed.
# Found by place and not by import: another package called `benchmarks` must not stand in the way.
FOLDERS = tuple(
    Path(__file__).parents[1] / package / "results" for package in ("studies", "benchmarks")
)


def read_result(name):
    """Return the committed result of a study or a benchmark.

    Args:
        name: str, the name of its module: "stacked", "time_to_quality".

    Returns:
        A dict: the runs, and what they depended on (definition, versions, machine).

    Raises:
        ValueError: there is no result of this name.
    """
    files = {path.stem: path for folder in FOLDERS for path in folder.glob("*.json")}
    if name not in files:
        known = ", ".join(sorted(files)) or f"none, since {FOLDERS[0].parents[1]} holds no results"
        raise ValueError(f"There is no result {name!r}. Known: {known}.")
    return json.loads(files[name].read_text(encoding="utf-8"))
