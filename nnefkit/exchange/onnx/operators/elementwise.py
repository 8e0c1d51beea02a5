"""Arithmetic, comparison, logic and casts, item by item."""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.values import binary
from nnefkit.exchange.reshaping import (
    EXACT,
    aligned,
    to_dtype,
    to_dtype_truncated,
    to_logical,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_graph import DTYPES, LOGICAL, SCALAR, Value

_UNARY = {
    "Abs": "abs",
    "Neg": "neg",
    "Sign": "sign",
    "Exp": "exp",
    "Log": "log",
    "Sqrt": "sqrt",
    "Reciprocal": "rcp",
    "Floor": "floor",
    "Ceil": "ceil",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Tanh": "tanh",
    "Asin": "asin",
    "Acos": "acos",
    "Atan": "atan",
    "Asinh": "asinh",
    "Acosh": "acosh",
    "Atanh": "atanh",
}


@operator(*_UNARY)
def unary(c: Call) -> Value:
    """A function of one argument."""
    x = c[0]
    return to_dtype(c, c.op(_UNARY[c.operator], to_scalar(c, x)), x.dtype)


# -- arithmetic -------------------------------------------------------------------------------


@operator("Add", "Sub", "Mul")
def arithmetic(c: Call) -> Value:
    """A sum, difference or product; of integers, computed in scalars."""
    name = c.operator.lower()
    dtype = c[0].dtype
    result = binary(c, name, to_scalar(c, c[0]), to_scalar(c, c[1]))
    if dtype.kind in "iu" and dtype.itemsize < 4:
        if c.operator == "Mul" and dtype.itemsize > 1:
            c.refuse("products of 16-bit integers wrap around", "Compute them in float.")
        result = wrapped(c, result, dtype)
    elif dtype.kind == "u" and c.operator == "Sub":
        result = c.op("select", c.op("lt", result, 0.0), _wrapped_64(c, result, dtype), result)
    return to_dtype(c, result, dtype)


def wrapped(c: Call, x: Value, dtype: np.dtype[Any]) -> Value:
    """Whole numbers as integers of few bits hold them."""
    span = float(2 ** (8 * dtype.itemsize))
    low = float(np.iinfo(dtype).min)
    turns = c.op("floor", c.op("div", c.op("sub", x, low), span))
    return c.op("sub", x, c.op("mul", turns, span))


def _wrapped_64(c: Call, x: Value, dtype: np.dtype[Any]) -> Value:
    return c.op("add", x, float(2 ** (8 * dtype.itemsize)))


@operator("Div")
def divide(c: Call) -> Value:
    """A quotient; that of integers is truncated."""
    x, y = c[0], c[1]
    result = binary(c, "div", to_scalar(c, x), to_scalar(c, y))
    if x.dtype.kind in "iu":
        return to_dtype_truncated(c, result, x.dtype)
    return result


@operator("Mod")
def modulo(c: Call) -> Value:
    """A remainder, with the sign of the divisor, or with `fmod` that of the dividend."""
    dtype = c[0].dtype
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    quotient = c.op("div", x, y)
    whole = truncated(c, quotient) if c.attribute("fmod", 0) else c.op("floor", quotient)
    result = c.op("sub", x, c.op("mul", whole, y))
    if dtype.kind == "f":
        # Of an infinite divisor, nothing or all of it is left.
        infinite = c.op("gt", c.op("abs", y), float(np.finfo(np.float32).max))
        rest = x
        if not c.attribute("fmod", 0):
            rest = c.op("select", c.op("lt", c.op("mul", x, y), 0.0), y, x)
        if y.data is None or not np.isfinite(y.data).all():
            result = c.op("select", infinite, rest, result)
    return to_dtype(c, result, dtype)


@operator("Pow")
def power(c: Call) -> Value:
    """``x ^ y`` in the type of `x`."""
    x, y = c[0], to_scalar(c, c[1])
    if y.is_number and y.data is not None and x.dtype.kind == "f":
        exponent = float(y.data.reshape(-1)[0])
        simple = {2.0: "sqr", 0.5: "sqrt"}.get(exponent)
        if simple is not None and y.rank <= x.rank:
            return c.op(simple, x)
    result = binary(c, "pow", to_scalar(c, x), y)
    return to_dtype_truncated(c, result, x.dtype)


@operator("Sum", "Mean", "Max", "Min")
def variadic(c: Call) -> Value:
    """The sum, mean, maximum or minimum of any number of tensors."""
    dtype = c[0].dtype
    name = {"Sum": "add", "Mean": "add", "Max": "max", "Min": "min"}[c.operator]
    values = [to_scalar(c, value) for value in c.inputs if value is not None]
    result = reduce(lambda x, y: binary(c, name, x, y), values)
    if c.operator == "Mean" and len(values) > 1:
        result = c.op("div", result, float(len(values)))
    return to_dtype(c, result, dtype)


@operator("Clip")
def clip(c: Call) -> Value:
    """Bounded from below and above, the upper bound winning."""
    x = to_scalar(c, c[0])
    low, high = _bound(c, "min", 1), _bound(c, "max", 2)
    if low is not None and high is not None:
        ordered = low.data is not None and high.data is not None
        if ordered and float(low.data) <= float(high.data):  # type: ignore[arg-type]
            return to_dtype(c, c.op("clamp", x, low, high), c[0].dtype)
    if low is not None:
        x = binary(c, "max", x, low)
    if high is not None:
        x = binary(c, "min", x, high)
    return to_dtype(c, x, c[0].dtype) if x is not c[0] else x


def _bound(c: Call, name: str, index: int) -> Value | None:
    if name in c.attributes:
        value: Value | None = c.graph.constant(c.attributes[name], np.float32)
    else:
        value = c.get(index)
    if value is None:
        return None
    if value.data is not None:
        number = float(value.data.reshape(-1)[0])
        limits = np.iinfo(value.dtype) if value.dtype.kind in "iu" else np.finfo(np.float32)
        if number in (float(limits.min), float(limits.max)) or not np.isfinite(number):
            if (number > 0) == (name == "max"):
                return None
            if not np.isfinite(number):
                c.refuse("a bound is not finite", "Leave it out.")
    return to_scalar(c, value)


@operator("Round")
def round_(c: Call) -> Value:
    """Round to the nearest integer, halves to the even one."""
    return elementwise.rounded(c, c[0])


@operator("Erf")
def erf(c: Call) -> Value:
    """Return the error function."""
    return elementwise.erf(c, c[0])


# -- comparison and logic -----------------------------------------------------------------------

_COMPARISONS = {
    "Equal": "eq",
    "Less": "lt",
    "Greater": "gt",
    "LessOrEqual": "le",
    "GreaterOrEqual": "ge",
}


@operator(*_COMPARISONS)
def compare(c: Call) -> Value:
    """A comparison."""
    return binary(c, _COMPARISONS[c.operator], to_scalar(c, c[0]), to_scalar(c, c[1]))


@operator("And", "Or")
def logic(c: Call) -> Value:
    """Conjunction and disjunction."""
    return binary(c, c.operator.lower(), c[0], c[1])


@operator("Xor")
def exclusive_or(c: Call) -> Value:
    """Whether two logicals differ."""
    return binary(c, "ne", to_scalar(c, c[0]), to_scalar(c, c[1]))


@operator("Not")
def negation(c: Call) -> Value:
    """Negation."""
    return c.op("not", c[0])


@operator("Where")
def where(c: Call) -> Value:
    """One of two values for each item."""
    return binary(c, "select", c[0], c[1], c[2])


@operator("IsNaN")
def is_nan(c: Call) -> Value:
    """Whether items are unequal to themselves."""
    return c.op("ne", c[0], c[0])


@operator("IsInf")
def is_infinite(c: Call) -> Value:
    """Whether items lie beyond the largest number."""
    most = float(np.finfo(np.float32).max)
    positive, negative = c.attribute("detect_positive", 1), c.attribute("detect_negative", 1)
    x = c[0]
    if positive and negative:
        x = c.op("abs", x)
    elif negative:
        x = c.op("neg", x)
    elif not positive:
        return c.graph.constant(np.zeros(x.shape, np.bool_))
    return c.op("gt", x, most)


# -- casts --------------------------------------------------------------------------------------


@operator("Cast", "CastLike")
def cast(c: Call) -> Value:
    """Items of another type."""
    from onnx import helper

    if c.operator == "CastLike":
        dtype = c[1].dtype
    else:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(int(c.attribute("to"))))
    if dtype.name not in DTYPES:
        c.refuse(
            f"it casts to {dtype.name}",
            "NNEF has scalars, integers and logicals (3.3.1).",
        )
    return _cast(c, c[0], dtype)


