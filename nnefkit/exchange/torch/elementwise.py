"""Elementwise operators (4.2)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.exchange.builder import LOGICAL, SCALAR, Value
from nnefkit.exchange.torch.registry import READERS, Call, operator, refuse
from nnefkit.exchange.torch.values import (
    aligned,
    arithmetic,
    number,
    to_kind,
    to_logical,
    to_scalar,
)

Operand = Value | float

_UNARY = {
    "abs": "abs", "neg": "neg", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt",
    "sin": "sin", "cos": "cos", "tan": "tan", "sinh": "sinh", "cosh": "cosh", "tanh": "tanh",
    "asin": "asin", "acos": "acos", "atan": "atan", "asinh": "asinh", "acosh": "acosh",
    "atanh": "atanh", "sign": "sign", "floor": "floor", "ceil": "ceil", "log2": "log2",
    "reciprocal": "rcp", "square": "sqr", "sigmoid": "sigmoid", "relu": "relu",
}  # fmt: skip
_BINARY = {
    "mul": "mul", "maximum": "max", "minimum": "min", "pow": "pow",
    "lt": "lt", "gt": "gt", "le": "le", "ge": "ge", "eq": "eq", "ne": "ne",
}  # fmt: skip


def _register(names: dict[str, str], operands: int) -> None:
    def reader(operation: str) -> Any:
        def unary(c: Call, x: Operand) -> Value:
            return arithmetic(c, operation, x)

        def binary(c: Call, x: Operand, other: Operand) -> Value:
            return arithmetic(c, operation, x, other)

        return unary if operands == 1 else binary

    for name, operation in names.items():
        READERS[name] = reader(operation)


_register(_UNARY, 1)
_register({name: op for name, op in _BINARY.items() if name != "pow"}, 2)


@operator("add")
def add(c: Call, x: Operand, other: Operand, alpha: float = 1) -> Value:
    """`add`."""
    return arithmetic(c, "add", x, _times(c, other, alpha))


@operator("sub")
def sub(c: Call, x: Operand, other: Operand, alpha: float = 1) -> Value:
    """`sub`."""
    return arithmetic(c, "sub", x, _times(c, other, alpha))


@operator("rsub")
def rsub(c: Call, x: Operand, other: Operand, alpha: float = 1) -> Value:
    """`sub`, turned round."""
    return arithmetic(c, "sub", other, _times(c, x, alpha))


def _times(c: Call, x: Operand, factor: float) -> Operand:
    return x if factor == 1 else arithmetic(c, "mul", x, factor)


@operator("div", "true_divide")
def div(c: Call, x: Operand, other: Operand, rounding_mode: str | None = None) -> Value:
    """`div`, rounded if asked for."""
    scalars = [to_scalar(c, number(c, value)) for value in (x, other)]
    result: Value = c.op("div", *aligned(c, *scalars))
    if rounding_mode == "floor":
        result = c.op("floor", result)
    elif rounding_mode == "trunc":
        result = c.op(
            "select", c.op("lt", result, 0.0), c.op("ceil", result), c.op("floor", result)
        )
    return to_kind(c, result, c.kinds[0])


@operator("floor_divide")
def floor_divide(c: Call, x: Operand, other: Operand) -> Value:
    """`div` and `floor`."""
    return div(c, x, other, "floor")


@operator("remainder")
def remainder(c: Call, x: Operand, other: Operand) -> Value:
    """What a floored division leaves; it has the sign of the divisor."""
    a, b = (to_scalar(c, number(c, value)) for value in (x, other))
    quotient = c.op("floor", c.op("div", *aligned(c, a, b)))
    result: Value = c.op("sub", *aligned(c, a, c.op("mul", *aligned(c, quotient, b))))
    return to_kind(c, result, c.kinds[0])


@operator("pow")
def power(c: Call, x: Operand, exponent: Operand) -> Value:
    """`pow`, or what says it shorter."""
    short = {2.0: "sqr", 0.5: "sqrt", -0.5: "rsqrt", -1.0: "rcp"}
    if isinstance(exponent, (int, float)) and float(exponent) in short:
        return arithmetic(c, short[float(exponent)], x)
    return arithmetic(c, "pow", x, exponent)


@operator("log1p")
def log1p(c: Call, x: Value) -> Value:
    """`log`."""
    return arithmetic(c, "log", arithmetic(c, "add", x, 1.0))


@operator("expm1")
def expm1(c: Call, x: Value) -> Value:
    """`exp`."""
    return arithmetic(c, "sub", arithmetic(c, "exp", x), 1.0)


@operator("log10")
def log10(c: Call, x: Value) -> Value:
    """`log`."""
    return arithmetic(c, "div", arithmetic(c, "log", x), math.log(10))


@operator("erf")
def erf(c: Call, x: Value) -> Value:
    """``erf``."""
    return c.fragment("erf", to_scalar(c, x))


@operator("round")
def rounded(c: Call, x: Value, decimals: int = 0) -> Value:
    """To the nearest whole number; to the even one of two, unlike `round` (4.2.1)."""
    if decimals:
        refuse("it rounds to decimals", "Multiply, round and divide.")
    near = c.op("round", x)
    tie = c.op("eq", c.op("sub", near, x), 0.5)
    # `round` goes up at ties.
    even = c.op("mul", c.op("floor", c.op("mul", near, 0.5)), 2.0)
    result: Value = c.op("select", tie, even, near)
    return result


@operator("clamp", "hardtanh")
def clamp(
    c: Call,
    x: Value,
    min: Operand | None = None,
    max: Operand | None = None,
    min_val: float = -1.0,
    max_val: float = 1.0,
) -> Value:
    """`clamp`, or one side of it."""
    low, high = (min_val, max_val) if c.kind == "hardtanh" else (min, max)
    if low is not None and high is not None:
        return arithmetic(c, "clamp", x, low, high)
    if min is not None:
        return arithmetic(c, "max", x, min)
    return x if max is None else arithmetic(c, "min", x, max)


@operator("clamp_min")
def clamp_min(c: Call, x: Value, min: Operand) -> Value:
    """`max`."""
    return arithmetic(c, "max", x, min)


@operator("clamp_max")
def clamp_max(c: Call, x: Value, max: Operand) -> Value:
    """`min`."""
    return arithmetic(c, "min", x, max)


@operator("logical_and", "bitwise_and", "__and__")
def logical_and(c: Call, x: Value, other: Value) -> Value:
    """`and`."""
    return _logical(c, "and", x, other)


@operator("logical_or", "bitwise_or", "__or__")
def logical_or(c: Call, x: Value, other: Value) -> Value:
    """`or`."""
    return _logical(c, "or", x, other)


@operator("logical_xor", "bitwise_xor")
def logical_xor(c: Call, x: Value, other: Value) -> Value:
    """One and not the other."""
    both = _logical(c, "and", x, other)
    either = _logical(c, "or", x, other)
    result: Value = c.op("and", either, c.op("not", both))
    return result


@operator("logical_not", "bitwise_not")
def logical_not(c: Call, x: Value) -> Value:
    """`not`."""
    return _logical(c, "not", x)


def _logical(c: Call, name: str, *values: Operand) -> Value:
    given = [number(c, value) for value in values]
    if c.kind.strip("_") not in ("logical_and", "logical_or", "logical_xor", "logical_not") and any(
        value.dtype != LOGICAL for value in given
    ):
        refuse("it computes with the bits of integers", "NNEF has no such operation.")
    result: Value = c.op(name, *aligned(c, *(to_logical(c, value) for value in given)))
    return result


@operator("where")
def where(c: Call, condition: Value, x: Operand, other: Operand) -> Value:
    """`select`; finite bounds stand for infinite ones."""
    values = [_finite(c, number(c, value)) for value in (x, other)]
    if c.kinds[0].kind == "f":
        values = [to_scalar(c, value) for value in values]
    found = aligned(c, to_logical(c, condition), *values)
    result: Value = c.op("select", *found, dtype=values[0].dtype)
    return result


def _finite(c: Call, x: Value) -> Value:
    """An infinite number, which no text can say, as the largest one."""
    if x.data is None or x.data.size != 1 or np.isfinite(x.data).all() or x.dtype != SCALAR:
        return x
    if np.isnan(x.data).any():
        refuse("it puts in a number that is none", "NNEF has no literal for NaN.")
    largest = float(np.finfo(np.float32).max)
    c.note = "the largest number for infinity"
    return c.builder.constant(np.copysign(largest, x.data), x.kind, x.name)


@operator("masked_fill")
def masked_fill(c: Call, x: Value, mask: Value, value: Operand) -> Value:
    """`select`."""
    return where(c, mask, value, x)


@operator("lerp")
def lerp(c: Call, x: Value, end: Value, weight: Operand) -> Value:
    """Between two."""
    return arithmetic(c, "add", x, arithmetic(c, "mul", arithmetic(c, "sub", end, x), weight))


@operator("addcmul")
def addcmul(c: Call, x: Value, tensor1: Value, tensor2: Value, value: float = 1) -> Value:
    """A product more."""
    return add(c, x, arithmetic(c, "mul", tensor1, tensor2), value)


@operator("_to_copy", "to", "type_as")
def to_copy(
    c: Call,
    x: Value,
    dtype: Any = None,
    device: Any = None,
    other: Any = None,
    non_blocking: bool = False,
    copy: bool = False,
    memory_format: Any = None,
    layout: Any = None,
    pin_memory: Any = None,
) -> Value:
    """`cast`, where the data-type is another one."""
    kind = c.kinds[0]
    if kind.kind in "iu" and x.dtype == SCALAR:
        # PyTorch cuts decimals off, `cast` takes the next lower integer.
        x = c.op("select", c.op("lt", x, 0.0), c.op("ceil", x), c.op("floor", x))
        return to_kind(c, x, kind)
    if kind.kind == "b":
        return to_logical(c, x)
    if kind.kind in "iu" and x.dtype == LOGICAL:
        result: Value = c.op("cast", x, dtype="integer")
        return result
    return to_scalar(c, x) if kind.kind == "f" else x


@operator("alias", "detach", "clone", "contiguous", "lift_fresh_copy", "lift_fresh", "detach_")
@operator("positive", "view_as_real_copy")
def same(c: Call, x: Value, memory_format: Any = None) -> Value:
    """Nothing."""
    return x


@operator("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
@operator("native_dropout")
def dropout(c: Call, input: Value, p: float, train: bool | None) -> Any:
    """Nothing, outside of training."""
    if train and p:
        refuse("it drops items at random in training", "Call module.eval() before the export.")
    return [input, None] if c.kind == "native_dropout" else input
