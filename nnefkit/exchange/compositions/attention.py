"""Scaled dot-product attention, composed of `matmul` and `softmax`."""

from __future__ import annotations

from math import sqrt

import numpy as np

from nnefkit.exchange.call import OperatorCall
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import broadcast, reshaped, to_rank, to_scalar
from nnefkit.exchange.source_value import LOGICAL, SCALAR, DType, Value


def attention(
    c: OperatorCall,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None = None,
    *,
    causal: bool = False,
    scale: float | None = None,
    zeros: bool = True,
) -> Value:
    """Return ``softmax(Q K^T scale + mask) V``.

    Args:
        c: The call of the operator.
        query: The queries, of shape (..., queries, features).
        key: The keys, of shape (..., keys, features).
        value: The values, of shape (..., keys, features of the result).
        mask: A logical mask, true for keys that take part, or numbers to add to the scores; it
            broadcasts to (..., queries, keys).
        causal: Whether a query attends to the keys up to its own position only; without a mask.
        scale: The factor of the scores; by default the inverse root of the number of features.
        zeros: Whether the result is 0 for queries whose keys are all masked, by a logical or by
            minus infinity; otherwise it is the mean of all values.

    Returns:
        The result.
    """
    rank = query.rank
    if mask is not None:
        pairs = zip(mask.shape[::-1], (key.shape[-2], query.shape[-2]), strict=False)
        if any(extent not in (1, count) for extent, count in pairs):
            refuse(
                f"its mask of shape {[*mask.shape]} does not broadcast to "
                f"{query.shape[-2]} queries and {key.shape[-2]} keys"
            )
    key, value = to_rank(c, key, rank), to_rank(c, value, rank)
    added: Value | float = 0.0
    if causal:
        added = to_rank(c, _causal(c, query.shape[-2], key.shape[-2], query.dtype), rank)
    elif mask is not None:
        added = to_rank(c, _additive(c, mask, query.dtype), rank)
    batch = broadcast(c, query.shape[:-2], key.shape[:-2], value.shape[:-2])
    result = c.fragment(
        "scaled_dot_product_attention",
        (*batch, query.shape[-2], value.shape[-1]),
        query,
        key,
        value,
        added,
        scale=1 / sqrt(query.shape[-1]) if scale is None else float(scale),
        axis=rank - 1,
    )
    has_keys = None if causal or mask is None or not zeros else _has_keys(c, to_rank(c, mask, rank))
    return result if has_keys is None else c.op("select", has_keys, result, 0.0)


def with_heads_repeated(c: OperatorCall, x: Value, heads: int) -> Value:
    """Return keys or values with each head repeated for all the query heads that share it."""
    if x.shape[-3] == heads:
        return x
    single = reshaped(c, x, (*x.shape[:-2], 1, *x.shape[-2:]))
    repeats = [1] * (x.rank - 2) + [heads // x.shape[-3], 1, 1]
    tiled = c.op("tile", single, repeats=repeats)
    return reshaped(c, tiled, (*x.shape[:-3], heads, *x.shape[-2:]))


def _causal(c: OperatorCall, queries: int, keys: int, dtype: DType) -> Value:
    return c.graph.shared(
        f"causal_mask_{queries}_{keys}",
        lambda: np.triu(np.full((queries, keys), np.finfo(dtype).min, dtype), 1),
    )


def _has_keys(c: OperatorCall, mask: Value) -> Value | None:
    """Return whether the mask admits a key for each query; None if it is known that it does."""
    axes = [mask.rank - 1]
    if mask.data is None:
        admits = mask if mask.data_type == LOGICAL else c.op("ne", to_scalar(c, mask), -np.inf)
        return c.op("any_reduce", admits, axes=axes)
    is_key = mask.data if mask.data_type == LOGICAL else ~np.isneginf(mask.data)
    has_keys = is_key.any(axis=-1, keepdims=True)
    return None if has_keys.all() else c.graph.constant(has_keys)


def _additive(c: OperatorCall, mask: Value, dtype: DType) -> Value:
    """Return the mask to add to scores: 0 where a logical mask is true, else the lowest number.

    Frameworks add minus infinity, whose softmax is 0, too, but NaN if it masks all keys.
    """
    if mask.data_type != LOGICAL:
        wide = to_scalar(c, mask)
        if wide.data is None or not np.isneginf(wide.data).any():
            return wide
        return c.graph.derived(
            wide, "finite", lambda data: np.maximum(data, np.finfo(data.dtype).min)
        )
    if mask.data is not None:
        return c.graph.derived(
            mask, "additive", lambda data: np.where(data, 0, np.finfo(dtype).min).astype(dtype)
        )
    lowest = float(np.finfo(np.float32).min)
    return c.op("select", mask, 0.0, lowest, data_type=SCALAR)
