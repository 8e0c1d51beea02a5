"""What readers do to values before operations take them: alignment, kinds, small steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.refusal import Refusal, refuse_empty_tensor
from nnefkit.exchange.reshaping import added_axes, aligned_values
from nnefkit.exchange.source_graph import INTEGER, LOGICAL, SCALAR, Value
from nnefkit.exchange.torch.call import Call

EXACT = 2**24
"""Integers up to which float32 holds each."""


def reshaped(c: Call, x: Value, shape: Sequence[int]) -> Value:
    """`x` with another shape, said in the simplest way."""
    shape = tuple(int(extent) for extent in shape)
    if shape == x.shape:
        return x
    if 0 in shape:
        refuse_empty_tensor()
    if x.data is not None:
        return c.builder.derived(x, ("reshape", shape), lambda data: data.reshape(shape))
    result: Value
    if (added := added_axes(x.shape, shape)) is not None:
        result = c.op("unsqueeze", x, axes=added)
    elif (removed := added_axes(shape, x.shape)) is not None:
        result = c.op("squeeze", x, axes=removed)
    else:
        result = c.op("reshape", x, **_part(x.shape, shape))
    return result


def _part(old: Sequence[int], new: Sequence[int]) -> dict[str, Any]:
    """The arguments of a reshape that names only the axes that change."""
    start = 0
    while start < min(len(old), len(new)) and old[start] == new[start]:
        start += 1
    tail = 0
    limit = min(len(old), len(new)) - start
    while tail < limit and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    count = len(old) - tail - start
    if count < 1 or not start + tail or len(new) - tail - start < 1:
        return {"shape": [*new]}
    shape = [*new[start : len(new) - tail]]
    return {"shape": shape, "axis_start": start, "axis_count": count if tail else -1}


def to_rank(c: Call, x: Value, rank: int) -> Value:
    """`x` with leading axes of extent 1: PyTorch aligns the ends of shapes, NNEF their starts."""
    return reshaped(c, x, (1,) * (rank - x.rank) + x.shape)


def channels(c: Call, x: Value | None, default: float = 0.0) -> Any:
    """One number for each channel as ``[1, C]``, or a number without it."""
    return default if x is None else reshaped(c, x, (1, x.shape[0]))


def per_channel(c: Call, x: Value | None, rank: int, default: float) -> Any:
    """One number for each channel, of a rank that broadcasts, or a number without it."""
    return default if x is None else reshaped(c, x, (1, x.shape[0], *(1,) * (rank - 2)))


def number(c: Call, x: Value | float) -> Value:
    """A Python number as a constant; values stay."""
    if isinstance(x, Value):
        return x
    if isinstance(x, (bool, int)):
        return c.builder.constant(x, np.bool_ if isinstance(x, bool) else np.int64)
    wide = any(kind == np.float64 for kind in c.kinds)
    return c.builder.constant(x, np.float64 if wide else np.float32)


def aligned(c: Call, *values: Value) -> list[Value]:
    """The values with equal ranks; constants that are single numbers become literals."""
    shape = np.broadcast_shapes(*(value.shape for value in values))
    return aligned_values(values, shape, lambda value, rank: to_rank(c, value, rank))


def transposed(c: Call, x: Value, axes: Sequence[int]) -> Value:
    """`x` with its axes in another order."""
    axes = [int(axis) for axis in axes]
    if axes == [*range(x.rank)]:
        return x
    if x.data is not None:
        return c.builder.derived(
            x, ("transpose", *axes), lambda data: np.ascontiguousarray(data.transpose(axes))
        )
    result: Value = c.op("transpose", x, axes=axes)
    return result


def to_scalar(c: Call, x: Value) -> Value:
    """`x` as a tensor of scalars, which is what NNEF computes with."""
    if x.dtype == SCALAR:
        return x
    if x.data is not None:
        if x.data.size and np.abs(x.data.astype(np.float64)).max() > EXACT:
            raise Refusal(
                "it computes with integers beyond 16,777,216",
                "NNEF computes with scalars, and float32 holds integers exactly up to there.",
            )
        wide = any(kind == np.float64 for kind in c.kinds)
        kind = np.dtype(np.float64 if wide else np.float32)
        return Value(x.shape, kind, x.name, x.data.astype(kind))
    result: Value = c.op("cast", x, dtype=SCALAR)
    return result


def to_kind(c: Call, x: Value, kind: np.dtype[Any]) -> Value:
    """Whole numbers held in scalars as items of `kind`."""
    if kind.kind == "f" or x.dtype != SCALAR:
        return x
    if x.data is not None:
        return Value(x.shape, kind, x.name, x.data.astype(kind))
    result: Value = c.op("cast", x, dtype=LOGICAL if kind.kind == "b" else INTEGER)
    result.kind = kind
    return result


def to_logical(c: Call, x: Value) -> Value:
    """Whether items are not 0."""
    if x.dtype == LOGICAL:
        return x
    if x.data is not None:
        return Value(x.shape, np.dtype(np.bool_), x.name, x.data != 0)
    result: Value = c.op("cast", x, dtype=LOGICAL)
    return result


def arithmetic(c: Call, name: str, *values: Value | float) -> Value:
    """An elementwise operation, carried out on scalars, with items as PyTorch has them."""
    scalars = [to_scalar(c, number(c, value)) for value in values]
    result = c.op(name, *aligned(c, *scalars))
    return to_kind(c, result, c.kinds[0]) if result.dtype == SCALAR else result


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


def sliced(c: Call, x: Value, axis: int, begin: int, end: int, step: int = 1) -> Value:
    """A stretch of one axis; `end` is the first position that is left out."""
    if (begin, end, step) == (0, x.shape[axis], 1):
        return x
    stride: dict[str, Any] = {} if step == 1 else {"stride": [step]}
    # An end of 0 would mean the end of the axis (4.5.4); none is needed here.
    result: Value = c.op("slice", x, axes=[axis], begin=[begin], end=[end], **stride)
    return result


def expanded(c: Call, x: Value, shape: Sequence[int]) -> Value:
    """`x` repeated to `shape`, which its own shape broadcasts to."""
    shape = tuple(shape)
    x = to_rank(c, x, len(shape))
    repeats = [t // s for s, t in zip(x.shape, shape, strict=True)]
    if all(repeat == 1 for repeat in repeats):
        return x
    result: Value = c.op("tile", x, repeats=repeats)
    return result
