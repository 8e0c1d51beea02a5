"""Hyperbolic functions and their inverses (4.2.1), precise near 0 and for large numbers."""

from __future__ import annotations

import math

from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import (
    add,
    compare,
    div,
    log_of_one_plus,
    mul,
    sub,
    unary,
    where,
)

_LARGE = 1e9
"""From here on, 1 is lost beside the square of a number."""


@lowering("sinh")
def sinh(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``(exp(x) - exp(-x)) / 2`` as ``tanh(x / 2) * (1 + cosh(x))``."""
    return mul(b, unary(b, "TANH", mul(b, x, 0.5)), add(b, cosh(b, x), 1.0))


@lowering("cosh")
def cosh(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``(exp(x) + exp(-x)) / 2``."""
    half = unary(b, "EXP", sub(b, unary(b, "ABS", x), math.log(2)))
    return add(b, half, div(b, 0.25, half))


@lowering("asinh")
def asinh(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``log(x + sqrt(x^2 + 1))``, by the symmetry of negative numbers."""
    size = unary(b, "ABS", x)
    square = mul(b, x, x)
    root = unary(b, "SQRT", add(b, square, 1.0))
    rest = add(b, size, div(b, square, add(b, root, 1.0)))
    result = _unless_large(b, size, log_of_one_plus(b, rest))
    return mul(b, unary(b, "SIGN", x), result)


@lowering("acosh")
def acosh(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``log(x + sqrt(x^2 - 1))``, NaN below 1."""
    rest = sub(b, x, 1.0)
    root = unary(b, "SQRT", mul(b, rest, add(b, x, 1.0)))
    result = _unless_large(b, x, log_of_one_plus(b, add(b, rest, root)))
    return where(b, compare(b, "LESS", x, 1.0), math.nan, result)


@lowering("atanh")
def atanh(b: TfliteBuilder, x: TfliteValue) -> TfliteValue:
    """Return ``log((1 + x) / (1 - x)) / 2``, by the symmetry of negative numbers."""
    size = unary(b, "ABS", x)
    rest = div(b, add(b, size, size), sub(b, 1.0, size))
    return mul(b, unary(b, "SIGN", x), mul(b, log_of_one_plus(b, rest), 0.5))


def _unless_large(b: TfliteBuilder, x: TfliteValue, result: TfliteValue) -> TfliteValue:
    """Return a result, or ``log(2 x)`` for numbers whose square may be too large."""
    large = add(b, unary(b, "LOG", x), math.log(2))
    return where(b, compare(b, "GREATER", x, _LARGE), large, result)
