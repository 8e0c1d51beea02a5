"""Activations that TFLite computes in integers: by two multipliers, or in 16-bit fixed point."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import Multiplier, rescaled
from nnefkit.execution.engines.integer.grid import CodeGrid, clip
from nnefkit.execution.engines.integer.region import CodedRegion, Compute, NoRule, Tail
from nnefkit.execution.engines.integer.rules.elementwise import operand
from nnefkit.execution.engines.integer.rules.registry import WHOLE, head
from nnefkit.execution.engines.integer.rules.tables import single_operand
from nnefkit.graph import Identifier
from nnefkit.operations.broadcasting import align

_F = np.float32


@head("leaky_relu", "prelu")
def leaky(region: CodedRegion, tail: Tail) -> Compute:
    """Return a rectifier with a slope below zero: one multiplier for each side."""
    name, source = single_operand(region)
    grid, arithmetic = region.grid, region.arithmetic
    above = Multiplier.of(np.float64(source.scale / grid.scale))
    low, high = tail.limits(grid)
    if tail.added is not None:
        raise NoRule("It adds to an activation in one step.")
    if region.head.name == "leaky_relu":
        slope = region.literal(region.head.attribs.get("alpha"))
        slope = float(region.head.attribs["alpha"]) if slope is None else slope
        below = Multiplier.of(np.float64(source.scale * _F(abs(slope)) / grid.scale))
        sign = -1 if slope < 0 else 1

        def compute(values: Mapping[str, Array]) -> Array:
            x = values[name] - source.zero
            rest = sign * arithmetic.rescaled(x, below)
            result = np.where(x >= 0, arithmetic.rescaled(x, above), rest)
            return clip(result + grid.zero, low, high)

        return compute
    slopes = operand(region, region.head.inputs["alpha"])
    by_slope = Multiplier.of(np.float64(source.scale * slopes.grid.scale / grid.scale))

    def compute_prelu(values: Mapping[str, Array]) -> Array:
        x, slope = align(values[name] - source.zero, slopes.centered(values))
        rest = arithmetic.multiplied(x, slope, by_slope)
        result = np.where(x >= 0, arithmetic.rescaled(x, above), rest)
        return clip(result + grid.zero, low, high)

    return compute_prelu


@head("abs")
def absolute(region: CodedRegion, tail: Tail) -> Compute:
    """Return absolute values."""
    name, source = single_operand(region)
    grid = region.grid
    by = Multiplier.of(np.float64(source.scale / grid.scale))
    low, high = tail.limits(grid)
    if tail.added is not None:
        raise NoRule("It adds to an activation in one step.")

    def compute(values: Mapping[str, Array]) -> Array:
        x = np.abs(values[name] - source.zero)
        if source.scale != grid.scale:
            x = region.arithmetic.rescaled(x, by)
        return clip(x + grid.zero, low, high)

    return compute


# -- hard swish ------------------------------------------------------------------------------------

_LOW16, _HIGH16 = -(1 << 15), (1 << 15) - 1


def hard_swish(region: CodedRegion) -> Compute | None:
    """Return ``x * clamp(x + 3, 0, 6) / 6``: in fixed point of 16 bits, as in TFLite."""
    if [op.name for op in region.operations] != ["add", "clamp", "mul", "div"]:
        return None
    first, clamp, product, quotient = region.operations
    x, three = first.inputs["x"], first.inputs["y"]
    numbers = [
        region.literal(v)
        for v in (three, clamp.inputs["a"], clamp.inputs["b"], quotient.inputs["y"])
    ]
    is_named = isinstance(x, Identifier) and x in region.grids and x in product.input_names
    if numbers != [3.0, 0.0, 6.0, 6.0] or not is_named:
        return None
    source, grid = region.grids[x], region.grid
    fits = source.is_single and grid.is_single and source.bits <= 8 and grid.bits <= 8
    if not fits or region.arithmetic.rounding != "tflite":
        return None
    fine = _F(1 / 128) * source.scale
    to_result = Multiplier.of(np.float64(fine / grid.scale))
    to_share = Multiplier.of(np.float64(fine / _F(3.0 / 32768.0)))
    if to_result.exponent > 0:
        return None

    def compute(values: Mapping[str, Array]) -> Array:
        return _hard_swish(values[x], source, grid, to_result, to_share)

    return compute


WHOLE.append(hard_swish)


def _hard_swish(
    codes: Array, source: CodeGrid, grid: CodeGrid, to_result: Multiplier, to_share: Multiplier
) -> Array:
    exponent = int(to_share.exponent)
    fine = (codes - source.zero) << 7
    result = _high_product(fine, _short(to_result))
    share = fine
    if exponent > 0:
        share = clip(share << (exponent - 1), _LOW16, _HIGH16)
    share = _high_product(share, _short(to_share))
    if exponent > 0:
        share = clip(share << 1, _LOW16, _HIGH16)
    if exponent < 0:
        share = _shifted(share, -exponent)
    # From -1 ... 1 to 0 ... 1.
    share = (share + (1 << 15)) >> 1
    product = share * result
    truncated = np.where(product >= 0, product >> 15, -(-product >> 15))
    return grid.clipped(_shifted(truncated, -int(to_result.exponent)) + grid.zero)


def _short(multiplier: Multiplier) -> int:
    """Return the factor of a multiplier in 16 bits."""
    factor = int(multiplier.factor)
    return (factor + (1 << 15)) >> 16 if factor < 0x7FFF0000 else 0x7FFF


def _high_product(a: Array, b: int) -> Array:
    """Return ``a * b / 2 ** 15``, rounded, in 16 bits."""
    product = a * b
    nudged = product + np.where(product >= 0, 1 << 14, 1 - (1 << 14))
    return clip(np.where(nudged >= 0, nudged >> 15, -(-nudged >> 15)), _LOW16, _HIGH16)


def _shifted(x: Array, bits: int) -> Array:
    """Return ``x / 2 ** bits``, halves away from zero."""
    half = (1 << bits) >> 1
    return np.where(x >= 0, (x + half) >> bits, -((half - x) >> bits))


# -- squared differences, and the reciprocal of a root ---------------------------------------------


def squared_difference(region: CodedRegion) -> Compute | None:
    """Return the square of a difference of two tensors of 8 bits."""
    if [op.name for op in region.operations] != ["sub", "sqr"] or region.grid.bits > 8:
        return None
    a, b = (operand(region, value) for value in region.head.inputs.values())
    arithmetic, grid, bits = region.arithmetic, region.grid, 7
    widest = np.float64(_F(2) * max(a.grid.scale, b.grid.scale))
    to_common = [Multiplier.of(np.float64(each.grid.scale) / widest) for each in (a, b)]
    to_result = Multiplier.of(widest * widest / np.float64(_F(1 << 2 * bits) * grid.scale))

    def compute(values: Mapping[str, Array]) -> Array:
        x, y = align(a.centered(values), b.centered(values))
        difference = arithmetic.rescaled(x << bits, to_common[0])
        difference = difference - arithmetic.rescaled(y << bits, to_common[1])
        square = arithmetic.total(difference * difference, 8)
        return grid.clipped(arithmetic.rescaled(square, to_result) + grid.zero)

    return compute


WHOLE.append(squared_difference)


def reciprocal_root(region: CodedRegion) -> Compute | None:
    """Return reciprocals of roots of 8-bit codes, which TFLite finds by Newton's method."""
    if [op.name for op in region.operations] != ["rsqrt"]:
        return None
    name, source = single_operand(region)
    grid = region.grid
    if source.bits > 8 or grid.bits > 8 or region.arithmetic.rounding != "tflite":
        return None
    scale = 1.0 / np.float64(np.sqrt(source.scale) * grid.scale)
    by = Multiplier.of(scale)
    table = []
    for code in range(source.low, source.high + 1):
        value = code - source.zero
        if value <= 0:
            table.append(grid.high)
            continue
        factor, exponent = _reciprocal_root(value)
        root = Multiplier(np.asarray(factor), np.asarray(exponent + 20))
        rough = rescaled(np.asarray(1), root, "tflite")
        fine = Multiplier(by.factor, by.exponent - 20)
        table.append(int(rescaled(rough, fine, "tflite")) + grid.zero)
    codes = grid.clipped(np.array(table))
    return lambda values: codes[values[name] - source.low]


WHOLE.append(reciprocal_root)


def _times(a: int, b: int) -> int:
    """Return ``a * b / 2 ** 31``, rounded."""
    product = a * b
    nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
    return nudged >> 31 if nudged >= 0 else -(-nudged >> 31)


def _left(x: int, bits: int) -> int:
    """Return ``x * 2 ** bits``, limited to 32 bits."""
    return max(-(1 << 31), min((1 << 31) - 1, x << bits))


def _reciprocal_root(x: int) -> tuple[int, int]:
    """Return the factor and the exponent of ``1 / sqrt(x)``."""
    if x <= 1:
        return (1 << 31) - 1, 0
    pairs = (32 - x.bit_length() - 1) // 2 - 1
    shift, x = 11 - pairs, x << 2 * pairs
    half = ((x >> 1) + 1) >> 1
    three_halves = (1 << 28) + (1 << 27)
    root = 1 << 28
    for _ in range(5):
        cube = _left(_times(_times(root, root), root), 6)
        root = _left(_times(three_halves, root) - _times(half, cube), 3)
    root = _times(root, 1518500250)
    if shift < 0:
        root, shift = root << -shift, 0
    return root, -shift
