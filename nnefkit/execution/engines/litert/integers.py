"""Arithmetic of 64-bit integers, of which LiteRT's kernels have a part only.

Where a kernel has 32 bits, a run fails for larger integers: an index is out of range then.
"""

from __future__ import annotations

import numpy as np

from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.primitives import (
    add,
    cast,
    compare,
    elementwise,
    maximum,
    mul,
    reduce,
    sub,
    unary,
)

LARGEST = 2**31 - 1


def magnitude(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the absolute values of integers."""
    return maximum(b, x, unary(b, "NEG", x))


def signs(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the signs of integers."""
    above, below = (compare(b, kind, x, 0) for kind in ("GREATER", "LESS"))
    return sub(b, cast(b, above, np.int64), cast(b, below, np.int64))


def narrowed(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return integers in 32 bits; a run fails if one does not fit."""
    if x.data is not None and np.abs(x.data).max(initial=0) <= LARGEST:
        return cast(b, x, np.int32)
    beyond = compare(b, "GREATER", x, LARGEST), compare(b, "LESS", x, -LARGEST)
    is_large = cast(b, compare(b, "LOGICAL_OR", *beyond), np.int32)
    # The only index of one element: any other is out of range.
    zero = b.op("GATHER", [b.ints(0), is_large], x.shape, Axis=0)
    return add(b, cast(b, x, np.int32), zero)


def quotient(b: TfliteBuilder, x: TfliteValue, y: TfliteValue) -> TfliteValue:
    """Return the quotient of integers, rounded down; a run fails where a divisor is 0."""
    pair = narrowed(b, x), narrowed(b, y)
    result = cast(b, elementwise(b, "FLOOR_DIV", *pair), np.int64)
    b.quotients[id(result)] = x, y, result
    return result


def difference(b: TfliteBuilder, x: TfliteValue, y: TfliteValue) -> TfliteValue:
    """Return ``x - y``; what wraps integers around at 32 bits becomes a cast."""
    turns = _factor(y, 2**32)
    halves = None if turns is None else _dividend(b, turns, 2)
    rest = None if halves is None else _term(halves, 1)
    if rest is not None and _dividend(b, rest, 2**31) is x:
        return cast(b, cast(b, x, np.int32), np.int64)
    return sub(b, x, y)


def _factor(value: TfliteValue, number: int) -> TfliteValue | None:
    return _other(value, "MUL", number)


def _term(value: TfliteValue, number: int) -> TfliteValue | None:
    return _other(value, "ADD", number)


def _other(value: TfliteValue, kind: str, number: int) -> TfliteValue | None:
    """Return the operand beside a number."""
    source = value.operator
    if source is None or source.kind != kind or not _is_number(source.inputs[1], number):
        return None
    return source.inputs[0]


def _dividend(b: TfliteBuilder, value: TfliteValue, divisor: int) -> TfliteValue | None:
    found = b.quotients.get(id(value))
    return found[0] if found is not None and _is_number(found[1], divisor) else None


def _is_number(value: TfliteValue, number: int) -> bool:
    return value.data is not None and value.data.size == 1 and bool((value.data == number).all())


def product(b: TfliteBuilder, left: TfliteValue, right: TfliteValue) -> TfliteValue:
    """Return the product of matrices of integers, whose batch dimensions broadcast."""
    rows, columns = left.shape[-2], right.shape[-1]
    # One axis for rows, one for the inner extent, one for columns.
    first = b.reshape(left, (*left.shape, 1))
    second = b.reshape(right, (*right.shape[:-2], 1, *right.shape[-2:]))
    total = reduce(b, "SUM", mul(b, first, second), [left.rank - 1])
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    return b.reshape(total, (*batch, rows, columns))
