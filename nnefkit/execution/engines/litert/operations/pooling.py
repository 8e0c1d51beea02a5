"""Box filters and pooling (4.3.2, 4.3.3, 4.9.3), and local normalization."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnefkit.arrays import Array, Ints
from nnefkit.execution.engines.litert.borders import pad
from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.images import as_plane, padded, strides, with_zeros
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import (
    add,
    div,
    elementwise,
    mul,
    reduce,
    sliced,
    sub,
    unary,
)
from nnefkit.operations.window import Window

LOWEST = float(np.finfo(np.float32).min)
"""What a border is that no maximum sees."""


@lowering("box")
def box(b: TfliteBuilder, input: TfliteValue, *, window: Window, normalize: bool) -> TfliteValue:
    """Return the sum, or if `normalize` the average, of each window."""
    window = window.over(input.shape)
    axes = window.covered_axes(input.shape)
    if axes is not None:
        return reduce(b, "MEAN" if normalize else "SUM", input, axes)
    volume = float(math.prod(window.size))
    is_averaged = normalize and window.border == "ignore"
    if not _is_plane(window):
        return _box_by_taps(b, input, window, normalize, volume)
    shape = window.down_extents(input.shape)
    x, plane = as_plane(b, input, window.along(slice(1, -1)))
    x, mode, plane = padded(b, x, plane, is_same=is_averaged)
    average = _pooled(b, "AVERAGE_POOL_2D", x, plane, mode, shape)
    if not normalize:
        return mul(b, average, volume)
    if is_averaged and mode and any(map(any, window.padding)):
        counts = _counts(input.shape, window).astype(np.float32)
        with np.errstate(divide="ignore"):
            return mul(b, average, b.constant(np.asarray(volume / counts, np.float32)))
    return average


def _is_plane(window: Window) -> bool:
    """Return whether a window slides over at most two axes between the first and the last one."""
    if not 3 <= len(window.size) <= 4 or max(window.dilation) > 1:
        return False
    return not (window.slides(0) or window.slides(len(window.size) - 1))


def _pooled(
    b: TfliteBuilder, kind: str, x: TfliteValue, window: Window, mode: int, shape: Sequence[int]
) -> TfliteValue:
    result = (x.shape[0], *window.down_extents(x.shape[1:-1]), x.shape[-1])
    pooled = b.op(
        kind,
        [x],
        result,
        Padding=mode,
        FilterHeight=window.size[0],
        FilterWidth=window.size[1],
        **strides(window),
    )
    return b.reshape(pooled, shape)


def _counts(extents: Sequence[int], window: Window) -> Array:
    """Return the number of elements of the input in each window."""
    product = np.ones([1] * len(extents), np.int64)
    for axis, counts in enumerate(window.true_counts(extents)):
        distinct = counts[:1] if (counts == counts[0]).all() else counts
        product = product * distinct.reshape(-1, *[1] * (len(extents) - axis - 1))
    return product


def _box_by_taps(
    b: TfliteBuilder, x: TfliteValue, window: Window, normalize: bool, volume: float
) -> TfliteValue:
    sums = _by_taps(b, pad(b, x, window.padding, window.border), window, "ADD")
    if not normalize:
        return sums
    if window.border != "ignore":
        return div(b, sums, volume)
    return div(b, sums, b.constant(_counts(x.shape, window).astype(np.float32)))


def _by_taps(b: TfliteBuilder, x: TfliteValue, window: Window, kind: str) -> TfliteValue:
    """Return what windows over a padded tensor hold together, one axis after the other."""
    for axis, (f, s, d) in enumerate(zip(window.size, window.stride, window.dilation, strict=True)):
        if f == 1 and s == 1:
            continue
        extent = (x.shape[axis] - (f - 1) * d - 1) // s + 1
        taps = [sliced(b, x, {axis: (j * d, j * d + (extent - 1) * s + 1, s)}) for j in range(f)]
        x = taps[0]
        for tap in taps[1:]:
            x = elementwise(b, kind, x, tap)
    return x


@lowering("debox")
def debox(
    b: TfliteBuilder,
    input: TfliteValue,
    *,
    window: Window,
    output_shape: Ints,
    normalize: bool,
) -> TfliteValue:
    """Add each element to all positions that `box` sums into it.

    Positions are summed over windows that slide one by one, between the elements with zeros.
    """
    volume = float(math.prod(window.size))
    extents, window = window.reversed(input.shape, output_shape)
    extension = ((0, 0),) * input.rank
    if window.border not in ("constant", "ignore"):
        extension = window.reverse_extension(input.shape, extents)
        input = pad(b, input, extension, window.border)  # noqa: A001
    spread = with_zeros(b, input, window.stride)
    padding = []
    for axis, (_, (p, _), s, _) in enumerate(window.axes):
        start = -p - extension[axis][0] * s
        before = start + window.span[axis] - 1
        padding.append((before, extents[axis] - start - spread.shape[axis]))
    ones = (1,) * input.rank
    sliding = replace(window, stride=ones, padding=((0, 0),) * input.rank)
    sums = _by_taps(b, pad(b, spread, padding, "constant"), sliding, "ADD")
    return div(b, sums, volume) if normalize else sums


@lowering("avg_pool")
def avg_pool(b: TfliteBuilder, input: TfliteValue, *, window: Window) -> TfliteValue:
    """Return the average of each window."""
    return box(b, input, window=window, normalize=True)


@lowering("rms_pool")
def rms_pool(b: TfliteBuilder, input: TfliteValue, *, window: Window) -> TfliteValue:
    """Return the root mean square of each window."""
    return unary(b, "SQRT", box(b, mul(b, input, input), window=window, normalize=True))


@lowering("max_pool")
def max_pool(b: TfliteBuilder, input: TfliteValue, *, window: Window) -> TfliteValue:
    """Return the maximum of each window."""
    window = window.over(input.shape)
    axes = window.covered_axes(input.shape)
    if axes is not None:
        return reduce(b, "REDUCE_MAX", input, axes)
    is_ignored = window.border == "ignore"
    fill = -math.inf if is_ignored else 0.0
    # The maximum of a window that is all border is minus infinity, which the operator limits.
    is_empty = is_ignored and not _counts(input.shape, window).all()
    if is_empty or not _is_plane(window):
        return _by_taps(b, pad(b, input, window.padding, window.border, fill), window, "MAXIMUM")
    shape = window.down_extents(input.shape)
    x, plane = as_plane(b, input, window.along(slice(1, -1)))
    fill = LOWEST if is_ignored else fill
    x, mode, plane = padded(b, x, plane, fill, is_same=is_ignored)
    return _pooled(b, "MAX_POOL_2D", x, plane, mode, shape)


@lowering("nearest_downsample")
def nearest_downsample(b: TfliteBuilder, input: TfliteValue, *, factor: Ints) -> TfliteValue:
    """Return the first element of each cell."""
    return sliced(b, input, {axis: (0, input.shape[axis], f) for axis, f in enumerate(factor, 1)})


@lowering("area_downsample")
def area_downsample(b: TfliteBuilder, input: TfliteValue, *, factor: Ints) -> TfliteValue:
    """Return the average of each cell."""
    return box(b, input, window=Window.of_cells((1, *factor, 1)), normalize=True)


# -- local normalization ---------------------------------------------------------------------------


@lowering("local_response_normalization")
def local_response_normalization(
    b: TfliteBuilder, input: TfliteValue, *, size: Ints, alpha: float, beta: float, bias: float
) -> TfliteValue:
    """Return the input divided by a power of the energy around each element."""
    if _is_across_channels(size):
        return b.op(
            "LOCAL_RESPONSE_NORMALIZATION",
            [input],
            input.shape,
            Radius=size[-1] // 2,
            Bias=float(bias),
            Alpha=alpha / size[-1],
            Beta=float(beta),
        )
    energy = box(b, mul(b, input, input), window=Window.of(size), normalize=True)
    norm = add(b, mul(b, energy, alpha), bias)
    return div(b, input, elementwise(b, "POW", norm, beta))


def _is_across_channels(size: Ints) -> bool:
    return len(size) == 4 and size[-1] % 2 == 1 and all(n == 1 for n in size[:-1])


@lowering("local_mean_normalization")
def local_mean_normalization(b: TfliteBuilder, input: TfliteValue, *, size: Ints) -> TfliteValue:
    """Return the input minus the mean around each element."""
    return sub(b, input, box(b, input, window=Window.of(size), normalize=True))


@lowering("local_variance_normalization")
def local_variance_normalization(
    b: TfliteBuilder, input: TfliteValue, *, size: Ints, bias: float, epsilon: float
) -> TfliteValue:
    """Return the input divided by the deviation around each element."""
    energy = box(b, mul(b, input, input), window=Window.of(size), normalize=True)
    norm = add(b, unary(b, "SQRT", energy), bias)
    return div(b, input, elementwise(b, "MAXIMUM", norm, epsilon))


@lowering("local_contrast_normalization")
def local_contrast_normalization(
    b: TfliteBuilder, input: TfliteValue, *, size: Ints, bias: float, epsilon: float
) -> TfliteValue:
    """Return the input without its local mean, divided by its local deviation."""
    centered = local_mean_normalization(b, input, size=size)
    return replace_variance(b, centered, size, bias, epsilon)


def replace_variance(
    b: TfliteBuilder, centered: TfliteValue, size: Ints, bias: float, epsilon: float
) -> TfliteValue:
    """Return centered values divided by their local deviation."""
    return local_variance_normalization(b, centered, size=size, bias=bias, epsilon=epsilon)
