"""Schedules: operations before all runs and in each run, and the last use of each tensor."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, Protocol

from nnefkit.execution.preparation.updated_variables import updates
from nnefkit.graph import Graph, Operation


class Schedule(NamedTuple):
    """The operations that some tensors depend on, each part in the order of the graph."""

    weights: tuple[Operation, ...]
    """Constants, and variables that the graph does not update."""
    constant: tuple[Operation, ...]
    """Operations on weights alone: computed once, before all runs."""
    varying: tuple[Operation, ...]
    """The other operations, computed in each run."""


def make_schedule(graph: Graph, wanted: Collection[str]) -> Schedule:
    """Return what the tensors `wanted` depend on.

    Externals, and variables that the graph updates, are fed in each run and in no part.
    """
    updated = updates(graph)
    known: set[str] = set()
    weights, constant, varying = [], [], []
    for op in graph.needed(wanted):
        if op.is_source:
            if op.is_weight and op.output_names[0] not in updated:
                weights.append(op)
                known.update(op.output_names)
        elif op.name != "update" and known.issuperset(op.input_names):
            constant.append(op)
            known.update(op.output_names)
        else:
            varying.append(op)
    return Schedule(tuple(weights), tuple(constant), tuple(varying))


class ScheduledStep(Protocol):
    """A step of a run, of an engine that frees tensors as early as possible."""

    reads: tuple[str, ...]
    writes: tuple[str, ...]
    frees: tuple[str, ...]


def set_frees(steps: Sequence[ScheduledStep], kept: Collection[str]) -> None:
    """Set for each step the names of the tensors that no later step reads.

    Args:
        steps: In the order in which they run.
        kept: Names of the tensors that are read after the last step.
    """
    seen = set(kept)
    for step in reversed(steps):
        unused = [name for name in (*step.reads, *step.writes) if name not in seen]
        step.frees = tuple(dict.fromkeys(unused))
        seen.update(unused)
