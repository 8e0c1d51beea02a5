"""Matrix products (4.7, 4.9.2) and attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import attention as composition
from nnefkit.exchange.compositions import distance, linear_algebra
from nnefkit.exchange.compositions.attention import with_heads_repeated
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_rank, to_scalar
from nnefkit.exchange.source_value import Value
from nnefkit.exchange.torch.call import Call, arithmetic, operator, to_result


@operator("linear")
def linear(c: Call, input: Value, weight: Value, bias: Value | None = None) -> Value:
    """Return `linear`, or `matmul` without a bias."""
    if input.rank == 2 and weight.rank == 2 and weight.data is not None:
        offset: Any = 0.0 if bias is None else reshaped(c, bias, (1, bias.shape[0]))
        return c.op("linear", input, weight, offset)
    vectors = reshaped(c, input, (1, *input.shape)) if input.rank == 1 else input
    matrix = to_rank(c, weight, max(vectors.rank, 2))
    if bias is None:
        result = c.op("matmul", vectors, matrix, transposeB=True)
    else:
        result = c.op("linear", vectors, matrix, to_rank(c, bias, vectors.rank))
    return reshaped(c, result, c.shape)


@operator("bilinear")
def bilinear(
    c: Call, input1: Value, input2: Value, weight: Value, bias: Value | None = None
) -> Value:
    """Return the product of the first input, each matrix, and the second input."""
    batch = math.prod(input1.shape[:-1])
    left = reshaped(c, input1, (batch, 1, 1, input1.shape[-1]))
    right = reshaped(c, input2, (batch, 1, input2.shape[-1], 1))
    result = c.op("matmul", c.op("matmul", left, to_rank(c, weight, 4)), right)
    shaped = reshaped(c, result, c.shape)
    return shaped if bias is None else arithmetic(c, "add", shaped, bias)


@operator("matmul", "bmm", "mm", "mv", "dot")
def matmul(
    c: Call,
    x: Value,
    other: Value | None = None,
    mat2: Value | None = None,
    vec: Value | None = None,
    tensor: Value | None = None,
) -> Value:
    """Return `matmul`; vectors are reshaped to matrices."""
    second = next(v for v in (other, mat2, vec, tensor) if v is not None)
    product = linear_algebra.product(c, to_scalar(c, x), to_scalar(c, second))
    return to_result(c, product, overflows=True)


@operator("addmm", "baddbmm")
def addmm(
    c: Call,
    x: Value,
    mat1: Value | None = None,
    mat2: Value | None = None,
    beta: float = 1,
    alpha: float = 1,
    batch1: Value | None = None,
    batch2: Value | None = None,
) -> Value:
    """Return `matmul` and `add`."""
    first, second = (
        next(v for v in pair if v is not None) for pair in ((mat1, batch1), (mat2, batch2))
    )
    product = c.op("matmul", to_scalar(c, first), to_scalar(c, second))
    if alpha != 1:
        product = arithmetic(c, "mul", product, float(alpha))
    return arithmetic(c, "add", product, x if beta == 1 else arithmetic(c, "mul", x, float(beta)))


@operator("cdist", "_cdist_forward")
def cdist(c: Call, x1: Value, x2: Value, p: float = 2.0, compute_mode: int | None = None) -> Value:
    """Return norms of the differences of rows."""
    return distance.distances(c, x1, x2, float(p))


@operator("pdist", "_pdist_forward")
def pdist(c: Call, x: Value, p: float = 2.0) -> Value:
    """Return norms of the differences of rows, for each pair of rows."""
    rows = np.triu_indices(x.shape[0], 1)
    first, second = (c.op("gather", x, c.graph.constant(index), axis=0) for index in rows)
    return reshaped(c, distance.norm(c, c.op("sub", first, second), float(p), [1]), c.shape)


@operator("scaled_dot_product_attention")
def attention(
    c: Call,
    query: Value,
    key: Value,
    value: Value,
    attn_mask: Value | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Value:
    """Return ``scaled_dot_product_attention``."""
    if dropout_p:
        refuse("it drops elements at random in training", "Call module.eval() before the export.")
    if enable_gqa:
        key, value = (with_heads_repeated(c, x, query.shape[-3]) for x in (key, value))
    return composition.attention(c, query, key, value, attn_mask, causal=is_causal, scale=scale)
