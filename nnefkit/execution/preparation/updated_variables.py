"""The variables that a graph updates, and their values from run to run (4.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from nnefkit.arrays import Array
from nnefkit.execution.dtypes import scalar_dtype, stored
from nnefkit.graph import Graph


def updates(graph: Graph) -> dict[str, str]:
    """Return the variables that a run changes: variable name -> name of its new value.

    Variables of one label share their data (4.1.3), so that an update of one changes them all.
    """
    direct = {
        str(op.inputs["variable"]): op.output_names[0]
        for op in graph.operations
        if op.name == "update"
    }
    labels = {_label(graph, name): result for name, result in direct.items()}
    labels.pop("", None)
    shared = {v.name: labels.get(_label(graph, v.name)) for v in graph.variables}
    return {name: result for name, result in shared.items() if result is not None} | direct


def _label(graph: Graph, name: str) -> str:
    return (graph.tensors[name].label or "").lower()


class UpdatedVariables:
    """Values of the variables that a graph updates.

    A run reads the values from before the run; all of them change together after it.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._updates = updates(graph)
        self.results = frozenset(self._updates.values())
        """Names of the tensors that hold the new values."""
        self.current: dict[str, Array] = {}
        """Variable name -> value."""
        self.reset(self._updates)

    def take(self, results: Mapping[str, Array]) -> None:
        """Make the new values current."""
        self.current.update(
            {variable: results[result].copy() for variable, result in self._updates.items()}
        )

    def reset(self, names: Iterable[str]) -> None:
        """Restore the values that the graph holds."""
        scalar = scalar_dtype(self._graph)
        for name in names:
            if name in self._updates:
                self.current[name] = stored(self._graph.tensors[name], scalar)
