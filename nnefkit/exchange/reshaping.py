"""Shapes that other formats align from the right, for NNEF, which aligns from the left."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nnefkit.exchange.source_graph import Value


def added_axes(short: Sequence[int], long: Sequence[int]) -> list[int] | None:
    """The axes of extent 1 that `long` has more than `short`; None if they differ otherwise."""
    axes = []
    position = 0
    for axis, extent in enumerate(long):
        if position < len(short) and short[position] == extent:
            position += 1
        elif extent == 1:
            axes.append(axis)
        else:
            return None
    return axes if position == len(short) and axes else None


def aligned_values(
    values: Sequence[Value], shape: Sequence[int], to_rank: Callable[[Value, int], Value]
) -> list[Value]:
    """The values with equal ranks; constants that are single numbers become literals.

    Args:
        values: What is computed with, item by item.
        shape: What their shapes broadcast to, from the right.
        to_rank: Gives a value leading axes of extent 1, up to a rank.
    """
    rank = max(value.rank for value in values)
    rest = [value for value in values if not value.is_number]
    plain = bool(rest) and np.broadcast_shapes(*(v.shape for v in rest)) == tuple(shape)
    found = []
    for value in values:
        if plain and value.is_number and value.data is not None:
            found.append(Value((), value.kind, value.name, value.data.reshape(())))
        else:
            found.append(to_rank(value, rank) if value.rank else value)
    return found
