"""Readers of whole networks: inputs, problems, and the graph at the end."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Protocol

from nnefkit.arrays import Shape
from nnefkit.budget import current_budget, remedy
from nnefkit.display.progress_bar import ProgressBar, StagedProgressBar
from nnefkit.errors import NO_EMPTY_TENSORS, Diagnostic, DocumentError
from nnefkit.exchange.allowance import Allowance
from nnefkit.exchange.emission import emitted, name_outputs
from nnefkit.exchange.refusal import UNREAD, Unread
from nnefkit.exchange.source_graph import SourceGraph
from nnefkit.exchange.source_value import DType, Value
from nnefkit.graph import Graph


class NetworkReader:
    """What reads one network.

    Args:
        path: The path of its file, for messages.
        size: The size of its files in bytes.
        call: The call that reads it, for hints.
    """

    def __init__(self, path: str, size: int, call: str) -> None:
        self.graph = SourceGraph()
        self.problems: list[Diagnostic] = []
        self.allowance = Allowance(size, call)
        self._path = path
        self._call = call

    def problem(self, message: str, hint: str) -> None:
        """Note why NNEF cannot express the network."""
        self.problems.append(Diagnostic("not-expressible", message, file=self._path, hint=hint))

    def external(self, name: str, shape: Shape, dtype: DType) -> Value | Unread:
        """Add an input, unless it takes more memory than the budget in effect."""
        if prod(shape) * dtype.itemsize > current_budget().bytes:
            self.problem(
                f"input '{name}' has {prod(shape):,} elements",
                f"Use smaller extents. {remedy('bytes', self._call)}",
            )
            return UNREAD
        return self.graph.external(name, shape, dtype)

    def usable(
        self, outputs: Iterable[tuple[str, Value | Unread]], what: str, hint: str
    ) -> list[tuple[str, Value]]:
        """Return the outputs that a graph can have; note why, for the others.

        Args:
            outputs: Their names and values.
            what: What computes values, such as "layer".
            hint: What to do about an output that nothing computes, if no refusal is the cause.
        """
        found = []
        for name, value in outputs:
            if isinstance(value, Unread):
                if not self.problems:
                    self.problem(f"no {what} computes the output '{name}'", hint)
            elif 0 in value.shape:
                self.problem(f"output '{name}' is empty", NO_EMPTY_TENSORS)
            else:
                found.append((name, value))
        return found

    def finished(self, name: str, outputs: Sequence[tuple[str, Value]]) -> Graph | None:
        """Return the graph with its outputs, or None if there are problems."""
        if not self.problems and not self.graph.externals:
            self.problem(
                "the network has no inputs, and all of its outputs are constant",
                "A graph of NNEF has at least one input: name it by input_shapes={...}.",
            )
        if self.problems:
            return None
        name_outputs(self.graph, outputs)
        return emitted(self.graph, name, outputs)


class Reading(Protocol):
    """A reader that is ready to read."""

    problems: list[Diagnostic]

    @property
    def size(self) -> int:
        """The number of layers or operators to read."""

    def read(self, bar: ProgressBar | None = None) -> Graph | None:
        """Return the graph, or None if there are problems."""


def graph_of(reader: Reading, bar: StagedProgressBar | None, unit: str) -> Graph:
    """Return the graph that a reader reads.

    Args:
        reader: The reader.
        bar: Counts what is read.
        unit: What is counted, in the singular.

    Raises:
        DocumentError: NNEF cannot express the network, with all problems.
    """
    if bar is not None:
        bar.stage("reading", reader.size, unit)
    graph = reader.read(bar)
    if graph is None:
        raise DocumentError(reader.problems)
    return graph
