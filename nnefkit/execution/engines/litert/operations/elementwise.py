"""Element-wise operations (4.2)."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.integers import difference, magnitude, quotient, signs
from nnefkit.execution.engines.litert.lowerings import LOWERINGS, lowering
from nnefkit.execution.engines.litert.primitives import (
    add,
    cast,
    compare,
    div,
    elementwise,
    maximum,
    minimum,
    mul,
    round_half_up,
    square,
    sub,
    unary,
    where,
)

_UNARY = {
    "neg": "NEG",
    "exp": "EXP",
    "log": "LOG",
    "sin": "SIN",
    "cos": "COS",
    "tanh": "TANH",
    "not": "LOGICAL_NOT",
    "floor": "FLOOR",
    "ceil": "CEIL",
    "sqrt": "SQRT",
    "rsqrt": "RSQRT",
}
_BINARY = {"add": "ADD", "mul": "MUL", "pow": "POW", "min": "MINIMUM"}
_BINARY |= {"max": "MAXIMUM"}
_LOGICAL = {
    "lt": "LESS",
    "gt": "GREATER",
    "le": "LESS_EQUAL",
    "ge": "GREATER_EQUAL",
    "eq": "EQUAL",
    "ne": "NOT_EQUAL",
    "and": "LOGICAL_AND",
    "or": "LOGICAL_OR",
}

_QUARTER = (1.5703125, 0.0004837512969970703, 7.549789948768648e-08)
"""Three parts of pi / 2, the first ones with few digits: whole multiples of them are exact."""

Unary = Callable[[TfliteBuilder, TfliteValue], TfliteValue]
Binary = Callable[[TfliteBuilder, TfliteValue, TfliteValue], TfliteValue]


def _as_unary(kind: str) -> Unary:
    return lambda b, x: unary(b, kind, x)


def _as_binary(kind: str) -> Binary:
    return lambda b, x, y: elementwise(b, kind, x, y)


def _as_logical(kind: str) -> Binary:
    return lambda b, x, y: compare(b, kind, x, y)


for _name, _kind in _UNARY.items():
    lowering(_name)(_as_unary(_kind))
for _name, _kind in _BINARY.items():
    lowering(_name)(_as_binary(_kind))
for _name, _kind in _LOGICAL.items():
    lowering(_name)(_as_logical(_kind))


@lowering("copy")
def copy(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:  # noqa: ARG001
    """Return the input itself."""
    return x


@lowering("copy_n")
def copy_n(b: TfliteBuilder, x: TfliteValue, *, times: int) -> list[TfliteValue]:  # noqa: ARG001
    """Return the input several times."""
    return [x] * times


@lowering("add_n")
def add_n(b: TfliteBuilder, x: list[TfliteValue]) -> TfliteValue:
    """Return the sum of all inputs."""
    if not x:
        return b.constant(0.0, b.scalar)
    total = x[-1]
    for value in reversed(x[:-1]):
        total = add(b, value, total)
    return total


@lowering("sub")
def subtract(b: TfliteBuilder, x: TfliteValue, y: TfliteValue) -> TfliteValue:
    """Return ``x - y``."""
    return sub(b, x, y) if x.is_real else difference(b, x, y)


@lowering("div")
def divide(b: TfliteBuilder, x: TfliteValue, y: TfliteValue) -> TfliteValue:
    """Return ``x / y``; the quotient of integers is rounded down."""
    return div(b, x, y) if x.is_real else quotient(b, x, y)


@lowering("abs")
def abs_(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the absolute value."""
    return unary(b, "ABS", x) if x.is_real else magnitude(b, x)


