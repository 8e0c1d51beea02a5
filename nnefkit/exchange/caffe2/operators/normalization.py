"""Normalization (4.9.4), and factors and offsets of channels."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value


def _channels(c: Call, x: Value, index: int, role: str) -> Value:
    """Return an input with one number for each channel.

    Raises:
        Refusal: It has more or fewer.
    """
    value, count = c[index], x.shape[1]
    if prod(value.shape) != count:
        c.invalid(f"its {role} has the shape {[*value.shape]} for {count} channels")
    return reshaped(c, value, (count,))


def _epsilon(c: Call, name: str = "epsilon", default: float = 1e-5) -> float:
    epsilon = c.arguments.number(name, default)
    if epsilon < 0:
        c.invalid(f"its {name} is {epsilon:g}")
    return epsilon


@operator("SpatialBN")
def batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` with stored statistics."""
    if not c.arguments.flag("is_test"):
        c.refuse(
            "it normalizes by the mean and the variance of the batch",
            "Set is_test: 1, as for inference.",
        )
    x = c.image(c.ranked(2))
    roles = ("scale", "bias", "mean", "variance")
    scale, bias, mean, variance = (
        _channels(c, x, place, role) for place, role in enumerate(roles, 1)
    )
    result = normalization.batch_normalization(c, x, mean, variance, scale, bias, _epsilon(c))
    return c.in_order(result)


@operator("AffineChannel")
def affine_channel(c: Call) -> Value:
    """Read `mul` and `add`, with a factor and an offset for each channel."""
    x = c.image(c.ranked(2))
    scale, bias = _channels(c, x, 1, "scale"), _channels(c, x, 2, "bias")
    scaled = c.op("mul", x, reshaped(c, scale, (1, x.shape[1])))
    return c.in_order(c.op("add", scaled, reshaped(c, bias, (1, x.shape[1]))))


