"""A graph made ready to run in tract."""

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
from nnefkit.execution.engines.tract.model_files import Document, document
from nnefkit.execution.engines.tract.process import LOCK, Child, worker
from nnefkit.graph import Graph

_NUMBERS = itertools.count()
_CAUSE = re.compile(r"^\s+\d+: (.*(?:\n(?!\s+\d+: ).*)*)", re.MULTILINE)
_CAUSES = 2
"""How many of the nested causes are told, the innermost last."""


class PreparedGraph:
    """A model in the child process, loaded anew if that had to be replaced."""

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
        self._document: Document = document(graph, sorted(self._watched.union(fetch)))
        self._number = next(_NUMBERS)
        self._child: Child | None = None
        self._owner = 0
        if self._document.outputs:
            with LOCK.here():
                self._load()

    def _load(self) -> Child:
        """The child that has the model."""
        child = worker().child()
        if child is self._child:
            return child
        try:
            problem = self._ask_to_load(child)
        except OSError as error:
            raise ExecutionError(
                f"tract cannot be given the graph: {error.strerror}",
                hint=f"It is handed over in files in {tempfile.gettempdir()}; the environment "
                "variable TMPDIR names another folder.",
            ) from error
        if problem:
            raise ExecutionError(f"tract cannot prepare the graph: {_reason(problem)}")
        self._child = child
        child.models.add(self._number)
        weakref.finalize(self, child.forgotten.put, self._number).atexit = False
        return child

    def _ask_to_load(self, child: Child) -> str:
        """Tells the child to load the model; returns what was wrong with it."""
        if self._owner != os.getpid():
            # The memory is that of one process and its child: a forked process gets its own.
            self._folder, self._memory = _shared(self._document.size)
            self._owner = os.getpid()
            weakref.finalize(self, _remove, self._folder, self._owner)
        with tempfile.TemporaryDirectory(dir=self._folder) as model:
            self._document.write(Path(model))
            return child.ask(
                {
                    "do": "load",
                    "model": self._number,
                    "folder": model,
                    "buffer": str(self._folder / _TENSORS),
                    "inputs": [place.told() for place in self._document.inputs],
                    "outputs": [place.told() for place in self._document.outputs],
                },
                self._timeout,
            )

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Computes the fetched tensors; see `nnefkit.execution.engine.Prepared`."""
        values = dict(feeds)
        if self._document.outputs:
            with LOCK.here():
                child = self._load()
                for place in self._document.inputs:
                    place.array(self._memory)[...] = feeds[place.name]
                problem = child.ask({"do": "run", "model": self._number}, self._timeout)
                if problem:
                    raise ExecutionError(f"tract failed: {_reason(problem)}")
                for place in self._document.outputs:
                    values[place.name] = place.array(self._memory).copy()
        if watch is not None:
            self._tell(values, watch)
        return {name: self._value(name, values).copy() for name in self._fetch}

    def _tell(self, values: Mapping[str, Array], watch: Watch) -> None:
        for op in self._graph.operations:
            names = [name for name in op.output_names if name in self._watched]
            if names:
                watch((op,), {name: self._value(name, values) for name in names}, nan)

    def _value(self, name: str, values: Mapping[str, Array]) -> Array:
        origin = self._document.known.get(name, name)
        if origin in values:
            return values[origin]
        return np.array(stored(self._graph.tensors[origin], scalar_dtype(self._graph)))


_TENSORS = "tensors"


def _shared(size: int) -> tuple[Path, mmap.mmap]:
    """A new folder, and the memory of a file in it that has room for `size` bytes."""
    folder = Path(tempfile.mkdtemp(prefix="nnefkit-tract-"))
    try:
        with (folder / _TENSORS).open("w+b") as file:
            # Room that is only promised would end this process when it is written to.
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
    """The causes that tract tells, the first of which is only that it was reading a file."""
    causes = _CAUSE.findall(problem) or [problem]
    return "; ".join(" ".join(cause.split()) for cause in causes[-_CAUSES:])
