"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence

from nnefkit.exchange import channels_last
from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.mxnet.operators.layouts import is_channels_last, per_axis
from nnefkit.exchange.reshaping import channels, to_scalar, transposed
from nnefkit.exchange.source_value import Value


def _bias(c: Call, outputs: int, default: bool) -> Value | None:
    if c.flag("no_bias", default):
        return None
    return c.shaped(2, (outputs,), "bias")


def _groups(c: Call, inputs: int, outputs: int) -> int:
    groups = c.integer("num_group", 1)
    if groups < 1 or inputs % groups or outputs % groups:
        c.invalid(f"it has {groups} groups for {inputs} channels and {outputs} filters")
    return groups


def _filters(c: Call) -> int:
    count = c.integer("num_filter")
    if count < 1:
        c.invalid(f"it has {count} filters")
    return count


@operator("Convolution", "Convolution_v1", "_npx_convolution")
def convolution(c: Call) -> Value:
    """Read `conv`."""
    x, outputs = to_scalar(c, c[0]), _filters(c)
    is_last, count = is_channels_last(c, x), x.rank - 2
    inputs = x.shape[-1 if is_last else 1]
    groups = _groups(c, inputs, outputs)
    size = per_axis(c, "kernel", count, 0, 1)
    padding = [(pad, pad) for pad in per_axis(c, "pad", count, 0, 0)]
    stride, dilation = per_axis(c, "stride", count, 1, 1), per_axis(c, "dilate", count, 1, 1)
    bias = _bias(c, outputs, default=False)
    if is_last:
        weight = c.shaped(1, (outputs, *size, inputs // groups), "weight")
        filters = transposed(c, weight, [0, count + 1, *range(1, count + 1)])
        return channels_last.convolution(
            c, x, filters, bias, padding=padding, stride=stride, dilation=dilation
        )
    weight = c.shaped(1, (outputs, inputs // groups, *size), "weight")
    return c.op(
        "conv",
        x,
        weight,
        channels(c, bias),
        padding=padding,
        stride=stride,
        dilation=dilation,
        # 0 stands for depthwise (4.3.1).
        groups=0 if groups == inputs > 1 else groups,
    )


@operator("Deconvolution", "_npx_deconvolution")
def deconvolution(c: Call) -> Value:
    """Read `deconv`; `adj` or `target_shape` make its padding uneven."""
    x, outputs = to_scalar(c, c[0]), _filters(c)
    count = x.rank - 2
    if is_channels_last(c, x):
        c.refuse("its channels are the last axis", "Use the layout NCHW.")
    groups = _groups(c, x.shape[1], outputs)
    size = per_axis(c, "kernel", count, 0, 1)
    stride, dilation = per_axis(c, "stride", count, 1, 1), per_axis(c, "dilate", count, 1, 1)
    weight = c.shaped(1, (x.shape[1], outputs // groups, *size), "weight")
    is_depthwise = groups == x.shape[1] > 1 and outputs == groups
    return c.op(
        "deconv",
        x,
        weight,
        channels(c, _bias(c, outputs, default=True)),
        padding=_cut(c, x, size, stride, dilation),
        stride=stride,
        dilation=dilation,
        groups=0 if is_depthwise else groups,
    )


def _cut(
    c: Call, x: Value, size: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> list[tuple[int, int]]:
    """Return how many elements are cut off at both ends of each axis; negative ones are added."""
    count = len(size)
    pads, more = per_axis(c, "pad", count, 0, 0), per_axis(c, "adj", count, 0, 0)
    wanted = c.integers("target_shape")
    if not any(wanted):
        if any(adj >= s for adj, s in zip(more, stride, strict=True)):
            c.invalid(f"its 'adj' is {more}, which is not less than the stride {[*stride]}")
        return [(pad, pad - adj) for pad, adj in zip(pads, more, strict=True)]
    if len(wanted) != count:
        c.invalid(f"its 'target_shape' is {wanted} for {count} spatial axes")
    cut = []
    for n, k, s, d, target in zip(x.shape[2:], size, stride, dilation, wanted, strict=True):
        total = (n - 1) * s + (k - 1) * d + 1 - target
        if total < 0 or target < 1:
            c.invalid(f"its 'target_shape' is {wanted}, which its input does not reach")
        before = (total + 1) // 2
        cut.append((before, total - before))
    return cut
