"""Which committed measurements are older than the code that they measured?

`python -m benchmarks.stale` prints them and fails if there are any. A stale measurement is no
error: it asks for an idle machine, and says so once a week instead of blocking every change.
"""

import sys

from benchmarks import chapters, check, time_to_quality
from benchmarks.common import RESULTS, code_hash, read_result
from tools.chapters import book

BENCHMARKS = (chapters, check, time_to_quality)


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


def wrong_seconds(stated, measured):
    """Compare the seconds that chapters state with those measured.

    Args:
        stated: dict, {slug: seconds} of the chapters.
        measured: dict, {slug: seconds} of the benchmark.

    Returns:
        A list of sentences: chapters that were not timed, and those that are off by more than a
        fifth, which is how much the seconds vary by themselves.
    """
    found = [f"{slug}: was never timed." for slug in stated.keys() - measured.keys()]
    for slug in stated.keys() & measured.keys():
        if not 0.8 < stated[slug] / measured[slug] < 1.2:
            found.append(f"{slug}: says {stated[slug]} seconds; {measured[slug]} were measured.")
    return sorted(found)


def main(folder=RESULTS):
    """Say what should be measured again; return the exit status."""
    names = stale(folder)
    stated = {chapter.slug: chapter.seconds for chapter in book()}
    timed = (
        read_result("chapters", folder)["chapters"] if (folder / "chapters.json").exists() else {}
    )
    wrong = wrong_seconds(stated, {slug: row["seconds"] for slug, row in timed.items()})
    print(*wrong, sep="\n", end="\n" if wrong else "")
    for name in names:
        print(
            f"{name}: the code has changed since it was measured. On an idle machine, run "
            f"python -m benchmarks.{name} and commit the result."
        )
    return 1 if names or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
