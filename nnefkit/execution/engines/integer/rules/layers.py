"""Layers with weights: sums of products in a wide accumulator, rescaled to the grid of the result.

Sums are exact in float64: products of codes have at most 32 bits.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.execution.engines.integer.fixed_point import Kernel, Multiplier, whole
from nnefkit.execution.engines.integer.grid import CodeGrid, clip
from nnefkit.execution.engines.integer.region import CodedRegion, Compute, NoRule, Tail
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
    if op.name == "deconv" or op.attribs.get("groups", 1) != 1:
        return "plain"
    return "matrix"


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
    kernel = _kernel(op, grid.bits)
    by_tensor = filters.is_single and (op.name == "linear" or grid.low == 0) and grid.bits <= 8
    # TFLite rescales the sums of fully connected layers of 16 bits in float64.
    in_float = op.name == "linear" and grid.bits > 8 and region.arithmetic.rounding == "tflite"
    product = _product(grid, filters, by_tensor)
    low, high = tail.limits(region.grid)
    attribs = attributes(op)
    function = KERNELS[op.name]

    def compute(values: Mapping[str, Array]) -> Array:
        centered = values[x].astype(np.float64) - grid.zero
        codes = values[weights]
        shifted = codes.astype(np.float64) - _aligned(filters.point, codes.ndim)
        sums = np.asarray(function(centered, shifted, np.zeros((), np.float64), **attribs))
        scales = _by_channel(op, product, codes.shape, sums)
        sums = sums + _addend(region, values, bias, scales, sums.ndim)
        if tail.added is not None:
            sums = sums + _addend(region, values, tail.added, scales, sums.ndim)
        total = region.arithmetic.total(sums, grid.bits)
        ratio = scales / np.float64(region.grid.scale)
        by = Multiplier.of(ratio)
        if in_float:
            result = whole(total.astype(np.float64) * ratio, "tflite").astype(np.int64)
        elif kernel == "plain":
            result = region.arithmetic.rescaled_blocks(total, by, 1, 8)
        else:
            result = region.arithmetic.rescaled(total, by, kernel)
        return clip(result + region.grid.zero, low, high)

    return compute


@head("matmul")
def matrix_product(region: CodedRegion, tail: Tail) -> Compute:
    """Return a product of two matrices."""
    op = region.head
    a, b = op.inputs["A"], op.inputs["B"]
    first, second = _grid(region, a, "input 'A'"), _grid(region, b, "input 'B'")
    if not (first.is_single and second.is_single):
        raise NoRule("One of its inputs has several scales.")
    bits = max(first.bits, second.bits)
    kernel: Kernel = "wide" if bits > 8 else "matrix"
    scale = np.float64(first.scale * second.scale)
    low, high = tail.limits(region.grid)
    attribs = attributes(op)

    def compute(values: Mapping[str, Array]) -> Array:
        sums = np.asarray(
            KERNELS["matmul"](
                values[a].astype(np.float64) - first.zero,
                values[b].astype(np.float64) - second.zero,
                **attribs,
            )
        )
        if tail.added is not None:
            sums = sums + _addend(region, values, tail.added, np.asarray(scale), sums.ndim)
        total = region.arithmetic.total(sums, bits)
        by = Multiplier.of(scale / np.float64(region.grid.scale))
        result = region.arithmetic.rescaled(total, by, kernel) + region.grid.zero
        return clip(result, low, high)

    return compute


def _product(grid: CodeGrid, filters: CodeGrid, by_tensor: bool) -> Array:
    """Return the steps of the sums, in float64, in the shape of those of the filter."""
    if by_tensor:
        # TFLite multiplies the scales of a whole filter in float32.
        return np.asarray((grid.scale * filters.step).astype(np.float64))
    return np.asarray(np.float64(grid.scale) * filters.step.astype(np.float64))


def _aligned(array: Array, rank: int) -> Array:
    return array.reshape(array.shape + (1,) * (rank - array.ndim)) if array.ndim < rank else array


def _by_channel(op: Operation, product: Array, shape: tuple[int, ...], sums: Array) -> Array:
    """Return steps of the filter in a shape that broadcasts against the results.

    Raises:
        NoRule: They are not along the output channels.
    """
    if product.size == 1:
        return product.reshape(())
    rank = len(shape)
    axis = rank - 2 if op.name == "linear" else _OUTPUT_AXIS[op.name]
    aligned = _aligned(product, rank)
    if aligned.shape[axis] != aligned.size:
        raise NoRule("The scales of its filter are not along its output channels.")
    at = sums.ndim - 1 if op.name == "linear" else 1
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
