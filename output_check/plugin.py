"""Let pytest run every chapter of the table of contents and compare its outputs (on nbval)."""

import contextlib
import functools
import re
from collections import defaultdict
from queue import Empty

import nbformat
import pytest
from jupyter_client.utils import run_sync
from nbval.kernel import RunningKernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from output_check.compare import compare_cell, find_flaws
from output_check.green import Green, fingerprint_of
from output_check.spreads import find_spread_flaws, moves_of, path_of, read
from tools.chapters import chapters
from tools.kernel import CELL_TIMEOUT, REPLY_TIMEOUT, start_kernel
from tools.run import DIGEST_EXTENSION, fetch_images
from tools.stored import code_cells, describe_cell

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TALLY = pytest.StashKey()
GREEN = pytest.StashKey()
SPARED = pytest.StashKey()  # chapters that are not run again


def pytest_configure(config):
    """Give a cell the time that `make run` gives it."""
    config.option.nbval_cell_timeout = CELL_TIMEOUT
    config.stash[TALLY] = []
    config.stash[GREEN] = Green(config)
    config.stash[SPARED] = []


_chapters = functools.cache(chapters)  # asked of every file


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Collect the chapters of `_toc.yml`, whatever nbval itself would do with them."""
    collected = yield
    if file_path in _chapters(parent.config.rootpath / "_toc.yml"):
        return [Chapter.from_parent(parent, path=file_path)]
    return collected


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session):
    """Run a chapter whole and in order, whatever -k, --lf or a shuffle has left of it."""
    chosen = [item.parent if isinstance(item.parent, Chapter) else item for item in session.items]
    whole = (node.items if isinstance(node, Chapter) else [node] for node in dict.fromkeys(chosen))
    session.items[:] = [item for group in whole for item in group]


class CheckedKernel(RunningKernel):
    """The kernel that `make run` would start, as nbval wants to speak to it."""

    def __init__(self, folder):
        self._shutdown = contextlib.ExitStack()
        self._kernel = self._shutdown.enter_context(
            start_kernel(folder, extensions=[DIGEST_EXTENSION])
        )
        self.km, self.kc = self._kernel.manager, self._kernel.client
        self.uses_fallback = self._kernel.uses_fallback

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Execute with a history, as Jupyter does: without one, a final `;` silences nothing."""
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

    def get_message(self, stream, timeout=None):
        """Return the next message of the channel `iopub` or `shell`; raise `Empty` if none comes."""
        channels = {"iopub": self.kc.get_iopub_msg, "shell": self.kc.get_shell_msg}
        return run_sync(channels[stream])(timeout=timeout)

    def await_reply(self, msg_id, timeout=None):
        """Wait for a reply, but not for one from a kernel that has died."""
        for _ in range(int(timeout or CELL_TIMEOUT)):
            try:
                return super().await_reply(msg_id, timeout=1)
            except Empty:
                if not self.is_alive():
                    raise RuntimeError(self._kernel.last_words()) from None
        raise Empty

    def is_alive(self):
        """Say whether the kernel's process runs."""
        return self.km.has_kernel and run_sync(self.km.is_alive)()

    def interrupt(self):
        """Stop the cell that runs."""
        run_sync(self.km.interrupt_kernel)()

    def stop(self):
        """Shut the kernel down."""
        self._shutdown.close()


class Chapter(IPyNbFile):
    """One chapter: first its stored form is checked, then its cells in one fresh kernel."""

    broken = None  # the number of the cell whose code failed
    kernel = None
    passed = 0  # cells that gave what is stored, from the book's images

    def setup(self):
        """Fetch the images if the chapter needs them, and start the kernel, if there are cells to run."""
        if len(self.items) == 1:
            return
        if any("load_images(" in cell.source for cell in code_cells(self.nb)):
            fetch_images()
        self.kernel = CheckedKernel(self.path.parent)

    def collect(self):
        """Return the items: the stored form, then each code cell."""
        self.nb = nbformat.read(self.path, as_version=4)
        self.spreads = read(path_of(self.path))
        self.items = [Stored.from_parent(self, name="stored form")]
        if self.config.stash[GREEN].knows(fingerprint_of(self.path)):
            self.config.stash[SPARED].append(self.path.stem)
            return self.items
        for number, cell in enumerate(code_cells(self.nb), start=1):
            options = defaultdict(bool, check=True)
            name = f"cell {number}"
            self.items.append(
                Cell.from_parent(self, name=name, cell_num=number, cell=cell, options=options)
            )
        return self.items

    def teardown(self):
        """Shut the kernel down, dead or alive; remember a chapter all of whose cells passed."""
        if self.kernel:
            self.kernel.stop()
            if self.passed == len(self.items) - 1:
                self.config.stash[GREEN].remember(fingerprint_of(self.path))

    def advice(self):
        """Say how to store new outputs."""
        return f"If the change is meant: make run CHAPTER={self.path.stem}, and look at the diff."


