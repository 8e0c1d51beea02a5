"""Correlating a filter with an input: the arithmetic of `conv` (4.3.1) as matrix products.

A `Correlator` is a filter prepared for inputs of certain spatial extents, to be used many times.
There are three kinds: for pointwise filters, for depthwise filters, and for all others.
Intermediate copies are made block by block, so that their size is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nnefkit.arrays import Array
from nnefkit.operations.borders import pad
from nnefkit.operations.depthwise_correlation import Planes
from nnefkit.operations.window import Window

COLUMNS_BYTES = 8 << 20
"""Size of the blocks in which the windows of an input are laid out for a matrix product."""


class Correlator(Protocol):
    """Function from an input of shape (N,C,...) to the output of shape (N,c,...) and same dtype."""

    def __call__(self, input: Array) -> Array:
        """Return the correlation of `input` and the filter, plus the bias."""
        ...


def correlator(
    filter: Array, extents: Sequence[int], window: Window, groups: int, bias: Array | None = None
) -> Correlator:
    """Prepare a filter.

    Args:
        filter: An array of shape (c, C / groups, ...), in the dtype to compute in.
        extents: The spatial extents of the inputs.
        window: A window as large as the filter, over these extents.
        groups: The number of groups, at least 1.
        bias: An array of shape (c,), or None.
    """
    if math.prod(window.size) == 1:
        return _Pointwise(filter, window, groups, bias)
    kind = Planes if filter.shape[1] == 1 else _WindowColumns
    return kind(filter, extents, window, groups, bias)


class _Pointwise:
    """Filters whose spatial extents are 1: a matrix product without any copy."""

    def __init__(self, filter: Array, window: Window, groups: int, bias: Array | None) -> None:
        self.matrix = filter.reshape(groups, -1, filter.shape[1])
        self.window = window
        self.bias = None if bias is None else bias.reshape(-1, *[1] * (filter.ndim - 2))

    def __call__(self, input: Array) -> Array:
        matrix, window = self.matrix, self.window
        groups, results, channels = matrix.shape
        padded = pad(input, ((0, 0), (0, 0), *window.padding), window.border)
        if any(s > 1 for s in window.stride):
            taken: Any = (..., *(slice(None, None, s) for s in window.stride))
            padded = padded[taken]
        batch, extents = padded.shape[0], padded.shape[2:]
        count = math.prod(extents)
        if channels == 1:
            output = padded.reshape(batch, groups, 1, count) * matrix
        elif groups == 1 and count == 1:
            output = padded.reshape(batch, channels) @ matrix[0].T
        elif groups == 1:
            output = np.matmul(matrix[0], padded.reshape(batch, channels, count))
        else:
            output = np.matmul(matrix, padded.reshape(batch, groups, channels, count))
        output = output.reshape(batch, groups * results, *extents)
        if self.bias is not None:
            output += self.bias
        return output


class _WindowColumns:
    """Filters of any kind: the windows are laid out as the columns of a matrix, block by block."""

    def __init__(
        self, filter: Array, extents: Sequence[int], window: Window, groups: int, bias: Array | None
    ) -> None:
        self.window = window
        self.groups = groups
        self.channels = filter.shape[1]
        self.extents = window.down_extents(extents)
        matrix = filter.reshape(groups, filter.shape[0] // groups, -1)
        if bias is not None:  # The bias is the weight of a row of ones.
            column = bias.reshape(groups, -1, 1)
            matrix = np.concatenate([matrix, column], axis=2, dtype=filter.dtype)
        self.matrix = matrix
        self.biased = bias is not None
        inner = math.prod(self.extents[1:])
        size = groups * matrix.shape[2] * inner * filter.itemsize
        self.rows = min(max(COLUMNS_BYTES // size, 1), self.extents[0])

    def __call__(self, input: Array) -> Array:
        window, extents, matrix = self.window, self.extents, self.matrix
        groups, results, depth = matrix.shape
        padded = pad(input, ((0, 0), (0, 0), *window.padding), window.border)
        inner = math.prod(extents[1:])
        output = np.empty((len(input), groups, results, extents[0] * inner), matrix.dtype)
        buffer = np.empty(groups * depth * self.rows * inner, matrix.dtype)
        whole = (slice(None),) * (2 + len(extents))
        for item, result in zip(padded, output, strict=True):
            windows = self._windows(item)
            for start in range(0, extents[0], self.rows):
                rows = min(self.rows, extents[0] - start)
                used = buffer[: groups * depth * rows * inner]
                columns = used.reshape(groups, depth, rows * inner)
                self._fill(columns, windows[(*whole, slice(start, start + rows))])
                block = result[:, :, start * inner : (start + rows) * inner]
                np.matmul(matrix, columns, out=block)
        return output.reshape(len(input), groups * results, *extents)

    def _windows(self, item: Array) -> Array:
        """All windows of one batch element: (groups, channels, window..., output...)."""
        channel, *strides = item.strides
        window = self.window
        return as_strided(
            item,
            (self.groups, self.channels, *window.size, *self.extents),
            (
                channel * self.channels,
                channel,
                *(step * d for step, d in zip(strides, window.dilation, strict=True)),
                *(step * s for step, s in zip(strides, window.stride, strict=True)),
            ),
            writeable=False,
        )

    def _fill(self, columns: Array, windows: Array) -> None:
        if self.biased:
            columns[:, -1] = 1
            columns = columns[:, :-1]
        np.copyto(columns.reshape(windows.shape), windows)  # splits dimensions: no copy
