"""Theano's operations on single elements, which an Elemwise applies to tensors (4.2, 4.9.1)."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import reduce

from nnefkit.exchange.compositions import activation, elementwise
from nnefkit.exchange.reshaping import (
    aligned,
    broadcast,
    expanded,
    to_logical,
    to_scalar,
    truncated,
)
from nnefkit.exchange.source_value import INTEGER, LOGICAL, Value
from nnefkit.exchange.theano.call import Call
from nnefkit.exchange.theano.scalar_call import ScalarOp, scalar

# -- one operand -----------------------------------------------------------------------------------

_UNARY = {
    "Abs": "abs",
    "Neg": "neg",
    "Sgn": "sign",
    "Ceil": "ceil",
    "Floor": "floor",
    "Inv": "rcp",
    "Log": "log",
    "Log2": "log2",
    "Exp": "exp",
    "Sqr": "sqr",
    "Sqrt": "sqrt",
    "Sin": "sin",
    "Cos": "cos",
    "Tan": "tan",
    "ArcSin": "asin",
    "ArcCos": "acos",
    "ArcTan": "atan",
    "Sinh": "sinh",
    "Cosh": "cosh",
    "Tanh": "tanh",
    "ArcSinh": "asinh",
    "ArcCosh": "acosh",
    "ArcTanh": "atanh",
    "ScalarSigmoid": "sigmoid",
}


def _one(c: Call, s: ScalarOp) -> Value:
    return to_scalar(c, s.count(c, 1)[0])


@scalar(*_UNARY)
def unary(c: Call, s: ScalarOp) -> Value:
    """Read the operation of one argument that computes the same."""
    return c.op(_UNARY[s.name], _one(c, s))


_COMPOSED: dict[str, Callable[[Call, Value], Value]] = {
    "Erf": elementwise.erf,
    "Erfc": elementwise.erfc,
    "Log1p": elementwise.log1p,
    "Expm1": elementwise.expm1,
    "RoundHalfToEven": elementwise.rounded,
    "ScalarSoftplus": activation.softplus,
    "ScalarSoftsign": activation.softsign,
    "Trunc": truncated,
}


@scalar(*_COMPOSED)
def composed(c: Call, s: ScalarOp) -> Value:
    """Read a function that a few operations compute."""
    return _COMPOSED[s.name](c, _one(c, s))


_SCALED = {
    "Deg2Rad": math.pi / 180,
    "Rad2Deg": 180 / math.pi,
}


@scalar(*_SCALED)
def scaled(c: Call, s: ScalarOp) -> Value:
    """Read a product with a constant."""
    return c.op("mul", _one(c, s), c.decimal(_SCALED[s.name]))


@scalar("Log10")
def log10(c: Call, s: ScalarOp) -> Value:
    """Read a logarithm to the base 10."""
    return c.op("div", c.op("log", _one(c, s)), c.decimal(math.log(10)))


@scalar("Exp2")
def exp2(c: Call, s: ScalarOp) -> Value:
    """Read a power of 2."""
    return c.op("pow", 2.0, _one(c, s))


@scalar("RoundHalfAwayFromZero")
def rounded_away(c: Call, s: ScalarOp) -> Value:
    """Read rounding to the nearest integer, ties away from 0."""
    x = _one(c, s)
    return c.op("mul", c.op("sign", x), c.op("floor", c.op("add", c.op("abs", x), 0.5)))


@scalar("UltraFastScalarSigmoid")
def approximate_sigmoid(c: Call, s: ScalarOp) -> Value:
    """Read Theano's approximation of a sigmoid, in three pieces on either side."""
    half = c.op("mul", _one(c, s), 0.5)
    x = c.op("abs", half)
    inner = c.op("div", c.op("mul", x, 1.5), c.op("add", x, 1.0))
    line = c.op("mul", c.op("sub", x, 1.7), c.decimal(0.0458812946797165))
    middle = c.op("add", line, c.decimal(0.935409070603099))
    outer = c.op("select", c.op("lt", x, 3.0), middle, c.decimal(0.99505475368673))
    curve = c.op("select", c.op("lt", x, 1.7), inner, outer)
    signed = c.op("select", c.op("ge", half, 0.0), curve, c.op("neg", curve))
    return c.op("mul", c.op("add", signed, 1.0), 0.5)


@scalar("IsNan")
def is_nan(c: Call, s: ScalarOp) -> Value:
    """Read whether elements are NaN."""
    return elementwise.is_nan(c, _one(c, s))


@scalar("IsInf")
def is_infinite(c: Call, s: ScalarOp) -> Value:
    """Read whether elements are infinite."""
    return elementwise.is_infinite(c, c.op("abs", _one(c, s)))


@scalar("Identity", "Real", "Conj")
def same(c: Call, s: ScalarOp) -> Value:
    """Read what changes nothing."""
    return s.count(c, 1)[0]


@scalar("Cast")
def cast(c: Call, s: ScalarOp) -> Value:
    """Read a conversion to another type."""
    return c.cast(s.count(c, 1)[0], s.dtype)


# -- several operands ------------------------------------------------------------------------------

_MANY_NAMES = {"Add": "add", "Mul": "mul"}


@scalar(*_MANY_NAMES)
def many(c: Call, s: ScalarOp) -> Value:
    """Read a sum or a product of any number of operands; of logicals, `or` and `and`."""
    if not s.values:
        c.invalid(f"{s.name} has no operands")
    if s.dtype.kind == "b":
        name = "or" if s.name == "Add" else "and"
        return reduce(lambda x, y: _logical(c, name, x, y), s.values)
    name = _MANY_NAMES[s.name]
    return reduce(lambda x, y: elementwise.scalar_operation(c, name, x, y), s.values)


