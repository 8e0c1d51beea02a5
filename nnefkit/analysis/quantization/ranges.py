"""The ranges that tensors are quantized in: by the extremes, a percentile, or the least error."""

from __future__ import annotations

from typing import Literal

import numpy as np

from nnefkit.analysis.quantization.histogram import ValueHistogram
from nnefkit.arrays import Array
from nnefkit.operations.quantization_grid import QuantizationGrid

Method = Literal["minmax", "percentile", "mse"]
METHODS: tuple[Method, ...] = ("minmax", "percentile", "mse")
_SHARES = np.linspace(1.0, 0.02, 99)
"""Shares of the range that are tried for the least error."""
_ROUNDS = 2
_WEIGHT_SHARES = np.linspace(1.0, 0.4, 31)


def activation_grid(
    values: ValueHistogram, method: Method, bits: int, *, symmetric: bool, percentile: float
) -> QuantizationGrid:
    """Return the grid for values that were observed.

    Args:
        values: What was observed.
        method: How the range is chosen.
        bits: Number of bits of a code.
        symmetric: Whether the range is symmetric about 0.
        percentile: Percentage of the values in the range, for that method.
    """
    low, high = min(values.minimum, 0.0), max(values.maximum, 0.0)
    if method == "percentile":
        within = _within(values, percentile / 100, symmetric=symmetric)
        if within != (0.0, 0.0):  # else so few values are not 0 that they are the range
            low, high = within
    elif method == "mse":
        low, high = _least_error(values, low, high, bits, symmetric=symmetric)
    return QuantizationGrid.of(low, high, bits, symmetric=symmetric)


def _within(values: ValueHistogram, share: float, *, symmetric: bool) -> tuple[float, float]:
    """Return the range that contains a share of the values, both tails cut equally."""
    low, high = min(values.minimum, 0.0), max(values.maximum, 0.0)
    if share >= 1 or not values.limit:
        return low, high
    half = values.counts.size // 2
    negative, positive = values.counts[:half][::-1], values.counts[half:]
    if symmetric:
        both = _quantile(negative + positive, values.zeros, share, values.limit)
        return max(-both, low), min(both, high)
    tail = (1 - share) / 2
    if values.minimum >= 0 or values.maximum <= 0:
        tail *= 2  # there is one tail only
    below = values.zeros + int(negative.sum())
    above = values.zeros + int(positive.sum())
    top = _quantile(positive, below, 1 - tail, values.limit)
    bottom = _quantile(negative, above, 1 - tail, values.limit)
    return max(-bottom, low), min(top, high)


def _quantile(counts: Array, others: int, share: float, limit: float) -> float:
    """Return the value below which a share of the values is, at least 0.

    Args:
        counts: Counts of bins of equal width from 0 to `limit`.
        others: Number of values below them.
        share: The share.
        limit: The end of the last bin.
    """
    sums = others + np.cumsum(counts)
    wanted = share * float(sums[-1])
    if wanted <= others:
        return 0.0
    place = int(np.searchsorted(sums, wanted))
    before = float(sums[place - 1]) if place else float(others)
    inside = (wanted - before) / max(float(counts[place]), 1.0)
    return (place + inside) * limit / counts.size


def _least_error(
    values: ValueHistogram, low: float, high: float, bits: int, *, symmetric: bool
) -> tuple[float, float]:
    """Return the range whose grid has the least mean square error over the histogram."""
    used = np.flatnonzero(values.counts)
    if not used.size:
        return low, high
    centers, counts = values.centers[used], values.counts[used].astype(np.float64)
    counts /= counts.sum()
    # A bin is at least as fine as this; its middle stands for evenly spread values.
    inside = (2 * values.limit / values.counts.size) ** 2 / 12

    def error(bottom: float, top: float) -> float:
        grid = QuantizationGrid.of(bottom, top, bits, symmetric=symmetric)
        step = float(grid.scale)
        rounded = np.clip(np.floor(centers / step + 0.5) * step, float(grid.low), float(grid.high))
        if step * step < 12 * inside:
            # Finer than the bins: rounding inside of the range is as of evenly spread values.
            outside = np.minimum(centers - grid.low, 0) + np.maximum(centers - grid.high, 0)
            return float(counts @ np.square(outside)) + step * step / 12
        return float(counts @ np.square(rounded - centers))

    if symmetric:
        most = max(-low, high)
        best = min(_SHARES, key=lambda share: error(-share * most, share * most))
        return -best * most, best * most
    bottom, top = low, high
    for _ in range(_ROUNDS):
        if high > 0:
            top = high * min(_SHARES, key=lambda share: error(bottom, share * high))
        if low < 0:
            bottom = low * min(_SHARES, key=lambda share: error(share * low, top))
    return bottom, top


def weight_grid(
    values: Array, axis: int | None, method: Method, bits: int, *, symmetric: bool
) -> QuantizationGrid:
    """Return the grid for weights, with one range for each index along `axis`, or one for all.

    Percentiles are for activations: of weights, the extremes count.
    """
    wide = values.astype(np.float64)
    axes = tuple(i for i in range(wide.ndim) if i != axis)
    shape = () if axis is None else (*(1 for _ in range(axis)), wide.shape[axis])
    low, high = wide.min(axis=axes).reshape(shape), wide.max(axis=axes).reshape(shape)
    whole = QuantizationGrid.of(low, high, bits, symmetric=symmetric)
    if method != "mse":
        return whole
    least, chosen = np.full(shape, np.inf), np.ones(shape)
    for share in _WEIGHT_SHARES:
        grid = QuantizationGrid.of(low * share, high * share, bits, symmetric=symmetric)
        errors = np.square(grid.rounded(wide) - wide).mean(axis=axes).reshape(shape)
        better = errors < least
        least, chosen = np.where(better, errors, least), np.where(better, share, chosen)
    return QuantizationGrid.of(low * chosen, high * chosen, bits, symmetric=symmetric)
