"""What readers do to values before operations take them: alignment, kinds, small steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.onnx.call import Call
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.reshaping import added_axes, aligned_values
from nnefkit.exchange.source_graph import INTEGER, LOGICAL, SCALAR, Value

INVALID = "onnx.checker.check_model(model, full_check=True) tells what is wrong with the model."
EXACT = 2**24
"""Integers up to which float32 holds each."""


def reshaped(c: Call, x: Value, shape: Sequence[int]) -> Value:
    """`x` with another shape, said in the simplest way."""
    shape = tuple(int(extent) for extent in shape)
    if shape == x.shape:
        return x
    if 0 in shape:
        return empty(c, shape, x.kind)
    if x.data is not None:
        return Value(shape, x.kind, x.name, x.data.reshape(shape))
    added = added_axes(x.shape, shape)
    if added is not None:
        result: Value = c.op("unsqueeze", x, axes=added)
    elif (removed := added_axes(shape, x.shape)) is not None:
        result = c.op("squeeze", x, axes=removed)
    else:
        result = c.op("reshape", x, shape=[*shape])
    return result


def empty(c: Call, shape: Sequence[int], kind: np.dtype[Any]) -> Value:
    """No items: NNEF has no such tensors, but what joins them to others leaves them out."""
    return c.builder.constant(np.zeros(tuple(shape), kind))


def to_rank(c: Call, x: Value, rank: int) -> Value:
    """`x` with leading axes of extent 1: ONNX aligns shapes from the right, NNEF from the left."""
    return reshaped(c, x, (1,) * (rank - x.rank) + x.shape)


def broadcast(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that shapes broadcast to, from the right.

    Raises:
        Refusal: they do not.
    """
    try:
        return np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        told = " and ".join(str([*map(int, shape)]) for shape in shapes)
        raise Refusal(f"the shapes {told} do not fit each other", INVALID) from None


def aligned(c: Call, *values: Value) -> list[Value]:
    """The values with equal ranks; constants that are single numbers become literals."""
    shape = broadcast(*(value.shape for value in values))
    return aligned_values(values, shape, lambda value, rank: to_rank(c, value, rank))


def transposed(c: Call, x: Value, axes: Sequence[int]) -> Value:
    """`x` with its axes in another order."""
    axes = [int(axis) for axis in axes]
    if axes == [*range(x.rank)]:
        return x
    if x.data is not None:
        data = np.ascontiguousarray(x.data.transpose(axes))
        return Value(data.shape, x.kind, x.name, data)
    result: Value = c.op("transpose", x, axes=axes)
    return result


def to_scalar(c: Call, x: Value) -> Value:
    """`x` as a tensor of scalars, which is what NNEF computes with."""
    if x.kind.kind in "OSU":
        raise Refusal("it computes with text", "Prepare texts outside of the network.")
    if x.dtype == SCALAR:
        return x
    if x.data is not None:
        if x.data.size and np.abs(x.data.astype(np.float64)).max() > EXACT:
            raise Refusal(
                "it computes with integers beyond 16,777,216",
                "NNEF computes with scalars, and float32 holds integers exactly up to there.",
            )
        return Value(x.shape, np.dtype(np.float32), x.name, x.data.astype(np.float32))
    result: Value = c.op("cast", x, dtype=SCALAR)
    return result


def to_kind(c: Call, x: Value, kind: np.dtype[Any]) -> Value:
    """Whole numbers held in scalars as items of `kind`."""
    if kind.kind == "f":
        return x
    if x.data is not None:
        return Value(x.shape, kind, x.name, x.data.astype(kind))
    result: Value = c.op("cast", x, dtype=LOGICAL if kind.kind == "b" else INTEGER)
    result.kind = kind
    return result


def to_kind_truncated(c: Call, x: Value, kind: np.dtype[Any]) -> Value:
    """Numbers as items of `kind`: what is behind the point is cut off, as casts of ONNX do."""
    return x if kind.kind == "f" else to_kind(c, truncated(c, x), kind)


def to_logical(c: Call, x: Value) -> Value:
    """Whether items are not 0."""
    if x.dtype == LOGICAL:
        return x
    if x.data is not None:
        data = x.data != 0
        return Value(x.shape, data.dtype, x.name, data)
    result: Value = c.op("cast", x, dtype=LOGICAL)
    return result


def binary(c: Call, name: str, *values: Value | float) -> Value:
    """An elementwise operation on scalars, shapes aligned as ONNX does."""
    if c.opset < 7:
        values = _old_broadcast(c, *values)
    given = [v if isinstance(v, Value) else c.builder.constant(v, np.float32) for v in values]
    result: Value = c.op(name, *aligned(c, *given))
    return result


def _old_broadcast(c: Call, *values: Value | float) -> tuple[Value | float, ...]:
    """The second argument aligned with an axis of the first, as it was before opset 7."""
    axis = c.attribute("axis")
    if axis is None or not c.attribute("broadcast", 0) or len(values) != 2:
        return values
    x, y = values
    if isinstance(x, Value) and isinstance(y, Value):
        y = reshaped(c, y, y.shape + (1,) * (x.rank - y.rank - int(axis) % x.rank))
    return x, y


def sliced(c: Call, x: Value, axis: int, begin: int, end: int) -> Value:
    """A stretch of one axis."""
    if (begin, end) == (0, x.shape[axis]):
        return x
    if x.data is not None:
        data = np.take(x.data, range(begin, end), axis)
        return Value(data.shape, x.kind, x.name, data)
    result: Value = c.op("slice", x, axes=[axis], begin=[begin], end=[end])
    return result


def truncated(c: Call, x: Value) -> Value:
    """Rounded towards zero."""
    result: Value = c.op("select", c.op("lt", x, 0.0), c.op("ceil", x), c.op("floor", x))
    return result


def expanded(c: Call, x: Value, shape: Sequence[int]) -> Value:
    """`x` repeated to `shape`, which its own shape broadcasts to."""
    shape = tuple(shape)
    x = to_rank(c, x, len(shape))
    if x.data is not None:
        data = np.ascontiguousarray(np.broadcast_to(x.data, shape))
        return Value(shape, x.kind, x.name, data)
    repeats = [t // s for s, t in zip(x.shape, shape, strict=True)]
    if all(repeat == 1 for repeat in repeats):
        return x
    result: Value = c.op("tile", x, repeats=repeats)
    return result
