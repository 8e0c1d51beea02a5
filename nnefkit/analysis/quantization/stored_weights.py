"""Weights of layers as the layers read them, and back as the variables that store them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor
from nnefkit.graph.operation import renamed


@dataclass(frozen=True)
class StoredWeight:
    """A variable that one operation reads, perhaps through transpositions."""

    variable: str
    axes: tuple[tuple[int, ...], ...]
    """The transpositions, the one next to the variable first."""

    def read(self, stored: Array) -> Array:
        """Return the values as the operation reads them."""
        for axes in self.axes:
            stored = stored.transpose(axes)
        return stored

    def written(self, values: Array) -> Array:
        """Return the values as the variable stores them."""
        for axes in reversed(self.axes):
            values = values.transpose(np.argsort(axes))
        return np.ascontiguousarray(values)


class WeightFinder:
    """Finds the variables that the weights of operations are stored in."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.changing = set(updates(graph))
        self.labels = Counter((variable.label or "").lower() for variable in graph.variables)

    def find(self, op: Operation, parameter: str) -> StoredWeight | None:
        """Return the variable of a parameter; None if it is none, or others depend on it."""
        name = op.inputs.get(parameter)
        if not isinstance(name, Identifier):
            return None
        axes: list[tuple[int, ...]] = []
        while len(self.graph.consumers[name]) == 1 and name not in self.graph.outputs:
            producer = self.graph.producers[name]
            if producer.name == "transpose":
                tensor = self.graph.tensors[producer.input_names[0]]
                given = [*producer.attribs["axes"]]
                rest = range(len(given), len(tensor.shape or ()))
                axes.insert(0, (*given, *rest))
                name = Identifier(tensor.name)
                continue
            return StoredWeight(name, tuple(axes)) if self._is_free(producer, name) else None
        return None

    def _is_free(self, producer: Operation, name: str) -> bool:
        tensor = self.graph.tensors[name]
        label = (tensor.label or "").lower()
        return (
            producer.name == "variable"
            and tensor.data is not None
            and tensor.data.dtype.kind == "f"
            and name not in self.changing
            and (not label or self.labels[label] == 1)
        )


def with_values(graph: Graph, values: Mapping[str, Array]) -> Graph:
    """Return a graph with other values of some variables, in the dtype that they have."""
    tensors: dict[str, Any] = dict(graph.tensors)
    for name, array in values.items():
        data = array.astype(tensors[name].data.dtype)
        data.flags.writeable = False
        tensors[name] = replace(tensors[name], data=data)
    return replace(graph, tensors=FrozenDict(tensors))


def with_variables(graph: Graph, values: Mapping[str, Array]) -> Graph:
    """Return a graph in which operations read other values of some weights.

    Weights that are computed, or stored as integers, are replaced by new variables.
    """
    own = {n for n in values if graph.producers[n].name == "variable" and _is_float(graph, n)}
    graph = with_values(graph, {name: values[name] for name in own})
    tensors = dict(graph.tensors)
    added: list[Operation] = []
    names: dict[str, str] = {}
    for name in values:
        if name not in own:
            operation, tensor = new_variable(f"{name}_values", values[name], tensors)
            names[name] = tensor.name
            tensors[tensor.name] = tensor
            added.append(operation)
    rewired = (
        replace(op, inputs=FrozenDict(renamed(dict(op.inputs), names))) for op in graph.operations
    )
    return replace(graph, operations=(*added, *rewired), tensors=FrozenDict(tensors))


def _is_float(graph: Graph, name: str) -> bool:
    data = graph.tensors[name].data
    return data is not None and data.dtype.kind == "f"


def new_variable(name: str, data: Array, tensors: Mapping[str, Tensor]) -> tuple[Operation, Tensor]:
    """Return a variable and its tensor, under a name and a label that no other tensor has.

    Args:
        name: The name, which gets underscores at the end if it is taken.
        data: The values.
        tensors: The tensors of the graph.
    """
    taken = {*tensors, *((tensor.label or "").lower() for tensor in tensors.values())}
    while name in taken or name.lower() in taken:
        name += "_"
    data = data.copy()
    data.flags.writeable = False
    attribs = FrozenDict({"shape": [*data.shape], "label": name})
    outputs = FrozenDict({"output": Identifier(name)})
    operation = Operation("variable", FrozenDict(), outputs, attribs, dtype="scalar")
    return operation, Tensor(name, "scalar", data.shape, data, name)
