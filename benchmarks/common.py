"""What the benchmarks share: their command line, their result file, and how they wait their turn.

A result carries a hash of the code that was measured, `helpers/training.py` included, by which
`python -m benchmarks.stale` finds the benchmarks that should be run again.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from studies import common as studies
from studies.common import machine, versions, write_whole

BENCHMARKS = Path(__file__).parent
ROOT = BENCHMARKS.parent
RESULTS = BENCHMARKS / "results"


def arguments(description, argv=None, **further):
    """Parse a benchmark's command line.

    Args:
        description: str, what it measures.
        argv: list of str, `sys.argv[1:]` by default.
        **further: further options, `name=settings` for `add_argument`.

    Returns:
        A namespace with `quick` (bool: a tiny run that proves the code works, not the result),
        `out` (the folder for the result) and the further options.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="a tiny run, in under a minute")
    parser.add_argument("--out", type=Path, help="folder for the result")
    for name, settings in further.items():
        parser.add_argument(f"--{name}", **settings)
    options = parser.parse_args(argv)
    if options.out is None:
        options.out = Path(tempfile.mkdtemp(prefix="benchmark-")) if options.quick else RESULTS
    elif options.quick and options.out.resolve() == RESULTS.resolve():
        parser.error("a quick run never writes to benchmarks/results")
    return options


def code_hash(name, definition):
    """Return the SHA-256 of a benchmark's settings and code and of `fit`'s, as 64 digits."""
    files = [BENCHMARKS / f"{name}.py", ROOT / "helpers" / "training.py"]
    return studies.code_hash(definition, *(studies.code_only(studies.read(f)) for f in files))


def write_result(name, definition, folder, **fields):
    """Write `<folder>/<name>.json`, whole or not at all, with what it depended on."""
    result = {
        "benchmark": name,
        "code_hash": code_hash(name, definition),
        "machine": machine(),
        "versions": versions(),
        "definition": definition,
        **fields,
    }
    return write_whole(name, result, folder)


def read_result(name, folder):
    """Return the result that an earlier run has left in a folder (a Path), as a dict."""
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def fresh_process(module, *options):
    """Run `python -m <module> <options>` alone, and return what it reports, timed as a whole.

    Returns:
        The dict that the process printed as JSON on its last line, with `started`: the time of
        the call, on the clock of `time.time()`.
    """
    started = time.time()
    run = subprocess.run(
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        raise RuntimeError(f"{module} {' '.join(options)} failed:\n{run.stderr[-3000:]}")
    return json.loads(run.stdout.splitlines()[-1]) | {"started": started}


def peak_memory():
    """Return the most memory that this process has held so far, in MB (0 where unknown)."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1e6 if sys.platform == "darwin" else 1e3
    )
