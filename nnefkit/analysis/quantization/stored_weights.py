"""Weights of layers as the layers read them, and back as the variables that store them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation


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
