"""The shapes of tensors while a document is read, one operation at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from nnefkit.errors import NnefError
from nnefkit.graph import FrozenDict, Graph, Identifier, Operation, Tensor

Infer = Callable[[Graph], Graph]
"""A function that fills in the shapes of a graph."""


class KnownShapes:
    """The shapes of the tensors so far."""

    def __init__(self, infer: Infer | None) -> None:
        self._infer = infer
        self._shapes: dict[str, tuple[int, ...]] = {}

    def of(self, value: Any) -> Any:
        """Return the shape of an input, a list of shapes for an array, or None if it is unknown."""
        if isinstance(value, Identifier):
            return self._shapes.get(value)
        if isinstance(value, list):
            shapes = [self.of(element) for element in value]
            return None if None in shapes else shapes
        return ()

    def same(self, name: str, other: str) -> None:
        """Record that two names denote the same tensor."""
        if other in self._shapes:
            self._shapes.setdefault(name, self._shapes[other])

    def add(self, operation: Operation) -> None:
        """Infer the shapes of the results of an operation, if those of its inputs are known.

        Errors are left to the check of the whole graph.
        """
        names = operation.input_names
        if self._infer is None or any(name not in self._shapes for name in names):
            return
        sources = [_external(name, self._shapes[name]) for name in dict.fromkeys(names)]
        tensors = {
            name: Tensor(name) for source in (*sources, operation) for name in source.output_names
        }
        graph = Graph("", (), (), (*sources, operation), FrozenDict(tensors))
        try:
            inferred = self._infer(graph).tensors
        except NnefError:
            return
        for name in operation.output_names:
            shape = inferred[name].shape
            if shape is not None:
                self._shapes[name] = shape


def _external(name: str, shape: tuple[int, ...]) -> Operation:
    return Operation(
        "external",
        FrozenDict(),
        FrozenDict({"output": Identifier(name)}),
        FrozenDict({"shape": [*shape]}),
        "scalar",
    )
