"""Reduction of each window of an array to its sum or maximum, dimension by dimension."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.operations.borders import pad
from nnefkit.operations.window import Window

BLOCK_BYTES = 256 << 10
"""Size of the blocks of the input, chosen so that a block stays in the cache of one core."""


def reduce_windows(input: Array, window: Window, reduce: np.ufunc, outside: float = 0) -> Array:
    """Reduce the elements of each window by an associative function.

    Sums are added element by element, never as differences of running sums, which would cancel.

    Args:
        input: An array of any rank.
        window: A window over all the dimensions of `input`.
        reduce: `np.add` or `np.maximum`.
        outside: The neutral element of `reduce`, which fills an ignored border.
    """
    axes = window.covered_axes(input.shape)
    if axes is not None:
        return np.asarray(reduce.reduce(input, axis=axes, keepdims=True, dtype=input.dtype))
    output = np.empty(window.down_extents(input.shape), input.dtype)
    size = max(math.prod(input.shape[2:]) * input.itemsize, 1)
    if input.ndim < 3 or window.slides(0) or window.slides(1):
        output[...] = _reduce(input, window, reduce, outside)
        return output
    # Batch and channels are left alone: one block of channels after the other.
    block = max(BLOCK_BYTES // size, 1)
    inner = window.along(slice(1, None))
    flat = input.reshape(-1, *input.shape[2:])
    results = output.reshape(-1, *output.shape[2:])
    for start in range(0, len(flat), block):
        part = slice(start, start + block)
        results[part] = _reduce(flat[part], inner, reduce, outside)
    return output


def _reduce(input: Array, window: Window, reduce: np.ufunc, outside: float) -> Array:
    fill = outside if window.border == "ignore" else 0
    array = pad(input, window.padding, window.border, fill)
    for axis, (f, s, d) in enumerate(zip(window.size, window.stride, window.dilation, strict=True)):
        if f > 1 or s > 1:
            array = _reduce_axis(array, axis, f, s, d, reduce)
    return array


def _reduce_axis(
    array: Array, axis: int, size: int, stride: int, dilation: int, reduce: np.ufunc
) -> Array:
    """Reduce windows along one axis of a padded array."""
    before = (slice(None),) * axis
    count = (array.shape[axis] - (size - 1) * dilation - 1) // stride + 1
    if size == 1:
        return array[(*before, slice(None, None, stride))]
    if count <= size:  # few windows: one call for each
        shape = (*array.shape[:axis], count, *array.shape[axis + 1 :])
        result = np.empty(shape, array.dtype)
        for i in range(count):
            start = i * stride
            items = array[(*before, slice(start, start + (size - 1) * dilation + 1, dilation))]
            target: Any = (*before, i)
            result[target] = reduce.reduce(items, axis=axis)
        return result
    length = (count - 1) * stride + 1
    taps = [
        array[(*before, slice(j * dilation, j * dilation + length, stride))] for j in range(size)
    ]
    result = np.asarray(reduce(taps[0], taps[1]))
    for tap in taps[2:]:
        reduce(result, tap, out=result)
    return result
