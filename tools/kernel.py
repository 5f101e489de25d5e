"""The one way to start a notebook's kernel, to run cells in it, and to ask it something.

`make run` (tools/run.py), the output check (output_check/plugin.py), the chapters' benchmark
(benchmarks/chapters.py) and the stand-in for Colab (tests/colab.py) use it. nbclient does the work.
"""

import ast
import contextlib
import os
import tempfile

import nbformat
from ipykernel.kernelspec import make_ipkernel_cmd
from jupyter_client import AsyncKernelManager
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.utils import run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from traitlets import List

from tools.chapters import ROOT
from tools.stored import code_cells, describe_cell

# Seconds until something counts as hanging, on a busy machine too; no measure of speed.
CELL_TIMEOUT = 1800
REPLY_TIMEOUT = 300
DIED = "The kernel died; did it run out of memory?"
ARGUMENTS = [
    "--IPKernelApp.capture_fd_output=False",  # TensorFlow's C++ greeting is no cell's output
    "--HistoryManager.hist_file=:memory:",  # nor are our cells part of the user's history
]
# helpers.data knows; a kernel that has not imported it has loaded no images at all.
USES_FALLBACK = "getattr(__import__('sys').modules.get('helpers.data'), 'fallback_in_use', bool)()"


class CellFailed(RuntimeError):
    """A code cell raised an exception, hung, or took its kernel down."""


def book_environment():
    """Return the environment variables of a chapter's kernel on this machine."""
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    paths = [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    return environment | {
        "KERAS_BACKEND": "tensorflow",
        "PYTHONHASHSEED": "0",
        "PYTHONPATH": os.pathsep.join(paths),  # the helpers beside the chapter, not installed ones
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }


@contextlib.contextmanager
def start_kernel(folder, *, extensions=(), command=None, environment=None):
    """Start a fresh kernel; it is shut down at the end of the `with` statement.

    Args:
        folder: the path of the kernel's working directory.
        extensions: names of IPython extensions that the kernel loads first.
        command: list of str, what starts the kernel, with `{connection_file}` where its path goes;
            by default this environment's ipykernel, whatever kernels the machine has installed.
        environment: dict of str, the kernel's environment variables; by default the book's.

    Yields:
        The `Kernel`.

    Raises:
        RuntimeError: the kernel does not start; the message has the end of what it wrote.
    """
    specs = _OneCommand(command=[str(part) for part in command or make_ipkernel_cmd()])
    client = _WatchedClient(
        nbformat.v4.new_notebook(),
        km=AsyncKernelManager(kernel_spec_manager=specs),
        timeout=CELL_TIMEOUT,
        startup_timeout=REPLY_TIMEOUT,
        iopub_timeout=REPLY_TIMEOUT,
        raise_on_iopub_timeout=True,  # outputs may come late, but not be left out
        record_timing=False,
        shutdown_kernel="immediate",  # TensorFlow takes seconds to take itself apart
        coalesce_streams=True,
        extra_arguments=[*ARGUMENTS, *(f"--IPKernelApp.extensions={name}" for name in extensions)],
    )
    with tempfile.TemporaryFile("a+b") as log, contextlib.ExitStack() as stack:
        try:
            stack.enter_context(
                client.setup_kernel(
                    cwd=str(folder),
                    env=environment or book_environment(),
                    stderr=log,
                    cleanup_kc=True,
                )
            )
        except RuntimeError as error:
            raise RuntimeError(f"{error}{_tail(log)}") from None
        yield Kernel(client, log)


class Kernel:
    """A running kernel, made by `start_kernel`.

    Attributes:
        manager: its asynchronous `KernelManager`.
        client: the manager's asynchronous client.
    """

    def __init__(self, client, log):
        self._notebook_client = client
        self._log = log
        self.manager = client.km
        self.client = client.kc

    @property
    def process_id(self):
        """The number of the kernel's process, int."""
        return self.manager.provisioner.pid

    def run(self, notebook, watch=None):
        """Execute a notebook's code cells in order, with a history, as Jupyter does.

        Args:
            notebook: an nbformat notebook; its cells get the outputs and execution counts.
            watch: a function of a message's type (str), called as the kernel sends one.

        Yields:
            The number of each code cell, from 1 on, and the cell, as soon as it has run.

        Raises:
            CellFailed: a cell failed; the message names it and says why.
        """
        client = self._notebook_client
        client.nb, client.watch = notebook, watch
        client.reset_execution_trackers()
        for number, cell in enumerate(code_cells(notebook), start=1):
            try:
                client.execute_cell(cell, notebook.cells.index(cell), execution_count=number)
            except DeadKernelError:
                raise CellFailed(f"{describe_cell(number, cell)}\n{self.last_words()}") from None
            except (CellExecutionError, CellTimeoutError) as error:
                raise CellFailed(f"{describe_cell(number, cell)}\n{error}") from None
            yield number, cell

    @run_sync
    async def evaluate(self, expression):
        """Return an expression's value, a plain literal, without a trace in outputs or history."""
        reply = await self.client.execute(
            "", silent=True, user_expressions={"it": expression}, reply=True, timeout=REPLY_TIMEOUT
        )
        value = reply["content"]["user_expressions"]["it"]
        if value["status"] != "ok":
            raise RuntimeError(f"{expression}: {value['ename']}: {value['evalue']}")
        return ast.literal_eval(value["data"]["text/plain"])

    def uses_fallback(self):
        """Tell whether the kernel has loaded the fallback data instead of the book's."""
        return self.evaluate(USES_FALLBACK)

    def last_words(self):
        """Say that the kernel died, with the end of what it wrote to stderr."""
        return DIED + _tail(self._log)


class _OneCommand(KernelSpecManager):
    """Knows one kernel, the one that a command starts."""

    command = List()

    def get_kernel_spec(self, kernel_name):
        return KernelSpec(argv=list(self.command), display_name=kernel_name, language="python")


class _WatchedClient(NotebookClient):
    """Tells a watcher of every message that belongs to the cell that runs."""

    watch = None

    def process_message(self, msg, cell, cell_index):
        if self.watch:
            self.watch(msg["header"]["msg_type"])
        return super().process_message(msg, cell, cell_index)


def _tail(log):
    """Return the end of a log file, beginning with a new line; an empty text if there is none."""
    log.seek(0)
    text = log.read()[-2000:].decode(errors="replace").strip()
    return f"\n{text}" if text else ""
