"""Operations that only change the shape: forms of them that are valid for several extents."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any, NamedTuple, TypeVar

from nnefkit.arrays import Shape
from nnefkit.errors import ArgumentError
from nnefkit.graph import FrozenDict, Operation
from nnefkit.operations.registry import SHAPE_RULES

RESHAPING = ("reshape", "squeeze", "unsqueeze")
"""Operations that only change the shape."""

T = TypeVar("T")


class ShapeChange(NamedTuple):
    """The shape of a tensor before and after it is reshaped."""

    before: Shape
    after: Shape


def makes(operation: Operation, change: ShapeChange) -> bool:
    """Return whether an operation changes the shape in this way."""
    try:
        shape = SHAPE_RULES[operation.name](change.before, **operation.attribs)
    except ArgumentError:
        return False
    return tuple(shape) == change.after


def changed_axes(old: Sequence[T], new: Sequence[T]) -> tuple[int, int]:
    """Return how many axes at the start and at the end are equal, so that at least one is left."""
    most = min(len(old), len(new)) - 1
    start = 0
    while start < most and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < most - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return start, tail


def reshape_attributes(
    change: ShapeChange, inferred: int | None = None, inherited: Collection[int] = ()
) -> dict[str, Any]:
    """Return the attributes of a `reshape` that names only the axes that change.

    Args:
        change: The shapes.
        inferred: The axis of the new shape whose extent follows from the others.
        inherited: The axes of the new shape that have the extent of the same axis before.
    """
    old, new = change
    start, tail = changed_axes(old, new)
    part = range(start, len(new) - tail)
    shape = [0 if axis in inherited else new[axis] for axis in part]
    free = [axis for axis in part if axis not in inherited]
    # Without a statement of the source, the first one: batches are more often of another size.
    if free:
        shape[(inferred if inferred in free else free[0]) - start] = -1
    if not start + tail:
        return {"shape": shape}
    count = len(old) - tail - start
    return {"shape": shape, "axis_start": start, "axis_count": count if tail else -1}


def general_form(operation: Operation, changes: Sequence[ShapeChange]) -> Operation | None:
    """Return an operation that changes the shape in several ways; None if there is none."""
    ranks = {(len(before), len(after)) for before, after in changes}
    if len(ranks) > 1 or ranks & {(0, 0)}:
        return None
    # The extents of each axis in all of the shapes.
    old = [*zip(*(change.before for change in changes), strict=True)]
    new = [*zip(*(change.after for change in changes), strict=True)]
    start, tail = changed_axes(old, new)
    shape: list[int] = []
    is_open = False
    for axis in range(start, len(new) - tail):
        if len({*new[axis]}) == 1:
            shape.append(new[axis][0])
        elif axis < len(old) - tail and new[axis] == old[axis]:
            shape.append(0)
        elif is_open:
            return None
        else:
            shape.append(-1)
            is_open = True
    attribs = FrozenDict(
        {"shape": shape, "axis_start": start, "axis_count": len(old) - tail - start if tail else -1}
    )
    return replace(operation, name="reshape", attribs=attribs)
