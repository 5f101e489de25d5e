"""Remember what was green, so that a second run on the same machine need not repeat it.

A chapter, or a test that says what it depends on, is told by a fingerprint of all that decides
whether it is green. Under `CI` nothing is remembered; `pytest --cache-clear` forgets.
"""

import functools
import hashlib
import os
import platform
from pathlib import Path

from output_check.spreads import path_of

# What of the environment decides how a chapter rounds, and where its images are.
VARIABLES = (
    "OMP_",
    "OPENBLAS_",
    "MKL_",
    "TF_",
    "ONEDNN_",
    "NPY_",
    "KERAS_",
    "CUDA_",
    "FASHION_",
    "CHROMIUM",
)


def processor():
    """Return the processor's model, on which the last digits depend."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    model = [line for line in lines if line.startswith(("model name", "flags"))]
    return "\n".join(sorted(set(model))) or f"{platform.machine()} {platform.processor()}"


def files_of(chapter):
    """Return the files that a chapter's outputs and their check depend on, sorted."""
    root, text = chapter.parents[1], chapter.read_text(encoding="utf-8")
    results = [*root.glob("studies/results/*.json"), *root.glob("benchmarks/results/*.json")]
    return sorted(
        [
            *(path for path in root.glob("helpers/*") if path.is_file()),
            *(path for folder in ("output_check", "tools") for path in root.glob(f"{folder}/*.py")),
            *(path for path in results if f'\\"{path.stem}\\"' in text),
            *filter(Path.exists, (path_of(chapter), root / "requirements.txt")),
            chapter,
        ]
    )


def fingerprint(root, paths, *facts):
    """Return the SHA-256 of some files below a folder, of further facts, and of the environment."""
    variables = sorted(item for item in os.environ.items() if item[0].startswith(VARIABLES))
    known = [platform.python_version(), processor(), variables, *facts]
    digest = hashlib.sha256(repr(known).encode())
    for path in paths:
        digest.update(
            f"{path.relative_to(root)} {content(path, path.stat().st_mtime_ns)}\n".encode()
        )
    return digest.hexdigest()


@functools.cache
def content(path, _changed):
    """Return the SHA-256 of a file, which is read again when it has changed."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def fingerprint_of(chapter):
    """Return the SHA-256 of what decides whether the chapter in the file `chapter` is green."""
    return fingerprint(chapter.parents[1], files_of(chapter))


class Green:
    """The fingerprints of what was green, in pytest's cache."""

    def __init__(self, config):
        remembers = not os.environ.get("CI") and hasattr(config, "cache")
        self._folder = config.cache.mkdir("green") if remembers else None

    def knows(self, known):
        """Say whether what has this fingerprint was green."""
        return self._folder is not None and (self._folder / known).exists()

    def remember(self, known):
        """Note that what has this fingerprint is green."""
        if self._folder is not None:
            (self._folder / known).touch()
