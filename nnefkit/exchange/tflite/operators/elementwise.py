"""Arithmetic, comparison, logic, casts and codes (4.2, 4.9.5)."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.casting import cast as cast_to
from nnefkit.exchange.compositions.integer_power import integer_power
from nnefkit.exchange.reshaping import (
    aligned,
    broadcast,
    expanded,
    reshaped,
    to_dtype,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_value import DTYPES, SCALAR, Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator

_UNARY = {
    "ABS": "abs",
    "NEG": "neg",
    "SIGN": "sign",
    "EXP": "exp",
    "LOG": "log",
    "SQRT": "sqrt",
    "RSQRT": "rsqrt",
    "SQUARE": "sqr",
    "SIN": "sin",
    "COS": "cos",
    "FLOOR": "floor",
    "CEIL": "ceil",
}


@operator(*_UNARY)
def unary(c: Call) -> Value:
    """Read a function of one argument."""
    result = c.op(_UNARY[c.operator], to_scalar(c, c[0]))
    return c.to_result(result, overflows=c.operator in ("ABS", "NEG", "SQUARE"))


@operator("ROUND")
def rounded(c: Call) -> Value:
    """Read rounding to the nearest integer, ties to even."""
    return elementwise.rounded(c, c[0])


# -- arithmetic ------------------------------------------------------------------------------------

_ARITHMETIC = {"ADD": "add", "SUB": "sub", "MUL": "mul", "MAXIMUM": "max", "MINIMUM": "min"}
_FOLDED: dict[str, Callable[..., Any]] = {
    "ADD": np.add,
    "SUB": np.subtract,
    "MUL": np.multiply,
    "MAXIMUM": np.maximum,
    "MINIMUM": np.minimum,
    "FLOOR_DIV": np.floor_divide,
    "FLOOR_MOD": np.mod,
}
"""Operators on integers that are computed while the model is read, as shape arithmetic is."""


def _folded(c: Call) -> Value | None:
    """Return the result of an operator on constant integers, in their own arithmetic."""
    x, y = c[0], c[1]
    if x.data is None or y.data is None or c.dtype.kind not in "iu":
        return None
    if c.operator in ("FLOOR_DIV", "FLOOR_MOD") and not y.data.all():
        c.refuse("it divides by 0", INVALID)
    c.allowance.take(broadcast(c, x.shape, y.shape), 8)
    with np.errstate(over="ignore"):
        data = _FOLDED[c.operator](x.data, y.data)
    return c.graph.constant(np.asarray(data, c.dtype))


@operator(*_ARITHMETIC)
def arithmetic(c: Call) -> Value:
    """Read a sum, difference, product, maximum or minimum; integers wrap around."""
    result = _folded(c)
    if result is None:
        name = _ARITHMETIC[c.operator]
        result = c.elementwise(name, c[0], c[1], overflows=name not in ("max", "min"))
    return c.activated(result)


@operator("DIV")
def divide(c: Call) -> Value:
    """Read a quotient; that of integers is truncated."""
    quotient = elementwise.scalar_operation(c, "div", c[0], c[1])
    if c.dtype.kind in "iu":
        quotient = to_dtype(c, truncated(c, quotient), c.dtype)
    return c.activated(quotient)


@operator("FLOOR_DIV")
def floor_divide(c: Call) -> Value:
    """Read a quotient, rounded down."""
    if (folded := _folded(c)) is not None:
        return folded
    x, y = to_scalar(c, c[0]), to_scalar(c, c[1])
    if c.dtype.kind in "iu":
        quotient = c.op("floor", elementwise.scalar_operation(c, "div", x, y))
        return to_dtype(c, quotient, c.dtype)
    return elementwise.floor_divide(c, x, y)


@operator("FLOOR_MOD")
def floor_modulo(c: Call) -> Value:
    """Read a remainder that has the sign of the divisor."""
    if (folded := _folded(c)) is not None:
        return folded
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    is_integer = c.dtype.kind in "iu"
    rest = elementwise.remainder(c, x, y, truncating=False, is_integer=is_integer)
    return c.to_result(rest)


@operator("POW")
def power(c: Call) -> Value:
    """Read a power."""
    x, y = c[0], c[1]
    if c.dtype.kind in "iu":
        return c.to_result(integer_power(c, x, y), overflows=True)
    if y.data is not None and y.is_number and y.rank <= x.rank:
        return elementwise.power(c, x, float(y.data.reshape(-1)[0]))
    return c.elementwise("pow", x, y)


@operator("SQUARED_DIFFERENCE")
def squared_difference(c: Call) -> Value:
    """Read the square of a difference."""
    difference = elementwise.scalar_operation(c, "sub", c[0], c[1])
    return c.to_result(c.op("sqr", difference), overflows=True)


@operator("ADD_N")
def add_n(c: Call) -> Value:
    """Read a sum of any number of tensors."""
    values = [to_scalar(c, c[index]) for index in range(len(c.inputs))]
    if len({value.shape for value in values}) != 1:
        c.refuse("its inputs have different shapes", INVALID)
    total = reduce(lambda x, y: c.op("add", x, y), values)
    return c.to_result(total, overflows=True)


@operator("ATAN2")
def atan2(c: Call) -> Value:
    """Read the angle of a point."""
    return elementwise.atan2(c, c[0], c[1])


# -- comparison and logic --------------------------------------------------------------------------

_COMPARISONS = {
    "EQUAL": "eq",
    "NOT_EQUAL": "ne",
    "LESS": "lt",
    "LESS_EQUAL": "le",
    "GREATER": "gt",
    "GREATER_EQUAL": "ge",
}


@operator(*_COMPARISONS)
def compare(c: Call) -> Value:
    """Read a comparison."""
    return elementwise.scalar_operation(c, _COMPARISONS[c.operator], c[0], c[1])


@operator("LOGICAL_AND", "LOGICAL_OR")
def logic(c: Call) -> Value:
    """Read a conjunction or a disjunction."""
    return c.op("and" if c.operator == "LOGICAL_AND" else "or", *aligned(c, c[0], c[1]))


@operator("LOGICAL_NOT")
def negation(c: Call) -> Value:
    """Read a negation."""
    return c.op("not", c[0])


@operator("SELECT", "SELECT_V2")
def select(c: Call) -> Value:
    """Read a choice between two tensors; the condition of `SELECT` may choose whole rows."""
    condition, x, y = c[0], c[1], c[2]
    if c.operator == "SELECT" and condition.rank == 1 < x.rank:
        condition = reshaped(c, condition, (*condition.shape, *(1,) * (x.rank - 1)))
    return elementwise.where(c, condition, x, y)


# -- casts and codes -------------------------------------------------------------------------------


@operator("CAST")
def cast(c: Call) -> Value:
    """Read a conversion to another type."""
    if c.dtype.name not in DTYPES:
        c.refuse(f"it casts to {c.dtype.name}", "NNEF has scalars, integers and logicals (3.3.1).")
    return cast_to(c, c[0], c.dtype)


@operator("DEQUANTIZE", "QUANTIZE")
def as_numbers(c: Call) -> Value:
    """Read a copy: codes are the numbers that they stand for."""
    x = c[0]
    if x.data_type != SCALAR:
        c.refuse("its codes have no scale", INVALID)
    return x if x.data is not None else c.op("copy", x)


@operator("DENSIFY")
def densify(c: Call) -> Value:
    """Read weights that are stored without their zeros."""
    return c[0]


@operator("FAKE_QUANT")
def fake_quant(c: Call) -> Value:
    """Read `zero_point_linear_quantize` with a range that is adjusted to contain 0."""
    bits, is_narrow = int(c.option("num_bits")), bool(c.option("narrow_range"))
    if not 2 <= bits <= 16:
        c.refuse(f"it has {bits} bits", INVALID)
    scale, zero, lowest, highest = _nudged(c, bits, is_narrow)
    if not is_narrow:
        point = c.graph.constant(int(zero), np.int64)
        attribs: dict[str, Any] = {"bits": bits, "signed": False, "symmetric": False}
        return c.op("zero_point_linear_quantize", c[0], point, c.decimal(scale), **attribs)
    with c.graph.scope("fake_quant"):
        x = c.op("clamp", c[0], c.decimal(lowest), c.decimal(highest))
        codes = c.op("div", c.op("sub", x, c.decimal(lowest)), c.decimal(scale))
        steps = c.op("floor", c.op("add", codes, 0.5))
        return c.op("add", c.op("mul", steps, c.decimal(scale)), c.decimal(lowest))


def _nudged(c: Call, bits: int, is_narrow: bool) -> tuple[float, float, float, float]:
    """Return the scale, the zero point and the range in which 0 is a step."""
    low, high = np.float32(c.option("min", 0.0)), np.float32(c.option("max", 0.0))
    if not low < high:
        c.refuse(f"its range is from {low} to {high}", INVALID)
    first, last = np.float32(is_narrow), np.float32(2**bits - 1)
    scale = (high - low) / (last - first)
    zero = first - low / scale
    nudged = first if zero < first else last if zero > last else np.floor(zero + np.float32(0.5))
    return (
        float(scale),
        float(nudged),
        float((first - nudged) * scale),
        float((last - nudged) * scale),
    )


@operator("ZEROS_LIKE")
def zeros_like(c: Call) -> Value:
    """Read zeros of the shape of the input."""
    c.allowance.take(c[0].shape, 8)
    return c.graph.constant(np.zeros(c[0].shape, c.dtype))


@operator("BROADCAST_TO")
def broadcast_to(c: Call) -> Value:
    """Read a repetition to a shape."""
    shape = c.ints(1, "shape")
    if broadcast(c, c[0].shape, shape) != tuple(shape):
        c.refuse(f"its input of shape {[*c[0].shape]} cannot be repeated to {shape}", INVALID)
    if c[0].data is not None:
        c.allowance.take(shape, 8)
    return expanded(c, c[0], shape)
