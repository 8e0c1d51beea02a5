"""Convolutions in which each result sees many channels: a matrix product over laid out windows.

The windows of some rows of the result become the columns of a matrix that stays in the cache until
it is multiplied. Padding, columns and result have places in the arena: fresh memory would take as
long as the arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.resolved_convolution import Convolution
from nnefkit.execution.engines.numpy.specialization import Lowered

COLUMNS_BYTES = 1 << 20
"""Size of the matrix of columns, in bytes, if that is enough for `COLUMNS`."""
COLUMNS = 192
"""Fewest columns, where there are as many: for fewer, making the filter ready takes too long."""


def lower_dense(conv: Convolution) -> Lowered | None:
    """Any convolution of few groups, padded with zeros if at all; None for others."""
    if conv.window.border != "constant" and conv.padded:
        return None
    if conv.filter.shape[1] == 1 or any(p < 0 or q < 0 for p, q in conv.window.padding):
        return None
    return _Dense(conv).lowered()


class _Dense:
    def __init__(self, conv: Convolution) -> None:
        self.conv = conv
        groups, channels = conv.groups, conv.filter.shape[1]
        self.matrix = conv.filter.reshape(groups, conv.output[1] // groups, -1)
        self.depth = self.matrix.shape[2]
        self.inner = math.prod(conv.output[3:])
        self.windows = (groups, channels, *conv.window.size)
        item = conv.filter.itemsize
        row = groups * self.depth * self.inner * item
        rows = max(COLUMNS_BYTES // row, -(-COLUMNS // self.inner), 1)
        blocks = -(-conv.output[2] // rows)
        self.rows = -(-conv.output[2] // blocks)
        self.columns = groups * self.depth * self.rows * self.inner
        # Of the input with its padding.
        spatial = zip(conv.input[2:], conv.window.padding, strict=True)
        self.region = (conv.input[1], *(p + extent + q for extent, (p, q) in spatial))

    def lowered(self) -> Lowered:
        padding = math.prod(self.region) if self.conv.padded else 0
        return Lowered(self.run, padding + self.columns)

    def run(self, out: Array, scratch: Array, x: Array, addend: Array | None = None) -> None:
        groups, results, _ = self.matrix.shape
        columns, padded = scratch[: self.columns], scratch[self.columns :]
        region = padded.reshape(self.region) if self.conv.padded else None
        inside = None if region is None else self._clear_padding(region)
        for item, result in zip(x, out.reshape(len(x), groups, results, -1), strict=True):
            if region is None or inside is None:
                self._multiply(np.ascontiguousarray(item), columns, result)
            else:
                np.copyto(inside, item)
                self._multiply(region, columns, result)
        self.conv.finish(out, addend)

    def _clear_padding(self, region: Array) -> Array:
        """Sets what lies outside of the input to zero; returns what lies inside."""
        inside: list[slice] = [slice(None)]
        for (p, _), extent in zip(self.conv.window.padding, self.conv.input[2:], strict=True):
            region[(*inside, slice(None, p))] = 0
            region[(*inside, slice(p + extent, None))] = 0
            inside.append(slice(p, p + extent))
        return region[tuple(inside)]

    def _multiply(self, region: Array, columns: Array, result: Array) -> None:
        """The products of the filter and the columns of one batch item."""
        height, *others = self.conv.output[2:]
        strides = self._strides(region)
        pitch = strides[len(self.windows)]
        for start in range(0, height, self.rows):
            rows = min(self.rows, height - start)
            shape = (*self.windows, rows, *others)
            windows: Array = np.ndarray(shape, region.dtype, region, start * pitch, strides)
            laid = columns[: math.prod(shape)]
            np.copyto(laid.reshape(shape), windows)
            block: Any = result[:, :, start * self.inner : (start + rows) * self.inner]
            np.matmul(self.matrix, laid.reshape(len(self.matrix), self.depth, -1), out=block)

    def _strides(self, region: Array) -> tuple[int, ...]:
        """Of all windows: (groups, channels, window..., output...)."""
        channel, *strides = region.strides
        window = self.conv.window
        return (
            channel * self.windows[1],
            channel,
            *(step * d for step, d in zip(strides, window.dilation, strict=True)),
            *(step * s for step, s in zip(strides, window.stride, strict=True)),
        )
