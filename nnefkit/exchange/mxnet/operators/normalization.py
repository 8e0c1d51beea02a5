"""Normalizations (4.9.4)."""

from __future__ import annotations

from nnefkit.exchange.channels_last import channels_first, channels_last
from nnefkit.exchange.compositions import normalization
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.layouts import CHANNELS_LAST
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_value import Value


@operator("BatchNorm", "BatchNorm_v1", "CuDNNBatchNorm", "_npx_batch_norm")
@operator("_contrib_SyncBatchNorm", "_contrib_BatchNormWithReLU")
def batch_normalization(c: Call) -> Value:
    """Read `batch_normalization` by the stored statistics; with `fix_gamma`, the scale is 1."""
    x = to_scalar(c, c[0])
    axis = c.axis(c.integer("axis", 1), x.rank)
    epsilon, is_fixed = c.real("eps", 1e-3), c.flag("fix_gamma", True)
    c.flag("use_global_stats")
    if c.flag("output_mean_var"):
        c.refuse("it returns the mean and the variance", "Set output_mean_var=False.")
    count = x.shape[axis]
    scale = None if is_fixed else c.shaped(1, (count,), "gamma")
    offset = c.shaped(2, (count,), "beta")
    mean, variance = c.shaped(3, (count,), "mean"), c.shaped(4, (count,), "variance")
    if axis == 1:
        result = normalization.batch_normalization(c, x, mean, variance, scale, offset, epsilon)
    elif c.graph.notes.get(CHANNELS_LAST) and axis == x.rank - 1:
        inner = channels_first(c, x)
        normal = normalization.batch_normalization(c, inner, mean, variance, scale, offset, epsilon)
        result = channels_last(c, normal)
    else:
        shape = [1] * axis + [count]
        result = c.op(
            "batch_normalization",
            x,
            reshaped(c, mean, shape),
            reshaped(c, variance, shape),
            reshaped(c, offset, shape),
            1.0 if scale is None else reshaped(c, scale, shape),
            epsilon=c.decimal(epsilon),
        )
    return c.op("relu", result) if c.operator == "_contrib_BatchNormWithReLU" else result


@operator("LayerNorm", "_npx_layer_norm")
def layer_normalization(c: Call) -> Value:
    """Read a normalization over one axis."""
    x = to_scalar(c, c[0])
    axis = c.axis(c.integer("axis", -1), x.rank)
    if c.flag("output_mean_var"):
        c.refuse("it returns the mean and the deviation", "Set output_mean_var=False.")
    count, after = x.shape[axis], (1,) * (x.rank - 1 - axis)
    scale, offset = c.shaped(1, (count,), "gamma"), c.shaped(2, (count,), "beta")
    scale, offset = (reshaped(c, value, (count, *after)) for value in (scale, offset))
    return normalization.layer_normalization(c, x, scale, offset, [axis], c.real("eps", 1e-5))


@operator("InstanceNorm")
def instance_normalization(c: Call) -> Value:
    """Read a normalization of each channel of each batch entry."""
    x = to_scalar(c, c[0])
    if x.rank < 3:
        c.invalid(f"its input has rank {x.rank}, not 3 or more")
    count = x.shape[1]
    scale, offset = c.shaped(1, (count,), "gamma"), c.shaped(2, (count,), "beta")
    return normalization.instance_normalization(c, x, scale, offset, c.real("eps", 1e-3))


@operator("GroupNorm")
def group_normalization(c: Call) -> Value:
    """Read a normalization of groups of channels; scales may be those of groups."""
    x, groups = to_scalar(c, c[0]), c.integer("num_groups", 1)
    if x.rank < 3 or groups < 1 or x.shape[1] % groups:
        c.invalid(f"it has {groups} groups for an input of shape {[*x.shape]}")
    if c.flag("output_mean_var"):
        c.refuse("it returns the mean and the deviation", "Set output_mean_var=False.")
    scale, offset = (_of_channels(c, index, groups, x.shape[1]) for index in (1, 2))
    return normalization.group_normalization(c, x, groups, scale, offset, c.real("eps", 1e-5))


def _of_channels(c: Call, index: int, groups: int, count: int) -> Value:
    """Return one number for each channel, where the input may have one for each group."""
    value = c[index]
    if value.shape == (groups,) != (count,):
        if value.data is None:
            c.refuse("its scales are computed at run time", "Make them parameters.")
        return c.graph.derived(value, ("repeat", count), lambda data: data.repeat(count // groups))
    return c.shaped(index, (count,), "scale or offset")


@operator("L2Normalization")
def l2_normalization(c: Call) -> Value:
    """Read a division by the root of the sum of squares, of an entry, a channel or a position."""
    x = to_scalar(c, c[0])
    mode = c.text("mode", "instance", ("instance", "channel", "spatial"))
    if x.rank < (2 if mode != "spatial" else 3):
        c.invalid(f"its input has rank {x.rank}")
    axes = {"instance": range(1, x.rank), "channel": [1], "spatial": range(2, x.rank)}[mode]
    return normalization.by_length(c, x, [*axes], c.real("eps", 1e-10))


@operator("LRN")
def local_response(c: Call) -> Value:
    """Read `local_response_normalization` over the channels."""
    x, size = to_scalar(c, c[0]), c.integer("nsize")
    if x.rank < 2 or size < 1 or size % 2 == 0:
        c.invalid(f"its nsize is {size} for an input of rank {x.rank}")
    return c.op(
        "local_response_normalization",
        x,
        size=[1, size, *(1,) * (x.rank - 2)],
        alpha=c.decimal(c.real("alpha", 1e-4)),
        beta=c.decimal(c.real("beta", 0.75)),
        bias=c.decimal(c.real("knorm", 2.0)),
    )