@operator("LRN")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels."""
    x, a = c.image(c.ranked(4, 4)), c.arguments
    size = a.integer("size", 0)
    if size < 1 or size % 2 == 0:
        c.invalid(f"its size is {size}, which is not odd")
    result = c.op(
        "local_response_normalization",
        x,
        size=[1, size, 1, 1],
        alpha=c.decimal(a.number("alpha", 0.0)),
        beta=c.decimal(a.number("beta", 0.0)),
        bias=c.decimal(a.number("bias", 1.0)),
    )
    return c.in_order(result)


def _statistics(
    c: Call, x: Value, axes: Sequence[int], shape: Sequence[int]
) -> tuple[Value, Value]:
    """Return means and variances over some axes, in another shape."""
    mean, variance = c.ops("moments", x, axes=[*axes])
    return reshaped(c, mean, shape), reshaped(c, variance, shape)


@operator("InstanceNorm")
def instance_normalization(c: Call) -> list[Value]:
    """Read a normalization of each channel of each entry, and its statistics."""
    x = c.image(c.ranked(3))
    scale, bias = _channels(c, x, 1, "scale"), _channels(c, x, 2, "bias")
    epsilon = _epsilon(c)
    result = normalization.instance_normalization(c, x, scale, bias, epsilon)
    results = [c.in_order(result)]
    if len(c.names) > 1:
        mean, variance = _statistics(c, x, range(2, x.rank), x.shape[:2])
        results += [mean, c.op("rsqrt", c.op("add", variance, c.decimal(epsilon)))]
    return results


@operator("GroupNorm")
def group_normalization(c: Call) -> list[Value]:
    """Read a normalization of groups of channels, and its statistics."""
    x, groups, epsilon = c.image(c.ranked(3)), c.arguments.integer("group", 32), _epsilon(c)
    if groups < 1 or x.shape[1] % groups:
        c.invalid(f"it has {groups} groups for {x.shape[1]} channels")
    scale, bias = _channels(c, x, 1, "scale"), _channels(c, x, 2, "bias")
    result = normalization.group_normalization(c, x, groups, scale, bias, epsilon)
    results = [c.in_order(result)]
    if len(c.names) > 1:
        rows = reshaped(c, x, (x.shape[0], groups, prod(x.shape[1:]) // groups))
        mean, variance = _statistics(c, rows, [2], (x.shape[0], groups))
        results += [mean, c.op("rsqrt", c.op("add", variance, c.decimal(epsilon)))]
    return results


@operator("LayerNorm")
def layer_normalization(c: Call) -> list[Value]:
    """Read a normalization over all axes from one on, its means and its deviations."""
    x, a = c.ranked(2), c.arguments
    axis, epsilon = c.axis(a.integer("axis", 1), x.rank), _epsilon(c)
    axes, shape = [*range(axis, x.rank)], x.shape[axis:]
    scale = bias = None
    if a.flag("elementwise_affine"):
        if prod(c[1].shape) != prod(shape) or prod(c[2].shape) != prod(shape):
            c.invalid(f"its weights have the shapes {[*c[1].shape]} and {[*c[2].shape]}")
        scale, bias = (reshaped(c, c[place], shape) for place in (1, 2))
    results = [normalization.layer_normalization(c, x, scale, bias, axes, epsilon)]
    if len(c.names) > 1:
        mean, variance = _statistics(c, x, axes, (*x.shape[:axis], 1))
        results += [mean, c.op("sqrt", c.op("add", variance, c.decimal(epsilon)))]
    return results


@operator("RMSNorm")
def root_mean_square_normalization(c: Call) -> list[Value]:
    """Read a division by the root of the mean square over all axes from one on."""
    x, a = c.ranked(2), c.arguments
    axis, epsilon = c.axis(a.integer("axis", 1), x.rank), _epsilon(c, "eps", 0.0)
    axes, shape = [*range(axis, x.rank)], x.shape[axis:]
    if prod(c[1].shape) != prod(shape) or prod(c[2].shape) != prod(shape):
        c.invalid(f"its weights have the shapes {[*c[1].shape]} and {[*c[2].shape]}")
    scale, bias = (reshaped(c, c[place], (*(1,) * axis, *shape)) for place in (1, 2))
    result = normalization.rms_normalization(c, x, scale, axes, epsilon)
    squares = c.op("mean_reduce", c.op("sqr", x), axes=axes)
    inverse = c.op("rsqrt", c.op("add", squares, c.decimal(epsilon)))
    return [c.op("add", result, bias), reshaped(c, inverse, x.shape[:axis])]


@operator("Normalize")
def normalize(c: Call) -> Value:
    """Read a division by the length along an axis, which counts as at least 1e-12."""
    x = c.ranked(1)
    axis = c.axis(c.arguments.integer("axis", -1), x.rank)
    # Unlike in `l2_normalization`, a small length is raised to a bound.
    length = c.op("sqrt", c.op("sum_reduce", c.op("sqr", x), axes=[axis]))
    return c.op("div", x, c.op("max", length, 1e-12))


@operator("NormalizeL1")
def normalize_by_sum(c: Call) -> Value:
    """Read a division by the sum of absolute values along an axis, unless it is 0."""
    x = c.ranked(1)
    axis = c.axis(c.arguments.integer("axis", -1), x.rank)
    total = c.op("sum_reduce", c.op("abs", x), axes=[axis])
    return c.op("div", x, c.op("select", c.op("eq", total, 0.0), 1.0, total))


@operator("NormalizePlanarYUV")
def normalize_planes(c: Call) -> Value:
    """Read ``(x - mean) / deviation``, with numbers for each channel."""
    x, mean, deviation = c.ranked(4, 4), c[1], c[2]
    if not mean.shape == deviation.shape == (1, x.shape[1]):
        c.invalid(f"its numbers have the shapes {[*mean.shape]} and {[*deviation.shape]}")
    return c.op("div", c.op("sub", x, mean), deviation)


@operator("Moments")
def moments(c: Call) -> list[Value]:
    """Read `moments`."""
    x, a = c.ranked(1), c.arguments
    axes = sorted({c.axis(axis, x.rank) for axis in a.integers("axes")}) or [*range(x.rank)]
    shape = [n for axis, n in enumerate(x.shape) if axis not in axes]
    if a.flag("keepdims", True):
        shape = [1 if axis in axes else n for axis, n in enumerate(x.shape)]
    return [*_statistics(c, x, axes, shape)]
