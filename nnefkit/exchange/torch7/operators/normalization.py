"""Normalization (4.9.4)."""

from __future__ import annotations

from math import isinf
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import elementwise, normalization
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch7.call import Call, module
from nnefkit.exchange.torch7.memory import Held
from nnefkit.exchange.torch7.objects import TorchObject


@module("BatchNormalization", cudnn=True)
def batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` by the running mean and variance."""
    return _batch_normalization(c, 2)


@module("SpatialBatchNormalization", cudnn=True)
def spatial_batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` of images by the running mean and variance."""
    return _batch_normalization(c, 4)


@module("VolumetricBatchNormalization", cudnn=True)
def volumetric_batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` of volumes by the running mean and variance."""
    return _batch_normalization(c, 5)


def _batch_normalization(c: Call, rank: int) -> Value:
    epsilon = c.number("eps", 1e-5)
    mean = c.weight("running_mean")
    count = (int(np.prod(mean.shape)),)
    if c.stored("running_var") is None and c.stored("running_std") is not None:
        # Old files have the inverse of the deviation.
        variance = c.graph.derived(
            c.weight("running_std", count),
            ("variance", epsilon),
            lambda data: data.astype(np.float64) ** -2.0 - epsilon,
        )
        variance = c.graph.derived(variance, "float32", lambda data: data.astype(np.float32))
    else:
        variance = c.weight("running_var", count)
    scale, offset = c.optional("weight", count), c.optional("bias", count)
    mean = reshaped(c, mean, count)

    def compute(x: Value) -> Value:
        if x.shape[1] != count[0]:
            c.invalid(f"its input has {x.shape[1]} channels, not {count[0]}")
        return normalization.batch_normalization(c, x, mean, variance, scale, offset, epsilon)

    return c.batched(c.one(), rank, compute)


@module("InstanceNormalization")
def instance_normalization(c: Call) -> Value:
    """Read the fragment `instance_normalization`."""
    x = c.ranked(4)
    count = (x.shape[1],)
    scale, offset = c.weight("weight", count), c.weight("bias", count)
    return normalization.instance_normalization(c, x, scale, offset, c.number("eps", 1e-5))


@module("SpatialCrossMapLRN", cudnn=True)
@module("inn.SpatialCrossResponseNormalization")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels."""
    size = c.integer("size", least=1)
    if size % 2 == 0:
        c.refuse(f"its size is {size}, which is not odd", "CPU and GPU differ: train with 5.")
    attributes: dict[str, Any] = {
        "alpha": c.decimal(c.number("alpha", 1e-4)),
        "beta": c.decimal(c.number("beta", 0.75)),
        "bias": c.decimal(c.number("k", 1.0)),
    }

    def compute(x: Value) -> Value:
        return c.op("local_response_normalization", x, size=[1, size, 1, 1], **attributes)

    return c.batched(c.one(), 4, compute)


@module("Normalize")
def normalize(c: Call) -> Value:
    """Read a division by the norm of rows."""
    power, epsilon = c.module.get("p"), c.number("eps", 1e-10)
    if not isinstance(power, float) or not power > 0:
        c.invalid(f"its power is {power!r}")

    def compute(x: Value) -> Value:
        size = c.op("abs", x)
        if isinf(power):
            length = c.op("add", c.op("max_reduce", size, axes=[1]), c.decimal(epsilon))
        else:
            powers = c.op("sqr", x) if power == 2 else elementwise.power(c, size, power)
            total = c.op("add", c.op("sum_reduce", powers, axes=[1]), c.decimal(epsilon))
            length = elementwise.power(c, total, 1 / power)
        return c.op("div", x, length)

    return c.batched(c.one(), 2, compute)


# -- by neighborhoods ------------------------------------------------------------------------------


@module("SpatialSubtractiveNormalization")
def subtractive_normalization(c: Call) -> Value:
    """Read `sub` of the weighted mean around each element."""
    x = c.ranked(3, 4)
    around = _estimated(c, "meanestimator", c.given, 1)
    mean = c.op("div", around, _coefficients(c, x, around))
    return c.op("sub", x, reshaped(c, mean, x.shape))


@module("SpatialDivisiveNormalization")
def divisive_normalization(c: Call) -> Value:
    """Read `div` by the weighted deviation around each element, where that is large enough."""
    x = c.ranked(3, 4)
    around = _estimated(c, "stdestimator", c.given, 1)
    deviation = c.op("div", around, _coefficients(c, x, around))
    limit = c.decimal(c.number("threshold", 1e-4))
    least = c.decimal(c.number("thresval", 1e-4))
    divisor = c.op("select", c.op("gt", deviation, limit), deviation, least)
    return c.op("div", x, reshaped(c, divisor, x.shape))


def _coefficients(c: Call, x: Value, around: Value) -> Value:
    """Return what the mean of ones is, which is less than 1 at the border."""
    c.allowance.take(x.shape[-3:], 4)
    ones = Held(c.graph.constant(np.ones(x.shape[-3:], np.float32)))
    mean = _estimated(c, "meanestimator", ones, 2)
    return mean if mean.rank == around.rank else reshaped(c, mean, (1, *mean.shape))


def _estimated(c: Call, field: str, given: Held, number: int) -> Value:
    estimator = c.module.get(field)
    if not isinstance(estimator, TorchObject):
        c.invalid(f"its module '{field}' is missing")
    return c.tensor(c.inside(estimator, given, number))


@module("SpatialContrastiveNormalization")
def contrastive_normalization(c: Call) -> Held:
    """Read a subtractive and a divisive normalization."""
    inner = c.module.get("normalizer")
    if not isinstance(inner, TorchObject):
        c.invalid("its module 'normalizer' is missing")
    result: Held = c.inside(inner, c.given, 1, c.name)
    return result