class Stored(pytest.Item):
    """The check of what is stored, before anything is run."""

    def runtest(self):
        """Fail with all that is wrong."""
        chapter = self.parent
        if found := find_flaws(chapter.nb) + find_spread_flaws(chapter.nb, chapter.spreads):
            pytest.fail("\n".join([*found, "", self.parent.advice()]), pytrace=False)

    def reportinfo(self):
        """Name the item in a report."""
        return self.path, 0, f"{self.path.stem}: {self.name}"


class Cell(IPyNbCell):
    """One code cell: it must run, and give what is stored."""

    def setup(self):
        """Run nothing after a cell that failed."""
        self.output_timeout = REPLY_TIMEOUT  # nbval's five seconds can pass on a busy machine
        if self.parent.broken:
            pytest.skip(f"not run: code cell {self.parent.broken} failed")

    def runtest(self):
        """Run the cell as nbval does; remember if its code failed."""
        try:
            super().runtest()
        except RuntimeError as error:
            self.parent.broken = self.cell_num
            raise NbCellError(self.cell_num, str(error), self.cell.source) from None
        except NbCellError as error:
            if str(error) != "Cell outputs differ":
                self.parent.broken = self.cell_num
            raise

    def compare_outputs(self, test, ref, skip_compare=None):
        """Compare by the book's rules; called by nbval with the run's outputs."""
        moves = moves_of(self.cell, self.parent.spreads)
        fallback = self.parent.kernel.uses_fallback()
        result = compare_cell(self.cell, test, moves, fallback=fallback)
        self.config.stash[TALLY].append(summarise(self, result))
        self.comparison_traceback = result.problems
        self.parent.passed += not result.problems and not fallback
        return not result.problems

    def repr_failure(self, excinfo):
        """Return what the report says of a failure."""
        error = excinfo.value
        if not isinstance(error, NbCellError):
            return pytest.Item.repr_failure(self, excinfo)
        details = [str(error), *(error.inner_traceback or "").split("\n"), ""]
        lines = [f"{self.path.stem}: {describe_cell(self.cell_num, self.cell)}"]
        lines += [f"  {ANSI.sub('', line)}" for line in details]
        return "\n".join([*lines, self.parent.advice()])

    def reportinfo(self):
        """Name the item in a report."""
        return self.path, 0, f"{self.path.stem}: {self.name}"


def summarise(cell, result):
    """Return what the summary needs of one compared cell, in types that pytest-xdist can send."""
    counts = ("numbers", "moving", "figures", "pixels", "fallback")
    return {
        **{name: int(getattr(result, name)) for name in counts},
        **{name: float(getattr(result, name)) for name in ("worst", "widest")},
        "chapter": cell.parent.path.stem,
        "cell": cell.name,
    }


def pytest_sessionfinish(session):
    """Hand what one of several workers (pytest-xdist) has counted to the process that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = session.config.stash[TALLY]
        session.config.workeroutput["spared"] = session.config.stash[SPARED]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over what a worker has counted; one that crashed has counted nothing."""
    output = getattr(node, "workeroutput", {})
    node.config.stash[TALLY] += output.get("tally", [])
    node.config.stash[SPARED] += output.get("spared", [])  # the same from each worker


def pytest_terminal_summary(terminalreporter, config):
    """Say in a line what was compared and what was not run again, and loudly what could not be."""
    if spared := sorted(set(config.stash[SPARED])):
        terminalreporter.section("chapters not run again")
        terminalreporter.line(
            f"{len(spared)} were green with the same code, data and machine: {', '.join(spared)}. "
            "To run them: add --cache-clear, or set CI=1."
        )
    if not (tally := config.stash[TALLY]):
        return

    def total(name):
        return sum(compared[name] for compared in tally)

    def largest(name):
        cell = max(tally, key=lambda compared: compared[name])
        return f"{cell[name]:.0%}", f"{cell['chapter']}, {cell['cell']}"

    (worst, where), (widest, there) = largest("worst"), largest("widest")
    terminalreporter.section("stored outputs")
    terminalreporter.line(
        f"{len({compared['chapter'] for compared in tally})} chapters, {len(tally)} cells, "
        f"{total('numbers')} numbers and {total('figures')} figures compared "
        f"({total('pixels')} also by pixels); {total('numbers') - total('moving')} numbers exact but "
        f"for rounding, {total('moving')} with a measured spread; largest allowance {widest} of a "
        f"number ({there}); worst deviation {worst} of what is allowed ({where})"
    )
    if unseen := total("fallback"):
        terminalreporter.line(
            f"FALLBACK DATA: Fashion-MNIST was not found, so {unseen} cells were compared in their "
            "structure only, none of their numbers. Set FASHION_MNIST_DIR or allow the download.",
            red=True,
            bold=True,
        )
