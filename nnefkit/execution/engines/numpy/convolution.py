"""Convolutions with constant filters, by the method that is the fastest for their shape.

- *Pointwise*: a matrix product.
- *Banded*, for depthwise filters and small planes: along each dimension a convolution is a product
  with a banded matrix. One product, with zeros and ones that all the channels share, lays the
  shifted columns of the planes side by side; another one, for each channel, sums them up with the
  weights. Padding, stride and dilation are in the matrices.
- *Tapped*, for depthwise filters and large planes: the planes are padded, so that a shifted plane
  is a contiguous stretch, and multiplied with one weight of each channel after the other, a few
  channels at a time so that all stays in the cache.
- All others: the correlator of the reference kernel, prepared once.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from nnefkit.execution.engines.numpy.lowering import Array, Bounds, Lowered, Site
from nnefkit.operations.correlation import correlator
from nnefkit.operations.sliding_window import Window, window

BLOCK = 48 * 1024
"""Items of a block of planes: three such blocks share the second-level cache of a core."""


class Convolution(NamedTuple):
    """A convolution with everything resolved."""

    filter: Array
    bias: Array | None
    """Of shape (c,)."""
    input: tuple[int, ...]
    output: tuple[int, ...]
    window: Window
    groups: int
    border: str
    bounds: Bounds | None
    """Applied to the result."""

    @property
    def padded(self) -> bool:
        """Whether anything lies outside of the input, or is cropped from it."""
        return any(p or q for p, q in self.window.padding)

    def finish(self, out: Array, biased: bool = False) -> None:
        """Adds the bias to a contiguous result (unless it is there already) and clips it."""
        if self.bias is not None and not biased:
            planes = out.reshape(out.shape[0], out.shape[1], -1)
            np.add(planes, self.bias[:, None], out=planes)
        if self.bounds is not None:
            self.bounds.apply(out)


def lower_convolution(site: Site, bounds: Bounds | None = None) -> Lowered | None:
    """A convolution whose filter and bias are known, its result clipped to `bounds`."""
    conv = _resolve(site, bounds)
    if conv is None:
        return None
    size = conv.window.size
    if math.prod(size) == 1 and conv.groups == 1 and not conv.padded:
        if all(s == 1 for s in conv.window.stride):
            return _pointwise(conv)
    elif (
        len(size) == 2
        and conv.groups == conv.input[1] == conv.output[1]
        and (conv.border == "constant" or not conv.padded)
        and all(p >= 0 and q >= 0 for p, q in conv.window.padding)
    ):
        if _suits_bands(conv):
            return _banded(conv)
        if conv.window.stride == (1, 1):
            return _tapped(conv)
    return _any(conv)


def _resolve(site: Site, bounds: Bounds | None) -> Convolution | None:
    source, weights, bias = site.arguments
    if weights.value is None or bias.value is None or len(site.shape) < 3:
        return None
    attribs = site.operation.attribs
    slid = window(
        source.shape[2:],
        weights.shape[2:],
        attribs["padding"],
        attribs["stride"],
        attribs["dilation"],
    )
    return Convolution(
        weights.value,
        _bias(bias.value, weights.shape[0]),
        source.shape,
        site.shape,
        slid,
        attribs["groups"] or source.shape[1],
        attribs["border"],
        bounds,
    )


def _bias(bias: Array, channels: int) -> Array | None:
    """The bias of each channel, or None where it is zero."""
    if bias.size == 1 and not bias.any():
        return None
    # Adding zero makes 0 of -0, so that no result is -0 and clipping need not care.
    return np.ascontiguousarray(np.broadcast_to(bias.reshape(-1), (channels,))) + 0.0


def _pointwise(conv: Convolution) -> Lowered:
    channels, results = conv.input[1], conv.output[1]
    items = math.prod(conv.input[2:])
    matrix = conv.filter.reshape(results, channels)
    if items == 1:
        turned = np.ascontiguousarray(matrix.T)

        def run_vectors(out: Array, _scratch: None, x: Array) -> None:
            np.matmul(x.reshape(-1, channels), turned, out=out.reshape(-1, results))
            conv.finish(out)

        return Lowered(run_vectors)

    def run(out: Array, _scratch: None, x: Array) -> None:
        np.matmul(matrix, x.reshape(-1, channels, items), out=out.reshape(-1, results, items))
        conv.finish(out)

    return Lowered(run)


# -- depthwise, small planes ------------------------------------------------------------------


def _suits_bands(conv: Convolution) -> bool:
    """Whether the products with mostly empty matrices are cheaper than a pass for each weight."""
    (H, W), h = conv.input[2:], conv.output[2]
    n, m = conv.window.size
    operations = 2 * m * H * W / h + 2 * m * H
    passes = 2 * n * m
    strided = max(conv.window.stride) > 1
    return operations <= (30 if strided else 10) * passes and H * h <= 28 * 28


def _banded(conv: Convolution) -> Lowered:
    channels, H, W = conv.input[1:]
    w, m = conv.output[3], conv.window.size[1]
    spread, weighted = _bands(conv)
    tapped = _tapped(conv)

    def run(out: Array, scratch: Array, x: Array) -> None:
        columns = scratch[: channels * H * m * w]
        for item, result in zip(x, out, strict=True):
            np.matmul(item.reshape(channels * H, W), spread, out=columns.reshape(channels * H, -1))
            np.matmul(weighted, columns.reshape(channels, H * m, w), out=result)
        flat = out.reshape(-1)
        if not np.isfinite(np.dot(flat, flat)):
            # Zeros of the matrices times infinity have spread NaN over whole planes.
            tapped.function(out, scratch, x)
        else:
            conv.finish(out)

    return Lowered(run, max(channels * H * m * w, tapped.scratch))


def _bands(conv: Convolution) -> tuple[Array, Array]:
    """The shared matrix (W, m * w) and that of each channel (channels, h, H * m)."""
    channels, H, W = conv.input[1:]
    h, w = conv.output[2:]
    size, padding, stride, dilation = conv.window
    n, m = size
    spread = np.zeros((W, m, w), conv.filter.dtype)
    for j in range(m):
        columns = np.arange(w) * stride[1] + j * dilation[1] - padding[1][0]
        inside = (columns >= 0) & (columns < W)
        spread[columns[inside], j, np.flatnonzero(inside)] = 1
    weighted = np.zeros((channels, h, H, m), conv.filter.dtype)
    for i in range(n):
        rows = np.arange(h) * stride[0] + i * dilation[0] - padding[0][0]
        inside = (rows >= 0) & (rows < H)
        weighted[:, np.flatnonzero(inside), rows[inside]] = conv.filter[:, :, i]
    return spread.reshape(W, m * w), weighted.reshape(channels, h, H * m)


# -- depthwise, large planes ------------------------------------------------------------------


class _Grid(NamedTuple):
    """Padded planes, divided by the strides into phases whose items are neighbours."""

    rows: int
    columns: int
    """Of one phase."""
    stretch: int
    """Items that are computed of a plane: whole rows, the columns of the padding included."""
    plane: int
    """Items of one phase of one plane, some behind its end included."""
    block: int
    """Planes at a time."""


def _grid(conv: Convolution) -> _Grid:
    (H, W), (h, w) = conv.input[2:], conv.output[2:]
    (top, _), (left, _) = conv.window.padding
    s, t = conv.window.stride
    down, right = (span - 1 for span in conv.window.span)
    rows = max(-(-(top + H) // s), down // s + h)
    columns = max(-(-(left + W) // t), right // t + w)
    stretch = h * columns
    plane = rows * columns + columns
    return _Grid(rows, columns, stretch, plane, max(1, min(BLOCK // stretch, conv.input[1])))


def _tapped(conv: Convolution) -> Lowered:
    channels = conv.input[1]
    h, w = conv.output[2:]
    size, padding, stride, dilation = conv.window
    grid = _grid(conv)
    phases = [(i, j) for i in range(stride[0]) for j in range(stride[1])]
    weights = np.ascontiguousarray(conv.filter.reshape(channels, -1).T)[:, :, None]
    taps = []
    for i in range(size[0]):
        for j in range(size[1]):
            (u, p), (v, q) = divmod(i * dilation[0], stride[0]), divmod(j * dilation[1], stride[1])
            taps.append((phases.index((p, q)), u * grid.columns + v))
    padded_items = len(phases) * grid.block * grid.plane
    sum_items = grid.block * grid.stretch
    bias = conv.bias

    def run(out: Array, scratch: Array, x: Array) -> None:
        padded = scratch[:padded_items].reshape(len(phases), grid.block, grid.plane)
        padded.fill(0)
        sums = scratch[padded_items : padded_items + sum_items].reshape(grid.block, -1)
        products = scratch[padded_items + sum_items : padded_items + 2 * sum_items]
        products = products.reshape(grid.block, -1)
        for item, result in zip(x, out, strict=True):
            for start in range(0, channels, grid.block):
                stop = min(start + grid.block, channels)
                count = stop - start
                _place(item[start:stop], padded[:, :count], phases, padding, stride, grid)
                _sum_up(padded, weights[:, start:stop], taps, sums[:count], products[:count])
                rows = sums[:count].reshape(count, h, grid.columns)[:, :, :w]
                if bias is None:
                    result[start:stop] = rows
                else:
                    np.add(rows, bias[start:stop, None, None], out=result[start:stop])
                if conv.bounds is not None:
                    conv.bounds.apply(result[start:stop])

    return Lowered(run, padded_items + 2 * sum_items)


def _place(
    planes: Array,
    padded: Array,
    phases: list[tuple[int, int]],
    padding: tuple[tuple[int, int], ...],
    stride: tuple[int, ...],
    grid: _Grid,
) -> None:
    """Copies planes into their padded places; the padding is zero already."""
    (top, _), (left, _) = padding
    s, t = stride
    for (p, q), place in zip(phases, padded, strict=True):
        # The first rows and columns of the phase that are not padding.
        first, other = max(-(-(top - p) // s), 0), max(-(-(left - q) // t), 0)
        source = planes[:, first * s + p - top :: s, other * t + q - left :: t]
        source = source[:, : grid.rows - first, : grid.columns - other]
        target = place[:, : grid.rows * grid.columns].reshape(-1, grid.rows, grid.columns)
        stop, end = first + source.shape[1], other + source.shape[2]
        target[:, first:stop, other:end] = source


def _sum_up(
    padded: Array, weights: Array, taps: list[tuple[int, int]], sums: Array, products: Array
) -> None:
    count, stretch = sums.shape
    for number, (phase, offset) in enumerate(taps):
        shifted = padded[phase, :count, offset : offset + stretch]
        if number == 0:
            np.multiply(shifted, weights[number], out=sums)
        else:
            np.multiply(shifted, weights[number], out=products)
            np.add(sums, products, out=sums)


# -- all others -------------------------------------------------------------------------------


def _any(conv: Convolution) -> Lowered:
    correlate: Any = correlator(
        conv.filter, conv.input[2:], conv.window, conv.groups, conv.border, conv.bias
    )

    def run(x: Array) -> Array:
        out: Array = correlate(x)
        conv.finish(out, biased=True)
        return out

    return Lowered(run, returns=True)
