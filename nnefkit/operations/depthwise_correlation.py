"""Correlating each channel with separate filters (4.3.1, groups = 0), as matrix products.

For a tile of neighboring outputs, a row of the filter reads one stretch of an input row. Its
contribution is the product of that stretch and a banded matrix, whose columns are shifted copies of
the filter row. Even though most of the matrix is zero, this is several times faster than one pass
over memory for each entry of the filter.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided

from nnefkit.arrays import Array
from nnefkit.operations.borders import pad
from nnefkit.operations.window import Window, reverse_tap

BLOCK_BYTES = 512 << 10
"""Size of a block of channels, chosen to keep input and output in the cache of one core."""
TILE = 16
"""Largest number of outputs in a row that one product with a banded matrix computes."""


class Planes:
    """Depthwise filters, prepared for inputs of certain spatial extents."""

    def __init__(
        self,
        filter: Array,
        extents: Sequence[int],
        window: Window,
        groups: int,
        bias: Array | None = None,
    ) -> None:
        """Prepare a filter.

        Args:
            filter: An array of shape (channels * multiplier, 1, ...).
            extents: The spatial extents of the inputs.
            window: A window as large as the filter, over these extents.
            groups: The number of channels.
            bias: An array of shape (channels * multiplier,), or None.
        """
        self.window = window
        self.filter = filter.reshape(groups, -1, *filter.shape[2:])
        self.bias = None if bias is None else bias.reshape(groups, -1)
        self.extents = window.down_extents(extents)
        self.layout = _StretchLayout(extents, window, bias is not None)
        self.bands = self._bands()
        size = self.layout.volume + 2 * self.bands.shape[2] * math.prod(self.layout.tiled)
        self.block = min(max(BLOCK_BYTES // (size * filter.itemsize), 1), groups)

    def _bands(self) -> Array:
        """Return the banded matrices: (rows of the filter, channels, multiplier, stretch, tile)."""
        channels, multiplier, *_, width = self.filter.shape
        tile = self.layout.tile
        rows = self.filter.reshape(channels, multiplier, -1, width).transpose(2, 0, 1, 3)
        bands = np.zeros((*rows.shape[:3], self.layout.stretch, tile), rows.dtype)
        item = bands.itemsize
        # Steps along an extent of 1 are not taken, and may be of any size.
        down = self.window.dilation[-1] * tile * item if width > 1 else 0
        right = (self.window.stride[-1] * tile + 1) * item if tile > 1 else 0
        diagonals = as_strided(
            bands,
            (*rows.shape, tile),
            (*bands.strides[:3], down, right),
        )
        diagonals[...] = rows[..., None]
        if self.bias is not None:  # the weight of the ones after each stretch
            bands[0, :, :, -1] = self.bias[:, :, None]
        return bands

    def __call__(self, input: Array) -> Array:
        """Return the correlation of an input (N,C,...) of the filter's dtype."""
        batch, channels = input.shape[:2]
        layout, multiplier = self.layout, self.bands.shape[2]
        source = input if self.window.border == "constant" else self._padded(input)
        output = np.empty((batch, channels, multiplier, *layout.tiled), input.dtype)
        region = layout.region(self.block, input.dtype)
        partial = np.empty((self.block, multiplier, *layout.tiled), input.dtype)
        for item, start in itertools.product(range(batch), range(0, channels, self.block)):
            part = slice(start, start + self.block)
            result = output[item, part]
            used = region[: len(result)]
            layout.fill(used, source[item, part])
            self._multiply(used, self.bands[:, part], result, partial[: len(result)])
            flat = result.reshape(-1)
            if not math.isfinite(np.dot(flat, flat)):
                # Infinity or NaN times the zeros outside of the band spreads NaN over whole tiles.
                exact = self._tap_by_tap(input[item, part], part)
                result.reshape(*exact.shape[:-1], -1)[..., : exact.shape[-1]] = exact
        output = output.reshape(batch, channels * multiplier, *self.extents[:-1], -1)
        if output.shape[-1] > self.extents[-1]:
            output = np.ascontiguousarray(output[..., : self.extents[-1]])
        return output

    def _padded(self, input: Array) -> Array:
        return pad(input, ((0, 0), (0, 0), *self.window.padding), self.window.border)

    def _multiply(self, region: Array, bands: Array, result: Array, partial: Array) -> None:
        for row, stretches in enumerate(self.layout.stretches(region)):
            matrices = bands[row].reshape(
                *bands.shape[1:3], *[1] * (stretches.ndim - 4), *bands.shape[3:]
            )
            if row == 0:
                np.matmul(stretches, matrices, out=result)
            else:
                np.matmul(stretches, matrices, out=partial)
                np.add(result, partial, out=result)

    def _tap_by_tap(self, items: Array, part: slice) -> Array:
        """Return the output of some channels, exact even where an input is infinite or NaN."""
        padded = self._padded(items[None])[0]
        weights = self.filter[part]
        size, stride, dilation = self.window.size, self.window.stride, self.window.dilation
        rank = 2 + len(size)
        output = np.zeros((*weights.shape[:2], *self.extents), items.dtype)
        if self.bias is not None:
            output += _broadcast(self.bias[part], rank)
        for entry in itertools.product(*map(range, size)):
            taken = tuple(
                slice(j * d, j * d + (x - 1) * s + 1, s)
                for j, d, x, s in zip(entry, dilation, self.extents, stride, strict=True)
            )
            here: Any = (..., *entry)
            output += padded[(slice(None), None, *taken)] * _broadcast(weights[here], rank)
        return output


