"""Variables of a model, which live between runs: `variable` and `update` (4.8).

They are resources that are read and assigned, or tensors in which a recurrent layer keeps its
state.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from contextlib import contextmanager

from nnefkit.arrays import Array
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import Value


class Variables:
    """The variables of one model while it is read."""

    def __init__(self, graph: SourceGraph) -> None:
        self._graph = graph
        self._values: dict[Hashable, Value] = {}
        """Key of a variable -> its value at this point of a run."""
        self._states: dict[Hashable, Value] = {}
        self.initial: dict[Hashable, Value] = {}
        """Key of a variable -> the constant that it starts with."""
        self.assigned: frozenset[Hashable] = frozenset()
        """The variables that a run assigns; the others are constants."""
        self.is_initializing = False
        """Whether the graph that is read computes the values with which variables start."""

    @contextmanager
    def initializing(self) -> Iterator[None]:
        """Mark that the graphs that are read inside compute the first values of variables."""
        outer, self.is_initializing = self.is_initializing, True
        try:
            yield
        finally:
            self.is_initializing = outer

    def read(self, key: Hashable, name: str) -> Value:
        """Return the value of a variable at this point of a run.

        Raises:
            Refusal: It has no value yet.
        """
        if key in self._values:
            return self._values[key]
        initial = self.initial.get(key)
        if initial is None or initial.data is None:
            refuse(
                f"the variable '{name}' is read before it has a value",
                "Initialize it when the network is converted.",
            )
        if key not in self.assigned:
            return initial
        return self._state(key, name, initial.data)

    def _state(self, key: Hashable, name: str, data: Array) -> Value:
        state = self._graph.state(name, data)
        self._states[key] = self._values[key] = state
        return state

    def assign(self, key: Hashable, value: Value, name: str) -> None:
        """Assign a value to a variable.

        Raises:
            Refusal: It has another shape than before.
        """
        before = self._values.get(key, self.initial.get(key))
        if before is not None and before.shape != value.shape:
            refuse(
                f"it assigns a tensor of shape {[*value.shape]} to the variable '{name}' of shape "
                f"{[*before.shape]}",
                "Variables of NNEF have one shape (4.8).",
            )
        self._values[key] = value

    def finish(self) -> None:
        """Add the updates of the variables that were read before they were assigned."""
        for key, state in self._states.items():
            value = self._values[key]
            if value is not state:
                self._graph.update(state, value)

    @property
    def current(self) -> Mapping[Hashable, Value]:
        """The values of the variables at this point of a run."""
        return self._values
