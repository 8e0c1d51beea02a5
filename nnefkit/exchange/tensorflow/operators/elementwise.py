"""Functions of single elements that TFLite does not have (4.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.reshaping import aligned, reshaped, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_operators.elementwise import arithmetic
from nnefkit.exchange.tensorflow.call import Call, operator

_UNARY = {
    "Reciprocal": "rcp",
    "Inv": "rcp",
    **{
        name.capitalize(): name
        for name in ("tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh")
    },
}


@operator(*_UNARY)
def unary(c: Call) -> Value:
    """Read a function of one argument."""
    return c.op(_UNARY[c.operator], to_scalar(c, c[0]))


@operator("Erf")
def erf(c: Call) -> Value:
    """Read the error function."""
    return elementwise.erf(c, c[0])


@operator("Erfc")
def erfc(c: Call) -> Value:
    """Read the complement of the error function."""
    return elementwise.erfc(c, c[0])


@operator("Log1p")
def log1p(c: Call) -> Value:
    """Read the logarithm of ``x + 1``."""
    return elementwise.log1p(c, c[0])


@operator("Expm1")
def expm1(c: Call) -> Value:
    """Read the exponential less 1."""
    return elementwise.expm1(c, c[0])


@operator("IsNan", "IsInf", "IsFinite")
def is_kind(c: Call) -> Value:
    """Read a test for NaN or infinity."""
    x = to_scalar(c, c[0])
    if c.operator == "IsNan":
        return elementwise.is_nan(c, x)
    size = c.op("abs", x)
    if c.operator == "IsInf":
        return elementwise.is_infinite(c, size)
    if x.dtype.itemsize == 8:
        return c.op("lt", size, np.inf)
    return c.op("le", size, elementwise.LARGEST)


@operator("DivNoNan", "MulNoNan")
def without_nan(c: Call) -> Value:
    """Read a quotient or product that is 0 where its second argument is 0."""
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    result = c.op("div" if c.operator == "DivNoNan" else "mul", x, y)
    if y.data is not None and y.is_number and not y.rank and float(y.data):
        return result
    return c.op("select", c.op("eq", y, 0.0), 0.0, result)


@operator("Xlogy", "Xdivy")
def without_nan_of_zero(c: Call) -> Value:
    """Read ``x log(y)`` or ``x / y``, which is 0 where `x` is 0."""
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    result = c.op("div", x, y) if c.operator == "Xdivy" else c.op("mul", x, c.op("log", y))
    return c.op("select", c.op("eq", x, 0.0), 0.0, result)


@operator("Mod", "TruncateMod")
def truncating_modulo(c: Call) -> Value:
    """Read a remainder that has the sign of the dividend."""
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    is_integer = c.dtype.kind in "iu"
    rest = elementwise.remainder(c, x, y, truncating=True, is_integer=is_integer)
    return c.to_result(rest)


@operator("LogicalXor")
def exclusive_or(c: Call) -> Value:
    """Read whether two logicals differ."""
    return elementwise.exclusive_or(c, c[0], c[1])


@operator("ClipByValue")
def clip(c: Call) -> Value:
    """Read `clamp`."""
    return c.to_result(elementwise.clamped(c, *(to_scalar(c, c[i]) for i in range(3))))


@operator("BiasAdd", "BiasAddV1")
def bias_add(c: Call) -> Value:
    """Read a sum with one number for each channel."""
    x, bias = c[0], c.ranked(1, 1)
    if c.is_channels_first and x.rank > 2:
        bias = reshaped(c, bias, (*bias.shape, *(1,) * (x.rank - 2)))
    layer = c.with_bias(0, bias)
    return c.elementwise("add", x, bias, overflows=True) if layer is None else layer


@operator("Add", "AddV2")
def add(c: Call) -> Value:
    """Read a sum, or the bias of a layer."""
    for index in (0, 1):
        layer = c.with_bias(index, c[1 - index])
        if layer is not None:
            return layer
    return arithmetic(c)


@operator("ApproximateEqual")
def is_close(c: Call) -> Value:
    """Read whether numbers differ by less than a tolerance."""
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    tolerance = c.decimal(float(c.option("tolerance", 1e-5)))
    return c.op("lt", c.op("abs", c.op("sub", x, y)), tolerance)
