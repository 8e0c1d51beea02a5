"""Sums, differences and products of two tensors, and other grids for the same numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import Multiplier
from nnefkit.execution.engines.integer.grid import CodeGrid, clip, literal_grid
from nnefkit.execution.engines.integer.region import CodedRegion, Compute, NoRule, Tail
from nnefkit.execution.engines.integer.rules.registry import head
from nnefkit.execution.engines.integer.source_order import in_blocks
from nnefkit.graph import Identifier
from nnefkit.operations.broadcasting import align


class CodedOperand(NamedTuple):
    """An operand of codes: of a tensor, or of a number."""

    grid: CodeGrid
    centered: Callable[[Mapping[str, Array]], Array]
    """Returns its codes without the zero point."""


def operand(region: CodedRegion, value: Any) -> CodedOperand:
    """Return an operand of the head of a region.

    Raises:
        NoRule: It has no quantization info.
    """
    if isinstance(value, Identifier) and value in region.grids:
        grid = region.grids[value]
        if not grid.is_single:
            raise NoRule(f"Its operand '{value}' has several scales.")
        return CodedOperand(grid, lambda values: values[value] - grid.zero)
    number = region.literal(value)
    if number is None:
        raise NoRule(f"Its operand '{value}' has no quantization info.")
    grid, code = literal_grid(number, region.grid.bits)
    centered = np.asarray(code - grid.zero)
    return CodedOperand(grid, lambda _: centered)


def both(region: CodedRegion) -> tuple[CodedOperand, CodedOperand]:
    """Return the operands of a head that has two."""
    first, second = region.head.inputs.values()
    return operand(region, first), operand(region, second)


@head("add", "sub")
def total(region: CodedRegion, tail: Tail) -> Compute:
    """Return a sum or a difference: on a common grid, with bits for the rounding below."""
    a, b = both(region)
    if tail.added is not None:
        raise NoRule("It adds three tensors in one step.")
    arithmetic, grid = region.arithmetic, region.grid
    sign = 1 if region.head.name == "add" else -1
    bits = 15 if max(a.grid.bits, b.grid.bits, grid.bits) > 8 else 20
    widest = np.float64(np.float32(2) * max(a.grid.scale, b.grid.scale))
    to_common = [Multiplier.of(np.float64(each.grid.scale) / widest) for each in (a, b)]
    to_result = Multiplier.of(widest / np.float64(np.float32(1 << bits) * grid.scale))
    low, high = tail.limits(grid)

    def compute(values: Mapping[str, Array]) -> Array:
        x, y = align(a.centered(values), b.centered(values))
        x = arithmetic.rescaled(x << bits, to_common[0])
        y = arithmetic.rescaled(y << bits, to_common[1])
        result = arithmetic.rescaled(arithmetic.total(x + sign * y, 8), to_result) + grid.zero
        return clip(result, low, high)

    return compute


@head("mul")
def product(region: CodedRegion, tail: Tail) -> Compute:
    """Return a product."""
    a, b = both(region)
    if tail.added is not None:
        raise NoRule("It multiplies and adds in one step.")
    arithmetic, grid = region.arithmetic, region.grid
    by = Multiplier.of(np.float64(a.grid.scale * b.grid.scale / grid.scale))
    low, high = tail.limits(grid)

    def compute(values: Mapping[str, Array]) -> Array:
        x, y = align(a.centered(values), b.centered(values))
        result = arithmetic.multiplied(x, y, by) + grid.zero
        return clip(result, low, high)

    return compute


def requantized(region: CodedRegion, source: CodeGrid, codes: Array) -> Array:
    """Return codes of the same numbers in the grid of the result of a region.

    Args:
        region: The region.
        source: The grid of the codes.
        codes: int64.
    """
    grid = region.grid
    if source.equals(grid):
        return codes
    if not source.is_single:
        raise NoRule("An operand has several scales.")
    by = Multiplier.of(np.float64(source.scale) / np.float64(grid.scale))
    inside = np.asarray(False)
    if max(source.bits, grid.bits) <= 8:
        inside = in_blocks(region.graph, region.result, codes.shape, 16)
    steps = region.arithmetic.rescaled_blocks(codes - source.zero, by, inside)
    return grid.clipped(steps + grid.zero)


@head("copy", "relu", "clamp")
def limited(region: CodedRegion, tail: Tail) -> Compute:
    """Return the same numbers in another grid, limited by activations."""
    op = region.head
    name, *bounds = op.inputs.values()
    if not isinstance(name, Identifier) or name not in region.grids:
        raise NoRule("Its operand has no quantization info.")
    source = region.grids[name]
    numbers = [region.literal(bound) for bound in bounds]
    if any(number is None for number in numbers):
        raise NoRule("It limits to numbers that are computed.")
    known = [number for number in numbers if number is not None]
    own = (0.0, inf) if op.name == "relu" else (known[0], known[1]) if known else (-inf, inf)
    joint = tail._replace(
        low=min(max(own[0], tail.low), tail.high), high=min(max(own[1], tail.low), tail.high)
    )
    low, high = joint.limits(region.grid)
    if tail.added is not None:
        raise NoRule("It adds to a limited tensor in one step.")

    if op.name == "copy":
        return lambda values: clip(requantized(region, source, values[name]), low, high)
    by = Multiplier.of(np.float64(source.scale / region.grid.scale))

    def compute(values: Mapping[str, Array]) -> Array:
        codes = values[name]
        if not source.equals(region.grid):
            codes = region.arithmetic.rescaled(codes - source.zero, by) + region.grid.zero
        return clip(codes, low, high)

    return compute
