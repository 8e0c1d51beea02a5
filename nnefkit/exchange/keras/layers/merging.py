"""Layers that merge several tensors (4.2, 4.5, 4.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

import numpy as np

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar, transposed
from nnefkit.exchange.source_value import SCALAR, Value

_LEAST_SQUARE = 1e-12

_MERGES: Mapping[str, Callable[[Call, Value, Value], Value]] = {
    "Add": lambda c, x, y: elementwise.scalar_operation(c, "add", x, y),
    "Average": lambda c, x, y: elementwise.scalar_operation(c, "add", x, y),
    "Subtract": lambda c, x, y: elementwise.scalar_operation(c, "sub", x, y),
    "Multiply": lambda c, x, y: elementwise.scalar_operation(c, "mul", x, y),
    "Maximum": lambda c, x, y: elementwise.extreme(c, "max", to_scalar(c, x), to_scalar(c, y)),
    "Minimum": lambda c, x, y: elementwise.extreme(c, "min", to_scalar(c, x), to_scalar(c, y)),
}


@layer(*_MERGES)
def merge(c: Call) -> Value:
    """Read an elementwise operation of all inputs; lower ranks get axes after the batch."""
    values = c.tensors()
    if not values:
        refuse("it has no inputs", INVALID)
    dtypes = {value.dtype for value in values}
    rank = max(value.rank for value in values)
    whole = [reshaped(c, x, (*x.shape[:1], *(1,) * (rank - x.rank), *x.shape[1:])) for x in values]
    result = reduce(lambda x, y: _MERGES[c.operator](c, x, y), whole)
    if c.operator == "Average":
        result = c.op("div", to_scalar(c, result), float(len(values)))
    elif len(dtypes) == 1 and values[0].data_type != SCALAR:
        result = to_dtype(c, result, values[0].dtype)
    _merge_masks(c, values, result)
    return result


def _merge_masks(c: Call, values: Sequence[Value], result: Value) -> None:
    """Let the masks of the inputs go with the result, joined."""
    masks = [c.mask_of(value) for value in values]
    known = [mask for mask in masks if mask is not None]
    if not known:
        return
    if c.operator in ("Multiply", "Maximum", "Minimum"):
        refuse("it merges masked steps", "Build it without masks.")
    # In Keras 2, steps count that all masks admit.
    if (c.is_keras_2 or len(known) == len(masks)) and len({mask.shape for mask in known}) == 1:
        name = "and" if c.is_keras_2 else "or"
        c.set_mask(result, reduce(lambda x, y: c.op(name, x, y), known))


def _concatenate_masks(c: Call, values: Sequence[Value], axis: int, result: Value) -> None:
    masks = [c.mask_of(value) for value in values]
    known = [mask for mask in masks if mask is not None]
    if not known:
        return
    if c.is_keras_2 or result.rank != 3 or axis == 0:
        refuse("it concatenates masked steps", "Build it without masks.")
    if axis == 1:
        c.allowance.take(result.shape[:2], 1)
        ones = [c.graph.constant(np.ones(value.shape[:2], np.bool_)) for value in values]
        parts = [one if mask is None else mask for mask, one in zip(masks, ones, strict=True)]
        c.set_mask(result, concat(c, parts, 1))
    elif len(known) == len(masks):
        c.set_mask(result, reduce(lambda x, y: c.op("or", x, y), known))


@layer("Concatenate")
def concatenate(c: Call) -> Value:
    """Read `concat`."""
    values = c.tensors()
    if not values:
        refuse("it has no inputs", INVALID)
    axis, given = c.options.axis("axis", -1, values[0].rank), values
    if len({value.data_type for value in values}) > 1:
        values = [to_scalar(c, value) for value in values]
    result = concat(c, values, axis)
    _concatenate_masks(c, given, axis, result)
    return result


@layer("Dot")
def dot(c: Call) -> Value:
    """Read `matmul` of the elements of two batches, along an axis of each."""
    values = c.tensors()
    if len(values) != 2 or min(value.rank for value in values) < 2:
        refuse("it does not have two inputs of rank 2 or more", INVALID)
    x, y = (to_scalar(c, value) for value in values)
    stated = c.options.get("axes")
    pair = [stated, stated] if isinstance(stated, int) else stated
    if not isinstance(pair, (list, tuple)) or len(pair) != 2:
        refuse(f"its axes are {stated!r:.60}", INVALID)
    first, second = (_axis(axis, value) for axis, value in zip(pair, (x, y), strict=True))
    if c.options.flag("normalize"):
        x, y = (
            c.op("l2_normalization", value, axes=[axis], epsilon=_LEAST_SQUARE**0.5)
            for value, axis in ((x, first), (y, second))
        )
    if x.shape[first] != y.shape[second] or x.shape[0] != y.shape[0]:
        refuse(f"its inputs are {[*x.shape]} and {[*y.shape]} along {[first, second]}", INVALID)
    left = [axis for axis in range(1, x.rank) if axis != first]
    right = [axis for axis in range(1, y.rank) if axis != second]
    rows = [x.shape[axis] for axis in left]
    columns = [y.shape[axis] for axis in right]
    a = transposed(c, x, [0, *left, first])
    b = transposed(c, y, [0, second, *right])
    size, batch = x.shape[first], x.shape[0]
    a = reshaped(c, a, (batch, _product(rows), size))
    b = reshaped(c, b, (batch, size, _product(columns)))
    result = c.op("matmul", a, b)
    return reshaped(c, result, (batch, *rows, *columns) if rows or columns else (batch, 1))


def _axis(axis: object, value: Value) -> int:
    if not isinstance(axis, int) or not -value.rank <= axis < value.rank or axis % value.rank == 0:
        refuse(f"its axis is {axis!r:.40} for rank {value.rank}", INVALID)
    return axis % value.rank


def _product(extents: list[int]) -> int:
    return reduce(lambda a, b: a * b, extents, 1)
