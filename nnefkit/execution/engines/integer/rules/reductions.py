"""Averages and sums over windows and axes, and softmax."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import (
    Multiplier,
    quotient,
    rescaled,
    whole,
)
from nnefkit.execution.engines.integer.grid import CodeGrid, clip
from nnefkit.execution.engines.integer.region import CodedRegion, Compute, NoRule, Tail
from nnefkit.execution.engines.integer.rules.registry import head
from nnefkit.execution.engines.integer.rules.tables import (
    exponential,
    interpolated,
    interpolated_table,
    single_operand,
)
from nnefkit.execution.engines.integer.source_order import is_over_pixels
from nnefkit.execution.lowering.call_arguments import attributes
from nnefkit.operations.registry import KERNELS

_F = np.float32


def _unadded(tail: Tail) -> None:
    if tail.added is not None:
        raise NoRule("It adds to an average in one step.")


@head("avg_pool", "box")
def average(region: CodedRegion, tail: Tail) -> Compute:
    """Return averages, or sums, of windows."""
    name, source = single_operand(region)
    op, grid, arithmetic = region.head, region.grid, region.arithmetic
    _unadded(tail)
    attribs = attributes(op)
    is_mean = op.name == "avg_pool" or bool(attribs.pop("normalize"))
    ignores = attribs["window"].border == "ignore"
    low, high = tail.limits(grid)
    sums = KERNELS["box"]

    def compute(values: Mapping[str, Array]) -> Array:
        codes = values[name]
        total = np.asarray(
            sums((codes - source.zero).astype(np.float64), normalize=False, **attribs)
        )
        count = np.array(np.prod(attribs["window"].size))
        if ignores:
            count = np.asarray(sums(np.ones(codes.shape), normalize=False, **attribs)).astype(
                np.int64
            )
        acc = arithmetic.total(total, 8)
        if not is_mean:
            by = Multiplier.of(np.float64(source.scale) / np.float64(grid.scale))
            return clip(arithmetic.rescaled(acc, by) + grid.zero, low, high)
        if (source.scale, source.zero) == (grid.scale, grid.zero):
            # TFLite rounds averages of the codes themselves.
            mean = quotient(acc + source.zero * count, count, arithmetic.rounding)
            return clip(mean, low, high)
        by = Multiplier.of(np.float64(source.scale) / (np.float64(grid.scale) * count))
        return clip(arithmetic.rescaled(acc, by) + grid.zero, low, high)

    return compute


@head("mean_reduce", "sum_reduce")
def reduced(region: CodedRegion, tail: Tail) -> Compute:
    """Return averages or sums along axes."""
    name, source = single_operand(region)
    op, grid, arithmetic = region.head, region.grid, region.arithmetic
    _unadded(tail)
    axes = tuple(op.attribs["axes"])
    is_mean = op.name == "mean_reduce" or bool(op.attribs.get("normalize"))
    low, high = tail.limits(grid)
    scale = np.float64(source.scale) / np.float64(grid.scale)
    is_tflite = arithmetic.rounding == "tflite"
    fits = is_tflite and source.bits <= 8 and source.low < 0 and not _squeezed(region)

    def compute(values: Mapping[str, Array]) -> Array:
        codes = values[name]
        count = int(np.prod([codes.shape[axis] for axis in axes], dtype=np.int64))
        total = codes.sum(axis=axes, keepdims=True)
        if is_mean and fits and is_over_pixels(region.graph, name, codes.ndim, axes):
            by, first = _spatial_mean(count, source, grid)
            sums = arithmetic.total(total, 8)
            result = arithmetic.rescaled_channels(sums, by, 6 - sum(axes), 16) + first
        elif is_mean:
            by = _shared(Multiplier.of(scale), count) if is_tflite else Multiplier.of(scale / count)
            centered = arithmetic.total(total - source.zero * count, 8)
            result = arithmetic.rescaled(centered, by) + grid.zero
        elif is_tflite:
            step = source.scale / grid.scale
            bias = _F(-source.zero) * step * _F(count)
            result = whole(total.astype(_F) * step + bias, "tflite").astype(np.int64) + grid.zero
        else:
            centered = arithmetic.total(total - source.zero * count, 8)
            result = arithmetic.rescaled(centered, Multiplier.of(scale)) + grid.zero
        return clip(result, low, high)

    return compute


def _squeezed(region: CodedRegion) -> bool:
    """Return whether the axes are removed right after, which TFLite does in one operator."""
    graph = region.graph
    if any(op.name in ("squeeze", "reshape") for op in region.operations[1:]):
        return True
    if graph.tensors[region.result].origin is not None:
        return False
    return any(op.name in ("squeeze", "reshape") for op in graph.consumers.get(region.result, ()))


def _spatial_mean(count: int, source: CodeGrid, grid: CodeGrid) -> tuple[Multiplier, int]:
    """Return the multiplier of a sum of codes, and what is added to the product."""
    shift = _F(source.zero) * source.scale / grid.scale
    bias = grid.zero - int(shift + _F(0.5) if shift > 0 else shift - _F(0.5))
    return Multiplier.of(np.float64(source.scale / (_F(count) * grid.scale))), bias


def _shared(by: Multiplier, count: int) -> Multiplier:
    """Return a multiplier divided by a number of elements, rounded down."""
    shift = min(count.bit_length() - 1, 32, 31 + int(by.exponent))
    return Multiplier(np.asarray((int(by.factor) << shift) // count), by.exponent - shift)


# -- softmax ---------------------------------------------------------------------------------------


@head("softmax")
def softmax(region: CodedRegion, tail: Tail) -> Compute:
    """Return a softmax along one axis, by tables of exponentials."""
    name, source = single_operand(region)
    grid = region.grid
    _unadded(tail)
    axes = region.head.attribs["axes"]
    if len(axes) != 1:
        raise NoRule("It normalizes over several axes at once.")
    (axis,) = axes
    low, high = tail.limits(grid)
    rounding = region.arithmetic.rounding
    is_symmetric = source.low < 0 and source.zero == grid.zero == 0
    if source.bits == 16 and rounding == "tflite" and is_symmetric and grid.scale == _F(2**-15):
        by = Multiplier.of(np.float64(source.scale) / (10.0 / 65535.0))
        return lambda values: clip(_wide_softmax(values[name], by, axis), low, high)
    if source.bits > 16:
        raise NoRule(f"A table of codes of {source.bits} bits is too large.")
    codes = np.arange(source.high - source.low + 1)
    table = exponential(-source.scale * codes.astype(_F))

    def compute(values: Mapping[str, Array]) -> Array:
        x = values[name]
        powers = table[x.max(axis=axis, keepdims=True) - x]
        # One after the other, as a device adds them.
        total = np.add.accumulate(powers, axis=axis, dtype=_F).take([-1], axis=axis)
        inverse = _F(1) / (total * grid.scale)
        shares = powers * inverse
        if rounding == "tflite" and grid.low == 0:
            codes = (shares + _F(0.5)).astype(np.int64)
        else:
            codes = whole(shares, rounding).astype(np.int64) + grid.zero
        return clip(codes, low, high)

    return compute


@cache
def _softmax_tables() -> tuple[Array, Array]:
    powers = interpolated_table(np.exp, (10.0 / 65535, 32767), (2.0 / 65535, 0), np.float64)
    inverses = interpolated_table(
        lambda x: 1.0 / (1.0 + x), (1.0 / 65535, -32768), (2.0 / 65535, 0), np.float64
    )
    return powers, inverses


def _wide_softmax(codes: Array, by: Multiplier, axis: int) -> Array:
    """Return a softmax of codes of 16 bits, in steps of 2 ** -15."""
    table, inverses = _softmax_tables()
    below = codes - codes.max(axis=axis, keepdims=True)
    places = clip(rescaled(below, by, "tflite") + 32767, -32768, 32767)
    powers = interpolated(places, table)
    total = powers.sum(axis=axis, keepdims=True)
    width = np.floor(np.log2(np.maximum(total, 1))).astype(np.int64) + 1
    headroom = 32 - width
    shifted = ((total << (headroom - 1)) + (1 << 13)) >> 14
    inverse = interpolated(clip(shifted - 3 * (1 << 15), -32768, 32767), inverses)
    right = 31 - headroom
    return clip((powers * inverse + (1 << (right - 1))) >> right, 0, 32767)
