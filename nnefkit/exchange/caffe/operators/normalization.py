"""Normalization (4.9.4), and factors and offsets of channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.caffe.call import Call, Normalized, layer
from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_WITHIN = 1


@layer("BatchNorm")
def batch_norm(c: Call) -> Value:
    """Read `batch_normalization` with the mean and the variance divided by their scale factor."""
    x, p = c.one(), c.parameter("batch_norm_param")
    if p.HasField("use_global_stats") and not p.use_global_stats:
        c.refuse(
            "it computes the mean and the variance of the batch",
            "Set use_global_stats: true in the network.",
        )
    if x.rank < 2:
        c.invalid(f"its bottom has rank {x.rank}, not 2 or more")
    channels = x.shape[1]
    total = c.weight(2, "factor", ()).data
    factor = float(np.asarray(total))
    factor = 0.0 if factor == 0 else 1 / factor
    mean, variance = (
        _times(c, c.weight(number, role, (channels,)), factor)
        for number, role in enumerate(("mean", "variance"))
    )
    result = normalization.batch_normalization(c, x, mean, variance, None, None, p.eps)
    c.normalized[id(result)] = Normalized(result, x, mean, variance, p.eps)
    return result


def _times(c: Call, value: Value, factor: float) -> Value:
    if factor == 1:
        return value
    return c.graph.derived(value, ("scale", factor), lambda data: data * np.float32(factor))


@layer("Scale")
def scale(c: Call) -> Value:
    """Read `mul` and `add`, or the factors and offsets of a `batch_normalization` before it."""
    p, x = c.parameter("scale_param"), c[0]
    if len(c.inputs) > 1:
        axis = c.axis(p.axis, x.rank)
        factor = _leading(c, c.inputs[1], x, axis)
        result = c.op("mul", x, factor)
        added = c.inputs[1].shape
        return c.op("add", result, _weight(c, 0, "bias", axis, added)) if p.bias_term else result
    axis, shape = _extents(c, x, p)
    first = c.normalized.get(id(x))
    if first and axis == 1 and len(shape) == 1 and c.is_only_reader[0]:
        offset = c.weight(1, "bias", shape) if p.bias_term else None
        return normalization.batch_normalization(
            c,
            first.x,
            first.mean,
            first.variance,
            c.weight(0, "scale", shape),
            offset,
            first.epsilon,
        )
    result = c.op("mul", x, _weight(c, 0, "scale", axis, shape))
    return c.op("add", result, _weight(c, 1, "bias", axis, shape)) if p.bias_term else result


@layer("Bias")
def bias(c: Call) -> Value:
    """Read `add`."""
    p, x = c.parameter("bias_param"), c[0]
    if len(c.inputs) > 1:
        return c.op("add", x, _leading(c, c.inputs[1], x, c.axis(p.axis, x.rank)))
    axis, shape = _extents(c, x, p)
    return c.op("add", x, _weight(c, 0, "bias", axis, shape))


def _extents(c: Call, x: Value, parameters: Any) -> tuple[int, Sequence[int]]:
    """Return the first axis that weights have numbers for, and the extents of all those axes."""
    axis = c.axis(parameters.axis, x.rank, ends=parameters.num_axes == 0)
    count = x.rank - axis if parameters.num_axes == -1 else parameters.num_axes
    if not 0 <= count <= x.rank - axis:
        c.invalid(f"it has numbers for {parameters.num_axes} axes of {x.rank - axis}")
    return axis, x.shape[axis : axis + count]


def _weight(c: Call, index: int, role: str, axis: int, shape: Sequence[int]) -> Value:
    """Return a weight for some axes; NNEF broadcasts along those after them."""
    return c.weight(index, role, (*(1,) * axis, *shape) if shape else ())


def _leading(c: Call, factor: Value, x: Value, axis: int) -> Value:
    """Return a tensor that broadcasts to the axes of another one from an axis on."""
    if factor.shape != x.shape[axis : axis + factor.rank]:
        c.invalid(f"its bottoms have the shapes {[*x.shape]} and {[*factor.shape]}")
    return reshaped(c, factor, (*(1,) * axis, *factor.shape)) if factor.rank else factor


@layer("LRN")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels, or inside of channels."""
    x, p = c.ranked(4), c.parameter("lrn_param")
    size = p.local_size
    if size % 2 == 0:
        c.invalid(f"its local_size is {size}, which is not odd")
    is_within = p.norm_region == _WITHIN
    return c.op(
        "local_response_normalization",
        x,
        size=[1, 1, size, size] if is_within else [1, size, 1, 1],
        alpha=c.decimal(p.alpha),
        beta=c.decimal(p.beta),
        bias=1.0 if is_within else c.decimal(p.k),
    )


@layer("MVN")
def mean_variance_normalization(c: Call) -> Value:
    """Read a normalization by the mean and the deviation of channels, or of whole entries."""
    x, p = c.ranked(4), c.parameter("mvn_param")
    axes = [1, 2, 3] if p.across_channels else [2, 3]
    if not p.normalize_variance:
        return c.op("sub", x, c.op("mean_reduce", x, axes=axes))
    return normalization.mean_variance_normalization(c, x, axes, p.eps)


@layer("Normalize")
def normalize(c: Call) -> Value:
    """Read a division by the length of the channels, or of whole entries, times factors."""
    x, p = c.ranked(4), c.parameter("norm_param")
    axes = [1, 2, 3] if p.across_spatial else [1]
    result = normalization.by_length(c, x, axes, p.eps)
    shape = () if p.channel_shared else (1, x.shape[1])
    return c.op("mul", result, c.weight(0, "scale", shape))
