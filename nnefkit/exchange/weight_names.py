"""Names of variables that hold weights of a source, or what was computed from them.

A variable has the name of a weight only if it alone holds the elements of the weight, in their
order: new values for the weight (`Graph.with_data`) are then right. Weights that were transposed,
folded or combined while the source was read, and weights with other parts of the graph computed
from them, give variables of other names, so that no name stands for values that it does not hold,
in saved models too.
"""

from __future__ import annotations

from collections.abc import Iterable

from nnefkit.exchange.source_value import Value
from nnefkit.graph.variable_names import plain


class WeightNames:
    """The names of the weights of a source."""

    def __init__(self) -> None:
        self._names: dict[str, set[str]] = {}
        """Name in its `plain` form -> the names of the weights."""
        self._readers: dict[str, set[int]] = {}
        """Name of a weight -> the constants of the graph that were computed from it."""

    def add(self, name: str) -> None:
        """Add the name of a weight."""
        self._names.setdefault(plain(name), set()).add(name)

    def note(self, constants: Iterable[Value]) -> None:
        """Note the constants that become variables, constants and literals of the graph."""
        for value in constants:
            for name in value.sources:
                self._readers.setdefault(name, set()).add(id(value))

    def stem(self, value: Value) -> str:
        """Return the name that a variable for a constant is to have, before it is made unique."""
        name = value.name or "constant"
        if not self._names.get(plain(name)) or self._is_own(value):
            return name
        return f"{name}_direct" if value.whole else f"{name}_computed"

    def is_foreign(self, name: str, value: Value) -> bool:
        """Return whether a name, as a key for data, means other values than those of a constant."""
        meant = self._names.get(plain(name))
        return meant is not None and not (meant == {value.name} and self._is_own(value))

    def _is_own(self, value: Value) -> bool:
        # If there is another constant, new values for the weight would not change it.
        return value.whole and len(self._readers.get(value.name, ())) <= 1