@lowering("sign")
def sign(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return -1, 0 or 1."""
    return unary(b, "SIGN", x) if x.is_real else signs(b, x)


@lowering("rcp")
def rcp(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``1 / x``."""
    return div(b, 1.0, x)


@lowering("sqr")
def sqr(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``x ^ 2``."""
    return square(b, x)


@lowering("rsqr")
def rsqr(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``x ^ -2``."""
    return div(b, 1.0, mul(b, x, x))


@lowering("log2")
def log2(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the logarithm to the base 2."""
    return mul(b, unary(b, "LOG", x), 1.0 / math.log(2.0))


@lowering("tan")
def tan(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the tangent, from the sine and cosine of the distance to a multiple of pi / 2.

    LiteRT's own sine and cosine have an absolute error of 2e-7 where they are almost 0.
    """
    turns = round_half_up(b, mul(b, x, 2 / math.pi))
    rest = x
    for part in _QUARTER:
        rest = sub(b, rest, mul(b, turns, part))
    sine, cosine = unary(b, "SIN", rest), unary(b, "COS", rest)
    even = unary(b, "FLOOR", mul(b, turns, 0.5))
    is_even = compare(b, "EQUAL", mul(b, even, 2.0), turns)
    return where(b, is_even, div(b, sine, cosine), unary(b, "NEG", div(b, cosine, sine)))


@lowering("atan")
def atan(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the angle whose tangent is `x`."""
    return elementwise(b, "ATAN2", x, _like(b, x, 1.0))


@lowering("asin")
def asin(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the angle whose sine is `x`."""
    return elementwise(b, "ATAN2", x, _other_leg(b, x))


@lowering("acos")
def acos(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return the angle whose cosine is `x`."""
    return elementwise(b, "ATAN2", _other_leg(b, x), x)


def _other_leg(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``sqrt(1 - x^2)``."""
    return unary(b, "SQRT", mul(b, sub(b, 1.0, x), add(b, x, 1.0)))


def _like(b: TfliteBuilder, x: TfliteValue, number: float) -> TfliteValue:
    return b.constant(np.full(x.shape, number, x.dtype))


@lowering("logarithmic_quantize")
def logarithmic_quantize(
    b: TfliteBuilder,
    x: TfliteValue,
    max: TfliteValue,
    *,
    bits: int,
) -> TfliteValue:
    """Round to a power of two, to the nearest exponent (4.9.5)."""
    with np.errstate(all="ignore"):
        largest = np.ceil(np.log2(np.asarray(max.data)))
    least = b.constant(np.asarray(largest - largest.dtype.type(2**bits - 1)))
    exponent = minimum(b, log2(b, unary(b, "ABS", x)), b.constant(largest))
    exponent = round_half_up(b, maximum(b, exponent, least))
    size = elementwise(b, "POW", _like(b, exponent, 2.0), exponent)
    return mul(b, LOWERINGS["sign"](b, x), size)


@lowering("round")
def round_(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``floor(x + 0.5)``."""
    return round_half_up(b, x)


@lowering("select")
def select(
    b: TfliteBuilder, condition: TfliteValue, true_value: TfliteValue, false_value: TfliteValue
) -> TfliteValue:
    """Return elements of one value or the other."""
    if _is_spread_nan(condition, true_value, false_value):
        return false_value
    if true_value.dtype == np.bool_:
        pair = [cast(b, value, np.int32) for value in (true_value, false_value)]
        return compare(b, "NOT_EQUAL", where(b, condition, *pair), 0)
    return where(b, condition, true_value, false_value)


def _is_spread_nan(condition: TfliteValue, x: TfliteValue, result: TfliteValue) -> bool:
    """Return whether a selection makes a maximum or minimum NaN where `x` is NaN."""
    source, chooser = result.operator, condition.operator
    return (
        source is not None
        and chooser is not None
        and source.kind in ("MAXIMUM", "MINIMUM")
        and any(value is x for value in source.inputs)
        and chooser.kind == "NOT_EQUAL"
        and all(value is x for value in chooser.inputs)
    )


_CLAMPS = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1", (0.0, 1.0): "RELU_0_TO_1"}


@lowering("clamp")
def clamp(b: TfliteBuilder, x: TfliteValue, a: TfliteValue, bound: TfliteValue) -> TfliteValue:
    """Return ``max(min(x, b), a)``."""
    if a.data is not None and bound.data is not None and a.data.size == bound.data.size == 1:
        kind = _CLAMPS.get((float(a.data.reshape(())), float(bound.data.reshape(()))))
        if kind is not None and max(a.rank, bound.rank) <= x.rank:
            return unary(b, kind, x)
    return maximum(b, minimum(b, x, bound), a)
