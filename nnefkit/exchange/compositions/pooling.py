"""Pooling of spatial axes (4.3.3): clipped numbers of windows, and given numbers of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.compositions.linear_algebra import along_axis
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import sliced
from nnefkit.exchange.source_value import Value

_MAX_WINDOWS = 64
"""Maximum number of windows of different lengths."""


# -- windows of one size ---------------------------------------------------------------------------


@dataclass(frozen=True)
class PoolingWindow:
    """Windows over the axes after batch and channels, padded alike at both ends."""

    size: Sequence[int]
    stride: Sequence[int]
    pad: Sequence[int]
    dilation: Sequence[int] = ()
    ceil: bool = False
    """Whether the number of windows is rounded up, as long as they start inside of the padding."""
    counts_padding: bool = True
    """Whether averages count the padding; what a window has beyond it never counts."""


def pooled(c: OperatorCall, x: Value, name: str, window: PoolingWindow) -> Value:
    """Return the maxima, averages or sums of windows.

    Caffe and Torch7 define them in this way.

    Args:
        c: The call of the operator.
        x: The tensor, with batch and channels in front.
        name: The operation: max_pool, argmax_pool, avg_pool or box.
        window: The windows.

    Raises:
        Refusal: A window does not fit, or has no elements of `x`.
    """
    attributes, extra = _attributes(c, x, window)
    both = attributes["padding"]
    if name in ("max_pool", "argmax_pool") or (name == "avg_pool" and not window.counts_padding):
        return c.op(name, x, border="ignore", **attributes)
    if name == "box" or not any(extra):
        return c.op(name, x, border="constant", **attributes)
    # Padding counts, but not what the last window has beyond it.
    beyond = [(0, more) for more in extra]
    if any(window.pad):
        pads = [(p, q - more) for (p, q), (_, more) in zip(both, beyond, strict=True)]
        x = c.op("pad", x, padding=pads)
    return c.op("avg_pool", x, border="ignore", **{**attributes, "padding": beyond})


def unpooled(c: OperatorCall, y: Value, x: Value, window: PoolingWindow) -> Value:
    """Return `y` at the positions of the maxima of windows of `x`, and zeros elsewhere.

    Args:
        c: The call of the operator.
        y: The tensor, with an element for each window.
        x: The tensor whose maxima are searched.
        window: The windows, which do not overlap.

    Raises:
        Refusal: A window does not fit, or has no elements of `x`.
    """
    index = pooled(c, x, "argmax_pool", window)
    attributes, _ = _attributes(c, x, window)
    return c.op("desample", y, index, border="constant", output_shape=[*x.shape], **attributes)


def _attributes(
    c: OperatorCall, x: Value, window: PoolingWindow
) -> tuple[dict[str, Any], Sequence[int]]:
    """Return the attributes of windows, and how many elements the last ones have beyond padding."""
    ones = [1] * (x.rank - len(window.size))
    dilation = [*window.dilation] or [1] * len(window.size)
    extra = [*(0 for _ in ones), *_beyond(c, x, window, dilation)]
    pads = [*((0, 0) for _ in ones), *((p, p) for p in window.pad)]
    attributes = {
        "size": [*ones, *window.size],
        "stride": [*ones, *window.stride],
        "padding": [(p, q + more) for (p, q), more in zip(pads, extra, strict=True)],
    }
    if any(step != 1 for step in dilation):
        attributes["dilation"] = [*ones, *dilation]
    return attributes, extra


def _beyond(
    c: OperatorCall, x: Value, window: PoolingWindow, dilation: Sequence[int]
) -> Sequence[int]:
    """Return how many elements beyond the padding the last window of each axis has."""
    extra = []
    sizes = zip(window.size, dilation, strict=True)
    reaches = [(k - 1) * d + 1 for k, d in sizes]
    axes = zip(x.shape[-len(reaches) :], reaches, window.stride, window.pad, strict=True)
    for n, k, s, p in axes:
        last = -((k - n - 2 * p) // s) if window.ceil else (n + 2 * p - k) // s
        if last < 0:
            refuse(f"its window of {k} elements does not fit an axis of {n}", c.invalid_hint)
        if any(window.pad) and last * s >= n + p:
            last -= 1  # The window would be outside of the input and its padding.
        if last * s - p >= n:
            refuse(
                f"a window along an axis of {n} elements has none of them",
                "Choose a smaller stride.",
            )
        extra.append(max(last * s + k - (n + 2 * p), 0))
    return extra


# -- given numbers of windows ----------------------------------------------------------------------


def adaptive(c: OperatorCall, x: Value, name: str, counts: Sequence[int]) -> Value:
    """Return averages or maxima of a number of windows along each of the last axes.

    Window i of n along an axis of k elements has those from floor(i k / n) to
    ceil((i + 1) k / n).

    Args:
        c: The call of the operator.
        x: The tensor.
        name: The operation: avg_pool or max_pool.
        counts: The numbers of windows.
    """
    outer = x.rank - len(counts)
    old = x.shape[outer:]
    is_mean = name == "avg_pool"
    if old == tuple(counts):
        return x
    if all(count == 1 for count in counts):
        reduction = "mean_reduce" if is_mean else "max_reduce"
        return c.op(reduction, x, axes=[*range(outer, x.rank)])
    if all(o % n == 0 for o, n in zip(old, counts, strict=True)):
        size = [1] * outer + [o // n for o, n in zip(old, counts, strict=True)]
        padding = [(0, 0)] * x.rank
        return c.op(name, x, size=size, border="ignore", padding=padding, stride=size)
    part: Callable[[OperatorCall, Value, int, int], Value] = _means if is_mean else _maxima
    for axis, count in enumerate(counts, outer):
        x = part(c, x, axis, count)
    return x


def _means(c: OperatorCall, x: Value, axis: int, count: int) -> Value:
    """Return the means of `count` windows of an axis, by a product with a matrix."""
    extent = x.shape[axis]

    def make() -> np.ndarray[Any, Any]:
        matrix = np.zeros((extent, count), np.float64)
        for i in range(count):
            begin, end = _bounds(extent, count, i)
            matrix[begin:end, i] = 1 / (end - begin)
        return matrix.astype(x.dtype)

    return along_axis(c, x, axis, c.graph.shared(f"means_of_{extent}_in_{count}", make))


def _maxima(c: OperatorCall, x: Value, axis: int, count: int) -> Value:
    """Return the maxima of `count` windows of an axis."""
    extent = x.shape[axis]
    if count > _MAX_WINDOWS:
        refuse(f"it has {count} windows of different lengths", "Pool with windows of one size.")
    parts = []
    for i in range(count):
        part = sliced(c, x, axis, *_bounds(extent, count, i))
        parts.append(c.op("max_reduce", part, axes=[axis]))
    return parts[0] if count == 1 else c.op("concat", parts, axis=axis)


def _bounds(extent: int, count: int, index: int) -> tuple[int, int]:
    return index * extent // count, -((index + 1) * extent // -count)
