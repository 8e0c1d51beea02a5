"""Buffers that a network changes when it runs: variables that the graph updates (4.8)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from nnefkit.arrays import Array
from nnefkit.exchange.names import identifier, label
from nnefkit.exchange.source_graph import GraphBuilder, Value
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor


@dataclass(eq=False)
class States:
    """The states of a graph in the making."""

    builder: GraphBuilder
    begins: list[tuple[Value, str, Array]] = field(default_factory=list)
    """Each state, its label, and what it begins with."""
    results: list[Value] = field(default_factory=list)
    """What the updates give."""

    def add(self, name: str, data: Array) -> Value:
        """A state that begins with `data`."""
        value = Value(data.shape, data.dtype, self.builder.names.unused(identifier(name)))
        value.origin = name
        self.begins.append((value, self.builder.labels.unused(label(name)), data.copy()))
        return value

    def update(self, state: Value, value: Value) -> None:
        """Says what a state becomes after the run."""
        result: Value = self.builder.op("update", state, value)
        self.builder.name_results([result], [f"{state.name}_next"])
        self.results.append(result)

    def introduced(self, graph: Graph) -> Graph:
        """`graph` with the states as variables, before all that reads them."""
        if not self.begins:
            return graph
        tensors = dict(graph.tensors)
        variables = []
        for value, told, data in self.begins:
            data.flags.writeable = False
            attribs = FrozenDict(shape=[*value.shape], label=told)
            outputs = FrozenDict(output=Identifier(value.name))
            variables.append(Operation("variable", FrozenDict(), outputs, attribs, value.dtype))
            tensors[value.name] = Tensor(
                value.name, value.dtype, value.shape, data, told, origin=value.origin
            )
        first = len(graph.inputs)
        operations = (*graph.operations[:first], *variables, *graph.operations[first:])
        return replace(graph, operations=operations, tensors=FrozenDict(tensors))
