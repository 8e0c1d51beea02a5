"""Logical operators, and selection by conditions (4.2.5, 4.2.6)."""

from __future__ import annotations

from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import aligned, number, to_logical, to_scalar
from nnefkit.exchange.source_value import LOGICAL, SCALAR, Value
from nnefkit.exchange.torch.call import Call, operator

Operand = Value | float


@operator("logical_and", "bitwise_and", "__and__")
def logical_and(c: Call, x: Value, other: Value) -> Value:
    """Return `and`."""
    return _logical(c, "and", x, other)


@operator("logical_or", "bitwise_or", "__or__")
def logical_or(c: Call, x: Value, other: Value) -> Value:
    """Return `or`."""
    return _logical(c, "or", x, other)


@operator("logical_xor", "bitwise_xor")
def logical_xor(c: Call, x: Value, other: Value) -> Value:
    """Return `ne` of the logicals as numbers."""
    return elementwise.exclusive_or(c, *_logicals(c, x, other))


@operator("logical_not", "bitwise_not")
def logical_not(c: Call, x: Value) -> Value:
    """Return `not`."""
    return _logical(c, "not", x)


def _logical(c: Call, name: str, *values: Operand) -> Value:
    return c.op(name, *aligned(c, *_logicals(c, *values)))


def _logicals(c: Call, *values: Operand) -> list[Value]:
    given = [number(c, value) for value in values]
    bitwise = not c.operator.startswith("logical_")
    if bitwise and any(value.data_type != LOGICAL for value in given):
        refuse("it computes with the bits of integers", "NNEF has no such operation.")
    return [to_logical(c, value) for value in given]


@operator("where")
def where(c: Call, condition: Value, x: Operand, other: Operand) -> Value:
    """Return `select`."""
    values = [number(c, value) for value in (x, other)]
    if c.dtypes[0].kind == "f":
        values = [to_scalar(c, value) for value in values]
    return elementwise.where(c, condition, *values)


@operator("masked_fill")
def masked_fill(c: Call, x: Value, mask: Value, value: Operand) -> Value:
    """Return `select`."""
    return where(c, mask, value, x)


@operator("isnan")
def isnan(c: Call, x: Value) -> Value:
    """Return whether elements are NaN, that is, unequal to themselves."""
    return elementwise.is_nan(c, x)


@operator("isinf")
def isinf(c: Call, x: Value) -> Value:
    """Return whether absolute values are above the largest number."""
    return elementwise.is_infinite(c, c.op("abs", x))


@operator("nan_to_num")
def nan_to_num(
    c: Call,
    x: Value,
    nan: float | None = None,
    posinf: float | None = None,
    neginf: float | None = None,
) -> Value:
    """Return `select`."""
    result = c.op("select", c.op("ne", x, x), float(nan or 0), x)
    high = c.op("gt", x, elementwise.LARGEST)
    result = c.op("select", high, elementwise.LARGEST if posinf is None else float(posinf), result)
    low = c.op("lt", x, -elementwise.LARGEST)
    return c.op("select", low, -elementwise.LARGEST if neginf is None else float(neginf), result)


@operator("heaviside")
def heaviside(c: Call, x: Value, values: Value) -> Value:
    """Return 0 below zero, the given value at zero, and 1 above."""
    step = c.op("select", c.op("gt", x, 0.0), 1.0, 0.0, data_type=SCALAR)
    zero = c.op("eq", x, 0.0)
    return c.op("select", *aligned(c, zero, values, step))
