"""Products of matrices (4.7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.reshaping import reshaped, to_rank, to_scalar, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_call import TensorCall, tensorflow, tflite


@tflite("BATCH_MATMUL")
@tensorflow("BatchMatMul", "BatchMatMulV2", "BatchMatMulV3")
def batch_matmul(c: TensorCall) -> Value:
    """Read `matmul`; matrices may be transposed."""
    x, y = to_scalar(c, c[0]), to_scalar(c, c[1])
    if min(x.rank, y.rank) < 2:
        c.invalid("its inputs are not matrices")
    given: dict[str, Any] = {}
    for name, option in (("transposeA", "adj_x"), ("transposeB", "adj_y")):
        if c.option(option):
            given[name] = True
    if not given:
        return c.to_result(product(c, x, y))
    rank = max(x.rank, y.rank)
    return c.to_result(c.op("matmul", to_rank(c, x, rank), to_rank(c, y, rank), **given))


@tflite("MATRIX_DIAG")
@tensorflow("MatrixDiag")
def matrix_diag(c: TensorCall) -> Value:
    """Read matrices with the rows of the input on their diagonals."""
    x = c[0]
    if x.rank < 1:
        c.invalid("its input has rank 0")
    size = x.shape[-1]
    c.allowance.take((size, size), 1)
    is_diagonal = np.eye(size, dtype=np.bool_).reshape((1,) * (x.rank - 1) + (size, size))
    row = reshaped(c, x, (*x.shape[:-1], 1, size))
    zero = c.graph.constant(0, x.dtype)
    return c.op("select", c.graph.constant(is_diagonal), row, zero, data_type=x.data_type)


@tflite("MATRIX_SET_DIAG")
@tensorflow("MatrixSetDiag", "MatrixSetDiagV2", "MatrixSetDiagV3")
def matrix_set_diag(c: TensorCall) -> Value:
    """Read matrices with their diagonals replaced."""
    x, diagonal = c[0], c[1]
    if c.get(2) is not None and any(c.ints(2, "diagonals")):
        c.refuse("it sets another diagonal than the main one", "Compose it of other operators.")
    if x.rank < 2 or diagonal.shape != (*x.shape[:-2], min(x.shape[-2:])):
        c.invalid("its diagonals do not fit its matrices")
    rows, columns = x.shape[-2:]
    c.allowance.take((rows, columns), 1)
    mask = c.graph.constant(
        np.eye(rows, columns, dtype=np.bool_).reshape((1,) * (x.rank - 2) + (rows, columns))
    )
    if rows < columns:
        line = transposed(c, reshaped(c, diagonal, (*diagonal.shape, 1)), [*range(x.rank)])
    else:
        line = reshaped(c, diagonal, (*x.shape[:-2], 1, columns))
    return c.op("select", mask, line, x, data_type=x.data_type)
