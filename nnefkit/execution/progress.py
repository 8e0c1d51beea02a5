"""Progress bars of long runs."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from types import TracebackType
from typing import Any

import numpy as np

from nnefkit.execution.engine import Watch
from nnefkit.graph import Graph, Operation

DELAY = 1.0
"""Seconds after which a run is a long one."""

_SOURCES = frozenset({"external", "variable", "constant"})


class Progress:
    """Shows how far a run is, and passes on what it is told: ``with Progress(graph) as watch``."""

    def __init__(self, graph: Graph, shown: bool | None, inner: Watch | None = None) -> None:
        self._inner = inner
        self._graph = graph
        self._shown = shown
        self._done = 0
        self._bar: Any = None
        self._due = 0.0

    def __enter__(self) -> Watch | None:
        if self._shown is False:
            return self._inner
        self._due = perf_counter() + (0.0 if self._shown else DELAY)
        return self._watch

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def _watch(
        self,
        operations: tuple[Operation, ...],
        results: Mapping[str, np.ndarray[Any, Any]],
        seconds: float,
    ) -> None:
        if self._inner is not None:
            self._inner(operations, results, seconds)
        self._done += len(operations)
        if self._bar is not None:
            self._bar.update(len(operations))
        elif perf_counter() >= self._due:
            self._bar = self._open()

    def _open(self) -> Any:
        # Importing it takes longer than most runs do.
        from tqdm.auto import tqdm

        total = sum(op.name not in _SOURCES for op in self._graph.operations)
        name = self._graph.name
        return tqdm(total=total, initial=self._done, desc=name, unit="operation", leave=False)
