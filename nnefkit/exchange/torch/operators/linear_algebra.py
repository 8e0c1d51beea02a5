"""Matrix products (4.7, 4.9.2) and attention."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nnefkit.exchange.compositions import linear_algebra
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import reshaped, to_rank, to_scalar
from nnefkit.exchange.source_graph import LOGICAL, Value
from nnefkit.exchange.torch.call import Call, arithmetic, operator


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
    return linear_algebra.product(c, x, second)


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
    product = c.op("matmul", first, second)
    if alpha != 1:
        product = arithmetic(c, "mul", product, float(alpha))
    return arithmetic(c, "add", product, x if beta == 1 else arithmetic(c, "mul", x, float(beta)))


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
    if enable_gqa and key.shape[-3] != query.shape[-3]:
        key, value = (_repeated(c, x, query.shape[-3]) for x in (key, value))
    rank = query.rank
    mask: Any = 0.0
    if is_causal:
        mask = to_rank(c, _causal(c, query.shape[-2], key.shape[-2], query.dtype), rank)
    elif attn_mask is not None:
        mask = to_rank(c, _additive(c, attn_mask, query.dtype), rank)
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else float(scale)
    return c.fragment(
        "scaled_dot_product_attention",
        c.shape,
        query,
        to_rank(c, key, rank),
        to_rank(c, value, rank),
        mask,
        scale=factor,
        axis=rank - 1,
    )


def _repeated(c: Call, x: Value, heads: int) -> Value:
    """Return each head repeated for all of its queries."""
    times = heads // x.shape[-3]
    single = reshaped(c, x, (*x.shape[:-2], 1, *x.shape[-2:]))
    repeats = [1] * (x.rank - 2) + [times, 1, 1]
    tiled = c.op("tile", single, repeats=repeats)
    return reshaped(c, tiled, (*x.shape[:-3], heads, *x.shape[-2:]))


def _causal(c: Call, queries: int, keys: int, dtype: np.dtype[Any]) -> Value:
    def make() -> np.ndarray[Any, Any]:
        return np.triu(np.full((queries, keys), np.finfo(dtype).min, dtype), 1)

    return c.graph.shared(f"causal_mask_{queries}_{keys}", make)


def _additive(c: Call, mask: Value, dtype: np.dtype[Any]) -> Value:
    """Return the mask to add to scores: 0 where a logical mask is true, else the lowest number.

    PyTorch adds minus infinity, which has no literal; the softmax of both is zero.
    """
    if mask.data_type != LOGICAL:
        wide = to_scalar(c, mask)
        if wide.data is None or not np.isneginf(wide.data).any():
            return wide
        return c.graph.derived(
            wide, "finite", lambda data: np.maximum(data, np.finfo(data.dtype).min)
        )
    if mask.data is not None:
        if not mask.data.any(axis=-1).all():
            refuse("its mask excludes all keys of a query", "Remove such queries.")
        return c.graph.derived(
            mask, "additive", lambda data: np.where(data, 0, np.finfo(dtype).min).astype(dtype)
        )
    lowest = float(np.finfo(np.float32).min)
    return c.op("select", mask, 0.0, lowest, data_type="scalar")
