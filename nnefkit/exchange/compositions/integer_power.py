"""Powers of integers whose exponents are tensors (4.2.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import scalar_operation
from nnefkit.exchange.compositions.indexing import checked
from nnefkit.exchange.reshaping import aligned, to_dtype, to_scalar
from nnefkit.exchange.source_value import SCALAR, Value

_INDEX = np.dtype(np.int64)
_ROUNDS = 8
"""The number of binary digits of exponents: those up to 255 are computed."""


def integer_power(c: OperatorCall, x: Value, exponent: Value) -> Value:
    """Return integers to the power of integers, as whole scalars.

    The powers of the base that the digits of the exponent select are multiplied, so that engines
    compute with integers. A negative exponent yields 0 except for the bases 1 and -1. An exponent
    above 255 is an error of the run unless the base is -1, 0 or 1.

    Args:
        c: The call of the operator.
        x: The bases.
        exponent: The exponents.
    """
    with c.graph.scope("integer_power"):
        powers = _powers(c, x)
        number = to_scalar(c, exponent)
        is_small = c.op("le", c.op("abs", to_scalar(c, powers[0])), 1.0)
        rest = _selecting(c, is_small, number)
        result: Value | None = None
        for power in powers:
            rest, digit = _last_digit(c, rest)
            more = scalar_operation(c, "mul", digit, _reduced(c, power))
            factor = c.op("add", more, 1.0)
            result = factor if result is None else scalar_operation(c, "mul", result, factor)
        assert result is not None  # noqa: S101 - there are powers
        is_large = c.op("not", is_small)
        is_fraction = c.op("and", *aligned(c, c.op("lt", number, 0.0), is_large))
        return c.op("select", is_fraction, 0.0, result)


def _powers(c: OperatorCall, x: Value) -> list[Value]:
    """Return the powers of a base that the digits of an exponent select, from the last one on."""
    powers = [x if x.data is not None else to_scalar(c, x)]
    for _ in range(_ROUNDS - 1):
        data = powers[-1].data
        if data is None:
            powers.append(c.op("sqr", powers[-1]))
        else:
            with np.errstate(over="ignore"):
                powers.append(c.graph.constant(data.astype(_INDEX) ** 2))
    return powers


def _reduced(c: OperatorCall, power: Value) -> Value:
    """Return a power minus 1."""
    if power.data is None:
        return c.op("sub", power, 1.0)
    with np.errstate(over="ignore"):
        return to_scalar(c, c.graph.constant(power.data.astype(_INDEX) - 1))


def _selecting(c: OperatorCall, is_small: Value, exponent: Value) -> Value:
    """Return exponents with at most `_ROUNDS` digits that yield the same powers."""
    rest = c.op("max", exponent, 0.0)
    if is_small.data is None or is_small.data.any():
        is_odd = _last_digit(c, exponent)[1]
        # The powers of -1, 0 and 1 depend only on whether an exponent is 0, odd or even.
        like = c.op("select", c.op("eq", exponent, 0.0), 0.0, c.op("sub", 2.0, is_odd))
        rest = c.op("select", *aligned(c, is_small, like, rest), data_type=SCALAR)
    if rest.data is not None:
        return rest
    index = checked(c, to_dtype(c, rest, _INDEX), 2**_ROUNDS)
    return c.op("cast", index, data_type=SCALAR)


def _last_digit(c: OperatorCall, number: Value) -> tuple[Value, Value]:
    """Return half of a number, rounded down, and its last binary digit."""
    half = c.op("floor", c.op("div", number, 2.0))
    return half, c.op("sub", number, c.op("mul", half, 2.0))
