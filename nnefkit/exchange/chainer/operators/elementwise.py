"""Elementwise functions (4.2)."""

from __future__ import annotations

import math
from functools import reduce
from typing import Any

import numpy as np

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.casting import cast as cast_to
from nnefkit.exchange.reshaping import aligned, number, to_dtype, to_scalar
from nnefkit.exchange.source_value import DTYPES, Value

_UNARY = {
    "Absolute": "abs",
    "Neg": "neg",
    "Exp": "exp",
    "Log": "log",
    "Log2": "log2",
    "Sqrt": "sqrt",
    "Square": "sqr",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Arcsin": "asin",
    "Arccos": "acos",
    "Arctan": "atan",
    "Arctanh": "atanh",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Sign": "sign",
    "Floor": "floor",
    "Ceil": "ceil",
    "RsqrtGPU": "rsqrt",
}


def _scalars(c: Call, x: Value) -> Value:
    """Return what was computed as scalars in the dtype of the result."""
    return to_dtype(c, x, c.dtype)


@function(*_UNARY)
def unary(c: Call) -> Value:
    """Read the operation of one argument that computes the same."""
    return _scalars(c, c.op(_UNARY[c.operator], to_scalar(c, c.one())))


_COMPOSED: dict[str, Any] = {
    "Erf": elementwise.erf,
    "Erfc": elementwise.erfc,
    "Log1p": elementwise.log1p,
    "Expm1": elementwise.expm1,
}


@function(*_COMPOSED)
def composed(c: Call) -> Value:
    """Read a function that a few operations compute."""
    result: Value = _COMPOSED[c.operator](c, c.one())
    return result


@function("Log10")
def log10(c: Call) -> Value:
    """Read a logarithm to the base 10."""
    return c.op("div", c.op("log", c.one()), c.decimal(math.log(10)))


@function("Ndtr")
def normal_distribution(c: Call) -> Value:
    """Read the distribution function of the normal distribution."""
    inner = elementwise.erf(c, c.op("mul", c.one(), c.decimal(math.sqrt(0.5))))
    return c.op("mul", c.op("add", inner, 1.0), 0.5)


# -- arithmetic ------------------------------------------------------------------------------------

_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "PowVarVar": "pow"}


@function(*_BINARY)
def binary(c: Call) -> Value:
    """Read a sum, difference, product, quotient or power of two tensors."""
    x, y = c.two()
    return _scalars(c, elementwise.scalar_operation(c, _BINARY[c.operator], x, y))


@function("MultiAdd")
def sum_of_all(c: Call) -> Value:
    """Read a sum of any number of tensors."""
    values = c.all()
    return reduce(lambda x, y: elementwise.scalar_operation(c, "add", x, y), values)


def _constant(c: Call) -> Value | float:
    """Return the constant operand of a function: a number, or an array."""
    value = c.param("value")
    if isinstance(value, dict) and "array" in value:
        array = c.array("value")
        if array.size != 1:
            return c.graph.constant(array.astype(c.dtype), name="constant")
        return c.decimal(float(array.reshape(-1)[0]))
    found = c.number("value")
    return c.decimal(found) if math.isfinite(found) else found


_WITH_CONSTANT = {
    "AddConstant": ("add", False),
    "SubFromConstant": ("sub", True),
    "MulConstant": ("mul", False),
    "DivFromConstant": ("div", True),
    "PowConstVar": ("pow", True),
}


@function(*_WITH_CONSTANT)
def with_constant(c: Call) -> Value:
    """Read an operation on a tensor and a constant."""
    name, is_first = _WITH_CONSTANT[c.operator]
    x, constant = c.one(), _constant(c)
    operands = (constant, x) if is_first else (x, constant)
    return _scalars(c, elementwise.scalar_operation(c, name, *operands))


@function("PowVarConst")
def power(c: Call) -> Value:
    """Read a power with a constant exponent."""
    x, exponent = c.one(), _constant(c)
    if isinstance(exponent, Value) or not math.isfinite(exponent):
        return elementwise.scalar_operation(c, "pow", x, exponent)
    if exponent == 1:
        return x
    return _scalars(c, elementwise.power(c, to_scalar(c, x), exponent))


@function("Maximum", "Minimum")
def extreme(c: Call) -> Value:
    """Read `max` or `min`; NaN if one of both is."""
    x, y = c.two()
    return elementwise.extreme(c, c.operator.lower()[:3], to_scalar(c, x), to_scalar(c, y))


@function("Clip")
def clip(c: Call) -> Value:
    """Read `clamp`, or `max` or `min` with one bound."""
    low, high = (
        None if c.param(name) is None else number(c, c.decimal(c.number(name)))
        for name in ("x_min", "x_max")
    )
    return elementwise.clamped(c, c.one(), low, high)


@function("Fmod")
def remainder(c: Call) -> Value:
    """Read a remainder that has the sign of the dividend."""
    x, y = c.two()
    return elementwise.remainder(c, x, y, truncating=True)


@function("Arctan2")
def angle(c: Call) -> Value:
    """Read the angle of a point."""
    y, x = c.two()
    return elementwise.atan2(c, y, x)


@function("LinearInterpolate")
def interpolate(c: Call) -> Value:
    """Read ``p x + (1 - p) y``."""
    if len(c.inputs) != 3:
        c.invalid(f"it has {len(c.inputs)} inputs, not 3")
    p, x, y = aligned(c, c[0], c[1], c[2])
    rest = c.op("sub", 1.0, p)
    return c.op("add", c.op("mul", p, x), c.op("mul", rest, y))


@function("SquaredError", "AbsoluteError")
def error(c: Call) -> Value:
    """Read the square or the absolute value of a difference."""
    x, y = aligned(c, *c.two())
    return c.op("sqr" if c.operator == "SquaredError" else "abs", c.op("sub", x, y))


@function("MeanSquaredError", "MeanAbsoluteError")
def mean_error(c: Call) -> Value:
    """Read the mean square or absolute value of a difference."""
    x, y = c.two()
    if x.shape != y.shape:
        c.invalid(f"its inputs have the shapes {[*x.shape]} and {[*y.shape]}")
    each = c.op("sqr" if "Squared" in c.operator else "abs", c.op("sub", x, y))
    axes = [*range(x.rank)]
    mean = c.op("mean_reduce", each, axes=axes)
    return c.op("squeeze", mean, axes=axes) if axes else mean


# -- choices and types -----------------------------------------------------------------------------


@function("Where")
def where(c: Call) -> Value:
    """Read `select`."""
    x, y = c.two()
    condition = c.graph.constant(c.array("condition").astype(np.bool_))
    return elementwise.where(c, condition, to_scalar(c, x), to_scalar(c, y))


@function("Cast")
def cast(c: Call) -> Value:
    """Read a conversion to another type."""
    wanted = c.param("type")
    name = wanted.get("dtype") if isinstance(wanted, dict) else wanted
    if not isinstance(name, str) or name not in DTYPES:
        c.refuse(f"it casts to {name!r}", "NNEF has scalars, integers and logicals (3.3.1).")
    return cast_to(c, c.one(), np.dtype(name))


@function("Identity", "Copy", "Forget")
def same(c: Call) -> list[Value]:
    """Read what changes nothing."""
    return c.all()
