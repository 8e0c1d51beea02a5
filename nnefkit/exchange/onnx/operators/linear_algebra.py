"""Products of matrices (4.7, 4.9.2)."""

from __future__ import annotations

import numpy as np

from nnefkit.exchange.compositions.einstein_sum import einstein_sum
from nnefkit.exchange.compositions.integer_range import narrowed, real
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.onnx.call import Call, operator
from nnefkit.exchange.reshaping import (
    reshaped,
    to_dtype,
    to_rank,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_value import Value


@operator("MatMul")
def matmul(c: Call) -> Value:
    """Read a product of matrices or vectors."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    result = narrowed(c, product(c, a, b), c[0].dtype, lambda: product(c, real(c, a), real(c, b)))
    return to_dtype(c, result, c[0].dtype)


@operator("Gemm")
def gemm(c: Call) -> Value:
    """Read ``alpha A B + beta C``: `linear`, or `matmul` and `add`."""
    _refuse_uint64(c)
    a, b, bias = to_scalar(c, c[0]), to_scalar(c, c[1]), c.get(2)
    result = _linear(c, a, b, bias)
    if result is None:
        result = _matmul(c, a, b)
        beta = float(c.attribute("beta", 1.0))
        if bias is not None and beta:
            added = to_scalar(c, bias)
            added = c.op("mul", added, beta) if beta != 1 else added
            result = c.elementwise("add", result, added)
    return to_dtype(c, narrowed(c, result, c[0].dtype), c[0].dtype)


def _refuse_uint64(c: Call) -> None:
    """Refuse sums of products that may exceed the integers of NNEF."""
    if c[0].dtype == np.uint64:
        c.refuse("it computes with uint64, and integers of NNEF are signed", "Cast to int64.")


def _linear(c: Call, a: Value, b: Value, bias: Value | None) -> Value | None:
    """Return a product as `linear`, if it has no other effects and its bias is a row."""
    is_filter = bool(c.attribute("transB", 0))
    if c.attribute("transA", 0) or c.attribute("alpha", 1.0) != 1:
        return None
    if not is_filter and b.data is None:
        return None
    filter_ = b if is_filter else transposed(c, b, [1, 0])
    if bias is None:
        return c.op("linear", a, filter_)
    is_row = bias.shape in ((filter_.shape[0],), (1, filter_.shape[0]))
    if not is_row or c.attribute("beta", 1.0) != 1:
        return None
    return c.op("linear", a, filter_, to_rank(c, to_scalar(c, bias), 2))


def _matmul(c: Call, a: Value, b: Value) -> Value:
    """Return ``alpha A B``."""
    a_transposed, b_transposed = (bool(c.attribute(name, 0)) for name in ("transA", "transB"))
    result = c.op("matmul", a, b, transposeA=a_transposed, transposeB=b_transposed)
    alpha = float(c.attribute("alpha", 1.0))
    return result if alpha == 1 else c.op("mul", result, alpha)


@operator("MatMulInteger")
def matmul_integer(c: Call) -> Value:
    """Read a product of codes; it is computed as scalars, in which products of bytes are exact."""
    a, b = to_scalar(c, c[0]), to_scalar(c, c[1])
    a_zero, b_zero = c.get(2), c.get(3)
    if a_zero is not None:
        zero = to_scalar(c, a_zero)
        if zero.rank == 1 and zero.shape[0] > 1:
            zero = reshaped(c, zero, (*zero.shape, 1))
        a = c.elementwise("sub", a, zero)
    if b_zero is not None:
        b = c.elementwise("sub", b, to_scalar(c, b_zero))
    return to_dtype(c, product(c, a, b), np.dtype(np.int32))


@operator("Einsum")
def einsum(c: Call) -> Value:
    """Read a sum of products, as a product of matrices for each pair of tensors."""
    _refuse_uint64(c)
    values = [to_scalar(c, c[index]) for index in range(len(c.inputs))]
    result = einstein_sum(c, c.attribute("equation"), values)
    return to_dtype(c, result, c[0].dtype)


@operator("Det")
def determinant(c: Call) -> Value:
    """Read the determinant of matrices of 2 by 2."""
    x = c[0]
    if x.shape[-2:] != (2, 2):
        c.refuse("NNEF has no determinants of large matrices", "Compute them outside the network.")
    flat = reshaped(c, x, (*x.shape[:-2], 4))
    p, q, r, s = c.ops("unstack", flat, axis=flat.rank - 1)
    return c.op("sub", c.op("mul", p, s), c.op("mul", q, r))
