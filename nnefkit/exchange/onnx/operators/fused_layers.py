"""Layers that ONNX Runtime's optimizer fuses, of the domain ``com.microsoft``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nnefkit.exchange.compositions import activation, distance, normalization
from nnefkit.exchange.compositions.linear_algebra import product
from nnefkit.exchange.onnx.call import INVALID, MICROSOFT, Call, operator
from nnefkit.exchange.onnx.operators.attention import check_heads
from nnefkit.exchange.onnx.operators.convolution import convolved
from nnefkit.exchange.onnx.operators.linear_algebra import gemm
from nnefkit.exchange.onnx.operators.normalization import check_parameters
from nnefkit.exchange.refusal import refuse
from nnefkit.exchange.reshaping import (
    reshaped,
    to_dtype,
    to_rank,
    to_scalar,
    transposed,
)
from nnefkit.exchange.source_value import INTEGER, Value

# -- activations -----------------------------------------------------------------------------------


@operator("Gelu", domain=MICROSOFT)
def gelu(c: Call) -> Value:
    """Read `gelu`."""
    c.check_scalars(c[0])
    return activation.gelu(c, c[0])


@operator("BiasGelu", "FastGelu", domain=MICROSOFT)
def gelu_of_sum(c: Call) -> Value:
    """Read `gelu` of a sum with a bias, or its approximation by tanh."""
    bias = c.get(1)
    c.check_scalars(c[0], bias)
    x = c[0] if bias is None else c.elementwise("add", c[0], bias)
    return activation.gelu(c, x, "tanh" if c.operator == "FastGelu" else "none")


@operator("QuickGelu", domain=MICROSOFT)
def quick_gelu(c: Call) -> Value:
    """Read ``x sigmoid(alpha x)``."""
    c.check_scalars(c[0])
    return activation.swish(c, c[0], c.number("alpha", 1.702))


def _activated(c: Call, x: Value, name: str, parameters: Sequence[float]) -> Value:
    """Return a tensor after the activation that is fused into a layer."""
    numbers = [c.decimal(number) for number in parameters]
    if name in ("", "Relu", "Sigmoid", "Tanh"):
        return c.op(name.lower(), x) if name else x
    if name == "LeakyRelu":
        return c.op("leaky_relu", x, alpha=numbers[0] if numbers else 0.01)
    if name == "HardSigmoid":
        return activation.hard_sigmoid(c, x, *(numbers or [0.2, 0.5]))
    if name != "Clip" or len(numbers) != 2:
        refuse(f"its activation '{name}' is not supported", "Save the model without fused layers.")
    return c.op("clamp", x, *numbers)


# -- convolutions and products ---------------------------------------------------------------------


@operator("FusedConv", domain=MICROSOFT)
def fused_convolution(c: Call) -> Value:
    """Read `conv`, the addition of another tensor, and an activation."""
    c.check_scalars(c[0], c[1], c.get(2), c.get(3))
    result, other = convolved(c, c[0], c[1], c.get(2)), c.get(3)
    if other is not None:
        result = c.op("add", result, other)
    name, parameters = c.attribute("activation", ""), c.attribute("activation_params")
    return _activated(c, result, str(name), parameters or [])


@operator("FusedGemm", domain=MICROSOFT)
def fused_gemm(c: Call) -> Value:
    """Read ``alpha A B + beta C`` and an activation."""
    c.check_scalars(c[0], c[1], c.get(2))
    parameters = [
        c.attribute(f"activation_{name}")
        for name in ("alpha", "beta", "gamma")
        if f"activation_{name}" in c.attributes
    ]
    return _activated(c, gemm(c), str(c.attribute("activation", "")), parameters)


@operator("FusedMatMul", domain=MICROSOFT)
def fused_matmul(c: Call) -> Value:
    """Read a product of matrices that may be transposed, times a factor.

    With ``transBatch``, the first axis is the rows, and the others but the last are the batch.
    """
    a, b = (
        _oriented(c, to_scalar(c, c[index]), c.attribute(f"transBatch{side}", 0))
        for index, side in ((0, "A"), (1, "B"))
    )
    if c.attribute("transA", 0):
        a = _transposed(c, a)
    if c.attribute("transB", 0):
        b = _transposed(c, b)
    result = product(c, a, b)
    alpha = c.number("alpha", 1.0)
    result = result if alpha == 1 else c.op("mul", result, alpha)
    return to_dtype(c, result, c[0].dtype)


def _oriented(c: Call, x: Value, is_batch_inside: int) -> Value:
    if not is_batch_inside or x.rank < 3:
        return x
    return transposed(c, x, [*range(1, x.rank - 1), 0, x.rank - 1])


def _transposed(c: Call, x: Value) -> Value:
    """Return transposed matrices; vectors are unchanged."""
    if x.rank < 2:
        return x
    return transposed(c, x, [*range(x.rank - 2), x.rank - 1, x.rank - 2])


# -- normalizations --------------------------------------------------------------------------------


@operator("SkipLayerNormalization", "SkipSimplifiedLayerNormalization", domain=MICROSOFT)
def skip_layer_normalization(c: Call) -> list[Value | None]:
    """Read a layer or RMS normalization of a sum, which is the fourth result."""
    is_simplified = c.operator == "SkipSimplifiedLayerNormalization"
    if c.wants(1) or c.wants(2):
        refuse("it returns means and deviations, which runtimes leave out", INVALID)
    bias = c.get(3 if is_simplified else 4)
    c.check_scalars(c[0], c[1], bias)
    total = c.elementwise("add", c[0], c[1])
    total = total if bias is None else c.elementwise("add", total, bias)
    if total.shape != c[0].shape:
        c.refuse(f"it adds to an input of shape {[*c[0].shape]} one that is larger", INVALID)
    check_parameters(c, total, c[2], None if is_simplified else c.get(3))
    axes, epsilon = [total.rank - 1], float(c.attribute("epsilon", 1e-12))
    if is_simplified:
        result = normalization.rms_normalization(c, total, c[2], axes, epsilon)
    else:
        result = normalization.layer_normalization(c, total, c[2], c.get(3), axes, epsilon)
    return [result, None, None, total]


@operator("SimplifiedLayerNormalization")
def simplified_layer_normalization(c: Call) -> list[Value]:
    """Read an RMS normalization, with the inverse root of the mean square if it is used."""
    x, epsilon = c[0], c.number("epsilon", 1e-5)
    axes = [*range(c.axis("axis", -1, x.rank), x.rank)]
    check_parameters(c, x, c[1])
    result = normalization.rms_normalization(c, x, c[1], axes, epsilon)
    if not c.wants(1):
        return [result]
    mean = c.op("mean_reduce", c.op("sqr", x), axes=axes)
    return [result, c.op("rsqrt", c.op("add", mean, epsilon))]


@operator("EmbedLayerNormalization", domain=MICROSOFT)
def embed_layer_normalization(c: Call) -> list[Value | None]:
    """Read the normalized sum of the embeddings of words, positions and segments."""
    ids, segments, words, positions, table = c[0], c.get(1), c[2], c[3], c.get(4)
    c.check_scalars(words, positions, table)
    if any(x is not None and x.data_type != INTEGER for x in (ids, segments, c.get(8))):
        c.refuse("its words, segments and positions are not all integers", INVALID)
    count = ids.shape[1]
    total = c.op("gather", words, ids, axis=0)
    places = c.get(8)
    if places is None:
        first = c.op("slice", positions, axes=[0], begin=[0], end=[count])
        where = reshaped(c, first, (1, *first.shape))
    else:
        where = c.op("gather", positions, places, axis=0)
    total = c.elementwise("add", total, where)
    if segments is not None and table is not None:
        total = c.op("add", total, c.op("gather", table, segments, axis=0))
    check_parameters(c, total, c[5], c[6])
    result = normalization.layer_normalization(
        c, total, c[5], c[6], [2], float(c.attribute("epsilon", 1e-12))
    )
    return [result, _mask_lengths(c, ids.shape[0]) if c.wants(1) else None, total]


def _mask_lengths(c: Call, batch: int) -> Value:
    """Return the number of positions that a mask does not exclude; 0 without a mask."""
    mask, dtype = c.get(7), np.dtype(np.int32)
    if mask is None:
        return c.graph.constant(np.zeros(batch, dtype))
    is_used = c.op("cast", c.op("eq", to_scalar(c, mask), 1.0), data_type="scalar")
    return to_dtype(c, reshaped(c, c.op("sum_reduce", is_used, axes=[1]), (batch,)), dtype)


# -- attention -------------------------------------------------------------------------------------

_FAR = -10000.0
"""The number that masks add to scores by default."""


@operator("Attention", domain=MICROSOFT)
def attention(c: Call) -> list[Value]:
    """Read projections to queries, keys and values, attention by heads, without a cache."""
    x, weights, bias = c[0], c[1], c.get(2)
    if c.get(4) is not None or c.wants(1):
        refuse("it reads or returns keys and values of earlier steps", _NO_CACHE)
    if c.attribute("do_rotary", 0):
        refuse("it rotates its queries and keys", "Save the model without fused layers.")
    sizes = c.ints("qkv_hidden_sizes") or [weights.shape[1] // 3] * 3
    projected = c.op("matmul", x, to_rank(c, weights, 3))
    if bias is not None:
        projected = c.elementwise("add", projected, bias)
    ends = np.cumsum(sizes)
    parts = [
        c.op("slice", projected, axes=[2], begin=[int(end) - size], end=[int(end)])
        for end, size in zip(ends, sizes, strict=True)
    ]
    return [_by_heads(c, parts, c.get(3), c.get(5))]


_NO_CACHE = "Export the network without a cache of keys and values."


@operator("MultiHeadAttention", domain=MICROSOFT)
def multi_head_attention(c: Call) -> list[Value]:
    """Read attention by heads over given queries, keys and values, without a cache."""
    if any(c.get(index) is not None for index in (6, 7)) or c.wants(1) or c.wants(2):
        refuse("it reads or returns keys and values of earlier steps", _NO_CACHE)
    parts = [c[0], c[1], c[2]]
    if any(part.rank != 3 for part in parts):
        refuse("its queries, keys and values are packed", "Save the model without fused layers.")
    bias = c.get(3)
    if bias is not None:
        ends = np.cumsum([part.shape[2] for part in parts])
        parts = [
            c.elementwise(
                "add",
                part,
                c.op("slice", bias, axes=[0], begin=[int(end) - part.shape[2]], end=[int(end)]),
            )
            for part, end in zip(parts, ends, strict=True)
        ]
    return [_by_heads(c, parts, c.get(4), c.get(5))]


def _by_heads(c: Call, parts: Sequence[Value], mask: Value | None, added: Value | None) -> Value:
    """Return softmax(Q K^T scale + mask) V, computed head by head, of shape [batch, S, H]."""
    heads = int(c.attribute("num_heads"))
    batch, count, _ = parts[0].shape
    c.check_scalars(*parts, added)
    if heads < 1 or any(part.shape[2] % heads for part in parts):
        c.refuse(f"it has {heads} heads of {parts[0].shape[2]} features", INVALID)
    query, key, value = (
        transposed(c, reshaped(c, x, (*x.shape[:2], heads, x.shape[2] // heads)), [0, 2, 1, 3])
        for x in parts
    )
    check_heads(c, query, key, value)
    scale = float(c.attribute("scale", 0.0)) or 1 / np.sqrt(query.shape[3])
    with c.graph.scope("attention"):
        scores = c.op("matmul", query, key, transposeB=True)
        scores = c.op("mul", scores, c.decimal(scale))
        for mask_scores in (_key_mask(c, mask, scores), added, _causal_mask(c, scores)):
            if mask_scores is not None:
                scores = c.op("add", scores, to_rank(c, mask_scores, 4))
        result = c.op("matmul", c.op("softmax", scores, axes=[3]), value)
    return reshaped(c, transposed(c, result, [0, 2, 1, 3]), (batch, count, heads * value.shape[3]))


def _key_mask(c: Call, mask: Value | None, scores: Value) -> Value | None:
    """Return the numbers that a mask of keys, of rank 2 or 3, adds to scores."""
    if mask is None:
        return None
    batch, _, queries, keys = scores.shape
    if mask.shape == (batch, keys):
        mask = reshaped(c, mask, (batch, 1, 1, keys))
    elif mask.shape == (batch, queries, keys):
        mask = reshaped(c, mask, (batch, 1, queries, keys))
    else:
        refuse("its mask consists of lengths", "Pass a mask with one number for each key.")
    excluded = c.op("le", to_scalar(c, mask), 0.0)
    return c.op("select", excluded, c.number("mask_filter_value", _FAR), 0.0, data_type="scalar")


def _causal_mask(c: Call, scores: Value) -> Value | None:
    """Return the numbers that exclude the keys after each query in unidirectional attention."""
    if not c.attribute("unidirectional", 0):
        return None
    queries, keys = scores.shape[2:]
    if queries != keys:
        refuse("it is unidirectional, but its numbers of queries and keys differ", _NO_CACHE)
    lowest = np.finfo(np.float32).min
    mask = np.triu(np.full((queries, keys), lowest, np.float32), 1)
    return c.graph.shared(f"causal_mask_{queries}_{keys}", lambda: mask)


# -- others ----------------------------------------------------------------------------------------


@operator("CDist", domain=MICROSOFT)
def distances(c: Call) -> Value:
    """Read the Euclidean distances of rows, or their squares, from differences."""
    metric = c.attribute("metric", "sqeuclidean")
    if metric not in ("sqeuclidean", "euclidean"):
        refuse(f"its metric is '{metric}'", "Use euclidean or sqeuclidean.")
    c.check_scalars(c[0], c[1])
    return distance.distances(c, c[0], c[1], 2.0, root=metric == "euclidean")
