"""Convolutions over many channels: products of the filter and a matrix of windows.

The windows of some rows of the result become the columns of a matrix that stays in the cache until
it is multiplied. Padding, columns and result are in the arena: fresh memory would take as long as
the arithmetic.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.resolved_convolution import ResolvedConvolution
from nnefkit.execution.engines.numpy.specialization import SpecializedKernel

COLUMNS_BYTES = 1 << 20
"""Size of the matrix of columns, in bytes, if that is enough for `COLUMNS`."""
COLUMNS = 192
"""Least number of columns, if there are as many: for fewer, packing the filter takes too long."""


def dense_kernel(conv: ResolvedConvolution) -> SpecializedKernel | None:
    """Return a kernel for a convolution of few groups, padded with zeros if at all, else None."""
    if conv.window.border != "constant" and conv.padded:
        return None
    if conv.filter.shape[1] == 1 or any(p < 0 or q < 0 for p, q in conv.window.padding):
        return None
    return _DenseConvolution(conv).kernel()


class _DenseConvolution:
    def __init__(self, conv: ResolvedConvolution) -> None:
        self.conv = conv
        groups, channels = conv.groups, conv.filter.shape[1]
        self.matrix = conv.filter.reshape(groups, conv.output[1] // groups, -1)
        self.depth = self.matrix.shape[2]
        self.inner = math.prod(conv.output[3:])
        self.windows = (groups, channels, *conv.window.size)
        row = groups * self.depth * self.inner * conv.filter.itemsize
        rows = max(COLUMNS_BYTES // row, -(-COLUMNS // self.inner), 1)
        blocks = -(-conv.output[2] // rows)
        self.rows = -(-conv.output[2] // blocks)
        self.columns = groups * self.depth * self.rows * self.inner
        # Of the input with its padding.
        spatial = zip(conv.input[2:], conv.window.padding, strict=True)
        self.region = (conv.input[1], *(p + extent + q for extent, (p, q) in spatial))

    def kernel(self) -> SpecializedKernel:
        padding = math.prod(self.region) if self.conv.padded else 0
        return SpecializedKernel(self.run, padding + self.columns)

    def run(self, out: Array, scratch: Array, x: Array, addend: Array | None = None) -> None:
        groups, results, _ = self.matrix.shape
        columns, padded = scratch[: self.columns], scratch[self.columns :]
        region = padded.reshape(self.region) if self.conv.padded else None
        inside = None if region is None else self._clear_padding(region)
        for image, result in zip(x, out.reshape(len(x), groups, results, -1), strict=True):
            if region is None or inside is None:
                self._multiply(np.ascontiguousarray(image), columns, result)
            else:
                np.copyto(inside, image)
                self._multiply(region, columns, result)
        self.conv.finish(out, addend)

    def _clear_padding(self, region: Array) -> Array:
        """Set the padding to zero; return the region inside of it."""
        inside: list[slice] = [slice(None)]
        for (p, _), extent in zip(self.conv.window.padding, self.conv.input[2:], strict=True):
            region[(*inside, slice(None, p))] = 0
            region[(*inside, slice(p + extent, None))] = 0
            inside.append(slice(p, p + extent))
        return region[tuple(inside)]

    def _multiply(self, region: Array, columns: Array, result: Array) -> None:
        """Multiply the filter and the columns of one image of the batch."""
        height, *others = self.conv.output[2:]
        strides = self._strides(region)
        pitch = strides[len(self.windows)]
        for start in range(0, height, self.rows):
            rows = min(self.rows, height - start)
            shape = (*self.windows, rows, *others)
            windows: Array = np.ndarray(shape, region.dtype, region, start * pitch, strides)
            matrix = columns[: math.prod(shape)]
            np.copyto(matrix.reshape(shape), windows)
            block: Any = result[:, :, start * self.inner : (start + rows) * self.inner]
            np.matmul(self.matrix, matrix.reshape(len(self.matrix), self.depth, -1), out=block)

    def _strides(self, region: Array) -> tuple[int, ...]:
        """Return the strides of all windows: (groups, channels, window..., output...)."""
        channel, *strides = region.strides
        window = self.conv.window
        return (
            channel * self.windows[1],
            channel,
            *(step * d for step, d in zip(strides, window.dilation, strict=True)),
            *(step * s for step, s in zip(strides, window.stride, strict=True)),
        )
