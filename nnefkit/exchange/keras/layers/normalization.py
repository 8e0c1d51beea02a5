"""Normalizations (4.9.4)."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.keras.call import Call, layer
from nnefkit.exchange.keras.options import INVALID
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_LEAST_DEVIATION = 1e-7
_LEAST_NORM = 1e-12


def _by_channels(c: Call, axis: int, read: Callable[[Value], Value]) -> Value:
    """Return what is computed with the channels as the second axis, as the first axis given."""
    x = c.x
    if axis == 1:
        return read(x)
    if axis != x.rank - 1:
        refuse(f"its channels are axis {axis} of {x.rank}", "Make them the last or second axis.")
    return channels_last(c, read(channels_first(c, x)))


@layer("BatchNormalization")
def batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` by the moving statistics."""
    axis = c.options.axis("axis", -1, c.x.rank)
    if c.options.flag("renorm"):
        refuse("it renormalizes batches", "Build it without renorm.")
    c.options.get("fused")
    channels = (c.x.shape[axis],)
    mean, variance = c.shaped("moving_mean", channels), c.shaped("moving_variance", channels)
    scale, offset = c.optional("gamma", "scale"), c.optional("beta", "center")
    epsilon = c.options.number("epsilon", 1e-3)
    return _by_channels(
        c,
        axis,
        lambda x: normalization.batch_normalization(c, x, mean, variance, scale, offset, epsilon),
    )


def _over_axes(c: Call, value: Value | None, axes: Sequence[int]) -> Value | None:
    """Return parameters of some axes in a shape that broadcasts to the input."""
    if value is None:
        return None
    shape = [n if axis in axes else 1 for axis, n in enumerate(c.x.shape)]
    if int(np.prod(shape)) != int(np.prod(value.shape)):
        refuse(f"its parameters are {[*value.shape]} for axes of {shape}", INVALID)
    return reshaped(c, value, shape)


@layer("LayerNormalization")
def layer_normalization(c: Call) -> Value:
    """Read ``layer_normalization`` over any axes."""
    axes = c.options.axes("axis", -1, c.x.rank)
    epsilon = c.options.number("epsilon", 1e-3)
    has_rms = c.options.flag("rms_scaling")
    has_scale, has_offset = c.options.flag("scale", True), c.options.flag("center", True)
    scale = _over_axes(c, c.weight("gamma") if has_scale or has_rms else None, axes)
    if has_rms:
        with c.graph.scope("layer_normalization"):
            _, variance = c.ops("moments", c.x, axes=axes)
            root = c.op("sqrt", c.op("add", variance, c.decimal(epsilon)))
            result = c.op("div", c.x, root)
            return result if scale is None else c.op("mul", result, scale)
    offset = _over_axes(c, c.weight("beta") if has_offset else None, axes)
    return normalization.layer_normalization(c, c.x, scale, offset, axes, epsilon)


@layer("RMSNormalization")
def rms_normalization(c: Call) -> Value:
    """Read ``rms_normalization`` over any axes."""
    axes = c.options.axes("axis", -1, c.x.rank)
    scale = _over_axes(c, c.weight("scale"), axes)
    return normalization.rms_normalization(c, c.x, scale, axes, c.options.number("epsilon", 1e-6))


@layer("GroupNormalization")
def group_normalization(c: Call) -> Value:
    """Read ``group_normalization``."""
    axis = c.options.axis("axis", -1, c.x.rank)
    channels = c.x.shape[axis]
    groups = c.options.integer("groups", 32)
    groups = channels if groups == -1 else groups
    if groups < 1 or channels % groups:
        refuse(f"its {channels} channels are not {groups} groups", INVALID)
    scale, offset = c.optional("gamma", "scale"), c.optional("beta", "center")
    epsilon = c.options.number("epsilon", 1e-3)
    return _by_channels(
        c,
        axis,
        lambda x: normalization.group_normalization(c, x, groups, scale, offset, epsilon),
    )


@layer("LayerScale")
def layer_scale(c: Call) -> Value:
    """Read a product with a number for each channel, as in ConvNeXt."""
    if c.is_keras_2:
        refuse("it is a custom layer", "Write it with layers of Keras.")
    for option in ("projection_dim", "init_values"):
        c.options.get(option)
    return c.op("mul", c.x, _over_axes(c, c.weight("gamma"), [c.x.rank - 1]) or 1.0)


@layer("UnitNormalization")
def unit_normalization(c: Call) -> Value:
    """Read `l2_normalization`."""
    axes = c.options.axes("axis", -1, c.x.rank)
    return c.op("l2_normalization", c.x, axes=axes, epsilon=_LEAST_NORM)


@layer("Normalization")
def normalization_layer(c: Call) -> Value:
    """Read a normalization by a known mean and variance, or its inverse."""
    x, stated = c.x, c.options.get("axis", -1)
    axes = [] if stated is None else c.options.axes("axis", -1, x.rank)
    given, spread = c.options.get("mean"), c.options.get("variance")
    shape = [n if axis in axes else 1 for axis, n in enumerate(x.shape)]
    if given is None:
        values = [_over_axes(c, c.weight(name), axes) for name in ("mean", "variance")]
        mean, variance = (np.asarray(value.data) for value in values if value is not None)
    else:
        mean, variance = (_stated(each, shape, axes) for each in (given, spread))
    deviation = np.maximum(np.sqrt(variance), np.float32(_LEAST_DEVIATION))
    center, scale = (
        c.graph.constant(array.astype(np.float32), name=f"{c.path}/{name}")
        for array, name in ((mean, "mean"), (deviation, "deviation"))
    )
    with c.graph.scope("normalization"):
        if c.options.flag("invert"):
            return c.op("add", center, c.op("mul", x, scale))
        return c.op("div", c.op("sub", x, center), scale)


def _stated(value: object, shape: Sequence[int], axes: Sequence[int]) -> np.ndarray:
    array = np.asarray(value, np.float32)
    if array.size > 1:
        wanted = [1] * len(shape)
        for axis, extent in zip(axes[::-1], array.shape[::-1], strict=False):
            wanted[axis] = extent
        array = array.reshape(wanted)
    return np.broadcast_to(array, shape) if array.size > 1 else array.reshape([1] * len(shape))
