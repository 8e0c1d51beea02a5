"""Progress bars of long runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from nnefkit.display.progress_bar import ProgressBar
from nnefkit.execution.engine import Watch
from nnefkit.graph import Graph, Operation


class Progress:
    """Shows how far a run is, and passes on what it is told: ``with Progress(graph) as watch``."""

    def __init__(self, graph: Graph, shown: bool | None, inner: Watch | None = None) -> None:
        self._inner = inner
        self._graph = graph
        self._shown = shown
        self._bar: ProgressBar | None = None

    def __enter__(self) -> Watch | None:
        if self._shown is False:
            return self._inner
        total = len(self._graph.computations)
        delay = 0.0 if self._shown else None
        self._bar = ProgressBar(total, self._graph.name, "operation", delay=delay)
        return self._watch

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, traceback)

    def _watch(
        self,
        operations: tuple[Operation, ...],
        results: Mapping[str, np.ndarray[Any, Any]],
        seconds: float,
    ) -> None:
        if self._inner is not None:
            self._inner(operations, results, seconds)
        if self._bar is not None:
            self._bar.update(len(operations))
