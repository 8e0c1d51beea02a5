"""Integers whose range ends: results that wrap around, and those that fail the run instead.

NNEF has signed integers of 64 bits. Narrower ones wrap around by arithmetic. The largest ones of
uint64 have no signed number: a run that computes one of them fails.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Context, Decimal

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.elementwise import WIDEST, wrapped
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import DType, Value

Estimate = Callable[[], Value]
"""Computes a result in real numbers, whose range does not end at 64 bits."""

_LIMIT = 1.5 * 2.0**63
"""Above it, an estimate is of a number that exceeds 64 bits; signed ones show it by their sign."""
_LARGEST_LOGARITHM = 43
"""The logarithm of the largest integer, rounded down."""


def real(c: OperatorCall, x: Value) -> Value:
    """Return integers, cast to scalars, as real numbers: engines do not compute halves exactly."""
    return c.op("mul", c.op("mul", x, 0.5), 2.0)


def narrowed(c: OperatorCall, x: Value, dtype: DType, estimate: Estimate | None = None) -> Value:
    """Return integers, computed as scalars, in the range of a dtype.

    Narrow ones wrap around. Those of uint64 that exceed the integers of NNEF fail the run.

    Args:
        c: The call of the operator.
        x: The integers.
        dtype: Their dtype.
        estimate: The same in real numbers, if `x` may exceed twice the range of 64 bits.
    """
    if dtype.kind not in "iu":
        return x
    if dtype.itemsize < WIDEST:
        return wrapped(c, x, dtype)
    return within_64_bits(c, x, estimate) if dtype.kind == "u" and x.data is None else x


def within_64_bits(c: OperatorCall, x: Value, estimate: Estimate | None = None) -> Value:
    """Return integers that are not negative; the run fails if they exceed 64 bits.

    Numbers from 2^63 up to 2^64 have become negative; larger ones show in their estimate.
    """
    exceeds = c.op("lt", x, 0.0)
    if estimate is not None:
        exceeds = c.op("or", exceeds, c.op("gt", estimate(), _LIMIT))
    return failing(c, x, exceeds)


def failing(c: OperatorCall, x: Value, outside: Value) -> Value:
    """Return integers, computed as scalars; the run fails where they are outside of their range."""
    return c.fragment("integers_in_range", x.shape, x, outside)


def root(c: OperatorCall, x: Value) -> Value:
    """Return the square roots of integers, computed as scalars, rounded down."""
    return c.fragment("integer_root", x.shape, x)


def logarithm(c: OperatorCall, x: Value) -> Value:
    """Return the logarithms of integers, computed as scalars, rounded down.

    They are compared with the powers of e, since a logarithm in float32 may be rounded up to the
    next integer. The run fails for integers that are not positive.
    """
    with c.graph.scope("integer_logarithm"):
        positive = failing(c, x, c.op("le", x, 0.0))
        powers = c.graph.shared("powers_of_e", _powers_of_e)
        steps = to_scalar(c, reshaped(c, powers, (*(1,) * x.rank, _LARGEST_LOGARITHM)))
        column = reshaped(c, positive, (*x.shape, 1))
        reached = c.op("select", c.op("ge", column, steps), 1.0, 0.0)
        return reshaped(c, c.op("sum_reduce", reached, axes=[x.rank]), x.shape)


def _powers_of_e() -> Array:
    """Return the first integers of each logarithm from 1 on."""
    context = Context(prec=40)
    powers = [context.exp(Decimal(n)) for n in range(1, _LARGEST_LOGARITHM + 1)]
    return np.array([int(power) + 1 for power in powers], np.int64)
