"""Elements selected and replaced by their indices (4.5.8), and the largest ones."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import LARGEST, extreme, scalar_operation
from nnefkit.exchange.compositions.integer_range import narrowed
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    EXACT,
    aligned,
    expanded,
    reshaped,
    to_dtype,
    to_scalar,
)
from nnefkit.exchange.source_value import Value

_INDEX = np.dtype(np.int64)
_MAX_SORTED = 32
_MAX_REPETITIONS = 256


# -- selecting -------------------------------------------------------------------------------------


def counted_from_front(c: OperatorCall, indices: Value, extent: int) -> Value:
    """Return indices counted from the front; negative ones count from the end of the axis.

    Raises:
        Refusal: A constant index is out of range.
    """
    if indices.data is not None:
        if (indices.data < 0).any():
            indices = c.graph.derived(
                indices,
                ("from the front", extent),
                lambda data: np.where(data < 0, data.astype(_INDEX) + extent, data),
            )
        return checked(c, indices, extent)
    if indices.dtype.kind == "u" or extent > EXACT or _is_position(c, indices):
        return indices
    return c.fragment("index_from_front", indices.shape, indices, extent=float(extent))


def _is_position(c: OperatorCall, indices: Value) -> bool:
    """Return whether indices are positions of maxima or minima, which are never negative."""
    return any(
        indices in operation.results and operation.name in ("argmax_reduce", "argmin_reduce")
        for operation in c.graph.operations
    )


def checked(c: OperatorCall, indices: Value, extent: int) -> Value:
    """Return indices, checked now if they are constant, and otherwise at run time.

    Raises:
        Refusal: A constant index is out of range.
    """
    if indices.data is None:
        return c.fragment("checked_index", indices.shape, indices, extent=extent)
    if indices.data.size and not 0 <= indices.data.min() <= indices.data.max() < extent:
        refuse(f"its indices exceed the {extent} elements of the axis", c.invalid_hint)
    return indices


def flat_positions(c: OperatorCall, indices: Sequence[Value], extents: Sequence[int]) -> Value:
    """Return row-major positions, given the indices along each axis, counted from the front."""
    if all(index.data is not None for index in indices):
        position = np.zeros((), _INDEX)
        for index, extent in zip(indices, extents, strict=True):
            position = position * extent + np.asarray(index.data)
        return c.graph.constant(position, _INDEX)
    if prod(extents) > EXACT:
        refuse(
            "it computes positions above 16,777,216",
            "NNEF computes with scalars, and float32 represents every integer only up to that.",
        )
    parts = [checked(c, *part) for part in zip(indices, extents, strict=True)]
    result = to_scalar(c, parts[0])
    for part, extent in zip(parts[1:], extents[1:], strict=True):
        result = scalar_operation(c, "add", scalar_operation(c, "mul", result, float(extent)), part)
    return to_dtype(c, result, _INDEX)


def grid(c: OperatorCall, shape: Sequence[int], axis: int) -> Value:
    """Return the indices along an axis of each element of a tensor of the given shape."""
    extents = [1] * len(shape)
    extents[axis] = shape[axis]
    indices = np.arange(shape[axis]).reshape(extents)
    return c.graph.constant(np.broadcast_to(indices, tuple(shape)), _INDEX)


def at_positions(c: OperatorCall, x: Value, positions: Value, shape: Sequence[int]) -> Value:
    """Return the elements at row-major positions, in the given shape."""
    return reshaped(c, c.op("gather", reshaped(c, x, (prod(x.shape),)), positions, axis=0), shape)


def gather_elements(c: OperatorCall, x: Value, indices: Value, axis: int) -> Value:
    """Return elements selected along an axis, each by its own index, counted from the front."""
    parts = [grid(c, indices.shape, other) for other in range(x.rank)]
    parts[axis] = indices
    return at_positions(c, x, flat_positions(c, parts, x.shape), indices.shape)


def one_hot(c: OperatorCall, indices: Value, depth: int, axis: int, off: Value, on: Value) -> Value:
    """Return `on` where the position along a new axis is the index, and `off` elsewhere."""
    number = to_scalar(c, indices)
    shape = [1] * (indices.rank + 1)
    shape[axis] = depth
    positions = c.graph.constant(np.arange(depth, dtype=np.float32).reshape(shape))
    with c.graph.scope("one_hot"):
        negative = c.op("lt", number, 0.0)
        index = c.op("select", negative, c.op("add", number, float(depth)), number)
        index = reshaped(c, index, (*indices.shape[:axis], 1, *indices.shape[axis:]))
        return c.op("select", c.op("eq", index, positions), on, off)


# -- replacing -------------------------------------------------------------------------------------


def scatter(c: OperatorCall, x: Value, updates: Value, positions: Array) -> Value:
    """Return a tensor with elements replaced; the last update of an element wins.

    Args:
        c: The call of the operator.
        x: The tensor.
        updates: The new elements.
        positions: The row-major position in `x` of each update.
    """
    source, is_replaced = np.zeros(prod(x.shape), _INDEX), np.zeros(prod(x.shape), np.bool_)
    source[positions] = np.arange(positions.size)
    is_replaced[positions] = True
    new = at_positions(c, updates, c.graph.constant(source), x.shape)
    if is_replaced.all():
        return new
    return c.op("select", c.graph.constant(is_replaced.reshape(x.shape)), new, x)


def replace_slices(c: OperatorCall, x: Value, updates: Value, positions: Array, axis: int) -> Value:
    """Return a tensor with slices along an axis replaced; the last update of a slice wins.

    Args:
        c: The call of the operator.
        x: The tensor.
        updates: The new slices along the axis, or a single element for all of them.
        positions: The position along the axis of each new slice.
        axis: The axis.
    """
    extent = x.shape[axis]
    source, is_replaced = np.zeros(extent, _INDEX), np.zeros(extent, np.bool_)
    source[positions] = np.arange(positions.size)
    is_replaced[positions] = True
    if prod(updates.shape) == 1:
        new = reshaped(c, updates, (1,) * x.rank)
    elif np.array_equal(source, np.arange(updates.shape[axis])):
        new = updates
    else:
        new = c.op("gather", updates, c.graph.constant(source), axis=axis)
    if is_replaced.all():
        return expanded(c, new, x.shape)
    line = [1] * x.rank
    line[axis] = extent
    mask = c.graph.constant(is_replaced.reshape(line))
    return c.op("select", *aligned(c, mask, new, x))


def scatter_reduce(
    c: OperatorCall, x: Value, updates: Value, positions: Array, operation: str
) -> Value:
    """Return a tensor with elements changed by add, mul, max or min of updates; see `scatter`."""
    neutral = {"add": 0.0, "mul": 1.0}.get(operation)
    result, values = to_scalar(c, x), to_scalar(c, updates)
    sources = np.arange(positions.size)
    # One round for each repetition of a position.
    for repetition in range(prod(positions.shape)):
        if repetition > _MAX_REPETITIONS:
            refuse("its indices repeat too many times", "Scatter without a reduction.")
        if not positions.size:
            break
        _, first = np.unique(positions, return_index=True)
        source, is_changed = np.zeros(prod(x.shape), _INDEX), np.zeros(prod(x.shape), np.bool_)
        source[positions[first]] = sources[first]
        is_changed[positions[first]] = True
        new = at_positions(c, values, c.graph.constant(source), x.shape)
        mask = c.graph.constant(is_changed.reshape(x.shape))
        if neutral is None:
            joined = extreme(c, operation, result, new, is_integer=x.dtype.kind in "iu")
            result = c.op("select", mask, joined, result)
        else:
            result = c.op(operation, result, c.op("select", mask, new, neutral))
        rest = np.setdiff1d(np.arange(positions.size), first)
        positions, sources = positions[rest], sources[rest]
    return to_dtype(c, narrowed(c, result, x.dtype), x.dtype)


# -- sorting ---------------------------------------------------------------------------------------


def top(
    c: OperatorCall, x: Value, count: int, axis: int, *, largest: bool = True
) -> tuple[Value, Value]:
    """Return the largest or smallest elements along an axis in order, and their indices.

    No position repeats; NaN comes before all numbers.
    """
    if count > _MAX_SORTED:
        refuse(
            f"it sorts {count} elements",
            f"NNEF has no sorting; it is emulated for at most {_MAX_SORTED} elements.",
        )
    best, worst = ("max", "min") if largest else ("min", "max")
    is_float = x.dtype.kind == "f"
    x = to_scalar(c, x)
    if count == 1:
        return c.op(f"{best}_reduce", x, axes=[axis]), c.op(f"arg{best}_reduce", x, axes=[axis])
    shape = [1] * x.rank
    shape[axis] = x.shape[axis]
    positions = c.graph.constant(np.arange(x.shape[axis], dtype=np.float32).reshape(shape))
    past = float(x.shape[axis])
    with c.graph.scope("top_k"):
        is_nan = c.op("ne", x, x) if is_float else None
        limit = LARGEST if largest else -LARGEST
        numbers = x if is_nan is None else c.op("select", is_nan, limit, x)
        # The worst element, infinities included: it never replaces one that is not taken.
        last = c.op(f"{worst}_reduce", numbers, axes=[axis])
        taken: Value | None = None
        values, indices = [], []
        for _ in range(count):
            remaining = x if taken is None else c.op("select", taken, last, x)
            values.append(c.op(f"{best}_reduce", remaining, axes=[axis]))
            is_best = c.op("eq", x, values[-1])
            if is_nan is not None:
                is_best = c.op("or", is_best, is_nan)
            place = c.op("select", is_best, positions, past)
            if taken is not None:
                place = c.op("select", taken, past, place)
            indices.append(c.op("min_reduce", place, axes=[axis]))
            is_found = c.op("eq", positions, indices[-1])
            taken = is_found if taken is None else c.op("or", taken, is_found)
        index = c.op("concat", indices, axis=axis)
        return c.op("concat", values, axis=axis), to_dtype(c, index, _INDEX)
