"""The rule of each operation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from nnefkit.arrays import Shape
from nnefkit.execution.layout.flattening import Flattening
from nnefkit.execution.layout.forms import channels_first
from nnefkit.execution.layout.layout_target import LayoutTarget
from nnefkit.execution.layout.operation_kinds import (
    AXES,
    AXIS,
    LOCAL,
    POOLING,
    SPATIAL,
    is_ordered,
)
from nnefkit.execution.layout.pointwise_rules import pointwise_rule
from nnefkit.execution.layout.reshape_rules import MergingRule, ReshapeRule, SplittingRule
from nnefkit.execution.layout.rules import (
    DroppingRule,
    JoiningRule,
    LastAxisRule,
    ProductRule,
    Rule,
    SourceRule,
    SpatialRule,
    UniformRule,
    WindowedRule,
)
from nnefkit.graph import Graph, Operation


class RuleChoice:
    """Chooses the rules of operations.

    Args:
        graph: The graph.
        kinds: The operations that can be computed with their axes in another order.
        flattenings: id of a reshape -> the operations on rows that it belongs to.
        target: The order in which spatial operations compute.
        is_free: Whether inputs may become channels-first.
    """

    def __init__(
        self,
        graph: Graph,
        kinds: Mapping[str, Sequence[str]],
        flattenings: Mapping[int, Flattening],
        target: LayoutTarget,
        *,
        is_free: bool,
    ) -> None:
        self._graph = graph
        self._kinds = kinds
        self._flattenings = flattenings
        self._target = target
        self._is_free = is_free
        self._bound: Collection[int] = {
            number for each in flattenings.values() for number in each.operations
        }

    def rule(self, op: Operation) -> Rule:
        """Return the rule of an operation that is not a variable with updates."""
        ranks = [len(self._shape(name)) for name in op.input_names]
        results = [len(self._shape(name)) for name in op.output_names]
        if op.name == "external":
            is_image = self._is_free and 3 <= results[0] <= 5
            return SourceRule(results[0], channels_first(results[0]) if is_image else None)
        if id(op) in self._bound or not ranks or is_ordered(op.name, op.attribs):
            return Rule(ranks, results)
        if op.name == "reshape":
            return self._reshape(op)
        if op.name in SPATIAL - POOLING - LOCAL:
            return SpatialRule(ranks, results, self._target.operands.get(op.name, 1), self._target)
        if not self._target.is_channels_last and (layer := pointwise_rule(self._graph, op)):
            return layer
        return _structural(op, ranks, results) or self._uniform(op, ranks, results)

    def _shape(self, name: str) -> Shape:
        return self._graph.tensors[name].shape or ()

    def _reshape(self, op: Operation) -> Rule:
        before, after = (self._shape(names[0]) for names in (op.input_names, op.output_names))
        flattening = self._flattenings.get(id(op))
        if flattening is None:
            return ReshapeRule(before, after)
        chosen = MergingRule if flattening.is_merging else SplittingRule
        return chosen(before, after, flattening.first)

    def _uniform(self, op: Operation, ranks: list[int], results: list[int]) -> Rule:
        renamed = self._kinds.get(op.name)
        is_uniform = bool(results) and len({*results}) == 1 and max(ranks) == results[0]
        if renamed is None or not is_uniform:
            return Rule(ranks, results)
        if op.name in POOLING | LOCAL:
            return WindowedRule(op, results[0], renamed, self._target)
        if op.name in self._target.axis_is_last and len(op.attribs[AXES]) == 1:
            return LastAxisRule(results[0], op.attribs[AXES][0])
        return UniformRule(ranks, results, renamed)


def _structural(op: Operation, ranks: list[int], results: list[int]) -> Rule | None:
    """Return the rule of an operation whose results have other axes than its tensors."""
    if op.name == "matmul" and len(ranks) == 2:
        return ProductRule(ranks, results)
    if op.name == "stack" and len(ranks) == len(op.inputs["values"]):
        return JoiningRule(ranks, op.attribs[AXIS])
    if op.name == "unstack":
        return DroppingRule(ranks, len(results), op.attribs[AXIS])
    if op.name == "gather" and isinstance(op.inputs["input"], str):
        return _gathering(op, ranks, results)
    return None


def _gathering(op: Operation, ranks: list[int], results: list[int]) -> Rule:
    rank = ranks[1] if len(ranks) > 1 else 0
    if rank == 1:
        return UniformRule(ranks, results, (AXIS,), frozenset([1]))
    return DroppingRule(ranks, 1, op.attribs[AXIS]) if rank == 0 else Rule(ranks, results)
