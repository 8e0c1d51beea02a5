"""Products of matrices (4.7)."""

from __future__ import annotations

from typing import Any

import numpy as np

from nnefkit.arrays import Array
from nnefkit.exchange.channels_last import bias_row
from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.reshaping import reshaped, to_dtype, to_scalar, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tensor_operators.linear_algebra import matrix_diag
from nnefkit.exchange.tensorflow.call import Call, operator


@operator("MatMul")
def matmul(c: Call) -> Value:
    """Read `matmul`; matrices may be transposed."""
    x, y = to_scalar(c, c.ranked(0, 2)), to_scalar(c, c.ranked(1, 2))
    given: dict[str, Any] = {}
    for name, option in (("transposeA", "transpose_a"), ("transposeB", "transpose_b")):
        if c.option(option):
            given[name] = True
    result = c.to_result(c.op("matmul", x, y, **given))
    if c.dtype.kind != "f" or y.data is None or c.option("transpose_a"):
        return result
    filters = y if c.option("transpose_b") else transposed(c, y, [1, 0])

    def layer(bias: Value) -> Value:
        row = bias_row(c, bias, filters.shape[0])
        return c.op("linear", x, filters, *row) if row else result

    return c.taking_bias(result, 1, layer)


@operator("Einsum")
def einsum(c: Call) -> Value:
    """Read a sum of products, as a product of matrices for each pair of tensors."""
    tensors = [c[index] for index in range(len(c.inputs))]
    return c.to_result(einstein_sum(c, str(c.option("equation", "")), tensors))


@operator("MatrixDiagV2", "MatrixDiagV3")
def matrix_diag_of(c: Call) -> Value:
    """Read square matrices with the rows of the input on their main diagonals."""
    is_main = not any(c.ints(1, "diagonals"))
    sizes = {c.number(index, "size") for index in (2, 3)} - {-1, c[0].shape[-1]}
    if not is_main or sizes or c.constant(4, "filler").any():
        c.refuse(
            "its matrices are not square with one main diagonal and zeros around it",
            "Compose it of other operators.",
        )
    return matrix_diag(c)


@operator("L2Loss")
def l2_loss(c: Call) -> Value:
    """Read half of the sum of squares."""
    x = c[0]
    total = c.op("sum_reduce", c.op("sqr", x), axes=[*range(x.rank)])
    return reshaped(c, c.op("mul", total, 0.5), ())


@operator("MatrixDiagPart", "MatrixDiagPartV2", "MatrixDiagPartV3")
def matrix_diagonal(c: Call) -> Value:
    """Read the main diagonals of matrices."""
    x = c[0]
    if x.rank < 2:
        c.invalid("its input is not a matrix")
    if c.get(1) is not None and any(c.ints(1, "diagonals")):
        c.refuse("it reads another diagonal than the main one", "Compose it of other operators.")
    rows, columns = x.shape[-2:]
    masked = _masked(c, x, np.eye(rows, columns, dtype=np.bool_))
    axis = x.rank - 1 if rows <= columns else x.rank - 2
    total = c.op("sum_reduce", to_scalar(c, masked), axes=[axis])
    return to_dtype(c, reshaped(c, total, (*x.shape[:-2], min(rows, columns))), x.dtype)


@operator("MatrixBandPart")
def matrix_band(c: Call) -> Value:
    """Read matrices with zeros away from their main diagonals."""
    x, lower, upper = c[0], c.number(1, "number of diagonals"), c.number(2, "number of diagonals")
    if x.rank < 2:
        c.invalid("its input is not a matrix")
    rows, columns = x.shape[-2:]
    c.allowance.take((rows, columns), 1)
    distance = np.arange(columns) - np.arange(rows).reshape(-1, 1)
    mask = (distance <= upper) if upper >= 0 else np.ones((rows, columns), np.bool_)
    return _masked(c, x, mask & (distance >= -lower) if lower >= 0 else mask)


def _masked(c: Call, x: Value, mask: Array) -> Value:
    """Return matrices with zeros where a mask is false."""
    wide = c.graph.constant(mask.reshape((1,) * (x.rank - 2) + mask.shape))
    return c.op("select", wide, x, c.graph.constant(0, x.dtype), data_type=x.data_type)
