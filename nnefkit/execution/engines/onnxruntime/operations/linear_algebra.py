"""Matrix multiplication (4.7) and linear layers (4.9.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.execution.engines.onnxruntime import primitives
from nnefkit.execution.engines.onnxruntime.builder import Builder, OnnxValue
from nnefkit.execution.engines.onnxruntime.lowerings import lowering
from nnefkit.execution.engines.onnxruntime.primitives import add, as_matrix


@lowering("matmul")
def matmul(
    b: Builder, A: OnnxValue, B: OnnxValue, *, transposeA: bool, transposeB: bool
) -> OnnxValue:
    """Return the product of matrices; batch dimensions broadcast."""
    if A.rank == 2 and (transposeA or transposeB) and A.dtype.kind == "f":
        return _gemm(b, A, B, None, transposeA, transposeB)
    if transposeA:
        A = _swapped(b, A)
    B = as_matrix(b, B, A.rank)
    if transposeB:
        B = _swapped(b, B)
    return primitives.matmul(b, A, B)


def _swapped(b: Builder, x: OnnxValue) -> OnnxValue:
    axes = [*range(x.rank - 2), x.rank - 1, x.rank - 2]
    return primitives.transpose(b, x, axes)


def _gemm(
    b: Builder, A: OnnxValue, B: OnnxValue, C: OnnxValue | None, transposed: bool, other: bool
) -> OnnxValue:
    shape = (A.shape[1 if transposed else 0], B.shape[0 if other else 1])
    inputs = [A, B] if C is None else [A, B, C]
    return b.node("Gemm", inputs, shape, transA=int(transposed), transB=int(other))


@lowering("linear")
def linear(b: Builder, input: OnnxValue, filter: OnnxValue, bias: OnnxValue) -> OnnxValue:
    """Return ``matmul(input, filter, transposeB = true) + bias``."""
    zero = bias.data is not None and not bias.rank and not bias.data
    if input.rank == 2:
        shape = (input.shape[0], filter.shape[0])
        if zero:
            return _gemm(b, input, filter, None, False, True)
        aligned = b.reshape(bias, bias.shape + (1,) * (2 - bias.rank))
        if np.broadcast_shapes(shape, aligned.shape) == shape:
            return _gemm(b, input, filter, aligned, False, True)
    product = matmul(b, input, filter, transposeA=False, transposeB=True)
    return product if zero else add(b, product, bias)
