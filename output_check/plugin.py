"""Let pytest run every chapter of the table of contents and compare its outputs (on nbval)."""

import re
import subprocess
from collections import defaultdict
from queue import Empty

import nbformat
import pytest
from nbval.kernel import CURRENT_ENV_KERNEL_NAME, RunningKernel, start_new_kernel
from nbval.plugin import IPyNbCell, IPyNbFile, NbCellError

from tests.output_check import compare, flaws
from tools.run import (
    FALLBACK,
    TIMEOUT,
    chapters,
    code_cells,
    fetch_images,
    headline,
    kernel_options,
)

ANSI = re.compile(r"\x1b\[[0-9;]*m")
TALLY = pytest.StashKey()


def pytest_configure(config):
    """Give a cell the time that `make run` gives it."""
    config.option.nbval_cell_timeout = TIMEOUT
    config.stash[TALLY] = []


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    """Collect the chapters of `_toc.yml`, whatever nbval itself would do with them."""
    collected = yield
    if file_path in chapters(parent.config.rootpath / "_toc.yml"):
        return [Chapter.from_parent(parent, path=file_path)]
    return collected


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session):
    """Run a chapter whole and in order, whatever -k, --lf or a shuffle has left of it."""
    chosen = [item.parent if isinstance(item.parent, Chapter) else item for item in session.items]
    whole = (node.items if isinstance(node, Chapter) else [node] for node in dict.fromkeys(chosen))
    session.items[:] = [item for group in whole for item in group]


class Kernel(RunningKernel):
    """A kernel started as `make run` starts it."""

    def __init__(self, folder):
        self.km, self.kc = start_new_kernel(
            kernel_name=CURRENT_ENV_KERNEL_NAME,
            cwd=str(folder),
            stderr=subprocess.DEVNULL,
            **kernel_options(),
        )
        self._ensure_iopub_up()

    def execute_cell_input(self, cell_input, allow_stdin=None):
        """Execute with a history, as Jupyter does: without one, a final `;` silences nothing."""
        return self.kc.execute(
            cell_input, store_history=True, allow_stdin=allow_stdin, stop_on_error=False
        )

    def await_reply(self, msg_id, timeout=None):
        """Wait for a reply, but not for one from a kernel that has died."""
        for _ in range(int(timeout or TIMEOUT)):
            try:
                return super().await_reply(msg_id, timeout=1)
            except Empty:
                if not self.is_alive():
                    raise RuntimeError("The kernel died; did it run out of memory?") from None
        raise Empty

    def evaluate(self, expression):
        """Return the text of a Python expression's value, without a trace in the notebook."""
        asked = self.kc.execute("", silent=True, user_expressions={"it": expression})
        while (reply := self.get_message("shell", timeout=10))["parent_header"]["msg_id"] != asked:
            pass
        return reply["content"]["user_expressions"]["it"]["data"]["text/plain"]


class Chapter(IPyNbFile):
    """One chapter: first its stored form is checked, then its cells in one fresh kernel."""

    broken = None  # the number of the cell whose code failed

    def setup(self):
        if any("load_images(" in cell.source for cell in code_cells(self.nb)):
            fetch_images()
        self.kernel = Kernel(self.path.parent)

    def collect(self):
        self.nb = nbformat.read(self.path, as_version=4)
        self.items = [Stored.from_parent(self, name="stored form")]
        for number, cell in enumerate(code_cells(self.nb), start=1):
            options = defaultdict(bool, check=True)
            name = f"cell {number}"
            self.items.append(
                Cell.from_parent(self, name=name, cell_num=number, cell=cell, options=options)
            )
        return self.items

    def advice(self):
        return f"If the change is meant: make run CHAPTER={self.path.stem}, and look at the diff."


class Stored(pytest.Item):
    """The check of what is stored, before anything is run."""

    def runtest(self):
        if found := flaws(self.parent.nb):
            pytest.fail("\n".join([*found, "", self.parent.advice()]), pytrace=False)

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}: {self.name}"


class Cell(IPyNbCell):
    """One code cell: it must run, and give what is stored."""

    def setup(self):
        if self.parent.broken:
            pytest.skip(f"not run: code cell {self.parent.broken} failed")

    def runtest(self):
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
        fallback = self.parent.kernel.evaluate(FALLBACK) == "True"
        result = compare(self.cell, test, fallback)
        self.config.stash[TALLY].append(entry(self, result))
        self.comparison_traceback = result.problems
        return not result.problems

    def repr_failure(self, excinfo):
        error = excinfo.value
        if not isinstance(error, NbCellError):
            return pytest.Item.repr_failure(self, excinfo)
        details = [str(error), *(error.inner_traceback or "").split("\n"), ""]
        lines = [f"{self.path.stem}: {headline(self.cell_num, self.cell)}"]
        lines += [f"  {ANSI.sub('', line)}" for line in details]
        return "\n".join([*lines, self.parent.advice()])

    def reportinfo(self):
        return self.path, 0, f"{self.path.stem}: {self.name}"


def entry(cell, result):
    """Return what the summary needs of one compared cell, in types that pytest-xdist can send."""
    counts = {name: getattr(result, name) for name in ("numbers", "figures", "pixels", "fallback")}
    widened, worst = bool(result.tolerance.widened), float(result.worst)
    return {
        **{name: int(count) for name, count in counts.items()},
        "chapter": cell.parent.path.stem,
        "cell": cell.name,
        "widened": widened,
        "worst": worst,
    }


def pytest_sessionfinish(session):
    """Hand the tally of one of several workers (pytest-xdist) to the process that reports."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["tally"] = session.config.stash[TALLY]


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """Take over a worker's tally; a worker that crashed has none."""
    node.config.stash[TALLY] += getattr(node, "workeroutput", {}).get("tally", [])


def pytest_terminal_summary(terminalreporter, config):
    """Say in a line what was compared, and loudly if it could not be."""
    if not (tally := config.stash[TALLY]):
        return

    def total(name):
        return sum(compared[name] for compared in tally)

    worst = max(tally, key=lambda compared: compared["worst"])
    terminalreporter.section("stored outputs")
    terminalreporter.line(
        f"{len({compared['chapter'] for compared in tally})} chapters, {len(tally)} cells, "
        f"{total('numbers')} numbers and {total('figures')} figures compared "
        f"({total('pixels')} also by pixels); {total('widened')} cells under a widened tolerance; "
        f"worst deviation {worst['worst']:.0%} of what is allowed "
        f"({worst['chapter']}, {worst['cell']})"
    )
    if unseen := total("fallback"):
        terminalreporter.line(
            f"FALLBACK DATA: Fashion-MNIST was not found, so {unseen} cells were compared in their "
            "structure only, none of their numbers. Set FASHION_MNIST_DIR or allow the download.",
            red=True,
            bold=True,
        )
