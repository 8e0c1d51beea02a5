"""Correlating a filter with an input: the arithmetic of `conv` (4.3.1) as matrix products.

A `Correlator` is a filter made ready for inputs of certain spatial extents, to be used many times.
There are three kinds of it, for filters without spatial extent, for those that see one channel
each, and for all others. Intermediate copies are made blockwise, of a bounded size.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from nnefkit.operations.borders import pad
from nnefkit.operations.sliding_window import Window, down_extents

Array = NDArray[Any]

COLUMNS_BYTES = 8 << 20
"""Size of the blocks in which the windows of an input are laid out for a matrix product."""
PLANES_BYTES = 512 << 10
"""The same for depthwise filters, whose products are so small that the block must stay in cache."""
TILE = 16
"""Most outputs in a row that one product with a banded matrix gives."""


class Correlator(Protocol):
    """Turns an input of shape (N,C,...) into the output, of shape (N,c,...), of the same dtype."""

    def __call__(self, input: Array) -> Array:
        """The correlation of `input` and the filter, plus the bias."""
        ...


def correlator(
    filter: Array,
    extents: Sequence[int],
    window: Window,
    groups: int,
    border: str = "constant",
    bias: Array | None = None,
) -> Correlator:
    """Makes a filter ready.

    Args:
        filter: of shape (c, C / groups, ...), in the dtype to calculate in.
        extents: the spatial extents of the inputs.
        window: padding, stride and dilation for them.
        groups: the number of groups, at least 1.
        border: what lies outside of the inputs.
        bias: of shape (c,), or None.
    """
    if math.prod(window.size) == 1:
        return _Pointwise(filter, window, groups, border, bias)
    kind = _Planes if filter.shape[1] == 1 else _Columns
    return kind(filter, extents, window, groups, border, bias)


class _Pointwise:
    """Filters whose spatial extents are 1: a matrix product without any copy."""

    def __init__(
        self, filter: Array, window: Window, groups: int, border: str, bias: Array | None
    ) -> None:
        self.matrix = filter.reshape(groups, -1, filter.shape[1])
        self.window = window
        self.border = border
        self.bias = None if bias is None else bias.reshape(-1, *[1] * (filter.ndim - 2))

    def __call__(self, input: Array) -> Array:
        matrix, window = self.matrix, self.window
        groups, results, channels = matrix.shape
        padded = pad(input, ((0, 0), (0, 0), *window.padding), self.border)
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


class _Columns:
    """Any filter: the windows are laid out as the columns of a matrix, block by block."""

    def __init__(
        self,
        filter: Array,
        extents: Sequence[int],
        window: Window,
        groups: int,
        border: str,
        bias: Array | None,
    ) -> None:
        self.window = window
        self.border = border
        self.groups = groups
        self.channels = filter.shape[1]
        self.extents = down_extents(extents, window)
        matrix = filter.reshape(groups, filter.shape[0] // groups, -1)
        if bias is not None:  # as the weight of a row of ones
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
        padded = pad(input, ((0, 0), (0, 0), *window.padding), self.border)
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
        """All windows of one batch item: (groups, channels, window..., output...)."""
        channel, *strides = item.strides
        size, _, stride, dilation = self.window
        return as_strided(
            item,
            (self.groups, self.channels, *size, *self.extents),
            (
                channel * self.channels,
                channel,
                *(step * d for step, d in zip(strides, dilation, strict=True)),
                *(step * s for step, s in zip(strides, stride, strict=True)),
            ),
            writeable=False,
        )

    def _fill(self, columns: Array, windows: Array) -> None:
        if self.biased:
            columns[:, -1] = 1
            columns = columns[:, :-1]
        np.copyto(columns.reshape(windows.shape), windows)  # splits dimensions: no copy


class _Planes:
    """Filters that see one channel: each row of outputs is a product with a banded matrix.

    A window's entries for a tile of neighbouring outputs are a contiguous stretch of the input;
    multiplied by the matrix that has the filter, shifted, in each column, they give the tile. Most
    of the matrix is zero, and still this is several times as fast as one pass over memory for each
    entry of the filter.
    """

    def __init__(
        self,
        filter: Array,
        extents: Sequence[int],
        window: Window,
        groups: int,
        border: str,
        bias: Array | None,
    ) -> None:
        self.window = window
        self.border = border
        self.filter = filter.reshape(groups, -1, *filter.shape[2:])
        self.bias = None if bias is None else bias.reshape(groups, -1)
        self.extents = down_extents(extents, window)
        last = self.extents[-1]
        self.tiles = -(-last // TILE)
        self.tile = -(-last // self.tiles)
        self.stretch = (self.tile - 1) * window.stride[-1] + window.span[-1]
        self.bands = self._bands()
        # What a block of the input must hold, so that the last tile is a whole one.
        self.region = tuple(
            (x - 1) * s + f
            for x, s, f in zip(
                (*self.extents[:-1], self.tiles * self.tile),
                window.stride,
                window.span,
                strict=True,
            )
        )
        self.rows = (*self.extents[:-1], self.tiles)
        size = self.bands.shape[2] * filter.itemsize * math.prod(self.rows)
        self.channels = min(max(PLANES_BYTES // size, 1), groups)
        self.height = min(max(PLANES_BYTES * self.rows[0] // size, 1), self.rows[0])

    def _bands(self) -> Array:
        """The banded matrices: (channels, multiplier, stretches [+ bias], tile)."""
        weights, tile, stretch = self.filter, self.tile, self.stretch
        channels, multiplier, *size = weights.shape
        outer = math.prod(size[:-1])
        depth = outer * stretch + (self.bias is not None)
        bands = np.zeros((channels, multiplier, depth, tile), weights.dtype)
        item = bands.itemsize
        diagonals = as_strided(
            bands,
            (channels, multiplier, outer, size[-1], tile),
            (
                *bands.strides[:2],
                stretch * tile * item,
                self.window.dilation[-1] * tile * item,
                (self.window.stride[-1] * tile + 1) * item,
            ),
        )
        diagonals[...] = weights.reshape(channels, multiplier, outer, size[-1], 1)
        if self.bias is not None:
            bands[:, :, -1] = self.bias[:, :, None]
        return bands

    def __call__(self, input: Array) -> Array:
        source, inside = self._source(input)
        batch, groups = input.shape[:2]
        multiplier, depth, tile = self.bands.shape[1:]
        rows = math.prod(self.rows)
        output = np.empty((batch, groups, multiplier, rows, tile), input.dtype)
        block = np.zeros((self.channels, *self.region), input.dtype)
        buffer = np.empty((self.channels, self.height, *self.rows[1:], depth), input.dtype)
        if self.bias is not None:
            buffer[..., -1] = 1
        for item, start in itertools.product(range(batch), range(0, groups, self.channels)):
            stop = min(start + self.channels, groups)
            used = block[: stop - start]
            used[(slice(None), *inside)] = source[item, start:stop]
            self._correlate(used, buffer, output[item, start:stop], start, stop)
        extents = self.extents
        output = output.reshape(batch, groups * multiplier, *extents[:-1], -1)
        if output.shape[-1] > extents[-1]:
            output = np.ascontiguousarray(output[..., : extents[-1]])
        return output

    def _source(self, input: Array) -> tuple[Array, tuple[slice, ...]]:
        """What to copy into blocks, and where to: a constant border is zero in them already."""
        source, padding = input, self.window.padding
        if self.border != "constant" or any(p < 0 or q < 0 for p, q in padding):
            source = pad(input, ((0, 0), (0, 0), *padding), self.border)
            padding = ((0, 0),) * len(padding)
        taken = [slice(None), slice(None)]
        inside = []
        for extent, (p, _), region in zip(source.shape[2:], padding, self.region, strict=True):
            count = min(extent, max(region - p, 0))
            taken.append(slice(count))
            inside.append(slice(p, p + count))
        return source[tuple(taken)], tuple(inside)

    def _correlate(self, block: Array, buffer: Array, output: Array, start: int, stop: int) -> None:
        """Fills the `output` of the channels from `start` to `stop`."""
        bands = self.bands[start:stop]
        windows = self._windows(block)
        inner = math.prod(self.rows[1:])
        depth = self.bands.shape[2]
        for first in range(0, self.rows[0], self.height):
            count = min(self.height, self.rows[0] - first)
            used = buffer[: len(block), :count]
            stretches = used if self.bias is None else used[..., :-1]
            source = windows[:, first : first + count]
            np.copyto(stretches.reshape(source.shape), source)
            lines = used.reshape(len(block), 1, count * inner, depth)
            result = output[:, :, first * inner : (first + count) * inner]
            if bands.shape[1] == 1:
                np.matmul(lines[:, 0], bands[:, 0], out=result[:, 0])
            else:
                np.matmul(lines, bands, out=result)
        if not math.isfinite(np.add.reduce(output, axis=None)):
            # The zeros of the bands have spread what is not finite over whole tiles.
            output[...] = self._tap_by_tap(block, start, stop).reshape(output.shape)

    def _windows(self, block: Array) -> Array:
        """The stretches of a block: (channels, rows..., window but its last dimension, stretch)."""
        channel, *strides, step = block.strides
        size, _, stride, dilation = self.window
        return as_strided(
            block,
            (len(block), *self.rows, *size[:-1], self.stretch),
            (
                channel,
                *(n * s for n, s in zip(strides, stride[:-1], strict=True)),
                step * stride[-1] * self.tile,
                *(n * d for n, d in zip(strides, dilation[:-1], strict=True)),
                step,
            ),
            writeable=False,
        )

    def _tap_by_tap(self, block: Array, start: int, stop: int) -> Array:
        """The same outputs, exact where an input is infinite or not a number."""
        weights = self.filter[start:stop]
        size, _, stride, dilation = self.window
        extents = (*self.extents[:-1], self.tiles * self.tile)
        output = np.zeros((*weights.shape[:2], *extents), block.dtype)
        if self.bias is not None:
            output += _broadcast(self.bias[start:stop], output.ndim)
        for entry in itertools.product(*map(range, size)):
            taken = tuple(
                slice(j * d, j * d + (x - 1) * s + 1, s)
                for j, d, x, s in zip(entry, dilation, extents, stride, strict=True)
            )
            here: Any = (..., *entry)
            items = block[(slice(None), None, *taken)]
            output += items * _broadcast(weights[here], output.ndim)
        return output


def _broadcast(array: Array, rank: int) -> Array:
    return array.reshape(*array.shape, *[1] * (rank - array.ndim))
