"""Layers with weights: sums of products in a wide accumulator, rescaled to the grid of the result.

Sums are exact in float64: products of codes have at most 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import Kernel, Multiplier, whole
from nnefkit.execution.engines.integer.grid import CodeGrid, clip
from nnefkit.execution.engines.integer.region import (
    CodedRegion,
    Compute,
    NoRule,
    Tail,
    evaluated,
)
from nnefkit.execution.engines.integer.rules.registry import head
from nnefkit.execution.lowering.call_arguments import attributes
from nnefkit.graph import Identifier, Operation
from nnefkit.operations.registry import KERNELS

_OUTPUT_AXIS = {"conv": 0, "deconv": 1}
"""Axis of the output channels of a filter; of `linear` it is the last but one."""


def _grid(region: CodedRegion, value: Any, role: str) -> CodeGrid:
    if not isinstance(value, Identifier) or value not in region.grids:
        raise NoRule(f"Its {role} has no quantization info.")
    return region.grids[value]


def _kernel(op: Operation, bits: int) -> Kernel:
    """Return how TFLite rounds in the kernel of a layer."""
    if bits > 8:
        return "wide"
    return "matrix" if op.attribs.get("groups", 1) == 1 else "plain"


def _is_in_blocks(op: Operation, bits: int) -> bool:
    """Return whether TFLite rounds eight channels at once: in depthwise and transposed layers."""
    return bits <= 8 and (op.name == "deconv" or op.attribs.get("groups", 1) == 0)


class Scaling(NamedTuple):
    """How the sums of a layer become codes."""

    region: CodedRegion
    tail: Tail
    bits: int
    """Of the codes that are summed."""
    kernel: Kernel
    in_blocks: bool
    in_float: bool
    """Whether TFLite rescales the sums in float64."""

    def codes(self, sums: Array, scales: Array, values: Mapping[str, Array], bias: Any) -> Array:
        """Return the codes of the result.

        Args:
            sums: Exact sums of products, in float64.
            scales: Their steps, which broadcast against them.
            values: The values of the constants, by name.
            bias: The name of a constant to add, or a number.
        """
        region, tail, arithmetic = self.region, self.tail, self.region.arithmetic
        sums = sums + _addend(region, values, bias, scales, sums.ndim)
        if tail.early:
            (name,) = region.head.output_names
            moved = evaluated(region.graph, tail.early, {name: sums}, np.float64)
            sums = moved[tail.early[-1].output_names[0]]
        if tail.added is not None:
            sums = sums + _addend(region, values, tail.added, scales, sums.ndim)
        total = arithmetic.total(sums, self.bits)
        ratio = scales / np.float64(region.grid.scale)
        if self.in_float and arithmetic.rounding == "tflite":
            result = whole(total.astype(np.float64) * ratio, "tflite").astype(np.int64)
        elif self.in_blocks:
            result = arithmetic.rescaled_channels(total, Multiplier.of(ratio), 1, 8)
        else:
            result = arithmetic.rescaled(total, Multiplier.of(ratio), self.kernel)
        return clip(result + region.grid.zero, *tail.limits(region.grid))


@head("conv", "deconv", "linear")
def layer(region: CodedRegion, tail: Tail) -> Compute:
    """Return a convolution, a transposed one, or a fully connected layer."""
    op = region.head
    x, weights, bias = op.inputs["input"], op.inputs["filter"], op.inputs["bias"]
    grid = _grid(region, x, "input")
    filters = _grid(region, weights, "filter")
    if not grid.is_single:
        raise NoRule(f"Its input '{x}' has several scales.")
    if not isinstance(bias, Identifier) and region.literal(bias) is None:
        raise NoRule("Its bias is not a number.")
    if isinstance(bias, Identifier) and bias not in region.constants:
        raise NoRule("Its bias is not constant.")
    is_linear, bits = op.name == "linear", grid.bits
    kernel, in_blocks = _kernel(op, bits), _is_in_blocks(op, bits)
    scaling = Scaling(region, tail, bits, kernel, in_blocks, is_linear and bits > 8)
    product = _product(grid, filters, bits <= 8 and (is_linear or grid.low == 0))
    attribs = attributes(op)
    function = KERNELS[op.name]

    def compute(values: Mapping[str, Array]) -> Array:
        centered = values[x].astype(np.float64) - grid.zero
        codes = values[weights]
        shifted = codes.astype(np.float64) - _aligned(filters.point, codes.ndim)
        sums = np.asarray(function(centered, shifted, np.zeros((), np.float64), **attribs))
        axis = codes.ndim - 2 if is_linear else _OUTPUT_AXIS[op.name]
        scales = _by_channel(product, codes.ndim, axis, sums, sums.ndim - 1 if is_linear else 1)
        return scaling.codes(sums, scales, values, bias)

    return compute


@head("matmul")
def matrix_product(region: CodedRegion, tail: Tail) -> Compute:
    """Return a product of two matrices; that with a constant one is a fully connected layer."""
    op = region.head
    a, b = op.inputs["A"], op.inputs["B"]
    first, second = _grid(region, a, "input 'A'"), _grid(region, b, "input 'B'")
    is_layer = b in region.constants and bool(op.attribs["transposeB"])
    by_row = not first.is_single
    if (by_row and a not in region.constants) or not (second.is_single or b in region.constants):
        raise NoRule("One of its inputs has several scales.")
    if by_row and not second.is_single:
        raise NoRule("Both of its inputs have several scales.")
    bits = max(first.bits, second.bits)
    kernel: Kernel = "wide" if bits > 8 else "matrix" if is_layer else "plain"
    scaling = Scaling(region, tail, bits, kernel, in_blocks=False, in_float=is_layer and bits > 8)
    one, other = (second, first) if by_row else (first, second)
    product = _product(one, other, bits <= 8 or not is_layer)
    attribs = attributes(op)
    from_end = 1 if op.attribs["transposeA" if by_row else "transposeB"] == by_row else 2

    def compute(values: Mapping[str, Array]) -> Array:
        operands = [
            values[name].astype(np.float64) - _aligned(grid.point, values[name].ndim)
            for name, grid in ((a, first), (b, second))
        ]
        sums = np.asarray(KERNELS["matmul"](*operands, **attribs))
        rank = values[a if by_row else b].ndim
        at = sums.ndim - (2 if by_row else 1)
        scales = _by_channel(product, rank, rank - from_end, sums, at)
        return scaling.codes(sums, scales, values, 0.0)

    return compute


def _product(grid: CodeGrid, filters: CodeGrid, by_tensor: bool) -> Array:
    """Return the steps of the sums, in float64, in the shape of those of the filter.

    Args:
        grid: The grid of the input.
        filters: The grid of the filter.
        by_tensor: Whether TFLite multiplies scales in float32, if the filter has one.
    """
    if by_tensor and filters.is_single:
        return np.asarray((grid.scale * filters.step).astype(np.float64))
    return np.asarray(np.float64(grid.scale) * filters.step.astype(np.float64))


def _aligned(array: Array, rank: int) -> Array:
    return array.reshape(array.shape + (1,) * (rank - array.ndim)) if array.ndim < rank else array


def _by_channel(product: Array, rank: int, axis: int, sums: Array, at: int) -> Array:
    """Return steps of the filter in a shape that broadcasts against the results.

    Args:
        product: The steps.
        rank: The rank of the filter.
        axis: The axis of its output channels.
        sums: The results.
        at: The axis of their channels.

    Raises:
        NoRule: The steps are not along the output channels.
    """
    if product.size == 1:
        return product.reshape(())
    aligned = _aligned(product, rank)
    if aligned.shape[axis] != aligned.size:
        raise NoRule("The scales of its filter are not along its output channels.")
    steps = np.tile(aligned.reshape(-1), sums.shape[at] // aligned.size)
    return steps.reshape([-1 if n == at else 1 for n in range(sums.ndim)])


def _addend(
    region: CodedRegion, values: Mapping[str, Array], name: Any, scales: Array, rank: int
) -> Array:
    """Return a bias in the steps of the sums, in float64."""
    if not isinstance(name, Identifier):
        number = float(name)
        return whole(np.asarray(number / scales), "tflite") if number else np.zeros(())
    grid = region.grids.get(name)
    if grid is None:
        numbers = _aligned(values[name].astype(np.float64), rank)
        return whole(numbers / scales, "tflite")
    codes = values[name]
    point, step = (_aligned(part, codes.ndim) for part in (grid.point, grid.step))
    centered = _aligned((codes - point).astype(np.float64), rank)
    steps = _aligned(step.astype(np.float64), rank)
    if np.allclose(steps, scales, rtol=1e-4, atol=0):
        return centered
    return whole(centered * steps / scales, "tflite")
