"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from nnefkit.exchange.caffe2.call import Call, operator
from nnefkit.exchange.caffe2.operators.window import transposed_window_of, window_of
from nnefkit.exchange.reshaping import reshaped
from nnefkit.exchange.source_value import Value

_RANKS = {"Conv1D": 3, "Conv2D": 4, "Conv3D": 5}


def _bias(c: Call, outputs: int) -> Sequence[Value]:
    """Return the bias as ``[1, C]``; none if it is not given."""
    bias = c.get(2)
    if bias is None:
        return []
    if prod(bias.shape) != outputs:
        c.invalid(f"its bias has the shape {[*bias.shape]} for {outputs} channels")
    return [reshaped(c, bias, (1, outputs))]


@operator("Conv", "Conv1D", "Conv2D", "Conv3D", "ConvRelu")
def convolution(c: Call) -> Value:
    """Read `conv`, with `relu` if it is fused."""
    x, weight = c.image(c.ranked(3)), c.image(c[1])
    if x.rank != _RANKS.get(c.operator, x.rank) or weight.rank != x.rank:
        c.invalid(f"its input has rank {x.rank}, its weight {weight.rank}")
    window = window_of(c, x.shape[2:])
    groups = c.arguments.integer("group", 1)
    outputs, inputs = weight.shape[:2]
    if groups < 1 or inputs * groups != x.shape[1] or outputs % groups:
        c.invalid(
            f"it has {groups} groups for {x.shape[1]} channels, and its weight is "
            f"{outputs} by {inputs}"
        )
    if [*weight.shape[2:]] != window.size:
        c.invalid(f"its kernel is {window.size}, its weight {[*weight.shape]}")
    result = c.op(
        "conv",
        x,
        weight,
        *_bias(c, outputs),
        padding=window.padding,
        stride=window.stride,
        dilation=window.dilation,
        # 0 stands for depthwise (4.3.1).
        groups=0 if groups == x.shape[1] > 1 else groups,
    )
    return c.in_order(c.op("relu", result) if c.operator == "ConvRelu" else result)


@operator("ConvTranspose")
def transposed_convolution(c: Call) -> Value:
    """Read `deconv`; `adjs` are added to the extents of its output."""
    x, weight = c.image(c.ranked(4, 4)), c.image(c[1])
    window = transposed_window_of(c, x.rank - 2)
    groups = c.arguments.integer("group", 1)
    if weight.rank != x.rank or groups < 1 or x.shape[1] % groups:
        c.invalid(f"it has {groups} groups for {x.shape[1]} channels")
    if weight.shape[0] != x.shape[1] or [*weight.shape[2:]] != window.size:
        c.invalid(f"its kernel is {window.size}, its weight {[*weight.shape]}")
    outputs = weight.shape[1] * groups
    shortest = [
        (n - 1) * s + k - p - q
        for n, s, k, (p, q) in zip(
            x.shape[2:], window.stride, window.size, window.padding, strict=True
        )
    ]
    extents = [n + more for n, more in zip(shortest, window.adjustment, strict=True)]
    if min(extents) < 1:
        c.invalid(f"its output has the extents {extents}")
    # Beyond the kernel, the output is 0 before the bias is added.
    beyond = [
        max(more - after, 0)
        for more, (_, after) in zip(window.adjustment, window.padding, strict=True)
    ]
    padding = [
        (before, max(after - more, 0))
        for more, (before, after) in zip(window.adjustment, window.padding, strict=True)
    ]
    bias = _bias(c, outputs)
    result = c.op(
        "deconv",
        x,
        weight,
        *([] if any(beyond) else bias),
        padding=padding,
        stride=window.stride,
        dilation=window.dilation,
        groups=0 if groups == x.shape[1] > 1 and weight.shape[1] == 1 else groups,
    )
    if any(beyond):
        result = c.op("pad", result, padding=[(0, 0), (0, 0), *((0, rest) for rest in beyond)])
        result = c.op("add", result, *bias) if bias else result
    return c.in_order(result)