_BINARY = {"Sub": "sub", "TrueDiv": "div"}


@scalar(*_BINARY)
def binary(c: Call, s: ScalarOp) -> Value:
    """Read a difference or a quotient."""
    x, y = s.count(c, 2)
    return elementwise.scalar_operation(c, _BINARY[s.name], x, y)


_COMPARISONS = {"LT": "lt", "LE": "le", "GT": "gt", "GE": "ge", "EQ": "eq", "NEQ": "ne"}


@scalar(*_COMPARISONS)
def compare(c: Call, s: ScalarOp) -> Value:
    """Read a comparison."""
    x, y = s.count(c, 2)
    return elementwise.scalar_operation(c, _COMPARISONS[s.name], x, y)


@scalar("InRange")
def in_range(c: Call, s: ScalarOp) -> Value:
    """Read whether elements are between two others."""
    x, low, high = s.count(c, 3)
    above = "gt" if s.params.get("openlow") else "ge"
    below = "lt" if s.params.get("openhi") else "le"
    first = elementwise.scalar_operation(c, above, x, low)
    return c.op("and", *aligned(c, first, elementwise.scalar_operation(c, below, x, high)))


@scalar("Pow")
def power(c: Call, s: ScalarOp) -> Value:
    """Read a power."""
    x, y = s.count(c, 2)
    if s.dtype.kind in "iu":
        c.refuse("it computes a power of integers", "Cast them to floatX.")
    if y.data is not None and y.is_number and y.rank <= x.rank:
        exponent = float(y.data.reshape(-1)[0])
        return to_scalar(c, x) if exponent == 1 else elementwise.power(c, to_scalar(c, x), exponent)
    return elementwise.scalar_operation(c, "pow", x, y)


@scalar("IntDiv")
def floor_divide(c: Call, s: ScalarOp) -> Value:
    """Read a quotient, rounded down."""
    x, y = (to_scalar(c, value) for value in s.count(c, 2))
    if s.dtype.kind in "iu":
        return c.op("floor", elementwise.scalar_operation(c, "div", x, y))
    return elementwise.floor_divide(c, x, y)


@scalar("Mod")
def modulo(c: Call, s: ScalarOp) -> Value:
    """Read a remainder that has the sign of the divisor."""
    x, y = (to_scalar(c, value) for value in s.count(c, 2))
    return elementwise.remainder(c, x, y, truncating=False, is_integer=s.dtype.kind in "iu")


@scalar("Maximum", "Minimum")
def extreme(c: Call, s: ScalarOp) -> Value:
    """Read `max` or `min`; NaN if one of both is."""
    x, y = (to_scalar(c, value) for value in s.count(c, 2))
    if x.is_number or y.is_number:
        for this, other in ((x, y), (y, x)):
            if s.name == "Maximum" and this.data is not None and not this.data.any():
                return c.op("relu", expanded(c, other, broadcast(c, x.shape, y.shape)))
    is_integer = s.dtype.kind in "iu"
    return elementwise.extreme(c, s.name.lower()[:3], x, y, is_integer=is_integer)


@scalar("Clip")
def clip(c: Call, s: ScalarOp) -> Value:
    """Read `clamp`."""
    x, low, high = (to_scalar(c, value) for value in s.count(c, 3))
    return elementwise.clamped(c, x, low, high)


@scalar("ArcTan2")
def angle(c: Call, s: ScalarOp) -> Value:
    """Read the angle of a point."""
    y, x = s.count(c, 2)
    return elementwise.atan2(c, y, x)


@scalar("Second")
def second(c: Call, s: ScalarOp) -> Value:
    """Read the second operand, repeated to the shape of both."""
    x, y = s.count(c, 2)
    shape = broadcast(c, x.shape, y.shape)
    if y.data is not None:
        c.allowance.take(shape, 8)
    result = expanded(c, y, shape)
    if result is not y and y.is_number and result.data is not None:
        result.filler = True
    return result


@scalar("Switch")
def switch(c: Call, s: ScalarOp) -> Value:
    """Read `select`."""
    condition, x, y = s.count(c, 3)
    return elementwise.where(c, condition, c.to_result(x, s.dtype), c.to_result(y, s.dtype))


_LOGIC = {"AND": "and", "OR": "or"}


def _logical(c: Call, name: str, x: Value, y: Value) -> Value:
    return c.op(name, *aligned(c, to_logical(c, x), to_logical(c, y)))


@scalar("AND", "OR", "XOR")
def logic(c: Call, s: ScalarOp) -> Value:
    """Read a conjunction, or a disjunction, or whether two logicals differ."""
    x, y = s.count(c, 2)
    _check_logical(c, s)
    if s.name == "XOR":
        return elementwise.exclusive_or(c, x, y)
    return _logical(c, _LOGIC[s.name], x, y)


@scalar("Invert")
def negation(c: Call, s: ScalarOp) -> Value:
    """Read a negation."""
    _check_logical(c, s)
    return c.op("not", s.count(c, 1)[0])


def _check_logical(c: Call, s: ScalarOp) -> None:
    if any(value.data_type != LOGICAL for value in s.values):
        kind = "integers" if s.values[0].data_type == INTEGER else "numbers"
        c.refuse(f"it combines the bits of {kind}", "NNEF has operations on logicals only (4.2.3).")
