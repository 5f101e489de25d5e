"""Remember which chapters were green, so that a second run on the same machine need not repeat them.

A chapter is told by a fingerprint of all that decides its outputs and their check. Under `CI`
nothing is remembered; `pytest --cache-clear` forgets.
"""

import hashlib
import os
import platform
from pathlib import Path

from output_check.spreads import path_of

# What of the environment decides how a chapter rounds, and where its images are.
VARIABLES = ("OMP_", "OPENBLAS_", "MKL_", "TF_", "ONEDNN_", "NPY_", "KERAS_", "CUDA_", "FASHION_")


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


def fingerprint(chapter):
    """Return the SHA-256 of what decides whether the chapter in the file `chapter` is green."""
    variables = sorted(item for item in os.environ.items() if item[0].startswith(VARIABLES))
    digest = hashlib.sha256(repr([platform.python_version(), processor(), variables]).encode())
    for path in files_of(chapter):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(chapter.parents[1])} {content}\n".encode())
    return digest.hexdigest()


class Green:
    """The fingerprints of green chapters, in pytest's cache."""

    def __init__(self, config):
        remembers = not os.environ.get("CI") and hasattr(config, "cache")
        self._folder = config.cache.mkdir("green-chapters") if remembers else None

    def knows(self, chapter):
        """Say whether the chapter was green, with all that it depends on as it is now."""
        return self._folder is not None and (self._folder / fingerprint(chapter)).exists()

    def remember(self, chapter):
        """Note that the chapter is green."""
        if self._folder is not None:
            (self._folder / fingerprint(chapter)).touch()
