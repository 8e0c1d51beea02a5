"""Models in the child process that compute a graph."""

from __future__ import annotations

import itertools
import mmap
import os
import re
import shutil
import tempfile
import weakref
from collections.abc import Collection, Mapping
from math import nan
from pathlib import Path

import numpy as np

from nnefkit.arrays import Array
from nnefkit.errors import ExecutionError
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import Watch
from nnefkit.execution.engines.tract.process import LOCK, Child, worker
from nnefkit.execution.engines.tract.tract_graph import tract_graph
from nnefkit.graph import Graph

_NUMBERS = itertools.count()
_CAUSE = re.compile(r"^\s+\d+: (.*(?:\n(?!\s+\d+: ).*)*)", re.MULTILINE)
_CAUSES = 2
"""Number of nested causes that a message repeats, the innermost last."""


class TractModel:
    """A model in the child process, loaded again if the process had to be replaced."""

    def __init__(
        self,
        graph: Graph,
        fetch: Collection[str],
        watched: Collection[str],
        timeout: float | None,
    ) -> None:
        self._graph = graph
        self._fetch = tuple(sorted(fetch))
        self._watched = frozenset(watched)
        self._timeout = timeout
        self._files = tract_graph(graph, sorted(self._watched.union(fetch)))
        self._number = next(_NUMBERS)
        self._child: Child | None = None
        self._owner = 0
        if self._files.outputs:
            with LOCK.here():
                self._load()

    def _load(self) -> Child:
        """Return the child process, with the model loaded."""
        child = worker().child()
        if child is self._child:
            return child
        try:
            problem = self._ask_to_load(child)
        except OSError as error:
            raise ExecutionError(
                f"the graph cannot be passed to tract: {error.strerror}",
                hint=f"It is passed in files in {tempfile.gettempdir()}; the environment variable "
                "TMPDIR selects another folder.",
            ) from error
        if problem:
            raise ExecutionError(f"tract cannot prepare the graph: {_reason(problem)}")
        self._child = child
        child.models.add(self._number)
        weakref.finalize(self, child.forgotten.put, self._number).atexit = False
        return child

    def _ask_to_load(self, child: Child) -> str:
        """Have the child load the model; return what is wrong with it, or an empty string."""
        if self._owner != os.getpid():
            # The memory is that of one process and its child: a forked process gets its own.
            self._folder, self._memory = _shared(self._files.size)
            self._owner = os.getpid()
            weakref.finalize(self, _remove, self._folder, self._owner)
        with tempfile.TemporaryDirectory(dir=self._folder) as model:
            self._files.write(Path(model))
            return child.ask(
                {
                    "do": "load",
                    "model": self._number,
                    "folder": model,
                    "buffer": str(self._folder / _TENSORS),
                    "inputs": [location.description() for location in self._files.inputs],
                    "outputs": [location.description() for location in self._files.outputs],
                },
                self._timeout,
            )

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Compute the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        values = dict(feeds)
        if self._files.outputs:
            with LOCK.here():
                child = self._load()
                for location in self._files.inputs:
                    location.array(self._memory)[...] = feeds[location.name]
                problem = child.ask({"do": "run", "model": self._number}, self._timeout)
                if problem:
                    raise ExecutionError(f"tract failed: {_reason(problem)}")
                for location in self._files.outputs:
                    values[location.name] = location.array(self._memory).copy()
        if watch is not None:
            self._report(values, watch)
        return {name: self._value(name, values).copy() for name in self._fetch}

    def _report(self, values: Mapping[str, Array], watch: Watch) -> None:
        """Call `watch`; tract does not report how long each operation took."""
        operations = tuple(op for op in self._graph.operations if not op.is_source)
        if not self._watched and operations:
            watch(operations, {}, nan)
        for op in self._graph.operations:
            names = [name for name in op.output_names if name in self._watched]
            if names:
                watch((op,), {name: self._value(name, values) for name in names}, nan)

    def _value(self, name: str, values: Mapping[str, Array]) -> Array:
        origin = self._files.known.get(name, name)
        if origin in values:
            return values[origin]
        return np.array(stored(self._graph.tensors[origin], scalar_dtype(self._graph)))


_TENSORS = "tensors"


def _shared(size: int) -> tuple[Path, mmap.mmap]:
    """Return a new folder, and the memory of a file of `size` bytes in it."""
    folder = Path(tempfile.mkdtemp(prefix="nnefkit-tract-"))
    try:
        with (folder / _TENSORS).open("w+b") as file:
            # Writing to space that is not allocated would kill this process.
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, max(size, 1))
            else:
                file.write(bytes(max(size, 1)))
                file.flush()
            return folder, mmap.mmap(file.fileno(), 0)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _remove(folder: Path, owner: int) -> None:
    if os.getpid() == owner:
        shutil.rmtree(folder, ignore_errors=True)


def _reason(problem: str) -> str:
    """Return the innermost causes; the first one only reports that tract was reading a file."""
    causes = _CAUSE.findall(problem) or [problem]
    return "; ".join(" ".join(cause.split()) for cause in causes[-_CAUSES:])
