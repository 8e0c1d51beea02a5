"""Arithmetic, comparison, logic and casts (4.2)."""

from __future__ import annotations

from functools import reduce

import numpy as np

from nnefkit.exchange.compositions import casting, elementwise
from nnefkit.exchange.compositions.integer_power import integer_power
from nnefkit.exchange.compositions.integer_range import failing, narrowed, real
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import (
    aligned,
    to_dtype,
    to_dtype_truncated,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_value import DTYPES, Value

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
    """Read a function of one argument."""
    x = c[0]
    result = c.op(_UNARY[c.operator], to_scalar(c, x))
    if c.operator in ("Abs", "Neg"):
        result = narrowed(c, result, x.dtype)
    return to_dtype(c, result, x.dtype)


# -- arithmetic ------------------------------------------------------------------------------------


@operator("Add", "Sub", "Mul")
def arithmetic(c: Call) -> Value:
    """Read a sum, difference or product; integers wrap around as those of their dtype."""
    dtype, name = c[0].dtype, c.operator.lower()
    x, y = to_scalar(c, c[0]), to_scalar(c, c[1])
    result = c.elementwise(name, x, y)
    estimate = (lambda: c.elementwise(name, real(c, x), real(c, y))) if name == "mul" else None
    return to_dtype(c, narrowed(c, result, dtype, estimate), dtype)


@operator("Div")
def divide(c: Call) -> Value:
    """Read a quotient; integer quotients are truncated."""
    x, y = c[0], c[1]
    result = c.elementwise("div", to_scalar(c, x), to_scalar(c, y))
    if x.dtype.kind not in "iu":
        return result
    result = truncated(c, result)
    if x.dtype.kind == "i" and (y.data is None or (y.data == -1).any()):
        # The smallest integer divided by -1 is itself.
        result = narrowed(c, result, x.dtype)
    return to_dtype(c, result, x.dtype)


@operator("Mod")
def modulo(c: Call) -> Value:
    """Read a remainder with the sign of the divisor, or with `fmod` that of the dividend."""
    dtype, is_truncating = c[0].dtype, bool(c.attribute("fmod", 0))
    x, y = aligned(c, to_scalar(c, c[0]), to_scalar(c, c[1]))
    result = elementwise.remainder(c, x, y, truncating=is_truncating, is_integer=dtype.kind in "iu")
    if dtype.kind == "f" and (y.data is None or not np.isfinite(y.data).all()):
        # The remainder of dividing by infinity is x, or the divisor where the signs differ.
        is_infinite = elementwise.is_infinite(c, c.op("abs", y))
        rest = x
        if not is_truncating:
            rest = c.op("select", c.op("lt", c.op("mul", x, y), 0.0), y, x)
        result = c.op("select", is_infinite, rest, result)
    return to_dtype(c, result, dtype)


@operator("Pow")
def power(c: Call) -> Value:
    """Read ``x ^ y`` in the dtype of `x`."""
    x, y = c[0], to_scalar(c, c[1])
    if x.dtype.kind in "iu" and c[1].dtype.kind in "iu" and not y.is_number:
        return to_dtype(c, _whole_power(c, integer_power(c, x, c[1]), x, y), x.dtype)
    if y.data is not None and y.is_number and y.rank <= x.rank and x.dtype.kind == "f":
        return elementwise.power(c, x, float(y.data.reshape(-1)[0]))
    result = c.elementwise("pow", to_scalar(c, x), y)
    if x.dtype.kind in "iu" and c[1].dtype.kind in "iu":
        return to_dtype(c, _whole_power(c, result, x, y), x.dtype)
    if x.dtype.kind in "iu" and result.data is None:
        # NaN is not below the limit, either.
        limit = float(np.iinfo(x.dtype).max) + 1
        is_below = c.op("lt", c.op("abs", result), limit)
        result = failing(c, result, c.op("not", is_below))
    return to_dtype_truncated(c, result, x.dtype)


def _whole_power(c: Call, result: Value, x: Value, y: Value) -> Value:
    """Return an integer to the power of another one in the range of its dtype.

    Narrow ones fail the run beyond it: they wrap around only as products, which powers of 2 and 3
    are in ONNX Runtime.
    """

    def estimate() -> Value:
        return c.elementwise("pow", real(c, to_scalar(c, x)), y)

    is_product = y.data is not None and bool(np.isin(y.data, (0, 1, 2, 3)).all())
    if is_product or x.dtype.itemsize == np.dtype(np.int64).itemsize or result.data is not None:
        return narrowed(c, result, x.dtype, estimate)
    limit = float(np.iinfo(x.dtype).max)
    exceeds = c.op("or", c.op("gt", result, limit), c.op("lt", result, -limit - 1))
    exceeds = c.op("or", exceeds, c.op("gt", c.op("abs", estimate()), 1.5 * limit))
    return failing(c, result, exceeds)


_VARIADIC = {"Sum": "add", "Mean": "add", "Max": "max", "Min": "min"}


@operator(*_VARIADIC)
def variadic(c: Call) -> Value:
    """Read the sum, mean, maximum or minimum of any number of tensors."""
    values = [to_scalar(c, value) for value in c.inputs if value is not None]
    name = _VARIADIC[c.operator]
    if name == "add":
        result = reduce(lambda x, y: c.elementwise(name, x, y), values)
    else:
        is_integer = c[0].dtype.kind in "iu"
        result = reduce(
            lambda x, y: elementwise.extreme(c, name, x, y, is_integer=is_integer), values
        )
    if c.operator == "Mean" and len(values) > 1:
        result = c.op("div", result, float(len(values)))
    return to_dtype(c, result, c[0].dtype)


@operator("Clip")
def clip(c: Call) -> Value:
    """Read a clamp; if the bounds cross, the upper one wins."""
    result = elementwise.clamped(c, to_scalar(c, c[0]), _bound(c, "min", 1), _bound(c, "max", 2))
    return to_dtype(c, result, c[0].dtype)


def _bound(c: Call, name: str, index: int) -> Value | None:
    """Return a bound of a clamp; None for one that has no effect."""
    if name in c.attributes:
        value: Value | None = c.graph.constant(c.attributes[name], np.float32)
    else:
        value = c.get(index)
    if value is None:
        return None
    value = c.one_number(value, name)
    if value.data is None:
        return to_scalar(c, value)
    number = float(value.data.reshape(-1)[0])
    limits = np.iinfo(value.dtype) if value.dtype.kind in "iu" else np.finfo(np.float32)
    limit = limits.min if name == "min" else limits.max
    return None if number == float(limit) else to_scalar(c, value)


@operator("Round")
def rounded(c: Call) -> Value:
    """Read rounding to the nearest integer, ties to even."""
    return elementwise.rounded(c, c[0])


@operator("Erf")
def erf(c: Call) -> Value:
    """Read the error function."""
    return elementwise.erf(c, c[0])


# -- comparison and logic --------------------------------------------------------------------------

_COMPARISONS = {
    "Equal": "eq",
    "Less": "lt",
    "Greater": "gt",
    "LessOrEqual": "le",
    "GreaterOrEqual": "ge",
}


@operator(*_COMPARISONS)
def compare(c: Call) -> Value:
    """Read a comparison."""
    return c.elementwise(_COMPARISONS[c.operator], to_scalar(c, c[0]), to_scalar(c, c[1]))


@operator("And", "Or")
def logic(c: Call) -> Value:
    """Read a conjunction or disjunction."""
    return c.elementwise(c.operator.lower(), c[0], c[1])


@operator("Xor")
def exclusive_or(c: Call) -> Value:
    """Read an exclusive or."""
    return elementwise.exclusive_or(c, c[0], c[1])


@operator("Not")
def negation(c: Call) -> Value:
    """Read a negation."""
    return c.op("not", c[0])


@operator("Where")
def where(c: Call) -> Value:
    """Read a choice between two tensors, element by element."""
    return elementwise.where(c, c[0], c[1], c[2])


@operator("IsNaN")
def is_nan(c: Call) -> Value:
    """Read a test for NaN."""
    return elementwise.is_nan(c, c[0])


@operator("IsInf")
def is_infinite(c: Call) -> Value:
    """Read a test for infinity of both signs or of one."""
    x = c[0]
    positive, negative = c.attribute("detect_positive", 1), c.attribute("detect_negative", 1)
    if not positive and not negative:
        return c.graph.constant(np.zeros(x.shape, np.bool_))
    if negative:
        x = c.op("abs" if positive else "neg", x)
    return elementwise.is_infinite(c, x)


# -- casts -----------------------------------------------------------------------------------------


@operator("Cast", "CastLike")
def cast(c: Call) -> Value:
    """Read a conversion to another dtype."""
    from onnx import helper

    if c.operator == "CastLike":
        dtype = c[1].dtype
    else:
        dtype = np.dtype(helper.tensor_dtype_to_np_dtype(int(c.attribute("to"))))
    if dtype.name not in DTYPES:
        c.refuse(f"it casts to {dtype.name}", "NNEF has scalars, integers and logicals (3.3.1).")
    return casting.cast(c, c[0], dtype)


@operator("Identity")
def identity(c: Call) -> Value:
    """Read an identity."""
    return c[0]


@operator("Dropout")
def dropout(c: Call) -> list[Value]:
    """Read a dropout, which has no effect outside of training."""
    training, ratio = c.constant(2, "training mode"), c.constant(1, "ratio")
    if training is not None and bool(training) and (ratio is None or float(ratio) > 0):
        c.refuse("it drops elements at random", "Export the network for inference.")
    if c.wants(1) and c.opset >= 12:
        return [c[0], c.graph.constant(np.ones(c[0].shape, np.bool_))]
    # The mask of older opsets has no meaning outside of training.
    return [c[0]]


@operator("BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "BitwiseNot")
def bits(c: Call) -> Value:
    """Read a complement of at most 16 bits as a difference; refuse other bitwise operators."""
    x = c[0]
    if c.operator != "BitwiseNot" or x.dtype.itemsize > 2:
        c.refuse("NNEF has no bitwise operations", "Compute with numbers or logicals.")
    ones = float(np.iinfo(x.dtype).max) if x.dtype.kind == "u" else -1.0
    difference = c.op("sub", c.graph.constant(ones, np.float32), to_scalar(c, x))
    return to_dtype(c, difference, x.dtype)
