"""Activation functions (4.9.1)."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import aligned
from nnefkit.exchange.source_value import Value

_SAME = 16
"""Above this number, ``softplus(x)`` is ``x`` in float32."""


def hard_sigmoid(c: OperatorCall, x: Value, alpha: float = 1 / 6, beta: float = 0.5) -> Value:
    """Return ``clamp(alpha x + beta, 0, 1)``."""
    return c.fragment("hard_sigmoid", x.shape, x, alpha=c.decimal(alpha), beta=c.decimal(beta))


def hard_swish(c: OperatorCall, x: Value) -> Value:
    """Return ``x clamp(x + 3, 0, 6) / 6``."""
    return c.fragment("hard_swish", x.shape, x)


def mish(c: OperatorCall, x: Value) -> Value:
    """Return ``x tanh(softplus(x))``."""
    return c.fragment("mish", x.shape, x)


def gelu(c: OperatorCall, x: Value, approximate: str = "none") -> Value:
    """Return ``x Phi(x)``, or with ``approximate="tanh"`` its approximation by tanh."""
    if approximate == "tanh":
        return c.fragment("gelu_tanh", x.shape, x)
    return c.op("gelu", x)


def swish(c: OperatorCall, x: Value, alpha: float = 1.0) -> Value:
    """Return ``x sigmoid(alpha x)``."""
    if alpha == 1:
        return c.op("silu", x)
    return c.fragment("swish", x.shape, x, alpha=c.decimal(alpha))


def selu(c: OperatorCall, x: Value, alpha: float = 1.67326319, gamma: float = 1.05070102) -> Value:
    """Return ``gamma elu(x)`` with a factor `alpha` for negative elements."""
    defaults = {name: value for name, _, value in c.graph.declarations["selu"].attributes}
    given = {"alpha": c.decimal(alpha), "lambda": c.decimal(gamma)}
    # The default of the declaration has more digits than float32 holds.
    attribs: dict[str, Any] = {
        name: value for name, value in given.items() if value != c.decimal(defaults[name])
    }
    return c.op("selu", x, **attribs)


def celu(c: OperatorCall, x: Value, alpha: float = 1.0) -> Value:
    """Return ``max(0, x) + min(0, alpha (exp(x / alpha) - 1))``.

    Raises:
        Refusal: `alpha` is 0.
    """
    if alpha == 0:
        refuse("its alpha is 0", "Use relu.")
    if alpha == 1:
        return c.op("elu", x)
    if alpha < 0:
        with c.graph.scope("celu"):
            power = c.op("exp", c.op("div", x, c.decimal(alpha)))
            part = c.op("mul", c.op("sub", power, 1.0), c.decimal(alpha))
            return c.op("add", c.op("max", 0.0, x), c.op("min", 0.0, part))
    return c.fragment("celu", x.shape, x, alpha=c.decimal(alpha))


def softsign(c: OperatorCall, x: Value) -> Value:
    """Return ``x / (1 + |x|)``."""
    return c.op("div", x, c.op("add", c.op("abs", x), 1.0))


def softplus(c: OperatorCall, x: Value, beta: float = 1.0, threshold: float = inf) -> Value:
    """Return ``log(1 + exp(beta x)) / beta``, or `x` itself where ``beta x`` is above a threshold.

    The threshold is left out where it makes no difference.
    """
    scaled = x if beta == 1 else c.op("mul", x, c.decimal(beta))
    result = c.op("softplus", scaled)
    if beta != 1:
        result = c.op("div", result, c.decimal(beta))
    if threshold < _SAME:
        result = c.op("select", c.op("gt", scaled, c.decimal(threshold)), x, result)
    return result


def prelu(c: OperatorCall, x: Value, slope: Value) -> Value:
    """Return `x` where it is positive, else `x` times a slope that broadcasts to it."""
    x, slope = aligned(c, x, slope)
    if slope.data is not None and not slope.rank:
        return c.op("leaky_relu", x, alpha=c.decimal(float(slope.data)))
    return c.op("prelu", x, slope)


def shrink(c: OperatorCall, x: Value, threshold: float, bias: float) -> Value:
    """Return 0 where ``|x| <= threshold``, else `x` moved toward 0 by `bias`."""
    return c.fragment("shrink", x.shape, x, threshold=c.decimal(threshold), bias=c.decimal(bias))


def log_softmax(c: OperatorCall, x: Value, axes: Sequence[int]) -> Value:
    """Return the logarithm of the softmax over some axes."""
    return c.fragment("log_softmax", x.shape, x, axes=[*axes])


def hardmax(c: OperatorCall, x: Value, axis: int) -> Value:
    """Return 1 for the first of the largest elements along an axis, and 0 for the others."""
    best = c.op("cast", c.op("argmax_reduce", x, axes=[axis]), data_type="scalar")
    shape = [1] * x.rank
    shape[axis] = x.shape[axis]
    positions = c.graph.constant(np.arange(x.shape[axis], dtype=np.float32).reshape(shape))
    return c.op("cast", c.op("eq", positions, best), data_type="scalar")
