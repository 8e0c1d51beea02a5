"""Rules: how an operation is computed when the axes of its tensors are in another order.

The order of an operation is a permutation of its axes, which are those of its result as a rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from nnefkit.arrays import Shape
from nnefkit.execution.layout.demands import Demand
from nnefkit.execution.layout.forms import NEW, Form, completed, identity
from nnefkit.execution.layout.layout_target import LayoutTarget
from nnefkit.execution.layout.operation_kinds import AXES, AXIS, LOCAL
from nnefkit.graph import FrozenDict, Operation

Attributes = Mapping[str, Any]


class Rule:
    """An operation that is only computed as the given graph has it; others are derived from it.

    Attributes:
        start: The order in the given graph.
        ranks: Ranks of the tensors that it reads.
        result_ranks: Ranks of those that it computes.
    """

    def __init__(self, ranks: Sequence[int], result_ranks: Sequence[int]) -> None:
        self.ranks = tuple(ranks)
        self.result_ranks = tuple(result_ranks)
        self.start: Form = ()

    def demands(self, order: Form) -> tuple[Demand, ...]:
        """Return what the operation reads, for each of its tensors."""
        return tuple(Demand((identity(rank),)) for rank in self.ranks)

    def results(self, order: Form) -> tuple[Form, ...]:
        """Return the forms of its results."""
        return tuple(identity(rank) for rank in self.result_ranks)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        """Return the order in which it reads a tensor whose axes are stored in some order."""
        return None

    def from_result(self, number: int, form: Form) -> Form | None:
        """Return the order in which it computes a form of a result."""
        return None

    def allows(self, order: Form) -> bool:
        """Return whether it can be computed in an order that the tensors around it suggest."""
        return order == self.start

    def operation(self, op: Operation, order: Form) -> tuple[str, Attributes]:
        """Return the name and the inputs of the operation that computes it in an order."""
        return op.name, op.inputs

    def attribs(
        self,
        op: Operation,
        order: Form,
        chosen: Sequence[Form],
        shapes: Sequence[Shape],
    ) -> Attributes:
        """Return the attributes of the operation in an order.

        Args:
            op: The operation.
            order: The order.
            chosen: The form that each tensor is read in, as an order of its axes.
            shapes: The shape that each of them has then.
        """
        return op.attribs


class UniformRule(Rule):
    """All tensors have the same axes, apart from missing ones at the end (4.2.2)."""

    def __init__(
        self,
        ranks: Sequence[int],
        result_ranks: Sequence[int],
        renamed: Sequence[str] = (),
        fixed: frozenset[int] = frozenset(),
    ) -> None:
        super().__init__(ranks, result_ranks)
        self.rank = max(result_ranks)
        self.start = identity(self.rank)
        self.broadcasts = not renamed and not fixed
        """Whether the tensors are broadcast to each other."""
        self._renamed = renamed
        self._fixed = fixed
        """The tensors whose axes are not those of the others."""

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return tuple(
            Demand((identity(rank),)) if number in self._fixed else Demand((_lower(order, rank),))
            for number, rank in enumerate(self.ranks)
        )

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order,) * len(self.result_ranks)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        return None if number in self._fixed else completed(axes, self.rank)

    def from_result(self, number: int, form: Form) -> Form | None:
        return completed(form, self.rank)

    def allows(self, order: Form) -> bool:
        return True

    def attribs(
        self,
        op: Operation,
        order: Form,
        chosen: Sequence[Form],
        shapes: Sequence[Shape],
    ) -> Attributes:
        changed: dict[str, Any] = {}
        if order == identity(self.rank) or not self._renamed:
            return op.attribs
        for name in self._renamed:
            value: Any = op.attribs.get(name)
            if name == AXIS:
                changed[name] = order.index(value)
            elif name == AXES and op.name == "slice":
                changed.update(_slices(op.attribs, order))
            elif name == AXES:
                changed[name] = sorted(order.index(axis) for axis in value)
            elif value:
                changed[name] = [value[axis] for axis in order]
        return FrozenDict({**op.attribs, **changed})


class WindowedRule(UniformRule):
    """A window for all axes, which remains in the spatial axes, or in the channels."""

    def __init__(
        self, op: Operation, rank: int, renamed: Sequence[str], target: LayoutTarget
    ) -> None:
        super().__init__([rank], [rank], renamed)
        self._channel = target.channel(rank)
        names = [name for name in ("size", "stride", "dilation") if name in op.attribs]
        numbers = [op.attribs[name] for name in names if op.attribs[name]]
        self._moving = {axis for row in numbers for axis, number in enumerate(row) if number != 1}
        """The axes in which the window moves or extends."""
        self._is_local = op.name in LOCAL
        self._first = target.order(rank)
        self._given = identity(rank)
        if self._fits(self._first):
            self.start = self._first

    @property
    def is_spatial(self) -> bool:
        """Whether the layout spreads from the operation."""
        return bool(self._moving) and self._fits(self.start)

    def _fits(self, order: Form) -> bool:
        moving = {order.index(axis) for axis in self._moving}
        if self._is_local and len(moving) == 1:
            return moving == {self._channel}
        return moving.isdisjoint((0, self._channel))

    def allows(self, order: Form) -> bool:
        return order == self.start or (order[0] == 0 and self._fits(order))


class SpatialRule(Rule):
    """An operation that reads images, and perhaps weights, and computes images."""

    def __init__(
        self, ranks: Sequence[int], result_ranks: Sequence[int], count: int, target: LayoutTarget
    ) -> None:
        super().__init__(ranks, result_ranks)
        self._target = target
        self._count = count
        """The number of the tensors that are images; the others are read as they are."""

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return tuple(
            Demand((self._target.order(rank) if number < self._count else identity(rank),))
            for number, rank in enumerate(self.ranks)
        )

    def results(self, order: Form) -> tuple[Form, ...]:
        return tuple(map(self._target.order, self.result_ranks))


class LastAxisRule(UniformRule):
    """An operation along one axis, which must be the last one."""

    def __init__(self, rank: int, axis: int) -> None:
        super().__init__([rank], [rank], (AXES,))
        self._axis = axis
        self.start = (*(other for other in range(rank) if other != axis), axis)

    def allows(self, order: Form) -> bool:
        return order[-1] == self._axis


class SourceRule(Rule):
    """An input, which is stored as it is, or in one other form if that is allowed."""

    def __init__(self, rank: int, other: Form | None) -> None:
        super().__init__([], [rank])
        self.start = identity(rank)
        self._other = other

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order,)

    def from_result(self, number: int, form: Form) -> Form | None:
        return completed(form, self.result_ranks[0])

    def allows(self, order: Form) -> bool:
        return order in (self.start, self._other)

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        if order == self.start:
            return op.attribs
        shape = [op.attribs["shape"][axis] for axis in order]
        return FrozenDict({**op.attribs, "shape": shape})


class StateRule(SourceRule):
    """A variable with its update; both have the same form."""

    def __init__(self, rank: int) -> None:
        super().__init__(rank, None)
        self.ranks = (rank,)
        self.result_ranks = (rank, rank)

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return (Demand((order,)),)

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order, order)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        return completed(axes, self.ranks[0])

    def allows(self, order: Form) -> bool:
        return True


class JoiningRule(Rule):
    """`stack`: the result has one axis more than the tensors that it reads."""

    def __init__(self, ranks: Sequence[int], axis: int) -> None:
        super().__init__(ranks, [ranks[0] + 1])
        self.start = identity(ranks[0] + 1)
        self._axis = axis

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return (Demand((_without(order, self._axis),)),) * len(self.ranks)

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order,)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        return _with(completed(axes, self.ranks[number]), self._axis)

    def from_result(self, number: int, form: Form) -> Form | None:
        return completed(form, self.result_ranks[0])

    def allows(self, order: Form) -> bool:
        return True

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        if order == self.start:
            return op.attribs
        return FrozenDict({**op.attribs, AXIS: order.index(self._axis)})


class DroppingRule(JoiningRule):
    """`unstack`, and `gather` at one position: the results have one axis less."""

    def __init__(self, ranks: Sequence[int], results: int, axis: int) -> None:
        super().__init__([ranks[0] - 1], axis)
        self.ranks = tuple(ranks)
        self.result_ranks = (ranks[0] - 1,) * results
        self.start = identity(ranks[0])

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return (Demand((order,)), *(Demand((identity(rank),)) for rank in self.ranks[1:]))

    def results(self, order: Form) -> tuple[Form, ...]:
        return (_without(order, self._axis),) * len(self.result_ranks)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        return completed(axes, self.ranks[0]) if number == 0 else None

    def from_result(self, number: int, form: Form) -> Form | None:
        return _with(completed(form, self.result_ranks[0]), self._axis)


class ProductRule(Rule):
    """`matmul`, which reads a matrix transposed, too."""

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return tuple(
            Demand((identity(rank), (*range(rank - 2), rank - 1, rank - 2))) for rank in self.ranks
        )

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        flags = {}
        for name, form, rank in zip(("transposeA", "transposeB"), chosen, self.ranks, strict=True):
            if form != identity(rank):
                flags[name] = not op.attribs[name]
        return FrozenDict({**op.attribs, **flags}) if flags else op.attribs


def _lower(order: Form, rank: int) -> Form:
    """Return an order for a tensor that lacks the last axes, without those that are only added."""
    if rank == len(order):
        return order
    form = [axis if axis < rank else NEW for axis in order]
    while form and form[-1] == NEW:
        form.pop()
    return tuple(form)


def _without(order: Form, axis: int) -> Form:
    return tuple(other - (other > axis) for other in order if other != axis)


def _with(order: Form, axis: int) -> Form:
    form = [other + (other >= axis) for other in order]
    form.insert(min(axis, len(form)), axis)
    return tuple(form)


def _slices(attribs: Attributes, order: Form) -> dict[str, Any]:
    if not attribs[AXES]:
        return {}
    columns = [
        attribs["begin"],
        attribs["end"],
        attribs["stride"] or [None] * len(attribs["begin"]),
    ]
    rows = sorted(
        (order.index(axis), *rest) for axis, *rest in zip(attribs[AXES], *columns, strict=True)
    )
    axes, begin, end, stride = (list(column) for column in zip(*rows, strict=True))
    return {
        AXES: axes,
        "begin": begin,
        "end": end,
        "stride": stride if attribs["stride"] else attribs["stride"],
    }
