"""Rules of `reshape`: blocks of axes that move as a whole, and images that become rows."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.arrays import Shape
from nnefkit.execution.layout.blocks import AxisBlock, blocks, order_of
from nnefkit.execution.layout.demands import Demand
from nnefkit.execution.layout.forms import Form, completed, core, extents, identity, with_units
from nnefkit.execution.layout.rules import Attributes, Rule
from nnefkit.graph import FrozenDict, Operation
from nnefkit.operations.shape_changes import ShapeChange, reshape_attributes


class ReshapeRule(Rule):
    """`reshape`, which moves whole blocks of axes; its order is a form of its result."""

    def __init__(self, before: Shape, after: Shape) -> None:
        super().__init__([len(before)], [len(after)])
        self.start = identity(len(after))
        self.before, self.after = before, after
        self.blocks: tuple[AxisBlock, ...] = blocks(before, after)
        self._olds = [block.before for block in self.blocks]
        self._news = [block.after for block in self.blocks]

    def _numbers(self, order: Form) -> list[int] | None:
        return order_of(core(order, self.after), self._news)

    def demands(self, order: Form) -> tuple[Demand, ...]:
        numbers = self._numbers(order) or range(len(self.blocks))
        axes = tuple(axis for number in numbers for axis in self._olds[number])
        return (Demand((with_units(axes, self.before),), is_loose=True),)

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order,)

    def from_operand(self, number: int, axes: Form) -> Form | None:
        order = core(axes, self.before)
        if 0 not in order and self.before[:1] == (1,):
            order = (0, *order)
        numbers = order_of(order, self._olds)
        if numbers is None:
            return None
        return with_units(tuple(a for n in numbers for a in self._news[n]), self.after)

    def from_result(self, number: int, form: Form) -> Form | None:
        return completed(form, len(self.after))

    def allows(self, order: Form) -> bool:
        return self._numbers(order) is not None

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        return reshaped_attributes(op, self.before, order, chosen[0], (shapes[0], self.after))


class MergingRule(Rule):
    """A reshape of an image to a row whose features may be in any order."""

    def __init__(self, before: Shape, after: Shape, first: Form) -> None:
        super().__init__([len(before)], [len(after)])
        self.before, self.after = before, after
        self._first = first

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return (Demand((identity(len(self.before)),), first=self._first),)

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        order = identity(len(self.after))
        return reshaped_attributes(op, self.before, order, chosen[0], (shapes[0], self.after))


class SplittingRule(MergingRule):
    """A reshape of a row to an image, whose features may be in any order."""

    def __init__(self, before: Shape, after: Shape, first: Form) -> None:
        super().__init__(before, after, first)
        self.start = identity(len(after))

    def demands(self, order: Form) -> tuple[Demand, ...]:
        return (Demand((identity(len(self.before)),)),)

    def results(self, order: Form) -> tuple[Form, ...]:
        return (order,)

    def from_result(self, number: int, form: Form) -> Form | None:
        return completed(form, len(self.after))

    def allows(self, order: Form) -> bool:
        first = core(self._first, self.after)
        return core(order, self.after)[: len(first)] == first

    def attribs(
        self, op: Operation, order: Form, chosen: Sequence[Form], shapes: Sequence[Shape]
    ) -> Attributes:
        return reshaped_attributes(op, self.before, order, chosen[0], (shapes[0], self.after))


def reshaped_attributes(
    op: Operation, before: Shape, order: Form, old: Form, shapes: tuple[Shape, Shape]
) -> Attributes:
    """Return the attributes of a reshape between forms of its input and of its result.

    Args:
        op: The reshape of the given graph.
        before: The shape that it reads there.
        order: The form of the result.
        old: The form of its input, as an order of its axes.
        shapes: The shape of that form, and the shape of the result in the given graph.
    """
    stored, after = shapes[0], extents(order, shapes[1])
    if stored == before and order == identity(len(order)):
        return op.attribs
    start, given = op.attribs["axis_start"], [*op.attribs["shape"]]
    is_named = dict(enumerate(given, start))
    inherited = []
    inferred = None
    for position, axis in enumerate(order):
        is_same = position < len(stored) and stored[position] == after[position]
        shift = len(before) - len(order) if axis >= start + len(given) else 0
        if is_named.get(axis, 0) == -1:
            inferred = position
        elif is_same and is_named.get(axis, 0) == 0 and old[position] == axis + shift:
            inherited.append(position)
    if stored == after:
        inherited = [*range(len(after))]
    return FrozenDict({**op.attribs, **_complete(ShapeChange(stored, after), inferred, inherited)})


def _complete(change: ShapeChange, inferred: int | None, inherited: Sequence[int]) -> Attributes:
    attribs = reshape_attributes(change, inferred, inherited)
    # In the order of the declaration, as texts that are read have them.
    return {"shape": attribs["shape"], "axis_start": 0, "axis_count": -1, **attribs}
