"""Matrix products (4.7) and linear layers (4.9.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.execution.engines.litert.builder import TfliteBuilder, TfliteValue
from nnefkit.execution.engines.litert.lowerings import lowering
from nnefkit.execution.engines.litert.primitives import add, transpose


@lowering("matmul")
def matmul(
    b: TfliteBuilder, A: TfliteValue, B: TfliteValue, *, transposeA: bool, transposeB: bool
) -> TfliteValue:
    """Return the product of matrices; batch dimensions are broadcast."""
    if A.rank == 2 and B.data is not None and not transposeA:
        weights = B if transposeB else transpose(b, B, [1, 0])
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
    outputs = filter.shape[-2]
    if input.rank == 2 and filter.rank == 2:
        if is_zero:
            return _fully_connected(b, input, filter, None)
        if bias.data is not None and bias.rank <= 2 and bias.shape[:1] in ((), (1,)):
            row = np.broadcast_to(bias.data.reshape(-1), (outputs,))
            row = np.ascontiguousarray(row)
            return _fully_connected(b, input, filter, b.derived(bias, row))
    product = matmul(b, input, filter, transposeA=False, transposeB=True)
    return product if is_zero else add(b, product, bias)


def _fully_connected(
    b: TfliteBuilder, x: TfliteValue, weights: TfliteValue, bias: TfliteValue | None
) -> TfliteValue:
    inputs = [x, weights]
    if bias is not None:
        inputs.append(bias)
    return b.op("FULLY_CONNECTED", inputs, (x.shape[0], weights.shape[0]))
