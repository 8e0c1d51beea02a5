"""The values of a run that is computed one operation at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array, check_mapped
from nnefkit.errors import ExecutionError
from nnefkit.execution.dtypes import stored
from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph

HISTORY = "nnefkit.step(..., history=True) holds the values of all tensors, to go back to."


class SteppedValues:
    """The inputs, variables, constants and results of a run, as far as they are held.

    Args:
        graph: The graph that is run.
        scalar: The dtype that scalars are computed in.
        feeds: The inputs of the first run.
        history: Whether to hold all results; if not, a tensor is released after its last use.
    """

    def __init__(
        self, graph: Graph, scalar: np.dtype[Any], feeds: Mapping[str, Array], history: bool
    ) -> None:
        self.history = history
        self.updates = updates(graph)
        """Name of each variable that the graph updates -> name of its new value."""
        self._graph, self._scalar = graph, scalar
        self._held = dict(feeds)
        self._variables = {n: stored(graph.tensors[n], scalar) for n in self.updates}
        weights = {n for op in graph.operations if op.is_source for n in op.output_names}
        self._weights = weights.difference(graph.inputs)
        self._kept = {*graph.outputs, *self.updates.values()}
        self._last = {name: i for i, op in enumerate(graph.operations) for name in op.input_names}

    def __getitem__(self, name: str) -> Array:
        """Return the values of a tensor.

        Raises:
            ExecutionError: It was released.
            StorageError: The file that it is mapped from was changed.
        """
        if name in self._held:
            return self._held[name]
        if name in self._variables:
            return self._variables[name]
        if name not in self._weights:
            raise ExecutionError(f"'{name}' is not held any longer", hint=HISTORY)
        tensor = self._graph.tensors[name]
        check_mapped(tensor.data)
        return stored(tensor, self._scalar)

    def __setitem__(self, name: str, array: Array) -> None:
        self._held[name] = array

    def take(self, number: int, results: Mapping[str, Array]) -> None:
        """Hold the results of an operation; release what no later one needs."""
        self._held.update(results)
        if self.history:
            return
        names = {*results, *self._graph.operations[number].input_names}
        for name in names - self._kept - self._weights:
            if self._last.get(name, -1) <= number:
                self._held.pop(name, None)

    def discard(self, names: Iterable[str]) -> None:
        """Release some tensors."""
        for name in names:
            self._held.pop(name, None)

    def updated(self, results: Mapping[str, Array]) -> dict[str, Array]:
        """Return a copy of the variables that the graph updates.

        Args:
            results: The new values that were computed, by the names of the results.
        """
        arrays = {name: results.get(new) for name, new in self.updates.items()}
        return {n: (self[n] if array is None else array).copy() for n, array in arrays.items()}

    def begin(self, feeds: Mapping[str, Array], variables: Mapping[str, Array]) -> None:
        """Begin another run; other weights that were replaced remain replaced."""
        weights = self._weights.difference(self.updates)
        self._held = {n: array for n, array in self._held.items() if n in weights} | dict(feeds)
        self._variables = dict(variables)
