"""Arithmetic, comparison, logic and casts (4.2)."""

from __future__ import annotations

import operator
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
from nnefkit.exchange.source_value import DTYPES, Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite

_UNARY = {
    "Abs": "abs",
    "Neg": "neg",
    "Sign": "sign",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Rsqrt": "rsqrt",
    "Square": "sqr",
    "Sin": "sin",
    "Cos": "cos",
    "Floor": "floor",
    "Ceil": "ceil",
}


@tflite(*(name.upper() for name in _UNARY))
@tensorflow(*_UNARY)
def unary(c: TensorCall) -> Value:
    """Read a function of one argument."""
    name = _UNARY[c.operator.capitalize()]
    result = c.op(name, to_scalar(c, c[0]))
    return c.to_result(result, overflows=name in ("abs", "neg", "sqr"))


@tflite("ROUND")
@tensorflow("Round", "Rint")
def rounded(c: TensorCall) -> Value:
    """Read rounding to the nearest integer, ties to even."""
    return elementwise.rounded(c, c[0])


# -- arithmetic ------------------------------------------------------------------------------------

_ARITHMETIC = {"ADD": "add", "SUB": "sub", "MUL": "mul", "MAXIMUM": "max", "MINIMUM": "min"}
_FOLDED: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "max": np.maximum,
    "min": np.minimum,
    "floor_div": np.floor_divide,
    "floor_mod": np.mod,
}
"""Operations on integers that are computed while the model is read, as shape arithmetic is."""


def _folded(c: TensorCall, name: str) -> Value | None:
    """Return the result of an operator on constant integers, in their own arithmetic."""
    x, y = c[0], c[1]
    if x.data is None or y.data is None or c.dtype.kind not in "iu":
        return None
    if name in ("floor_div", "floor_mod") and not y.data.all():
        c.invalid("it divides by 0")
    c.allowance.take(broadcast(c, x.shape, y.shape), 8)
    with np.errstate(over="ignore"):
        data = _FOLDED[name](x.data, y.data)
    return c.graph.constant(np.asarray(data, c.dtype))


@tflite(*_ARITHMETIC)
@tensorflow("Sub", "Mul", "Maximum", "Minimum")
def arithmetic(c: TensorCall) -> Value:
    """Read a sum, difference, product, maximum or minimum; integers wrap around."""
    name = _ARITHMETIC[c.operator.upper().removesuffix("V2")]
    result = _folded(c, name)
    if result is None:
        result = c.elementwise(name, c[0], c[1], overflows=name not in ("max", "min"))
    return c.activated(result)


@tflite("DIV")
@tensorflow("Div", "RealDiv", "TruncateDiv")
def divide(c: TensorCall) -> Value:
    """Read a quotient; that of integers is truncated."""
    quotient = elementwise.scalar_operation(c, "div", c[0], c[1])
    if c.dtype.kind in "iu":
        quotient = to_dtype(c, truncated(c, quotient), c.dtype)
    return c.activated(quotient)


@tflite("FLOOR_DIV")
@tensorflow("FloorDiv")
def floor_divide(c: TensorCall) -> Value:
    """Read a quotient, rounded down."""
    if (folded := _folded(c, "floor_div")) is not None:
        return folded
    x, y = to_scalar(c, c[0]), to_scalar(c, c[1])
    if c.dtype.kind in "iu":
        quotient = c.op("floor", elementwise.scalar_operation(c, "div", x, y))
        return to_dtype(c, quotient, c.dtype)
    return elementwise.floor_divide(c, x, y)


@tflite("FLOOR_MOD")
@tensorflow("FloorMod")
def floor_modulo(c: TensorCall) -> Value:
    """Read a remainder that has the sign of the divisor."""
    if (folded := _folded(c, "floor_mod")) is not None:
        return folded
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    is_integer = c.dtype.kind in "iu"
    rest = elementwise.remainder(c, x, y, truncating=False, is_integer=is_integer)
    return c.to_result(rest)


@tflite("POW")
@tensorflow("Pow")
def power(c: TensorCall) -> Value:
    """Read a power."""
    x, y = c[0], c[1]
    if c.dtype.kind in "iu":
        return c.to_result(integer_power(c, x, y), overflows=True)
    if y.data is not None and y.is_number and y.rank <= x.rank:
        return elementwise.power(c, x, float(y.data.reshape(-1)[0]))
    return c.elementwise("pow", x, y)


