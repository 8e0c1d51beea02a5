"""The circumstances of a run: engine, graph, the tensors that flowed, times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from nnefkit.graph import Graph


class Entry(NamedTuple):
    """One tensor of a run, whether its values were recorded or not."""

    number: int
    """Index of its operation in the graph, from 0."""
    operation: str
    tensor: str
    shape: tuple[int, ...] | None
    line: int | None = None
    """Line of the operation in the text of the graph."""


@dataclass(frozen=True)
class Run:
    """The circumstances of a run."""

    engine: str
    graph_name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    entries: tuple[Entry, ...]
    """All the tensors that flowed, in the order of the graph, whether recorded or not."""
    seconds: Mapping[str, float]
    """Name of the first result of each operation that was timed -> seconds."""
    total: float
    """Seconds of the whole run, including those for recording."""
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Name in `seconds` -> the same of all the operations that the engine did in one step; empty
    for saved traces."""
    stopped: str = ""
    """Why the run ended before its last operation; empty if it did not."""
    computed: frozenset[str] | None = None
    """The tensors that a run computed until it stopped; None if it did not stop."""


def entries(graph: Graph) -> tuple[Entry, ...]:
    """Return an entry for each tensor that flows through `graph`: all but its weights."""
    return tuple(
        Entry(number, op.name, name, graph.tensors[name].shape, graph.line(op))
        for number, op in enumerate(graph.operations)
        if not op.is_weight
        for name in op.output_names
    )


def with_shapes(
    of_graph: tuple[Entry, ...], shapes: Mapping[str, tuple[int, ...]]
) -> tuple[Entry, ...]:
    """Return the entries with shapes filled in that were unknown before the run."""
    if all(entry.shape is not None for entry in of_graph):
        return of_graph
    return tuple(
        entry._replace(shape=shapes[entry.tensor])
        if entry.shape is None and entry.tensor in shapes
        else entry
        for entry in of_graph
    )
