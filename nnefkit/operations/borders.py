"""The border modes of 4.3: the values outside of a tensor, for padding and sliding windows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnefkit.errors import did_you_mean

BORDERS = ("ignore", "constant", "replicate", "reflect", "reflect-even")
"""The border modes, in the order of 4.3."""

OUTSIDE = -1
"""The source index of a position that has no source (borders 'constant' and 'ignore')."""


def border_indices(extent: int, before: int, after: int, border: str) -> NDArray[np.intp]:
    """Return the index of the input for each position of a padded dimension.

    Negative `before` and `after` crop. Positions without a source (border 'constant', 'ignore')
    get `OUTSIDE`. Reflections repeat as often as needed, as if the reflected input were
    reflected again; an extent of 1 reflects to itself.

    Returns:
        ``max(before + extent + after, 0)`` indices.
    """
    positions = np.arange(-before, extent + after, dtype=np.intp)
    if border == "replicate":
        return positions.clip(0, extent - 1)
    if border == "reflect":
        period = max(2 * (extent - 1), 1)
        positions %= period
        return np.minimum(positions, period - positions) if extent > 1 else positions
    if border == "reflect-even":
        positions %= 2 * extent
        return np.minimum(positions, 2 * extent - 1 - positions)
    positions[(positions < 0) | (positions >= extent)] = OUTSIDE
    return positions


def pad(
    array: NDArray[Any],
    padding: Sequence[tuple[int, int]],
    border: str = "constant",
    value: float = 0.0,
) -> NDArray[Any]:
    """Return `array` with its borders extended, or cropped where the padding is negative.

    Args:
        array: An array of any rank and dtype.
        padding: The extents before and after, for at least the leading dimensions.
        border: One of `BORDERS`; 'constant' and 'ignore' fill with `value`.
        value: The value that fills the border.

    Returns:
        A view if nothing is added, else a new array.
    """
    if border in ("constant", "ignore"):
        return _fill(array, padding, value)
    for axis, (before, after) in enumerate(padding):
        if before <= 0 and after <= 0:
            array = _crop(array, axis, before, after)
        else:
            array = _extend(array, axis, before, after, border)
    return array


def _extend(array: NDArray[Any], axis: int, before: int, after: int, border: str) -> NDArray[Any]:
    """Extend one axis at one end or both; only the added elements are fetched by index."""
    extent = array.shape[axis]
    indices = border_indices(extent, before, after, border)
    if before < 0 or after < 0:
        return array.take(indices, axis)
    whole = (slice(None),) * axis
    shape = (*array.shape[:axis], before + extent + after, *array.shape[axis + 1 :])
    extended = np.empty(shape, array.dtype)
    extended[(*whole, slice(before, before + extent))] = array
    for target in (slice(before), slice(before + extent, None)):
        extended[(*whole, target)] = array.take(indices[target], axis)
    return extended


def _crop(array: NDArray[Any], axis: int, before: int, after: int) -> NDArray[Any]:
    if not before and not after:
        return array
    stop = max(array.shape[axis] + after, 0)
    return array[(slice(None),) * axis + (slice(-before, stop),)]


def _fill(array: NDArray[Any], padding: Sequence[tuple[int, int]], value: float) -> NDArray[Any]:
    shape = list(array.shape)
    source: list[Any] = [slice(None)] * array.ndim
    target = [slice(None)] * array.ndim
    for axis, (before, after) in enumerate(padding):
        extent = array.shape[axis]
        start = max(-before, 0)
        stop = max(min(extent, extent + after), start)
        shape[axis] = max(before + extent + after, 0)
        source[axis] = slice(start, stop)
        target[axis] = slice(start + before, stop + before)
    taken = array[(*source, ...)]  # the ellipsis keeps an array where the rank is 0
    if taken.shape == tuple(shape):
        return taken
    # The operating system provides zeroed pages for free, but not filled ones.
    padded = np.zeros(shape, array.dtype)
    if value:
        with np.errstate(over="ignore"):
            padded.fill(value)
    if taken.size:
        padded[tuple(target)] = taken
    return padded


def border_hint(border: str, allowed: Sequence[str] = BORDERS) -> str:
    """Return a hint about what to write instead of an unknown `border`."""
    listed = ", ".join(f"'{name}'" for name in allowed)
    return f"{did_you_mean(border, allowed)} The modes are {listed}.".strip()
