"""A combination of two engines: the second runs the operations that the first cannot.

The graph is cut into segments, which the two engines run in turn; arrays flow from segment to
segment.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.execution.engine import Engine, Prepared, Watch
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor

_WIDE_NAME = Identifier(".float64")  # no identifier of a document begins with a dot
_WIDE = Operation(
    "variable",
    FrozenDict(),
    FrozenDict(output=_WIDE_NAME),
    FrozenDict(shape=[1], label=_WIDE_NAME),
    "scalar",
)
"""A variable that no operation reads. A graph is computed in float64 if a variable is of float64
(`scalar_dtype`), so that each segment of such a graph needs one."""


class Fallback(Engine):
    """A combination of two engines.

    Args:
        first: Runs whatever it can.
        second: Runs the rest.
    """

    def __init__(self, first: Engine, second: Engine) -> None:
        self._first = first
        self._second = second
        self.name = f"{first.name}+{second.name}"
        self.version = f"{first.version}+{second.version}"
        self.computes_integers = first.computes_integers and second.computes_integers
        self.annotated = first.annotated

    @property
    def operations(self) -> frozenset[str]:
        """Names of the operations that at least one of the two can run."""
        return self._first.operations | self._second.operations

    def unsupported(self, graph: Graph) -> list[Operation]:
        """Return the operations of `graph` that neither can run, in their order."""
        left = {id(op) for op in self._second.unsupported(graph)}
        return [op for op in self._first.unsupported(graph) if id(op) in left]

    def why_unsupported(self, graph: Graph, operation: Operation) -> str:
        """Return why the first cannot run an operation that neither can."""
        return self._first.why_unsupported(graph, operation)

    def load(self) -> None:
        """Import the packages of both."""
        self._first.load()
        self._second.load()

    def received(self, graph: Graph, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return the inputs of a run as the first one takes them."""
        return self._first.received(graph, inputs)

    def prepare(
        self, graph: Graph, fetch: Collection[str], watched: Collection[str] = ()
    ) -> Prepared:
        """Prepare `graph` to compute the tensors of `fetch`, and those of `watched`."""
        lacking = {id(op) for op in self._first.unsupported(graph)} | _shapeless(graph)
        parts = _parts(graph, {*fetch, *watched}, lacking)
        visible = {*fetch, *watched}
        segments = []
        for number, (operations, second) in enumerate(parts):
            later = {n for ops, _ in parts[number + 1 :] for op in ops for n in op.input_names}
            made = {name for op in operations for name in op.output_names}
            wanted = sorted(made & (later | visible))
            cut = _segment(graph, operations, wanted)
            engine = self._second if second else self._first
            prepared = engine.prepare(cut, wanted, made.intersection(watched))
            if second and self.annotated:
                prepared = _Rounded(prepared, self._first, graph)
            segments.append(_Segment(prepared, cut.inputs, frozenset(later | visible)))
        return _PreparedSegments(graph, tuple(fetch), segments)


@dataclass(frozen=True)
class _Segment:
    prepared: Prepared
    inputs: tuple[str, ...]
    wanted: frozenset[str]
    """Names of the tensors that later segments or the caller read."""


@dataclass(frozen=True)
class _Rounded:
    """A segment of the second engine, between those of a first one that computes with codes."""

    prepared: Prepared
    first: Engine
    graph: Graph

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Run the segment, and round its results to their codes."""

        def rounded(
            operations: tuple[Operation, ...], results: Mapping[str, Array], seconds: float
        ) -> None:
            if watch is not None:
                watch(operations, self.first.received(self.graph, results), seconds)

        results = self.prepared(feeds, None if watch is None else rounded)
        return self.first.received(self.graph, results)


class _PreparedSegments:
    def __init__(self, graph: Graph, fetch: tuple[str, ...], segments: list[_Segment]) -> None:
        self._graph = graph
        self._fetch = fetch
        self._segments = segments

    def __call__(self, feeds: Mapping[str, Array], watch: Watch | None = None) -> dict[str, Array]:
        """Run one segment after the other; see `nnefkit.execution.engine.Prepared`."""
        values = dict(feeds)
        for segment in self._segments:
            results = segment.prepared({name: values[name] for name in segment.inputs}, watch)
            values = {n: a for n, a in values.items() if n in segment.wanted} | results
        return {name: self._result(name, values, feeds) for name in self._fetch}

    def _result(self, name: str, values: Mapping[str, Array], feeds: Mapping[str, Array]) -> Array:
        if name in feeds:
            return feeds[name].copy()
        if name in values:
            return values[name]
        return stored(self._graph.tensors[name], scalar_dtype(self._graph)).copy()


def _shapeless(graph: Graph) -> set[int]:
    """Return the operations on tensors of unknown shape, which only the second engine can run."""
    return {
        id(op)
        for op in graph.operations
        if any(graph.tensors[name].shape is None for name in (*op.input_names, *op.output_names))
    }


def _parts(graph: Graph, wanted: set[str], lacking: set[int]) -> list[tuple[list[Operation], bool]]:
    """Return the operations that `wanted` needs, in as few parts as possible.

    Each part is a pair: its operations, and whether the second engine runs them.
    """
    waiting = [op for op in graph.needed(wanted) if not op.is_source]
    produced = {name for op in waiting for name in op.output_names}
    parts: list[tuple[list[Operation], bool]] = []
    second = False
    while waiting:
        ready, later = [], []
        for op in waiting:
            if (id(op) in lacking) == second and produced.isdisjoint(op.input_names):
                ready.append(op)
                produced.difference_update(op.output_names)
            else:
                later.append(op)
        if ready:
            parts.append((ready, second))
        waiting, second = later, not second
    return parts


def _segment(graph: Graph, operations: list[Operation], outputs: list[str]) -> Graph:
    """Return a graph of some operations.

    Its inputs are the results of other operations that it reads, and updated variables.
    """
    made = {name for op in operations for name in op.output_names}
    reads = dict.fromkeys(name for op in operations for name in op.input_names)
    changing = updates(graph)
    sources: list[Operation] = []
    inputs: list[str] = []
    tensors = {name: graph.tensors[name] for name in made}
    for name in reads:
        tensor = graph.tensors[name]
        if name in made:
            continue
        if graph.producers[name].is_weight and name not in changing:
            sources.append(graph.producers[name])
        else:
            inputs.append(name)
            sources.append(_external(name, tensor.dtype, tensor.shape or ()))
            tensor = replace(tensor, data=None, label=None)
        tensors[name] = tensor
    if scalar_dtype(graph) != scalar_dtype(replace(graph, operations=tuple(sources))):
        sources.append(_WIDE)
        tensors[_WIDE_NAME] = Tensor(_WIDE_NAME, data=np.zeros(1), shape=(1,), label=_WIDE_NAME)
    return replace(
        graph,
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        operations=(*sources, *operations),
        tensors=FrozenDict(tensors),
    )


def _external(name: str, dtype: str, shape: tuple[int, ...]) -> Operation:
    output = FrozenDict(output=Identifier(name))
    return Operation("external", FrozenDict(), output, FrozenDict(shape=[*shape]), dtype)