def _broadcast(array: Array, rank: int) -> Array:
    return array.reshape(*array.shape, *[1] * (rank - array.ndim))


class _StretchLayout:
    """Layout of a block of the input in which stretches are the rows of matrices.

    Its dimensions are channels; the outer spatial ones; the remainder and the quotient of the
    position in the second-to-last dimension by its stride; the tile; the stretch, followed by a
    one for the bias. Thus the stretches of successive rows of outputs are consecutive in memory,
    for any row of the filter.
    """

    def __init__(self, extents: Sequence[int], window: Window, biased: bool) -> None:
        if len(extents) == 1:
            extents = (1, *extents)
            window = Window(
                (1, *window.size),
                window.border,
                ((0, 0), *window.padding),
                (1, *window.stride),
                (1, *window.dilation),
            )
        results = window.down_extents(extents)
        if window.border != "constant":
            extents = [p + X + q for X, (p, q) in zip(extents, window.padding, strict=True)]
            window = replace(window, padding=((0, 0),) * len(extents))
        *outer, height, width = results
        self.window = window
        self.biased = biased
        self.tiles = -(-width // TILE)
        self.tile = -(-width // self.tiles)
        self.reach = (self.tile - 1) * window.stride[-1] + window.span[-1]
        self.stretch = self.reach + biased
        self.results = results
        # The output in the order of computation, by rows of tiles.
        self.tiled = (*outer, height * self.tiles, self.tile)
        self.shape = (
            *((x - 1) * s + f for x, s, f in zip(outer, window.stride, window.span, strict=False)),
            window.stride[-2],
            (window.span[-2] - 1) // window.stride[-2] + height,
            self.tiles,
            self.stretch,
        )
        self.volume = math.prod(self.shape)
        self.copies = list(self._copies(extents))

    def _copies(self, extents: Sequence[int]) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
        """Yield pairs of slices to copy: targets in the region, sources in the input."""
        *outer, stride, rows, tiles, _ = self.shape
        before = [p for p, _ in self.window.padding]
        step = self.tile * self.window.stride[-1]
        for remainder, tile in itertools.product(range(stride), range(tiles)):
            pairs = [
                reverse_tap(extent, X, 1, -p)
                for extent, X, p in zip(outer, extents, before, strict=False)
            ]
            pairs.append(reverse_tap(rows, extents[-2], stride, remainder - before[-2]))
            pairs.append(reverse_tap(self.reach, extents[-1], 1, tile * step - before[-1]))
            met = [pair for pair in pairs if pair is not None]
            if len(met) == len(pairs):
                *places, row, column = (place for place, _ in met)
                everywhere = slice(None)
                yield (
                    (everywhere, *places, remainder, row, tile, column),
                    (everywhere, *(origin for _, origin in met)),
                )

    def region(self, channels: int, dtype: np.dtype[Any]) -> Array:
        """Allocate memory for some channels, with zeros in the border."""
        region = np.zeros((channels, *self.shape), dtype)
        if self.biased:
            region[..., -1] = 1
        return region

    def fill(self, region: Array, items: Array) -> None:
        """Copy the channels of `items` into the layout."""
        if items.ndim == 2:
            items = items[:, None]
        for place, origin in self.copies:
            region[place] = items[origin]

    def stretches(self, region: Array) -> Iterator[Array]:
        """Yield a view for each row of the filter: (channels, 1, outer..., tile rows, stretch)."""
        *outer, height, _ = self.results
        size, stride, dilation = self.window.size, self.window.stride, self.window.dilation
        for entry in itertools.product(*map(range, size[:-1])):
            taken = [
                slice(j * d, j * d + (x - 1) * s + 1, s)
                for j, d, x, s in zip(entry, dilation, outer, stride, strict=False)
            ]
            quotient, remainder = divmod(entry[-1] * dilation[-2], stride[-2])
            rows = slice(quotient, quotient + height)
            chosen = region[(slice(None), None, *taken, remainder, rows)]
            yield chosen.reshape(*chosen.shape[:-3], height * self.tiles, self.stretch)
