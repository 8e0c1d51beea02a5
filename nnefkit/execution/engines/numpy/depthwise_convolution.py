"""Depthwise convolutions: each channel is convolved with its own filter.

A pass over memory for each weight of the filter takes much longer than the arithmetic. Two methods
turn most of the work into matrix products, even though most entries of the matrices are zero. The
matrices also account for padding, strides and dilation.

- *Banded*, for small planes: along each dimension, a convolution is a product with a banded matrix.
  The first product, with a matrix of zeros and ones that all channels share, puts the shifted
  columns of the planes side by side. The second one, for each channel, sums them by the weights.
- *Striped*, for large planes: for a stripe of a few rows of a channel, a product with a banded
  matrix computes the contribution of each column of the filter. The result is the sum of these
  contributions, shifted along the rows. Elements that a shift would move into the next row are set
  to zero first.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.numpy.resolved_convolution import ResolvedConvolution
from nnefkit.execution.engines.numpy.specialization import SpecializedKernel

BLOCK = 64 * 1024
"""Maximum number of elements of the contributions of one filter column computed at a time."""
STRIPE = 16
"""Maximum number of rows in a stripe, if the number of rows has such a divisor."""


def depthwise_kernel(conv: ResolvedConvolution) -> SpecializedKernel | None:
    """Return a kernel for a depthwise convolution of two dimensions, or None if none fits."""
    if conv.window.border != "constant" and conv.padded:
        return None
    if _suits_bands(conv):
        return _banded(conv)
    stripes = _stripes(conv)
    return None if stripes is None else _striped(conv, stripes)


def _finite(array: Array) -> bool:
    """Whether no element of a contiguous array is infinite, NaN, or very large."""
    flat = array.reshape(-1)
    return bool(np.isfinite(np.dot(flat, flat)))


# -- small planes ---------------------------------------------------------------------------------


def _suits_bands(conv: ResolvedConvolution) -> bool:
    """Whether the products with sparse matrices are cheaper than other methods."""
    (H, W), h = conv.input[2:], conv.output[2]
    n, m = conv.window.size
    operations = 2 * m * H * W / h + 2 * m * H
    strided = max(conv.window.stride) > 1
    return operations <= (30 if strided else 10) * 2 * n * m and H * h <= 28 * 28


def _banded(conv: ResolvedConvolution) -> SpecializedKernel:
    channels, H, W = conv.input[1:]
    w, m = conv.output[3], conv.window.size[1]
    spread, weighted = _bands(conv)
    size = channels * H * m * w

    def run(out: Array, scratch: Array, x: Array) -> None:
        columns = scratch[:size]
        for image, result in zip(x, out, strict=True):
            np.matmul(image.reshape(channels * H, W), spread, out=columns.reshape(channels * H, -1))
            np.matmul(weighted, columns.reshape(channels, H * m, w), out=result)
        if _finite(out):
            conv.finish(out)
        else:
            conv.compute_exactly(out, x)

    return SpecializedKernel(run, size)


def _bands(conv: ResolvedConvolution) -> tuple[Array, Array]:
    """Return the shared matrix (W, m * w) and that of each channel (channels, h, H * m)."""
    channels, H, W = conv.input[1:]
    h, w = conv.output[2:]
    (n, (top, _), s, d), (m, (left, _), t, e) = conv.window.axes
    spread = np.zeros((W, m, w), conv.filter.dtype)
    for j in range(m):
        columns = np.arange(w) * t + j * e - left
        inside = (columns >= 0) & (columns < W)
        spread[columns[inside], j, np.flatnonzero(inside)] = 1
    weighted = np.zeros((channels, h, H, m), conv.filter.dtype)
    for i in range(n):
        rows = np.arange(h) * s + i * d - top
        inside = (rows >= 0) & (rows < H)
        weighted[:, np.flatnonzero(inside), rows[inside]] = conv.filter[:, :, i]
    return spread.reshape(W, m * w), weighted.reshape(channels, h, H * m)


# -- large planes -----------------------------------------------------------------------------


class _StripeGroup(NamedTuple):
    """Stripes that share their matrices."""

    first: int
    stop: int
    start: int
    """First row of the input that the first of them reads."""
    matrices: Array
    """(channels, 1, columns of the filter * rows of a stripe, rows of the input)."""


class _Shift(NamedTuple):
    """Position of the contributions of one filter column in the result."""

    column: int
    phase: int
    """First column of the input that they come from, modulo the stride."""
    offset: int
    """Distance to the right of the result that they come from."""


class _Stripes(NamedTuple):
    rows: int
    """Of the result, in each stripe."""
    number: int
    groups: list[_StripeGroup]
    shifts: list[_Shift]


def _stripes(conv: ResolvedConvolution) -> _Stripes | None:
    """Return how to divide the rows into stripes, or None if no division or alignment fits."""
    (H, W), (h, w) = conv.input[2:], conv.output[2:]
    divisors = [rows for rows in range(4, 33) if h % rows == 0]
    if w * conv.window.stride[1] != W or not divisors:
        return None
    shifts = _shifts(conv)
    if not shifts or shifts[0].offset != 0:
        return None
    preferred = [rows for rows in divisors if rows <= STRIPE]
    rows = max(preferred) if preferred else min(divisors)
    if conv.window.stride[0] > 1:
        rows = max([fewer for fewer in divisors if fewer <= STRIPE // 2] or [rows])
    return _Stripes(rows, h // rows, _groups(conv, rows, h // rows, H), shifts)


def _shifts(conv: ResolvedConvolution) -> list[_Shift]:
    """Return the shifts of the columns of the filter that reach the input, an offset of 0 first."""
    step, dilation, (start, _) = (
        conv.window.stride[1],
        conv.window.dilation[1],
        conv.window.padding[1],
    )
    shifts = []
    for j in range(conv.window.size[1]):
        offset, phase = divmod(j * dilation - start, step)
        if abs(offset) < conv.output[3]:
            shifts.append(_Shift(j, phase, offset))
    # The first contribution that is added must cover the whole result.
    shifts.sort(key=lambda shift: shift.offset != 0)
    return shifts


def _groups(conv: ResolvedConvolution, rows: int, count: int, H: int) -> list[_StripeGroup]:
    step, top = conv.window.stride[0], conv.window.padding[0][0]
    reach = min((rows - 1) * step + conv.window.span[0], H)
    groups: list[_StripeGroup] = []
    inner: int | None = None
    for number in range(count):
        unclipped = number * rows * step - top
        start = min(max(unclipped, 0), H - reach)
        if start == unclipped and inner is not None:
            groups[inner] = groups[inner]._replace(stop=number + 1)
            continue
        if start == unclipped:
            inner = len(groups)
        matrices = _stripe_matrices(conv, number * rows, rows, start, reach)
        groups.append(_StripeGroup(number, number + 1, start, matrices))
    return groups


def _stripe_matrices(
    conv: ResolvedConvolution, first: int, rows: int, start: int, reach: int
) -> Array:
    channels = conv.input[1]
    (n, (top, _), s, d), (m, _, _, _) = conv.window.axes
    matrices = np.zeros((channels, m, rows, reach), conv.filter.dtype)
    for i in range(n):
        read = (first + np.arange(rows)) * s + i * d - top - start
        inside = (read >= 0) & (read < reach)
        weights = conv.filter[:, 0, i, :, None]
        matrices[:, :, np.flatnonzero(inside), read[inside]] = weights
    return matrices.reshape(channels, 1, m * rows, reach)


def _striped(conv: ResolvedConvolution, stripes: _Stripes) -> SpecializedKernel:
    channels, H, W = conv.input[1:]
    h, w = conv.output[2:]
    m = conv.window.size[1]
    rows, count, groups, shifts = stripes
    block = max(1, min(channels, BLOCK // (h * W)))
    pitch = rows * conv.window.stride[0]
    bias = None if conv.bias is None else conv.bias[:, None, None]

    def run(out: Array, scratch: Array, x: Array) -> None:
        x = np.ascontiguousarray(x)
        size = x.itemsize
        strides = (H * W * size, pitch * W * size, W * size, size)
        parts = scratch[: block * count * m * rows * W].reshape(block, count, m * rows, W)
        for number, result in enumerate(out):
            for start in range(0, channels, block):
                stop = min(start + block, channels)
                part = parts[: stop - start]
                for group in groups:
                    shape = (stop - start, group.stop - group.first, group.matrices.shape[3], W)
                    offset = ((number * channels + start) * H + group.start) * W * size
                    read: Array = np.ndarray(shape, x.dtype, x, offset, strides)
                    np.matmul(
                        group.matrices[start:stop], read, out=part[:, group.first : group.stop]
                    )
                sums = result[start:stop].reshape(stop - start, count, rows * w)
                added = 0.0 if bias is None else bias[start:stop]
                _add_shifted(part.reshape(stop - start, count, m, rows, W), shifts, sums, added)
        if _finite(out):
            conv.finish(out, biased=True)
        else:
            conv.compute_exactly(out, x)

    return SpecializedKernel(run, block * count * m * rows * W)


def _add_shifted(parts: Array, shifts: list[_Shift], sums: Array, bias: Any) -> None:
    """Add contributions (channels, stripes, columns, rows, W) to (channels, stripes, rows * w)."""
    channels, count, _, rows, width = parts.shape
    w = sums.shape[2] // rows
    step = width // w
    for number, (column, phase, offset) in enumerate(shifts):
        part = parts[:, :, column]
        if offset:
            wrapped = part.reshape(channels, count, rows, w, step)[..., phase]
            wrapped[..., slice(None, offset) if offset > 0 else slice(offset, None)] = 0
        source = part.reshape(channels, count, rows * width)[:, :, phase::step]
        if number == 0:
            np.add(source, bias, out=sums)
        elif offset > 0:
            target = sums[:, :, :-offset]
            np.add(target, source[:, :, offset:], out=target)
        elif offset < 0:
            target = sums[:, :, -offset:]
            np.add(target, source[:, :, :offset], out=target)
        else:
            np.add(sums, source, out=sums)
