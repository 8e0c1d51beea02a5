"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.operators.convolution import Padding, padding_of, steps
from nnefkit.exchange.reshaping import to_dtype, to_scalar
from nnefkit.exchange.source_graph import Value


class _Window:
    """How the window of a node slides, batch and channels included."""

    def __init__(self, c: Call, x: Value) -> None:
        count = x.rank - 2
        kernel = [int(item) for item in c.attribute("kernel_shape")]
        stride, dilation = steps(c, "strides", count), steps(c, "dilations", count)
        padding = padding_of(c, x.shape[2:], kernel, stride, dilation)
        _refuse_ambiguous(c, x.shape[2:], kernel, stride, dilation)
        self.extra = [0] * count
        if c.attribute("ceil_mode", 0):
            self.extra = [
                _missing(n, (k - 1) * d + 1, p, q, s)
                for n, k, (p, q), s, d in zip(
                    x.shape[2:], kernel, padding, stride, dilation, strict=True
                )
            ]
        self.size = [1, 1, *kernel]
        self.stride = [1, 1, *stride]
        self.dilation = [1, 1, *dilation]
        self.given: Padding = [(0, 0), (0, 0), *padding]
        self.padding: Padding = [
            (p, q + e) for (p, q), e in zip(self.given, [0, 0, *self.extra], strict=True)
        ]

    @property
    def attributes(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "padding": self.padding,
            "stride": self.stride,
            "dilation": self.dilation,
        }


def _refuse_ambiguous(
    c: Call,
    extents: Sequence[int],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> None:
    """Automatic padding that ONNX Runtime and ONNX's evaluator take in different ways."""
    mode = c.attribute("auto_pad", "NOTSET")
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        return
    hint = "Give the padding in numbers, as pads."
    if any(d > 1 and k > 1 for d, k in zip(dilation, kernel, strict=True)):
        c.refuse("its padding is automatic and its window is dilated", hint)
    totals = [(-(-n // s) - 1) * s + k - n for n, k, s in zip(extents, kernel, stride, strict=True)]
    # Of one item less than none, means begin at the first item everywhere, but maxima do not.
    agreed = mode == "SAME_UPPER" and c.operator != "MaxPool"
    if min(totals) < (-1 if agreed else 0):
        c.refuse("its automatic padding would be less than none", hint)


def _missing(extent: int, span: int, before: int, after: int, stride: int) -> int:
    """What is to be added behind for the windows that `ceil_mode` asks for."""
    padded = extent + before + after
    count = -(-(padded - span) // stride) + 1
    if (count - 1) * stride >= extent + before:
        count -= 1  # a window that would lie in the padding alone
    return max((count - 1) * stride + span - padded, 0)


@operator("MaxPool")
def max_pool(c: Call) -> list[Value | None]:
    """`max_pool`, in which the border never wins."""
    x = to_scalar(c, c[0])
    window = _Window(c, x)
    if not c.wants(1):
        result = c.op("max_pool", x, border="ignore", **window.attributes)
        return [to_dtype(c, result, c[0].dtype)]
    result, index = c.ops("max_pool_with_index", x, border="ignore", **window.attributes)
    return [to_dtype(c, result, c[0].dtype), _flat_index(c, x, index, window)]


def _flat_index(c: Call, x: Value, index: Value, window: _Window) -> Value:
    """Positions in the whole tensor, of positions in the window."""
    extents = list(x.shape)
    if c.attribute("storage_order", 0):
        extents = extents[:2] + extents[2:][::-1]
    weights = [int(np.prod(extents[axis + 1 :])) for axis in range(x.rank)]
    if c.attribute("storage_order", 0):
        weights = weights[:2] + weights[2:][::-1]
    if int(np.prod(x.shape)) > 2**24:
        c.refuse("its indices go beyond 16,777,216", "Leave the output of indices out.")
    starts = np.zeros(index.shape, np.float32)
    for axis, weight in enumerate(weights):
        shape = [1] * x.rank
        shape[axis] = index.shape[axis]
        first = np.arange(index.shape[axis]) * window.stride[axis] - window.padding[axis][0]
        starts += (first * weight).reshape(shape).astype(np.float32)
    rest = c.op("cast", index, data_type="scalar")
    total = c.graph.constant(starts)
    for axis in range(2, x.rank):
        if window.size[axis] == 1:
            continue
        volume = float(np.prod(window.size[axis + 1 :]))
        digit = c.op("floor", c.op("div", rest, volume)) if volume > 1 else rest
        factor = float(weights[axis] * window.dilation[axis])
        total = c.op("add", total, c.op("mul", digit, factor))
        if volume > 1:
            rest = c.op("sub", rest, c.op("mul", digit, volume))
    return to_dtype(c, total, np.dtype(np.int64))


@operator("AveragePool")
def average_pool(c: Call) -> Value:
    """`avg_pool`; the padding counts in the divisor or does not."""
    x = c[0]
    window = _Window(c, x)
    border = "ignore"
    if c.attribute("count_include_pad", 0):
        if any(window.extra):
            # What is added for the last window does not count, but what is padded does.
            x = c.op("pad", x, padding=window.given)
            window.padding = [(0, 0), (0, 0), *((0, e) for e in window.extra)]
        else:
            border = "constant"
    elif not any(p or q for p, q in window.padding):
        border = "constant"
    return c.op("avg_pool", x, border=border, **window.attributes)


@operator("LpPool")
def lp_pool(c: Call) -> Value:
    """``(sum |x| ^ p) ^ (1 / p)``."""
    order = float(c.attribute("p", 2))
    window = _Window(c, c[0])
    with c.graph.scope("lp_pool"):
        total = c.op("box", _powered(c, c[0], order), border="constant", **window.attributes)
        return _root(c, total, order)


def _powered(c: Call, x: Value, order: float) -> Value:
    if order == 2:
        result: Value = c.op("sqr", x)
    elif order == 1:
        result = c.op("abs", x)
    else:
        result = c.op("pow", c.op("abs", x), order)
    return result


def _root(c: Call, x: Value, order: float) -> Value:
    if order == 1:
        return x
    return c.op("sqrt", x) if order == 2 else c.op("pow", x, 1.0 / order)


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(c: Call) -> Value:
    """A reduction of the spatial axes."""
    x = c[0]
    axes = [*range(2, x.rank)]
    if c.operator == "GlobalLpPool":
        order = float(c.attribute("p", 2))
        return _root(c, c.op("sum_reduce", _powered(c, x, order), axes=axes), order)
    name = "mean_reduce" if c.operator == "GlobalAveragePool" else "max_reduce"
    return c.op(name, x, axes=axes)
