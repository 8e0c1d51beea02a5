"""Convolutions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, to_scalar
from nnefkit.exchange.source_graph import Value

Padding = list[tuple[int, int]]


def padding_of(
    c: Call,
    extents: Sequence[int],
    size: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> Padding:
    """The padding that a node asks for: explicit, none, or so that extents are only strided."""
    mode = c.attribute("auto_pad", "NOTSET")
    count = len(extents)
    if mode == "VALID":
        return [(0, 0)] * count
    if mode in ("NOTSET", ""):
        pads = c.attribute("pads") or [0] * (2 * count)
        return [(int(p), int(q)) for p, q in zip(pads[:count], pads[count:], strict=True)]
    found = []
    for extent, kernel, step, spread in zip(extents, size, stride, dilation, strict=True):
        span = (kernel - 1) * spread + 1
        total = max((-(-extent // step) - 1) * step + span - extent, 0)
        less = total // 2
        found.append((less, total - less) if mode == "SAME_UPPER" else (total - less, less))
    return found


def steps(c: Call, name: str, count: int) -> list[int]:
    """Strides or dilations, 1 by default."""
    return [int(item) for item in c.attribute(name) or [1] * count]


@operator("Conv")
def conv(c: Call) -> Value:
    """`conv`, whose bias is ``[1, C]``."""
    x, weight = c[0], c[1]
    count = x.rank - 2
    stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
    padding = padding_of(c, x.shape[2:], weight.shape[2:], stride, dilation)
    return c.op(
        "conv",
        x,
        weight,
        *_bias(c, 2),
        padding=padding,
        stride=stride,
        dilation=dilation,
        groups=_groups(c, x.shape[1]),
    )


def _groups(c: Call, channels: int) -> int:
    groups = int(c.attribute("group", 1))
    # 0 stands for depthwise (4.3.1).
    return 0 if groups == channels > 1 else groups


def _bias(c: Call, index: int) -> list[Value]:
    bias = c.get(index)
    if bias is None or (bias.data is not None and not bias.data.any()):
        return []
    return [reshaped(c, bias, (1, *bias.shape))]


@operator("ConvTranspose")
def conv_transpose(c: Call) -> Value:
    """`deconv`; what its output is longer by than it must be is told by `output_shape`."""
    x, weight = c[0], c[1]
    count = x.rank - 2
    stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
    groups = int(c.attribute("group", 1))
    extra = [int(item) for item in c.attribute("output_padding") or [0] * count]
    span = [(k - 1) * d + 1 for k, d in zip(weight.shape[2:], dilation, strict=True)]
    full = [
        s * (n - 1) + e + k for s, n, e, k in zip(stride, x.shape[2:], extra, span, strict=True)
    ]
    padding, extents = _transposed_padding(c, x.shape[2:], stride, full)
    least = [
        s * (n - 1) + k - p - q
        for s, n, k, (p, q) in zip(stride, x.shape[2:], span, padding, strict=True)
    ]
    # Zeros that lie beyond the reach of the filter; a bias is there all the same.
    more = [max(e - n - s + 1, 0) for e, n, s in zip(extents, least, stride, strict=True)]
    inner = [e - m for e, m in zip(extents, more, strict=True)]
    bias = _bias(c, 2)
    shape = [x.shape[0], weight.shape[1] * groups, *inner]
    late = any(more) and bool(bias)
    result: Value = c.op(
        "deconv",
        x,
        weight,
        *([] if late else bias),
        padding=padding,
        stride=stride,
        dilation=dilation,
        output_shape=[] if inner == least else shape,
        groups=0 if groups == x.shape[1] > 1 and weight.shape[1] == 1 else groups,
    )
    if any(more):
        result = c.op("pad", result, padding=[(0, 0), (0, 0), *((0, m) for m in more)])
    return c.op("add", result, bias[0]) if late else result


def _transposed_padding(
    c: Call, extents: Sequence[int], stride: Sequence[int], full: Sequence[int]
) -> tuple[Padding, list[int]]:
    """What is cut off at both ends, and what is left."""
    mode = c.attribute("auto_pad", "NOTSET")
    wanted = c.attribute("output_shape")
    if not wanted and mode in ("SAME_UPPER", "SAME_LOWER"):
        wanted = [n * s for n, s in zip(extents, stride, strict=True)]
    if not wanted:
        padding = padding_of(c, extents, full, stride, stride)
        return padding, [n - p - q for n, (p, q) in zip(full, padding, strict=True)]
    wanted = [int(item) for item in wanted[-len(full) :]]
    padding = []
    for n, m in zip(full, wanted, strict=True):
        if n < m and (mode == "SAME_UPPER" or not c.attribute("output_shape")):
            c.refuse(
                "its automatic padding would be less than none",
                "Give the padding in numbers, as pads and output_padding.",
            )
        total = max(n - m, 0)
        less = total // 2
        padding.append((less, total - less) if mode == "SAME_UPPER" else (total - less, less))
    return padding, wanted


@operator("ConvInteger")
def conv_integer(c: Call) -> Value:
    """A convolution of codes, computed in scalars: products of bytes are exact there."""
    x, weight = _centered(c, 0, 2), _centered(c, 1, 3)
    count = x.rank - 2
    stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
    padding = padding_of(c, x.shape[2:], weight.shape[2:], stride, dilation)
    result: Value = c.op(
        "conv",
        x,
        weight,
        padding=padding,
        stride=stride,
        dilation=dilation,
        groups=_groups(c, x.shape[1]),
    )
    result = c.op("cast", result, data_type="integer")
    result.dtype = np.dtype(np.int32)
    return result


def _centered(c: Call, index: int, zero_index: int) -> Value:
    x, zero = to_scalar(c, c[index]), c.get(zero_index)
    if zero is None:
        return x
    zero = to_scalar(c, zero)
    if zero.rank == 1 and zero.shape[0] > 1:
        zero = reshaped(c, zero, zero.shape + (1,) * (x.rank - 1))
    elif zero.rank:
        zero = reshaped(c, zero, ())
    return c.op("sub", x, zero)


@operator("Col2Im")
def col_to_im(c: Call) -> Value:
    """Blocks put side by side, overlaps summed up: a convolution in reverse with a filter of ones.

    Each column of the input holds a block, and each item of a block is a channel of its own.
    """
    x = c[0]
    image = c.ints("image_shape", 1) or []
    block = c.ints("block_shape", 2) or []
    count = len(image)
    stride = [int(item) for item in c.attribute("strides") or [1] * count]
    dilation = [int(item) for item in c.attribute("dilations") or [1] * count]
    pads = c.attribute("pads") or [0] * (2 * count)
    padding = [(int(p), int(q)) for p, q in zip(pads[:count], pads[count:], strict=True)]
    volume = int(np.prod(block))
    channels = x.shape[1] // volume
    grid = [
        (n + p + q - (k - 1) * d - 1) // s + 1
        for n, (p, q), k, d, s in zip(image, padding, block, dilation, stride, strict=True)
    ]
    blocks = reshaped(c, x, (x.shape[0] * channels, volume, *grid))
    filter_ = c.graph.constant(np.eye(volume, dtype=np.float32).reshape(volume, 1, *block))
    summed = c.op(
        "deconv",
        blocks,
        filter_,
        padding=padding,
        stride=stride,
        dilation=dilation,
        output_shape=[x.shape[0] * channels, 1, *image],
    )
    return reshaped(c, summed, (x.shape[0], channels, *image))
