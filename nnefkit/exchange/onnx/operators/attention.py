"""Attention (4.7, 4.9.1)."""

from __future__ import annotations

from nnefkit.exchange.compositions.attention import attention, with_heads_repeated
from nnefkit.exchange.onnx.call import INVALID, Call, operator
from nnefkit.exchange.reshaping import reshaped, transposed
from nnefkit.exchange.source_value import Value

_PLAIN = {"scale", "is_causal", "q_num_heads", "kv_num_heads", "softcap", "qk_matmul_output_mode"}
"""Attributes of an attention that NNEF expresses by one fragment."""


@operator("Attention")
def dot_product_attention(c: Call) -> list[Value]:
    """Read an attention without a cache and without capped scores; ONNX defines the others."""
    _check_plain(c)
    mask, causal = c.get(3), bool(c.attribute("is_causal", 0))
    if causal and mask is not None:
        c.refuse("it has a mask in addition to the causal one")
    is_joined = c[0].rank == 3
    query = _by_head(c, c[0], "q_num_heads") if is_joined else c[0]
    key, value = (_by_head(c, x, "kv_num_heads") if is_joined else x for x in (c[1], c[2]))
    check_heads(c, query, key, value)
    key, value = (with_heads_repeated(c, x, query.shape[1]) for x in (key, value))
    scale = c.number("scale", 0.0) if c.attribute("scale") is not None else None
    result = attention(c, query, key, value, mask, causal=causal, scale=scale)
    if not is_joined:
        return [result]
    batch, heads, positions, features = result.shape
    return [reshaped(c, transposed(c, result, [0, 2, 1, 3]), (batch, positions, heads * features))]


def _check_plain(c: Call) -> None:
    """Refuse an attention that is not the plain one of tensors of equal rank."""
    has_cache = any(c.get(index) is not None for index in (4, 5, 6))
    if has_cache or any(map(c.wants, (1, 2, 3))):
        c.refuse("it reads or returns keys and values of earlier steps, or its scores")
    if c.attribute("softcap", 0.0) or not _PLAIN.issuperset(c.attributes):
        c.refuse("it caps its scores, limits its window, or computes in another dtype")
    if {x.rank for x in (c[0], c[1], c[2])} not in ({3}, {4}):
        c.refuse("the ranks of its query, key and value are not all 3 or all 4", INVALID)


def _by_head(c: Call, x: Value, attribute: str) -> Value:
    """Return (batch, positions, heads * features) as (batch, heads, positions, features)."""
    heads = int(c.attribute(attribute))
    batch, positions, features = x.shape
    if heads < 1 or features % heads:
        c.refuse(f"it has {heads} heads of {features} features", INVALID)
    parts = reshaped(c, x, (batch, positions, heads, features // heads))
    return transposed(c, parts, [0, 2, 1, 3])


def check_heads(c: Call, query: Value, key: Value, value: Value) -> None:
    """Refuse heads whose queries, keys and values, (batch, heads, positions, features), misfit."""
    heads = query.shape[1], key.shape[1], value.shape[1]
    is_shared = heads[1] == heads[2] and not heads[0] % (heads[1] or 1)
    if not is_shared or query.shape[3] != key.shape[3] or key.shape[2] != value.shape[2]:
        shapes = ", ".join(str([*x.shape]) for x in (query, key, value))
        c.refuse(f"by heads, its query, key and value have the shapes {shapes}", INVALID)
