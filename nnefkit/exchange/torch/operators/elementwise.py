"""Elementwise operators (4.2)."""

from __future__ import annotations

import math
from typing import Any

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.compositions.integer_power import integer_power
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import number, to_dtype, to_logical, to_scalar, truncated
from nnefkit.exchange.source_value import LOGICAL, SCALAR, Value
from nnefkit.exchange.torch.call import READERS, Call, arithmetic, operator, to_result

Operand = Value | float

_HALF = 0.5

_UNARY = {
    "neg": "neg", "exp": "exp", "log": "log", "sqrt": "sqrt", "rsqrt": "rsqrt",
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

        function = unary if operands == 1 else binary
        function.__doc__ = f"Return `{operation}`."
        return function

    for name, operation in names.items():
        READERS[name] = reader(operation)


_register(_UNARY, 1)
_register({name: op for name, op in _BINARY.items() if name != "pow"}, 2)


@operator("add")
def add(c: Call, x: Operand, other: Operand, alpha: float = 1) -> Value:
    """Return `add`."""
    return arithmetic(c, "add", x, _times(c, other, alpha))


@operator("sub")
def sub(c: Call, x: Operand, other: Operand, alpha: float = 1) -> Value:
    """Return `sub`."""
    return arithmetic(c, "sub", x, _times(c, other, alpha))


@operator("rsub")
def rsub(c: Call, x: Operand, other: Operand, alpha: float = 1) -> Value:
    """Return `sub` with its arguments swapped."""
    return arithmetic(c, "sub", other, _times(c, x, alpha))


def _times(c: Call, x: Operand, factor: float) -> Operand:
    return x if factor == 1 else arithmetic(c, "mul", x, factor)


@operator("div", "true_divide")
def div(c: Call, x: Operand, other: Operand, rounding_mode: str | None = None) -> Value:
    """Return `div`, rounded down or toward zero on request."""
    if rounding_mode == "floor" and c.dtypes[0].kind == "f":
        return elementwise.floor_divide(c, *(to_scalar(c, number(c, v)) for v in (x, other)))
    result = elementwise.scalar_operation(c, "div", x, other)
    if rounding_mode == "floor":
        result = c.op("floor", result)
    elif rounding_mode == "trunc":
        result = truncated(c, result)
    return to_dtype(c, result, c.dtypes[0])


@operator("floor_divide")
def floor_divide(c: Call, x: Operand, other: Operand) -> Value:
    """Return `div`, rounded down."""
    return div(c, x, other, "floor")


@operator("remainder", "fmod")
def remainder(c: Call, x: Operand, other: Operand) -> Value:
    """Return the remainder of a division that is rounded down or, for `fmod`, toward zero."""
    dividend, divisor = (to_scalar(c, number(c, value)) for value in (x, other))
    truncating = c.operator == "fmod"
    result = elementwise.remainder(
        c, dividend, divisor, truncating=truncating, is_integer=c.dtypes[0].kind in "iu"
    )
    return to_dtype(c, result, c.dtypes[0])


@operator("pow")
def power(c: Call, x: Operand, exponent: Operand) -> Value:
    """Return `pow`, or a simpler equivalent operation."""
    if c.dtypes[0].kind in "iu" and not _is_known(exponent):
        base, count = (number(c, operand) for operand in (x, exponent))
        return to_result(c, integer_power(c, base, count), overflows=True)
    if isinstance(exponent, Value) or not isinstance(x, Value):
        return arithmetic(c, "pow", x, exponent)
    result = elementwise.power(c, to_scalar(c, x), float(exponent))
    return to_result(c, result, overflows=True)


def _is_known(exponent: Operand) -> bool:
    """Return whether engines compute the power of integers by products."""
    return not isinstance(exponent, Value) and exponent <= _MAX_EXPONENT


_MAX_EXPONENT = 64


@operator("log1p")
def log1p(c: Call, x: Value) -> Value:
    """Return `log`."""
    return arithmetic(c, "log", arithmetic(c, "add", x, 1.0))


@operator("expm1")
def expm1(c: Call, x: Value) -> Value:
    """Return `exp`."""
    return arithmetic(c, "sub", arithmetic(c, "exp", x), 1.0)


@operator("log10")
def log10(c: Call, x: Value) -> Value:
    """Return `log`."""
    return arithmetic(c, "div", arithmetic(c, "log", x), math.log(10))


@operator("exp2")
def exp2(c: Call, x: Value) -> Value:
    """Return `pow`."""
    return arithmetic(c, "pow", 2.0, x)


@operator("trunc", "fix")
def trunc(c: Call, x: Value) -> Value:
    """Return `x` rounded toward zero."""
    return truncated(c, x) if c.dtypes[0].kind == "f" else x


@operator("frac")
def frac(c: Call, x: Value) -> Value:
    """Return the fractional part."""
    return arithmetic(c, "sub", x, trunc(c, x))


@operator("hypot")
def hypot(c: Call, x: Value, other: Value) -> Value:
    """Return the root of the sum of squares."""
    return elementwise.hypot(c, x, other)


@operator("atan2")
def atan2(c: Call, x: Value, other: Value) -> Value:
    """Return ``atan2``."""
    return elementwise.atan2(c, x, other)


@operator("erfc")
def erfc(c: Call, x: Value) -> Value:
    """Return ``1 - erf(x)``."""
    return arithmetic(c, "sub", 1.0, erf(c, x))


@operator("erf")
def erf(c: Call, x: Value) -> Value:
    """Return ``erf``."""
    return elementwise.erf(c, to_scalar(c, x))


@operator("round")
def rounded(c: Call, x: Value, decimals: int = 0) -> Value:
    """Round to the nearest integer, ties to even."""
    if decimals:
        refuse("it rounds to decimal places", "Multiply, round and divide.")
    return elementwise.rounded(c, x) if x.data_type == SCALAR else x


@operator("clamp", "hardtanh")
def clamp(
    c: Call,
    x: Value,
    min: Operand | None = None,
    max: Operand | None = None,
    min_val: float = -1.0,
    max_val: float = 1.0,
) -> Value:
    """Return `clamp`, or `max` or `min` for a single bound."""
    low, high = (min_val, max_val) if c.operator == "hardtanh" else (min, max)
    return _clamped(c, x, low, high)


def _clamped(c: Call, x: Value, *bounds: Operand | None) -> Value:
    low, high = (None if b is None else to_scalar(c, number(c, b)) for b in bounds)
    return to_dtype(c, elementwise.clamped(c, to_scalar(c, x), low, high), c.dtypes[0])


@operator("clamp_min")
def clamp_min(c: Call, x: Value, min: Operand) -> Value:
    """Return `max`."""
    return _clamped(c, x, min, None)


@operator("clamp_max")
def clamp_max(c: Call, x: Value, max: Operand) -> Value:
    """Return `min`."""
    return _clamped(c, x, None, max)


@operator("lerp")
def lerp(c: Call, x: Value, end: Value, weight: Operand) -> Value:
    """Return the linear interpolation between two tensors, from the end that is closer."""
    difference = arithmetic(c, "sub", end, x)
    from_start = arithmetic(c, "add", x, arithmetic(c, "mul", difference, weight))
    if not isinstance(weight, Value) and abs(weight) < _HALF:
        return from_start
    rest = arithmetic(c, "mul", difference, arithmetic(c, "sub", 1.0, weight))
    from_end = arithmetic(c, "sub", end, rest)
    if not isinstance(weight, Value):
        return from_end
    is_close = c.op("lt", c.op("abs", to_scalar(c, weight)), _HALF)
    return elementwise.where(c, is_close, from_start, from_end)


@operator("addcmul")
def addcmul(c: Call, x: Value, tensor1: Value, tensor2: Value, value: float = 1) -> Value:
    """Return the sum of a tensor and a scaled product."""
    return arithmetic(c, "add", x, arithmetic(c, "mul", _times(c, tensor1, value), tensor2))


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
    """Return `cast` if the data type changes."""
    dtype = c.dtypes[0]
    if dtype.kind in "iu" and x.data_type == SCALAR:
        # PyTorch rounds toward zero, `cast` rounds down.
        return to_dtype(c, truncated(c, x), dtype)
    if dtype.kind == "b":
        return to_logical(c, x)
    if dtype.kind in "iu" and x.data_type == LOGICAL:
        return c.op("cast", x, data_type="integer")
    if dtype.kind == "f":
        return to_scalar(c, x)
    is_narrower = dtype.itemsize < x.dtype.itemsize or dtype.kind != x.dtype.kind
    if is_narrower and dtype.itemsize < elementwise.WIDEST:
        return to_result(c, to_scalar(c, x), overflows=True)
    return x


@operator("alias", "detach", "clone", "contiguous", "lift_fresh_copy", "positive")
def same(c: Call, x: Value, memory_format: Any = None) -> Value:
    """Return `x` unchanged."""
    return x


@operator("dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout")
@operator("native_dropout")
def dropout(c: Call, x: Value, p: float, train: bool | None) -> Any:
    """Return `x` unchanged."""
    if train and p:
        refuse("it drops elements at random in training", "Call module.eval() before the export.")
    return [x, None] if c.operator == "native_dropout" else x
