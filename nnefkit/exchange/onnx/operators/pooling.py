"""Pooling (4.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.onnx.spatial_window import SAME, Padding, padding_mode, window_of
from nnefkit.exchange.reshaping import EXACT, to_dtype, to_scalar
from nnefkit.exchange.source_value import SCALAR, Value

_CHECKED = 100_000
"""Maximum number of windows along an axis that are checked one by one."""


@dataclass(frozen=True)
class _Pool:
    """A window over all axes, batch and channels included."""

    size: list[int]
    padding: Padding
    """The padding of the node itself."""
    extra: list[int]
    """Elements added at the end of each axis for the windows that `ceil_mode` adds."""
    stride: list[int]
    dilation: list[int]

    def attributes(self) -> dict[str, Any]:
        return {
            "size": self.size,
            "padding": [(p, q + e) for (p, q), e in zip(self.padding, self.extra, strict=True)],
            "stride": self.stride,
            "dilation": self.dilation,
        }


def _pool_of(c: Call, x: Value) -> _Pool:
    c.ranked(0, 3)
    window = window_of(c, x.shape[2:], [int(extent) for extent in c.attribute("kernel_shape")])
    _refuse_ambiguous(c, x, window.size, window.stride, window.dilation)
    extra = [0] * len(window.size)
    if c.attribute("ceil_mode", 0):
        spans = zip(x.shape[2:], window.span, window.padding, window.stride, strict=True)
        extra = [_ceil_extra(n, span, padding, step) for n, span, padding, step in spans]
    return _Pool(
        [1, 1, *window.size],
        [(0, 0), (0, 0), *window.padding],
        [0, 0, *extra],
        [1, 1, *window.stride],
        [1, 1, *window.dilation],
    )


def _refuse_ambiguous(
    c: Call, x: Value, size: list[int], stride: list[int], dilation: list[int]
) -> None:
    """Refuse automatic padding on which ONNX Runtime and ONNX's evaluator disagree."""
    mode = padding_mode(c)
    if mode not in SAME:
        return
    hint = "Set explicit pads."
    if any(d > 1 and k > 1 for d, k in zip(dilation, size, strict=True)):
        c.refuse("its padding is automatic and its window is dilated", hint)
    totals = [
        (-(-n // s) - 1) * s + k - n for n, k, s in zip(x.shape[2:], size, stride, strict=True)
    ]
    # With a padding of -1, all runtimes agree on averages, but not on maxima.
    agree = mode == "SAME_UPPER" and c.operator != "MaxPool"
    if min(totals) < (-1 if agree else 0):
        c.refuse("its automatic padding would be negative", hint)


def _ceil_extra(extent: int, span: int, padding: tuple[int, int], stride: int) -> int:
    """Return the elements that the last window lacks if the number of windows is rounded up."""
    before, after = padding
    padded = extent + before + after
    count = -(-(padded - span) // stride) + 1
    if (count - 1) * stride >= extent + before:
        count -= 1  # the window would be only in the padding
    return max((count - 1) * stride + span - padded, 0)


def _refuse_empty_windows(c: Call, x: Value, pool: _Pool) -> None:
    """Refuse windows without an element of the input: they have no maximum and no mean."""
    attributes = pool.attributes()
    spans = zip(x.shape, *(attributes[name] for name in attributes), strict=True)
    for axis, (extent, size, (before, after), stride, dilation) in enumerate(spans):
        reach = (size - 1) * dilation
        starts = range(-before, extent + after - reach, stride)
        # If the input is at least as long as the dilation, only the outermost windows can miss it.
        worst = starts if dilation > extent else (*starts[:1], *starts[-1:])
        if len(worst) > _CHECKED or any(_misses(s, extent, reach, dilation) for s in worst):
            c.refuse(
                f"a window along axis {axis} contains only padding",
                "Make the padding smaller than the window.",
            )


def _misses(start: int, extent: int, reach: int, dilation: int) -> bool:
    """Return whether a window has no element between 0 and `extent`."""
    first = start if start >= 0 else start % dilation
    return first > start + reach or first >= extent


@operator("MaxPool")
def max_pool(c: Call) -> list[Value]:
    """Read `max_pool`, or `max_pool_with_index`; the border is never the maximum."""
    x = to_scalar(c, c[0])
    pool = _pool_of(c, x)
    _refuse_empty_windows(c, x, pool)
    if not c.wants(1):
        result = c.op("max_pool", x, border="ignore", **pool.attributes())
        return [to_dtype(c, result, c[0].dtype)]
    result, index = c.ops("max_pool_with_index", x, border="ignore", **pool.attributes())
    return [to_dtype(c, result, c[0].dtype), _flat_index(c, x, index, pool)]


def _flat_index(c: Call, x: Value, index: Value, pool: _Pool) -> Value:
    """Return positions in the whole tensor, given positions in the windows."""
    if prod(x.shape) > EXACT:
        c.refuse("its indices exceed 16,777,216", "Leave out the indices output.")
    weights = _position_weights(c, x)
    result = c.graph.constant(_window_starts(index, weights, pool))
    rest = c.op("cast", index, data_type=SCALAR)
    for axis in range(2, x.rank):
        if pool.size[axis] == 1:
            continue
        # The position in the window is a number whose digits are the positions along its axes.
        volume = float(prod(pool.size[axis + 1 :]))
        digit = c.op("floor", c.op("div", rest, volume)) if volume > 1 else rest
        factor = float(weights[axis] * pool.dilation[axis])
        result = c.op("add", result, c.op("mul", digit, factor))
        if volume > 1:
            rest = c.op("sub", rest, c.op("mul", digit, volume))
    return to_dtype(c, result, np.dtype(np.int64))


def _position_weights(c: Call, x: Value) -> list[int]:
    """Return the distance in memory between neighbors along each axis."""
    is_column_major = bool(c.attribute("storage_order", 0))
    extents = [*x.shape[:2], *(x.shape[2:][::-1] if is_column_major else x.shape[2:])]
    weights = [prod(extents[axis + 1 :]) for axis in range(x.rank)]
    return [*weights[:2], *weights[2:][::-1]] if is_column_major else weights


def _window_starts(index: Value, weights: list[int], pool: _Pool) -> Array:
    """Return the position of the first element of each window."""
    starts = np.zeros(index.shape, np.float32)
    for axis, weight in enumerate(weights):
        shape = [1] * index.rank
        shape[axis] = index.shape[axis]
        first = np.arange(index.shape[axis]) * pool.stride[axis] - pool.padding[axis][0]
        starts += (first * weight).reshape(shape).astype(np.float32)
    return starts


@operator("AveragePool")
def average_pool(c: Call) -> Value:
    """Read `avg_pool`, whose divisor may include the border."""
    x = c[0]
    pool = _pool_of(c, x)
    is_padded = any(p or q for p, q in pool.attributes()["padding"])
    if not c.attribute("count_include_pad", 0):
        _refuse_empty_windows(c, x, pool)
        border = "ignore" if is_padded else "constant"
    elif any(pool.extra):
        # The padding of the node is counted, but not what is added for the last window.
        x = c.op("pad", x, padding=pool.padding)
        pool = _Pool(pool.size, [(0, 0)] * x.rank, pool.extra, pool.stride, pool.dilation)
        border = "ignore"
    else:
        border = "constant"
    return c.op("avg_pool", x, border=border, **pool.attributes())


@operator("LpPool")
def lp_pool(c: Call) -> Value:
    """Read ``(sum |x| ^ p) ^ (1 / p)``."""
    order = float(c.attribute("p", 2))
    pool = _pool_of(c, c[0])
    with c.graph.scope("lp_pool"):
        powers = _power(c, c[0], order)
        return _root(c, c.op("box", powers, border="constant", **pool.attributes()), order)


def _power(c: Call, x: Value, order: float) -> Value:
    """Return ``|x| ^ order``."""
    if order == 2:
        return c.op("sqr", x)
    size = c.op("abs", x)
    return size if order == 1 else c.op("pow", size, order)


def _root(c: Call, x: Value, order: float) -> Value:
    if order == 1:
        return x
    return c.op("sqrt", x) if order == 2 else c.op("pow", x, 1.0 / order)


@operator("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
def global_pool(c: Call) -> Value:
    """Read a reduction of the spatial axes."""
    x = c.ranked(0, 3)
    axes = [*range(2, x.rank)]
    if c.operator == "GlobalLpPool":
        order = float(c.attribute("p", 2))
        return _root(c, c.op("sum_reduce", _power(c, x, order), axes=axes), order)
    name = "mean_reduce" if c.operator == "GlobalAveragePool" else "max_reduce"
    return c.op(name, x, axes=axes)
