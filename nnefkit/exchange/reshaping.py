"""Adaptation of shapes and data types: reshaping, broadcasting, slicing, casting.

Other formats align shapes from the right, NNEF from the left. Constants are changed while the
model is read, everything else by operations.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import Refusal
from nnefkit.exchange.source_value import INTEGER, LOGICAL, SCALAR, DType, Value, data_type_of
from nnefkit.operations.shape_changes import ShapeChange, reshape_attributes

_END = 2**31 - 1
"""An end of slices that is past every axis."""
BEFORE_FIRST = -(2**31)
"""An end of slices that is before the first element of any axis."""
EXACT = 2**24
"""The largest integer up to which float32 represents every integer."""


# -- shapes ----------------------------------------------------------------------------------------


def reshaped(
    c: OperatorCall,
    x: Value,
    shape: Sequence[int],
    inferred: int | None = None,
    inherited: Collection[int] = (),
) -> Value:
    """Return `x` with another shape, by the simplest possible operation.

    The text names few extents, so that it is valid for others, too.

    Args:
        c: The call of the operator.
        x: The tensor.
        shape: Its new shape.
        inferred: The axis of the new shape whose extent the source infers from the others.
        inherited: The axes of the new shape whose extents the source takes from the same axes of
            `x`.
    """
    shape = tuple(int(extent) for extent in shape)
    if shape == x.shape:
        return x
    if 0 in shape:
        return empty(c, shape, x.dtype)
    if x.data is not None:
        return c.graph.derived(x, ("reshape", shape), lambda data: data.reshape(shape))
    added, removed = _added_axes(x.shape, shape), _added_axes(shape, x.shape)
    # An extent of 1 that is inferred, or that of a batch, is not 1 for other inputs.
    is_open = inferred is not None and (inferred in added or 0 in (*added, *removed))
    if not is_open or not x.shape or not shape:
        if added:
            return c.op("unsqueeze", x, axes=added)
        if removed:
            return c.op("squeeze", x, axes=removed)
    if prod(shape) != prod(x.shape):
        return c.op("reshape", x, shape=[*shape])  # This fails; with a -1, it need not.
    change = ShapeChange(x.shape, shape)
    return c.op("reshape", x, **reshape_attributes(change, inferred, inherited))


def _added_axes(short: Sequence[int], long: Sequence[int]) -> list[int]:
    """Return the additional axes of extent 1 in `long`; [] if the shapes differ otherwise."""
    axes = []
    position = 0
    for axis, extent in enumerate(long):
        if position < len(short) and short[position] == extent:
            position += 1
        elif extent == 1:
            axes.append(axis)
        else:
            return []
    return axes if position == len(short) else []


def fits_float32(array: Array) -> bool:
    """Return whether float32 holds all elements without rounding."""
    with np.errstate(over="ignore"):
        return bool(np.array_equal(array.astype(np.float32), array, equal_nan=True))


def empty(c: OperatorCall, shape: Sequence[int], dtype: DType) -> Value:
    """Return a constant without elements, which NNEF does not have; concatenations skip it."""
    return c.graph.constant(np.zeros(tuple(shape), dtype))


def to_rank(c: OperatorCall, x: Value, rank: int) -> Value:
    """Return `x` with leading axes of extent 1, to broadcast as in formats that align right."""
    return reshaped(c, x, (1,) * (rank - x.rank) + x.shape)


def transposed(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return `x` with its axes in another order."""
    axes = [int(axis) for axis in axes]
    if axes == [*range(x.rank)]:
        return x
    if x.data is not None:
        return c.graph.derived(
            x, ("transpose", *axes), lambda data: np.ascontiguousarray(data.transpose(axes))
        )
    return c.op("transpose", x, axes=axes)


def written_bounds(
    begin: int | None, end: int | None, extent: int, step: int = 1
) -> tuple[int, int]:
    """Return the bounds of a slice as NNEF writes them, for any extent.

    Bounds that count from the end do so in the text, and an end past the axis remains there
    (4.5.4).
    """
    first, last, _ = slice(begin, end, step).indices(extent)
    if begin is not None and -extent <= begin < 0:
        first = begin
    elif step < 0 and (begin is None or begin >= extent):
        first = -1
    if end is not None and (-extent <= end < 0 or end < 0 > step):
        last = max(end, BEFORE_FIRST)
    elif step < 0 and last < 0:
        last = BEFORE_FIRST
    elif step > 0 and (end is None or end >= extent):
        last = _END if end is None else min(end, _END)
    return first, last


def sliced(
    c: OperatorCall,
    x: Value,
    axis: int,
    begin: int,
    end: int,
    step: int = 1,
    written: tuple[int, int] | None = None,
) -> Value:
    """Return a part of one axis; positions count from the front, `end` is excluded.

    The attributes are the bounds that are `written`, if they are given.
    """
    if (begin, end, step) == (0, x.shape[axis], 1):
        return x
    if x.data is not None:
        return c.graph.derived(
            x,
            ("slice", axis, begin, end, step),
            lambda data: np.take(data, range(begin, end, step), axis),
        )
    stride: dict[str, Any] = {} if step == 1 else {"stride": [step]}
    begin, end = written or (begin, end)
    return c.op("slice", x, axes=[axis], begin=[begin], end=[end], **stride)


