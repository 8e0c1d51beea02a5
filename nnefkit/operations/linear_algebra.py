"""Matrix multiplication (4.7) and linear layers (4.9.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnefkit.arrays import Array, Shape
from nnefkit.operations.broadcasting import align, broadcast_checked, broadcast_shape, reusable
from nnefkit.operations.flop_rules import bias_flops
from nnefkit.operations.precision import quiet, widened
from nnefkit.operations.registry import Problems, flops, kernel, macs, shape_rule


def _product_shape(
    A: Shape, B: Shape, transposed: tuple[bool, bool], names: tuple[str, str], section: str
) -> Shape:
    """Return the shape of the product of two batches of matrices.

    Raises:
        ArgumentError: A rank is less than 2, ranks or inner extents differ, or batch dimensions do
            not broadcast.
    """
    problems = Problems(section)
    for name, shape in zip(names, (A, B), strict=True):
        if len(shape) < 2:
            problems.add(
                name,
                f"'{name}' has rank {len(shape)}, but matrices have at least 2",
                "unsqueeze turns a vector into a matrix.",
                code="shape-mismatch",
            )
    if not problems and len(A) != len(B):
        problems.add(
            names[1],
            f"'{names[0]}' has rank {len(A)}, but '{names[1]}' has rank {len(B)}",
            "Ranks must be equal; write missing batch dimensions as leading extents of 1.",
            code="shape-mismatch",
        )
    problems.done()
    rows, inner = (A[-1], A[-2]) if transposed[0] else (A[-2], A[-1])
    other, columns = (B[-1], B[-2]) if transposed[1] else (B[-2], B[-1])
    if inner != other:
        problems.add(
            names[1],
            f"the inner extents of the product differ: {inner} of '{names[0]}' {[*A]} and "
            f"{other} of '{names[1]}' {[*B]}",
            _transposition_hint(A, B, transposed) if names[0] == "A" else _FILTER_HINT,
            code="shape-mismatch",
        )
    batch = A[:-2]
    if batch != B[:-2]:
        batch = broadcast_checked(problems, (A[:-2], B[:-2]), names)
    problems.done()
    return (*batch, rows, columns)


_FILTER_HINT = "The filter has shape [outputs, inputs]."


def _transposition_hint(A: Shape, B: Shape, transposed: tuple[bool, bool]) -> str:
    """Suggest the transposition that makes the inner extents agree, or else state the rule."""
    a, b = transposed
    for name, flags in (("transposeB", (a, not b)), ("transposeA", (not a, b))):
        if A[-2 if flags[0] else -1] == B[-1 if flags[1] else -2]:
            return (
                f"{name} = {'true' if flags[name == 'transposeB'] else 'false'} would make it fit."
            )
    return "The first matrix must have as many columns as the second has rows."


@shape_rule("matmul")
def matmul_shape(A: Shape, B: Shape, *, transposeA: bool, transposeB: bool) -> Shape:
    """Return the shape of the result of `matmul` (4.7)."""
    return _product_shape(A, B, (transposeA, transposeB), ("A", "B"), "4.7")


@kernel("matmul")
@quiet
@widened
def matmul(A: Array, B: Array, *, transposeA: bool, transposeB: bool) -> Array:
    """Return the product of matrices; batch dimensions are broadcast (4.7)."""
    if transposeA:
        A = A.swapaxes(-1, -2)
    if transposeB:
        B = B.swapaxes(-1, -2)
    return np.asarray(np.matmul(A, B))


@macs("matmul")
def matmul_macs(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """Count one for each element of the result and each index of the inner dimension."""
    return int(math.prod(outputs[0]) * inputs[0][-2 if attribs["transposeA"] else -1])


@shape_rule("linear")
def linear_shape(input: Shape, filter: Shape, bias: Shape) -> Shape:
    """Return the shape of the result of `linear` (4.9.2)."""
    product = _product_shape(input, filter, (False, True), ("input", "filter"), "4.9.2")
    names = ("output", "bias")
    return broadcast_shape(product, bias, names=names, section="4.9.2", result="output")


@kernel("linear")
@quiet
@widened
def linear(input: Array, filter: Array, bias: Array) -> Array:
    """``matmul(input, filter, transposeB = true) + bias`` (4.9.2)."""
    product: Array = np.matmul(input, filter.swapaxes(-1, -2))
    if bias.ndim == 0 and bias == 0:
        return product
    product, bias = align(product, bias)
    return np.asarray(np.add(product, bias, out=reusable(product, bias)))


@macs("linear")
def linear_macs(
    inputs: Sequence[Any],
    _outputs: Sequence[Any],
    attribs: dict[str, Any],  # noqa: ARG001
) -> int:
    """Count one for each element of the product and each index of the inner dimension."""
    # A bias may be broadcast to a larger result than the product.
    a, b = inputs[0], inputs[1]
    batch = math.prod(max(pair) for pair in zip(a[:-2], b[:-2], strict=True))
    return int(batch * a[-2] * b[-2] * a[-1])


@flops("matmul")
def matmul_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """2 for each MAC."""
    return 2 * matmul_macs(inputs, outputs, attribs)


@flops("linear")
def linear_flops(inputs: Sequence[Any], outputs: Sequence[Any], attribs: dict[str, Any]) -> int:
    """2 for each MAC; + 1 for each result if there is a bias: add."""
    return 2 * linear_macs(inputs, outputs, attribs) + bias_flops(inputs[2], outputs[0])
