"""Which committed measurements are older than the code that they measured?

`python -m benchmarks.stale` prints them and fails if there are any. A stale measurement is no
error: it asks for an idle machine, and says so once a week instead of blocking every change.
"""

import sys

from benchmarks import chapters, time_to_quality
from benchmarks.common import RESULTS, code_hash, read_result

BENCHMARKS = (chapters, time_to_quality)


def stale(folder=RESULTS):
    """Return the names of the benchmarks whose result in a folder is not the code's, or missing."""
    names = []
    for benchmark in BENCHMARKS:
        name = benchmark.NAME
        current = code_hash(name, benchmark.DEFINITION)
        if (
            not (folder / f"{name}.json").exists()
            or read_result(name, folder)["code_hash"] != current
        ):
            names.append(name)
    return names


def main(folder=RESULTS):
    """Say what should be measured again; return the exit status."""
    names = stale(folder)
    for name in names:
        print(
            f"{name}: the code has changed since it was measured. On an idle machine, run "
            f"python -m benchmarks.{name} and commit the result."
        )
    return 1 if names else 0


if __name__ == "__main__":
    sys.exit(main())
