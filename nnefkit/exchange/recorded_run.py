"""The tensors of a run of a source, as a trace in the terms of the graph that was read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.layout import as_stored
from nnefkit.exchange.names import Names, identifier
from nnefkit.execution import Trace
from nnefkit.execution.trace.run_record import Entry, Run
from nnefkit.graph import Graph

_MOVING = frozenset(("Transpose", "Squeeze", "Unsqueeze", "TRANSPOSE", "SQUEEZE", "EXPAND_DIMS"))
"""Operators whose results a graph may store in the order of their inputs only."""


class SourceNode(NamedTuple):
    """An operator of a source."""

    operator: str
    inputs: Sequence[str]
    outputs: Sequence[str]


class RecordedRun:
    """A run of a source, of which all tensors were recorded.

    Tensors have the names of the graph. Shape arithmetic and copies, which the graph does not have,
    are left out.

    Args:
        name: The name of the source.
        inputs: The names of its inputs.
        nodes: Its operators, in order.
        outputs: The names of its outputs.
        arrays: Name -> what was recorded.
        graph: The graph that was read from it; None if NNEF cannot express it.
    """

    def __init__(
        self,
        name: str,
        inputs: Sequence[str],
        nodes: Sequence[SourceNode],
        outputs: Sequence[str],
        arrays: Mapping[str, Any],
        graph: Graph | None,
    ) -> None:
        self._source = name
        self._inputs = inputs
        self._nodes = nodes
        self._outputs = outputs
        self._arrays = arrays
        self._graph = graph
        self._entries: list[Entry] = []
        self._tensors: dict[str, Array] = {}
        self._graph_names: dict[str, str] = {}
        """Name in the source -> name in the graph."""
        self._names = Names()
        for tensor in graph.tensors.values() if graph is not None else ():
            if tensor.origin and tensor.data is None:
                self._graph_names.setdefault(tensor.origin, tensor.name)
                self._names.unused(tensor.name)
        if graph is not None and len(outputs) == len(graph.outputs):
            # The result of a branch has its name there.
            for origin, graph_name in zip(outputs, graph.outputs, strict=True):
                self._graph_names.setdefault(origin, graph_name)

    def trace(self, engine: str, seconds: float) -> Trace:
        """Return the trace.

        Args:
            engine: What ran the source.
            seconds: How long it took.
        """
        for number, name in enumerate(self._inputs):
            self._add(number, "external", name)
        for number, node in enumerate(self._nodes, len(self._inputs)):
            for name in filter(None, node.outputs):
                self._add(number, node.operator, name, node.inputs)
        run = Run(
            engine,
            self._graph.name if self._graph is not None else self._source,
            tuple(self._name(name) for name in self._inputs),
            tuple(self._name(name) for name in self._outputs),
            tuple(self._entries),
            {},
            seconds,
        )
        return Trace(run, self._tensors)

    def _name(self, origin: str) -> str:
        if origin not in self._graph_names:
            # Not the name of another tensor of the graph.
            self._graph_names[origin] = self._names.unused(identifier(origin))
        return self._graph_names[origin]

    def _add(self, number: int, operator: str, origin: str, sources: Sequence[str] = ()) -> None:
        array = self._arrays.get(origin)
        if not isinstance(array, np.ndarray):
            return
        is_missing = self._graph is not None and origin not in self._graph_names
        if is_missing and (operator in _MOVING or self._is_folded(array, sources)):
            return
        name = self._name(origin)
        if self._graph is not None:
            array = as_stored(self._graph, name, array)
        self._entries.append(Entry(number, operator, name, array.shape))
        self._tensors[name] = array

    def _is_folded(self, array: Array, sources: Sequence[str]) -> bool:
        """Whether a tensor that the graph lacks is shape arithmetic or a copy of its input."""
        if array.dtype.kind in "iub":
            return True
        inputs = (self._arrays.get(name) for name in sources)
        return any(
            isinstance(other, np.ndarray)
            and other.dtype == array.dtype
            and other.size == array.size
            and np.array_equal(other.ravel(), array.ravel(), equal_nan=True)
            for other in inputs
        )
