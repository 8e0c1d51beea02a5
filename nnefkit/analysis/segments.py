"""Segments of a graph between tensors whose values are given, each run on its own."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from nnefkit.analysis.causes import weight_tensors
from nnefkit.arrays import Array
from nnefkit.execution import Session
from nnefkit.graph import FrozenDict, Graph, Operation, Tensor
from nnefkit.graph.cut import external, needed_operations
from nnefkit.graph.operation import renamed

Run = Callable[[Graph, Mapping[str, Array], Collection[str]], Mapping[str, Array]]
"""Computes tensors of a graph from its inputs."""


def run_in(engine: str) -> Run:
    """Return the function that runs graphs in an engine."""

    def run(
        graph: Graph, inputs: Mapping[str, Array], outputs: Collection[str]
    ) -> Mapping[str, Array]:
        with Session(graph, engine) as session:
            return session.run(inputs, outputs, progress=False)

    return run


@dataclass(frozen=True)
class IsolatedSegment:
    """The operations that compute a tensor from others whose values are given."""

    tensor: str
    operations: tuple[Operation, ...]
    """In a valid order, without those on weights alone; the last one computes the tensor."""

    @property
    def main(self) -> Operation:
        """The operation that computes the tensor."""
        return self.operations[-1]


def segments(graph: Graph, given: Collection[str]) -> list[IsolatedSegment]:
    """Return the segment of each computed tensor of `given`, in the order of the graph.

    Tensors on paths from an input that is not given belong to no segment.
    """
    weights = weight_tensors(graph)
    numbers = {name: i for i, op in enumerate(graph.operations) for name in op.output_names}
    result = []
    for op in graph.computations:
        for name in op.output_names:
            if name in given and name not in weights and op.name != "update":
                found = _before(graph, name, given, weights)
                if found is not None:
                    order = sorted(found, key=lambda each: numbers[each.output_names[0]])
                    result.append(IsolatedSegment(name, (*order,)))
    return result


def _before(
    graph: Graph, name: str, given: Collection[str], weights: frozenset[str]
) -> list[Operation] | None:
    found: dict[str, Operation] = {}
    waiting = [name]
    while waiting:
        op = graph.producers[waiting.pop()]
        if op.name == "external":
            return None
        if op.output_names[0] not in found:
            found[op.output_names[0]] = op
            waiting += [n for n in op.input_names if n not in given and n not in weights]
    return [*found.values()]


def own_results(
    graph: Graph,
    parts: Sequence[IsolatedSegment],
    given: Mapping[str, Array],
    run: Run,
    budget: int,
) -> Iterator[tuple[IsolatedSegment, Array]]:
    """Yield what each segment computes from the values in `given`.

    Args:
        graph: The graph of the segments, with shapes and weights.
        parts: The segments.
        given: Values by name.
        run: Runs a graph.
        budget: Number of bytes that the values of segments that are run together may take.
    """
    for group in _groups(parts, given, budget):
        together, names = _together(graph, group, given)
        inputs = {name: given[name] for name in together.inputs}
        results = run(together, inputs, [*names.values()])
        for part in group:
            yield part, results[names[part.tensor]]


def _groups(
    parts: Sequence[IsolatedSegment], given: Mapping[str, Array], budget: int
) -> Iterator[list[IsolatedSegment]]:
    group: list[IsolatedSegment] = []
    size = 0
    for part in parts:
        names = {name for op in part.operations for name in (*op.input_names, *op.output_names)}
        needed = sum(given[name].nbytes for name in names if name in given)
        if group and size + needed > budget:
            yield group
            group, size = [], 0
        group.append(part)
        size += needed
    if group:
        yield group


def _together(
    graph: Graph, group: Sequence[IsolatedSegment], given: Mapping[str, Array]
) -> tuple[Graph, dict[str, str]]:
    """Return a graph that computes all segments of a group, and the names of their results.

    Results have new names, since the graph also has the given values of the same tensors.
    """
    weights = weight_tensors(graph)
    tensors: dict[str, Tensor] = {}
    inputs: dict[str, Operation] = {}
    fixed: set[str] = set()
    operations: list[Operation] = []
    results: dict[str, str] = {}
    for number, part in enumerate(group):
        names: dict[str, str] = {}
        for op in part.operations:
            for name in op.input_names:
                if name in weights:
                    fixed.add(name)
                elif name not in names and name not in inputs:
                    tensor = replace(
                        graph.tensors[name], shape=given[name].shape, data=None, label=None
                    )
                    inputs[name] = external(tensor)
                    tensors[name] = tensor
            for name in op.output_names:
                names[name] = _unused(f"{name}_own{number}", graph.tensors)
            operations.append(_renamed(op, names))
            for name in op.output_names:
                tensors[names[name]] = replace(graph.tensors[name], name=names[name])
        results[part.tensor] = names[part.tensor]
    constants = needed_operations(graph.operations, fixed)
    tensors |= {name: graph.tensors[name] for op in constants for name in op.output_names}
    together = replace(
        graph,
        inputs=(*inputs,),
        outputs=(*results.values(),),
        operations=(*inputs.values(), *constants, *operations),
        tensors=FrozenDict(tensors),
        provenance=FrozenDict(),
        source=None,
    )
    return together, results


def _unused(name: str, taken: Collection[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _renamed(op: Operation, names: Mapping[str, str]) -> Operation:
    return replace(
        op,
        inputs=FrozenDict(renamed(dict(op.inputs), names)),
        outputs=FrozenDict(renamed(dict(op.outputs), names)),
        span=None,
    )


def run_on(
    graph: Graph, values: Mapping[str, Array], changed: Mapping[str, Array], run: Run
) -> Mapping[str, Array]:
    """Return the outputs of a graph if some of its tensors had other values.

    Args:
        graph: The graph, with shapes and weights.
        values: The values of all tensors in a run.
        changed: Other values, by name.
        run: Runs a graph.
    """
    affected, later = _affected(graph, changed)
    wanted = [name for name in graph.outputs if name in affected and name not in changed]
    results = {name: changed.get(name, values[name]) for name in graph.outputs if name in values}
    if wanted:
        weights = weight_tensors(graph)
        reads = {name for op in later for name in op.input_names}
        cut = {n for n in reads if n in changed or (n not in affected and n not in weights)}
        part = graph.between(cut, wanted)
        inputs = {name: changed.get(name, values[name]) for name in part.inputs}
        results |= run(part, inputs, wanted)
    return results


def _affected(graph: Graph, changed: Collection[str]) -> tuple[set[str], list[Operation]]:
    """Return the tensors that depend on some tensors, with these, and their operations."""
    affected = set(changed)
    later: list[Operation] = []
    for op in graph.operations:
        if not affected.isdisjoint(op.input_names) and affected.isdisjoint(op.output_names):
            later.append(op)
            affected.update(op.output_names)
    return affected, later
