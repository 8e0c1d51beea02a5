"""Elementwise functions (4.2)."""

from __future__ import annotations

import math

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    aligned,
    broadcast,
    number,
    to_logical,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_value import DType, Value

_ROUNDS = 2
"""Divisions after which a remainder is exact; each reduces it by the digits of its quotient."""
WIDEST = 8
"""Size in bytes of the integers that NNEF has, and engines compute with."""
LARGEST = float(np.finfo(np.float32).max)
NEUTRAL = {"add": 0.0, "mul": 1.0, "max": -np.inf, "min": np.inf}
"""Operation that combines elements -> its neutral element."""


def scalar_operation(c: OperatorCall, name: str, *values: Value | float) -> Value:
    """Call an elementwise operation on scalars whose shapes broadcast from the right."""
    return c.op(name, *aligned(c, *(to_scalar(c, number(c, value)) for value in values)))


def erf(c: OperatorCall, x: Value) -> Value:
    """Return the error function."""
    return c.fragment("erf", x.shape, x)


def erfc(c: OperatorCall, x: Value) -> Value:
    """Return the complement of the error function."""
    return c.op("sub", 1.0, erf(c, x))


def log1p(c: OperatorCall, x: Value) -> Value:
    """Return the logarithm of ``x + 1``."""
    return c.op("log", c.op("add", x, 1.0))


def expm1(c: OperatorCall, x: Value) -> Value:
    """Return the exponential less 1."""
    return c.op("sub", c.op("exp", x), 1.0)


def atan2(c: OperatorCall, y: Value, x: Value) -> Value:
    """Return the angle of the point ``(x, y)``."""
    y, x = aligned(c, to_scalar(c, y), to_scalar(c, x))
    return c.fragment("atan2", broadcast(c, y.shape, x.shape), y, x)


def hypot(c: OperatorCall, x: Value, y: Value) -> Value:
    """Return the root of the sum of squares."""
    x, y = aligned(c, to_scalar(c, x), to_scalar(c, y))
    return c.fragment("hypot", broadcast(c, x.shape, y.shape), x, y)


def rounded(c: OperatorCall, x: Value) -> Value:
    """Round to the nearest integer, ties to even; NNEF's `round` rounds ties up."""
    return c.fragment("round_half_to_even", x.shape, x)


def remainder(
    c: OperatorCall, x: Value, y: Value, *, truncating: bool, is_integer: bool = False
) -> Value:
    """Return the remainder of a division whose quotient is truncated, or else rounded down.

    It is NaN where the quotient of scalars has more digits than the divisions find.

    Args:
        c: The call of the operator.
        x: The dividend, as scalars.
        y: The divisor, as scalars.
        truncating: Whether the quotient is truncated.
        is_integer: Whether both are integers; their quotients and products need no correction.
    """
    if is_integer:
        quotient = c.op("div", *aligned(c, x, y))
        whole = truncated(c, quotient) if truncating else c.op("floor", quotient)
        return c.op("sub", *aligned(c, x, c.op("mul", *aligned(c, whole, y))))
    if truncating:
        rest = remainder(c, c.op("abs", x), c.op("abs", y), truncating=False)
        negative = c.op("neg", rest)
        return c.op("select", *aligned(c, c.op("lt", x, 0.0), negative, rest))
    rest = x
    for _ in range(_ROUNDS):
        rest = _exact(c, "division_rest", rest, y)
    signs = c.op("mul", *aligned(c, c.op("sign", rest), c.op("sign", y)))
    raised = c.op("add", *aligned(c, rest, y))
    result = c.op("select", c.op("lt", signs, 0.0), raised, rest)
    is_beyond = c.op("gt", *aligned(c, c.op("abs", result), c.op("abs", y)))
    return c.op("select", is_beyond, math.nan, result)


def floor_divide(c: OperatorCall, x: Value, y: Value) -> Value:
    """Return the quotient of scalars that are not integers, rounded down."""
    return _exact(c, "floor_divide", x, y)


def _exact(c: OperatorCall, fragment: str, x: Value, y: Value) -> Value:
    x, y = aligned(c, x, y)
    return c.fragment(fragment, broadcast(c, x.shape, y.shape), x, y)


def wrapped(c: OperatorCall, x: Value, dtype: DType) -> Value:
    """Return integers, computed as scalars, wrapped around to the range of a dtype.

    Numbers inside of the range meet no large ones on the way, which float32 would round.
    """
    turns, half = x, float(2 ** (8 * dtype.itemsize - 1))
    if dtype.kind == "i":
        # From -half to half: floor((x + half) / range).
        halves = c.op("floor", c.op("div", x, half))
        turns = c.op("floor", c.op("div", c.op("add", halves, 1.0), 2.0))
    else:
        turns = c.op("floor", c.op("div", x, 2 * half))
    return c.op("sub", x, c.op("mul", turns, 2 * half))


def extreme(c: OperatorCall, name: str, x: Value, y: Value, *, is_integer: bool = False) -> Value:
    """Return the `max` or `min` of scalars; NaN if one of them is.

    ``max(x, y)`` is `y` where `x` is NaN (4.2.4).
    """
    x, y = aligned(c, x, y)
    if y.data is not None and x.data is None:
        x, y = y, x
    result = c.op(name, x, y)
    if is_integer or (x.data is not None and not np.isnan(x.data).any()):
        return result
    return c.op("select", c.op("ne", x, x), x, result)


def power(c: OperatorCall, x: Value, exponent: float) -> Value:
    """Return `x` to a constant power, by a simpler operation where there is one."""
    shorter = {2.0: "sqr", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "rcp"}.get(exponent)
    return c.op(shorter, x) if shorter else c.op("pow", x, c.decimal(exponent))


def where(c: OperatorCall, condition: Value, x: Value, y: Value) -> Value:
    """Return `x` where the condition is true, else `y`; shapes broadcast from the right."""
    operands = aligned(c, to_logical(c, condition), x, y)
    return c.op("select", *operands, data_type=x.data_type)


def clamped(c: OperatorCall, x: Value, low: Value | None, high: Value | None) -> Value:
    """Clamp scalars to a range that may be open; if its bounds cross, the upper one wins.

    Raises:
        Refusal: A constant bound is NaN.
    """
    low, high = _bound(low, -np.inf), _bound(high, np.inf)
    if low is not None and high is not None and _is_ordered(low, high):
        return c.op("clamp", *aligned(c, x, low, high))
    # `max` and `min` return their second argument if one of the two is NaN.
    if low is not None:
        x = c.op("max", *aligned(c, low, x))
    return x if high is None else c.op("min", *aligned(c, high, x))


def _bound(bound: Value | None, without_effect: float) -> Value | None:
    """Return a bound, or None if it has no effect."""
    if bound is None or bound.data is None:
        return bound
    if np.isnan(bound.data).any():
        refuse("a bound is NaN", "Replace the bound by a number.")
    return None if (bound.data == without_effect).all() else bound


def _is_ordered(low: Value, high: Value) -> bool:
    return low.data is not None and high.data is not None and bool((low.data <= high.data).all())


def exclusive_or(c: OperatorCall, x: Value, y: Value) -> Value:
    """Return whether two logicals differ."""
    return scalar_operation(c, "ne", x, y)


def is_nan(c: OperatorCall, x: Value) -> Value:
    """Return whether elements are NaN, which are unequal to themselves."""
    return c.op("ne", x, x)


def is_infinite(c: OperatorCall, x: Value) -> Value:
    """Return whether elements are positive infinity, above the largest finite number."""
    if x.dtype.itemsize == 8:
        return c.op("eq", x, np.inf)
    return c.op("gt", x, LARGEST)
