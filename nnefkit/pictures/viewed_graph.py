"""What a workbench shows: the operations of a graph, or of two graphs that were aligned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from nnefkit.display.displayed import Displayed
from nnefkit.display.folding import PlainOperation
from nnefkit.display.graph_drawing import plain_operation
from nnefkit.errors import UnknownNameError, did_you_mean
from nnefkit.graph import Graph, Operation, Tensor


class ViewedOperation(NamedTuple):
    """The operation of a graph that an operation of the view stands for."""

    operation: Operation
    graph: Graph


class ViewedChange(NamedTuple):
    """What became of an operation from the first graph to the second."""

    kind: str
    """``"added"``, ``"removed"`` or ``"changed"``."""
    words: str = ""
    """What changed."""


@dataclass(frozen=True, eq=False)
class ViewedGraph:
    """The operations that a workbench shows, in a valid order.

    Tensors have the names of the first graph; those of operations that only the second one has
    are called ``b:name``, which no tensor of a graph can be.
    """

    operations: Sequence[PlainOperation]
    originals: Sequence[ViewedOperation]
    """The operations of the graphs, by number."""
    graph: Graph
    inputs: Sequence[str]
    outputs: Sequence[str]
    other: Graph | None = None
    names_in_other: Mapping[str, str] = field(default_factory=dict)
    """Name of a tensor of the view -> its name in the second graph."""
    changes: Mapping[int, ViewedChange] = field(default_factory=dict)
    labels: tuple[str, str] = ("a", "b")
    counterparts: Mapping[int, ViewedOperation] = field(default_factory=dict)
    """Number of an operation -> the one of the second graph that it is aligned with."""
    difference: Displayed | None = None
    """What `nnefkit.diff` found, if there are two graphs."""

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Number of the operation that computes each tensor."""
        return {
            name: number
            for number, operation in enumerate(self.operations)
            for name in operation.outputs
        }

    def known(self, name: str) -> str:
        """Return the name of a tensor, if there is one.

        Raises:
            UnknownNameError: There is none.
        """
        if name in self.numbers:
            return name
        raise UnknownNameError(
            f"graph '{self.graph.name}' has no tensor '{name}'",
            hint=did_you_mean(name, self.numbers) or "graph.tensors has all of them by name.",
        )

    def tensor(self, name: str) -> Tensor:
        """Return a tensor of the view, from the first graph that has it."""
        original = self.originals[self.numbers[name]]
        own = name.removeprefix(ADDED) if original.graph is not self.graph else name
        return original.graph.tensors[own]

    def line(self, number: int) -> int | None:
        """Return the line of an operation in the text of its graph."""
        operation, graph = self.originals[number]
        return graph.line(operation)

    def statement(self, number: int) -> str:
        """Return the text of an operation, as it was written if there is a source."""
        return written(self.originals[number])

    def computations(self) -> Iterator[int]:
        """Yield the numbers of the operations that compute something."""
        for number, (operation, _) in enumerate(self.originals):
            if not operation.is_source:
                yield number


ADDED = "b:"
"""Prefix of the tensors that only the second graph has."""


def written(original: ViewedOperation) -> str:
    """Return the text of an operation, as it was written if there is a source."""
    operation, graph = original
    if graph.source is None or operation.span is None:
        return str(operation)
    start, end = operation.span
    text = graph.source.text[start:end].rstrip()
    return text if text.endswith((";", "}")) else f"{text};"


def viewed(graph: Graph) -> ViewedGraph:
    """Return the view of one graph."""
    return ViewedGraph(
        [plain_operation(graph, operation) for operation in graph.operations],
        [ViewedOperation(operation, graph) for operation in graph.operations],
        graph,
        graph.inputs,
        graph.outputs,
    )