def expanded(c: OperatorCall, x: Value, shape: Sequence[int]) -> Value:
    """Return `x` repeated to a shape that its own shape broadcasts to."""
    shape = tuple(shape)
    x = to_rank(c, x, len(shape))
    repeats = [to // extent for extent, to in zip(x.shape, shape, strict=True)]
    if all(repeat == 1 for repeat in repeats):
        return x
    if x.data is not None:
        return c.graph.derived(
            x, ("expand", shape), lambda data: np.ascontiguousarray(np.broadcast_to(data, shape))
        )
    return c.op("tile", x, repeats=repeats)


def axis_of(axis: int, rank: int) -> int:
    """Return an axis that may count from the end, counted from the front."""
    return axis + rank if axis < 0 else axis


def axes_of(axes: int | Sequence[int] | None, rank: int) -> list[int]:
    """Return axes counted from the front, in order; all of them if none are given."""
    if axes is None or axes == []:
        return [*range(rank)]
    return sorted(axis_of(axis, rank) for axis in ([axes] if isinstance(axes, int) else axes))


def channels(c: OperatorCall, x: Value | None, default: float = 0.0) -> Value | float:
    """Return one number for each channel as ``[1, C]``, or `default` without it."""
    return default if x is None else reshaped(c, x, (1, x.shape[0]))


def per_channel(c: OperatorCall, x: Value | None, rank: int, default: float) -> Value | float:
    """Return one number for each channel as ``[1, C, 1, ...]``, or `default` without it."""
    return default if x is None else reshaped(c, x, (1, x.shape[0], *(1,) * (rank - 2)))


# -- broadcasting ----------------------------------------------------------------------------------


def broadcast(c: OperatorCall, *shapes: Sequence[int]) -> tuple[int, ...]:
    """Return the shape that shapes broadcast to, aligned from the right.

    Raises:
        Refusal: The shapes cannot be broadcast together.
    """
    try:
        return np.broadcast_shapes(*map(tuple, shapes))
    except ValueError:
        listed = " and ".join(str([*map(int, shape)]) for shape in shapes)
        raise Refusal(f"the shapes {listed} cannot be broadcast together", c.invalid_hint) from None


def aligned(c: OperatorCall, *values: Value) -> list[Value]:
    """Return the values with equal ranks; constants of one element become literals."""
    shape = broadcast(c, *(value.shape for value in values))
    rank = max(value.rank for value in values)
    others = [value for value in values if not value.is_number]
    literal = bool(others) and np.broadcast_shapes(*(v.shape for v in others)) == shape
    results = []
    for value in values:
        if literal and value.is_number and value.data is not None:
            results.append(value.converted(value.data.reshape(()), value.dtype))
        else:
            results.append(to_rank(c, value, rank) if value.rank or value.coded else value)
    return results


# -- data types ------------------------------------------------------------------------------------


def number(c: OperatorCall, x: Value | float) -> Value:
    """Return a Python number as a constant; a value is returned as it is."""
    if isinstance(x, Value):
        return x
    if isinstance(x, (bool, int)):
        return c.graph.constant(x, np.bool_ if isinstance(x, bool) else np.int64)
    if not np.isfinite(x):
        return c.graph.not_finite(x, c.scalar_dtype)
    return c.graph.constant(x, c.scalar_dtype)


def to_scalar(c: OperatorCall, x: Value) -> Value:
    """Return `x` as a tensor of scalars, the data type that NNEF computes with.

    Raises:
        Refusal: `x` holds strings.
    """
    if x.dtype.kind in "OSU":
        raise Refusal("it computes with strings", "Process strings outside of the network.")
    if x.data_type == SCALAR:
        return x
    if x.data is None:
        return c.op("cast", x, data_type=SCALAR)
    if _exceeds(x.data):
        # Engines compute with the integers themselves as long as the text has them.
        return c.graph.cast(x)
    return x.converted(x.data.astype(c.scalar_dtype), c.scalar_dtype)


def _exceeds(data: Array) -> bool:
    """Return whether some numbers are larger than the integers that float32 represents."""
    return bool(data.size) and bool(np.abs(data.astype(np.float64)).max() > EXACT)


def to_dtype(c: OperatorCall, x: Value, dtype: DType) -> Value:
    """Convert integers or logicals that were computed as scalars back to their own data type."""
    if dtype.kind == "f":
        return x
    if x.data is not None:
        if dtype.kind in "iu" and x.data.dtype == np.float32 and _exceeds(x.data):
            raise Refusal(
                "it computes integers above 16,777,216 from constants, which float32 rounds",
                "Compute them before the export.",
            )
        return x.converted(x.data.astype(dtype), dtype)
    if x.data_type == data_type_of(dtype):
        return x
    result = c.op("cast", x, data_type=LOGICAL if dtype.kind == "b" else INTEGER)
    result.dtype = dtype
    return result


def to_dtype_truncated(c: OperatorCall, x: Value, dtype: DType) -> Value:
    """Convert scalars to elements of `dtype`; integers are rounded toward zero."""
    return x if dtype.kind == "f" else to_dtype(c, truncated(c, x), dtype)


def truncated(c: OperatorCall, x: Value) -> Value:
    """Return `x` rounded toward zero."""
    return c.op("select", c.op("lt", x, 0.0), c.op("ceil", x), c.op("floor", x))


def to_logical(c: OperatorCall, x: Value) -> Value:
    """Return whether the elements are not 0."""
    if x.data_type == LOGICAL:
        return x
    if x.data is not None:
        return x.converted(x.data != 0, np.dtype(np.bool_))
    return c.op("cast", x, data_type=LOGICAL)
