"""Progress bars of long runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from nnefkit.arrays import Array
from nnefkit.display.progress_bar import ProgressBar
from nnefkit.execution.engine import Watch
from nnefkit.graph import Graph, Operation


class Progress:
    """Progress bar of a run: ``with Progress(graph, shown) as watch``.

    Args:
        graph: The graph that is run.
        shown: Whether to show a bar; None shows it in runs of more than a second.
        inner: Also called after each operation.
    """

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
        error_type: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(error_type, error, traceback)

    def _watch(
        self,
        operations: tuple[Operation, ...],
        results: Mapping[str, Array],
        seconds: float,
    ) -> None:
        if self._inner is not None:
            self._inner(operations, results, seconds)
        if self._bar is not None:
            self._bar.update(len(operations))