@tflite("SQUARED_DIFFERENCE")
@tensorflow("SquaredDifference")
def squared_difference(c: TensorCall) -> Value:
    """Read the square of a difference."""
    difference = elementwise.scalar_operation(c, "sub", c[0], c[1])
    return c.to_result(c.op("sqr", difference), overflows=True)


@tflite("ADD_N")
@tensorflow("AddN")
def add_n(c: TensorCall) -> Value:
    """Read a sum of any number of tensors."""
    values = [to_scalar(c, c[index]) for index in range(len(c.inputs))]
    if len({value.shape for value in values}) != 1:
        c.invalid("its inputs have different shapes")
    total = reduce(lambda x, y: c.op("add", x, y), values)
    return c.to_result(total, overflows=True)


@tflite("ATAN2")
@tensorflow("Atan2")
def atan2(c: TensorCall) -> Value:
    """Read the angle of a point."""
    return elementwise.atan2(c, c[0], c[1])


# -- comparison and logic --------------------------------------------------------------------------

_COMPARISONS = {
    "Equal": "eq",
    "NotEqual": "ne",
    "Less": "lt",
    "LessEqual": "le",
    "Greater": "gt",
    "GreaterEqual": "ge",
}
_TFLITE_COMPARISONS = {
    "EQUAL": "eq",
    "NOT_EQUAL": "ne",
    "LESS": "lt",
    "LESS_EQUAL": "le",
    "GREATER": "gt",
    "GREATER_EQUAL": "ge",
}


@tflite(*_TFLITE_COMPARISONS)
@tensorflow(*_COMPARISONS)
def compare(c: TensorCall) -> Value:
    """Read a comparison."""
    name = {**_COMPARISONS, **_TFLITE_COMPARISONS}[c.operator]
    x, y = c[0], c[1]
    if x.data is not None and y.data is not None and x.dtype.kind == y.dtype.kind == "i":
        # Scalars would round large ones.
        c.allowance.take(broadcast(c, x.shape, y.shape), 1)
        return c.graph.constant(getattr(operator, name)(x.data, y.data))
    return elementwise.scalar_operation(c, name, c[0], c[1])


@tflite("LOGICAL_AND", "LOGICAL_OR")
@tensorflow("LogicalAnd", "LogicalOr")
def logic(c: TensorCall) -> Value:
    """Read a conjunction or a disjunction."""
    return c.op("and" if c.operator.upper().endswith("AND") else "or", *aligned(c, c[0], c[1]))


@tflite("LOGICAL_NOT")
@tensorflow("LogicalNot")
def negation(c: TensorCall) -> Value:
    """Read a negation."""
    return c.op("not", c[0])


@tflite("SELECT", "SELECT_V2")
@tensorflow("Select", "SelectV2")
def select(c: TensorCall) -> Value:
    """Read a choice between two tensors; the condition of the first version may choose rows."""
    condition, x, y = c[0], c[1], c[2]
    if c.operator.upper() == "SELECT" and condition.rank == 1 < x.rank:
        condition = reshaped(c, condition, (*condition.shape, *(1,) * (x.rank - 1)))
    return elementwise.where(c, condition, x, y)


# -- casts and shapes ------------------------------------------------------------------------------


@tflite("CAST")
@tensorflow("Cast")
def cast(c: TensorCall) -> Value:
    """Read a conversion to another type."""
    if c.dtype.name not in DTYPES:
        c.refuse(f"it casts to {c.dtype.name}", "NNEF has scalars, integers and logicals (3.3.1).")
    return cast_to(c, c[0], c.dtype)


@tflite("ZEROS_LIKE")
@tensorflow("ZerosLike")
def zeros_like(c: TensorCall) -> Value:
    """Read zeros of the shape of the input."""
    c.allowance.take(c[0].shape, 8)
    return c.graph.constant(np.zeros(c[0].shape, c.dtype))


@tflite("BROADCAST_TO")
@tensorflow("BroadcastTo")
def broadcast_to(c: TensorCall) -> Value:
    """Read a repetition to a shape."""
    shape = c.ints(1, "shape")
    if broadcast(c, c[0].shape, shape) != tuple(shape):
        c.invalid(f"its input of shape {[*c[0].shape]} cannot be repeated to {shape}")
    if c[0].data is not None:
        c.allowance.take(shape, 8)
    return expanded(c, c[0], shape)