def _cast(c: Call, x: Value, dtype: np.dtype[Any]) -> Value:
    if dtype.kind == "b":
        return to_logical(c, x)
    if dtype.kind == "f":
        # How many bits a scalar has is no property of the network in NNEF.
        return to_scalar(c, x)
    if x.data_type == SCALAR:
        return to_dtype(c, truncated(c, x), dtype)
    if x.data_type == LOGICAL:
        return to_dtype(c, x, dtype)
    narrower = dtype.itemsize < x.dtype.itemsize or (dtype.kind == "u" and x.dtype.kind == "i")
    if narrower and dtype.itemsize < 4:
        return to_dtype(c, wrapped(c, to_scalar(c, x), dtype), dtype)
    return x


@operator("Identity", "Dropout")
def identity(c: Call) -> list[Value | None]:
    """The input itself; dropout does nothing but in training."""
    if c.operator == "Dropout":
        _refuse_training(c)
        # What an older one gives there has no meaning but in training.
        if c.wants(1) and c.opset >= 12:
            return [c[0], c.graph.constant(np.ones(c[0].shape, np.bool_))]
    return [c[0]]


def _refuse_training(c: Call) -> None:
    training = c.values(2, "training mode")
    ratio = c.values(1, "ratio")
    if training is not None and bool(training) and (ratio is None or float(ratio) > 0):
        c.refuse("it drops items at random", "Export the network for inference.")


@operator("BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
def bits(c: Call) -> Value:
    """Shifts by known numbers of bits are products; other operations on bits have no NNEF."""
    if c.operator == "BitwiseNot" and c[0].dtype.itemsize <= 2:
        return _complement(c, c[0])
    return c.refuse("NNEF has no operations on bits", "Compute with numbers or logicals.")


def _complement(c: Call, x: Value) -> Value:
    top = float(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else -1.0
    assert top <= EXACT  # noqa: S101 - of 16 bits at most
    difference = c.op("sub", c.graph.constant(top, np.float32), to_scalar(c, x))
    return to_dtype(c, difference, x.dtype)
