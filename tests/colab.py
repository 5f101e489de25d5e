"""A stand-in for a Colab runtime: Colab's packages and variables, and nothing of this checkout.

What Colab fetches from GitHub and from the package index comes from this machine instead: the
checkout as it is now, committed and tagged like a release. The set-up cell is run as it is; Git is
told where to look, and pip to use no index.
"""

import hashlib
import os
import re
import shutil
import subprocess
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

from tools.chapters import ROOT
from tools.kernel import start_kernel
from tools.normalise import repository_url

REQUIREMENTS = ROOT / "tests" / "colab-requirements.txt"
VERSIONS = ("3.13", "3.12")  # Colab's newest first
# Ours, and not a Colab reader's.
FOREIGN = re.compile(
    r"PYTHON|PYTEST|VIRTUAL_ENV|KERAS_BACKEND|MPLBACKEND|TF_|GIT_|PIP_(PREFIX|USER)"
)
NO_INDEX = re.compile(r"(?i)connection|timed out|unreachable|resolution|resolve")
# Colab's kernel knows google.colab from the start.
LAUNCHER = """\
import google.colab
from ipykernel.kernelapp import launch_new_instance
launch_new_instance()
"""


class Unavailable(Exception):
    """The runtime cannot be made here, for a reason that is not the book's."""


def interpreter():
    """Return a Python of Colab's version.

    Raises:
        Unavailable: there is none; Colab's packages have no wheels for an older Python.
    """
    roots = {Path(os.environ.get("PYENV_ROOT") or "~/.pyenv").expanduser()}
    for version in VERSIONS:
        command = shutil.which(f"python{version}")
        # A shim of pyenv may run nothing, but it says where the interpreters are.
        roots |= {Path(command).parents[1]} if command else set()
        found = [path for root in roots for path in root.glob(f"versions/{version}.*/bin/python3")]
        for python in filter(None, [command, *found]):
            # Debian's Python may lack ensurepip.
            probe = [python, "-c", "import ensurepip, venv"]
            if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
                return Path(python)
    raise Unavailable(f"there is no Python {' or '.join(VERSIONS)}, and Colab has no other")


def packages():
    """Return a virtual environment with Colab's packages; it is made once, and never changed.

    Raises:
        Unavailable: there is no package index, no Git or no such Python, or this is Windows.
    """
    if os.name == "nt":
        raise Unavailable("Colab runs on Linux, and this is Windows")
    if not shutil.which("git"):
        raise Unavailable("there is no git")
    chosen = interpreter()
    version = subprocess.check_output([chosen, "-VV"])
    stamp = hashlib.sha256(REQUIREMENTS.read_bytes() + version).hexdigest()[:12]
    folder = ROOT / ".venv" / "colab" / stamp
    if folder.exists():
        return folder
    aside = folder.with_name(f"{stamp}-{os.getpid()}")
    subprocess.run([chosen, "-m", "venv", aside], check=True)
    pip = [aside / "bin" / "python", "-m", "pip", "--disable-pip-version-check"]
    # The set-up cell builds the helpers, for which pip wants setuptools as a file.
    setuptools = re.search(r"^setuptools==.*", REQUIREMENTS.read_text(), re.M)[0]
    for command in (
        ["install", "--quiet", "--no-deps", "--no-compile", "-r", REQUIREMENTS],
        ["download", "--quiet", "--no-deps", "--dest", aside / "wheels", setuptools],
    ):
        run = subprocess.run([*pip, *command], capture_output=True, text=True, check=False)
        if run.returncode != 0:
            shutil.rmtree(aside)
            if NO_INDEX.search(run.stderr):
                raise Unavailable(f"pip found no package index: {run.stderr.strip()[-200:]}")
            raise RuntimeError(run.stderr)
    aside.rename(folder)
    for old in set(folder.parent.glob("?" * len(stamp))) - {folder}:
        shutil.rmtree(old)
    return folder


@dataclass
class Runtime:
    """A fresh runtime: `python` starts its interpreter with `environment` in an empty `folder`."""

    python: Path
    folder: Path
    environment: dict[str, str]

    def output(self, *arguments):
        """Return what the runtime's Python prints."""
        command = [self.python, *arguments]
        return subprocess.check_output(command, env=self.environment, cwd=self.folder, text=True)

    def freeze(self):
        """Return the installed packages, as pip names them."""
        return set(self.output("-m", "pip", "freeze", "--all").splitlines())

    def run(self, notebook):
        """Execute a notebook in place, as a reader does with "Run all".

        Returns:
            Seconds that each code cell took, by its id, and whether the fallback data were used.

        Raises:
            CellFailed: a cell failed.
        """
        launcher = self.folder.parent / "colab" / "launcher.py"
        command = [self.python, launcher, "-f", "{connection_file}"]
        seconds = {}
        with start_kernel(self.folder, command=command, environment=self.environment) as kernel:
            start = time.monotonic()
            for _, cell in kernel.run(notebook):
                seconds[cell.id], start = time.monotonic() - start, time.monotonic()
            return seconds, kernel.uses_fallback()


def release(folder):
    """Commit the checkout as it is now to a new repository, tag it, and return its URL.

    Args:
        folder: the path of a folder for the repository.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    repository = folder / "book.git"
    subprocess.run(["git", "init", "--quiet", "--bare", repository], check=True)
    git = ["git", f"--git-dir={repository}", f"--work-tree={ROOT}"]
    git += ["-c", "user.name=test", "-c", "user.email=test@localhost", "-c", "commit.gpgsign=false"]
    for command in (
        ["add", "."],  # what .gitignore leaves
        ["commit", "--quiet", "--message", "The checkout as it is"],
        ["tag", f"v{project['version']}"],
    ):
        subprocess.run([*git, *command], cwd=ROOT, check=True, capture_output=True)
    return repository.as_uri()


def runtime(base, folder, address):
    """Make a fresh runtime in `folder` on the packages in `base`.

    Args:
        base: the path of the environment with Colab's packages.
        folder: the path of an empty folder.
        address: the URL that Git takes in place of the book's repository.
    """
    subprocess.run(
        [base / "bin" / "python", "-m", "venv", "--without-pip", folder / "venv"], check=True
    )
    python = folder / "venv" / "bin" / "python"
    # What is installed goes into this environment, on top of Colab's packages.
    ask = [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    site = Path(subprocess.check_output(ask, text=True).strip())
    colab = base / site.relative_to(folder / "venv")
    (site / "colab.pth").write_text(f"import site; site.addsitedir({str(colab)!r})\n")
    # Like the real one, google.colab shares the folder "google" with others: no google/__init__.py.
    (folder / "colab" / "google" / "colab").mkdir(parents=True)
    (folder / "colab" / "google" / "colab" / "__init__.py").touch()
    (folder / "colab" / "launcher.py").write_text(LAUNCHER)
    (folder / "content").mkdir()
    environment = {key: value for key, value in os.environ.items() if not FOREIGN.match(key)}
    environment |= {
        "COLAB_RELEASE_TAG": "release-colab-external-images_20260801-060052_RC00",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{address}.insteadOf",
        "GIT_CONFIG_VALUE_0": repository_url(),
        "PIP_FIND_LINKS": str(base / "wheels"),
        "PIP_NO_INDEX": "1",
    }
    return Runtime(python, folder / "content", environment)
