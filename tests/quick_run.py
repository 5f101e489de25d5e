"""The quick run of a study or a benchmark: as its README tells to start it, or in this process.

TensorFlow takes longer to start than most quick runs take, so only one study starts it anew.
"""

import functools
import importlib
import json
import os
import subprocess
import sys

HANG = 1200  # seconds: no test waits longer, and none is so slow, whatever else the machine does


def quick_run(common, name, folder, *, here=False):
    """Run a module with `--quick`; it must write its result to `folder`, and nothing committed.

    Args:
        common: the module `studies.common` or `benchmarks.common`.
        name: str, the module to run, of the same package.
        folder: Path of an empty folder.
        here: whether to call its `main` in this process.

    Returns:
        Its result, and what it printed if it ran in a process of its own.
    """
    before, module = committed(common), f"{common.__package__}.{name}"
    options, printed = ["--quick", "--out", str(folder)], None
    if here:
        importlib.import_module(module).main(options)
    else:
        printed = run_anew(module, options, folder=common.RESULTS.parents[1])
    assert [path.name for path in folder.iterdir()] == [f"{name}.json"]
    assert committed(common) == before
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8")), printed


def measures_once(search, *, place=0, worse=1):
    """Return a search for a setting that measures one, and takes each other for worse.

    Its trials are trainings by the same code, so the first tells whether they work. What a search
    makes of its trials is for its own tests.

    Args:
        search: a function of a function, which measures a setting, and of further things.
        place: int, which of the search's arguments measures.
        worse: int, 1 if what is measured is an error, -1 if it is a score.
    """

    @functools.wraps(search)
    def searched(*args, **kwargs):
        found = {}

        def once(setting):
            if not found:
                found[repr(setting)] = args[place](setting)
            (measured,) = found.values()
            return found.get(repr(setting), measured + worse * (abs(measured) + 1))

        return search(*args[:place], once, *args[place + 1 :], **kwargs)

    return searched


def run_anew(module, options, *, folder):
    """Run a module as a reader would, in `folder`; return what it prints."""
    run = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return run.stdout


def committed(common):
    """Return the committed results, byte for byte."""
    return {path.name: path.read_bytes() for path in common.RESULTS.iterdir()}
