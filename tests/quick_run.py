"""The quick run of a study or a benchmark, as its README tells to start it."""

import json
import os
import subprocess
import sys

HANG = 1200  # seconds: no test waits longer, and none is so slow, whatever else the machine does


def quick_run(common, name, folder):
    """Run a module with `--quick`; it must write its result to `folder`, and nothing committed.

    Args:
        common: the module `studies.common` or `benchmarks.common`.
        name: str, the module to run, of the same package.
        folder: Path of an empty folder.

    Returns:
        What it printed, and its result.
    """
    before = committed(common)
    run = subprocess.run(
        [sys.executable, "-m", f"{common.__package__}.{name}", "--quick", "--out", str(folder)],
        cwd=common.RESULTS.parents[1],
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert [path.name for path in folder.iterdir()] == [f"{name}.json"]
    assert committed(common) == before
    return run.stdout, json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def committed(common):
    """Return the committed results, byte for byte."""
    return {path.name: path.read_bytes() for path in common.RESULTS.iterdir()}
