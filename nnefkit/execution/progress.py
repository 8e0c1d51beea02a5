"""Progress bars of long runs."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any

import numpy as np

from nnefkit.execution.engine import Watch
from nnefkit.graph import Graph, Operation

DELAY = 1.0
"""Seconds after which a run is a long one."""

# Below so many multiply-accumulates no run is a long one, and needs no watching.
_SMALL = 2_000_000_000


class Progress:
    """Shows how far a run is, and passes on what it is told: ``with Progress(graph) as watch``."""

    def __init__(self, graph: Graph, shown: bool | None, inner: Watch | None = None) -> None:
        self._inner = inner
        self._name = graph.name
        self._total = sum(op.name not in _SOURCES for op in graph.operations)
        work = sum(op.macs or 0 for op in graph.operations)
        self._needed = shown is not False and (bool(shown) or work >= _SMALL)
        self._delay = 0.0 if shown else DELAY
        self._bar: Any = None

    def __enter__(self) -> Watch | None:
        if not self._needed:
            return self._inner
        from tqdm.auto import tqdm

        self._bar = tqdm(
            total=self._total, desc=self._name, unit="operation", delay=self._delay, leave=False
        )
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
        self._bar.update(len(operations))


_SOURCES = frozenset({"external", "variable", "constant"})
