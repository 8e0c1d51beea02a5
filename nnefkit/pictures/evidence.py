"""What is known about a graph besides its text: runs, a comparison, a blame, costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from nnefkit.analysis import Blame, Comparison, Cost, Profile
from nnefkit.analysis.blamed_operation import BlamedOperation
from nnefkit.analysis.compared_tensor import ComparedTensor
from nnefkit.arguments import wrong_type
from nnefkit.arrays import Array
from nnefkit.errors import InputError, NnefError
from nnefkit.execution import Trace
from nnefkit.graph import Graph
from nnefkit.pictures.viewed_graph import ViewedGraph


class TensorSide(NamedTuple):
    """The values of a tensor in one of the runs, or in one of the graphs."""

    label: str
    values: Array


class TensorSides(NamedTuple):
    """The values of a tensor, as far as they are at hand."""

    known: tuple[TensorSide, ...]
    """None, one, or both sides of a comparison."""
    missing: str = ""
    """Why there are no values, or what would show them."""


@dataclass(frozen=True, eq=False)
class ViewEvidence:
    """Runs, a comparison, a blame and costs of one graph."""

    viewed: ViewedGraph
    trace: Trace | None = None
    comparison: Comparison | None = None
    blame: Blame | None = None
    cost: Cost | None = None
    profile: Profile | None = None
    call: str = "nk.view(graph, {})"
    """The call that shows it, for messages."""

    @cached_property
    def compared(self) -> Mapping[str, ComparedTensor]:
        """Tensor of the graph -> its row in the comparison."""
        if self.comparison is None:
            return {}
        known = self.viewed.numbers
        rows: dict[str, ComparedTensor] = {}
        for row in self.comparison:
            for name in (row.name, row.other):
                if name in known and name not in rows:
                    rows[name] = row
                    break
        return rows

    @cached_property
    def blamed(self) -> Mapping[int, BlamedOperation]:
        """Number of an operation -> what the blame found."""
        if self.blame is None:
            return {}
        numbers = self.viewed.numbers
        return {
            numbers[each.tensor]: each for each in self.blame.operations if each.tensor in numbers
        }

    def sides(self, name: str) -> TensorSides:
        """Return the values of a tensor: of both runs, of one, or of both graphs."""
        if (row := self.compared.get(name)) is not None and self.comparison is not None:
            if row.metrics is None:
                return TensorSides(
                    (), f"The shapes {row.shapes[0]} and {row.shapes[1]} do not match."
                )
            both = self.comparison.values(row.name)
            if both is not None:
                labels = self.comparison.labels
                return TensorSides(tuple(map(TensorSide, labels, both)))
        if self._is_weight(name):
            return self._weight_sides(name)
        if self.trace is None:
            call = self.call.format("trace=nk.trace(graph, inputs)")
            hint = f"{call} shows the values of a run."
            return TensorSides((), hint)
        try:
            return TensorSides((TensorSide("", self.trace[name]),))
        except NnefError as error:
            return TensorSides((), f"{error.diagnostics[0].message}. {error.diagnostics[0].hint}")

    def _is_weight(self, name: str) -> bool:
        return name in self.viewed.numbers and self.viewed.tensor(name).data is not None

    def _weight_sides(self, name: str) -> TensorSides:
        first = self.viewed.tensor(name).data
        second, labels = self._other_weight(name)
        if first is None:
            return TensorSides(())
        if second is None or second.shape != first.shape:
            return TensorSides((TensorSide("", first),))
        return TensorSides((TensorSide(labels[0], first), TensorSide(labels[1], second)))

    def _other_weight(self, name: str) -> tuple[Array | None, tuple[str, str]]:
        viewed = self.viewed
        if viewed.other is not None:
            other = viewed.other.tensors.get(viewed.names_in_other.get(name, ""))
            return None if other is None else other.data, viewed.labels
        if self.comparison is None or self.comparison.runs is None:
            return None, ("a", "b")
        labels = self.comparison.labels
        for run in self.comparison.runs[::-1]:
            graph = getattr(run, "graph", None)
            if isinstance(graph, Graph) and name in graph.tensors:
                data = graph.tensors[name].data
                if data is not None and data is not self.viewed.tensor(name).data:
                    return data, labels if run is self.comparison.runs[1] else labels[::-1]
        return None, labels

    # -- operations that need attention -----------------------------------------------------------

    @cached_property
    def suspicious(self) -> tuple[int, ...]:
        """Numbers of the operations that "next error" steps through, in the order of the graph."""
        numbers = self.viewed.numbers
        if self.viewed.changes:
            return tuple(sorted(self.viewed.changes))
        if self.blame is not None and self.blame.guilty:
            return tuple(sorted(n for n, each in self.blamed.items() if each.verdict == "guilty"))
        verdicts = {numbers[name]: row.verdict for name, row in self.compared.items()}
        for wanted in ("introduces", "differs", "inherits"):
            found = sorted(n for n, verdict in verdicts.items() if verdict == wanted)
            if found:
                return tuple(found)
        return self.first_nan

    @cached_property
    def first_nan(self) -> tuple[int, ...]:
        """Numbers of the operations whose results have NaN or Inf, but none of their inputs."""
        bad = self.not_finite
        found = []
        for number, operation in enumerate(self.viewed.operations):
            if any(bad.get(name) for name in operation.outputs) and not any(
                bad.get(name) for name in operation.inputs
            ):
                found.append(number)
        return tuple(found)

    @cached_property
    def not_finite(self) -> Mapping[str, int]:
        """Number of NaN and Inf of each tensor of the run that was recorded."""
        if self.trace is not None:
            statistics = self.trace.statistics
            # Whether there are any is known soon; only then they are counted.
            return {
                row.tensor: 0
                if row.finite
                else statistics[row.tensor].nan + statistics[row.tensor].infinite
                for row in self.trace.summary().rows
                if row.finite is not None
            }
        found = {}
        for name, row in self.compared.items():
            if row.metrics is not None:
                found[name] = int(np.max(row.metrics.nan) + np.max(row.metrics.infinite))
        return found


def evidence(
    viewed: ViewedGraph,
    trace: Any,
    comparison: Any,
    cost: Any,
    blame: Any,
    call: str = "nk.view(graph, {})",
) -> ViewEvidence:
    """Return checked arguments of `nnefkit.view`, or of another `call`.

    Raises:
        InputError: One is of another type, or of another graph.
    """
    graph = viewed.graph
    if trace is not None:
        if not isinstance(trace, Trace):
            raise wrong_type("trace", "a trace, as nnefkit.trace(...) returns it", trace)
        _check(graph, {e.tensor: e.shape for e in trace.run.entries}, "trace", call)
    if comparison is not None:
        if not isinstance(comparison, Comparison):
            hint = "a comparison, as nnefkit.compare(...) returns it"
            raise wrong_type("comparison", hint, comparison)
        rows = {}
        for row in comparison:
            name = row.name if row.name in graph.tensors else row.other
            rows[name] = row.shapes[0] if name == row.name else None
        if not any(name in graph.tensors for name in rows):
            raise _foreign(graph, "comparison", next(iter(rows), ""), call)
    if blame is not None:
        if not isinstance(blame, Blame):
            raise wrong_type("blame", "a blame, as nnefkit.blame(...) returns it", blame)
        if blame.operations and not any(e.tensor in graph.tensors for e in blame.operations):
            raise _foreign(graph, "blame", blame.operations[0].tensor, call)
    profile = None
    if isinstance(cost, Profile):
        profile, cost = cost, cost.cost
        known = [row.tensor for row in profile.operations]
        if known and not any(name in graph.tensors for name in known):
            raise _foreign(graph, "cost", known[0], call)
    elif cost is not None:
        if not isinstance(cost, Cost):
            hint = "what nnefkit.cost(...) or nnefkit.profile(...) returns"
            raise wrong_type("cost", hint, cost)
        known = [row.tensor for row in cost.operations]
        if known and not any(name in graph.tensors for name in known):
            raise _foreign(graph, "cost", known[0], call)
    return ViewEvidence(viewed, trace, comparison, blame, cost, profile, call)


def _check(graph: Graph, shapes: Mapping[str, Any], argument: str, call: str) -> None:
    """Check that tensors of a run are those of a graph."""
    missing = [name for name in shapes if name not in graph.tensors]
    if missing:
        raise _foreign(graph, argument, missing[0], call)
    for name, shape in shapes.items():
        own = graph.tensors[name].shape
        if own is not None and shape is not None and tuple(own) != tuple(shape):
            raise InputError(
                f"the {argument} is not of graph '{graph.name}': its tensor '{name}' has the shape "
                f"{list(shape)}, not {list(own)}",
                hint=_source(call, argument),
            )


def _source(call: str, argument: str) -> str:
    """Return the call that shows an argument with the graph that it is of."""
    shown = call.replace("graph", f"{argument}.graph", 1).format(f"{argument}={argument}")
    return f"{shown} shows the graph that was run."


def _foreign(graph: Graph, argument: str, name: str, call: str) -> InputError:
    return InputError(
        f"the {argument} is not of graph '{graph.name}', which has no tensor '{name}'",
        hint=_source(call, argument),
    )
