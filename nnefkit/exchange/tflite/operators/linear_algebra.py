"""Products of matrices (4.7)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from nnefkit.exchange.channels_last import bias_row
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.reshaping import reshaped, to_rank, to_scalar, transposed
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import INVALID, Call, operator


@operator("FULLY_CONNECTED")
def fully_connected(c: Call) -> Value:
    """Read `linear`, or `matmul` without a bias; the input is flattened to rows."""
    x, weight = to_scalar(c, c[0]), to_scalar(c, c.ranked(1, 2))
    outputs, inputs = weight.shape
    if int(c.option("weights_format")):
        c.refuse("its weights are shuffled for one processor", "Convert the network again.")
    is_kept = bool(c.option("keep_num_dims"))
    if prod(x.shape) % inputs or (is_kept and x.shape[-1:] != (inputs,)):
        c.refuse(f"its weights have {inputs} columns for an input of {[*x.shape]}", INVALID)
    shape = (*x.shape[:-1], outputs) if is_kept else (prod(x.shape) // inputs, outputs)
    rows = x
    if not is_kept or x.rank == 1:
        rows = reshaped(c, x, (prod(x.shape) // inputs, inputs), 0)
    bias = [to_rank(c, row, rows.rank) for row in bias_row(c, c.get(2), outputs)]
    matrix = to_rank(c, weight, rows.rank)
    if bias:
        result = c.op("linear", rows, matrix, *bias)
    else:
        result = c.op("matmul", rows, matrix, transposeB=True)
    return c.activated(c.to_result(reshaped(c, result, shape)))


@operator("BATCH_MATMUL")
def batch_matmul(c: Call) -> Value:
    """Read `matmul`; matrices may be transposed."""
    x, y = to_scalar(c, c[0]), to_scalar(c, c[1])
    if min(x.rank, y.rank) < 2:
        c.refuse("its inputs are not matrices", INVALID)
    given: dict[str, Any] = {}
    for name, option in (("transposeA", "adj_x"), ("transposeB", "adj_y")):
        if c.option(option):
            given[name] = True
    if not given:
        return c.to_result(product(c, x, y))
    rank = max(x.rank, y.rank)
    return c.to_result(c.op("matmul", to_rank(c, x, rank), to_rank(c, y, rank), **given))


@operator("MATRIX_DIAG")
def matrix_diag(c: Call) -> Value:
    """Read matrices with the rows of the input on their diagonals."""
    x = c[0]
    if x.rank < 1:
        c.refuse("its input has rank 0", INVALID)
    size = x.shape[-1]
    c.allowance.take((size, size), 1)
    is_diagonal = np.eye(size, dtype=np.bool_).reshape((1,) * (x.rank - 1) + (size, size))
    row = reshaped(c, x, (*x.shape[:-1], 1, size))
    zero = c.graph.constant(0, x.dtype)
    return c.op("select", c.graph.constant(is_diagonal), row, zero, data_type=x.data_type)


@operator("MATRIX_SET_DIAG")
def matrix_set_diag(c: Call) -> Value:
    """Read matrices with their diagonals replaced."""
    x, diagonal = c[0], c[1]
    if x.rank < 2 or diagonal.shape != (*x.shape[:-2], min(x.shape[-2:])):
        c.refuse("its diagonals do not fit its matrices", INVALID)
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
