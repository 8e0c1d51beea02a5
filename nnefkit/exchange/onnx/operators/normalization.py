"""Normalization (4.9.4)."""

from __future__ import annotations

from nnefkit.exchange.compositions import distance, normalization
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_TINY = 1e-30
"""Makes 0 / 0 equal 0, and does not affect other quotients."""


def _epsilon(c: Call) -> float:
    return c.number("epsilon", 1e-5)


def _last_axes(c: Call) -> list[int]:
    return [*range(c.axis("axis", -1, c[0].rank), c[0].rank)]


@operator("BatchNormalization")
def batch_normalization(c: Call) -> list[Value]:
    """Read `batch_normalization`."""
    if c.attribute("training_mode", 0) or any(map(c.wants, range(1, len(c.output_names)))):
        c.refuse("it computes statistics of the batch", "Export the network for inference.")
    if not c.attribute("spatial", 1):
        c.refuse("it has statistics for each position", "Normalize by channels.")
    x, scale, offset, mean, variance = c.ranked(0, 2), *(c[index] for index in range(1, 5))
    _check_channels(c, x, scale, offset, mean, variance)
    return [normalization.batch_normalization(c, x, mean, variance, scale, offset, _epsilon(c))]


@operator("InstanceNormalization")
def instance_normalization(c: Call) -> Value:
    """Read a separate normalization of each channel."""
    x = c.ranked(0, 3)
    _check_channels(c, x, c[1], c[2])
    return normalization.instance_normalization(c, x, c[1], c[2], _epsilon(c))


def _check_channels(c: Call, x: Value, *parameters: Value) -> None:
    for parameter in parameters:
        if parameter.shape != x.shape[1:2]:
            c.refuse(
                f"it has a parameter of shape {[*parameter.shape]} for {x.shape[1]} channels",
                INVALID,
            )


@operator("LayerNormalization")
def layer_normalization(c: Call) -> list[Value]:
    """Read a normalization over the last axes, with its mean and deviation if they are used."""
    x, axes, epsilon = c[0], _last_axes(c), _epsilon(c)
    check_parameters(c, x, c[1], c.get(2))
    result = normalization.layer_normalization(c, x, c[1], c.get(2), axes, epsilon)
    if not (c.wants(1) or c.wants(2)):
        return [result]
    mean, variance = c.ops("moments", x, axes=axes)
    return [result, mean, c.op("rsqrt", c.op("add", variance, epsilon))]


@operator("RMSNormalization")
def rms_normalization(c: Call) -> Value:
    """Read a division by the root mean square over the last axes."""
    check_parameters(c, c[0], c[1])
    return normalization.rms_normalization(c, c[0], c[1], _last_axes(c), _epsilon(c))


def check_parameters(c: Call, x: Value, *parameters: Value | None) -> None:
    """Refuse to normalize a number, and parameters that do not broadcast to the input's shape."""
    for parameter in parameters:
        if parameter is None:
            continue
        pairs = zip(parameter.shape[::-1], x.shape[::-1], strict=False)
        is_wide = parameter.rank > x.rank or any(n not in (1, extent) for n, extent in pairs)
        if x.rank == 0 or is_wide:
            c.refuse(
                f"it has a parameter of shape {[*parameter.shape]} for an input of shape "
                f"{[*x.shape]}",
                INVALID,
            )


@operator("GroupNormalization")
def group_normalization(c: Call) -> Value:
    """Read a separate normalization of each group of channels."""
    groups, channels = int(c.attribute("num_groups")), c.ranked(0, 3).shape[1]
    if groups < 1 or channels % groups:
        c.refuse(f"it has {groups} groups of {channels} channels", INVALID)
    scale, offset = (_by_channel(c, c[index], groups) for index in (1, 2))
    return normalization.group_normalization(c, c[0], groups, scale, offset, _epsilon(c))


def _by_channel(c: Call, parameter: Value, groups: int) -> Value:
    """Return a parameter for each channel; before opset 21, ONNX has one for each group."""
    channels = c.ranked(0, 3).shape[1]
    if parameter.shape == (channels,):
        return parameter
    if parameter.shape != (groups,):
        c.refuse(
            f"it has a parameter of shape {[*parameter.shape]} for {channels} channels", INVALID
        )
    size = channels // groups
    if parameter.data is not None:
        return c.graph.derived(parameter, ("repeat", size), lambda data: data.repeat(size))
    column = reshaped(c, parameter, (groups, 1))
    return reshaped(c, c.op("tile", column, repeats=[1, size]), (channels,))


@operator("MeanVarianceNormalization")
def mean_variance_normalization(c: Call) -> Value:
    """Read a normalization without parameters."""
    x, axes = c[0], c.ints("axes")
    if axes == []:
        c.refuse("it normalizes over no axes", INVALID)
    axes = sorted({c.front_axis(axis, x.rank) for axis in axes or [0, 2, 3]})
    return normalization.mean_variance_normalization(c, x, axes, 1e-9)


@operator("LRN")
def local_response_normalization(c: Call) -> Value:
    """Read `local_response_normalization` over neighboring channels."""
    return c.op(
        "local_response_normalization",
        c.ranked(0, 3),
        size=[1, int(c.attribute("size")), *[1] * (c[0].rank - 2)],
        alpha=c.number("alpha", 0.0001),
        beta=c.number("beta", 0.75),
        bias=c.number("bias", 1.0),
    )


@operator("LpNormalization")
def lp_normalization(c: Call) -> Value:
    """Read a division by a norm, which is NaN where an element is; 0 where the norm is."""
    axis, power = c.axis("axis", -1, c[0].rank), c.attribute("p", 2)
    if power not in (1, 2):
        c.refuse(f"its p is {power}, not 1 or 2", INVALID)
    length = distance.norm(c, c[0], power, [axis])
    return c.op("div", c[0], c.op("max", c.decimal(_TINY), length))
