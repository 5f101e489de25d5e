"""How long does the whole check take, where do its seconds go, and how busy are the cores?

`make test` runs as it runs in CI, so nothing that was green before is left out. From pytest's own
report come the seconds of every file of tests; a chapter is such a file, too. A test's seconds are
those of the worker that ran it, so with several workers they add up to more than the time.

Run it on an idle machine with `python -m benchmarks.check` (half an hour). `--base COMMIT` checks
another commit first, in a folder of its own with its own environment, and states the ratio.
"""

import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

import psutil

from benchmarks.common import ROOT, arguments, write_result
from tools.chapters import chapters

NAME = "check"
DEFINITION = {
    "seeds": [],  # nothing is drawn
    "command": ["make", "test"],
    "first": ["make", "book"],  # installs what is locked: a download is no part of the check
    "chapters": [path.stem for path in chapters()],
}
QUICK = DEFINITION | {
    "command": [sys.executable, "-m", "pytest", "-n", "0", "--noconftest", "tests/test_rooms.py"],
    "first": [sys.executable, "--version"],
}


def main(argv=None):
    """Check a commit to compare with, if one is named, and this tree; print and keep the seconds."""
    options = arguments(
        __doc__.split("\n")[0],
        argv,
        base={"metavar": "COMMIT", "help": "a commit to compare with"},
    )
    definition = QUICK if options.quick else DEFINITION
    result = {"base": None, "check": None}
    if options.base:
        with tempfile.TemporaryDirectory(prefix="base-") as folder:
            clone = ["git", "clone", "--quiet", str(ROOT), folder]
            subprocess.run(clone, check=True)
            subprocess.run(["git", "checkout", "--quiet", options.base], cwd=folder, check=True)
            result["base"] = {"commit": options.base} | time_check(Path(folder), definition)
        print(f"{options.base}: {result['base']['seconds']} s", flush=True)
    result["check"] = now = time_check(ROOT, definition)
    for name, file in sorted(now["files"].items(), key=lambda item: -item[1]["seconds"])[:20]:
        print(f"{file['seconds']:7.1f} s  {file['tests']:4} tests  {name}")
    print(f"{now['seconds']} s for {now['tests']} tests; {now['busy']:.0%} of the cores' time")
    if result["base"]:
        print(f"ratio to {options.base}: {now['seconds'] / result['base']['seconds']:.2f}")
    write_result(NAME, definition, options.out, quick=options.quick, **result)


def time_check(folder, definition):
    """Run the check of a tree once.

    Args:
        folder: Path, the root of the tree.
        definition: dict, `DEFINITION` or `QUICK`.

    Returns:
        A dict: the `seconds` of the command, how many `tests` it ran, how `busy` the machine's cores
        were (from 0 to 1, with whatever else the machine did), and for each of its `files` how many
        tests and how many seconds.

    Raises:
        subprocess.CalledProcessError: the check is red, so its time says nothing.
    """
    # A virtual environment that is active here must not be the other tree's.
    environment = {key: os.environ[key] for key in os.environ if key != "VIRTUAL_ENV"} | {"CI": "1"}
    subprocess.run(definition["first"], cwd=folder, env=environment, check=True)
    with tempfile.TemporaryDirectory() as other:
        report = Path(other, "report.xml")
        environment["PYTEST_ADDOPTS"] = f"--junitxml={report}"
        start, before = time.perf_counter(), psutil.cpu_times()
        subprocess.run(definition["command"], cwd=folder, env=environment, check=True)
        seconds, after = time.perf_counter() - start, psutil.cpu_times()
        files = seconds_by_file(report)
    return {
        "seconds": round(seconds),
        "tests": sum(file["tests"] for file in files.values()),
        "busy": round(busy(before, after), 3),
        "files": files,
    }


def busy(before, after):
    """Return the share of the cores' time that was not idle between two looks at their times."""
    # A guest's time is in `user`, too.
    names = [name for name in after._fields if not name.startswith("guest")]
    spent = {name: getattr(after, name) - getattr(before, name) for name in names}
    return 1 - (spent["idle"] + spent.get("iowait", 0)) / sum(spent.values())


def seconds_by_file(report):
    """Read pytest's report: {file or class of tests: how many, and their seconds}."""
    files = collections.defaultdict(lambda: {"tests": 0, "seconds": 0.0})
    for case in ElementTree.parse(report).iter("testcase"):
        file = files[case.get("classname")]
        file["tests"] += 1
        file["seconds"] = round(file["seconds"] + float(case.get("time")), 3)
    return dict(files)


if __name__ == "__main__":
    main()
