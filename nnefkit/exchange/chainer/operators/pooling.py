"""Pooling and its reverse (4.3.2, 4.3.3), and resizing (4.3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.chainer.call import Call, function
from nnefkit.exchange.compositions.resampling import ResizedAxis, interpolated, selected
from nnefkit.exchange.compositions.shaping import cropped
from nnefkit.exchange.source_value import Value


def _window(c: Call) -> tuple[Value, list[int], list[int], list[int]]:
    """Return the input, and the size, the stride and the padding of the window."""
    x = c[0]
    if c.operator.endswith("2D"):
        size, stride, pad = c.pair("kh", "kw"), c.pair("sy", "sx"), c.pair("ph", "pw")
    else:
        size, stride, pad = c.integers("ksize"), c.integers("stride"), c.integers("pad")
    if x.rank != len(size) + 2 or not len(size) == len(stride) == len(pad):
        c.invalid(f"its window is {size} for an input of {[*x.shape]}")
    if min(*size, *stride) < 1 or min(pad) < 0:
        c.invalid(f"its window is {size}, its stride {stride}, its padding {pad}")
    return x, size, stride, pad


def _pooled(
    c: Call,
    x: Value,
    operation: str,
    border: str,
    window: tuple[Sequence[int], Sequence[int], Sequence[int]],
    *,
    cover: bool,
) -> Value:
    """Return the maxima or means of windows.

    Args:
        c: The call of the function.
        x: The input.
        operation: ``max_pool`` or ``avg_pool``.
        border: The border: constant, where padding counts, or ignore.
        window: Size, stride and padding along each spatial axis.
        cover: Whether a last window covers what is left at the end.
    """
    size, stride, pad = window
    padding = [(0, 0), (0, 0)]
    for n, k, s, p in zip(x.shape[2:], size, stride, pad, strict=True):
        rest = n + 2 * p - k
        count = (rest + (s - 1 if cover else 0)) // s + 1
        if count < 1:
            c.invalid(f"its window of {k} elements does not fit an axis of {n}")
        if p >= k or (count - 1) * s - p >= n:
            c.refuse(
                f"a window along an axis of {n} elements has none of them",
                "Choose a smaller padding or stride.",
            )
        padding.append((p, p + max((count - 1) * s - rest, 0)))
    attributes: dict[str, Any] = {"size": [1, 1, *size], "stride": [1, 1, *stride]}
    return c.op(operation, x, border=border, padding=padding, **attributes)


@function("MaxPooling2D", "MaxPoolingND")
def max_pool(c: Call) -> Value:
    """Read `max_pool`; the number of windows is rounded up, unless ``cover_all`` is false."""
    x, *window = _window(c)
    cover = c.flag("cover_all", True)
    return _pooled(c, x, "max_pool", "ignore", (window[0], window[1], window[2]), cover=cover)


@function("AveragePooling2D", "AveragePoolingND")
def average_pool(c: Call) -> Value:
    """Read `avg_pool`; padding counts, unless ``pad_value`` is None."""
    x, *window = _window(c)
    counts = c.operator == "AveragePooling2D" or c.param("pad_value", 0) is not None
    if counts and c.number("pad_value", 0):
        c.refuse("it pads with a number other than 0", "Pad the input before it.")
    border = "constant" if counts else "ignore"
    return _pooled(c, x, "avg_pool", border, (window[0], window[1], window[2]), cover=False)


@function("Unpooling2D", "UnpoolingND")
def unpool(c: Call) -> Value:
    """Read `nearest_upsample` or, where windows overlap or have gaps, `debox`."""
    x, size, stride, pad = _window(c)
    sizes = _sizes(c, x, size, stride, pad)
    begins = [*pad]
    scaled = [p * k // 2 for p, k in zip(pad, size, strict=True)]
    if c.operator == "Unpooling2D" and scaled != begins and _is_scaled(x, size, stride, pad, sizes):
        c.refuse(
            "versions of Chainer cut the padding of this size differently",
            "Unpool without padding, and cut the result.",
        )
    wholes = [(n - 1) * s + k for n, k, s in zip(x.shape[2:], size, stride, strict=True)]
    ends = [whole - b - out for whole, b, out in zip(wholes, begins, sizes, strict=True)]
    if size == stride:
        wide = x if max(size) == 1 else c.op("nearest_upsample", x, factor=size)
    else:
        attributes: dict[str, Any] = {"size": [1, 1, *size], "stride": [1, 1, *stride]}
        wide = c.op("debox", x, padding=[(0, 0)] * x.rank, **attributes)
    crops = [(0, 0), (0, 0), *((-b, -e) for b, e in zip(begins, ends, strict=True))]
    result, padding = cropped(c, wide, crops)
    return c.op("pad", result, padding=padding) if any(map(any, padding)) else result


def _sizes(
    c: Call, x: Value, size: Sequence[int], stride: Sequence[int], pad: Sequence[int]
) -> list[int]:
    """Return the extents of the result."""
    given: list[int] | None = None
    if c.operator != "Unpooling2D":
        given = None if c.param("outs", None) is None else c.integers("outs")
    elif c.param("outh", None) is not None:
        given = c.pair("outh", "outw")
    if given is None:
        less = 1 if c.flag("cover_all", True) else 0
        given = [
            s * (n - 1) + k - 2 * p - (s - 1) * less
            for n, k, s, p in zip(x.shape[2:], size, stride, pad, strict=True)
        ]
    if len(given) != len(size) or min(given) < 1:
        c.invalid(f"the size of its result is {given}")
    return given


def _is_scaled(
    x: Value, size: Sequence[int], stride: Sequence[int], pad: Sequence[int], sizes: Sequence[int]
) -> bool:
    """Whether Chainer 7 scales the image by whole numbers, and crops before that."""
    return all(
        n > p and out == k * (n - p) and p % 2 == 0 and s == k
        for n, k, s, p, out in zip(x.shape[2:], size, stride, pad, sizes, strict=True)
    )


@function("ResizeImages")
def resize(c: Call) -> Value:
    """Read `multilinear_upsample`, or products with matrices of weights; or `gather`."""
    x, sizes = c.image(), c.pair("out_H", "out_W")
    if min(sizes) < 1:
        c.invalid(f"its size is {sizes}")
    mode, corners = c.text("mode", "bilinear"), c.flag("align_corners", True)
    if mode not in ("bilinear", "nearest"):
        c.invalid(f"its mode is '{mode}'")
    axes = [ResizedAxis(n, n, 1.0) for n in x.shape[:2]]
    places: list[Array] = [np.arange(n) for n in x.shape[:2]]
    for n, out in zip(x.shape[2:], sizes, strict=True):
        c.allowance.take((n, out), 4)
        axes.append(ResizedAxis(n, out, out / n))
        places.append(_places(n, out, mode, corners))
    if mode == "nearest":
        return selected(c, x, axes, [place.astype(np.int64) for place in places], "resize/indices")

    def weights(number: int) -> Value:
        return c.graph.constant(
            _weights(axes[number].extent, places[number]), name="resize/weights"
        )

    method = "aligned" if corners else "symmetric"
    return interpolated(c, x, axes, weights, method=method)


def _places(extent: int, new_extent: int, mode: str, corners: bool) -> Array:
    """Return the positions in the input of the elements of the result."""
    numbers = np.arange(new_extent, dtype=np.float64)
    if mode == "nearest":
        return np.minimum(np.floor(numbers * (extent / new_extent)), extent - 1)
    if corners:
        return np.linspace(0, extent - 1, new_extent)
    return np.maximum((numbers + 0.5) * (extent / new_extent) - 0.5, 0)


def _weights(extent: int, places: Array) -> Array:
    """Return the weight of each element, a column for each position."""
    part, first = np.modf(places)
    low = np.minimum(first.astype(np.int64), extent - 1)
    high = np.minimum(low + 1, extent - 1)
    weights = np.zeros((extent, len(places)), np.float32)
    columns = np.arange(len(places))
    np.add.at(weights, (low, columns), np.float32(1) - part.astype(np.float32))
    np.add.at(weights, (high, columns), part.astype(np.float32))
    return weights
