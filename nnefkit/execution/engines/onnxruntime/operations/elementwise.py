"""Element-wise operations (4.2).

The formulas of `max`, `min` and `clamp` define which argument is the result if one is NaN; in ONNX
the result is always NaN.
"""

from __future__ import annotations

import numpy as np

from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import (
    align,
    compare,
    div,
    elementwise,
    floor_div,
    maximum,
    minimum,
    round_half_up,
    square,
    unary,
    where,
)

_UNARY = {
    "neg": "Neg",
    "rcp": "Reciprocal",
    "exp": "Exp",
    "log": "Log",
    "sin": "Sin",
    "cos": "Cos",
    "tan": "Tan",
    "sinh": "Sinh",
    "cosh": "Cosh",
    "tanh": "Tanh",
    "asin": "Asin",
    "acos": "Acos",
    "atan": "Atan",
    "asinh": "Asinh",
    "acosh": "Acosh",
    "atanh": "Atanh",
    "abs": "Abs",
    "sign": "Sign",
    "not": "Not",
    "floor": "Floor",
    "ceil": "Ceil",
    "sqrt": "Sqrt",
}
_BINARY = {"add": "Add", "sub": "Sub", "min": "Min", "max": "Max"}
_LOGICAL = {
    "lt": "Less",
    "gt": "Greater",
    "le": "LessOrEqual",
    "ge": "GreaterOrEqual",
    "eq": "Equal",
    "and": "And",
    "or": "Or",
}


def _register_unary(name: str, kind: str) -> None:
    @lowering(name)
    def lower(b: Builder, x: OnnxValue) -> OnnxValue:
        return unary(b, kind, x)


def _register_binary(name: str, kind: str) -> None:
    @lowering(name)
    def lower(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
        return elementwise(b, kind, x, y)


def _register_logical(name: str, kind: str) -> None:
    @lowering(name)
    def lower(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
        return compare(b, kind, x, y)


for _name, _kind in _UNARY.items():
    _register_unary(_name, _kind)
for _name, _kind in _BINARY.items():
    _register_binary(_name, _kind)
for _name, _kind in _LOGICAL.items():
    _register_logical(_name, _kind)


@lowering("copy")
def copy(b: Builder, x: OnnxValue) -> OnnxValue:  # noqa: ARG001
    """Return the argument itself."""
    return x


@lowering("round")
def round_(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``floor(x + 0.5)``; ONNX's own `Round` rounds ties to even."""
    return round_half_up(b, x)


@lowering("mul")
def mul(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
    """Return ``x * y``."""
    for value, factor in ((x, y), (y, x)):
        if factor.node is not None and factor.kind == "Reciprocal":
            (divisor,) = factor.node.inputs
            # ONNX Runtime recognizes normalizations by a division. Roots are too large to make a
            # difference: their reciprocals are finite, unless they are zero.
            if divisor is not None and divisor.kind == "Sqrt":
                return div(b, value, divisor)
    return elementwise(b, "Mul", x, y)


@lowering("div")
def divide(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
    """Return ``x / y``; of integers rounded down."""
    return floor_div(b, x, y) if "i" in (x.dtype.kind, y.dtype.kind) else div(b, x, y)


@lowering("ne")
def ne(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
    """Return ``x != y``."""
    return unary(b, "Not", compare(b, "Equal", x, y))


@lowering("pow")
def pow_(b: Builder, x: OnnxValue, y: OnnxValue) -> OnnxValue:
    """Return ``x ^ y``, by simpler operators where the exponent is a number."""
    exponent = float(y.data) if y.data is not None and not y.rank else 0.0
    if exponent == 2:
        return square(b, x)
    if exponent == -1:
        return unary(b, "Reciprocal", x)
    return elementwise(b, "Pow", x, y)


@lowering("sqr")
def sqr(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``x ^ 2``."""
    return square(b, x)


@lowering("rsqr")
def rsqr(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``x ^ -2``."""
    reciprocal = unary(b, "Reciprocal", x)
    return square(b, reciprocal)


def _is_never_negative_zero(x: OnnxValue) -> bool:
    """Return whether a value is a sum with nonzero constants."""
    terms = x.node.inputs if x.node is not None and x.kind == "Add" else ()
    known = (term.data for term in terms if term is not None and term.data is not None)
    return any(bool(np.all(data != 0)) for data in known)


@lowering("rsqrt")
def rsqrt(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``x ^ -0.5``."""
    if _is_never_negative_zero(x):
        return unary(b, "Reciprocal", unary(b, "Sqrt", x))
    # The sign of a zero is ignored: the result is infinity for both.
    return unary(b, "Reciprocal", unary(b, "Sqrt", where(b, compare(b, "Equal", x, 0.0), 0.0, x)))


@lowering("log2")
def log2(b: Builder, x: OnnxValue) -> OnnxValue:
    """Return ``log(x) / log(2)``."""
    return div(b, unary(b, "Log", x), float(np.log(2.0)))


@lowering("select")
def select(
    b: Builder, condition: OnnxValue, true_value: OnnxValue, false_value: OnnxValue
) -> OnnxValue:
    """Return one of two values for each element."""
    return where(b, *align(b, condition, true_value, false_value))


@lowering("clamp")
def clamp(b: Builder, x: OnnxValue, a: OnnxValue, b_: OnnxValue) -> OnnxValue:
    """Return ``max(min(x, b), a)``, one node where both bounds are numbers in order."""
    low, high = _number(a), _number(b_)
    if low is not None and high is not None and low <= high:
        bounds = (b.number(low, x), b.number(high, x))
        return b.node("Clip", [x, *bounds], x.shape)
    return maximum(b, minimum(b, x, b_), a)


def _number(value: OnnxValue) -> float | None:
    known = value.data is not None and value.data.size == 1 and value.rank == 0
    return float(value.data) if known and value.data is not None else None
