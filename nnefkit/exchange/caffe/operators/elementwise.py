"""Elementwise functions (4.2)."""

from __future__ import annotations

import math

import numpy as np

from nnefkit.exchange.caffe.call import Call, layer
from nnefkit.exchange.compositions import elementwise
from nnefkit.exchange.source_value import Value


@layer("AbsVal")
def absolute(c: Call) -> Value:
    """Read `abs`."""
    return c.op("abs", c.one())


def _linear(c: Call, x: Value, scale: float, shift: float) -> Value:
    """Return ``shift + scale x``."""
    if scale != 1:
        x = c.op("mul", x, c.decimal(scale))
    return c.op("add", x, c.decimal(shift)) if shift else x


@layer("Power")
def power(c: Call) -> Value:
    """Read ``(shift + scale x) ^ power``."""
    x, p = c.one(), c.parameter("power_param")
    _check_finite(c, p.power, p.scale, p.shift)
    if p.power == 0 or p.scale == 0:
        # As in Caffe, the input does not matter.
        with np.errstate(all="ignore"):
            number = 1.0 if p.power == 0 else float(np.float32(p.shift) ** np.float32(p.power))
        c.allowance.take(x.shape, 4)
        return c.graph.constant(np.full(x.shape, number, np.float32))
    x = _linear(c, x, p.scale, p.shift)
    return x if p.power == 1 else elementwise.power(c, x, p.power)


@layer("Exp")
def exponential(c: Call) -> Value:
    """Read ``base ^ (shift + scale x)``."""
    x, p = c.one(), c.parameter("exp_param")
    _check_finite(c, p.base, p.scale, p.shift)
    return c.op("exp", _linear(c, x, p.scale * _log_of(c, p.base), p.shift * _log_of(c, p.base)))


@layer("Log")
def logarithm(c: Call) -> Value:
    """Read the logarithm of ``shift + scale x``."""
    x, p = c.one(), c.parameter("log_param")
    _check_finite(c, p.base, p.scale, p.shift)
    result, factor = c.op("log", _linear(c, x, p.scale, p.shift)), _log_of(c, p.base)
    if factor == 0:
        c.invalid("its base is 1")
    return result if factor == 1 else c.op("div", result, c.decimal(factor))


def _log_of(c: Call, base: float) -> float:
    """Return the natural logarithm of a base; -1 stands for e."""
    if base == -1:
        return 1.0
    if not base > 0:
        c.invalid(f"its base is {base:g}, which is not positive")
    return math.log(base)


def _check_finite(c: Call, *numbers: float) -> None:
    if not all(map(math.isfinite, numbers)):
        c.invalid("one of its parameters is not a finite number")


_PROD, _SUM = 0, 1


@layer("Eltwise")
def combination(c: Call) -> Value:
    """Read a sum with coefficients, a product or a maximum of inputs of one shape."""
    p, x = c.parameter("eltwise_param"), c[0]
    if len(c.inputs) < 2 or any(value.shape != x.shape for value in c.inputs):
        c.invalid(f"its bottoms have the shapes {[[*value.shape] for value in c.inputs]}")
    factors = [*p.coeff] or [1.0] * len(c.inputs)
    if len(factors) != len(c.inputs) or (p.coeff and p.operation != _SUM):
        c.invalid(f"it has {len(factors)} coefficients")
    values = [
        value if factor == 1 or p.operation != _SUM else c.op("mul", value, c.decimal(factor))
        for value, factor in zip(c.inputs, factors, strict=True)
    ]
    operation = {_PROD: "mul", _SUM: "add"}.get(p.operation, "max")
    result = values[0]
    for value in values[1:]:
        result = c.op(operation, result, value)
    return result


@layer("Split")
def split(c: Call) -> list[Value]:
    """Read what changes nothing."""
    return [c.one()] * len(c.layer.tops)


@layer("Dropout")
def dropout(c: Call) -> Value:
    """Read what changes nothing, or with ``scale_train: false`` a factor."""
    p = c.parameter("dropout_param")
    return c.one() if p.scale_train else c.op("mul", c.one(), c.decimal(1 - p.dropout_ratio))
