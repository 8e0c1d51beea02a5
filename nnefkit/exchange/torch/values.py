"""Elementwise operations with the data types of PyTorch, and axes as it counts them."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.reshaping import aligned, number, to_dtype, to_scalar
from nnefkit.exchange.source_graph import SCALAR, Value
from nnefkit.exchange.torch.call import Call


def arithmetic(c: Call, name: str, *values: Value | float) -> Value:
    """An elementwise operation, carried out on scalars, with items as PyTorch has them."""
    scalars = [to_scalar(c, number(c, value)) for value in values]
    result = c.op(name, *aligned(c, *scalars))
    return to_dtype(c, result, c.dtypes[0]) if result.data_type == SCALAR else result


def axis_of(axis: int, rank: int) -> int:
    """An axis, counted from the front."""
    return axis + rank if axis < 0 else axis


def axes_of(dim: Any, rank: int) -> list[int]:
    """Axes, counted from the front and in order; all of them if none are given."""
    if dim is None or dim == []:
        return [*range(rank)]
    return sorted(axis_of(axis, rank) for axis in ([dim] if isinstance(dim, int) else dim))


def per_axis(value: Any, count: int) -> list[int]:
    """An argument that is given once for all axes or for each."""
    items = [int(value)] if isinstance(value, (int, float)) else [int(item) for item in value]
    return items * count if len(items) == 1 else items
