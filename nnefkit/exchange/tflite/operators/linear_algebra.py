"""Products of matrices (4.7)."""

from __future__ import annotations

from math import prod

from nnefkit.exchange.channels_last import bias_row
from nnefkit.exchange.reshaping import reshaped, to_rank, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.tflite.call import Call, operator


@operator("FULLY_CONNECTED")
def fully_connected(c: Call) -> Value:
    """Read `linear`, or `matmul` without a bias; the input is flattened to rows."""
    x, weight = to_scalar(c, c[0]), to_scalar(c, c.ranked(1, 2))
    outputs, inputs = weight.shape
    if int(c.option("weights_format")):
        c.refuse("its weights are shuffled for one processor", "Convert the network again.")
    is_kept = bool(c.option("keep_num_dims"))
    if prod(x.shape) % inputs or (is_kept and x.shape[-1:] != (inputs,)):
        c.invalid(f"its weights have {inputs} columns for an input of {[*x.shape]}")
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
