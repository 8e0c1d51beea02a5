"""Products of attention whose queries, keys and values alternate in one tensor (4.7)."""

from __future__ import annotations

from math import sqrt

from nnefkit.exchange.mxnet.call import Call, operator
from nnefkit.exchange.reshaping import reshaped, sliced, to_scalar, transposed
from nnefkit.exchange.source_value import Value


def _heads(c: Call, x: Value, parts: int) -> list[Value]:
    """Return the parts of a tensor [L, N, heads * parts * D] as [N * heads, L, D]."""
    heads = c.integer("heads")
    if x.rank != 3 or heads < 1 or x.shape[2] % (heads * parts):
        c.invalid(f"it has {heads} heads for an input of shape {[*x.shape]}")
    length, batch, width = x.shape
    size = width // (heads * parts)
    cells = reshaped(c, to_scalar(c, x), (length, batch * heads, parts, size))
    return [
        transposed(c, reshaped(c, part, (length, batch * heads, size)), [1, 0, 2])
        for part in (sliced(c, cells, 2, number, number + 1) for number in range(parts))
    ]


def _scores(c: Call, query: Value, key: Value) -> Value:
    if query.shape[0] != key.shape[0] or query.shape[2] != key.shape[2]:
        c.invalid("its queries and keys have other shapes than each other")
    scaled = c.op("mul", query, c.decimal(1 / sqrt(query.shape[2])))
    return c.op("matmul", scaled, key, transposeB=True)


def _weighted(c: Call, value: Value, scores: Value) -> Value:
    """Return the sums of values [N * heads, L, D], weighted by scores, as [L, N, heads * D]."""
    heads = c.integer("heads")
    if scores.rank != 3 or scores.shape[0] != value.shape[0] or scores.shape[2] != value.shape[1]:
        c.invalid(f"its second input has the shape {[*scores.shape]}")
    result = transposed(c, c.op("matmul", to_scalar(c, scores), value), [1, 0, 2])
    length, count, size = result.shape
    return reshaped(c, result, (length, count // heads, heads * size))


@operator("_contrib_interleaved_matmul_selfatt_qk")
def self_attention_scores(c: Call) -> Value:
    """Read the scaled products of queries and keys in one tensor."""
    query, key, _ = _heads(c, c[0], 3)
    return _scores(c, query, key)


@operator("_contrib_interleaved_matmul_selfatt_valatt")
def self_attention_values(c: Call) -> Value:
    """Read sums of the values in one tensor, weighted by a second one."""
    return _weighted(c, _heads(c, c[0], 3)[2], c[1])


@operator("_contrib_interleaved_matmul_encdec_qk")
def attention_scores(c: Call) -> Value:
    """Read the scaled products of queries, and of the keys in a second tensor."""
    (query,) = _heads(c, c[0], 1)
    return _scores(c, query, _heads(c, c[1], 2)[0])


@operator("_contrib_interleaved_matmul_encdec_valatt")
def attention_values(c: Call) -> Value:
    """Read sums of the values in a tensor of keys and values, weighted by a second one."""
    return _weighted(c, _heads(c, c[0], 2)[1], c[1])
