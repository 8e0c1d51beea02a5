"""Matrix products (4.7) and linear layers (4.9.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.integers import product
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import add, transpose


@lowering("matmul")
def matmul(
    b: TfliteBuilder, A: TfliteValue, B: TfliteValue, *, transposeA: bool, transposeB: bool
) -> TfliteValue:
    """Return the product of matrices; batch dimensions are broadcast."""
    if not A.is_real:
        last = [*range(A.rank - 2), A.rank - 1, A.rank - 2]
        factors = transpose(b, A, last) if transposeA else A
        return product(b, factors, transpose(b, B, last) if transposeB else B)
    weights = _weights(b, B, transposeB)
    if weights is not None and not transposeA:
        return _fully_connected(b, A, weights, None)
    rows = A.shape[-1] if transposeA else A.shape[-2]
    columns = B.shape[-2] if transposeB else B.shape[-1]
    batch = np.broadcast_shapes(A.shape[:-2], B.shape[:-2])
    shape = (*batch, rows, columns)
    return b.op("BATCH_MATMUL", [A, B], shape, AdjX=transposeA, AdjY=transposeB)


@lowering("linear")
def linear(
    b: TfliteBuilder, input: TfliteValue, filter: TfliteValue, bias: TfliteValue
) -> TfliteValue:
    """Return ``matmul(input, filter, transposeB = true) + bias``."""
    is_zero = bias.data is not None and not bias.rank and not bias.data
    weights = _weights(b, filter, True) if input.is_real else None
    if weights is not None and is_zero:
        return _fully_connected(b, input, weights, None)
    outputs = filter.shape[-2]
    row = (*(1,) * (input.rank - 1), outputs)
    if weights is not None and bias.data is not None and bias.shape in (row, ()):
        values = np.broadcast_to(bias.data.reshape(-1), (outputs,))
        return _fully_connected(b, input, weights, b.derived(bias, np.ascontiguousarray(values)))
    result = matmul(b, input, filter, transposeA=False, transposeB=True)
    return result if is_zero else add(b, result, bias)


def _weights(b: TfliteBuilder, matrix: TfliteValue, is_turned: bool) -> TfliteValue | None:
    """Return a constant matrix as (outputs, inputs); None if it is computed, or one of several."""
    if matrix.data is None or any(extent != 1 for extent in matrix.shape[:-2]):
        return None
    flat = b.reshape(matrix, matrix.shape[-2:])
    return flat if is_turned else transpose(b, flat, [1, 0])


def _fully_connected(
    b: TfliteBuilder, x: TfliteValue, weights: TfliteValue, bias: TfliteValue | None
) -> TfliteValue:
    inputs = [x, weights]
    if bias is not None:
        inputs.append(bias)
    shape = (*x.shape[:-1], weights.shape[0])
    return b.op("FULLY_CONNECTED", inputs, shape, KeepNumDims=x.rank != 2)
