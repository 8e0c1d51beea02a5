"""Blocks: the groups of axes that a reshape merges, splits or leaves as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from nnefkit.arrays import Shape
from nnefkit.execution.layout.forms import Form


class AxisBlock(NamedTuple):
    """Neighboring axes of a tensor that become neighboring axes of another shape."""

    before: Form
    after: Form


def blocks(before: Shape, after: Shape) -> tuple[AxisBlock, ...]:
    """Return the blocks of a reshape, in order; axes of extent 1 but the first are left out."""
    found: list[AxisBlock] = []
    old, new = _wide(before), _wide(after)
    if 0 in before or 0 in after:
        return (AxisBlock(tuple(old), tuple(new)),)  # products do not tell which axes belong
    if before and after and before[0] == after[0]:
        found.append(AxisBlock((0,), (0,)))
        old, new = old[1:], new[1:]
    while old and new:
        i = j = 1
        volume, other = before[old[0]], after[new[0]]
        while volume != other:
            if volume < other:
                volume *= before[old[i]]
                i += 1
            else:
                other *= after[new[j]]
                j += 1
        found.append(AxisBlock(tuple(old[:i]), tuple(new[:j])))
        old, new = old[i:], new[j:]
    if old or new:
        found.append(AxisBlock(tuple(old), tuple(new)))
    return tuple(found)


def _wide(shape: Shape) -> list[int]:
    return [axis for axis, extent in enumerate(shape) if extent != 1 or axis == 0]


def order_of(order: Sequence[int], parts: Sequence[Form]) -> list[int] | None:
    """Return the order in which some axes have whole parts; None if they mix them."""
    numbers = {part[0]: number for number, part in enumerate(parts) if part}
    found: list[int] = []
    position = 0
    while position < len(order):
        number = numbers.get(order[position])
        if (
            number is None
            or tuple(order[position : position + len(parts[number])]) != parts[number]
        ):
            return None
        found.append(number)
        position += len(parts[number])
    return found if len(found) == len(parts) else None
