"""Convolutions (4.3.1)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions.shaping import concat
from nnefkit.exchange.reshaping import channels, reshaped, sliced
from nnefkit.exchange.source_value import Value


def _window(c: Call, name: str) -> tuple[list[int], list[int], list[int], int]:
    """Return stride, padding, dilation and groups of a convolution."""
    if name.endswith("2DFunction"):
        stride, pad = c.pair("sy", "sx"), c.pair("ph", "pw")
        dilation = c.pair("dy", "dx", 1)
    else:
        stride, pad = c.integers("stride"), c.integers("pad")
        dilation = c.integers("dilate", [1] * len(stride))
    groups = c.integer("groups", 1)
    if min(*stride, *dilation, groups) < 1 or min(pad) < 0:
        c.invalid(f"its stride is {stride}, its dilation {dilation}, its padding {pad}")
    return stride, pad, dilation, groups


def _checked(c: Call, x: Value, weight: Value, stride: Sequence[int], channel: int) -> None:
    if x.rank != len(stride) + 2 or weight.rank != x.rank or channel != x.shape[1]:
        c.invalid(f"its weights have the shape {[*weight.shape]} for an input of {[*x.shape]}")


def _bias(c: Call) -> list[Value]:
    bias = c.get(2)
    return [] if bias is None else [channels(c, bias)]  # type: ignore[list-item]


@function("Convolution2DFunction", "ConvolutionND")
def convolution(c: Call) -> Value:
    """Read `conv`; with ``cover_all``, zeros after the input complete the last window."""
    x, weight = c[0], c[1]
    stride, pad, dilation, groups = _window(c, c.operator)
    _checked(c, x, weight, stride, weight.shape[1] * groups if weight.rank > 1 else 0)
    padding = []
    for n, k, s, p, d in zip(x.shape[2:], weight.shape[2:], stride, pad, dilation, strict=True):
        size, wide = (k - 1) * d + 1, n + 2 * p
        extra = -(wide - size) % s if c.flag("cover_all", False) else 0
        padding.append((p, p + extra))
    # 0 stands for depthwise (4.3.1).
    attributes: dict[str, Any] = {"groups": 0 if groups == x.shape[1] > 1 else groups}
    return c.op(
        "conv",
        x,
        weight,
        *_bias(c),
        padding=padding,
        stride=stride,
        dilation=dilation,
        **attributes,
    )


@function("Deconvolution2DFunction", "DeconvolutionND")
def deconvolution(c: Call) -> Value:
    """Read `deconv` of a given size."""
    x, weight = c[0], c[1]
    stride, pad, dilation, groups = _window(c, c.operator)
    _checked(c, x, weight, stride, weight.shape[0])
    sizes = _sizes(c, len(stride))
    padding = []
    for axis, (n, k, s, p, d) in enumerate(
        zip(x.shape[2:], weight.shape[2:], stride, pad, dilation, strict=True)
    ):
        whole = (n - 1) * s + (k - 1) * d + 1
        padding.append((p, p if sizes is None else whole - p - sizes[axis]))
    if groups == x.shape[1] > 1 and weight.shape[1] == 1:
        groups = 0
    return c.op(
        "deconv",
        x,
        weight,
        *_bias(c),
        padding=padding,
        stride=stride,
        dilation=dilation,
        groups=groups,
    )


def _sizes(c: Call, count: int) -> list[int] | None:
    """Return the wanted extents, if there are any."""
    if c.operator == "DeconvolutionND":
        sizes = None if c.param("outs", None) is None else c.integers("outs")
    elif c.param("outh", None) is None or c.param("outw", None) is None:
        sizes = None
    else:
        sizes = c.pair("outh", "outw")
    if sizes is not None and (len(sizes) != count or min(sizes) < 1):
        c.invalid(f"its size is {sizes}")
    return sizes


@function("LocalConvolution2DFunction")
def local_convolution(c: Call) -> Value:
    """Read a convolution with other weights at each position, as products of matrices."""
    x, weight, bias = c.image(), c.ranked(1, 6), c.get(2)
    down, right = c.pair("sy", "sx", 1)
    count, rows, columns, depth, height, width = weight.shape
    if depth != x.shape[1] or min(down, right) < 1:
        c.invalid(f"its weights have the shape {[*weight.shape]} for an input of {[*x.shape]}")
    if rows * columns > 1024:
        c.refuse(f"it has {rows * columns} positions with weights", "Use fewer positions.")
    size = depth * height * width
    cells = []
    for row in range(rows):
        band = sliced(c, x, 2, row * down, row * down + height)
        for column in range(columns):
            part = sliced(c, band, 3, column * right, column * right + width)
            cells.append(reshaped(c, part, (x.shape[0], size)))
    windows = c.op("stack", cells, axis=0)
    flat = (
        c.graph.derived(
            weight,
            ("local", size),
            lambda data: data.reshape(count, rows * columns, size).transpose(1, 2, 0).copy(),
        )
        if weight.data is not None
        else c.op("transpose", reshaped(c, weight, (count, rows * columns, size)), axes=[1, 2, 0])
    )
    product = c.op("transpose", c.op("matmul", windows, flat), axes=[1, 2, 0])
    result = reshaped(c, product, (x.shape[0], count, rows, columns))
    return result if bias is None else c.op("add", result, reshaped(c, bias, (1, *bias.shape)))


@function("Shift")
def shift(c: Call) -> Value:
    """Read groups of channels that are moved in different directions."""
    x = c.image()
    high, wide = c.pair("kh", "kw")
    dy, dx = c.pair("dy", "dx", 1)
    groups = high * wide
    if high % 2 == 0 or wide % 2 == 0 or groups > x.shape[1] or not dy or not dx:
        c.invalid(f"its window is {high}×{wide} for {x.shape[1]} channels")
    py, px = high // 2 * abs(dy), wide // 2 * abs(dx)
    padded = c.op("pad", x, padding=[(0, 0), (0, 0), (py, py), (px, px)])
    each = x.shape[1] // groups
    middle, last = (groups - 1) // 2, groups - 1
    parts = []
    for number in range(groups):
        place = {middle: last, last: middle}.get(number, number)
        top = py - (place // wide - high // 2) * dy
        left = px - (place % wide - wide // 2) * dx
        end = x.shape[1] if number == last else (number + 1) * each
        part = sliced(c, padded, 1, number * each, end)
        part = sliced(c, part, 2, top, top + x.shape[2])
        parts.append(sliced(c, part, 3, left, left + x.shape[3]))
    return concat(c, parts, 1)


@function("Im2Col")
def patches(c: Call) -> Value:
    """Read the elements of each window as channels, by a convolution with ones and zeros."""
    x = c.image()
    size, stride = c.pair("kh", "kw"), c.pair("sy", "sx")
    pad, dilation = c.pair("ph", "pw"), c.pair("dy", "dx", 1)
    if min(*size, *stride, *dilation) < 1 or min(pad) < 0:
        c.invalid(f"its window is {size}, its stride {stride}")
    count, depth = size[0] * size[1], x.shape[1]
    c.allowance.take((depth * count, count), 4)
    filters = np.tile(np.eye(count, dtype=np.float32).reshape(count, 1, *size), (depth, 1, 1, 1))
    padding = []
    for n, k, s, p, d in zip(x.shape[2:], size, stride, pad, dilation, strict=True):
        extra = -(n + 2 * p - (k - 1) * d - 1) % s if c.flag("cover_all", False) else 0
        padding.append((p, p + extra))
    return c.op(
        "conv",
        x,
        c.graph.constant(filters, name="windows"),
        padding=padding,
        stride=stride,
        dilation=dilation,
        groups=depth,
    )
