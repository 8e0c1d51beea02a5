"""Elementwise functions (4.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.reshaping import aligned, broadcast, number, to_scalar, truncated
from nnefkit.exchange.source_graph import Value

LARGEST = float(np.finfo(np.float32).max)


def scalar_operation(c: OperatorCall, name: str, *values: Value | float) -> Value:
    """Call an elementwise operation on scalars whose shapes broadcast from the right."""
    return c.op(name, *aligned(c, *(to_scalar(c, number(c, value)) for value in values)))


def erf(c: OperatorCall, x: Value) -> Value:
    """Return the error function."""
    return c.fragment("erf", x.shape, x)


def atan2(c: OperatorCall, y: Value, x: Value) -> Value:
    """Return the angle of the point ``(x, y)``."""
    y, x = aligned(c, to_scalar(c, y), to_scalar(c, x))
    return c.fragment("atan2", broadcast(c, y.shape, x.shape), y, x)


def rounded(c: OperatorCall, x: Value) -> Value:
    """Round to the nearest integer, halves to the even one; NNEF's `round` rounds them up."""
    return c.fragment("round_half_to_even", x.shape, x)


def remainder(c: OperatorCall, x: Value, y: Value, *, truncating: bool) -> Value:
    """Return the remainder of a division whose quotient is truncated, or else rounded down."""
    quotient = c.op("div", *aligned(c, x, y))
    whole = truncated(c, quotient) if truncating else c.op("floor", quotient)
    return c.op("sub", *aligned(c, x, c.op("mul", *aligned(c, whole, y))))


def power(c: OperatorCall, x: Value, exponent: float) -> Value:
    """Return `x` to a constant power, by a simpler operation where there is one."""
    shorter = {2.0: "sqr", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "rcp"}.get(exponent)
    return c.op(shorter, x) if shorter else c.op("pow", x, c.decimal(exponent))


def is_nan(c: OperatorCall, x: Value) -> Value:
    """Return whether elements are NaN, which are unequal to themselves."""
    return c.op("ne", x, x)


def is_infinite(c: OperatorCall, x: Value) -> Value:
    """Return whether elements are positive infinity, above the largest finite number."""
    return c.op("gt", x, LARGEST)
