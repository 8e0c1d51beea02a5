"""Products of matrices (4.7)."""

from __future__ import annotations

from typing import Any

from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.reshaping import reshaped, to_scalar
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
    return c.to_result(c.op("matmul", x, y, **given))


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
